"""A results file that was changed by another hand is damaged, never believed."""

import sqlite3
from contextlib import closing

import pytest

from wavecheck.scenarios.campaign.campaign import campaign
from wavecheck.scenarios.campaign.integrity import run_checksum
from wavecheck.scenarios.campaign.store import open_store
from wavecheck.sim.errors import InvalidScenario

UNLOCK = "DROP TRIGGER no_update", "DROP TRIGGER no_delete"


@pytest.fixture
def kept(plan_of, tmp_path):
    """A small campaign's file."""
    path = tmp_path / "a.db"
    campaign(plan_of(seeds_count=3), store=path)
    return path


def change(path, *statements):
    """Change a file as another program would, and restore the triggers."""
    with closing(sqlite3.connect(path)) as database:
        triggers = database.execute(
            "SELECT sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for statement in (*UNLOCK, *statements):
            database.execute(statement)
        for (sql,) in triggers:
            database.execute(sql)
        database.commit()


@pytest.mark.parametrize(
    ("statement", "fact"),
    [
        ("UPDATE runs SET steps = steps + 1 WHERE point = 1 AND seed = 2", "point 1"),
        ("UPDATE runs SET steps = 'many' WHERE point = 0 AND seed = 0", "point 0"),
        ("UPDATE runs SET seed = 9 WHERE point = 0 AND seed = 0", "point 0"),
        ("DELETE FROM runs WHERE point = 0 AND seed = 1", "point 0"),
        ("DELETE FROM runs WHERE point = 1", "point 1"),
        ("UPDATE runs SET point = 7 WHERE point = 1", "point 1"),
        ("UPDATE sums SET runs = 2 WHERE point = 0", "point 0"),
        ("DELETE FROM sums", "point 0"),
        ("UPDATE campaign SET value = replace(value, 'stalling', 'claiming')", "says"),
        ("DELETE FROM campaign WHERE key = 'identity'", "says"),
        ("DELETE FROM campaign WHERE key = 'checksum'", "says"),
        ("ALTER TABLE runs ADD COLUMN more", "tables"),
        ("CREATE TABLE more (a)", "tables"),
        ("DROP TABLE sums", "tables"),
    ],
)
def test_a_change_by_another_hand_is_damage(kept, statement, fact):
    """Cells, rows, sums, the identity and the tables; the message names the place."""
    change(kept, statement)
    with pytest.raises(InvalidScenario, match=f"damaged: .*{fact}"):
        open_store(kept)


def test_the_file_itself_is_sound(kept):
    """Opened and closed by another program, nothing is damaged."""
    change(kept)
    with open_store(kept) as store:
        assert store.count() == 6


def test_a_missing_trigger_is_damage(kept):
    """Runs that could be changed from now on."""
    with closing(sqlite3.connect(kept)) as database:
        database.execute("DROP TRIGGER no_update")
    with pytest.raises(InvalidScenario, match="damaged: its tables"):
        open_store(kept)


def test_a_page_that_was_swept_away_is_damage(kept):
    """Zeros in the place of any page end in words."""
    with closing(sqlite3.connect(kept)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    sound = kept.read_bytes()
    for start in range(4096, len(sound), 4096):
        kept.write_bytes(sound[:start] + bytes(4096) + sound[start + 4096 :])
        with pytest.raises(InvalidScenario):
            open_store(kept)


def test_a_checksum_is_of_values_as_they_are_stored():
    """A whole float comes back as an integer, not-a-number as nothing, and no less."""
    assert run_checksum(1, 2, (3.0, float("nan"), True, "x")) == run_checksum(
        1, 2, (3, None, 1, "x")
    )
    assert run_checksum(1, 2, (3.5,)) != run_checksum(1, 2, (3,))
    assert run_checksum(1, 2, (3,)) != run_checksum(2, 1, (3,))

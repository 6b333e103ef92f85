"""Schedules on real databases: the same answers, or the first one that differs."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from wavecheck import find_scenario
from wavecheck.coordinator.sql import SQLStore
from wavecheck.scenarios.database.replay import replay_on_database
from wavecheck.scenarios.questions import check
from wavecheck.sim.errors import InvalidScenario

MADE_BY_US = "made by wavecheck for one run; safe to drop"
OURS = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'wavecheck%'"


def test_the_double_dispatch_happens_on_the_database(command, doubled_file, any_url):
    """`progressive` puts the same batch on a real queue twice."""
    status, out, _ = command("replay", doubled_file, "--db", any_url)
    assert status == 1
    assert "every answer of the database is the model's" in out
    assert "VIOLATED no_double_dispatch in the database: batch job-1-w1-00000" in out
    assert out.rstrip().endswith("| 0 | 2")


def test_claiming_withstands_the_same_order(command, doubled_file, any_url):
    """In the same order of tasks, claims let each batch through once, to the end."""
    status, out, _ = command("replay", doubled_file, "--db", any_url, "-c", "claiming")
    assert (status, "VIOLATED" in out) == (0, False)
    assert "claiming in the order that was recorded with progressive" in out
    assert out.endswith("nothing violated\n")


def test_the_result_as_data(command, doubled_file):
    """`--json -` prints one document that says what was done where."""
    status, out, _ = command("replay", doubled_file, "--db", "sqlite://", "--json", "-")
    document = json.loads(out)
    assert status == 1
    assert document["database"]["statements"] == document["steps"]
    assert document["database"]["connections"] >= 2
    assert document["database"]["disagreement"] is None
    assert document["database"]["sent_more_than_once"][0]["count"] == 2
    assert list(document["violations"]) == ["no_double_dispatch"]


def test_the_first_wrong_answer_is_told(monkeypatch, doubled, command, doubled_file):
    """Step, statement and both answers; and nothing is performed after it."""
    honest = SQLStore.pending_batches

    async def lying(self, job_id, wave_number):
        return (await honest(self, job_id, wave_number))[1:]

    monkeypatch.setattr(SQLStore, "pending_batches", lying)
    shown = replay_on_database(doubled, "sqlite://")
    assert shown.disagreement is not None
    assert shown.disagreement.statement.startswith("pending_batches('job-1', 1)")
    assert len(shown.disagreement.model) == len(shown.disagreement.real) + 1
    assert shown.statements_count == shown.disagreement.step < len(doubled.steps)
    status, _, err = command("replay", doubled_file, "--db", "sqlite://")
    assert status == 4
    assert "the model and the database disagree at step" in err
    assert "database  [" in err


@pytest.mark.parametrize(
    ("coordinator", "faults"),
    [
        ("claiming", {"crash": 1}),
        ("leased", {"crash": 1, "lose": 1, "expire": 1}),
        ("progressive", {"duplicate": 1, "delay": 1, "fail": 1}),
        ("claiming", {"evict": 1, "stale": 1}),
    ],
)
def test_every_statement_and_fault_agrees(coordinator, faults, any_url):
    """Samples of executions with faults: the database answers as the model does."""
    result = check(
        find_scenario("import-job"),
        coordinator,
        executions=5,
        faults=faults,
        shrinks=False,
    )
    for sample in result.searched.samples[:3]:
        shown = replay_on_database(sample, any_url)
        assert shown.disagreement is None, str(shown.disagreement)
        assert shown.statements_count > 20


def test_it_cleans_up(command, doubled_file, any_url, query, tmp_path):
    """No schema, no file and no table of ours is left."""
    command("replay", doubled_file, "--db", any_url)
    if any_url.startswith("sqlite"):
        assert sorted(tmp_path.iterdir()) == [doubled_file]
    else:
        assert query(any_url, OURS) == [[]]


SLOW = """
import asyncio, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from wavecheck.scenarios.pipeline import twin
honest = twin.PipelineTwin.perform
async def slow(self, *details):
    print("step", flush=True)
    await asyncio.sleep(0.2)
    return await honest(self, *details)
twin.PipelineTwin.perform = slow
from wavecheck.reports.entry import main
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_cleans_up_when_interrupted(doubled_file, any_url, query, tmp_path, number):
    """Ctrl-C, or the system's request to end, leaves nothing behind either."""
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, "replay", doubled_file, "--db", any_url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for _ in range(3):
        assert process.stdout.readline() == "step\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "interrupted\n")
    if any_url.startswith("sqlite"):
        assert sorted(tmp_path.iterdir()) == [doubled_file]
    else:
        assert query(any_url, OURS) == [[]]


@pytest.mark.postgres
def test_what_a_killed_replay_left_is_removed(postgres_url, query, doubled):
    """A schema of ours whose connection is gone is dropped by the next replay."""
    query(
        postgres_url,
        "CREATE SCHEMA wavecheck_1",
        f"COMMENT ON SCHEMA wavecheck_1 IS '{MADE_BY_US}'",
        "CREATE TABLE wavecheck_1.jobs (job_id text)",
    )
    replay_on_database(doubled, postgres_url)
    assert query(postgres_url, OURS) == [[]]


@pytest.mark.postgres
def test_a_foreign_schema_is_refused(monkeypatch, postgres_url, query, doubled):
    """A schema of the same name that is not ours stays as it is."""
    monkeypatch.setattr(
        "wavecheck.scenarios.server.place.name_of", lambda backend: "wavecheck_x"
    )
    query(
        postgres_url, "CREATE SCHEMA wavecheck_x", "CREATE TABLE wavecheck_x.t (a int)"
    )
    try:
        with pytest.raises(InvalidScenario, match="'wavecheck_x' that is not ours"):
            replay_on_database(doubled, postgres_url)
        assert query(postgres_url, OURS) == [[("wavecheck_x",)]]
    finally:
        query(postgres_url, "DROP SCHEMA wavecheck_x CASCADE")


def test_foreign_rows_are_refused(command, doubled_file, query, tmp_path):
    """A table of the same name with somebody's rows stays as it is."""
    url = f"sqlite:///{tmp_path}/theirs.db"
    query(url, "CREATE TABLE jobs (job_id text)", "INSERT INTO jobs VALUES ('theirs')")
    status, _, err = command("replay", doubled_file, "--db", url)
    assert status == 2
    assert "table 'jobs' holds rows of somebody else\nnext: give a file" in err
    assert query(url, "SELECT * FROM jobs") == [[("theirs",)]]


def test_an_empty_table_and_other_tables_stay(doubled, query, tmp_path):
    """In a file with other tables a replay works, and leaves those as they are."""
    url = f"sqlite:///{tmp_path}/shared.db"
    query(url, "CREATE TABLE theirs (a text)", "INSERT INTO theirs VALUES ('x')")
    for _ in range(2):
        replay_on_database(doubled, url)
    tables = "SELECT name FROM sqlite_master WHERE type = 'table'"
    names = [name for (name,) in query(url, tables)[0] if not name.startswith("sqlite")]
    assert names == ["theirs"]


def test_a_scenario_without_tables_is_refused():
    """The reference model has no tables on a database, and it is said what has."""
    result = check(find_scenario("wd"), "stalling", executions=50)
    schedule = next(iter(result.schedules.values()))
    with pytest.raises(InvalidScenario, match="no tables on a real database"):
        replay_on_database(schedule, "sqlite://")


def test_another_coordinator_needs_a_database(command, doubled_file):
    """Without --db the option makes no sense, and it is said what to add."""
    status, _, err = command("replay", doubled_file, "-c", "claiming")
    assert (status, "next: give --db URL as well" in err) == (2, True)


def test_a_changed_schedule_is_still_refused(doubled):
    """Every step is compared with the recording too."""
    changed = replace(doubled.steps[2], result=False)
    schedule = replace(doubled, steps=(*doubled.steps[:2], changed, *doubled.steps[3:]))
    with pytest.raises(Exception, match="the replay diverges at step 3"):
        replay_on_database(schedule, "sqlite://")


@pytest.mark.skipif(os.name != "posix", reason="addresses of files")
@pytest.mark.parametrize(
    ("url", "fact", "advice"),
    [
        ("nonsense", "address cannot be read", "sqlite:///FILE or postgresql://"),
        ("mysql://u@h/d", "mysql: no store for", "wavecheck.coordinator.conformance"),
        ("sqlite:////no/such/folder/x.db", "unable to open", "check the file"),
        (
            "postgresql://u:se%20cret@127.0.0.1:1/d",
            "u:***@127",
            "check that the server",
        ),
    ],
)
def test_an_unusable_database_is_told(command, doubled_file, url, fact, advice):
    """One sentence, what to do, exit status 2, and no password."""
    status, out, err = command("replay", doubled_file, "--db", url)
    assert (status, out) == (2, "")
    assert fact in err
    assert advice in err
    assert "cret" not in err
    assert "Traceback" not in err


@pytest.mark.postgres
def test_a_wrong_password_is_not_echoed(command, doubled_file, locked_url):
    """The message says that it is wrong, and not what was given."""
    url = locked_url.format(password="Xq7-wrong")
    status, _, err = command("replay", doubled_file, "--db", url)
    assert status == 2
    assert "password authentication failed" in err
    assert "next: the password is wrong" in err
    assert "Xq7" not in err


@pytest.mark.postgres
def test_a_user_without_rights_is_told(command, doubled_file, locked_url):
    """A user who may not create a schema learns which right is missing."""
    url = locked_url.format(password="right")
    status, _, err = command("replay", doubled_file, "--db", url)
    assert status == 2
    assert "permission denied" in err
    assert "next: this user lacks the right; GRANT it" in err


def test_a_file_that_is_no_database_is_told(command, doubled_file, tmp_path):
    """A text file is refused and stays as it is."""
    path = tmp_path / "text.db"
    path.write_text("not a database, but long enough to be read as one. " * 40)
    status, _, err = command("replay", doubled_file, "--db", f"sqlite:///{path}")
    assert (status, "the file is no SQLite database" in err) == (2, True)
    assert path.read_text().startswith("not a database")

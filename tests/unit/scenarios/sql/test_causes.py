"""Causes in transactions: what was uncommitted, old, or read by each other."""

import pytest

from wavecheck.sim.search.causes import causes_of
from wavecheck.sim.search.kinds import CauseKind
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.search.schedule import passes

TASKS = (
    "CREATE TABLE task (name text PRIMARY KEY, is_done boolean NOT NULL);"
    "CREATE TABLE parent (is_released boolean NOT NULL)"
)
LEFT = "SELECT count(*) FROM task WHERE NOT is_done"
DOCTORS = "CREATE TABLE doctor (name text PRIMARY KEY, is_on_call boolean NOT NULL)"
ON_CALL = "SELECT count(*) FROM doctor WHERE is_on_call"


async def finish(session, name):
    """Ends a task, and releases the parent if it sees no other that is open."""
    await session.execute("BEGIN")
    await session.execute("UPDATE task SET is_done = true WHERE name = $1", [name])
    if not (await session.execute(LEFT)).rows[0][0]:
        await session.execute("UPDATE parent SET is_released = true")
    await session.execute("COMMIT")


async def leave(session, name):
    """Goes off call if another one is on call."""
    await session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    if (await session.execute(ON_CALL)).rows[0][0] > 1:
        off = "UPDATE doctor SET is_on_call = false WHERE name = $1"
        await session.execute(off, [name])
    await session.execute("COMMIT")


async def count_up(session):
    """Reads a number, and writes it with one more."""
    ((number,),) = (await session.execute("SELECT n FROM counter")).rows
    await session.execute("UPDATE counter SET n = $1", [number + 1])


def names(rows, **columns):
    """Rows of these names."""
    return [{"name": name, **columns} for name in rows]


WORLDS = {
    CauseKind.UNCOMMITTED: (
        TASKS,
        {"a": (finish, "a"), "b": (finish, "b")},
        {"task": names("ab", is_done=False), "parent": [{"is_released": False}]},
        {"held": "SELECT 1 FROM parent WHERE NOT is_released"},
    ),
    CauseKind.WRITE_SKEW: (
        DOCTORS,
        {"a": (leave, "a"), "b": (leave, "b")},
        {"doctor": names("ab", is_on_call=True)},
        {"nobody": "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM doctor WHERE is_on_call)"},
    ),
    CauseKind.STALE_READ: (
        "CREATE TABLE counter (n int NOT NULL)",
        {"a": (count_up,), "b": (count_up,)},
        {"counter": [{"n": 0}]},
        {"lost": "SELECT n FROM counter WHERE n < 2"},
    ),
}


@pytest.mark.parametrize("kind", WORLDS, ids=lambda kind: kind.name)
def test_the_main_cause_is_of_its_kind(sql_world, shrunk, kind):
    """And without each cause that a schedule shows, the property holds."""
    world = sql_world(*WORLDS[kind])
    schedule = shrunk(world)
    causes = causes_of(world, schedule)
    assert causes.found[0].kind is kind, causes.found
    for one in causes.found:
        if one.passing:
            rule = RecordedChoices(one.passing)
            assert passes(world, rule, schedule.property_name)

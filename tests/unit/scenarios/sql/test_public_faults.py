"""Public faults of SQL-backed queues, as the SQL that they are made of."""

import pytest

from wavecheck.scenarios.sql.session import SQLError
from wavecheck.sim.search.causes import causes_of
from wavecheck.sim.search.kinds import CauseKind


async def expect(session, error, sqlstate, constraint=""):
    """Roll back after an error that is expected; no other one may come."""
    assert (error.sqlstate, constraint) == (sqlstate, constraint and error.constraint)
    await session.execute("ROLLBACK")


# pg-boss, pull request 777: two parents finish in overlapping transactions.

PGBOSS = """
CREATE TABLE job (name text PRIMARY KEY, state text NOT NULL, blocked boolean NOT NULL,
                  pending int NOT NULL DEFAULT 0);
CREATE TABLE job_dependency (child text REFERENCES job, parent text REFERENCES job,
                             PRIMARY KEY (child, parent));
"""
COMPLETE = "UPDATE job SET state = 'completed' WHERE name = $1 AND state = 'active'"
UNBLOCK = """
UPDATE job SET blocked = false WHERE blocked
    AND name IN (SELECT child FROM job_dependency WHERE parent = $1)
    AND NOT EXISTS (
        SELECT 1 FROM job_dependency d JOIN job p ON p.name = d.parent
        WHERE d.child = job.name AND p.state <> 'completed')
"""
ONE_STATEMENT = """
WITH done AS (
    UPDATE job SET state = 'completed' WHERE name = $1 AND state = 'active'
    RETURNING name)
UPDATE job SET blocked = false FROM done, job_dependency d
WHERE d.parent = done.name AND job.name = d.child AND job.blocked
    AND NOT EXISTS (
        SELECT 1 FROM job_dependency o JOIN job p ON p.name = o.parent
        WHERE o.child = job.name AND p.name <> done.name AND p.state <> 'completed')
"""
COUNT_DOWN = """
UPDATE job SET pending = pending - 1, blocked = pending > 1
WHERE name IN (SELECT child FROM job_dependency WHERE parent = $1)
"""


async def complete_as_it_was(session, name):
    """Completes, then unblocks the children whose parents it sees completed."""
    await session.execute("BEGIN")
    if (await session.execute(COMPLETE, [name])).rows_count:
        await session.execute(UNBLOCK, [name])
    await session.execute("COMMIT")


async def complete_in_one_statement(session, name):
    """The same as one data-modifying CTE in autocommit mode."""
    await session.execute(ONE_STATEMENT, [name])


async def complete_fixed(session, name):
    """A counter on the child, under its row lock."""
    await session.execute("BEGIN")
    if (await session.execute(COMPLETE, [name])).rows_count:
        await session.execute(COUNT_DOWN, [name])
    await session.execute("COMMIT")


PARENTS = ("parent-0", "parent-1")


@pytest.mark.parametrize(
    ("code", "is_wrong"),
    [
        (complete_as_it_was, True),
        (complete_in_one_statement, True),
        (complete_fixed, False),
    ],
)
def test_pgboss_777(sql_world, prove, code, is_wrong):
    """The child is stranded as it was, also in one statement, and not counting."""
    jobs = [{"name": "child", "state": "created", "blocked": True, "pending": 2}]
    jobs += [{"name": one, "state": "active", "blocked": False} for one in PARENTS]
    links = [{"child": "child", "parent": one} for one in PARENTS]
    world = sql_world(
        PGBOSS,
        {name: (code, name) for name in PARENTS},
        {"job": jobs, "job_dependency": links},
        {"stranded": "SELECT name FROM job WHERE blocked"},
    )
    assert set(prove(world)[1]) == ({"stranded"} if is_wrong else set())


# kamu-cli, issue 1398: an outbox poller passes over a message that commits late.

KAMU = """
CREATE TABLE messages (id bigserial PRIMARY KEY,
                       tx_id xid8 NOT NULL DEFAULT pg_current_xact_id());
CREATE TABLE consumptions (consumer text PRIMARY KEY, tx_id xid8 NOT NULL,
                           message_id bigint NOT NULL);
CREATE TABLE delivered (message_id bigint);
CREATE TABLE ended (producer int);
"""
ABOVE = {
    "id": "SELECT m.tx_id, m.id FROM messages m, consumptions c"
    " WHERE m.id > c.message_id ORDER BY m.id",
    "visible": "SELECT m.tx_id, m.id FROM messages m, consumptions c"
    " WHERE (m.tx_id, m.id) > (c.tx_id, c.message_id) ORDER BY m.tx_id, m.id",
    "xmin": "SELECT m.tx_id, m.id FROM messages m, consumptions c"
    " WHERE (m.tx_id, m.id) > (c.tx_id, c.message_id)"
    " AND m.tx_id < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY m.tx_id, m.id",
}


async def produce(session):
    """Pushes a message in a transaction."""
    await session.execute("BEGIN")
    await session.execute("INSERT INTO messages DEFAULT VALUES")
    await session.execute("COMMIT")


async def consume(session, how, polls):
    """Polls, delivers what is above the boundary and moves that."""
    for _ in range(polls):
        await session.execute("BEGIN")
        for tx_id, number in (await session.execute(ABOVE[how])).rows:
            await session.execute("INSERT INTO delivered VALUES ($1)", [number])
            await session.execute(
                "UPDATE consumptions SET tx_id = $1, message_id = $2",
                [str(tx_id), number],
            )
        await session.execute("COMMIT")


PASSED_OVER = {
    "id": "SELECT m.id FROM messages m, consumptions c WHERE m.id <= c.message_id"
    " AND m.id NOT IN (SELECT message_id FROM delivered)",
    "visible": "SELECT m.id FROM messages m, consumptions c"
    " WHERE (m.tx_id, m.id) <= (c.tx_id, c.message_id)"
    " AND m.id NOT IN (SELECT message_id FROM delivered)",
}
PASSED_OVER["xmin"] = PASSED_OVER["visible"]


@pytest.mark.parametrize(
    ("how", "is_wrong"), [("id", True), ("visible", True), ("xmin", False)]
)
def test_kamu_1398(sql_world, prove, how, is_wrong):
    """By id and by transaction messages are passed over; below xmin none is."""
    world = sql_world(
        KAMU,
        {
            "producer-0": (produce,),
            "producer-1": (produce,),
            "consumer": (consume, how, 2),
        },
        {"consumptions": [{"consumer": "c", "tx_id": 0, "message_id": 0}]},
        {"passed over": PASSED_OVER[how]},
    )
    assert set(prove(world)[1]) == ({"passed over"} if is_wrong else set())


# Spring Batch, issue 5397: one failed job instance is restarted twice at once.

SPRING = "CREATE TABLE execution (id serial PRIMARY KEY, status text NOT NULL);"
RUNNING = "SELECT count(*) FROM execution WHERE status IN ('STARTING', 'STARTED')"
START = "INSERT INTO execution (status) VALUES ('STARTING')"


async def restart_as_it_was(session):
    """Checks in a transaction of its own, then creates in a serializable one."""
    if (await session.execute(RUNNING)).rows[0][0]:
        return
    await session.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
    try:
        await session.execute(START)
        await session.execute("COMMIT")
    except SQLError:
        await session.execute("ROLLBACK")


def restart_at(level):
    """Checks and creates in one transaction of a level."""

    async def restart(session):
        await session.execute(f"BEGIN ISOLATION LEVEL {level}")
        try:
            if not (await session.execute(RUNNING)).rows[0][0]:
                await session.execute(START)
            await session.execute("COMMIT")
        except SQLError as error:
            await expect(session, error, "40001")

    return restart


@pytest.mark.parametrize(
    ("code", "is_wrong"),
    [
        (restart_as_it_was, True),
        (restart_at("REPEATABLE READ"), True),
        (restart_at("SERIALIZABLE"), False),
    ],
)
def test_spring_batch_5397(sql_world, prove, code, is_wrong):
    """Only the check and the insert in one serializable transaction are right."""
    world = sql_world(
        SPRING,
        {"launcher-0": (code,), "launcher-1": (code,)},
        {"execution": [{"status": "FAILED"}]},
        {
            "two at once": "SELECT 1 FROM execution WHERE status = 'STARTING'"
            " HAVING count(*) > 1"
        },
    )
    assert set(prove(world)[1]) == ({"two at once"} if is_wrong else set())


# GoodJob, pull request 1113: a job is performed again, from an old snapshot.

GOOD_JOB = """
CREATE TABLE good_jobs (id bigint PRIMARY KEY, finished_at timestamptz);
CREATE TABLE performed (id bigint);
"""
LOCK_ONE = """
WITH rows AS MATERIALIZED (
    SELECT id FROM good_jobs WHERE finished_at IS NULL ORDER BY id LIMIT 1000)
SELECT id FROM rows WHERE pg_try_advisory_lock(rows.id) LIMIT 1
"""


def work(*, reloads):
    """Locks a job by one statement and performs it; perhaps looks at it again."""

    async def run(session):
        for (job,) in (await session.execute(LOCK_ONE)).rows:
            unfinished = "SELECT 1 FROM good_jobs WHERE id = $1 AND finished_at IS NULL"
            if not reloads or (await session.execute(unfinished, [job])).rows:
                await session.execute("INSERT INTO performed VALUES ($1)", [job])
                done = "UPDATE good_jobs SET finished_at = now() WHERE id = $1"
                await session.execute(done, [job])
            await session.execute("SELECT pg_advisory_unlock($1)", [job])

    return run


@pytest.mark.parametrize(("reloads", "is_wrong"), [(False, True), (True, False)])
def test_good_job_1113(sql_world, prove, reloads, is_wrong):
    """The one statement finds a job that has been finished since its snapshot."""
    code = work(reloads=reloads)
    world = sql_world(
        GOOD_JOB,
        {"worker-0": (code,), "worker-1": (code,)},
        {"good_jobs": [{"id": 1}]},
        {"twice": "SELECT id FROM performed GROUP BY id HAVING count(*) > 1"},
    )
    assert set(prove(world)[1]) == ({"twice"} if is_wrong else set())


def test_the_cause_of_good_job_1113_is_a_snapshot(sql_world, shrunk):
    """The statement began before the job was finished, and returns it all the same."""
    code = work(reloads=False)
    world = sql_world(
        GOOD_JOB,
        {"worker-0": (code,), "worker-1": (code,)},
        {"good_jobs": [{"id": 1}]},
        {"twice": "SELECT id FROM performed GROUP BY id HAVING count(*) > 1"},
    )
    main = causes_of(world, shrunk(world)).found[0]
    assert main.kind is CauseKind.SNAPSHOT
    assert main.first < main.second < main.acted


def test_the_cause_of_kamu_1398_is_an_uncommitted_message(sql_world, shrunk):
    """The poller sees nothing of the message with the lower number."""
    world = sql_world(
        KAMU,
        {
            "producer-0": (produce,),
            "producer-1": (produce,),
            "consumer": (consume, "id", 2),
        },
        {"consumptions": [{"consumer": "c", "tx_id": 0, "message_id": 0}]},
        {"passed over": PASSED_OVER["id"]},
    )
    assert causes_of(world, shrunk(world)).found[0].kind is CauseKind.UNCOMMITTED


# Small inputs: a statement is not atomic, and does nothing twice.


def test_order_by_keeps_the_row_that_it_has_picked(sql_world, prove):
    """FOR UPDATE that waits gives the newest version of the row that it picked."""

    async def reprioritize(session):
        await session.execute("BEGIN")
        await session.execute("UPDATE jobs SET priority = 10 WHERE id = 1")
        await session.execute("COMMIT")

    async def take(session):
        await session.execute("BEGIN")
        found = await session.execute(
            "SELECT id, priority FROM jobs ORDER BY priority LIMIT 1 FOR UPDATE"
        )
        ((job, priority),) = found.rows
        await session.execute("INSERT INTO taken VALUES ($1, $2)", [job, priority])
        await session.execute("COMMIT")

    schema = "CREATE TABLE jobs (id int PRIMARY KEY, priority int NOT NULL);"
    schema += "CREATE TABLE taken (id int, priority int);"
    jobs = [{"id": 1, "priority": 1}, {"id": 2, "priority": 5}]
    world = sql_world(
        schema,
        {"user": (reprioritize,), "worker": (take,)},
        {"jobs": jobs},
        {
            "row 1 at 10": "SELECT 1 FROM taken WHERE id = 1 AND priority = 10",
            "row 1 at 1": "SELECT 1 FROM taken WHERE id = 1 AND priority = 1",
            "row 2": "SELECT 1 FROM taken WHERE id = 2 AND priority = 5",
            "anything else": "SELECT 1 FROM taken WHERE (id, priority) NOT IN"
            " ((1, 10), (1, 1), (2, 5))",
        },
    )
    assert set(prove(world)[1]) == {"row 1 at 10", "row 1 at 1", "row 2"}


def test_the_second_insert_of_a_unique_key_waits_and_fails(sql_world, prove):
    """Of two inserts of one unique key one waits for the other, and is a duplicate."""

    async def add(session, number):
        await session.execute("BEGIN")
        try:
            await session.execute("INSERT INTO rows VALUES ($1, 'key')", [number])
            await session.execute("COMMIT")
        except SQLError as error:
            await expect(session, error, "23505", "rows_key_key")
            await session.execute("INSERT INTO lost VALUES ($1)", [number])

    schema = "CREATE TABLE rows (id int PRIMARY KEY, key text UNIQUE);"
    schema += "CREATE TABLE lost (id int);"
    world = sql_world(
        schema,
        {"first": (add, 1), "second": (add, 2)},
        at_the_end={
            "not one": "SELECT count(*) FROM rows HAVING count(*) <> 1",
            "nobody lost": "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM lost)",
        },
    )
    assert not prove(world)[1]


@pytest.mark.parametrize(
    ("statement", "most"),
    [
        ("INSERT INTO rows (id, n) VALUES (2, nextval('numbers'))", 2),
        ("UPDATE rows SET n = nextval('numbers') WHERE id = 1", 3),
    ],
)
def test_a_sequence_moves_as_in_postgresql(sql_world, prove, statement, most):
    """An insert that waits has its number; an update takes one more for a new version.

    PostgreSQL 18 evaluates SET again on the newer version (EvalPlanQual).
    """

    async def bump(session):
        await session.execute("BEGIN")
        try:
            await session.execute(statement)
            await session.execute("COMMIT")
        except SQLError as error:
            await expect(session, error, "23505")
        moved = await session.execute("SELECT nextval('numbers')")
        await session.execute("INSERT INTO moved VALUES ($1)", list(moved.rows[0]))

    schema = "CREATE SEQUENCE numbers; CREATE TABLE rows (id int PRIMARY KEY, n int);"
    schema += "CREATE TABLE moved (to_number int);"
    world = sql_world(
        schema,
        {"one": (bump,), "other": (bump,)},
        {"rows": [{"id": 1, "n": 0}]},
        {
            "never as far": f"SELECT 1 FROM moved HAVING max(to_number) = {most + 2}",
            "further": f"SELECT 1 FROM moved HAVING max(to_number) > {most + 2}",
        },
    )
    assert set(prove(world)[1]) == {"never as far"}

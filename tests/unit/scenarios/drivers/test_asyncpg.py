"""asyncpg in a world: its connections, transactions, errors and pools."""

import asyncio
import datetime as dt

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from wavecheck.scenarios.drivers.postgresql import PostgreSQL
from wavecheck.scenarios.drivers.running import run_code
from wavecheck.sim.errors import CoordinatorError
from wavecheck.sim.kernel import Kernel

URL = "postgresql://app@db.example/shop"
SCHEMA = """
CREATE TABLE jobs (id int PRIMARY KEY, state text NOT NULL DEFAULT 'new', data jsonb,
                   at timestamptz);
"""
ROWS = {"jobs": [{"id": 1, "data": '{"a": 1}'}, {"id": 2}]}


@pytest.fixture
def db():
    return PostgreSQL(Kernel(timed=False), SCHEMA, rows=ROWS)


def run(db, *codes, args=()):
    """Run coroutine functions as tasks; return what they return."""
    kernel = db.database.kernel
    found = []

    async def task(code):
        found.append(await run_code(code, args))

    for number, code in enumerate(codes):
        kernel.spawn(task(code), f"task-{number}")
    kernel.run_to_quiescence()
    return found


def test_rows_are_records(db):
    """By name, by number, as a tuple, as a dictionary; values are Python's."""

    async def code():
        conn = await asyncpg.connect(URL)
        row = await conn.fetchrow(
            "SELECT id, state, data, at FROM jobs WHERE id = $1", 1
        )
        assert (row["id"], row[1], row.get("no"), "state" in row) == (
            1,
            "new",
            None,
            True,
        )
        assert dict(row) == {"id": 1, "state": "new", "data": '{"a": 1}', "at": None}
        assert row == (1, "new", '{"a": 1}', None)
        assert await conn.fetchval("SELECT count(*) FROM jobs") == 2
        moment = dt.datetime(2000, 1, 2, tzinfo=dt.UTC)
        said = await conn.execute("UPDATE jobs SET at = $1 WHERE id = $2", moment, 2)
        assert said == "UPDATE 1"
        assert await conn.execute("INSERT INTO jobs (id) VALUES (7)") == "INSERT 0 1"
        await conn.executemany("INSERT INTO jobs (id) VALUES ($1)", [(8,), (9,)])
        assert [row["id"] async for row in conn.cursor("SELECT id FROM jobs")][-1] == 9
        await conn.close()
        with pytest.raises(asyncpg.InterfaceError, match="connection is closed"):
            await conn.fetch("SELECT 1")
        return await (await asyncpg.connect(URL)).fetchval(
            "SELECT at FROM jobs WHERE id=2"
        )

    assert run(db, code) == [dt.datetime(2000, 1, 2, tzinfo=dt.UTC)]


def test_transactions_and_savepoints_are_asyncpgs(db):
    """An error leaves the block and rolls back; an inner block is a savepoint."""

    async def code():
        async with asyncpg.create_pool(URL) as pool, pool.acquire() as conn:
            try:
                async with conn.transaction(isolation="serializable"):
                    await conn.execute("UPDATE jobs SET state = 'lost'")
                    await conn.execute("INSERT INTO jobs (id) VALUES (1)")
            except asyncpg.UniqueViolationError as error:
                named = error.constraint_name
            assert named == "jobs_pkey"
            async with conn.transaction():
                await conn.execute("UPDATE jobs SET state = 'kept' WHERE id = 1")
                with pytest.raises(asyncpg.UniqueViolationError):
                    async with conn.transaction():
                        await conn.execute("INSERT INTO jobs (id) VALUES (1)")
            return await pool.fetch("SELECT state FROM jobs ORDER BY id")

    assert run(db, code) == [[("kept",), ("new",)]]


def test_two_coroutines_on_one_connection_are_a_fault(db):
    """As with asyncpg itself: another operation is in progress."""

    async def code():
        conn = await asyncpg.connect(URL)
        await asyncio.gather(conn.execute("SELECT 1"), conn.execute("SELECT 2"))

    with pytest.raises(CoordinatorError, match="another operation is in progress"):
        run(db, code)


def test_a_connection_of_the_worlds(db):
    """`db.connect_asyncpg()` is new in each task, and closed with it."""

    async def code(conn):
        async with conn.transaction():
            row = await conn.fetchrow(
                "SELECT id FROM jobs WHERE state = 'new' ORDER BY id LIMIT 1"
                " FOR UPDATE SKIP LOCKED"
            )
            await conn.execute(
                "UPDATE jobs SET state = 'done' WHERE id = $1", row["id"]
            )
        return row["id"]

    assert sorted(run(db, code, code, args=[db.connect_asyncpg()])) == [1, 2]


def test_what_needs_a_server_is_refused(db):
    """COPY is named, with what to do."""

    async def code():
        conn = await asyncpg.connect(URL)
        await conn.copy_records_to_table("jobs", records=[(5,)], columns=["id"])

    with pytest.raises(CoordinatorError, match=r"needs a server[^$]*--db URL"):
        run(db, code)


def test_sqlalchemy_on_asyncpg(db):
    """An engine with asyncpg's ordinary URL, in an AsyncSession's own block."""
    engine = create_async_engine("postgresql+asyncpg://app@db.example/shop")

    async def code():
        async with AsyncSession(engine) as session, session.begin():
            await session.execute(text("UPDATE jobs SET state = 'x' WHERE id = 1"))
        async with engine.connect() as connection:
            found = await connection.execute(
                text("SELECT state, data FROM jobs WHERE id = 1")
            )
            return found.one()

    assert [tuple(one) for one in run(db, code)] == [("x", {"a": 1})]

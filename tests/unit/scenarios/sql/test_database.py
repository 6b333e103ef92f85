"""Sessions of a modelled database: answers, errors, refusals, settings, notices."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from wavecheck.scenarios.sql.database import Database
from wavecheck.scenarios.sql.session import SQLError, TransactionStatus
from wavecheck.scenarios.sql.sqlite import SQLiteDatabase
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.kernel import Kernel

SCHEMA = """
CREATE TABLE parents (id int PRIMARY KEY);
CREATE TABLE rows (
    id serial PRIMARY KEY,
    name varchar(5) UNIQUE,
    parent int REFERENCES parents ON DELETE SET NULL,
    price numeric(6, 2) CHECK (price > 0),
    tags text[],
    data jsonb DEFAULT '{"b": 1, "a": [true, null]}',
    made_at timestamptz DEFAULT now()
);
"""


def run(*codes, schema=SCHEMA, rows=None, kind=Database, **options):
    """Let coroutine functions, each with a session, run to their end."""
    kernel = Kernel(timed=False)
    database = kind(kernel, schema, rows=rows, **options)
    kernel.mark()
    found = []

    async def caught(code):
        found.append(await code(database.session()))

    for number, code in enumerate(codes):
        kernel.spawn(caught(code), f"task-{number}")
    kernel.run_to_quiescence()
    return found


def asked(*statements, **options):
    """What the last of some statements of one session gives: rows, or an SQLSTATE."""

    async def ask(session):
        answer = ()
        for sql, *parameters in statements:
            try:
                answer = (await session.execute(sql, parameters)).rows
            except SQLError as error:
                answer = error.sqlstate
        return answer

    return run(ask, **options)[0]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7 / 2.0", Decimal("3.5000000000000000")),
        ("'a' || 'b'", "ab"),
        ("'a' || 3", "a3"),
        ("NULL = 1", None),
        ("NULL IS DISTINCT FROM 1", True),
        ("1 IN (2, NULL)", None),
        ("'{1,2}'::int[]", [1, 2]),
        ("2 = ANY ('{1,2}'::int[])", True),
        ("'{\"a\": {\"b\": 5}}'::jsonb -> 'a' ->> 'b'", "5"),
        ("interval '1 day 2 hours'", timedelta(days=1, hours=2)),
        ("timestamptz '2020-01-31 00:00+00' + interval '1 month'",
         datetime(2020, 2, 29, tzinfo=UTC)),
        ("now() - interval '1 hour'", datetime(1999, 12, 31, 23, tzinfo=UTC)),
        ("CASE WHEN false THEN 1 END", None),
        ("COALESCE(NULL, 'x')", "x"),
        ("'abc' LIKE 'a_c'", True),
        ("(1, 2) < (1, 3)", True),
        ("(ARRAY[1, 2])[2]", 2),
    ],
)  # fmt: skip
def test_an_expression_has_postgresqls_value(expression, value):
    """Values and types come as a driver gives them."""
    assert asked((f"SELECT {expression}",)) == ((value,),)


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("SELECT 1 / 0", "22012"),
        ("SELECT 'x'::int", "22P02"),
        ("SELECT 2147483647 + 1", "22003"),
        ("SELECT id = 'x' FROM rows", "22P02"),
        ("SELECT id = true FROM rows", "42883"),
        ("SELECT nothing FROM rows", "42703"),
        ("SELECT id FROM rows, parents", "42702"),
        ("SELECT 1 FROM nothing", "42P01"),
        ("SELEC 1", "42601"),
        ("SELECT name FROM rows GROUP BY id + 1", "42803"),
        ("SELECT count(*) FROM rows FOR UPDATE", "0A000"),
        ("SELECT currval('rows_id_seq')", "55000"),
        ("INSERT INTO rows (id) VALUES (NULL)", "23502"),
        ("INSERT INTO rows (price) VALUES (-1)", "23514"),
        ("INSERT INTO rows (parent) VALUES (5)", "23503"),
        ("INSERT INTO rows (name) VALUES ('too long')", "22001"),
        ("INSERT INTO parents VALUES (1), (1)", "23505"),
        ("SAVEPOINT s", "25P01"),
    ],
)
def test_an_error_has_postgresqls_sqlstate(sql, sqlstate):
    """What PostgreSQL refuses is refused, by its own SQLSTATE."""
    rows = {"rows": [{"name": "a"}]}
    assert asked((sql,), rows=rows) == sqlstate


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("SELECT made_up(1)", "the function made_up() at line 1, column 8"),
        ("LOCK TABLE rows", "the statement Lock"),
        ("SELECT random()", "the function random()"),
        ("MERGE INTO rows USING parents ON true WHEN MATCHED THEN DELETE", "Merge"),
        ("BEGIN READ ONLY", "READ ONLY transactions"),
        ("SET enable_something = 1", "the setting enable_something"),
        ("SELECT 1; SELECT 2", "2 statements in one text"),
        ("SELECT sum(id) OVER (ROWS 1 PRECEDING) FROM rows", "a window with"),
        ("SELECT xmin FROM rows", "counts_transactions=True"),
    ],
)
def test_what_is_not_modelled_is_refused_by_name(sql, what):
    """The refusal names the construct, the statement, and what to do."""
    with pytest.raises(InvalidScenario) as refused:
        asked((sql,))
    text = str(refused.value)
    assert text.startswith("SQL that is not modelled: ")
    assert what in text
    assert f"  statement  {sql}" in text
    assert text.endswith("next: --db URL runs it on PostgreSQL itself")


@pytest.mark.parametrize(
    ("ddl", "what"),
    [
        ("CREATE TABLE t (a int, EXCLUDE USING gist (a WITH =))", "EXCLUSION"),
        ("CREATE TABLE t (a geometry)", "the type geometry at line 1, column 19"),
        ("CREATE TABLE t (a int UNIQUE DEFERRABLE)", "DEFERRABLE"),
        ("CREATE VIEW v AS SELECT 1", "the declaration View"),
        ("CREATE TABLE t (a int REFERENCES nothing)", 'relation "nothing"'),
        ("CREATE TABEL t ()", 'syntax error at or near "TABEL"'),
    ],
)
def test_ddl_that_is_not_modelled_is_refused(ddl, what):
    """A constraint that is not there would make a faulty program look right."""
    with pytest.raises(InvalidScenario, match=r"schema|modelled") as refused:
        Database(Kernel(timed=False), ddl)
    assert what in str(refused.value)


def test_a_row_that_violates_the_schema_is_named():
    """The table, the number and the row are in the message."""
    with pytest.raises(InvalidScenario) as refused:
        Database(Kernel(timed=False), SCHEMA, rows={"rows": [{}, {"price": -1}]})
    assert str(refused.value).startswith("row 2 of table 'rows': new row for relation")


def test_a_property_must_change_nothing():
    """A query that writes, locks or moves a sequence is refused."""
    database = Database(Kernel(timed=False), SCHEMA)
    for sql in (
        "DELETE FROM rows",
        "SELECT id FROM rows FOR UPDATE",
        "SELECT nextval('rows_id_seq')",
    ):
        with pytest.raises(InvalidScenario, match="would change it"):
            database.query(sql)


def test_a_failure_goes_back_to_a_savepoint():
    """Within a savepoint a failure costs what came after it, and no more."""
    assert asked(
        ("BEGIN",),
        ("INSERT INTO parents VALUES (1)",),
        ("SAVEPOINT s",),
        ("INSERT INTO parents VALUES (1)",),
        ("ROLLBACK TO s",),
        ("INSERT INTO parents VALUES (2)",),
        ("COMMIT",),
        ("SELECT id FROM parents ORDER BY id",),
    ) == ((1,), (2,))


def test_a_failed_transaction_takes_no_statement():
    """After a failure every statement fails, and COMMIT is a rollback."""

    async def code(session):
        await session.execute("BEGIN")
        await session.execute("INSERT INTO parents VALUES (1)")
        with pytest.raises(SQLError, match="division by zero"):
            await session.execute("SELECT 1 / 0")
        assert session.status is TransactionStatus.FAILED
        with pytest.raises(SQLError, match="aborted"):
            await session.execute("SELECT 1")
        assert (await session.execute("COMMIT")).command == "ROLLBACK"
        return (await session.execute("SELECT id FROM parents")).rows

    assert run(code) == [()]


@pytest.mark.parametrize(
    ("setting", "sqlstates"),
    [
        ("SET lock_timeout = '1s'", {"55P03"}),
        ("SET statement_timeout = 500", {"57014"}),
        ("SET LOCAL lock_timeout = '1s'", set()),
    ],
)
def test_a_time_out_may_strike_while_a_statement_waits(
    sql_world, prove, setting, sqlstates
):
    """A statement that waits goes on or gives up; LOCAL means nothing by itself."""

    async def hold(session):
        await session.execute("BEGIN")
        await session.execute("UPDATE jobs SET n = 1 WHERE id = 1")
        await session.execute("COMMIT")

    async def wait(session):
        await session.execute(setting)
        try:
            await session.execute("UPDATE jobs SET n = n + 10 WHERE id = 1")
        except SQLError as error:
            await session.execute("INSERT INTO seen VALUES ($1)", [error.sqlstate])

    world = sql_world(
        "CREATE TABLE jobs (id int PRIMARY KEY, n int); CREATE TABLE seen (s text)",
        {"holder": (hold,), "waiter": (wait,)},
        {"jobs": [{"id": 1, "n": 0}]},
        {
            "55P03": "SELECT s FROM seen WHERE s = '55P03'",
            "57014": "SELECT s FROM seen WHERE s = '57014'",
            "went on": "SELECT n FROM jobs WHERE n = 11",
        },
    )
    assert set(prove(world)[1]) == {"went on", *sqlstates}


@pytest.mark.parametrize(
    ("setting", "end", "is_set"),
    [
        ("SET LOCAL lock_timeout = '1s'", "COMMIT", False),
        ("SET lock_timeout = '1s'", "COMMIT", True),
        ("SET lock_timeout = '1s'", "ROLLBACK", False),
    ],
)
def test_a_time_out_lasts_as_long_as_it_is_set_for(sql_world, setting, end, is_set):
    """SET LOCAL ends with its transaction; SET is taken back by a rollback."""

    def limits_of(session):
        return [length for _, length in session._limits]

    async def code(session):
        await session.execute("BEGIN")
        await session.execute(setting)
        assert limits_of(session) == [1000, 0]
        await session.execute(end)
        assert limits_of(session) == [1000 * is_set, 0]

        ended.append(end)

    ended = []
    world = sql_world("CREATE TABLE jobs (id int PRIMARY KEY)", {"task": (code,)})
    world.start()
    world.kernel.run_to_quiescence()
    assert ended == [end]


def test_a_notice_comes_with_the_commit(sql_world, prove):
    """Who listens is told once the transaction commits, and never after a rollback."""

    async def listen(session):
        await session.execute("LISTEN jobs")
        (notice,) = await session.wait_for_notices()
        found = await session.execute("SELECT count(*) FROM jobs")
        seen = [notice.payload, found.rows[0][0]]
        await session.execute("INSERT INTO seen VALUES ($1, $2)", seen)

    async def notify(session):
        await session.execute("BEGIN")
        await session.execute("NOTIFY jobs, 'lost'")
        await session.execute("ROLLBACK")
        await session.execute("BEGIN")
        await session.execute("INSERT INTO jobs VALUES (1)")
        await session.execute("NOTIFY jobs, 'new'")
        await session.execute("COMMIT")

    world = sql_world(
        "CREATE TABLE jobs (id int); CREATE TABLE seen (payload text, jobs bigint)",
        {"listener": (listen,), "worker": (notify,)},
        at_the_end={
            "told": "SELECT 1 FROM seen WHERE payload = 'new' AND jobs = 1",
            "wrong": "SELECT 1 FROM seen WHERE payload <> 'new' OR jobs <> 1",
        },
    )
    assert set(prove(world)[1]) == {"told"}


LITE = "CREATE TABLE jobs (id INTEGER PRIMARY KEY AUTOINCREMENT, n INT UNIQUE);"


def test_sqlite_answers_by_itself():
    """Types, functions and constraints are SQLite's own; the time is the world's."""
    options = {"schema": LITE, "kind": SQLiteDatabase, "rows": {"jobs": [{"n": 1}]}}
    assert asked(("SELECT 7 / 0, '1' + 1, datetime('now')",), **options) == (
        (None, 2, "2000-01-01 00:00:00"),
    )
    assert asked(("INSERT INTO jobs (n) VALUES ($1)", 1), **options) == "23505"
    inserted = asked(("INSERT INTO jobs (n) VALUES (2) RETURNING id",), **options)
    assert inserted == ((2,),)
    with pytest.raises(InvalidScenario, match=r"random\(\)"):
        asked(("SELECT random()",), **options)


def test_sqlite_lets_one_transaction_write():
    """A second writer finds the database locked; one with an old snapshot as well."""

    async def code(session):
        other = session._database.session()
        await session.execute("BEGIN")
        await session.execute("SELECT * FROM jobs")
        await other.execute("INSERT INTO jobs (n) VALUES (5)")
        with pytest.raises(SQLError, match="database is locked"):
            await session.execute("UPDATE jobs SET n = 9")
        await session.execute("ROLLBACK")
        await session.execute("BEGIN IMMEDIATE")
        with pytest.raises(SQLError, match="database is locked"):
            await other.execute("UPDATE jobs SET n = 9")
        await session.execute("COMMIT")
        return (await other.execute("SELECT n FROM jobs")).rows

    found = run(code, schema=LITE, kind=SQLiteDatabase)
    assert found == [((5,),)]

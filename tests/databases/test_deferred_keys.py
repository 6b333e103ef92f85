"""Foreign keys that are checked at the commit: the model says what PostgreSQL says."""

import psycopg
import pytest

from wavecheck.scenarios.drivers.postgresql import PostgreSQL
from wavecheck.scenarios.drivers.running import run_code
from wavecheck.sim.kernel import Kernel

SCHEMA = (
    "CREATE TABLE parents (id int PRIMARY KEY)",
    "CREATE TABLE children (id int PRIMARY KEY, parent int"
    " CONSTRAINT of_parent REFERENCES parents DEFERRABLE INITIALLY DEFERRED)",
    "INSERT INTO parents VALUES (1), (2)",
    "INSERT INTO children VALUES (10, 1)",
)
SCRIPTS = {
    "child first": [
        (1, "INSERT INTO children VALUES (11, 3)"),
        (1, "INSERT INTO parents VALUES (3)"),
        (1, "COMMIT"),
    ],
    "orphan": [(1, "INSERT INTO children VALUES (11, 3)"), (1, "COMMIT")],
    "orphan that has gone": [
        (1, "INSERT INTO children VALUES (11, 3)"),
        (1, "DELETE FROM children WHERE id = 11"),
        (1, "COMMIT"),
    ],
    "orphan behind a savepoint": [
        (1, "SAVEPOINT a"),
        (1, "INSERT INTO children VALUES (11, 3)"),
        (1, "ROLLBACK TO a"),
        (1, "COMMIT"),
    ],
    "moved to nobody": [
        (1, "UPDATE children SET parent = 9 WHERE id = 10"),
        (1, "COMMIT"),
    ],
    "parent goes": [(1, "DELETE FROM parents WHERE id = 1"), (1, "COMMIT")],
    "parent goes and comes back": [
        (1, "DELETE FROM parents WHERE id = 1"),
        (1, "INSERT INTO parents VALUES (1)"),
        (1, "COMMIT"),
    ],
    "parent goes with its child": [
        (1, "DELETE FROM parents WHERE id = 1"),
        (1, "DELETE FROM children"),
        (1, "COMMIT"),
    ],
    "another takes the parent away before the commit": [
        (1, "INSERT INTO children VALUES (11, 2)"),
        (2, "DELETE FROM parents WHERE id = 2"),
        (2, "COMMIT"),
        (1, "COMMIT"),
    ],
    "another brings the parent before the commit": [
        (1, "INSERT INTO children VALUES (11, 3)"),
        (2, "INSERT INTO parents VALUES (3)"),
        (2, "COMMIT"),
        (1, "COMMIT"),
    ],
    "another's child comes first": [
        (1, "DELETE FROM parents WHERE id = 2"),
        (2, "SELECT 1"),
        (1, "COMMIT"),
        (2, "INSERT INTO children VALUES (11, 2)"),
        (2, "COMMIT"),
    ],
}


def said(connect, script):
    """Run a script in two sessions; return what each statement came to, and the end."""
    sessions = {number: connect() for number in (1, 2)}
    found = []
    for number, sql in script:
        try:
            cursor = sessions[number].execute(sql)
            found.append((sql, cursor.rowcount))
        except psycopg.Error as error:
            found.append((sql, error.sqlstate, error.diag.message_primary))
    for one in sessions.values():
        one.rollback()
    (left,) = [sessions[1].execute("SELECT * FROM children ORDER BY id").fetchall()]
    for one in sessions.values():
        one.close()
    return [*found, left]


@pytest.mark.postgres
@pytest.mark.parametrize("name", SCRIPTS)
def test_the_model_checks_deferred_keys_as_the_server_does(name, postgres_url):
    """Each script: the same counts, errors and rows on the model and the server."""
    found = []
    kernel = Kernel(timed=False)
    PostgreSQL(
        kernel,
        ";".join(SCHEMA[:2]),
        rows={
            "parents": [{"id": 1}, {"id": 2}],
            "children": [{"id": 10, "parent": 1}],
        },
    )

    def task():
        found.append(said(lambda: psycopg.connect("postgresql://db/x"), SCRIPTS[name]))

    kernel.spawn(run_code(task), "task")
    kernel.run_to_quiescence()
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute("DROP SCHEMA IF EXISTS deferred CASCADE")
        server.execute("CREATE SCHEMA deferred")
        server.execute("SET search_path TO deferred")
        for sql in SCHEMA:
            server.execute(sql)

        def connect():
            made = psycopg.connect(postgres_url)
            made.execute("SET search_path TO deferred")
            made.commit()
            return made

        assert found == [said(connect, SCRIPTS[name])]
        server.execute("DROP SCHEMA deferred CASCADE")


def test_a_statement_alone_is_checked_at_its_own_commit():
    """Outside of a transaction an orphan is refused, and nothing of it stays."""
    kernel = Kernel(timed=False)
    db = PostgreSQL(kernel, ";".join(SCHEMA[:2]))

    def task():
        with (
            psycopg.connect("postgresql://db/x", autocommit=True) as conn,
            pytest.raises(psycopg.errors.ForeignKeyViolation, match="of_parent"),
        ):
            conn.execute("INSERT INTO children VALUES (1, 1)")

    kernel.spawn(run_code(task), "task")
    kernel.run_to_quiescence()
    assert db.database.rows("children") == []

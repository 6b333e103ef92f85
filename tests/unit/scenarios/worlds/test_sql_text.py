"""Declared statements as SQL: a database answers them as the model does."""

import sqlite3
from pathlib import Path

import pytest

import wavecheck as wc
from wavecheck.reports.cli import run_command
from wavecheck.reports.export.sql_steps import sql_script
from wavecheck.scenarios.evidence import Evidence
from wavecheck.sim.trace import plain

STOCK = """
import wavecheck as wc

async def work(w, n):
    await w.items.insert(10 + n, "it's new", None, n)
    await w.items.insert_or_ignore(1, "twice", None, 5)
    for item in await w.items.select(order=wc.at_least(1), name=wc.differs("old")):
        await w.items.update(
            {"id": item.id, "note": None}, note="seen", order=wc.plus(2))
    await w.items.count(order=wc.one_of(2, 3, 4))
    await w.items.delete({"name": "old"})
    await w.items.find(10 + n)
    await w.items.select(note="seen")
    OWN

@wc.world(sizes={"workers": 2})
def stock(w):
    columns = {"id": int, "name": "old", "note": None, "order": 0}
    w.items = w.table("items", columns, rows=[1, {"id": 2, "name": "new", "order": 1}])
    w.own = w.statement(lambda: w.items.now.update(2, order=9))
    for n in range(w.workers):
        w.task(f"worker-{n}", work, w, n)
    w.at_the_end("never right", lambda: True)
"""


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Record executions of a world of stock; return their schedule."""
    monkeypatch.chdir(tmp_path)

    def record(text):
        Path("stock.py").write_text(text)
        found = wc.check("stock.py", executions=20, shrinks=False)
        return found.schedules["never right"]

    return record


def test_sqlite_answers_declared_statements_as_the_model(recorded):
    """Conditions, NULL, quotes, names that are words of SQL, conflicts."""
    evidence = Evidence.of(recorded(STOCK.replace("OWN", "")))
    script = sql_script(evidence)
    database = sqlite3.connect(":memory:", isolation_level=None)
    database.executescript(script.setup)
    compared = 0
    for step in script.steps:
        cursor = database.execute(step.sql)
        rows = cursor.fetchall()
        expected = plain(step.result)
        if isinstance(expected, dict):
            expected = [expected]
        if isinstance(expected, list):
            assert [tuple(one.values()) for one in expected] == rows, step.sql
            compared += bool(rows)
        elif step.sql.startswith("SELECT"):
            assert rows == [(expected,)], step.sql
        elif expected is not None:
            assert cursor.rowcount == expected, step.sql
    assert compared > 3
    database.executescript(script.teardown)


def test_a_statement_of_the_worlds_own_has_no_sql(recorded, capsys):
    """It is named, with the table and what to write instead."""
    schedule = recorded(STOCK.replace("OWN", "await w.own()"))
    Path("one.json").write_text(wc.schedule_text(schedule))
    assert run_command(["export", "one.json", "--format", "sql"]) == 2
    said = capsys.readouterr().err
    assert "changes items by Python of the world's own" in said
    assert "w.items.update(...)" in said

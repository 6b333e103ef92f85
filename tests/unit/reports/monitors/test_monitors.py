"""Alert rules and SQL probes: valid syntax, and they fire when the monitors fire."""

import sqlite3
from datetime import UTC, datetime, timedelta

import promql_parser
import pytest
import yaml

import wavecheck as wc
from wavecheck.reports.monitors import (
    Thresholds,
    metric_queries,
    probes,
    prometheus_rules,
    sql_script,
)
from wavecheck.scenarios.pipeline.alerts import ALERTS
from wavecheck.sim.errors import InvalidScenario

DEFAULT = Thresholds.of({})
START = datetime(2025, 1, 1, tzinfo=UTC)
TABLES = """
CREATE TABLE waves (job_id, wave_number, kind, status, updated_at);
CREATE TABLE wave_batches
  (batch_id, job_id, wave_number, status, created_at, dispatched_at, completed_at);
CREATE TABLE dispatch_calls (job_id, wave_number, called_at);
"""


def moment(ticks):
    """Virtual time as a timestamp of SQLite."""
    when = START + timedelta(microseconds=ticks)
    return when.strftime("%Y-%m-%d %H:%M:%S.%f")


def database_at(run, ticks):
    """The tables of a run as they were at one moment of virtual time."""
    database = sqlite3.connect(":memory:")
    database.executescript(TABLES)
    for number, history in run.histories.items():
        since, status = [one for one in history.statuses if one[0] <= ticks][-1]
        wave = ("job", number, "derived", str(status), moment(since))
        database.execute("INSERT INTO waves VALUES (?, ?, ?, ?, ?)", wave)
    for one in run.batches:
        times = (one.created_at, one.dispatched_at, one.completed_at)
        if one.created_at > ticks:
            continue
        seen = [None if t is None or t > ticks else moment(t) for t in times]
        status = ("pending", "dispatched", "completed")[2 - seen[::-1].count(None)]
        row = (one.batch_id, "job", one.wave_number, status, *seen)
        database.execute("INSERT INTO wave_batches VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    for call in run.calls:
        if call.started_at <= ticks:
            row = ("job", call.wave_number, moment(call.started_at))
            database.execute("INSERT INTO dispatch_calls VALUES (?, ?, ?)", row)
    return database


@pytest.fixture(scope="module")
def stalling():
    """The published incident, stalled."""
    return wc.run("incident", "stalling")


@pytest.mark.parametrize("name", ALERTS)
def test_a_probe_fires_when_the_simulated_monitor_does(stalling, name):
    """Silent a hundredth of a second before, one row for the wave a moment after."""
    (alert,) = [one for one in stalling.alerts if one.name == name]
    for offset, count in ((-10_000, 0), (1_000, 1)):
        ticks = alert.fired_at + offset
        query = probes(DEFAULT, "sqlite", now=f"'{moment(ticks)}'")[name]
        found = database_at(stalling, ticks).execute(query).fetchall()
        assert len(found) == count
        assert [(row[0], row[1]) for row in found] == [("job", 7)] * count


@pytest.mark.parametrize("name", ["pending_too_long", "pending_not_decreasing"])
def test_a_healthy_run_is_left_alone(name):
    """`progressive` on the same record: no probe fires at any second."""
    run = wc.run("incident", "progressive")
    for second in range(0, 100, 5):
        ticks = second * 1_000_000
        query = probes(DEFAULT, "sqlite", now=f"'{moment(ticks)}'")[name]
        assert database_at(run, ticks).execute(query).fetchall() == []


def test_the_metric_queries_give_what_the_rules_need(stalling):
    """Each query runs, and its columns are the labels that the rules select by."""
    database = database_at(stalling, 30_000_000)
    labels = {"wave_batches": {"job_id", "wave_number", "kind", "status"}}
    for name, query in metric_queries().items():
        cursor = database.execute(query)
        assert cursor.fetchall()
        columns = {column[0] for column in cursor.description}
        assert columns == labels.get(name, {"job_id", "wave_number"}) | {"value"}


def test_the_whole_script_runs_on_sqlite(stalling):
    """Comments, probes and metric queries, as one script."""
    database_at(stalling, 0).executescript(sql_script(DEFAULT, "sqlite"))


@pytest.mark.postgres
def test_the_whole_script_runs_on_postgresql(postgres_url):
    """Every probe and metric query is accepted by a real server."""
    import sqlalchemy

    url = sqlalchemy.make_url(postgres_url).set(drivername="postgresql+psycopg")
    engine = sqlalchemy.create_engine(url)
    columns = "job_id text, wave_number int, status text"
    with engine.connect() as connection:
        for table, more in (
            ("waves", "kind text, updated_at timestamptz"),
            ("wave_batches", "created_at timestamptz, dispatched_at timestamptz"),
            ("dispatch_calls", "called_at timestamptz"),
        ):
            connection.exec_driver_sql(f"CREATE TEMP TABLE {table} ({columns}, {more})")
        connection.exec_driver_sql(
            "INSERT INTO waves VALUES ('j', 7, 'processing', 'derived',"
            " now() - interval '400 s')"
        )
        connection.exec_driver_sql(
            "INSERT INTO wave_batches VALUES ('j', 7, 'pending',"
            " now() - interval '301 s', NULL)"
        )
        fired = {
            name: connection.exec_driver_sql(query).fetchall()
            for name, query in probes(DEFAULT, "postgresql").items()
        }
        for query in metric_queries().values():
            connection.exec_driver_sql(query).fetchall()
    engine.dispose()
    assert {name: len(rows) for name, rows in fired.items()} == {
        "pending_too_long": 1,
        "pending_not_decreasing": 1,
        "many_dispatch_calls": 0,
    }


# Prometheus -----------------------------------------------------------------------


def rules_of(thresholds):
    """The rules of the one group of a rule file."""
    document = yaml.safe_load(prometheus_rules(thresholds))
    (group,) = document["groups"]
    assert group.keys() == {"name", "rules"}
    return group["rules"]


def test_every_rule_has_its_fields_and_parses():
    """YAML with the fields that Prometheus knows, and PromQL that its grammar takes."""
    rules = rules_of(DEFAULT)
    assert len(rules) == len(ALERTS)
    for rule in rules:
        assert set(rule) - {"for"} == {"alert", "expr", "labels", "annotations"}
        promql_parser.parse(rule["expr"])
        assert "{{ $labels.job_id }}" in rule["annotations"]["summary"]
    with pytest.raises(ValueError, match=r"."):
        promql_parser.parse(rules[0]["expr"] + " and")


def test_the_thresholds_are_in_the_rules():
    """What is set is what fires; parts of a second are kept."""
    rules = rules_of(
        Thresholds.of(
            {
                "pending_limit_seconds": "120",
                "not_decreasing_seconds": 1.5,
                "calls_max": 7,
            }
        )
    )
    assert rules[0]["for"] == "120s"
    assert rules[1]["expr"].count("1s500ms") == 3
    assert rules[2]["expr"].endswith("> 7\n")
    assert "'7'" not in sql_script(Thresholds.of({"calls_max": 7}), "sqlite")
    assert "COUNT(*) > 7" in sql_script(Thresholds.of({"calls_max": 7}), "sqlite")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"parents": 3}, "unknown threshold 'parents'"),
        ({"pending_limit_second": 3}, "did you mean 'pending_limit_seconds'"),
        ({"pending_limit_seconds": 0}, "greater than 0"),
        ({"calls_max": "1; DROP TABLE jobs"}, "calls_max"),
    ],
)
def test_a_bad_threshold_is_refused(given, expected):
    """Unknown names, values out of bounds, and text that is no number."""
    with pytest.raises(InvalidScenario, match=expected):
        Thresholds.of(given)


# The command ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "start"),
    [("prometheus", "# Made"), ("postgresql", "-- Made"), ("sqlite", "-- Made")],
)
def test_the_command_prints_or_writes(tmp_path, monkeypatch, capsys, form, start):
    """The same text on the output and in a file."""
    from wavecheck.reports.cli import run_command

    monkeypatch.chdir(tmp_path)
    options = ["alerts", "--format", form, "--set", "calls_max=3"]
    assert run_command(options) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(start)
    assert run_command([*options, "-o", "file"]) == 0
    assert (tmp_path / "file").read_text() == printed
    assert run_command(["alerts", "--set", "calls=3"]) == 2
    assert "did you mean 'calls_max'" in capsys.readouterr().err

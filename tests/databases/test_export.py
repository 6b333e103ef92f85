"""A schedule as SQL: what is written down does the same on a real server."""

import re

import psycopg
import pytest

from wavecheck import find_scenario
from wavecheck.reports.export.sql_steps import sql_script
from wavecheck.scenarios.evidence import Evidence

STEP = re.compile(r"step (s\d+)_(\d+)\n\{\n(.*?)\n\}\n", re.DOTALL)


def test_the_specification_names_each_step_once(command, doubled_file, doubled):
    """Setup, teardown, a session for each task, and one permutation of all steps."""
    form = ("--format", "isolation-spec")
    status, out, _ = command("export", doubled_file, *form)
    assert status == 0
    order = re.search(r"^permutation (.*)$", out, re.MULTILINE).group(1).split()
    steps = [f"{session}_{number}" for session, number, _ in STEP.findall(out)]
    assert sorted(steps) == sorted(order)
    assert len(order) == len(doubled.steps)
    assert out.count("\nsession ") == len({step.task for step in doubled.steps})
    assert "\nsetup\n{\n" in out
    assert "DROP TABLE" in out


@pytest.mark.postgres
def test_the_specification_doubles_the_dispatch(command, doubled_file, postgres_url):
    """Its steps in its order, each session a connection: one message is there twice."""
    _, out, _ = command("export", doubled_file, "--format", "isolation-spec")
    parts = r"^(?:setup|teardown)\n\{\n(.*?)\n\}$"
    setup, teardown = re.findall(parts, out, re.MULTILINE | re.DOTALL)
    steps = {f"{name}_{number}": (name, sql) for name, number, sql in STEP.findall(out)}
    order = re.search(r"^permutation (.*)$", out, re.MULTILINE).group(1).split()
    connections = {}
    with psycopg.connect(postgres_url, autocommit=True) as control:
        control.execute(setup)
        try:
            for one in order:
                session, sql = steps[one]
                if session not in connections:
                    connections[session] = psycopg.connect(
                        postgres_url, autocommit=True
                    )
                connections[session].execute(sql)
            doubled = control.execute(
                "SELECT count(*) FROM dispatch_queue GROUP BY batch_id ORDER BY 1 DESC"
            ).fetchone()
        finally:
            for connection in connections.values():
                connection.close()
            control.execute(teardown)
    assert doubled == (2,)


def test_plain_sql_is_numbered_by_session(doubled, command, doubled_file):
    """Each statement has its number, its session and the model's answer."""
    _, out, _ = command("export", doubled_file, "--format", "sql")
    script = sql_script(Evidence.of(doubled))
    heads = re.findall(r"^-- (\d+)\. in session (\S+); answers ", out, re.MULTILINE)
    assert heads == [(str(one.number), one.session) for one in script.steps]


def test_a_schedule_with_faults_is_refused(command, doubled, tmp_path):
    """No SQL makes a process die, and it is said what to export instead."""
    from wavecheck.scenarios.questions import check
    from wavecheck.scenarios.schedule_files import schedule_text

    sample = check(
        find_scenario("import-job"),
        "claiming",
        executions=2,
        shrinks=False,
        faults={"crash": 1},
    ).searched.samples[0]
    path = tmp_path / "faults.json"
    path.write_text(schedule_text(sample))
    status, _, err = command("export", path, "--format", "sql")
    assert (status, "next: export one that was found without --faults" in err) == (
        2,
        True,
    )

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


HOSTILE = (
    '\'; DROP TABLE jobs; --}\n}\n# }\nstep x { \x1b[2J\x9b \u202e \\ \\+000041 "q" {}'
    " \u2028 <script>alert(1)</script> =1+1 ../../x"
)
NAMES = f"""\
import wavecheck as wc

TEXT = {HOSTILE!r}


async def send(w, name):
    if not (await w.jobs.find(TEXT)).sent:
        await w.jobs.update(TEXT, sent=True, name=name)
        await w.mail(TEXT)


@wc.world(code={{"send": send}})
def hostile(w):
    w.jobs = w.table("jobs", {{"id": str, "sent": False, "name": ""}}, rows=[TEXT])
    w.mail = w.calls("mail")
    for n in range(2):
        w.task(f"{{TEXT}}{{n}}", w.code, w, f"{{TEXT}}{{n}}")
    w.once("one_mail", w.mail)
"""


@pytest.fixture
def hostile_file(command, tmp_path, monkeypatch):
    """A schedule of a world whose rows, tasks and values have hostile names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hostile.py").write_text(NAMES, encoding="utf-8")
    status, out, errors = command("check", "hostile.py", "--save", "s", "--first")
    assert status == 1, out + errors
    return min((tmp_path / "s").iterdir())


@pytest.mark.postgres
@pytest.mark.parametrize("form", ["isolation-spec", "sql"])
def test_hostile_names_change_no_statement(command, hostile_file, postgres_url, form):
    """No escape is sent, no brace ends a step, and the rows hold exactly the texts."""
    status, out, errors = command("export", hostile_file, "--format", form)
    assert status == 0, errors
    assert out.replace("\n", "").isprintable()
    if form == "sql":
        sent = [out[: out.index("-- when done")]]
        teardown = out[out.index("-- when done") :]
    else:
        code = re.sub("^#.*\n", "", out, flags=re.MULTILINE)
        assert code.count("}") == code.count("\n}\n")
        parts = r"^(?:setup|teardown)\n\{\n(.*?)\n\}$"
        setup, teardown = re.findall(parts, out, re.MULTILINE | re.DOTALL)
        sent = [setup, *(sql for _, _, sql in STEP.findall(out))]
    with psycopg.connect(postgres_url, autocommit=True) as control:
        try:
            for one in sent:
                control.execute(one)
            rows = control.execute("SELECT id, sent, name FROM jobs").fetchall()
        finally:
            control.execute(teardown)
    assert [(key, is_sent) for key, is_sent, _ in rows] == [(HOSTILE, True)]
    assert rows[0][2] in (f"{HOSTILE}0", f"{HOSTILE}1")

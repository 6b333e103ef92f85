"""A world of one's own, from one file, in every command."""

import json
from pathlib import Path

import pytest

import wavecheck as wc
from wavecheck.reports.cli import run_command
from wavecheck.sim.errors import CoordinatorError, InvalidScenario
from wavecheck.sim.verdict import Outcome

ROOT = Path(__file__).parents[4]
ORDERS = "examples/worlds/orders.py:orders"

SMALL = """
import wavecheck as wc

async def take(w):
    for job in await w.jobs.select(status="open"):
        if await w.jobs.update(job.id, status="taken"):
            await w.work(job.id)

async def careful(w):
    for job in await w.jobs.select(status="open"):
        if await w.jobs.update({"id": job.id, "status": "open"}, status="taken"):
            await w.work(job.id)

@wc.world(sizes={"jobs": 2, "workers": 2}, code={"plain": take, "guarded": careful})
def jobs(w):
    "Two workers take jobs."
    w.jobs = w.table("jobs", {"id": int, "status": "open"}, rows=range(w.settings.jobs))
    w.work = w.calls("work")
    for n in range(w.workers):
        w.task(f"worker-{n}", w.code, w)
    w.once("a job is done once", w.work)
    w.at_the_end("a job is left", lambda: w.jobs.now.select(status="open"))
"""


@pytest.fixture(autouse=True)
def _in_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A small world in a file of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.py").write_text(SMALL)
    return "shop.py:jobs"


def outcomes(result):
    return {one.property_name: one.outcome for one in result.verdicts}


def test_orders_say_what_they_said_by_hand():
    """As it is: labels, mails and an order; guarded: 1,895 states and nothing."""
    assert len(Path("examples/worlds/orders.py").read_text().splitlines()) <= 70
    found = outcomes(wc.prove(ORDERS, "as-it-is"))
    wrong = {name for name, one in found.items() if one is Outcome.VIOLATED}
    assert wrong == {"one_label_each", "one_mail_each", "order_is_fulfilled"}
    proof = wc.prove(ORDERS, "guarded")
    assert set(outcomes(proof).values()) == {Outcome.PROVED}
    assert proof.explored.exploration.states == 1895


def test_search_and_proof_agree_on_a_file(small):
    """The plain code does a job twice, the guarded one never."""
    assert outcomes(wc.check(small, "plain", executions=300)) == {
        "a job is done once": Outcome.VIOLATED,
        "a job is left": Outcome.NOT_FOUND,
    }
    assert set(outcomes(wc.prove(small, "guarded")).values()) == {Outcome.PROVED}


COMMANDS = [
    ["check", "WORLD", "--executions", "200", "--save", "found", "--html", "c.html"],
    ["check", "WORLD", "--executions", "200", "--junit", "j.xml", "--sarif", "s.json"],
    ["check", "WORLD", "--executions", "200", "--summary", "s.md", "--json", "c.json"],
    ["check", "WORLD", "--strategy", "exhaustive", "--html", "p.html"],
    ["check", "WORLD", "--executions", "600", "--jobs", "2"],
    ["check", "WORLD", "--strategy", "hypothesis", "--executions", "60"],
    ["check", "shop.py", "--executions", "50"],
    ["sweep", "WORLD", "-c", "guarded", "--budget", "1s", "--html", "w.html"],
    ["campaign", "WORLD", "--seeds", "5", "--store", "runs.db", "--jobs", "2"],
    ["results", "runs.db"],
    ["replay", "found/jobs-plain-a_job_is_done_once.json"],
    ["explain", "found/jobs-plain-a_job_is_done_once.json", "--html", "e.html"],
    ["explain", "found/jobs-plain-a_job_is_done_once.json", "--test", "test_it.py"],
    ["list", "shop.py"],
    ["run", "WORLD", "-c", "plain", "-c", "guarded", "--html", "r.html"],
    ["compare", "WORLD", "--until", "1h", "--json", "-"],
    *(["export", "WORLD", "--format", form] for form in ("vidigi", "csv", "perfetto")),
    *(
        ["export", "found/jobs-plain-a_job_is_done_once.json", "--format", form]
        for form in ("perfetto", "shiviz", "mermaid", "graphml", "csv")
    ),
    ["export", "WORLD", "--format", "graphml"],
]


def test_every_command_takes_a_world_from_a_file(small, capsys):
    """Search, proof, replay, pages, exports, campaigns, in this process and others."""
    for command in COMMANDS:
        words = [small if word == "WORLD" else word for word in command]
        status = run_command(words)
        shown = capsys.readouterr()
        assert status in (0, 1), f"{words}: {status}\n{shown.out}{shown.err}"


def test_an_object_is_a_world_as_well(small):
    """From Python the declared world goes where its name goes."""
    from wavecheck.scenarios.loading import load_world

    found = wc.check(load_world(small), executions=200)
    schedule = found.schedules["a job is done once"]
    assert schedule.scenario == small
    assert wc.explain(schedule).violation.message == "0: 2 times"
    assert json.loads(wc.schedule_text(schedule))["scenario"] == small


TX = """
import wavecheck as wc
def pay(tables, w, amount):
    tables.accounts.update(1, money=tables.accounts.find(1).money - w.most * amount)
async def buy(w):
    async with w.db.transaction() as tx:
        await tx.do(pay, w, 1)
@wc.world(sizes={"most": 1})
def shop(w):
    w.accounts = w.table("accounts", {"id": int, "money": 5}, rows=[1])
    w.db = w.transactions(w.accounts)
    w.task("a", buy, w)
    w.task("b", buy, w)
    w.at_the_end("lost", lambda: w.accounts.now.find(1).money != 3)
"""


def test_a_statement_in_a_transaction_may_be_given_the_world(tmp_path, monkeypatch):
    """`tx.do(function, w)` is searched, proved and written down as any other."""
    monkeypatch.chdir(tmp_path)
    Path("shop.py").write_text(TX)
    assert set(outcomes(wc.check("shop.py", executions=50)).values()) == {
        Outcome.NOT_FOUND
    }
    assert set(outcomes(wc.prove("shop.py")).values()) == {Outcome.PROVED}


BEGIN = "import wavecheck as wc\n@wc.world\ndef one(w):\n"
BAD = {
    "import wavecheck as wc\n": "has no world",
    SMALL + SMALL.replace("def jobs(", "def other("): "it has: jobs, other",
    f"{BEGIN}    1 / 0\n": "bad.py:4: 1 / 0",
    f"{BEGIN}    w.flag('f')\n": "has no task",
    f"{BEGIN}    w.task('t', 3)\n": "bad.py:4",
    BEGIN.replace("world", "world(sizes={'n': 0})") + "    pass\n": "bad.py:2",
    f"{BEGIN}    w.flags\n": "bad.py:4",
    f"{BEGIN}    w.never('x', 'SELECT')\n": "bad.py:4",
    f"{BEGIN}    @w.statement\n    async def pay(): ...\n": "bad.py:4",
    f"{BEGIN}    w.postgresql('CREATE TABLE t (n int)')\n"
    "    w.never('x', 'SELECT n FROM tt')\n": "bad.py:5",
    TX.replace("def pay", "async def pay"): "bad.py:7 in buy",
    TX.replace("do(pay, w, 1)", "accounts.insert_or_ignore(1)"): "bad.py:7 in buy",
    TX.replace("w, 1", "THING, 1") + "THING = object()\n": "of builtins.object",
}


@pytest.mark.parametrize("text", BAD)
def test_what_is_wrong_is_said_with_file_and_line(text, tmp_path, monkeypatch, capsys):
    """One sentence, exit 2, nothing written."""
    monkeypatch.chdir(tmp_path)
    Path("bad.py").write_text(text)
    assert run_command(["check", "bad.py", "--json", "out.json"]) == 2
    assert BAD[text] in capsys.readouterr().err
    assert not Path("out.json").exists()


def test_a_size_below_its_least_value_is_refused(small):
    """It names the parameter."""
    with pytest.raises(InvalidScenario, match="'workers'"):
        wc.check(small, settings={"workers": 0})


def test_looking_at_a_part_outside_of_a_step_is_refused(tmp_path, monkeypatch):
    """Code under test reads by statements; `now` is for properties."""
    monkeypatch.chdir(tmp_path)
    text = SMALL.replace("await w.jobs.select(", "w.jobs.now.select(", 1)
    Path("shop.py").write_text(text)
    with pytest.raises(CoordinatorError, match=r"shop.py:5"):
        wc.check("shop.py:jobs", "plain", executions=5)


def test_parameters_are_of_any_type_and_never_shrunk(tmp_path, monkeypatch):
    """Truth values, texts, numbers, durations; the counterexample keeps them."""
    monkeypatch.chdir(tmp_path)
    options = (
        "parameters={'eager': True, 'label': 'a', 'pause': timedelta(seconds=5),"
        " 'limit': 3}, sizes="
    )
    text = "from datetime import timedelta\n" + SMALL.replace("sizes=", options)
    Path("shop.py").write_text(text)
    settings = {"label": "b", "pause": "7", "eager": "false", "limit": 9}
    found = wc.check("shop.py:jobs", "plain", executions=200, settings=settings)
    schedule = found.schedules["a job is done once"]
    assert schedule.settings == {
        "jobs": 1,
        "workers": 2,
        "eager": False,
        "label": "b",
        "pause": 7.0,
        "limit": 9,
    }
    assert wc.replay(schedule).violations


def test_a_budget_that_ends_while_the_graph_is_asked_proves_nothing(monkeypatch, small):
    """Every state was visited, and whether a loop violates something is not known."""
    from wavecheck.scenarios.verdicts import proving
    from wavecheck.sim.errors import OutOfTime

    def end(*details):
        raise OutOfTime

    monkeypatch.setattr(proving, "graph_of", end)
    result = wc.prove(small, "guarded", seconds=60)
    assert set(outcomes(result).values()) == {Outcome.NOT_FOUND}


def test_an_installed_package_registers_a_world(small, tmp_path, monkeypatch):
    """By an entry point; what it finds is replayed by the same name."""
    folder = tmp_path / "installed"
    about = folder / "shop_worlds-1.dist-info"
    about.mkdir(parents=True)
    (folder / "shop_worlds.py").write_text(SMALL)
    (about / "METADATA").write_text("Name: shop-worlds\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        "[wavecheck.worlds]\nshop/jobs = shop_worlds:jobs\n"
    )
    monkeypatch.syspath_prepend(folder)
    found = wc.check("shop/jobs", "plain", executions=100)
    schedule = found.schedules["a job is done once"]
    assert schedule.scenario == "shop/jobs"
    assert wc.replay(schedule).violations


def test_tasks_that_differ_are_not_believed_to_be_alike(tmp_path, monkeypatch):
    """They are explored in every order, and the result says why; alike ones are not."""
    monkeypatch.chdir(tmp_path)
    alike = SMALL.replace(
        "    w.once(", '    w.alike("worker-0", "worker-1")\n    w.once(', 1
    )
    Path("alike.py").write_text(alike)
    merged = wc.prove("alike.py", "guarded").explored.exploration
    assert merged.merged == (("worker-0", "worker-1"),)
    Path("differ.py").write_text(
        alike.replace("w.code, w)", "w.code, w, n)").replace(
            "(w):\n    for job",
            "(w, n):\n    if n == 1:\n        await w.work('one')\n    for job",
        )
    )
    differ = wc.prove("differ.py", "guarded").explored.exploration
    assert differ.merged == ()
    assert differ.not_merged

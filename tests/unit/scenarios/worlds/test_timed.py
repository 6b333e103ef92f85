"""Timed runs of worlds of parts, and SimPy processes around the code under test."""

import csv
import io
import json
from pathlib import Path

import pytest

import wavecheck as wc
from wavecheck.reports.cli import run_command
from wavecheck.sim.errors import StepLimitReached
from wavecheck.sim.exhaustive.refusal import CannotLearn
from wavecheck.sim.verdict import Outcome

CLINIC = """
import random
import simpy
import wavecheck as wc

async def book(w, who):
    free = await w.slots.select(patient="")
    if free:
        await w.slots.update(free[0].number, patient=who)
        await w.letter(who)

async def guarded(w, who):
    for slot in await w.slots.select(patient=""):
        free = {"number": slot.number, "patient": ""}
        if await w.slots.update(free, patient=who):
            await w.letter(who)
            return

@wc.world(sizes={"clerks": 2, "patients": 2}, code={"now": book, "guarded": guarded})
def clinic(w):
    "Patients come, wait for the desk, and are given a slot."
    columns = {"number": int, "patient": ""}
    w.slots = w.table("slots", columns, rows=range(w.patients))
    w.letter = w.calls("letter")
    w.called = w.queue("called")
    w.latency(0.02)
    w.latency(lambda: random.uniform(1, 2), of=w.letter)
    desk = w.resource("desk", simpy.Resource, 1)

    def patient(name):
        with desk.request() as turn:
            yield turn
            yield w.env.timeout(random.expovariate(1 / 2))
            yield w.called.put(name)

    def arrivals():
        for n in range(w.patients):
            yield w.env.timeout(3)
            w.env.process(patient(f"p{n}"))

    async def clerk():
        while True:
            await w.code(w, await w.called.take())

    w.process("arrivals", arrivals)
    for n in range(w.clerks):
        w.task(f"clerk-{n}", clerk, is_daemon=True)

    def letter_without_slot():
        with_slot = {slot.patient for slot in w.slots.now}
        return [who for who, _ in w.letter.now.items() if who not in with_slot]

    w.never("a letter and no slot", letter_without_slot)
    w.at_the_end("forgotten", lambda: len(w.letter.now.items()) < w.patients)
"""

ONE = """
import simpy
import wavecheck as wc

@wc.world
def one(w):
    w.log = w.calls("log")
    TEXT
    w.never("nothing", lambda: False)
"""


@pytest.fixture
def clinic(tmp_path, monkeypatch):
    """A clinic in a file of its own."""
    monkeypatch.chdir(tmp_path)
    Path("clinic.py").write_text(CLINIC)
    return "clinic.py"


def world_of(text):
    """Write a world with a body of its own into the current folder."""
    Path("one.py").write_text(ONE.replace("TEXT", text.replace("\n", "\n    ")))
    return "one.py"


def test_a_run_says_where_the_time_went(clinic):
    """Waits, latencies and the makespan follow from what the world declares."""
    run = wc.run(clinic, "guarded", seed=1)
    times = {one.name: one for one in run.statements}
    assert times["slots.select"].took == times["slots.select"].times * 20_000
    assert 2_000_000 <= times["letter.call"].took <= 4_000_000
    assert times["called.take"].waited >= 2 * 3_000_000
    assert [one.name for one in run.unfinished()] == ["clerk-0", "clerk-1"]
    assert {one.process for one in run.uses} == {"patient-0", "patient-1"}
    assert run.makespan > 6_000_000
    assert not run.has_violation()


def test_a_seed_gives_one_run_and_another_seed_another(clinic):
    """What is drawn depends on the seed only."""
    first, again, other = (wc.run(clinic, seed=one) for one in (1, 1, 2))
    assert first == again
    assert first.makespan != other.makespan


def test_until_ends_a_run_and_judges_no_end(clinic):
    """What must hold at the end is not judged in the middle."""
    run = wc.run(clinic, until=4.0)
    assert run.ended_by == "--until 4s"
    assert run.verdict("forgotten").outcome is Outcome.NOT_FOUND
    assert max(one.time for one in run.uses) <= 4_000_000


def test_a_search_lets_timeouts_end_at_any_moment(clinic):
    """It finds the two clerks; the counterexample replays; the fix has none."""
    found = wc.check(clinic, "now", executions=300)
    schedule = found.schedules["a letter and no slot"]
    assert [one.operation for one in schedule.steps].count("timeout") == 4
    assert wc.replay(schedule).violations
    assert not wc.check(clinic, "guarded", executions=300).has_violation()


def test_a_proof_refuses_processes_by_name(clinic):
    """SimPy keeps state where no proof sees it."""
    with pytest.raises(CannotLearn, match="process arrivals is SimPy's"):
        wc.prove(clinic, "guarded")


RACE = """
stock = w.resource("stock", simpy.Store)
tank = w.resource("tank", simpy.Container, 10, 0)

def producer():
    yield w.env.timeout(1)
    yield stock.put("part")
    yield tank.put(3)

def consumer():
    part = yield stock.get()
    yield tank.get(2)
    yield w.log(part, tank.level)

def machine():
    try:
        yield w.env.timeout(100)
    except simpy.Interrupt as stop:
        yield w.log(stop.cause)

def boss():
    broken = w.env.process(machine())
    first = w.env.timeout(2, "short")
    won = yield first | w.env.timeout(50)
    yield w.log(list(won.values())[0])
    broken.interrupt("enough")

for task in (producer, consumer, boss):
    w.process(task.__name__, task)
w.at_the_end("log", lambda: sorted(map(str, w.log.now.items())))
"""


def test_stores_containers_conditions_and_interrupts_work(tmp_path, monkeypatch):
    """In a timed run they do what they do in SimPy; in a search, in any order."""
    monkeypatch.chdir(tmp_path)
    world = world_of(RACE)
    run = wc.run(world)
    logged = {str(key) for key, _ in run.state["log"]}
    assert logged == {"['part', 1]", "short", "enough"}
    found = wc.check(world, executions=300)
    assert "cannot be interrupted" in found.schedules["no_error"].message


def test_resources_are_new_in_each_execution(tmp_path, monkeypatch):
    """A request that one execution leaves open takes nothing from the next."""
    monkeypatch.chdir(tmp_path)
    world = world_of(
        'desk = w.resource("desk", simpy.Resource, 1)\n'
        "def keeper():\n"
        "    yield desk.request()\n"
        "    yield w.log(desk.count)\n"
        'w.process("keeper", keeper)\n'
        'w.at_the_end("served", lambda: not w.log.now.get(1))'
    )
    assert not wc.check(world, executions=100).has_violation()


def test_an_error_in_a_process_is_a_finding_with_its_line(tmp_path, monkeypatch):
    """no_error names the user's file and line."""
    monkeypatch.chdir(tmp_path)
    text = "def bad():\n    yield w.env.timeout(1)\n    1 / 0\nw.process('bad', bad)"
    found = wc.check(world_of(text), executions=20)
    assert "one.py:10" in found.schedules["no_error"].message
    assert "bad raised ZeroDivisionError" in found.schedules["no_error"].message


def test_what_is_no_event_is_refused_by_its_line(tmp_path, monkeypatch):
    """A process may yield events and statements."""
    monkeypatch.chdir(tmp_path)
    text = "def bad():\n    yield 3\nw.process('bad', bad)"
    with pytest.raises(wc.CoordinatorError, match=r"yields 3\n  at  one.py:9"):
        wc.check(world_of(text), executions=20)


def test_a_process_that_never_ends_is_named(tmp_path, monkeypatch):
    """`--until` ends a run; without it the step limit does, and says so."""
    monkeypatch.chdir(tmp_path)
    text = (
        "def source():\n    while True:\n        yield w.env.timeout(1)\n"
        "w.process('source', source)"
    )
    world = world_of(text)
    with pytest.raises(StepLimitReached, match=r"by source\n.*\n.*--until"):
        wc.run(world, steps_max=1000)
    assert wc.run(world, until=10.5).ended_by == "--until 10.5s"


def test_run_compare_and_export_show_worlds(clinic, capsys):
    """Tables, data, pages, CSV and vidigi's event log, of one code and of two."""

    def output(*words, status=0):
        assert run_command(list(words)) == status
        return capsys.readouterr().out

    assert "letter.call" in output("run", clinic, "--seed", "3")
    two = json.loads(output("run", clinic, "-c", "now", "-c", "guarded", "--json", "-"))
    assert [one["run"]["coordinator"] for one in two["runs"]] == ["now", "guarded"]
    assert "makespan" in output("compare", clinic, "--html", "c.html")
    assert "letter.call" in Path("c.html").read_text()
    rows = list(
        csv.DictReader(io.StringIO(output("export", clinic, "--format", "csv")))
    )
    assert rows[0]["statement"] == "called.put"
    events = list(
        csv.DictReader(io.StringIO(output("export", clinic, "--format", "vidigi")))
    )
    assert list(events[0]) == [
        *("entity_id", "pathway", "event_type", "event", "time", "resource_id")
    ]
    kinds = [one["event_type"] for one in events if one["entity_id"] == "patient-0"]
    assert kinds == [
        *("arrival_departure", "queue", "resource_use", "resource_use"),
        *("resource_use_end", "resource_use_end", "arrival_departure"),
    ]
    assert json.loads(output("export", clinic, "--format", "perfetto"))["traceEvents"]


def test_a_run_with_several_codes_writes_no_trace(clinic, capsys):
    """A trace is of one run."""
    words = ["run", clinic, "-c", "now", "-c", "guarded", "--trace", "t.jsonl"]
    assert run_command(words) == 2
    assert "one command for each -c" in capsys.readouterr().err
    assert not Path("t.jsonl").exists()


@pytest.mark.parametrize("seconds", ["-1", "[]", "'a'", "True", "1, spread=2"])
def test_a_latency_that_is_none_is_refused_by_its_line(seconds, tmp_path, monkeypatch):
    """It says what is expected, with file and line."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(wc.InvalidScenario, match=r"one.py:8"):
        wc.run(world_of(f"w.latency({seconds})"))


def test_every_kind_of_world_has_a_timed_run():
    """An exhibit, the reference model and a world of SQL."""
    for name in ("zoo/rq-739", "wd", "own-sql"):
        assert wc.run(name).statements_count > 0

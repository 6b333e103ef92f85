"""Time as an assumption: what may run out before what, and when a task acts."""

import pytest

import wavecheck as wc
from wavecheck.sim.verdict import Outcome

RACE = """
import wavecheck as wc

@wc.world(parameters={"short": 10, "long": 20})
def race(w):
    w.long = w.timeout("long", seconds=w.settings.long)
    w.short = w.timeout("short", seconds=w.settings.short)
    w.ended = w.calls("ended")

    async def start():
        FIRST
        SECOND

    async def look(one):
        await one.wait()
        await w.ended(one.name)

    w.task("start", start)
    w.task("long", look, w.long)
    w.task("short", look, w.short)
    w.never("long is over, short is not",
        lambda: w.long.now.get() == 2 and w.short.now.get() == 1)
"""

LEASE = """
import wavecheck as wc

@wc.world(parameters={"within": 5, "seconds": 10, "naps": False})
def lease(w):
    w.lease = w.lock("lease", seconds=w.seconds)
    w.inside = w.counter("inside")

    async def work(who):
        await w.lease.acquire(who)
        if w.naps:
            await w.sleep(1)
        await w.inside.add()
        await w.inside.add(None, -1)
        await w.lease.release(who)

    for n in range(2):
        w.task(f"worker-{n}", work, n, restarts=True)
    if w.within:
        w.acts_within(w.within, "worker-0", "worker-1")
    w.never("two inside", lambda: w.inside.now.get() > 1)
    w.at_the_end("held for ever", lambda: w.lease.now.holder() is not None)
"""


@pytest.fixture
def proved(tmp_path, monkeypatch):
    """Prove a world; return the names of what is violated."""
    monkeypatch.chdir(tmp_path)

    def prove(text, **settings):
        (tmp_path / "model.py").write_text(text)
        faults = settings.pop("faults", {})
        result = wc.prove("model.py", settings=settings, faults=faults)
        found = wc.check("model.py", settings=settings, faults=faults, executions=300)
        wrong = {one.property_name for one in result.verdicts if one.violation}
        assert set(found.schedules) <= wrong
        assert all(one.outcome is not Outcome.NOT_FOUND for one in result.verdicts)
        return wrong

    return prove


@pytest.mark.parametrize(
    ("first", "second", "settings", "is_wrong"),
    [
        ("short", "long", {}, False),  # the shorter one began earlier
        ("long", "short", {}, True),  # nobody knows how much later it began
        ("short", "long", {"long": 10}, True),  # of one length, at one moment
        ("short", "long", {"long": 5}, True),
    ],
)
def test_a_longer_timeout_does_not_end_before_an_earlier_shorter_one(
    proved, first, second, settings, is_wrong
):
    """Every other order is possible, and found."""
    text = RACE.replace("FIRST", f"await w.{first}.start()")
    text = text.replace("SECOND", f"await w.{second}.start()")
    assert bool(proved(text, **settings)) is is_wrong


def test_a_lease_outlasts_a_task_that_acts_within_less(proved):
    """It does not outlast a slower one, one that sleeps, or one that may be slow."""
    assert proved(LEASE) == set()
    assert proved(LEASE, within=0) == {"two inside"}
    assert proved(LEASE, within=10) == {"two inside"}
    assert proved(LEASE, within=11) == {"two inside"}
    assert proved(LEASE, naps=True) == {"two inside"}


def test_a_task_that_has_died_lets_time_pass(proved):
    """Its lease runs out, and another task gets it; what it left behind stays."""
    assert proved(LEASE, faults={"crash": 1}) == {"two inside"}


def test_in_a_timed_run_timeouts_take_their_seconds(tmp_path, monkeypatch):
    """The shorter one ends first; a lease that is given back ends nothing."""
    monkeypatch.chdir(tmp_path)
    text = RACE.replace("FIRST", "await w.long.start()")
    (tmp_path / "model.py").write_text(text.replace("SECOND", "await w.short.start()"))
    run = wc.run("model.py")
    assert not run.has_violation()
    assert 20_000_000 <= run.makespan < 20_100_000
    (tmp_path / "model.py").write_text(LEASE)
    assert wc.run("model.py").makespan < 100_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("w.lock('lock', seconds=-1)", "more than 0 seconds"),
        ("w.acts_within(5, 'nobody')", "'nobody', which is no task"),
        (
            "w.db = w.transactions(w.table('t', {'id': int}));"
            " w.acts_within(5, 'worker')",
            "wait for rows",
        ),
    ],
)
def test_what_cannot_be_assumed_is_refused(tmp_path, monkeypatch, text, said):
    """By name, with what is expected."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(
        "import wavecheck as wc\n@wc.world\ndef one(w):\n"
        f"    {text}\n    w.task('worker', print)\n"
    )
    with pytest.raises(wc.InvalidScenario, match=said):
        wc.prove("model.py")

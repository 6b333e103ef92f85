import pytest

from wavecheck.sim.kernel import Kernel
from wavecheck.sim.property import Judge, Moment, Property, Violation


def too_many(world, key, before, after):
    return f"{key} is {after}" if after > 2 else None


ALWAYS = Property(
    name="few",
    meaning="the counter stays below three",
    moment=Moment.ALWAYS,
    on_change={"counter": too_many},
)
AT_END = Property(
    name="drained",
    meaning="the queue is empty in the end",
    moment=Moment.AT_QUIESCENCE,
    at_end=lambda world: f"{len(world.queue)} left" if len(world.queue) else None,
)
TIMED = Property(
    name="quick",
    meaning="it ends before tick 5",
    moment=Moment.TIMED,
    at_end=lambda world: "late" if world.kernel.now >= 5 else None,
)


@pytest.fixture
def judged(toy_type):
    """Run `count` additions under a judge; return (judge, toy)."""

    def run(count, *, is_timed=False, stops_at=""):
        kernel = Kernel(timed=is_timed, latency=lambda operation: 10)
        toy = toy_type(kernel)
        judge = Judge(kernel, toy, (ALWAYS, AT_END, TIMED), stops_at=stops_at)

        async def adding():
            for _ in range(count):
                await toy.add("k")
            await toy.put("x")

        kernel.spawn(adding(), "adding")
        kernel.run_to_quiescence()
        judge.judge_end()
        return judge, toy

    return run


def test_the_first_violation_of_a_property_is_kept(judged):
    """Step, time and message are those of the first change that was wrong."""
    judge, _ = judged(5, is_timed=True)
    assert judge.violations["few"] == Violation(
        property_name="few", step=3, time=30, message="k is 3"
    )


def test_what_holds_is_not_violated(judged):
    """No violation of a property whose check found nothing."""
    judge, _ = judged(2)
    assert "few" not in judge.violations


def test_the_end_is_judged_after_the_last_step(judged):
    """A property at quiescence is judged once, on the final state."""
    judge, _ = judged(1)
    assert judge.violations["drained"] == Violation(
        property_name="drained", step=2, time=0, message="1 left"
    )


def test_a_timed_property_is_judged_in_timed_runs_only(judged):
    """Without time there is nothing to be late for."""
    assert "quick" in judged(1, is_timed=True)[0].violations
    assert "quick" not in judged(1, is_timed=False)[0].violations


def test_the_judge_can_stop_at_a_violation(judged):
    """The run ends with the step that broke the property of this name, and no other."""
    assert judged(9, stops_at="few")[1].counter.get("k") == 3
    assert judged(9, stops_at="drained")[1].counter.get("k") == 9
    assert judged(9)[1].counter.get("k") == 9


def test_a_closed_judge_watches_no_more(judged):
    """After `close` a change is not judged, and other watchers stay."""
    judge, toy = judged(1)
    seen = []
    toy.counter.watchers.append(lambda *change: seen.append(change))
    judge.close()

    async def adding():
        await toy.add("k", 9)

    toy.kernel.spawn(adding(), "later")
    toy.kernel.run_to_quiescence()
    assert "few" not in judge.violations
    assert seen == [("k", 1, 10)]


def test_a_property_is_at_risk_unless_it_says_otherwise():
    """By default a property counts as tested."""
    assert ALWAYS.is_at_risk(None)

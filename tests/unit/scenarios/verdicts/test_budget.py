"""All work of a search ends by its deadline, with what was found so far."""

from contextlib import nullcontext

import pytest

from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.evidence import Evidence
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.approaches import answer, search_of
from wavecheck.scenarios.verdicts.checking import search_subject
from wavecheck.sim.deadline import Deadline
from wavecheck.sim.errors import OutOfTime
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.search.schedule import replay
from wavecheck.sim.verdict import Outcome


@pytest.fixture(autouse=True)
def _no_timer(monkeypatch):
    """The clock counts who looks at it, and the timer would look as well."""
    monkeypatch.setattr(Deadline, "enforced", nullcontext)


class Looks:
    """A clock that goes on by one with each look at it."""

    def __init__(self):
        self.count = 0

    def __call__(self):
        self.count += 1
        return float(self.count)


def searched(looks_max, **settings):
    """Search a rule that stalls, with a deadline after so many looks."""
    subject = Subject.of("import-job", "stalling", settings)
    effort = Effort(executions=100_000)
    clock = Looks()
    deadline = Deadline(looks_max, clock)
    result = search_subject(subject, effort, search_of(subject, effort), None, deadline)
    return result, clock.count


@pytest.mark.parametrize("looks_max", [30, 300, 3_000])
def test_the_deadline_ends_every_phase(looks_max):
    """After it nobody looks much more often: what is not finished stays as it is."""
    result, looked = searched(looks_max)
    assert looked < looks_max + 200
    for schedule in result.schedules.values():
        assert replay(result.subject.recorded_in(schedule).world(), schedule)


def test_a_found_violation_survives_the_deadline():
    """It is in the result with a schedule that replays, shrunk or not."""
    result, _ = searched(3_000)
    outcomes = {one.property_name: one.outcome for one in result.verdicts}
    assert outcomes["no_stranded_batch"] is Outcome.VIOLATED
    assert "no_stranded_batch" in result.schedules


def test_an_execution_is_ended_in_its_midst():
    """One that takes far more steps than there is time: no verdict, and no error."""
    result, looked = searched(20, parents="500", workers="50")
    assert result.searched.statistics.executions_count == 0
    assert looked < 300
    assert not result.has_violation()


def test_explaining_ends_with_the_best_bound():
    """With no time left the point of no return is a bound, and the story is told."""
    found = answer(Subject.of("wd", "stalling"), Effort(executions=200))
    schedule = found.schedules["no_stranded_batch"]
    subject = found.subject.recorded_in(schedule)
    late = Evidence(subject, schedule, deadline=Deadline(0.0, lambda: 1.0)).explanation
    full = Evidence(subject, schedule).explanation
    assert late.steps == full.steps
    assert full.no_return.is_exact
    assert late.no_return is None or not late.no_return.is_exact


def test_a_proof_that_is_ended_proves_nothing():
    """Out of time in the middle of learning: NOT FOUND, never PROVED."""
    result = answer(
        Subject.of("import-job", "claiming"),
        Effort(strategy="exhaustive", seconds=1e-6),
    )
    assert {one.outcome for one in result.verdicts} == {Outcome.NOT_FOUND}
    assert "budget" in result.explored.exploration.stopped_by


def test_a_deadline_shares_what_is_left():
    """By the same clock; without an end there is nothing to share."""
    now = [0.0]
    deadline = Deadline(10.0, lambda: now[0])
    now[0] = 4.0
    assert deadline.share(0.5).seconds_left() == 3.0
    assert not deadline.is_over()
    now[0] = 11.0
    assert deadline.is_over()
    assert deadline.seconds_left() == 0.0
    assert not Deadline().share(0.5).is_over()


def test_a_watched_kernel_goes_on_telling_its_progress():
    """Looks at the clock come more often than calls of who is told."""
    told = []
    kernel = Kernel(timed=False)
    kernel.progress = told.append
    with Deadline(1.0, lambda: 0.0).watching(kernel):
        for steps_count in range(64, 60_000, 64):
            kernel.progress(steps_count)
    assert 2 <= len(told) <= 4
    with pytest.raises(OutOfTime), Deadline(0.0, lambda: 1.0).watching(kernel):
        kernel.progress(64)
    assert kernel.progress == told.append

"""`random` and `pct` as arrays: the same verdicts as on the kernel, and honest ones."""

import pytest

from wavecheck import check
from wavecheck.scenarios.verdicts.approaches import ARRAYS_FROM
from wavecheck.scenarios.verdicts.sampling import ON_ARRAYS
from wavecheck.sim.verdict import Outcome

CALLS = []


class Notes:
    """Dispatches, and notes its calls in a global that it never reads."""

    def __init__(self, store):
        self.store = store

    async def dispatch(self):
        """Send what is pending."""
        CALLS.append(1)
        for number in await self.store.pending():
            await self.store.send(number)


@pytest.mark.parametrize("strategy", ["random", "pct", "pct2"])
def test_a_violation_is_found_on_arrays_and_shown_on_the_kernel(strategy):
    """Executions, schedules and final states are those of the reference model."""
    result = check("wd", "progressive", strategy=strategy, executions=20_000)
    assert result.searched.note == ON_ARRAYS
    seen = result.searched.statistics
    assert (seen.executions_count, seen.drawn_count) == (20_000, 20_000)
    assert seen.schedules_count <= 4876
    outcomes = [one.outcome for one in result.verdicts]
    assert outcomes == [Outcome.NOT_FOUND, Outcome.VIOLATED]
    assert len(result.schedules["no_double_dispatch"].steps) == 10
    first = result.searched.first_found["no_double_dispatch"]
    assert 1 <= first.execution <= 20_000


def test_arrays_and_kernel_judge_alike():
    """The share of violating executions is 31/128 on both; here: found by both."""
    fast = check("wd", "progressive", strategy="random", executions=ARRAYS_FROM)
    slow = check("wd", "progressive", strategy="surw", executions=3_000)
    assert [one.outcome for one in fast.verdicts] == [
        one.outcome for one in slow.verdicts
    ]
    assert fast.searched.never_performed == slow.searched.never_performed


def test_the_same_seed_gives_the_same_result():
    """All but the seconds."""
    first, second = (
        check("wd", "stalling", strategy="random", executions=9_000, seed=4)
        for _ in range(2)
    )
    assert first.schedules == second.schedules
    assert first.searched.first_found == second.searched.first_found
    assert (
        first.searched.statistics.schedules_count
        == second.searched.statistics.schedules_count
    )


def test_few_executions_are_run_on_the_kernel():
    """Below the number from which arrays are faster, nothing is learned."""
    assert not check("wd", "stalling", strategy="pct", executions=50).searched.note


def test_what_hides_state_is_searched_on_the_kernel_and_that_is_said():
    """A list in a global: the note names it; nothing counts twice."""
    result = check("wd", Notes, strategy="random", executions=ARRAYS_FROM)
    assert "on the kernel" in result.searched.note
    assert "CALLS" in result.searched.note
    assert result.searched.statistics.executions_count == ARRAYS_FROM

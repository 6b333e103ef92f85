"""What every rule that picks the next step promises the kernel."""

import pytest

from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import statement
from wavecheck.sim.task import FirstInFirstOut

# Strategies are rules too; their own conformance suite adds what a search needs.
RULES = (FirstInFirstOut,)


class Log:
    def __init__(self, kernel):
        self.kernel = kernel
        self.entries = []

    @statement
    def note(self, text):
        """Note a step, and let the rule choose one of three."""
        self.entries.append((text, self.kernel.choose(3)))


@pytest.fixture(params=RULES, ids=lambda rule: rule.__name__)
def rule_type(request):
    """Each rule in turn."""
    return request.param


@pytest.mark.parametrize("is_timed", [True, False])
def test_a_rule_answers_within_its_options(rule_type, is_timed):
    """Every answer is an index of an enabled task, or one of the options."""
    kernel = Kernel(rule=rule_type(), timed=is_timed)
    log = Log(kernel)

    async def task(name):
        for number in range(3):
            await log.note(f"{name}{number}")

    for name in "abcd":
        kernel.spawn(task(name), name)
    kernel.run_to_quiescence()
    assert sorted(text for text, _ in log.entries) == sorted(
        f"{name}{number}" for name in "abcd" for number in range(3)
    )
    assert {choice for _, choice in log.entries} <= {0, 1, 2}


def test_two_fresh_rules_give_the_same_schedule(rule_type):
    """A rule draws from nothing but what it was given."""
    schedules = []
    for _ in range(2):
        kernel = Kernel(rule=rule_type(), timed=False)
        log = Log(kernel)

        async def task(name, log=log):
            for number in range(3):
                await log.note(f"{name}{number}")

        for name in "abc":
            kernel.spawn(task(name), name)
        kernel.run_to_quiescence()
        schedules.append((kernel.choices, log.entries))
    assert schedules[0] == schedules[1]

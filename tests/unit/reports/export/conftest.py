"""A counterexample from the pipeline, and one whose every name is hostile."""

from dataclasses import dataclass

import pytest

import wavecheck as wc
from wavecheck import SCENARIOS, Scenario
from wavecheck.sim.faults import Adversary
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Counter
from wavecheck.sim.property import Moment, Property

SCRIPT = "<script>alert('x')</script>"
NAME = f"{SCRIPT}\"'`|]]>;#end\n\r\t\0\u202e--> {{}} %% @all & \\"
LONG = "x" * 10_000


class Store:
    """A counter under a hostile key."""

    def __init__(self, kernel):
        self.counts = Counter(kernel, f"counts {NAME}")

    @statement
    def look(self, key):
        """Read a count."""
        return f"{NAME} {self.counts.get(key)}"

    @statement
    def add(self, key, reason):
        """Count one more."""
        self.counts.add(key)


class Rule:
    """Looks, and then adds without another look."""

    def __init__(self, store):
        self.store = store

    async def act(self):
        """Add one if there was none."""
        if (await self.store.look(NAME)).endswith(" 0"):
            await self.store.add(NAME, LONG)


@dataclass(frozen=True)
class NoSettings:
    """Nothing can be set."""


class World:
    """Two tasks with hostile names."""

    properties = (
        Property(
            name="at_most_one",
            meaning=f"never two of {NAME}",
            moment=Moment.AT_QUIESCENCE,
            at_end=lambda world: (
                f"two of {NAME}" if world.store.counts.get(NAME) > 1 else None
            ),
        ),
    )

    def __init__(self, kernel, rule, settings):
        self.kernel, self.rule, self.store = kernel, rule, Store(kernel)
        self.under_test = None
        kernel.mark()

    def start(self):
        """Spawn both."""
        self.under_test = self.rule(self.store)
        for number in (1, 2):
            self.kernel.spawn(self.under_test.act(), f"{NAME}{number}")

    def plan_faults(self, plan):
        """Refuse faults."""
        Adversary(self.kernel, {}, plan)

    def heal(self):
        """Nothing to heal."""
        return False


HOSTILE = Scenario(
    name="hostile",
    summary="names that nobody escapes",
    settings_type=NoSettings,
    coordinators={"<b>|`rule": Rule},
    methods=("act",),
    build=World,
    small={},
    sizes={},
    is_timed=False,
)


@pytest.fixture
def hostile(monkeypatch):
    """The result of a search whose every name is hostile."""
    monkeypatch.setitem(SCENARIOS, "hostile", HOSTILE)
    result = wc.check("hostile", "<b>|`rule", executions=50)
    assert result.has_violation()
    return result


@pytest.fixture
def name():
    """The hostile name."""
    return NAME


@pytest.fixture(scope="session")
def found():
    """The result of a search that finds a double dispatch."""
    return wc.check(
        "import-job",
        "progressive",
        properties=["no_double_dispatch", "no_stranded_batch"],
        executions=300,
    )


@pytest.fixture(scope="session")
def schedule(found):
    """The double dispatch."""
    return found.schedules["no_double_dispatch"]


@pytest.fixture
def both(schedule, hostile):
    """An ordinary schedule and the hostile one."""
    return schedule, hostile.schedules["at_most_one"]

"""What is under test: a coordinator, in a scenario, in certain sizes, with faults.

Knows how it becomes a world, smaller ones, and a recorded schedule; searches nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.scenarios.loading import coordinator_name, load_coordinator
from wavecheck.scenarios.scenario import Scenario
from wavecheck.sim.faults import FaultPlan
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.search.recheck import running_again, violates_no_more
from wavecheck.sim.search.schedule import Schedule, recorded_steps, run_rule
from wavecheck.sim.search.search import Sizes, WorldFamily
from wavecheck.sim.task import Rule
from wavecheck.sim.trace import plain
from wavecheck.sim.world import World

STEPS_MAX: Final = 100_000
_FAULT: Final = "fault "  # before a kind of fault, in the names of sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is under test, and in which sizes.

    Attributes:
        scenario: where.
        coordinator: name, as the user gave it.
        coordinator_type: the class.
        settings: validated.
        faults: the fault plan.
    """

    scenario: Scenario
    coordinator: str
    coordinator_type: type[Any]
    settings: Any
    faults: FaultPlan

    @classmethod
    def of(
        cls,
        scenario: str | Scenario,
        coordinator: str | type[Any],
        given: Mapping[str, object] | None = None,
        faults: FaultPlan | None = None,
    ) -> "Subject":
        """Return what a user names, in the scenario's small sizes.

        Args:
            scenario: where; a name will do.
            coordinator: a class, NAME, package.module:Class or path/to/file.py:Class.
            given: settings by name, as values or text.
            faults: how many faults of each kind may strike in one execution.

        Raises:
            InvalidScenario: a name or value that does not exist or fit.
            CoordinatorError: the coordinator does not load.
        """
        scenario = find_scenario(scenario)
        name = coordinator_name(coordinator)
        return cls(
            scenario=scenario,
            coordinator=name,
            coordinator_type=load_coordinator(scenario, name),
            settings=scenario.settings(given, is_small=True),
            faults={kind: count for kind, count in (faults or {}).items() if count},
        )

    def world(self) -> World:
        """Return the scenario's world on an untimed kernel."""
        kernel = Kernel(timed=False, steps_max=STEPS_MAX)
        world = self.scenario.build(kernel, self.coordinator_type, self.settings)
        if self.faults:
            world.plan_faults(self.faults)
        return world

    def smaller(self) -> Iterator["Subject"]:
        """Yield the subjects that are smaller by one: batches, tasks, then faults."""
        for name, least in self.scenario.sizes.items():
            value = getattr(self.settings, name)
            if value > least:
                lowered = replace(self.settings, **{name: value - 1})
                yield replace(self, settings=lowered)
        for kind, count in self.faults.items():
            fewer = {**self.faults, kind: count - 1}
            yield replace(
                self, faults={name: left for name, left in fewer.items() if left}
            )

    def label(self) -> str:
        """Return a name for files: the scenario and the coordinator."""
        scenario = self.scenario.name.replace("/", "-")
        return f"{scenario}-{self.coordinator.rpartition(':')[2]}"

    def family(self) -> WorldFamily:
        """Return the worlds from the smallest up to this one, faults included."""
        most = {name: getattr(self.settings, name) for name in self.scenario.sizes}
        least = {
            name: min(value, self.scenario.sizes[name]) for name, value in most.items()
        }
        faults = {_FAULT + kind: count for kind, count in self.faults.items()}
        return WorldFamily(
            least={**least, **dict.fromkeys(faults, 0)},
            most={**most, **faults},
            build=lambda sizes: self.resized(sizes).world(),
        )

    def resized(self, sizes: Sizes) -> "Subject":
        """Return the subject in sizes of its family; what is not named stays."""
        known = {name: sizes[name] for name in sizes if not name.startswith(_FAULT)}
        faults = {kind: sizes.get(_FAULT + kind, n) for kind, n in self.faults.items()}
        return replace(
            self,
            settings=replace(self.settings, **known),
            faults={kind: count for kind, count in faults.items() if count},
        )

    def record(self, rule: Rule, property_name: str = "") -> Schedule:
        """Run one execution and return it as a schedule.

        Args:
            rule: makes the choices.
            property_name: what it must violate; it ends there. Empty: nothing.

        Raises:
            NondeterminismError: the rule replays what was found, and it is not there.
        """
        with running_again():
            replayed = run_rule(self.world(), rule, stops_at=property_name)
        message = ""
        if property_name:
            if property_name not in replayed.violations:
                raise violates_no_more(property_name)
            message = replayed.violations[property_name].message
        return Schedule(
            scenario=self.scenario.name,
            settings=plain(asdict(self.settings)),
            coordinator=self.coordinator,
            faults=dict(self.faults),
            property_name=property_name,
            message=message,
            choices=replayed.choices,
            steps=recorded_steps(replayed.steps),
            digest=replayed.digest,
        )

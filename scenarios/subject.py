"""What a question is about: a scenario, its settings, faults, code and properties.

Resolved once, from what a user names or from a recorded schedule, and handed on;
nothing below looks a scenario up by its name. Knows how a subject becomes a world,
smaller ones, and a recorded schedule; searches nothing.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.scenarios.loading import coordinator_name, load_coordinator
from wavecheck.scenarios.scenario import Scenario, plain_settings
from wavecheck.scenarios.server import SERVER
from wavecheck.sim.deadline import NO_DEADLINE, Deadline
from wavecheck.sim.errors import InvalidScenario, unknown_name
from wavecheck.sim.faults import FaultPlan
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.property import Property, with_no_error
from wavecheck.sim.search.execution import FAIR_AFTER
from wavecheck.sim.search.judgement import searchable
from wavecheck.sim.search.recheck import running_again, violates_no_more
from wavecheck.sim.search.schedule import (
    Replayed,
    Schedule,
    recorded_steps,
    run_rule,
)
from wavecheck.sim.search.search import Sizes, WorldFamily
from wavecheck.sim.task import Rule
from wavecheck.sim.world import World

if TYPE_CHECKING:
    from wavecheck.scenarios.server.serving import Server

STEPS_MAX: Final = 100_000
_FAULT: Final = "fault "  # before a kind of fault, in the names of sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is under test, where, in which sizes, and judged by what.

    Attributes:
        scenario: where.
        coordinator: name of the code under test, as the user gave it.
        coordinator_type: the class.
        settings: validated.
        faults: the fault plan.
        properties: names of what is judged; empty: all that need no time.
        server: on which its databases are; None: in the model.
    """

    scenario: Scenario
    coordinator: str
    coordinator_type: type[Any]
    settings: Any
    faults: FaultPlan
    properties: tuple[str, ...] = ()
    server: "Server | None" = None

    @classmethod
    def of(
        cls,
        scenario: str | Scenario,
        coordinator: str | type[Any] | None = None,
        given: Mapping[str, object] | None = None,
        faults: FaultPlan | None = None,
        properties: Sequence[str] = (),
    ) -> "Subject":
        """Return what a user names, in the scenario's small sizes.

        Args:
            scenario: where; a name will do.
            coordinator: a class, NAME, package.module:Class or path/to/file.py:Class;
                None: the scenario's usual one.
            given: settings by name, as values or text.
            faults: how many faults of each kind may strike in one execution.
            properties: names of what is judged; empty: all that need no time.

        Raises:
            InvalidScenario: a name or value that does not exist or fit.
            CoordinatorError: the coordinator does not load.
        """
        scenario = find_scenario(scenario)
        name = coordinator_name(coordinator or scenario.default_coordinator, scenario)
        return cls(
            scenario=scenario,
            coordinator=name,
            coordinator_type=load_coordinator(scenario, name),
            settings=scenario.settings(given, is_small=True),
            faults={kind: count for kind, count in (faults or {}).items() if count},
            properties=tuple(properties),
        )

    @classmethod
    def of_schedule(
        cls, schedule: Schedule, scenario: Scenario | None = None
    ) -> "Subject":
        """Return what a schedule was recorded in, judged by what it violates.

        Args:
            schedule: names all of it.
            scenario: where, if that is known already.

        Raises:
            InvalidScenario: its scenario, settings, faults or property do not exist or
                fit.
            CoordinatorError: the coordinator does not load.
        """
        found = scenario or find_scenario(schedule.scenario)
        if any(isinstance(one.result, dict) and "waits_for" in one.result
               for one in schedule.steps):  # fmt: skip
            raise InvalidScenario(
                "this schedule was recorded on a server, whose steps are not the"
                " model's\n"
                f"next: wavecheck check {schedule.scenario} -c {schedule.coordinator}"
                " --db URL finds and explains it again"
            )
        subject = cls(
            scenario=found,
            coordinator=schedule.coordinator,
            coordinator_type=load_coordinator(found, schedule.coordinator),
            settings=found.settings(schedule.settings),
            faults=schedule.faults,
            properties=(schedule.property_name,) if schedule.property_name else (),
        )
        subject.judged(subject.world())
        return subject

    def judged(self, world: World) -> list[Property]:
        """Return the properties of its world that are judged.

        Raises:
            InvalidScenario: there is none of some name.
        """
        declared = searchable(world.properties)
        known = {one.name: one for one in with_no_error(declared)}
        timed = [one.name for one in world.properties if one.name not in known]
        for name in self.properties:
            if name in timed:
                raise InvalidScenario(
                    f"property {name!r} is a question of time, and there is none here\n"
                    f"next: wavecheck run {self.scenario.name}"
                )
            if name not in known:
                raise unknown_name("property", name, list(known))
        return [known[name] for name in self.properties] or declared

    def sizes(self) -> dict[str, int]:
        """Return its sizes by name."""
        return {name: getattr(self.settings, name) for name in self.scenario.sizes}

    def recorded_in(self, schedule: Schedule) -> "Subject":
        """Return the subject as it was when one of its schedules was recorded."""
        return replace(
            self,
            settings=self.scenario.settings(schedule.settings),
            faults=schedule.faults,
            properties=(schedule.property_name,),
        )

    def running(self, coordinator: str) -> "Subject":
        """Return the subject with other code under test, by name, judged by all."""
        return replace(
            self,
            coordinator=coordinator,
            coordinator_type=load_coordinator(self.scenario, coordinator),
            properties=(),
        )

    def judging(self, *properties: str) -> "Subject":
        """Return the subject, judged by these properties only."""
        return replace(self, properties=properties)

    def world(self) -> World:
        """Return the scenario's world on an untimed kernel."""
        kernel = Kernel(timed=False, steps_max=STEPS_MAX)
        if self.server is not None:
            kernel.services[SERVER] = self.server.place()
        world = self.scenario.build(kernel, self.coordinator_type, self.settings)
        if self.faults:
            world.plan_faults(self.faults)
        return world

    def smaller(self) -> Iterator["Subject"]:
        """Yield smaller subjects, in batches, in tasks, then in faults.

        Each size at its least, halfway there, and smaller by one: a world of thousands
        is small after a few steps.
        """
        for name, least in self.scenario.sizes.items():
            value = getattr(self.settings, name)
            for lower in sorted({least, (least + value) // 2, value - 1}):
                if least <= lower < value:
                    lowered = replace(self.settings, **{name: lower})
                    yield replace(self, settings=lowered)
        for kind, count in self.faults.items():
            fewer = {**self.faults, kind: count - 1}
            yield replace(
                self, faults={name: left for name, left in fewer.items() if left}
            )

    def label(self) -> str:
        """Return a name for files: the scenario and the coordinator."""
        return label(self.scenario.name, self.coordinator)

    def family(self) -> WorldFamily:
        """Return the worlds from the smallest up to this one, faults included."""
        most = self.sizes()
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
        if property_name and property_name not in replayed.violations:
            raise violates_no_more(property_name)
        return self._schedule(replayed, property_name)

    def sample(self, rule: Rule, deadline: Deadline = NO_DEADLINE) -> Schedule | None:
        """Run one execution and return it as a schedule; None if it does not end.

        Raises:
            OutOfTime: the deadline came.
        """
        world = self.world()
        with deadline.watching(world.kernel):
            replayed = run_rule(world, rule, fair_after=FAIR_AFTER)
        return None if replayed.was_cut else self._schedule(replayed, "")

    def _schedule(self, replayed: Replayed, property_name: str) -> Schedule:
        violation = replayed.violations.get(property_name)
        return Schedule(
            scenario=self.scenario.name,
            settings=plain_settings(self.settings),
            coordinator=self.coordinator,
            faults=dict(self.faults),
            property_name=property_name,
            message="" if violation is None else violation.message,
            choices=replayed.choices,
            steps=recorded_steps(replayed.steps),
            digest=replayed.digest,
        )


def label(scenario: str, coordinator: str) -> str:
    """Return a name for files: a world and its code, without where they are from."""
    names = (scenario.rpartition(":")[2], coordinator.rpartition(":")[2])
    return re.sub(r"[^\w.-]+", "-", "-".join(names))

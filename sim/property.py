"""Properties and the judge that watches one execution for them.

A property is a predicate and the moment at which it is judged. The judge knows parts by
name and nothing of any domain; what a property means is the world's business. One
property needs no world to mean it: code under test raises no error (`NO_ERROR`). It is
judged in every untimed execution and reported where it is violated, or asked for.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from wavecheck.sim.blame import Place, raised_at
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.parts import Watcher
from wavecheck.sim.task import Task

OnChange = Callable[[Any, Hashable, Any, Any], str | None]
"""Called with world, key, before and after; returns what is wrong, or None."""

AtEnd = Callable[[Any], str | None]
"""Called with the world when nothing can happen any more; what is wrong, or None."""


class Moment(Enum):
    """When a property is judged."""

    ALWAYS = "always"
    AT_QUIESCENCE = "at quiescence"
    TIMED = "timed runs"
    ON_ERROR = "when a task ends by an error"
    RECOVERABLE = "from every state"
    LEADS_TO = "later, in every fair execution"

    @property
    def is_at_end(self) -> bool:
        """Whether an execution is judged when nothing can happen any more."""
        return self in _AT_END

    @property
    def needs_graph(self) -> bool:
        """Whether only the graph of all states proves it."""
        return self in (Moment.RECOVERABLE, Moment.LEADS_TO)


_AT_END: Final = (Moment.AT_QUIESCENCE, Moment.RECOVERABLE, Moment.LEADS_TO)


def _always_at_risk(world: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One thing that must hold.

    Attributes:
        name: as on the command line.
        meaning: one sentence in the words of the domain.
        moment: when it is judged.
        on_change: for ALWAYS, the check by name of the part whose change can break it.
        at_end: for the other moments, the check of the final state.
        begins: for LEADS_TO, whether what must follow begins in this state; `at_end`
            then says that it has not followed yet.
        begins_at_start: for LEADS_TO, whether it begins in the initial state.
        is_at_risk: whether this execution could have violated it at all; a property
            that is never at risk was NOT TESTED.
    """

    name: str
    meaning: str
    moment: Moment
    on_change: Mapping[str, OnChange] = field(default_factory=dict)
    at_end: AtEnd | None = None
    begins: Callable[[Any], bool] | None = None
    begins_at_start: Callable[[Any], bool] | None = None
    is_at_risk: Callable[[Any], bool] = _always_at_risk


NO_ERROR: Final = Property(
    name="no_error",
    meaning="no task of the code under test ends by an error that nothing catches",
    moment=Moment.ON_ERROR,
)
"""Holds of every world; errors that a world expects are none (`expected_errors`)."""


def with_no_error(properties: Sequence[Property]) -> list[Property]:
    """Return properties with `NO_ERROR`, which no world has to list."""
    return [*properties, *([] if NO_ERROR in properties else [NO_ERROR])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """What was wrong, and after which step.

    Attributes:
        property_name: which property.
        step: number of the last step taken, 1-based.
        time: ticks.
        message: what was wrong, in the words of the domain.
        place: for `NO_ERROR`, the line of the code under test; else None.
    """

    property_name: str
    step: int
    time: int
    message: str
    place: Place | None = None


class Judge:
    """Watches the executions of one world.

    Args:
        kernel: the kernel whose parts are watched.
        world: passed to the checks.
        properties: what to judge.
        stops_at: end an execution when the property of this name is violated.

    Attributes:
        violations: the first violation of each property in this execution.
        begun: names of properties of which something has begun in any execution.
    """

    def __init__(
        self,
        kernel: Kernel,
        world: object,
        properties: Sequence[Property],
        *,
        stops_at: str = "",
    ) -> None:
        self.violations: dict[str, Violation] = {}
        self.begun: set[str] = set()
        self._kernel = kernel
        self._world = world
        self._open: set[str] = set()  # what has begun and has not followed
        self._execution: object = None  # whose: the kernel makes new choices for each
        self._promises = [one for one in properties if one.begins is not None]
        self._stops_at = stops_at
        self._attached: list[tuple[list[Any], Any]] = []
        self._at_end = [
            one
            for one in properties
            if one.moment.is_at_end or (kernel.is_timed and one.moment is Moment.TIMED)
        ]
        for one in properties:
            for part_name, check in one.on_change.items():
                watchers = kernel.parts[part_name].watchers
                watchers.append(self._watcher(one, check))
                self._attached.append((watchers, watchers[-1]))
        for part in kernel.parts.values() if self._promises else ():
            part.watchers.append(self._follow)
            self._attached.append((part.watchers, self._follow))
        if NO_ERROR in properties:
            kernel.error_watchers.append(self._watch_error)
            self._attached.append((kernel.error_watchers, self._watch_error))

    def _watcher(self, judged: Property, check: OnChange) -> Watcher:
        world = self._world

        def watch(key: Hashable, before: Any, after: Any) -> None:
            message = check(world, key, before, after)
            if message is not None:
                self._violate(judged.name, message)

        return watch

    def _follow(self, *_: object) -> None:
        """Note what begins in the state at hand, and what has followed."""
        self._begin()
        for one in self._promises:
            assert one.begins is not None
            assert one.at_end is not None
            if one.begins(self._world):
                self.begun.add(one.name)
                self._open.add(one.name)
            if one.name in self._open and one.at_end(self._world) is None:
                self._open.remove(one.name)

    def _begin(self) -> None:
        """Forget the last execution, at the first look at another one."""
        if self._execution is self._kernel.choices:
            return
        self._execution = self._kernel.choices
        self._open = {
            one.name
            for one in self._promises
            if one.begins_at_start is not None and one.begins_at_start(self._world)
        }
        self.begun |= self._open

    def _watch_error(self, task: Task, error: BaseException) -> None:
        message, place = raised_at(error, task.name)
        self._violate(NO_ERROR.name, message, place)

    def _violate(self, name: str, message: str, place: Place | None = None) -> None:
        kernel = self._kernel
        if name not in self.violations:
            self.violations[name] = Violation(
                property_name=name,
                step=kernel.steps_count,
                time=int(kernel.now),
                message=message,
                place=place,
            )
        if name == self._stops_at:
            kernel.is_stopped = True

    def close(self) -> None:
        """Stop watching."""
        for watchers, watcher in self._attached:
            watchers.remove(watcher)
        self._attached.clear()

    def judge_end(self) -> None:
        """Judge what is judged at quiescence."""
        self._begin()
        for judged in self._at_end:
            assert judged.at_end is not None
            if judged.begins is not None and judged.name not in self._open:
                continue
            message = judged.at_end(self._world)
            if message is not None:
                self._violate(judged.name, message)

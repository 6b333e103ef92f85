"""What each step of one execution looks at and changes, and which steps conflict.

Reads are noted by the recorder that proofs use, so no statement declares anything; a
guard is a read of the step that it guards. Complexity: linear in steps for the
execution, and quadratic in the steps that touch one place for the conflicts.
"""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from wavecheck.sim.exhaustive.recording import Projection, Recorder, record
from wavecheck.sim.exhaustive.reduction import WHOLE, Reduction
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Operation, Statement
from wavecheck.sim.parts import Change, Part
from wavecheck.sim.search.execution import execute
from wavecheck.sim.search.kinds import Place
from wavecheck.sim.task import Rule, Task
from wavecheck.sim.trace import listen
from wavecheck.sim.world import World


@dataclass(frozen=True, slots=True)
class Write:
    """One change of a step.

    Attributes:
        part: which holds the place.
        place: what was changed.
        before: its value; None: there was none.
        after: likewise.
    """

    part: Part
    place: Place
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Footprint:
    """What one step did.

    Attributes:
        task: who took it.
        operation: what was performed.
        result: what it returned, or the error that it raised.
        reads: places, and what is seen of each; None: all of it.
        scanned: names of parts of which it looked at every row there was.
        writes: in order.
    """

    task: str
    operation: Operation[Any]
    result: Any
    reads: tuple[tuple[Place, Projection | None], ...]
    scanned: frozenset[str]
    writes: tuple[Write, ...]

    def reads_of(self, write: Write) -> bool:
        """Return whether it looks at something that a change makes another."""
        place = write.place
        for (part, key), seen in self.reads:
            if part != place[0] or key not in (place[1], WHOLE):
                continue
            # An item that comes or goes changes whatever is seen of a whole queue.
            if key == WHOLE or seen is None:
                return True
            if seen.of(write.before) != seen.of(write.after):
                return True
        # A row that was not there yet is in no list of rows that were looked at.
        is_new_or_gone = write.before is None or write.after is None
        return is_new_or_gone and place[0] in self.scanned

    def conflict(self, later: "Footprint") -> Place | None:
        """Return the first place for which the order of two steps matters."""
        for one, other in ((self, later), (later, self)):
            changed = {write.place for write in other.writes}
            for write in one.writes:
                if write.place in changed or other.reads_of(write):
                    return write.place
        return None


@dataclass(frozen=True, slots=True)
class Observed:
    """One execution, as it was looked at.

    Attributes:
        steps: what each did.
        waiting: of tasks that wait at the end, the places that their guards look at.
        cut: names of the tasks that were killed, or ended by an error.
    """

    steps: tuple[Footprint, ...]
    waiting: dict[str, tuple[Place, ...]]
    cut: frozenset[str]


class _Places:
    """Numbers for parts' rows, as the recorder wants them."""

    def __init__(self) -> None:
        self.numbers: dict[Place, int] = {}

    def known(self, part: Part, key: Hashable) -> int | None:
        """Return the number of a place, if it has one."""
        return self.numbers.get((part.name, key))

    def component(self, part: Part, key: Hashable) -> int:
        """Return the number of a place; it gets one if it has none."""
        return self.numbers.setdefault((part.name, key), len(self.numbers))

    def components_of(self, part: Part) -> list[int]:
        """Return the numbers of all places of a part."""
        return [
            number for (name, _), number in self.numbers.items() if name == part.name
        ]


class _Performed(set[Statement]):
    """The kernel's set of performed statements; adding to it begins a footprint."""

    def __init__(self, kernel: Kernel, recorder: Recorder) -> None:
        super().__init__()
        self._kernel = kernel
        self._recorder = recorder

    def add(self, statement: Statement) -> None:
        self._recorder.start()
        task = self._kernel.current
        operation = None if task is None else task.operation
        if statement.enabled is not None and operation is not None:
            statement.enabled(operation.owner, *operation.args)
        super().add(statement)


def footprints(
    world: World,
    rule: Rule,
    *,
    steps_max: int | None = None,
    fair_after: int | None = None,
) -> Observed:
    """Run one execution and return what its steps did; the world stays as it was.

    Args:
        world: on an untimed kernel.
        rule: makes the choices.
        steps_max: end after so many steps; None: when nothing is enabled any more.
        fair_after: steps after which the rule is asked no more.
    """
    places = _Places()
    recorder = Recorder(places, Reduction())
    kernel = world.kernel
    for part in kernel.parts.values():  # every row that is there from the start
        for key in getattr(part, "_rows", {}):
            places.component(part, key)
    steps: list[Footprint] = []

    def note(
        task: Task, operation: Operation[Any], result: Any, changes: list[Change]
    ) -> None:
        recorder.is_active = False
        found = list(places.numbers)
        steps.append(
            Footprint(
                task.name,
                operation,
                result,
                tuple(
                    (found[number], seen)
                    for number, seen in recorder.reads
                    if number >= 0
                ),
                frozenset(recorder.whole_parts),
                tuple(
                    Write(part, (part.name, key), before, after)
                    for part, key, before, after in changes
                ),
            )
        )
        for part, key, _, _ in changes:
            places.component(part, key)
        kernel.is_stopped = kernel.is_stopped or len(steps) == steps_max

    with _recording(kernel, recorder), _going_on_after_errors(kernel):
        listen(kernel, note)
        execute(world, rule, cuts=True, fair_after=fair_after)
        waiting = _waiting(kernel, recorder, places)
    cut = frozenset(task.name for task in kernel.tasks if task.was_cut)
    return Observed(tuple(steps), waiting, cut)


@contextmanager
def _going_on_after_errors(kernel: Kernel) -> Iterator[None]:
    """Let a task that raises end alone: it may be what is to be explained."""

    def watch(task: Task, error: BaseException) -> None:
        """Take it for an end like any other."""

    kernel.error_watchers.append(watch)
    try:
        yield
    finally:
        kernel.error_watchers.remove(watch)


def _waiting(
    kernel: Kernel, recorder: Recorder, places: _Places
) -> dict[str, tuple[Place, ...]]:
    waiting = {}
    for task in kernel.tasks:
        operation = task.operation
        if operation is None or task.is_enabled or task.is_daemon:
            continue
        if operation.statement.enabled is not None:
            recorder.start()
            operation.statement.enabled(operation.owner, *operation.args)
            recorder.is_active = False
            found = list(places.numbers)
            looked = [found[one] for one, _ in recorder.reads]
            # A part that is looked at as a whole: which row is meant, arguments say.
            looked += [
                (part, argument)
                for part, key in looked
                if key == WHOLE
                for argument in operation.args
                if isinstance(argument, str | int)
            ]
            waiting[task.name] = tuple(looked)
    return waiting


@contextmanager
def _recording(kernel: Kernel, recorder: Recorder) -> Iterator[None]:
    """Let a kernel and its parts record for a while."""
    recorded: list[Any] = [kernel, *kernel.parts.values()]
    kinds = [type(one) for one in recorded]
    performed, on_step = kernel.performed, kernel.on_step
    record(kernel, recorder)
    kernel.performed = _Performed(kernel, recorder)
    try:
        yield
    finally:
        for one, kind in zip(recorded, kinds, strict=True):
            one.__class__ = kind
        performed |= kernel.performed
        kernel.performed, kernel.on_step = performed, on_step

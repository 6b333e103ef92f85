"""Is the code under test deterministic? A sampled execution is run twice and compared.

Whatever may vary is a choice of the schedule; two runs of one schedule must take the
same steps with the same results. A coordinator that reads a clock, draws random numbers
or keeps state on its instance does not, and is reported, never miscounted. Order that
depends on the hash seed is the same within one process: that needs another process.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from wavecheck.sim.blame import call_text
from wavecheck.sim.errors import NondeterminismError, ReplayMismatch
from wavecheck.sim.listening import listening
from wavecheck.sim.operation import Operation, Statement
from wavecheck.sim.parts import Change
from wavecheck.sim.search.execution import execute
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.task import Rule, Task
from wavecheck.sim.world import World

_CAUSES = (
    "likely: a wall clock, a random source, iteration over a set, or state kept outside"
    " the database\n(a module's global, a class attribute, a closure)"
)

Noted = tuple[str, Statement, tuple[Any, ...], Any]
"""Task name, statement, arguments, result."""


class Notebook:
    """Notes the steps of an execution, cheaply enough for a sampled share.

    Args:
        world: whose kernel to listen to.
        watches_instance: compare the attributes of the code under test at every step.
    """

    def __init__(self, world: World, *, watches_instance: bool = False) -> None:
        self.steps: list[Noted] = []
        self._world = world
        self._watches_instance = watches_instance
        self._instance: dict[str, object] = {}
        self._before = world.kernel.on_step
        world.kernel.on_step = self._note

    def start(self) -> None:
        """Take the code under test, which is there now, as it should stay."""
        self._instance = instance_state(self._world)

    def close(self) -> None:
        """Stop noting."""
        self._world.kernel.on_step = self._before

    def _note(
        self, task: Task, operation: Operation[Any], result: Any, changes: list[Change]
    ) -> None:
        if self._watches_instance:
            self.compare_instance()
        # Two errors are one if they read alike; two instances are never equal.
        shown = repr(result) if isinstance(result, Exception) else result
        self.steps.append((task.name, operation.statement, operation.args, shown))
        if self._before is not None:
            self._before(task, operation, result, changes)

    def compare_instance(self) -> None:
        """Refuse an instance whose attributes have changed; the last step did it.

        Raises:
            NondeterminismError: it names the attribute and the step.
        """
        before, after = self._instance, instance_state(self._world)
        if before == after:
            return
        names = (*before, *(name for name in after if name not in before))
        name = next(one for one in names if before.get(one) != after.get(one))
        where = f"step {len(self.steps)}, {_text(self.steps[-1])}" if self.steps else ""
        raise NondeterminismError(
            f"{type(self._world.under_test).__name__} keeps state on its instance:"
            f" attribute {name!r}\n"
            f"  before  {before.get(name, 'nothing')!r}\n"
            f"  after   {after.get(name, 'nothing')!r}\n"
            f"  since   {where or 'its start'}\n"
            "likely: a cache or a flag on self; in production every process has an"
            " instance of its own,\nso whatever is shared must be in the database"
        )


def noted_run(
    world: World, rule: Rule, *, fair_after: int | None = None
) -> list[Noted]:
    """Run one execution, cut if it does not end, and return its steps.

    Raises:
        NondeterminismError: the code under test kept state on its instance.
    """
    notebook = Notebook(world, watches_instance=True)
    try:
        with listening(world.kernel):
            execute(
                world,
                rule,
                once_started=notebook.start,
                cuts=True,
                fair_after=fair_after,
            )
    finally:
        notebook.close()
    notebook.compare_instance()
    return notebook.steps


def recheck(
    world: World,
    expected: Sequence[Noted],
    choices: Sequence[int],
    *,
    fair_after: int | None = None,
) -> None:
    """Run a schedule again and compare every step.

    Raises:
        NondeterminismError: a step differs; its number, and both versions, are named.
    """
    notebook = Notebook(world)
    try:
        rule = RecordedChoices(choices)
        execute(world, rule, cuts=True, fair_after=fair_after)
    except ReplayMismatch as error:
        _compare(expected, notebook.steps)
        raise NondeterminismError(
            f"nondeterminism after step {len(notebook.steps)}: {error}\n{_CAUSES}"
        ) from error
    finally:
        notebook.close()
    _compare(expected, notebook.steps)


@contextmanager
def running_again() -> Iterator[None]:
    """Report a schedule that does not replay though it was run a moment ago.

    Raises:
        NondeterminismError: instead of `ReplayMismatch`.
    """
    try:
        yield
    except ReplayMismatch as error:
        raise NondeterminismError(
            f"nondeterminism: a schedule runs differently the next time\n{error}\n"
            f"{_CAUSES}"
        ) from error


def violates_no_more(property_name: str) -> NondeterminismError:
    """Say that a schedule violated a property and does not when it is run again."""
    return NondeterminismError(
        "nondeterminism: a schedule gives two executions\n"
        f"  first run   violates {property_name!r}\n"
        f"  second run  does not\n{_CAUSES}"
    )


def _compare(expected: Sequence[Noted], got: Sequence[Noted]) -> None:
    for number, (first, second) in enumerate(zip(expected, got, strict=False), start=1):
        if first != second:
            raise NondeterminismError(
                f"nondeterminism at step {number}: two runs of one schedule differ\n"
                f"  first run   {_text(first)}\n"
                f"  second run  {_text(second)}\n{_CAUSES}"
            )
    if len(expected) != len(got):
        longer = expected if len(expected) > len(got) else got
        raise NondeterminismError(
            f"nondeterminism after step {min(len(expected), len(got))}: one run of a"
            f" schedule ends, the other goes on\n  with  "
            f"{_text(longer[min(len(expected), len(got))])}\n{_CAUSES}"
        )


def _text(noted: Noted) -> str:
    task, statement, args, result = noted
    return f"{task}: {call_text(statement, args)} -> {result!r}"


def instance_state(world: World) -> dict[str, object]:
    """Return what the code under test holds, in a form that a later change shows."""
    instance, store = world.under_test, world.store
    module = type(instance).__module__
    return {
        name: _frozen(value, module)
        for name, value in _attributes(instance)
        if value is not store
    }


def _attributes(instance: object) -> list[tuple[str, object]]:
    attributes = list(getattr(instance, "__dict__", {}).items())
    for kind in type(instance).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name != "__dict__" and hasattr(instance, name):
                attributes += [(name, getattr(instance, name))]
    return attributes


def _frozen(value: object, module: str) -> object:
    if isinstance(value, set | frozenset):
        return frozenset(value)
    if isinstance(value, list | tuple | dict | deque | bytearray | SimpleNamespace):
        return repr(value)
    if type(value).__module__ == module and not isinstance(value, type):
        # An object of the user's own, next to the coordinator: one level is enough.
        return {name: repr(inner) for name, inner in _attributes(value)}
    return value

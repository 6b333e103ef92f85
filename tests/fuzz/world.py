"""A case as a world of Wavecheck's: parts, rendered statements and coroutines."""

import linecache
import sys
from collections.abc import Mapping
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

from tests.fuzz.programs import COUNT_MAX, QUEUE_MAX, Always, AtEnd, Case
from tests.fuzz.rendering import render, text
from wavecheck.sim.faults import FAULT_TASK_PREFIX, Adversary, Target
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Cache, Counter, Flag, Leases, Lock, Queue, Table
from wavecheck.sim.property import Moment, Property

__all__ = ["COUNT_MAX", "QUEUE_MAX", "Box", "Failed", "FuzzStore", "FuzzWorld", "Oops"]
__all__ += ["less", "plus", "statement"]


class Oops(Exception):
    """An error that programs raise and catch."""


class Failed(Exception):
    """A statement that a fault lets fail."""


class Box:
    """An object of the user's own."""

    def __init__(self, value: Any) -> None:
        self.value = value


def plus(one: Any, other: Any) -> int:
    """Return a sum that stays small."""
    return (int(one or 0) + int(other or 0)) % 3


def less(one: Any, other: Any) -> int:
    """Compare numbers; what is missing is 0."""
    return int(int(one or 0) < int(other or 0))


class Row(NamedTuple):
    """A row."""

    key: int
    value: int


class FuzzStore:
    """Every part that a case may use."""

    Row = Row

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.counters = Counter(kernel, "counters")
        self.flag = Flag(kernel, "flag")
        self.queue: Queue[int] = Queue(kernel, "queue")
        self.lock = Lock(kernel, "lock")
        self.leases = Leases(kernel, "leases")
        self.cache = Cache(kernel, "cache")
        self.rows: Table[Row] = Table(
            kernel, "rows", Row, key=("key",), indexes=(("value",),)
        )

    def value_of(self, key: int) -> int | None:
        """Return the value of a row, or None."""
        row = self.rows.find(key)
        return None if row is None else row.value


class FuzzWorld:
    """Runs the tasks of a case.

    Args:
        case: which.
        module: its rendered text, loaded.
    """

    def __init__(self, case: Case, module: ModuleType) -> None:
        self.case, self.module = case, module
        self.kernel = Kernel(timed=False, steps_max=100_000)
        self.store = module.Store(self.kernel)
        self.under_test: object | None = None
        self.properties = tuple(
            self._property(name, one) for name, one in case.properties.items()
        )
        for name, value in case.initial.get("counters", {}).items():
            self.store.counters.add(name, value)
        for item in case.initial.get("queue", ()):
            self.store.queue.put(item)
        for key, value in case.initial.get("rows", {}).items():
            self.store.rows.insert(Row(key, value))
        self._rounds = 0
        self._adversary = None
        if case.faults:
            self.plan_faults(case.faults)
        self.kernel.mark()

    def _property(self, name: str, one: Always | AtEnd) -> Property:
        if isinstance(one, AtEnd):
            wrong, at_risk = (_reader(e) for e in (one.wrong, one.at_risk))
            return Property(
                name=name,
                meaning=name,
                moment=Moment.AT_QUIESCENCE,
                at_end=lambda world: "wrong" if wrong(world.store) else None,
                is_at_risk=lambda world: bool(at_risk(world.store)),
            )
        only_if = _reader(one.only_if) if one.only_if is not None else None

        def check(world: Any, key: Any, before: Any, after: Any) -> str | None:
            if one.part == "rows" and after is not None:
                after = after.value
            if key != one.key or after != one.value:
                return None
            return "wrong" if only_if is None or only_if(world.store) else None

        return Property(
            name=name, meaning=name, moment=Moment.ALWAYS, on_change={one.part: check}
        )

    def start(self) -> None:
        """Spawn the tasks of one execution."""
        self._rounds = 0
        for index, (program, me, p) in enumerate(self.case.tasks):
            coroutine = getattr(self.module, program)(self.store, me, p)
            self.kernel.spawn(coroutine, self.case.task_name(index))
        if self._adversary is not None:
            self._adversary.start()

    def interchangeable(self) -> list[list[str]]:
        """Return what the case declares, truly or not."""
        groups = [
            [self.case.task_name(one) for one in group] for group in self.case.groups
        ]
        faults = [] if self._adversary is None else self._adversary.interchangeable()
        return [*groups, *faults]

    # Faults -----------------------------------------------------------------------

    def plan_faults(self, plan: Mapping[str, int]) -> None:
        """Let faults strike."""
        sources = {
            "crash": self._crashes,
            "fail": self._failures,
            "lose": self._losses,
        }
        self._adversary = Adversary(self.kernel, sources, plan)
        self.kernel.survives = self._survive
        self.kernel.survived = (Failed,)

    def _processes(self) -> list[Any]:
        return [
            task
            for task in self.kernel.tasks
            if task.operation is not None
            and not task.name.startswith(FAULT_TASK_PREFIX)
        ]

    def _crashes(self) -> list[Target]:
        return [
            Target(f"{task.name} dies", partial(self._crash, task, again))
            for task in self._processes()
            for again in ((True, False) if self.case.requeues else (False,))
        ]

    def _crash(self, task: Any, again: bool) -> None:
        self.kernel.kill(task)
        self._bury(task, again)

    def _bury(self, task: Any, again: bool) -> None:
        if again and len(self.store.queue) < QUEUE_MAX:
            self.store.queue.put(0)
        name, _, number = task.name.partition("'")
        place = int(number or 0)
        if name.startswith("task-") and place < self.case.respawns:
            index = int(name.removeprefix("task-"))
            program, me, p = self.case.tasks[index]
            coroutine = getattr(self.module, program)(self.store, me, p)
            self.kernel.spawn(coroutine, f"{name}'{place + 1}")

    def _failures(self) -> list[Target]:
        return [
            Target(f"{task.name} fails", partial(self.kernel.fail, task, Failed()))
            for task in self._processes()
        ]

    def _losses(self) -> list[Target]:
        remove = self.store.queue.remove
        return [Target("lost", partial(remove, one)) for one in self.store.queue]

    def _survive(self, task: Any, error: Exception) -> None:
        task.end()
        again = self.case.requeues and self.kernel.choose(2) == 0
        self._bury(task, again)

    def heal(self) -> bool:
        """Spawn one more healer, if the case has any."""
        if self.case.heals is None:
            return False
        rounds, program = self.case.heals
        if self._rounds == rounds or self.store.flag.is_set():
            return False
        self._rounds += 1
        coroutine = getattr(self.module, program)(self.store, "healer", 0)
        self.kernel.spawn(coroutine, f"healer-{self._rounds}")
        return True


def _reader(e: Any) -> Any:
    """Return an expression of reads as a function of the store."""
    return eval(f"lambda self: {text(e)}", {"plus": plus, "less": less})


def load(case: Case) -> ModuleType:
    """Return the rendered module of a case."""
    name, source = f"fuzz_case_{case.kind.replace(' ', '_')}", render(case)
    module = ModuleType(name)
    file = f"<{name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    sys.modules[name] = module
    exec(compile(source, file, "exec"), vars(module))
    return module

"""Ordinary SimPy processes around the code under test, on the same kernel.

A world's arrivals, outages and capacity may be generators that yield SimPy's events:
timeouts, requests, what a store or a container gives, conditions, other processes. They
may also yield statements of the world, and get their results.

In a timed run SimPy does what it always does. In a search no time passes: a timeout is
a step of its own, which may come at any moment, and whatever else happens at once
(who gets a resource, who is interrupted) happens with the step that brought it about.

SimPy keeps its state in generators, events and resources, where no proof can see it, so
a world with processes is refused there.

Units: seconds, in everything that a process sees.
"""

from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextlib import suppress
from inspect import isawaitable
from typing import Any, Final, NamedTuple

import simpy
from simpy.core import StopSimulation
from simpy.events import NORMAL, URGENT

from wavecheck.sim.blame import standing_at
from wavecheck.sim.errors import CoordinatorError, StepLimitReached
from wavecheck.sim.kernel import TICKS_PER_SECOND, Kernel
from wavecheck.sim.operation import Kind, Operation, Statement
from wavecheck.sim.surroundings import RUNNING
from wavecheck.sim.task import Task

SomeProcess = Generator[Any, Any, Any]


class Use(NamedTuple):
    """Something that happened between a process and a resource.

    Attributes:
        time: ticks.
        process: its name.
        resource: its name.
        what: queue, resource_use or resource_use_end.
    """

    time: int
    process: str
    resource: str
    what: str


class Surrounding(simpy.Environment):
    """SimPy's environment, as processes around the code under test see it.

    Args:
        kernel: on which everything happens.

    Attributes:
        uses: of resources, in order, in a timed run.
    """

    def __init__(self, kernel: Kernel) -> None:
        super().__init__()
        self.kernel = kernel
        self.uses: list[Use] = []
        self._names: set[str] = set()
        self._begun: dict[str, int] = {}
        self._waiting: Counter[str] = Counter()
        self._processes: list[SurroundingProcess] = []
        self._resources: list[Resource] = []
        self._scheduled_count = 0
        self._is_closing = False

    @property
    def now(self) -> float:
        """Seconds since the begin; always 0 in a search."""
        return self.kernel.now / TICKS_PER_SECOND

    def renew(self, names: Iterable[str]) -> None:
        """Forget the processes and resources of the last execution.

        Args:
            names: of the world's tasks and processes; no other process gets one.
        """
        self._is_closing = True
        for process in self._processes:
            process._generator.close()
        self._is_closing = False
        self._processes.clear()
        self._names = set(names)
        self._begun.clear()
        self._waiting.clear()
        self.uses.clear()
        self._scheduled_count = 0
        self._active_proc = None
        for one in self._resources:
            one.renew()

    def process(self, generator: SomeProcess) -> "SurroundingProcess":
        """Begin a process; its name is its function's, with a number."""
        function: str = generator.__name__  # type: ignore[attr-defined]  # generators have it
        name = ""
        while not name or name in self._names:
            number = self._begun[function] = self._begun.get(function, -1) + 1
            name = f"{function}-{number}"
        return self.begin(generator, name)

    def begin(self, generator: SomeProcess, name: str) -> "SurroundingProcess":
        """Begin a process that has a name."""
        made = SurroundingProcess(self, generator, name)
        self._processes.append(made)
        return made

    def resource(self, name: str, kind: Callable[..., Any], *args: Any) -> "Resource":
        """Return a resource, store or container that is new in each execution."""
        made = Resource(self, name, kind, args)
        self._resources.append(made)
        return made

    def schedule(
        self, event: simpy.Event, priority: Any = NORMAL, delay: float = 0
    ) -> None:
        """Let an event happen after some seconds; in a search, at any moment."""
        kernel = self.kernel
        if self._is_closing:
            return
        ticks = round(delay * TICKS_PER_SECOND)
        if not delay or kernel.is_timed:
            self._scheduled_count += 1
            if self._scheduled_count > kernel.steps_max:
                raise StepLimitReached(
                    f"step limit reached: {kernel.steps_max} events of SimPy, the last"
                    f" by {self.active_name()}\n"
                    "likely: a process that never ends\n"
                    "next: --until TIME ends a run; a loop of a fixed length ends it in"
                    " a search"
                )
            kernel.schedule(event, priority, ticks)
            return
        self.spawn(_Pending(kernel, event).wait(delay), self.active_name())

    def spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        """Let the kernel take a step of a process.

        A process that waits for several things at once has several steps to take; all
        but the first have a number after their name.
        """
        self._waiting[name] += 1
        number = self._waiting[name]

        async def step() -> None:
            await coroutine
            self._waiting[name] -= 1

        shown = name if number == 1 else f"{name} ({number})"
        self.kernel.spawn(step(), shown, is_daemon=True)

    def active_name(self) -> str:
        """Return the name of the process that runs now."""
        active = self._active_proc
        return active.name if active is not None else "time"

    def step(self) -> None:
        """Refuse: the world runs its kernel itself.

        Raises:
            CoordinatorError: always.
        """
        raise CoordinatorError(
            "a process runs its own environment\n"
            "next: leave env.run() out; the world runs all processes"
        )


def run_until(kernel: Kernel, ticks: int | None) -> bool:
    """Take steps until nothing can happen any more, or until a moment.

    Returns:
        Whether the moment came first.
    """
    if ticks is None:
        kernel.run_to_quiescence()
        return False
    end = simpy.Event(kernel)
    end._ok, end._value = True, None
    assert end.callbacks is not None
    end.callbacks.append(StopSimulation.callback)
    kernel.schedule(end, URGENT, ticks)
    with suppress(StopSimulation):
        kernel.run_to_quiescence()
    return any(entry[3] is not end for entry in kernel._queue)


class _Pending:
    """A timeout that has not happened yet, in a search."""

    def __init__(self, kernel: Kernel, event: simpy.Event) -> None:
        self._kernel = kernel
        self._event = event

    async def wait(self, delay: float) -> None:
        """Let it happen, in the one step of its task."""
        await Operation(_TIMEOUT, self, (delay,))

    def happen(self, delay: float) -> None:
        """Let it happen."""
        self._kernel.schedule(self._event)


_TIMEOUT: Final = Statement(_Pending.happen, Kind.SLEEP, None, None)
_TIMEOUT.name = "timeout"


class SurroundingProcess(simpy.Process):
    """A SimPy process that may yield statements of the world beside events.

    Args:
        env: in which it lives.
        generator: of the process.
        name: unique in the execution.
    """

    def __init__(self, env: Surrounding, generator: SomeProcess, name: str) -> None:
        self._name = name
        super().__init__(env, _with_statements(env, generator, name))
        # Clock and chance of a task are also those of a process.
        self.task = Task(name, -1, self._generator, is_daemon=True)  # type: ignore[arg-type]  # as a coroutine it has a `send`

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    def _resume(self, event: simpy.Event) -> None:
        """Run up to the next event, with the clock and the chance of the world."""
        kernel: Kernel = self.env.kernel  # type: ignore[attr-defined]  # a Surrounding
        was_running, RUNNING.kernel = RUNNING.kernel, kernel
        was_current, kernel.current = kernel.current, self.task
        try:
            super()._resume(event)
        finally:
            RUNNING.kernel, kernel.current = was_running, was_current


def _with_statements(
    env: Surrounding, generator: SomeProcess, name: str
) -> SomeProcess:
    """Pass on what a process yields; perform it where it is a statement."""
    result, failure = None, None
    while True:
        try:
            if failure is None:
                yielded = generator.send(result)
            else:
                yielded = generator.throw(failure)
        except StopIteration as end:
            return end.value
        failure = None
        if isinstance(yielded, Operation) or isawaitable(yielded):
            yielded = _performed(env, yielded, name)
        elif not isinstance(yielded, simpy.Event):
            raise CoordinatorError(
                f"process {name} yields {yielded!r}\n"
                f"  at  {standing_at(generator)}\n"  # type: ignore[arg-type]  # it stands as a coroutine does
                "  expected  an event of SimPy, or a statement of the world"
            )
        try:
            result = yield yielded
        except GeneratorExit:
            generator.close()
            raise
        except BaseException as error:
            failure = error


def _performed(env: Surrounding, awaited: Any, name: str) -> simpy.Event:
    """Return the event that a statement has been performed, with its result."""
    done = simpy.Event(env)

    async def perform() -> None:
        try:
            result = await awaited
        except Exception as error:
            done.fail(error)
            done.defused = True  # whoever waits for it gets it
        else:
            done.succeed(result)

    env.spawn(perform(), name)
    return done


class Resource:
    """A resource, store or container of SimPy's, made anew in every execution.

    Args:
        env: in which it lives.
        name: of it, for the event log.
        kind: its class, as `simpy.Resource`.
        args: of the class, after the environment.
    """

    made: Any

    def __init__(
        self,
        env: Surrounding,
        name: str,
        kind: Callable[..., Any],
        args: tuple[Any, ...],
    ) -> None:
        self._env, self._name, self._kind, self._args = env, name, kind, args
        self.renew()

    def renew(self) -> None:
        """Make the one of an execution."""
        self.made = self._kind(self._env, *self._args)
        if self._env.kernel.is_timed and isinstance(self.made, simpy.Resource):
            _note_uses(self._env, self.made, self._name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "made":
            raise AttributeError(name)
        return getattr(self.made, name)


def _note_uses(env: Surrounding, made: Any, name: str) -> None:
    """Note who waits for a resource, has it, and gives it back."""
    put, get = made._do_put, made._do_get
    waiting: set[Any] = set()

    def note(request: Any, what: str) -> None:
        who = getattr(request.proc, "name", "")
        env.uses.append(Use(int(env.kernel.now), who, name, what))

    def do_put(request: Any) -> Any:
        if request not in waiting:
            waiting.add(request)
            note(request, "queue")
        users = list(made.users)
        proceeds = put(request)
        for one in users:
            if one not in made.users:  # it had to make room
                note(one, "resource_use_end")
        if request.triggered:
            waiting.remove(request)
            note(request, "resource_use")
        return proceeds

    def do_get(release: Any) -> Any:
        if release.request in made.users:
            note(release.request, "resource_use_end")
        return get(release)

    made._do_put, made._do_get = do_put, do_get

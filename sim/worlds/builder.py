"""`w`, what a world's function builds with: parts, statements, tasks and properties.

A world is built once; its tasks are spawned anew in every execution. What must be new
in each execution (code under test that is a class) is made by `fresh`. Knows the
engine's parts and no domain.
"""

import inspect
from collections.abc import (
    Callable,
    Generator,
    Hashable,
    Iterable,
    Mapping,
    Sequence,
)
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from wavecheck.sim.blame import calling_at
from wavecheck.sim.blocking import run_blocking
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.faults import Adversary, FaultPlan
from wavecheck.sim.handles import (
    CacheHandle,
    CallsHandle,
    CounterHandle,
    DatabaseHandle,
    FlagHandle,
    Handle,
    LeaseHandle,
    LockHandle,
    QueueHandle,
    TableHandle,
    TimerHandle,
    row_type_of,
)
from wavecheck.sim.handles.clock import (
    TIME,
    Clock,
    ExpiringLockHandle,
    TimeoutHandle,
)
from wavecheck.sim.handles.handle import performed
from wavecheck.sim.kernel import TICKS_PER_SECOND, Kernel
from wavecheck.sim.operation import Operation, Statement
from wavecheck.sim.parts import (
    Cache,
    Counter,
    Flag,
    Leases,
    Lock,
    Part,
    Queue,
    Table,
    Timers,
)
from wavecheck.sim.processes import Resource, Surrounding
from wavecheck.sim.property import Property
from wavecheck.sim.surroundings import Outside, made_outside
from wavecheck.sim.task import Task
from wavecheck.sim.trace import Written
from wavecheck.sim.worlds.faults import InjectedFailure, sources
from wavecheck.sim.worlds.judging import Judging
from wavecheck.sim.worlds.statements import OwnStatement, waiting
from wavecheck.sim.worlds.timing import Duration, Latencies

_AGAIN: Final = " again"  # after the name of a task that begins again
_Planned = tuple[Callable[..., Any], tuple[Any, ...], bool, bool]
"""Function and arguments of a task; whether it is a daemon, and restarts."""

H = TypeVar("H", bound=Handle[Any])


class _NoSuchName(InvalidScenario, AttributeError):
    """A name that the builder does not have; `hasattr` may ask for any."""


class WorldBuilder(Judging, Written):
    """Builds a world, and is it afterwards.

    Sizes and parameters are attributes: `w.orders`.

    Attributes:
        kernel: runs the tasks.
        code: what is under test: a function or a class; None where none is named.
        settings: all sizes and parameters.
        store: itself.
        latencies: how long statements take in a timed run.
        surrounding: SimPy's processes and resources; None: there are none.
        has_transactions: some tables are worked on in transactions.
        unprovable: why no proof can be made; empty: nothing is known against it.
        under_test: what `fresh` has made for this execution.
    """

    def __init__(self, kernel: Kernel, code: Any, settings: Any) -> None:
        super().__init__(kernel)
        self.code = code
        self.settings = settings
        self.under_test: object | None = None
        self.own_statements: dict[str, Statement] = {}
        self._handles: list[Handle[Any]] = []
        self._tasks: dict[str, _Planned] = {}
        self._adversary: Adversary | None = None
        self._fresh: list[_Fresh] = []
        self._alike: list[tuple[str, ...]] = []
        self._processes: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {}
        self.latencies = Latencies(kernel)
        self._clock: Clock | None = None
        self._waits_for_rows = self.has_transactions = False
        self.surrounding: Surrounding | None = None
        self.unprovable = ""

    if TYPE_CHECKING:  # a world keeps its parts on the builder, by names of its own

        def __setattr__(self, name: str, value: Any) -> None: ...

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "settings":
            raise AttributeError(name)
        known = self.settings.__dataclass_fields__
        if name in known:
            return getattr(self.settings, name)
        raise _NoSuchName(
            f"w.{name}: a world has no part, size or parameter of this name\n"
            f"  at  {calling_at()}\n"
            f"  expected  a size ({', '.join(known) or 'none is declared'}), or a"
            " method of the builder"
        )

    def __str__(self) -> str:
        return "w"

    @property
    def store(self) -> object:
        """The object that offers the world's statements."""
        return self

    # Parts ------------------------------------------------------------------------

    def table(
        self,
        name: str,
        row_type: type[Any] | Mapping[str, Any],
        *,
        key: str | Sequence[str] = "",
        rows: Iterable[Any] = (),
        unique: Mapping[str, Any] | None = None,
        indexes: Sequence[Sequence[str]] = (),
    ) -> TableHandle:
        """Add a table.

        Args:
            name: of the table.
            row_type: a NamedTuple, whose defaults are those of an insert; or the
                columns, each with its type or its default.
            key: column, or columns, of the primary key; the first if not given.
            rows: that are there from the start: rows, their columns as a mapping, or
                the value of the first column where the others have defaults.
            unique: by name of the index, the columns that no two rows share, or a
                function from a row to a value that no two rows have; None: this row has
                no such value, which makes the index a partial one.
            indexes: columns by which rows are often looked up; for speed only.
        """
        kind: Any = row_type
        if isinstance(row_type, Mapping):
            kind = row_type_of(name, tuple(row_type.items()))
        if not hasattr(kind, "_fields"):
            raise self._refused(
                f"the rows of table {name!r} are {row_type!r}",
                "a NamedTuple, or columns with their types or defaults",
            )
        fields: tuple[str, ...] = kind._fields
        columns = (key or fields[0],) if isinstance(key, str) else tuple(key)
        for column in columns:
            if column not in fields:
                raise self._refused(
                    f"the key of table {name!r} is {column!r}",
                    f"one of its columns: {', '.join(fields)}",
                )
        rules = {one: _unique_rule(rule) for one, rule in (unique or {}).items()}
        made = Table(
            self.kernel,
            name,
            kind,
            key=columns,
            indexes=tuple(tuple(one) for one in indexes),
            unique=rules,
        )
        named = {one: _unique_columns(rule) for one, rule in (unique or {}).items()}
        handle = self._hold(TableHandle(made, kind, columns, named))
        for row in rows:
            made.insert(_row(kind, row))
        return handle

    def queue(self, name: str, items: Iterable[Hashable] = ()) -> QueueHandle:
        """Add a first-in-first-out queue, with items that are there from the start."""
        made: Queue[Any] = Queue(self.kernel, name)
        for item in items:
            made.put(item)
        return self._hold(QueueHandle(made))

    def counter(
        self, name: str, values: Mapping[Hashable, int] | None = None
    ) -> CounterHandle:
        """Add whole numbers by key, zero where nothing was added."""
        made = Counter(self.kernel, name)
        for key, value in (values or {}).items():
            made.set(value, key)
        return self._hold(CounterHandle(made))

    def calls(self, name: str) -> CallsHandle:
        """Add something outside of the world that is called; `now` counts the calls."""
        return self._hold(CallsHandle(Counter(self.kernel, name)))

    def flag(self, name: str, *, is_set: bool = False) -> FlagHandle:
        """Add a switch."""
        made = Flag(self.kernel, name)
        made.set(is_set)
        return self._hold(FlagHandle(made))

    @overload
    def lock(self, name: str) -> LockHandle: ...
    @overload
    def lock(self, name: str, *, seconds: float) -> ExpiringLockHandle: ...
    def lock(self, name: str, *, seconds: float = 0.0) -> LockHandle:
        """Add mutual exclusion by key.

        Args:
            name: of the lock.
            seconds: its time to live: it is free when that has run out; none if not
                given. See `acts_within` for when that may be.
        """
        made = Lock(self.kernel, name)
        if not seconds:
            return self._hold(LockHandle(made))
        return self._hold(ExpiringLockHandle(made, self._time(seconds), seconds))

    def timeout(self, name: str, *, seconds: float) -> TimeoutHandle:
        """Add timeouts by key, such as a visibility timeout or an age that matters."""
        clock = self._time(seconds)
        return self._hold(TimeoutHandle(Counter(self.kernel, name), clock, seconds))

    def acts_within(self, seconds: float, *tasks: str) -> None:
        """Assume that live tasks act within some seconds.

        A timeout that is longer, and began while such a task was acting, does not run
        out before the task waits (at a statement that can wait, in `w.sleep`), ends or
        dies. Without this a timeout may run out at any moment.

        Args:
            seconds: at most so long between two waits.
            tasks: their names.
        """
        clock = self._time(seconds)
        for one in tasks:
            clock.let_act(one, seconds)

    def _time(self, seconds: float) -> Clock:
        if not seconds > 0:
            raise self._refused(f"{seconds!r} seconds", "more than 0 seconds")
        if self._clock is None:
            self._clock = Clock(self.kernel)
        return self._clock

    def lease(self, name: str) -> LeaseHandle:
        """Add locks that have a token and may end by themselves."""
        return self._hold(LeaseHandle(Leases(self.kernel, name)))

    def cache(self, name: str) -> CacheHandle:
        """Add copies that nobody keeps up to date."""
        return self._hold(CacheHandle(Cache(self.kernel, name)))

    def timer(self, name: str) -> TimerHandle:
        """Add alarms, of which any may go off next."""
        return self._hold(TimerHandle(Timers(self.kernel, name)))

    def transactions(
        self, *tables: TableHandle, name: str = "transactions"
    ) -> DatabaseHandle:
        """Let tables be worked on in transactions, as PostgreSQL or SQLite has them."""
        self._waits_for_rows = self.has_transactions = True
        return DatabaseHandle(self.kernel, name, tables)

    def _hold(self, handle: H) -> H:
        self._handles.append(handle)
        return handle

    # Statements -------------------------------------------------------------------

    def statement(
        self,
        function: Callable[..., Any] | str | None = None,
        *,
        when: Callable[..., object] | None = None,
    ) -> Any:
        """Make a function one atomic step; it may look at `now` of any part.

        Args:
            function: acts on parts; called with the arguments of the step. A name: the
                step does nothing but wait, and returns True.
            when: whether the step can be taken now, by the same arguments; a task
                waits until it can. It is asked again at every change of any part.
        """
        if function is None:
            return lambda decorated: self.statement(decorated, when=when)
        if isinstance(function, str):
            function = waiting(function)
        if inspect.iscoroutinefunction(function):
            raise self._refused(
                f"statement {function.__name__} is a coroutine function",
                "a plain function: it is one step, so it awaits nothing",
            )
        made = OwnStatement(function, when, self._any_part)
        if made.statement.name in self.own_statements:
            raise self._refused(
                f"two statements are called {made.statement.name!r}", "different names"
            )
        self.own_statements[made.statement.name] = made.statement
        return made

    def _any_part(self) -> Part:
        return next(iter(self.kernel.parts.values()))

    def choose(self, options: int) -> int:
        """Inside of a statement: let the search decide; 0 to `options` - 1."""
        return self.kernel.choose(options)

    def sleep(self, seconds: float) -> Operation[None]:
        """Wait; without time the sleep may end at any moment."""
        ticks = round(seconds * TICKS_PER_SECOND)
        if self._clock is not None and self._clock.within and not self.kernel.is_timed:
            return performed(self._clock.sleep(ticks))  # type: ignore[no-any-return]  # it is awaited alike
        return self.kernel.sleep(ticks)

    def latency(
        self, seconds: Duration, *, spread: float = 0.0, of: Any = None
    ) -> None:
        """Say how long statements take in a timed run; a millisecond if not said.

        Args:
            seconds: a number; measured values, of which one is drawn; or a function
                that draws one, such as `lambda: random.expovariate(1 / 3)`.
            spread: a number lies evenly around itself, by at most this share.
            of: whose: a part, a statement of the world's own, or the name of a
                statement such as `"commit"`; every other statement's if not given.
        """
        name = of if isinstance(of, str) else ""
        if isinstance(of, OwnStatement):
            name = of.statement.name
        elif of is not None and not name:
            name = of.name
        self.latencies.declare(name, seconds, spread)

    # Surroundings -----------------------------------------------------------------

    @property
    def env(self) -> Surrounding:
        """SimPy's environment for processes around the code under test, in seconds."""
        if self.surrounding is None:
            self.surrounding = Surrounding(self.kernel)
        return self.surrounding

    def process(
        self, name: str, function: Callable[..., Generator[Any, Any, Any]], *args: Any
    ) -> None:
        """Add an ordinary SimPy process to what surrounds the code under test.

        It yields events of SimPy, made by `w.env` or by resources, and may yield
        statements of the world. It may begin others: `w.env.process(generator)`. In a
        search each of its timeouts may end at any moment; a proof refuses it.

        Args:
            name: unique in the world.
            function: a generator function, called anew in every execution.
            args: of the function.
        """
        if not inspect.isgeneratorfunction(function):
            raise self._refused(
                f"process {name!r} is {function!r}",
                "a generator function and its arguments: w.process(name, function,"
                " *args)",
            )
        if name in self._tasks or name in self._processes:
            raise self._refused(f"two processes are called {name!r}", "different names")
        self._processes[name] = function, args

    def resource(self, name: str, kind: Callable[..., Any], *args: Any) -> Resource:
        """Return a resource of SimPy's for processes, new in each execution.

        Args:
            name: of it, in the event log of a timed run.
            kind: `simpy.Resource`, `simpy.Store`, `simpy.Container` or the like.
            args: of the class, after the environment.
        """
        return self.env.resource(name, kind, *args)

    # Tasks ------------------------------------------------------------------------

    def task(
        self,
        name: str,
        function: Callable[..., Any],
        *args: Any,
        is_daemon: bool = False,
        restarts: bool = False,
    ) -> None:
        """Add a task: a coroutine function or a blocking one, with its arguments.

        Args:
            name: unique in the world.
            function: called anew in every execution.
            args: of the function.
            is_daemon: it serves others and need not end.
            restarts: after a crash (`--faults crash=1`) it begins again, once.
        """
        given: object = function
        if not callable(given):
            what = "what a call returned" if inspect.isawaitable(given) else given
            if inspect.iscoroutine(given):
                given.close()
            raise self._refused(
                f"task {name!r} is {what!r}",
                "a function and its arguments: w.task(name, function, *args)",
            )
        if name in self._tasks:
            raise self._refused(f"two tasks are called {name!r}", "different names")
        self._tasks[name] = function, args, is_daemon, restarts

    def fresh(self, kind: Callable[..., Any], *args: Any) -> Any:
        """Return an object that is made anew in every execution, such as a service.

        Args:
            kind: a class, or a function that makes the object.
            args: of the call.

        Returns:
            A stand-in: its methods are those of the object of this execution.
        """
        made = _Fresh(kind, args)
        self._fresh.append(made)
        return made

    def alike(self, *names: str) -> None:
        """Say which tasks could be exchanged; a proof explores one order of them only.

        It is not taken for granted: where the tasks differ, all orders are explored and
        the result says so.
        """
        self._alike.append(names)

    def expect(self, *errors: type[BaseException]) -> None:
        """Say which errors end a task and are nobody's fault."""
        self.kernel.expected_errors += errors

    # The world --------------------------------------------------------------------

    def close(self) -> None:
        """End building: remember the parts as the initial state.

        Raises:
            InvalidScenario: there is no task, or no part.
        """
        if not self._tasks and not self._processes:
            raise InvalidScenario("the world has no task\nnext: w.task(name, function)")
        if self._processes:
            name = next(iter(self._processes))
            self.unprovable = f"process {name} is SimPy's, which shows no state"
        parts = list(self.kernel.parts.values())
        for part in parts[1:]:
            part.wake_with(parts[0])  # a guard may look at any part
        for names in self._alike:
            for name in names:
                if name not in self._tasks:
                    raise InvalidScenario(f"w.alike names {name!r}, which is no task")
        if self._clock is not None:
            self._assume(self._clock)
        self.kernel.mark()
        self.judge_start()

    def _assume(self, clock: Clock) -> None:
        """Let tasks that act within some time tell when they wait."""
        for name in clock.within:
            if name not in self._tasks:
                raise InvalidScenario(f"w.acts_within names {name!r}, which is no task")
        if not clock.within or self.kernel.is_timed:
            return
        if self._waits_for_rows:
            raise InvalidScenario(
                "w.acts_within in a world with transactions, whose statements wait for"
                " rows\n  expected  one of the two\n"
                "next: leave the assumption out; time then passes at any moment"
            )
        for statement in self.statements().values():
            if statement.enabled is not None:
                clock.guard(statement)

    @property
    def properties(self) -> tuple[Property, ...]:
        """What is judged."""
        return tuple(self.judged)

    @properties.setter
    def properties(self, chosen: tuple[Property, ...]) -> None:
        self.judged = list(chosen)

    @property
    def tables(self) -> list[TableHandle]:
        """The tables that were added, in order."""
        return [one for one in self._handles if isinstance(one, TableHandle)]

    def statements(self) -> dict[str, Statement]:
        """Return every statement that the world offers, by name."""
        offered = {
            one.name: one
            for handle in self._handles
            for one in handle.statements.values()
        }
        return {**offered, **self.own_statements}

    def start(self) -> None:
        """Spawn the tasks of one execution."""
        if self.surrounding is not None:
            self.surrounding.renew([*self._tasks, *self._processes])
        start = Outside(self.kernel.seed)
        for one in self._fresh:
            made_outside(start, one.renew)
        self.under_test = tuple(one.made for one in self._fresh) or None
        clock = self._clock
        for name, (function, args, is_daemon, _) in self._tasks.items():
            coroutine = self.running(function, args)
            if clock is not None and name in clock.within:
                coroutine = clock.until_end(coroutine)
            self.kernel.spawn(coroutine, name, is_daemon=is_daemon)
        if clock is not None and not self.kernel.is_timed:
            self.kernel.spawn(clock.pass_on(), TIME, is_daemon=True)
        for name, (function, args) in self._processes.items():
            self.env.begin(function(*args), name)
        if self._adversary is not None:
            self._adversary.start()

    def plan_faults(self, plan: FaultPlan) -> None:
        """Let faults strike in every execution from here on."""
        known = sources(self.kernel, self._restart)
        if plan.get("fail"):  # what does not catch it ends, as a process does
            self.expect(InjectedFailure)
        self._adversary = Adversary(self.kernel, known, plan)

    def _restart(self, task: Task) -> None:
        """Let a task that has died begin again, if its process is restarted."""
        if self._clock is not None:
            self._clock.forget(task.name)
        name = task.name.removesuffix(_AGAIN)
        if name != task.name or name not in self._tasks:
            return
        function, args, is_daemon, restarts = self._tasks[name]
        if restarts:
            again = self.running(function, args)
            self.kernel.spawn(again, f"{name}{_AGAIN}", is_daemon=is_daemon)

    def running(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Return the coroutine that runs a function, whichever kind it is."""
        if inspect.iscoroutinefunction(function):
            return function(*args)
        return _blocking(function, args)

    def heal(self) -> bool:
        """Return False: there is nothing to recover."""
        return False

    def interchangeable(self) -> Sequence[Sequence[str]]:
        """Return groups of names of tasks that could be exchanged."""
        struck = self._adversary
        return [*self._alike, *(struck.interchangeable() if struck else ())]

    def _refused(self, what: str, expected: str) -> InvalidScenario:
        return InvalidScenario(f"{what}\n  at  {calling_at()}\n  expected  {expected}")


def _row(kind: Any, given: Any) -> Any:
    """Return a row from itself, from its columns by name, or from its key alone."""
    if isinstance(given, Mapping):
        return kind(**given)
    return given if isinstance(given, kind) else kind(given)


def _unique_columns(rule: Any) -> tuple[str, ...] | None:
    if callable(rule):
        return None
    return (rule,) if isinstance(rule, str) else tuple(rule)


def _unique_rule(rule: Any) -> Callable[[Any], Hashable]:
    columns = _unique_columns(rule)
    if columns is None:
        return rule  # type: ignore[no-any-return]  # from a row to a value

    def values(row: Any) -> Hashable:
        found = tuple(getattr(row, column) for column in columns)
        return None if None in found else found  # NULLs are all different

    return values


async def _blocking(function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    result = await run_blocking(function, *args)
    if inspect.iscoroutine(result):  # a lambda around a coroutine function
        await result


class _Fresh:
    """Stands for an object that is made anew in every execution."""

    def __init__(self, kind: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._kind = kind
        self._args = args
        self.made: Any = None

    def renew(self) -> None:
        """Make the object of an execution."""
        self.made = self._kind(*self._args)

    if TYPE_CHECKING:  # a world keeps its parts on the builder, by names of its own

        def __setattr__(self, name: str, value: Any) -> None: ...

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "made":
            raise AttributeError(name)
        return _Method(self, name)


class _Method:
    """A method of an object that is made anew in every execution."""

    def __init__(self, fresh: _Fresh, name: str) -> None:
        self._fresh = fresh
        self._name = name

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return getattr(self._fresh.made, self._name)(*args, **keywords)

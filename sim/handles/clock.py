"""Time as an assumption: what may run out before what, where no time passes.

In a search or a proof a timeout may run out at any moment, but for what a world says of
durations. All that run are kept in the order in which they began. One that began
earlier and is shorter must end first: so a longer one cannot run out before it. A task
that "acts within" some seconds counts as running from the moment at which it can go on
until it waits, ends or dies; so a timeout that is longer than that, and began while the
task was acting, cannot run out until it waits.

Only pairs are compared: sums of durations are not computed. So what is left out is
impossible under what was said, and not everything that is impossible is left out.

In a timed run each timeout runs out when its seconds are over.

Units: seconds, as a world says them.
"""

from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from wavecheck.sim.handles.handle import Act, Handle
from wavecheck.sim.handles.parts import LockHandle
from wavecheck.sim.kernel import CODE_FAILURES, TICKS_PER_SECOND, Kernel
from wavecheck.sim.operation import Kind, Operation, Statement
from wavecheck.sim.parts import Counter, Lock, Queue

TIME: Final = "time"
"""The part that holds what runs, and the task that lets it run out."""

_ACTS: Final = "acts"


class Lasting(NamedTuple):
    """Something that lasts, from its begin on.

    Attributes:
        name: of the timeout; `acts` for a task that acts.
        key: which of its keys; the task's name.
        seconds: how long, at most.
    """

    name: str
    key: Hashable
    seconds: float


class Clock:
    """What runs now, in the order of its begin.

    Args:
        kernel: on which time passes in a timed run.

    Attributes:
        running: the part that holds it.
        within: seconds within which tasks act, by name.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.running: Queue[Lasting] = Queue(kernel, TIME)
        self.within: dict[str, float] = {}
        self._kernel = kernel
        self._begun: list[Lasting] | None = None  # in the statement under way
        self._ends_at: dict[tuple[str, Hashable], int] = {}  # in timed runs
        self._ends: dict[str, Callable[[Hashable], object]] = {}
        act = Statement(_run_out, Kind.EXTERNAL, _may_run_out, _of_time)
        act.name = "run_out"
        rest = Statement(_rest, Kind.EXTERNAL, None, None)
        rest.name = "waits"
        later = Statement(_run_out_later, Kind.EXTERNAL, None, None)
        later.name = "run_out"
        for one in (act, rest, later):
            one.is_general = True
        self._act, self._rest, self._later = act, rest, later

    def add(self, name: str, ends: Callable[[Hashable], object]) -> None:
        """Take a timeout in; it is told when one of its keys runs out."""
        self._ends[name] = ends

    def start(self, name: str, key: Hashable, seconds: float) -> None:
        """Let something begin to last, anew if it does already."""
        self.stop(name, key)
        lasting = Lasting(name, key, seconds)
        self.running.put(lasting)
        if self._begun is not None:
            self._begun.append(lasting)
        if self._kernel.is_timed and name != _ACTS:
            ends_at = int(self._kernel.now) + round(seconds * TICKS_PER_SECOND)
            self._ends_at[name, key] = ends_at
            waiting = self._wait(name, key, ends_at)
            self._kernel.spawn(waiting, f"{TIME} of {name}", is_daemon=True)

    def stop(self, name: str, key: Hashable) -> None:
        """Let it last no more, if it does."""
        for one in self.running:
            if (one.name, one.key) == (name, key):
                self.running.remove(one)

    def is_running(self, name: str, key: Hashable) -> bool:
        """Return whether it lasts."""
        return any((one.name, one.key) == (name, key) for one in self.running)

    def may_run_out(self) -> list[Lasting]:
        """Return what could run out next."""
        running = list(self.running)
        return [
            one
            for place, one in enumerate(running)
            if one.name != _ACTS
            and all(one.seconds <= other.seconds for other in running[:place])
        ]

    def run_out(self, one: Lasting) -> str:
        """Let something run out; say what."""
        self.running.remove(one)
        self._ends[one.name](one.key)
        return one.name if one.key is None else f"{one.name} {one.key}"

    # Tasks that act within some time ------------------------------------------------

    def let_act(self, name: str, seconds: float) -> None:
        """Say that a task acts within some seconds, from its start on."""
        self.within[name] = seconds
        if not self._kernel.is_timed:
            self.running.put(Lasting(_ACTS, name, seconds))

    def forget(self, name: str) -> None:
        """Expect nothing more of a task: it has died."""
        if name in self.within:
            self.stop(_ACTS, name)

    def guard(self, statement: Statement) -> None:
        """Let a task rest before a statement that waits, and act from then on."""
        function = statement.function

        def act(*args: Any) -> Any:
            begun: list[Lasting] = []
            self._begun = begun
            try:
                result = function(*args)
            finally:
                self._begun = None
            self._acts_again()
            for one in begun:  # the task acts from the moment at which these began
                if one in self.running:
                    self.running.remove(one)
                    self.running.put(one)
            return result

        act.__name__, act.__doc__ = function.__name__, function.__doc__
        statement.function = act
        statement.before = self.rest

    def rest(self) -> Operation[None]:
        """Return the step by which a task that acts comes to a wait."""
        return Operation(self._rest, self, ())

    async def sleep(self, ticks: int) -> None:
        """Let a task sleep, which is a wait as well."""
        await self.rest()
        await self._kernel.sleep(ticks)
        await Operation(_ACT_AGAIN, self, ())

    async def until_end(self, running: Any) -> None:
        """Run a task that acts; its end is a wait for ever."""
        try:
            await running
        except CODE_FAILURES:
            await self.rest()
            raise
        await self.rest()

    def _acts_again(self) -> None:
        name = self._kernel.current_task().name
        if name in self.within:
            self.start(_ACTS, name, self.within[name])

    def rests(self) -> None:
        """Note that the task whose step this is waits from here on."""
        self.forget(self._kernel.current_task().name)

    # The passing of time ------------------------------------------------------------

    async def pass_on(self) -> None:
        """Let timeouts run out, as a task of an untimed world."""
        while True:
            await Operation(self._act, self, ())

    async def _wait(self, name: str, key: Hashable, ends_at: int) -> None:
        await self._kernel.sleep(ends_at - int(self._kernel.now))
        await Operation(self._later, self, (name, key, ends_at))

    def run_out_at(self, name: str, key: Hashable, ends_at: int) -> None:
        """In a timed run, let something run out unless it began anew since."""
        for one in self.running:
            is_this = (one.name, one.key) == (name, key)
            if is_this and self._ends_at[name, key] == ends_at:
                self.run_out(one)


def _of_time(clock: Clock) -> Queue[Lasting]:
    return clock.running


def _may_run_out(clock: Clock) -> bool:
    return bool(clock.may_run_out())


def _run_out(clock: Clock) -> str:
    """Let one of what may run out do so."""
    able = clock.may_run_out()
    return clock.run_out(able[clock._kernel.choose(len(able))])


def _run_out_later(clock: Clock, name: str, key: Hashable, ends_at: int) -> None:
    """Let something run out whose seconds are over."""
    clock.run_out_at(name, key, ends_at)


def _rest(clock: Clock) -> None:
    """Wait from here on: the task does not act."""
    clock.rests()


def _act_again(clock: Clock) -> None:
    """Act again, after a sleep."""
    clock._acts_again()


_ACT_AGAIN: Final = Statement(_act_again, Kind.EXTERNAL, None, None)
_ACT_AGAIN.name = "wakes"


def _acquire(handle: "ExpiringLockHandle", owner: Hashable, key: Hashable) -> None:
    """Take the lock for a while; waits until it is free."""
    handle._part.try_acquire(owner, key)
    handle.clock.start(handle.name, key, handle.seconds)


def _is_free(handle: "ExpiringLockHandle", owner: Hashable, key: Hashable) -> bool:
    return handle._part.is_free(key)


def _try_acquire(handle: "ExpiringLockHandle", owner: Hashable, key: Hashable) -> bool:
    """Take the lock for a while if it is free; say whether."""
    if not handle._part.try_acquire(owner, key):
        return False
    handle.clock.start(handle.name, key, handle.seconds)
    return True


def _release(handle: "ExpiringLockHandle", owner: Hashable, key: Hashable) -> bool:
    """Free the lock if its owner is still this one; say whether it was."""
    if handle._part.holder(key) != owner:
        return False
    handle._part.release(key)
    handle.clock.stop(handle.name, key)
    return True


def _extend(handle: "ExpiringLockHandle", owner: Hashable, key: Hashable) -> bool:
    """Begin the lock's time anew if its owner is this one; say whether it was."""
    holder = handle._part.holder(key)
    if holder is None or (owner is not None and holder != owner):
        return False
    handle.clock.start(handle.name, key, handle.seconds)
    return True


class ExpiringLockHandle(LockHandle):
    """A lock with a time to live: it is free when that has run out.

    Args:
        lock: the part.
        clock: on which its time runs.
        seconds: its time to live.
    """

    acts: Mapping[str, Act] = {
        "acquire": Act(_acquire, _is_free),
        "try_acquire": Act(_try_acquire),
        "release": Act(_release),
        "extend": Act(_extend),
    }

    def __init__(self, lock: Lock, clock: Clock, seconds: float) -> None:
        super().__init__(lock)
        self.clock = clock
        self.seconds = seconds
        clock.add(lock.name, lock.release)

    def extend(self, owner: Hashable = None, key: Hashable = None) -> Operation[bool]:
        """Begin its time anew; False where it is another's by now, or free.

        Args:
            owner: who must hold it; whoever holds it if not given.
            key: which lock.
        """
        return self.perform("extend", owner, key)


_RUNNING, _OVER = 1, 2


def _start(handle: "TimeoutHandle", key: Hashable) -> None:
    """Begin to run, anew if it does already."""
    handle._part.set(_RUNNING, key)
    handle.clock.start(handle.name, key, handle.seconds)


def _cancel(handle: "TimeoutHandle", key: Hashable) -> bool:
    """Forget it; say whether it ran or was over."""
    handle.clock.stop(handle.name, key)
    return handle._part.set(0, key) != 0


def _is_set(handle: "TimeoutHandle", key: Hashable) -> bool:
    """Read whether it runs or is over."""
    return handle._part.get(key) != 0


def _is_over(handle: "TimeoutHandle", key: Hashable) -> bool:
    """Read whether it has run out."""
    return handle._part.get(key) == _OVER


def _wait(handle: "TimeoutHandle", key: Hashable) -> None:
    """Wait until it has run out."""


class TimeoutHandle(Handle[Counter]):
    """Timeouts by key, of one length: a visibility timeout, an age that matters.

    Args:
        counter: holds by key whether it runs or is over.
        clock: on which they run.
        seconds: how long they are.
    """

    acts: Mapping[str, Act] = {
        "start": Act(_start),
        "cancel": Act(_cancel),
        "is_set": Act(_is_set),
        "is_over": Act(_is_over),
        "wait": Act(_wait, _is_over),
    }

    def __init__(self, counter: Counter, clock: Clock, seconds: float) -> None:
        super().__init__(counter)
        self.clock = clock
        self.seconds = seconds
        clock.add(counter.name, partial(counter.set, _OVER))

    def start(self, key: Hashable = None) -> Operation[None]:
        """Let one run, from now on."""
        return self.perform("start", key)

    def cancel(self, key: Hashable = None) -> Operation[bool]:
        """Forget one; return whether it ran or was over."""
        return self.perform("cancel", key)

    def is_set(self, key: Hashable = None) -> Operation[bool]:
        """Read whether one runs or is over."""
        return self.perform("is_set", key)

    def is_over(self, key: Hashable = None) -> Operation[bool]:
        """Read whether one has run out."""
        return self.perform("is_over", key)

    def wait(self, key: Hashable = None) -> Operation[None]:
        """Wait until one has run out."""
        return self.perform("wait", key)

    def begin(self, key: Hashable = None) -> None:
        """Let one run; inside of a statement of the world's own."""
        _start(self, key)

    def end(self, key: Hashable = None) -> None:
        """Forget one; inside of a statement of the world's own."""
        _cancel(self, key)

"""Shows that what tasks keep beside the parts never changes what they do, or refuses.

Knows learned local states and places in which tasks keep something (see `kept`). A
cache, a lazy value, a counter for a dashboard: each resumption was learned with what
was kept just then. Here it is run again with everything that could be kept instead.

Theory of operation: begin with what is kept when a world starts. Run each learned
resumption with it; what is kept then may be there before the next resumption of this
task, and, whenever it was possible before, of any other. Go on until nothing new comes
up. If on the way every resumption went to the local state and the statement that were
learned, then by induction no execution of this world, nor a row of them in one process,
differs from what was explored: what is kept is no part of the state. A counter takes
ever more values; it is tried with a stand-in for all numbers, which notes that code
looks at it (see `unread`). Where a local state is told by its history alone, what was
kept before each resumption since then is a part of it.

Complexity: resumptions that follow one another run in one execution, so that starts and
repeated histories are paid once for each way through what was learned.

Objects that are kept must not be changed in place: another task may hold one of them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from wavecheck.sim.blame import call_text
from wavecheck.sim.errors import OutOfTime
from wavecheck.sim.exhaustive.anatomy import Same
from wavecheck.sim.exhaustive.copying import Thawing, changeable
from wavecheck.sim.exhaustive.identity import Key
from wavecheck.sim.exhaustive.kept import (
    ANY_NUMBER,
    Kept,
    KeptPlace,
    put,
    read,
    without_an_entry,
)
from wavecheck.sim.exhaustive.learning import Learner
from wavecheck.sim.exhaustive.locals import TaskLocals
from wavecheck.sim.exhaustive.refusal import CannotCompare, CannotLearn, refuse
from wavecheck.sim.exhaustive.symmetry import SymmetryBroken
from wavecheck.sim.exhaustive.telling import (
    SlotName,
    difference,
    endless,
    operation_text,
    refusal,
    sentences,
)
from wavecheck.sim.exhaustive.unread import NumberRead, traced
from wavecheck.sim.task import Task

KEPT_MAX: Final = 200
"""So many different things may be kept, at most."""

RUNS_MAX: Final = 3_000
"""Resumptions that are run again, and statements, at most."""

_NUMBERS_MAX: Final = 3
_ROW_MAX: Final = 32  # resumptions in a row; what was kept is looked at after each


class _Again(Exception):
    """Something was found that must be known from the start."""


def show_harmless(
    learner: Learner, stopped: Callable[[], str] = str
) -> tuple[str, ...]:
    """Show that nothing that tasks keep beside the parts changes what they do.

    Args:
        learner: that has learned every step of its world.
        stopped: asked between runs; returns why there is no time left, or nothing.

    Returns:
        A sentence for each place in which something is kept.

    Raises:
        CannotLearn: something that is kept decides about what a task does, or it
            cannot be shown that it does not.
        OutOfTime: there is no time left.
        SymmetryBroken: tasks must be told apart first.
    """
    places = learner.watch.places
    if not places:
        return ()
    if learner.groups:
        raise SymmetryBroken(f"{places[0].label} is kept by them")
    for what, is_there in (
        ("faults strike tasks", learner.moves_tasks),
        ("tasks share objects of asyncio's", learner.executions.handoffs is not None),
        ("the world heals", learner.healing is not None),
        ("tasks are born later", any(one.is_later for one in learner.tasks)),
    ):
        if is_there:
            raise refusal(places[0], f"and {what}", "state of an instance or a module")
    widened: set[SlotName] = set()
    looked_at: set[SlotName] = set()
    while True:
        trial = _Trial(learner, widened, looked_at, stopped)
        try:
            trial.run()
            return tuple(sentences(places, trial.kept, widened))
        except _Again:
            continue
        finally:
            learner.watch.put_back()


@dataclass(frozen=True, slots=True)
class _Stand:
    """Where a task stands, in the sight of this proof.

    Attributes:
        task: index of the task.
        place: number of its local state.
        began: number of what was kept when the execution began.
        path: what was kept before each of the last resumptions, if only the history
            tells the local state.
    """

    task: int
    place: int
    began: int = 0
    path: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Resumption:
    """A learned resumption that is to be run with something kept.

    Attributes:
        stand: where it begins.
        kept: number of what is kept then.
        result: number of what it is given.
        expected: number of the local state that it was learned to lead to.
    """

    stand: _Stand
    kept: int
    result: int
    expected: int

    def following(self, *, by_history: bool) -> _Stand:
        """Return where the task stands after it."""
        if not by_history:
            return _Stand(self.stand.task, self.expected)
        path = (*self.stand.path, self.kept)
        return _Stand(self.stand.task, self.expected, self.stand.began, path)


@dataclass(frozen=True, slots=True)
class _Run:
    """A coroutine of a fresh execution, and the objects that were kept meanwhile."""

    locals: TaskLocals
    task: Task
    held: dict[Any, tuple[Any, Key]]


class _Trial:
    """One attempt, with the places that are known now."""

    def __init__(
        self,
        learner: Learner,
        widened: set[SlotName],
        looked_at: set[SlotName],
        stopped: Callable[[], str],
    ) -> None:
        self._stopped = stopped
        self._learner = learner
        self._watch = learner.watch
        self._executions = learner.executions
        self._places = self._watch.places
        self._version = self._watch.places_version
        self._widened = widened
        self._looked_at = looked_at
        self._numbers: dict[Any, int] = {}
        self.kept: list[Kept] = []
        self._before: dict[_Stand, dict[int, None]] = {}
        self._moves: dict[int, dict[int, dict[int, None]]] = {}
        self._todo: list[_Stand] = []
        self._open: dict[_Stand, dict[int, list[tuple[int, int]]]] = {}
        self._runs = 0
        self._readers: list[str] = []
        self._readers_now: list[str] | None = None

    def run(self) -> None:
        """Run everything with everything that may be kept.

        Raises:
            CannotLearn: something comes out differently.
            _Again: a place or a counter was found that must be known from the start.
        """
        begun: set[Any] = set()
        self._begin(None)
        while True:
            while self._todo:
                first = self._take(self._todo[-1])
                if first is None:
                    self._todo.pop()
                else:
                    self._resume(first)
            fresh = [
                (number, key)
                for number, one in enumerate(self.kept)
                if (key := self._lasting(one)) not in begun
            ]
            if not fresh:
                break
            number, key = fresh[0]
            begun.add(key)
            self._begin(number)
        if len(self.kept) == 1 and not self._widened:
            raise refusal(
                self._places[0],
                "and not by what runs between statements",
                "a statement, a property or the world changes it",
            )
        self._run_statements()
        self._judge_ends()

    # What may be kept, and where ------------------------------------------------------

    def _read(self) -> int:
        """Return the number of what is kept now."""
        return self._number(self._found())

    def _number(self, found: Kept) -> int:
        number = self._numbers.get(found.key)
        if number is None:
            number = self._numbers[found.key] = len(self.kept)
            self.kept.append(found)
            self._widen()
        return number

    def _found(self) -> Kept:
        """Return what is kept now."""
        try:
            return read(self._places, self._watch.identity, self._widened)
        except CannotCompare as unknown:
            raise self._unreadable(self._places[0], unknown) from None

    def _widen(self) -> None:
        """Let counters stand for all numbers; bound what is left.

        Raises:
            _Again: a counter was found.
            CannotLearn: ever more is kept.
        """
        seen: dict[SlotName, set[Key]] = {}
        for one in self.kept:
            for number, slots in enumerate(one.slots):
                for slot in slots:
                    if slot.is_number and slot.key != ANY_NUMBER:
                        seen.setdefault((number, slot.name), set()).add(slot.key)
        counters = {
            slot
            for slot, keys in seen.items()
            if len(keys) >= _NUMBERS_MAX and self._places[slot[0]].holder.counts
        } - self._looked_at
        if counters:
            self._widened |= counters
            raise _Again
        if len(self.kept) > KEPT_MAX:
            raise endless(self._places, self.kept, self._looked_at)

    def _add(self, stand: _Stand, kept: int) -> None:
        """Note that something may be kept where a task stands, and what follows."""
        todo = [kept]
        before = self._before.setdefault(stand, {})
        while todo:
            one = todo.pop()
            if one in before:
                continue
            before[one] = None
            following = self._learner.tasks[stand.task].states[stand.place].next
            if following:
                self._open.setdefault(stand, {})[one] = [*following.items()][::-1]
                self._todo.append(stand)
            todo.extend(self._forgotten(one))
            for task, moves in self._moves.items():
                if task != stand.task:
                    todo.extend(moves.get(one, ()))

    def _forgotten(self, kept: int) -> list[int]:
        """Return what is kept after a bounded cache has dropped one of its entries."""
        return [
            self._number(one)
            for place in range(len(self._places))
            for one in without_an_entry(self._places, self.kept[kept], place)
        ]

    def _note_move(self, task: int, before: int, after: int) -> None:
        """Note that a task may change what is kept."""
        known = self._moves.setdefault(task, {}).setdefault(before, {})
        if after in known:
            return
        known[after] = None
        for stand, kept in list(self._before.items()):
            if stand.task != task and before in kept:
                self._add(stand, after)

    def _lasting(self, kept: Kept) -> Any:
        """Return the key of what is still kept when an execution is over."""
        try:
            return kept.lasting(self._places)
        except CannotCompare as unknown:
            raise self._unreadable(self._places[0], unknown) from None

    # Running --------------------------------------------------------------------------

    def _count_run(self) -> None:
        self._runs += 1
        if self._stopped():
            raise OutOfTime
        if self._runs > RUNS_MAX:
            raise refusal(
                self._places[0],
                f"and more than {RUNS_MAX:,} runs would tell whether it matters",
                "a large world; smaller sizes may do",
            )
        if self._watch.places_version != self._version:
            raise _Again

    def _put(self, number: int, *, lasting_only: bool = False) -> None:
        """Let something be kept now."""
        wanted = self.kept[number]
        identity = self._watch.identity
        thawing = Thawing(self._watch.constant, self._readers_now)
        put(
            self._places,
            wanted,
            identity,
            thawing,
            self._widened,
            lasting_only=lasting_only,
        )
        found = self._found()
        is_there = (
            self._lasting(found) == self._lasting(wanted)
            if lasting_only
            else found.key == wanted.key
        )
        if not is_there:
            raise refusal(
                self._places[0],
                "and what it holds cannot be put into another execution",
                "an object that belongs to one execution, or that comes out"
                " differently each time it is made",
            )

    def _start(self, began: int | None) -> list[Task]:
        if began is None:
            return self._executions.start()
        return self._executions.start(lambda: self._put(began, lasting_only=True))

    def _begin(self, began: int | None) -> None:
        """Start the world with what may outlive an execution."""
        if began is not None and self._has_any_number(began):
            with self._standing_in():
                self._begin_once(began)
        self._begin_once(began)

    def _begin_once(self, began: int | None) -> None:
        self._count_run()
        tasks = self._start(began)
        kept = self._read()
        for locals_, task in zip(self._learner.tasks, tasks, strict=True):
            place, by_history = locals_.known(task, (), None)
            if place != 0 or not self._is_at(task, locals_, 0):
                both = ("the start that was learned", "another start")
                raise self._difference(kept, locals_, "its start", both)
            stand = _Stand(locals_.index, 0)
            if by_history and began is not None:
                stand = _Stand(locals_.index, 0, began)
            self._add(stand, kept)

    def _is_at(self, task: Task, locals_: TaskLocals, place: int) -> bool:
        """Return whether a coroutine stands at the statement of a local state."""
        if task.operation is None:
            return locals_.states[place].operation is None
        number = self._learner.effects.known_number(task.operation)
        return number == locals_.states[place].operation

    def _take(self, stand: _Stand, kept: int = 0) -> "_Resumption | None":
        """Take a resumption that is still to be run where a task stands.

        Args:
            stand: where.
            kept: what is best kept before it, as it is kept now.
        """
        waiting = self._open.get(stand)
        if not waiting:
            return None
        if kept not in waiting:
            kept = next(iter(waiting))
        result, expected = waiting[kept].pop()
        if not waiting[kept]:
            del waiting[kept]
        return _Resumption(stand, kept, result, expected)

    def _resume(self, first: "_Resumption") -> None:
        """Run a resumption, and those that are to be run where it leads to.

        With a counter in them, they are run with numbers and with stand-ins for all.
        """
        kernel = self._learner.world.kernel
        kernel.rewind()  # which ends coroutines, and runs what their code does then
        ran: list[tuple[_Resumption, int]] = []
        with traced() if self._widened else nullcontext() as expected_trace:
            run = self._come_to(first)
            one: _Resumption | None = first
            while one is not None:
                self._count_run()
                after, by_history = self._resume_once(run, one)
                self._watch.check(run.locals.name)
                ran.append((one, after))
                self._note_move(one.stand.task, one.kept, after)
                following = one.following(by_history=by_history)
                self._add(following, after)
                one = self._take(following, after) if len(ran) < _ROW_MAX else None
        if not any(self._has_any_number(one.kept) for one, _ in ran):
            return
        kernel.rewind()
        with self._standing_in(), traced() as trace:
            run = self._come_to(first)
            is_same = all(self._resume_once(run, one)[0] == after for one, after in ran)
        if not is_same or trace != expected_trace:
            self._give_up_standing_in()

    def _has_any_number(self, kept: int) -> bool:
        """Return whether a stand-in for all numbers is among what is kept."""
        return any(
            slot.key == ANY_NUMBER for one in self.kept[kept].slots for slot in one
        )

    @contextmanager
    def _standing_in(self) -> Iterator[None]:
        """Put stand-ins for numbers in their places meanwhile.

        Raises:
            _Again: somebody has looked at one.
        """
        self._readers.clear()
        self._readers_now = self._readers
        try:
            yield
        except (CannotLearn, NumberRead):
            if not self._widened:
                raise
            self._give_up_standing_in()
        finally:
            self._readers_now = None
        if self._readers:
            self._give_up_standing_in()

    def _give_up_standing_in(self) -> NoReturn:
        """Try all numbers one by one from here on.

        Raises:
            _Again: always.
        """
        self._looked_at |= self._widened
        self._widened.clear()
        raise _Again

    def _come_to(self, first: "_Resumption") -> "_Run":
        """Return a coroutine that stands where a resumption begins."""
        stand = first.stand
        locals_ = self._learner.tasks[stand.task]
        history = locals_.states[stand.place].history
        values = self._learner.effects.results.values
        task = self._start(stand.began or None)[locals_.index]
        run = _Run(locals_, task, dict(self._held()))
        first_kept = len(history) - len(stand.path)
        for at, one in enumerate(history):
            if at >= first_kept:
                self._put(stand.path[at - first_kept])
                run.held.update(self._held())
            self._executions.resume(task, *values[one])
            run.held.update(self._held())
        return run

    def _resume_once(self, run: "_Run", one: "_Resumption") -> tuple[int, bool]:
        """Go on with a coroutine; return what is kept then, and how its end is told."""
        if self._stopped():
            raise OutOfTime
        locals_, task, held = run.locals, run.task, run.held
        state = locals_.states[one.stand.place]
        kept, result, expected = one.kept, one.result, one.expected
        values = self._learner.effects.results.values
        self._put(kept)
        held.update(self._held())
        escaped = self._executions.resume(task, *values[result])
        self._executions.runs_count += 1
        task.was_cut = escaped is not None
        self._check_unchanged(held, locals_)
        place, by_history = locals_.known(task, (*state.history, result), escaped)
        after = self._read()
        if place != expected or not self._is_at(task, locals_, expected):
            got = "its end"
            if task.operation is not None:
                got = call_text(task.operation.statement, task.operation.args)
            effects = self._learner.effects
            raise self._difference(
                kept,
                locals_,
                f"after {operation_text(effects, state.operation)}",
                (operation_text(effects, locals_.states[expected].operation), got),
            )
        return after, by_history

    def _held(self) -> Iterator[tuple[Any, tuple[Any, Key]]]:
        """Yield the objects that are kept and could be changed in place."""
        identity = self._watch.identity
        for place in self._places:
            for _, value in place.slots():
                try:
                    for one in changeable(value, identity):
                        yield Same(one), (one, identity.key(one))
                except CannotCompare as unknown:
                    raise self._unreadable(place, unknown) from None

    def _check_unchanged(self, held: Any, locals_: TaskLocals) -> None:
        for one, before in held.values():
            if not self._has_key(one, before):
                raise refuse(
                    f"a {type(one).__name__} that {self._places[0].label} holds is"
                    " changed in place",
                    task=locals_.name,
                    likely="hidden state in an object that was made as tasks ran",
                )

    def _has_key(self, value: Any, key: Key) -> bool:
        try:
            return bool(self._watch.identity.key(value) == key)
        except CannotCompare:
            return False

    def _run_statements(self) -> None:
        """Perform what was learned of statements again, with all that may be kept."""
        effects = self._learner.effects
        known = effects.performed_by_operation()
        count = sum(map(len, known.values())) * len(self.kept)
        stride = -(-count // RUNS_MAX)
        for locals_ in self._learner.tasks:
            for place, state in enumerate(locals_.states):
                if state.operation not in known:
                    continue
                records = known.pop(state.operation)[::stride]
                task = locals_.stand(place)
                operation = task.operation
                assert operation is not None
                for number in range(len(self.kept)):
                    with self._standing_in():
                        self._put(number)
                        effects.recheck_as(operation, records)
                        is_same = self._read() == number
                    if not is_same:
                        raise refusal(
                            self._places[0],
                            f"and statement {operation.statement.name!r} changes it",
                            "state that belongs into a part",
                            locals_.name,
                        )

    def _judge_ends(self) -> None:
        """Judge ends again, with all that may be kept."""
        for number in range(len(self.kept)):
            self._executions.start()
            with self._standing_in():
                self._put(number)
                is_same = all(
                    self._learner.judge_end_again(shared) == judged
                    for shared, judged in self._learner.ends
                )
            if not is_same:
                raise refusal(
                    self._places[0],
                    "and a property looks at it",
                    "state that belongs into a part",
                )

    def _difference(
        self, kept: int, locals_: TaskLocals, at: str, behaviours: tuple[str, str]
    ) -> CannotLearn:
        held = self.kept[0], self.kept[kept]
        return difference(self._places, held, locals_.name, at, behaviours)

    def _unreadable(self, place: KeptPlace, unknown: CannotCompare) -> CannotLearn:
        return refusal(
            place,
            f"and holds a {unknown}, whose state cannot be read",
            "an object of a library that tasks share",
        )

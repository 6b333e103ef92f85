"""What kind of cause it is that two steps came in this order, and not in the other.

Decided by what the steps have read and changed, and by what they do where they come the
other way round; never by a name. Knows parts and transactions; knows no domain.
"""

from collections import Counter as Multiset
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wavecheck.sim.parts import Cache, Counter, Leases, Lock, Queue, Timers
from wavecheck.sim.search.footprints import Footprint, Write
from wavecheck.sim.search.kinds import CauseKind, Place
from wavecheck.sim.search.races import Race
from wavecheck.sim.transactions.level import Level
from wavecheck.sim.transactions.rows import Image, Open, RowLock


@dataclass(frozen=True, slots=True)
class Classified:
    """A kind with the steps that it is told by.

    Attributes:
        kind: of cause.
        first: number of the step that came first.
        second: of the step that came second.
        acted: of the step that acted on it; 0: none did.
        place: the part and row on which they meet; None: on none.
    """

    kind: CauseKind
    first: int
    second: int
    acted: int = 0
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class FailingRun:
    """A failing execution, followed to the violation and on to its end.

    Attributes:
        steps: what each did.
        violated_at: number of the step with which the property is violated.
        is_at_end: the property is judged when nothing can happen any more.
        waiting: of tasks that wait for ever, the places that their guards look at.
        cut: names of the tasks that were killed, or ended by an error.
    """

    steps: tuple[Footprint, ...]
    violated_at: int
    is_at_end: bool
    waiting: Mapping[str, tuple[Place, ...]]
    cut: frozenset[str]

    def step(self, number: int) -> Footprint:
        """Return a step by its number."""
        return self.steps[number - 1]

    def of_task(self, task: str, first: int, last: int) -> Iterator[int]:
        """Yield the numbers of a task's steps from one to another."""
        for number in range(max(first, 1), min(last, len(self.steps)) + 1):
            if self.steps[number - 1].task == task:
                yield number

    def acting(self, task: str, after: int) -> int:
        """Return a task's first step after another that changes something; 0: none."""
        for number in self.of_task(task, after + 1, self.violated_at):
            if visible(self.step(number)):
                return number
        return 0

    def goes_by(self, looked: int, after: int) -> int:
        """Return the first step after another that uses what a step has read."""
        told = set(_atoms(self.step(looked).result))
        task = self.step(looked).task
        for number in self.of_task(task, after + 1, self.violated_at):
            if told & set(_atoms(self.step(number).operation.args)):
                return number
        return 0

    def last_write(self, place: Place, before: int) -> int:
        """Return the last step before another that changed a place; 0: none."""
        for number in range(before - 1, 0, -1):
            if any(one.place == place for one in self.step(number).writes):
                return number
        return 0

    def lives(self, task: str, after: int) -> bool:
        """Return whether a task takes a step after another one."""
        return any(self.of_task(task, after + 1, len(self.steps)))

    def in_hand(self, number: int) -> set[tuple[str, Hashable]]:
        """Return what a task has named or changed since it last waited for work.

        Each with the statement by which it did so.
        """
        task, named = self.step(number).task, set[tuple[str, Hashable]]()
        for one in reversed(list(self.of_task(task, 1, number))):
            step = self.step(one)
            names = {*_atoms(step.operation.args)}
            names |= {*(w.place[1] for w in visible(step))} - {None}
            named |= {(step.operation.statement.name, name) for name in names}
            if step.operation.statement.enabled is not None:
                break
        return named


def visible(step: Footprint) -> list[Write]:
    """Return the changes of a step that its author would speak of."""
    return [
        write
        for write in step.writes
        if not write.part.is_bookkeeping or _new_version(write)
    ]


def _new_version(write: Write) -> bool:
    """Return whether an open transaction has changed a row."""
    if not isinstance(write.after, RowLock):
        return False
    versions = () if write.before is None else write.before.versions
    return len(write.after.versions) > len(versions)


def _atoms(value: object) -> Iterator[Hashable]:
    """Yield the names and numbers that a value is made of."""
    if isinstance(value, tuple | list):
        for one in value:
            yield from _atoms(one)
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield value


class Classifier:
    """Says what kind of cause the races of one run are.

    Args:
        run: which failed.
        race: in it, which would have saved it the other way round.
        saved: the steps of the run that passes, in which it is reversed.
        others: the races that would have saved it as well.
        is_deceived: whether a step checks, and changes nothing right after the race.
    """

    def __init__(
        self,
        run: FailingRun,
        race: Race,
        saved: Sequence[Footprint],
        others: Sequence[Race],
        is_deceived: Callable[[int], bool],
    ) -> None:
        self._others = others
        self._run = run
        self._race = race
        self._saved = saved
        self._is_deceived = is_deceived
        self._first = run.step(race.earlier)
        self._second = run.step(race.later)

    def finding(self) -> Classified:
        """Return what kind of cause the race is."""
        run, race, first, second = self._run, self._race, self._first, self._second
        place = first.conflict(second)
        failed = [
            (n, step)
            for n, step in ((race.later, second), (race.earlier, first))
            if isinstance(step.result, Exception)
        ]
        if failed:
            kind = CauseKind.CRASH if failed[0][1].task in run.cut else CauseKind.FAILED
            return self._found(kind, 0, place)
        if expires(run, race.earlier):
            return self._found(CauseKind.EXPIRED, 0, place)
        snapshot = _of_a_snapshot(run, race)
        if snapshot is not None:
            return snapshot
        looked = [one for one in second.writes if first.reads_of(one)]
        saw = [one for one in first.writes if second.reads_of(one)]
        changed = min((*looked, *saw), key=_is_bookkeeping, default=None)
        if changed is None:
            return self._found(CauseKind.LOST_UPDATE, 0, place)
        if changed.part.is_bookkeeping:
            return self._found(CauseKind.ORDER, 0, changed.place)
        twice = _delivered_twice(run, race, changed.place)
        if twice is not None:
            return twice
        if changed in looked and not isinstance(changed.part, Queue):
            return self._of_a_look(changed)
        return self._of_a_sight(changed)

    def _found(self, kind: CauseKind, acted: int, place: Place | None) -> Classified:
        return Classified(kind, self._race.earlier, self._race.later, acted, place)

    def _looked(self, change: Write) -> int:
        """Return the step by which the first task was told of what changed later.

        A statement that changes rows looks at them as well; what it goes by is the one
        before it that has read them.
        """
        if not visible(self._first):
            return self._race.earlier
        own = self._run.of_task(self._first.task, 1, self._race.earlier - 1)
        for number in reversed(list(own)):
            step = self._run.step(number)
            if not visible(step) and step.reads_of(change):
                return number
        return self._race.earlier

    def _of_a_look(self, change: Write) -> Classified:
        """The earlier step looked at what the later one changed."""
        run, race, place = self._run, self._race, change.place
        task, looked = self._first.task, self._looked(change)
        if looked != race.earlier:
            race = self._race = Race(looked, race.later)
            self._first = run.step(looked)
        acted = run.acting(task, race.later) or run.goes_by(race.earlier, race.later)
        is_own = any(one.place == place for one in self._first.writes)
        is_stall = self._is_stall()
        same = 0 if race.later <= run.violated_at else _acted_before(run)
        if same and task in {run.step(n).task for n in (same, run.violated_at)}:
            return self._twice(looked, place)
        if is_own and not is_stall:  # it changed that itself, at once
            return self._found(CauseKind.TOO_EARLY, race.earlier, place)
        if acted and any(isinstance(w.part, Cache) for w in run.step(acted).writes):
            return self._found(CauseKind.STALE_CACHE, acted, place)
        is_crossed = _is_crossed(run, race, place, self._others, is_stall=is_stall)
        if is_crossed and level_of(run, task, race.earlier) in _SNAPSHOTS:
            return self._found(CauseKind.WRITE_SKEW, acted, place)
        if _was_uncommitted(run, race, place):
            return self._found(CauseKind.UNCOMMITTED, acted, place)
        if is_crossed:
            kind = CauseKind.LOST_WAKE_UP if is_stall else CauseKind.WRITE_SKEW
            return self._found(kind, acted, place)
        overwritten = _overwrites(run, race.later, place)
        if overwritten and not acted and race.later <= run.violated_at:
            return Classified(CauseKind.LOST_UPDATE, overwritten, race.later, 0, place)
        if acted and not is_own:
            kind = CauseKind.ABA if self._is_deceived(acted) else CauseKind.STALE_READ
            return self._found(kind, acted, place)
        if isinstance(change.part, Lock) and not acted:
            return self._found(CauseKind.FAILED, 0, place)
        between = run.acting(task, race.earlier - 1)
        if between and not is_stall:
            return self._found(CauseKind.TOO_EARLY, between, place)
        return self._found(CauseKind.NOBODY_CALLS_AGAIN, 0, place)

    def _twice(self, looked: int, place: Place) -> Classified:
        """Return two steps that were told the same, if there are two."""
        run, first = self._run, self._run.step(looked)
        for number in range(run.violated_at - 1, 0, -1):
            step = run.step(number)
            is_same = step.operation.statement.name == first.operation.statement.name
            if step.task != first.task and is_same and step.result == first.result:
                one, other = sorted((looked, number))
                return Classified(
                    CauseKind.ACTED_TWICE, one, other, run.violated_at, place
                )
        return self._found(CauseKind.ACTED_TWICE, run.violated_at, place)

    def _of_a_sight(self, change: Write) -> Classified:
        """The later step saw what the earlier one had changed."""
        run, race, second, place = self._run, self._race, self._second, change.place
        if isinstance(change.part, Cache):
            return self._found(CauseKind.STALE_CACHE, 0, place)
        same = _acted_before(run)
        acting = {run.step(n).task for n in (same, run.violated_at)} if same else ()
        if second.task in acting and not self._is_stall():
            return self._found(CauseKind.ACTED_TWICE, run.violated_at, place)
        overwritten = self._overwritten()
        if overwritten is not None:
            return overwritten
        is_past = race.later <= run.violated_at
        if is_past and not visible(second) and self._would_act():
            return self._found(CauseKind.LOST_UPDATE, 0, place)
        if self._is_stall() and not run.acting(second.task, race.later):
            return self._found(CauseKind.NOBODY_CALLS_AGAIN, 0, place)
        return self._found(CauseKind.ORDER, 0, place)

    def _overwritten(self) -> Classified | None:
        """The second task meets a value that has overwritten another one unseen."""
        run, race, task = self._run, self._race, self._second.task
        for number in run.of_task(task, race.later, run.violated_at):
            for place, _ in run.step(number).reads:
                last = run.last_write(place, number)
                if not last or run.step(last).task == task:
                    continue
                own = [
                    n
                    for n in run.of_task(task, 1, last)
                    if _changed(run, n, place) & _changed(run, last, place)
                ]
                before = _overwrites(run, last, place) or max(own, default=0)
                if before:
                    return Classified(
                        CauseKind.LOST_UPDATE, before, last, number, place
                    )
        return None

    def _would_act(self) -> bool:
        """Return whether the second step changes something where it comes first."""
        nth = sum(1 for _ in self._run.of_task(self._second.task, 1, self._race.later))
        own = [step for step in self._saved if step.task == self._second.task]
        return len(own) >= nth and bool(visible(own[nth - 1]))

    def _is_stall(self) -> bool:
        """Return whether the run fails because something does not happen any more."""
        if not self._run.is_at_end:
            return False
        failing, passing = (
            Multiset(
                (step.operation.statement.name, write.part.name)
                for step in steps
                for write in visible(step)
            )
            for steps in (self._run.steps, self._saved)
        )
        return bool(passing - failing)


_SNAPSHOTS = (Level.REPEATABLE_READ, Level.SERIALIZABLE, Level.DEFERRED)


def _is_bookkeeping(write: Write) -> bool:
    return write.part.is_bookkeeping


def _of_a_snapshot(run: FailingRun, race: Race) -> Classified | None:
    """The earlier step's snapshot is older than what the later one commits."""
    task = run.step(race.earlier).task
    for write in run.step(race.later).writes:
        image = write.after
        if not isinstance(image, Image) or write.before is not None:
            continue
        for number in run.of_task(task, race.later + 1, run.violated_at):
            step = run.step(number)
            looked = {place for place, _ in step.reads}
            if visible(step) or (image.table, image.key) not in looked:
                continue
            if write.place in looked:
                place = (image.table, image.key)
                return Classified(
                    CauseKind.SNAPSHOT, race.earlier, race.later, number, place
                )
    return None


def level_of(run: FailingRun, task: str, number: int) -> Level:
    """Return at which level of isolation a task's transaction is at a step."""
    for one in reversed(list(run.of_task(task, 1, number))):
        for write in run.step(one).writes:
            if isinstance(write.after, Open):
                return write.after.level
    return Level.READ_COMMITTED


def _was_uncommitted(run: FailingRun, race: Race, place: Place) -> bool:
    """Return whether the change was made, and not committed, when the first looked."""
    task = run.step(race.later).task
    return any(
        _new_version(write) and (write.after.table, write.after.key) == place
        for number in run.of_task(task, 1, race.earlier - 1)
        for write in run.step(number).writes
    )


def _is_crossed(
    run: FailingRun, race: Race, place: Place, others: Sequence[Race], *, is_stall: bool
) -> bool:
    """Return whether the second task looked, too, at what the first then changed.

    That counts only where it would have saved the run as well, had it come the other
    way round. Both have looked before the other one's change; only who sleeps for ever
    may have been looked for afterwards.
    """
    tasks = run.step(race.earlier).task, run.step(race.later).task
    for other in others:
        looked, changed = run.step(other.earlier), run.step(other.later)
        if (changed.task, looked.task) != tasks or other.later <= race.earlier:
            continue
        if other.later > run.violated_at:
            continue
        if other.earlier > race.later and not is_stall:
            continue
        for write in changed.writes:
            if isinstance(write.part, Lock | Queue) or write.part.is_bookkeeping:
                continue
            if write.place != place and looked.reads_of(write):
                return True
    return False


def _writes(run: FailingRun, number: int, place: Place) -> bool:
    return any(one.place == place for one in run.step(number).writes)


def _changed(run: FailingRun, number: int, place: Place) -> set[int]:
    """Return which columns of a row a step changes; 0 stands for a whole value."""
    columns: set[int] = set()
    for write in run.step(number).writes:
        if write.place == place:
            before, after = write.before, write.after
            is_row = isinstance(before, tuple) and isinstance(after, tuple)
            pairs = enumerate(zip(before, after, strict=True)) if is_row else ()
            columns |= {at for at, (was, now) in pairs if was != now} or {0}
    return columns


def _overwrites(run: FailingRun, number: int, place: Place) -> int:
    """Return the step of another task whose value a step replaces by one of its own."""
    step, before = run.step(number), run.last_write(place, number)
    if not before or run.step(before).task == step.task:
        return 0
    if not _changed(run, before, place) & _changed(run, number, place):
        return 0
    given = set(_atoms(step.operation.args))
    is_given = any(
        given & (set(_atoms(one.after)) - set(_atoms(one.before)))
        for one in step.writes
        if one.place == place
    )
    since = run.of_task(step.task, before + 1, number - 1)
    has_looked = any(p == place for n in since for p, _ in run.step(n).reads)
    return before if is_given and not has_looked else 0


def _delivered_twice(run: FailingRun, race: Race, place: Place) -> Classified | None:
    """The second task took from a queue what the first had in hand."""
    task, key = run.step(race.later).task, place[1]
    for number in run.of_task(task, 1, race.later):
        for write in run.step(number).writes:
            is_taken = isinstance(write.part, Queue) and write.after is None
            if not is_taken or key is None or key not in set(_atoms(write.before)):
                continue
            if key in {name for _, name in run.in_hand(race.earlier)}:
                kind = CauseKind.DELIVERED_TWICE
                return Classified(kind, race.earlier, number, race.later, place)
    return None


def _acted_before(run: FailingRun) -> int:
    """Return an earlier step that did what the violating one does; 0: none."""
    last = run.step(run.violated_at)
    for number in range(1, run.violated_at):
        step = run.step(number)
        is_same = step.operation.statement is last.operation.statement
        if is_same and step.task != last.task and visible(step) and visible(last):
            return number
    return 0


def expires(run: FailingRun, number: int) -> bool:
    """Return whether a step ends a lease or alarm of somebody who goes on."""
    step = run.step(number)
    for write in step.writes:
        if isinstance(write.part, Leases):
            ended = write.after is None or not write.after.is_live
        else:
            ended = isinstance(write.part, Timers) and write.after is None
        before = run.last_write(write.place, number)
        owner = run.step(before).task if ended and before else step.task
        if owner != step.task and run.lives(owner, number):
            return True
    return False


def moves(run: FailingRun) -> Iterator[tuple[int, int, Write]]:
    """Yield pairs of steps that move a counter the same way for the same thing."""
    moved: list[tuple[int, Write, set[tuple[str, Hashable]]]] = []
    # That the violating step moves a counter is the violation itself.
    last = len(run.steps) if run.is_at_end else run.violated_at - 1
    for number in range(1, last + 1):
        for write in run.step(number).writes:
            if not isinstance(write.part, Counter) or write.part.is_bookkeeping:
                continue
            hand = run.in_hand(number)
            way = write.after - write.before
            for earlier, other, held in moved:
                if other.place == write.place and other.after - other.before == way:
                    common = {name for _, name in hand & held}
                    if common - {write.place[1], abs(way)}:
                        yield earlier, number, write
            moved.append((number, write, hand))


def circle(run: FailingRun) -> tuple[int, ...]:
    """Return the steps by which tasks wait for each other in a circle, ascending."""
    blocking: dict[str, int] = {}
    for task, places in run.waiting.items():
        last = [run.last_write(place, len(run.steps) + 1) for place in places]
        held = [n for n in last if n and run.step(n).task in run.waiting]
        others = [n for n in held if run.step(n).task != task]
        if others:
            blocking[task] = max(others)
    for task in blocking:
        steps: list[int] = []
        while task in blocking and blocking[task] not in steps:
            steps.append(blocking[task])
            task = run.step(blocking[task]).task
        if task in blocking:
            return tuple(sorted(steps))
    return ()

"""Causes by their effect: what, had it been otherwise, would have saved a run.

Theory of operation. The failing schedule is followed to its violation and on until
nothing can happen any more. Every race of that execution is reversed, one at a time:
the later step and what leads to it come first, the rest of the schedule is followed as
far as it goes, and whoever can goes on after it. If the property holds then, the race
is a cause. Where no reversal saves the run (the later step may have to wait for a lock
that the earlier one's task has), the later task is let go on from an earlier step of
the other. The same is asked of each expiry and fault (what if it had come last?), of
each answer to a choice (what if it had been another?), and of a counter that two steps
have moved for the same thing (what if the second one had not?). Nothing is called a
cause that has not been tried, and the schedule that passes is kept with it.

Knows no kind of cause; knows no domain.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from wavecheck.sim.deadline import NO_DEADLINE, Deadline
from wavecheck.sim.errors import OutOfTime
from wavecheck.sim.faults import FAULT_TASK_PREFIX, FaultPlan
from wavecheck.sim.parts import Lock
from wavecheck.sim.search.asking import ask_again
from wavecheck.sim.search.classifying import (
    Classified,
    Classifier,
    FailingRun,
    circle,
    expires,
    moves,
    visible,
)
from wavecheck.sim.search.execution import fair_after
from wavecheck.sim.search.footprints import (
    Footprint,
    Observed,
    Write,
    footprints,
)
from wavecheck.sim.search.kinds import STEPS_MAX, Cause, CauseKind
from wavecheck.sim.search.old_values import OldValues
from wavecheck.sim.search.races import CausalOrder, Race, is_reversed
from wavecheck.sim.search.recorded import Entry, RecordedChoices, Script
from wavecheck.sim.search.schedule import (
    Schedule,
    passes,
    run_rule,
    steps_with_answers,
)
from wavecheck.sim.task import Task
from wavecheck.sim.trace import Step, plain
from wavecheck.sim.world import World

RUNS_MAX: Final = 400
"""So many executions are tried."""

CAUSES_MAX: Final = 3
"""So many are told, each of another kind."""

_ANSWERS_MAX: Final = 4
_OLD: Final = frozenset(
    {
        CauseKind.STALE_READ,
        CauseKind.STALE_CACHE,
        CauseKind.ABA,
        CauseKind.SNAPSHOT,
        CauseKind.UNCOMMITTED,
        CauseKind.WRITE_SKEW,
    }
)
"""Kinds by which a value that had changed was acted on."""

_RESERVE: Final = 20


@dataclass(frozen=True, slots=True)
class Causes:
    """What is known of why a run fails.

    Attributes:
        found: the causes, the main one first.
        steps: the run, followed beyond its violation to its end.
        was_cut: the deadline came before everything was tried.
    """

    found: tuple[Cause, ...]
    steps: tuple[Step, ...]
    was_cut: bool = False


def causes_of(
    world: World, schedule: Schedule, *, deadline: Deadline = NO_DEADLINE
) -> Causes:
    """Return the causes of a violation.

    Args:
        world: that the schedule was recorded in.
        schedule: which violates its property.
        deadline: ends the search for causes with those found by then.
    """
    entries = [Entry(*one) for one in steps_with_answers(world, schedule)]
    found: dict[Classified, tuple[int, ...]] = {}
    if len(entries) > STEPS_MAX:
        return Causes((), ())
    with suppress(OutOfTime):
        search = _Search(world, schedule, entries, deadline)
        was_cut = True
        with suppress(OutOfTime):
            for what, passing in search.causes():
                found.setdefault(what, passing)
            was_cut = False
        ranked = sorted(found.items(), key=lambda one: _rank(one[0]))
        told = search.told(_distinct(ranked, len(entries)))
        return replace(told, was_cut=was_cut)
    return Causes((), (), was_cut=True)


_RANKS: Final = {kind: rank for rank, kind in enumerate(CauseKind)}


def _rank(one: Classified) -> tuple[int, bool, int, int]:
    # Of those who looked before something changed, the last one decides.
    is_last = one.kind is CauseKind.NOBODY_CALLS_AGAIN
    first = -one.first if is_last else one.first
    return _RANKS[one.kind], not one.second, first, one.second


def _distinct(
    ranked: Sequence[tuple[Classified, tuple[int, ...]]], violated_at: int
) -> list[tuple[Classified, tuple[int, ...]]]:
    """Leave out what says the same again, and bare orders where more is known."""
    told: list[tuple[Classified, tuple[int, ...]]] = []
    for one, passing in ranked:
        # That the violating step itself could have come later is no news.
        is_bare = (
            one.kind in (CauseKind.ORDER, CauseKind.ANSWER) or one.first == violated_at
        )
        is_known = any(other.kind is one.kind for other, _ in told)
        if not is_known and not (is_bare and told):
            told.append((one, passing))
    return told[:CAUSES_MAX]


def _meet(first: Footprint, second: Footprint) -> bool:
    """Return whether steps conflict on more than locks and bookkeeping."""
    return any(
        (one.reads_of(write) or any(write.place == w.place for w in one.writes))
        and not isinstance(write.part, Lock)
        and not write.part.is_bookkeeping
        for one, other in ((first, second), (second, first))
        for write in other.writes
    )


def _count(done: Sequence[Entry], task: str) -> int:
    return sum(one.task == task for one in done)


def _fault(kind: str, plan: FaultPlan) -> str:
    return f"{FAULT_TASK_PREFIX}{kind}-{plan[kind]}"


class _Search:
    """Tries what would have saved one run."""

    def __init__(
        self,
        world: World,
        schedule: Schedule,
        entries: Sequence[Entry],
        deadline: Deadline,
    ) -> None:
        self._world = world
        self._schedule = schedule
        self._property_name = schedule.property_name
        self._deadline = deadline
        self._runs_left = RUNS_MAX
        self._fair_after = fair_after(len(entries))
        script = Script(world.kernel, entries)
        observed = self._observed(script)
        self.entries = tuple(script.done)
        self.run = FailingRun(
            steps=observed.steps,
            waiting=observed.waiting,
            cut=observed.cut,
            violated_at=len(entries),
            is_at_end=any(
                one.name == schedule.property_name and one.moment.is_at_end
                for one in world.properties
            ),
        )
        self.order = CausalOrder(self.run.steps)

    def _observed(self, script: Script) -> Observed:
        kernel = self._world.kernel
        kernel.on_step = script.note
        try:
            with self._deadline.watching(kernel):
                return footprints(self._world, script, fair_after=self._fair_after)
        finally:
            kernel.on_step = None

    def causes(self) -> Iterator[tuple[Classified, tuple[int, ...]]]:
        """Yield whatever would have saved the run, with a schedule that passes."""
        found: list[tuple[Classified, tuple[int, ...]]] = []
        for search in (self._by_strikes, self._by_waiting, self._by_races):
            found += search()
        if not any(one.kind in _OLD for one, _ in found):
            found += self._by_old_values()
        for search in (self._by_counters, self._by_answers):
            found += search()
        yield from found
        if all(one.kind in (CauseKind.ORDER, CauseKind.ANSWER) for one, _ in found):
            yield from self._kinds_of(self._by_sections())

    def told(self, found: Sequence[tuple[Classified, tuple[int, ...]]]) -> Causes:
        """Return the causes with what their reads would have given later."""
        kernel = self._world.kernel
        script = Script(kernel, self.entries)
        asked: dict[Classified, Any] = {}

        def note(task: Task, *details: object) -> None:
            script.note(task, *details)
            for one, _ in found:
                if one.second == kernel.steps_count and one.first < one.second:
                    looked = self.run.step(one.first)
                    if looked.operation.statement.acts_outside:
                        continue
                    now = ask_again(kernel, looked.operation)
                    if now != looked.result and not visible(looked):
                        asked[one] = plain(now)

        steps = run_rule(self._world, script, note, fair_after=self._fair_after).steps
        return Causes(
            tuple(
                Cause(
                    kind=one.kind,
                    first=one.first,
                    second=one.second,
                    acted=one.acted,
                    place=one.place,
                    value_then=asked.get(one),
                    passing=passing,
                )
                for one, passing in found
            ),
            steps,
        )

    def _by_races(self) -> Iterator[tuple[Classified, tuple[int, ...]]]:
        """Let the later step of a race come first."""
        saving = []
        for race in self.order.races():
            if race.earlier <= self.run.violated_at:
                passing = self._saves(self.order.reversed(self.entries, race), race)
                if passing is not None:
                    saving.append((race, passing))
        return self._kinds_of(saving)

    def _kinds_of(
        self, saving: Iterable[tuple[Race, tuple[int, ...]]]
    ) -> Iterator[tuple[Classified, tuple[int, ...]]]:
        known = list(saving)
        for race, passing in known:
            others = [one for one, _ in known if one != race]
            yield self._finding(race, passing, others), passing

    def _by_old_values(self) -> Iterator[tuple[Classified, tuple[int, ...]]]:
        """Let a task that goes by an old value go no further."""
        if self.run.is_at_end:
            return
        kernel = self._world.kernel
        script = Script(kernel, self.entries[: self.run.violated_at])
        values = OldValues(kernel)

        def note(task: Task, *details: Any) -> None:
            script.note(task)
            values.note(task, *details)
            kernel.is_stopped |= kernel.steps_count == self.run.violated_at

        run_rule(self._world, script, note)
        for old in reversed(values.found):
            if visible(self.run.step(old.acted)) and self._is_saved_without(old.acted):
                kind = CauseKind.STALE_READ
                yield Classified(kind, old.looked, old.changed, old.acted), ()
                return

    def _is_saved_without(self, number: int) -> bool:
        """Return whether nothing is violated as long as a task does not go on."""
        task = self.entries[number - 1].task
        count = sum(1 for _ in self.run.of_task(task, 1, number - 1))
        entries = self._postponed(number)
        return self._saves(entries, held=(task, count)) is not None

    def _by_waiting(self) -> Iterator[tuple[Classified, tuple[int, ...]]]:
        """Let one of those that wait in a circle come last."""
        steps = circle(self.run)
        if len(steps) > 1:
            passing = self._saves(self._postponed(steps[-1]))
            if passing is not None:
                yield Classified(CauseKind.DEADLOCK, steps[0], steps[-1]), passing

    def _by_answers(self) -> Iterator[tuple[Classified, tuple[int, ...]]]:
        """Let what was chosen inside a step be another one."""
        for number, entry in enumerate(self.entries[: self.run.violated_at], start=1):
            if entry.task.startswith(FAULT_TASK_PREFIX):
                continue
            for place, option in enumerate(entry.options):
                for other in range(_ANSWERS_MAX):
                    if other == option:
                        continue
                    options = (*entry.options[:place], other)
                    entries = list(self.entries)
                    entries[number - 1] = replace(entry, options=options)
                    passing = self._saves(entries)
                    if passing is not None:
                        yield Classified(CauseKind.ANSWER, number, 0), passing
                        break

    def _by_strikes(self) -> Iterator[tuple[Classified, tuple[int, ...]]]:
        """Leave out a fault; let an expiry come last."""
        for number in range(1, self.run.violated_at + 1):
            task = self.run.step(number).task
            if task.startswith(FAULT_TASK_PREFIX):
                if self._passes_without(task):
                    yield Classified(CauseKind.FAULT, number, 0), ()
            elif expires(self.run, number):
                passing = self._saves(self._postponed(number))
                if passing is not None:
                    yield Classified(CauseKind.EXPIRED, number, 0), passing

    def _passes_without(self, fault: str) -> bool:
        kind = fault.removeprefix(FAULT_TASK_PREFIX).rpartition("-")[0]
        plan = dict(self._schedule.faults)
        self._world.plan_faults({**plan, kind: plan[kind] - 1})
        try:
            left = [one for one in self.entries if one.task != fault]
            # The faults of a kind are numbered, and the last number is gone.
            named = [
                replace(one, task=fault) if one.task == _fault(kind, plan) else one
                for one in left
            ]
            return self._saves(named) is not None
        finally:
            self._world.plan_faults(plan)

    def _by_counters(self) -> Iterator[tuple[Classified, tuple[int, ...]]]:
        """Let a second move of a counter for the same thing find it as it was."""
        for earlier, later, write in moves(self.run):
            if self._saves(self.entries, at=later, moved=write) is not None:
                yield (
                    Classified(CauseKind.COUNTED_TWICE, earlier, later, 0, write.place),
                    (),
                )

    def _by_sections(self) -> Iterator[tuple[Race, tuple[int, ...]]]:
        """Let a task go on from an earlier step of the other one, the latest first."""
        last = self.run.violated_at
        for later in (*range(last, 0, -1), *range(last + 1, len(self.entries) + 1)):
            found = self._by_section(later)
            if found is not None:
                yield found

    def _by_section(self, later: int) -> tuple[Race, tuple[int, ...]] | None:
        second = self.run.step(later)
        for earlier in range(min(later - 1, self.run.violated_at), 0, -1):
            first = self.run.step(earlier)
            if first.task == second.task or not _meet(first, second):
                continue
            race = Race(earlier, later)
            for start in reversed(list(self.run.of_task(first.task, 1, earlier))):
                if self._runs_left < _RESERVE or self._deadline.is_over():
                    return None
                passing = self._saves(self._advanced(later, start), race)
                if passing is not None:
                    is_met = _meet(self.run.step(start), second)
                    return Race(start, later) if is_met else race, passing
        return None

    def _finding(
        self, race: Race, passing: tuple[int, ...], others: Sequence[Race]
    ) -> Classified:
        saved = footprints(
            self._world, RecordedChoices(passing), fair_after=self._fair_after
        )

        def is_deceived(acted: int) -> bool:
            return self._is_refused_after(race.later, acted)

        classifier = Classifier(self.run, race, saved.steps, others, is_deceived)
        return classifier.finding()

    def _is_refused_after(self, number: int, acted: int) -> bool:
        """Return whether a step checks, and changes nothing right after another."""
        entry = self.entries[acted - 1]
        early, late = self.entries[:number], self.entries[number:]
        script = Script(self._world.kernel, [*early, entry, *late])
        steps = self._observed(script).steps
        if len(steps) <= number:
            return False
        step, other = steps[number], self.run.step(acted)
        is_same = step.task == other.task and (
            step.operation.statement is other.operation.statement
        )
        if not is_same or visible(step):
            return False
        # What it would have changed is as it would make it: that is no check.
        now = {w.place: w.after for one in steps[:number] for w in one.writes}
        return any(now.get(w.place, w.before) != w.after for w in visible(other))

    def _advanced(self, later: int, start: int) -> list[Entry]:
        """Return a script in which a task comes to a step before another is taken."""
        task = self.entries[later - 1].task
        early, rest = self.entries[: start - 1], self.entries[start - 1 :]
        moved = [one for one in self.entries[start - 1 : later] if one.task == task]
        after = list(rest)
        for one in moved:
            after.remove(one)
        return [*early, *moved, *after]

    def _postponed(self, number: int) -> list[Entry]:
        """Return a script in which a task goes on from a step when it is over."""
        task = self.entries[number - 1].task
        early, late = self.entries[: number - 1], self.entries[number - 1 :]
        return [*early, *(one for one in late if one.task != task)]

    def _saves(
        self,
        entries: Sequence[Entry],
        race: Race | None = None,
        *,
        at: int = 0,
        moved: Write | None = None,
        held: tuple[str, int] | None = None,
    ) -> tuple[int, ...] | None:
        """Run a script; return its choices if the property holds then.

        Args:
            entries: the script.
            race: that must come the other way round, or nothing is shown.
            at: number of a step before which a counter is set back.
            moved: what that step does to it in the failing run.
            held: a task that takes so many steps, and no more; what it does when it is
                alone is not looked at.
        """
        if not self._runs_left or self._deadline.is_over():
            raise OutOfTime
        self._runs_left -= 1
        kernel = self._world.kernel
        script = Script(kernel, entries)

        def note(task: Task, *details: Any) -> None:
            script.note(task, *details)
            if held is not None and _count(script.done, held[0]) > held[1]:
                kernel.journal.clear()
                kernel.is_stopped = True
            if moved is not None and kernel.steps_count == at - 1:
                back = moved.before - (moved.after - moved.before)
                moved.part._values[moved.place[1]] = back  # type: ignore[attr-defined]  # a counter

        kernel.on_step = note
        try:
            with self._deadline.watching(kernel):
                keeps = passes(
                    self._world,
                    script,
                    self._property_name,
                    fair_after=self._fair_after,
                )
        finally:
            kernel.on_step = None
        if not keeps or kernel.was_cut:
            return None
        if race is not None and not is_reversed(self.run.steps, race, script.done):
            return None
        return tuple(kernel.choices)

"""Learning: from a task and a packed state to what the task's next step does.

Joins what operations do to shared state with what their results do to local state.
Knows numbers of local states and of component values, and neither arrays nor bits.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any, Final

from wavecheck.sim.exhaustive.crowd import SELF, Crowd, CrowdGrew, births_of, task_of
from wavecheck.sim.exhaustive.decisions import Alternative
from wavecheck.sim.exhaustive.effects import Effects
from wavecheck.sim.exhaustive.fingerprint import Fingerprint
from wavecheck.sim.exhaustive.handoffs import Handoffs
from wavecheck.sim.exhaustive.healing import HEALING, HealingLocals
from wavecheck.sim.exhaustive.hidden import Watch
from wavecheck.sim.exhaustive.locals import Executions, TaskLocals
from wavecheck.sim.exhaustive.recording import Recorder, record
from wavecheck.sim.exhaustive.reduction import WHOLE, Reduction
from wavecheck.sim.exhaustive.refusal import refuse
from wavecheck.sim.exhaustive.shared import SharedState
from wavecheck.sim.exhaustive.symmetry import Groups, SymmetryBroken, declared_groups
from wavecheck.sim.exhaustive.thinning import Thinning
from wavecheck.sim.property import NO_ERROR, Moment, Property, with_no_error
from wavecheck.sim.task import Task
from wavecheck.sim.world import World

Writes = tuple[tuple[int, int], ...]

ENDS: Final = -1
"""In a list of questions: whether a state without steps is healed."""

ENDS_MAX: Final = 256
"""States in which nothing can happen that are kept to be judged again, at most."""

RECHECKS_MAX: Final = 4_000
"""Resumptions that are run again by another history, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that the next step of a task may do.

    Attributes:
        choices: what the kernel's rule answered inside the step.
        local: number of the task's local state after it.
        writes: (component, number of its new value).
        violated: indexes of the properties that it violates.
        moves: (other task, number of the local state that it is put in).
        one_in: one over the odds of these choices, each being uniform.
    """

    choices: tuple[int, ...]
    local: int
    writes: tuple[tuple[int, int], ...]
    violated: tuple[int, ...]
    moves: tuple[tuple[int, int], ...] = ()
    one_in: int = 1


class Learner:
    """Knows everything that was ever run in Python.

    Args:
        world: must be untimed; it belongs to the learner from now on.
        reduces: leave out state that nothing reads and no property needs, and explore
            interchangeable tasks in one order only.
        allows_places: tasks may keep something beside the parts; whoever asked will
            see that it is harmless.

    Attributes:
        watch: what tasks share, and whether it changes.
        executions: fresh ones, to run single coroutines in.
        moves_tasks: some step puts another task somewhere else.
        ends: some of the states in which nothing can happen, as they were judged.
        groups: interchangeable tasks, which share their local states.
        broken_symmetry: why declared ones are explored in full; empty: they are not.
        reduction: what is left out.
        shared: the components.
        tasks: the local states of each task.
        healing: index of the pseudo-task that heals; None: nothing was healed yet.
        properties: those that can be judged without time, and that nothing raises.
        no_error: index of the latter.
        fails_at_start: some task ends by an error before its first step.
        asked: every question that something was learned from, in order: (task, number
            of each local state and component), or (`ENDS`, of each component). It makes
            the same numbers again in another process.
    """

    def __init__(
        self, world: World, *, reduces: bool = False, allows_places: bool = False
    ) -> None:
        kernel = world.kernel
        if kernel.is_timed:
            raise refuse(
                "the world is timed", task="(none)", likely="a kernel with timed=True"
            )
        unprovable = getattr(world, "unprovable", "")
        if unprovable:
            raise refuse(unprovable, task="(none)", likely="it is no task of the world")
        self.world = world
        self.properties: tuple[Property, ...] = tuple(
            with_no_error(
                [one for one in world.properties if one.moment is not Moment.TIMED]
            )
        )
        self.no_error = self.properties.index(NO_ERROR)
        kernel.rewind()
        self.reduction = Reduction(is_on=reduces)
        births = births_of(kernel)
        self.shared = SharedState(kernel)
        self._recorder = Recorder(self.shared, self.reduction)
        self._crowd = Crowd(
            kernel,
            births,
            self._recorder,
            lambda one: self.effects.operations[one].operation,
        )
        self.watch = Watch(world, allows_places=allows_places)
        self.effects = Effects(
            world,
            self.properties,
            self.shared,
            recorder=self._recorder,
            reduction=self.reduction,
            crowd=self._crowd,
            identity=lambda: self.watch.identity,
        )
        record(kernel, self._recorder, self._crowd)
        self.executions = Executions(
            world, self.watch, self._recorder, self.shared.forget
        )
        started = self.executions.start()
        if self.watch.handed:
            started = self._share()
        self.fails_at_start = self.executions.has_failed
        self.tasks: list[TaskLocals] = []
        self.asked: list[tuple[int, tuple[int, ...]]] = []
        self._answers = Fingerprint()
        self._answered: list[tuple[int, list[int], list[Step]]] = []
        self.healing: int | None = None
        self.moves_tasks = False
        self.ends: Thinning[tuple[tuple[int, ...], tuple[list[int], list[int]]]]
        self.ends = Thinning(ENDS_MAX)
        self._crowd.begin = self.executions.begin
        for index, task in enumerate(started):
            locals_ = TaskLocals(index, task.name, self.executions, self.effects)
            locals_.note_start(task)
            self.tasks.append(locals_)
        self.groups: Groups = ()
        self.broken_symmetry = ""
        if reduces:
            self._merge(declared_groups(world, [task.name for task in started]))
        self._first_round = HealingLocals(
            len(self.tasks), world, self.executions, self.effects
        )
        self._crowd.know(self.tasks, self._first_round)
        if reduces:
            self._note_needs()

    def _share(self) -> list[Task]:
        """Let the use of asyncio's objects that tasks share be a component."""
        handoffs = Handoffs(self.world.kernel, self._recorder)
        handoffs.component = self.shared.add_part(handoffs)
        self.reduction.need(handoffs, WHOLE)
        return self.executions.share(handoffs)

    def _merge(self, groups: Groups) -> None:
        """Let interchangeable tasks learn together, as far as they begin alike."""
        merged = []
        for group in groups:
            first = self.tasks[group[0]]
            for other in group[1:]:
                if not self.tasks[other].share(first):
                    self.broken_symmetry = (
                        f"{first.name} and {self.tasks[other].name} differ from their"
                        " start"
                    )
                    break
            else:
                merged.append(group)
        self.groups = tuple(merged)

    def take_constants(self, tasks: list[Task]) -> None:
        """Note what the tasks of an execution on the kernel share, if any step asks."""
        if self.effects.names_passing:
            self.watch.start(tasks)

    def break_symmetry(self, why: str) -> None:
        """Explore interchangeable tasks in full from here on; what is learned stays."""
        self.groups = ()
        self.broken_symmetry = why

    def _check_symmetry(self, task: int, reads: list[int], steps: list[Step]) -> None:
        """See that a step does not tell interchangeable tasks apart.

        Raises:
            SymmetryBroken: it does.
        """
        members = {one for group in self.groups for one in group}
        asked = {task_of(one) for one in reads if one < SELF}
        moved = {other for step in steps for other, _ in step.moves}
        if SELF in reads and task in members:
            what = "asks who performs it"
        elif members & (asked | moved):
            what = "looks at or moves one of several interchangeable tasks"
        else:
            return
        raise SymmetryBroken(f"a step of {self.tasks[task].name} {what}")

    def _note_needs(self) -> None:
        """Note what the final checks look at in the initial state.

        In other states they may look at more; this saves beginning again, no more.
        """
        try:
            self.judge_end([0] * len(self.shared.components))
        except Exception:
            return  # a check may rely on being asked at the end

    def begin_again(self) -> None:
        """Forget what was learned while something needed was left out."""
        self.reduction.begin_again()
        self.effects.forget_all()

    def end(self) -> None:
        """End what is kept to learn quickly; learning may go on all the same."""
        self.executions.end_standing()

    @property
    def python_calls(self) -> int:
        """How many statements and resumptions were run in Python."""
        return self.effects.runs_count + self.executions.runs_count

    def resolve(
        self, task: int, places: Sequence[int], shared: Sequence[int]
    ) -> tuple[list[int], list[Step]]:
        """Return what the next step of a task reads and may do.

        Args:
            task: index of the task.
            places: number of the local state of each task.
            shared: number of the value of each component.

        Returns:
            The components it depends on, in the order in which it reads them (places of
            tasks as `crowd.place_of` says), and the alternatives; none if the task has
            ended or is not enabled.

        Raises:
            CrowdGrew: a task was met that nobody knew of; ask again from the start.
            SymmetryBroken: the step tells interchangeable tasks apart.
        """
        self.asked.append((task, (*places, *shared)))
        reads, steps = self.known(task, places, shared)
        self._answered.append((task, reads, steps))
        return reads, steps

    @property
    def answers(self) -> str:
        """A checksum of all answers so far; for checkpoints."""
        answered, self._answered = self._answered, []
        for task, reads, steps in answered:
            self._answers.add(task, reads, [astuple(one) for one in steps])
        return self._answers.text()

    def known(
        self, task: int, places: Sequence[int], shared: Sequence[int]
    ) -> tuple[list[int], list[Step]]:
        """Return what `resolve` does, of a step that was asked for before."""
        locals_ = self.tasks[task]
        operation = locals_.states[places[task]].operation
        if operation is None:
            return [], []
        reads, alternatives = self.effects.resolve(operation, shared, task, places)
        steps = []
        for one in alternatives:
            if isinstance(locals_, HealingLocals) and locals_.is_over(one.result):
                continue
            local, reads, writes = self._following(
                locals_, places[task], one, shared, reads
            )
            self.moves_tasks |= bool(one.moves)
            violated = one.violated
            escaped = locals_.states[local].escaped
            if isinstance(escaped, self.world.kernel.survived):
                raise refuse(
                    f"{locals_.name} ends by an error of its own: {escaped!r}",
                    task=locals_.name,
                    likely="a statement that fails where no fault has struck",
                )
            if escaped is not None and self.no_error not in violated:
                violated = (*violated, self.no_error)
            steps.append(
                Step(
                    choices=one.choices,
                    local=local,
                    writes=writes,
                    violated=violated,
                    moves=one.moves,
                    one_in=one.one_in,
                )
            )
        if self.groups:
            self._check_symmetry(task, reads, steps)
        return reads, steps

    def _following(
        self,
        locals_: TaskLocals,
        place: int,
        one: Alternative,
        shared: Sequence[int],
        reads: list[int],
    ) -> tuple[int, list[int], Writes]:
        """Return the local state after a step, what it depends on, and what it writes.

        Raises:
            CannotLearn: faults strike tasks that share objects of asyncio's.
        """
        handoffs = self.executions.handoffs
        if handoffs is None:
            return locals_.next(place, one.result), reads, one.writes
        if one.moves or self.healing is not None or locals_.is_later:
            locals_.refuse_faults()
        moment = shared[handoffs.component]
        local, after = locals_.next_at(place, one.result, moment)
        if after is None:
            return local, reads, one.writes
        if handoffs.component not in reads:
            reads = [*reads, handoffs.component]
        number = self.shared.number(handoffs.component, after)
        assert number == after
        return local, reads, (*one.writes, (handoffs.component, number))

    def ask_again(self, asked: Sequence[tuple[int, Sequence[int]]]) -> bool:
        """Answer what another learner was asked, to know what it knew.

        Returns:
            False if a question is about something that is not known here.
        """
        for task, fields in asked:
            places = [len(one.states) for one in self.tasks]
            values = [len(one.values) for one in self.shared.components]
            known = values if task == ENDS else [*places, *values]
            if not ENDS <= task < len(places) or len(fields) > len(known):
                return False
            if any(one >= count for one, count in zip(fields, known, strict=False)):
                return False
            try:
                if task == ENDS:
                    self._make_sure_nothing_heals(fields)
                    continue
                count = len(places)
                self.resolve(task, fields[:count], fields[count:])
            except CrowdGrew:
                continue  # as it was for the other learner
            self.take_growth()
        return True

    def _add_healing(self) -> None:
        self.healing = len(self.tasks)
        self.tasks.append(
            HealingLocals(self.healing, self.world, self.executions, self.effects)
        )

    def _make_sure_nothing_heals(self, shared: Sequence[int]) -> None:
        """See that a state in which nothing can happen is not healed.

        Raises:
            CrowdGrew: it is; the pseudo-task that heals is there from now on.
        """
        first = self._first_round
        operation = first.states[0].operation
        assert operation is not None
        runs = self.effects.runs_count
        try:
            _, alternatives = self.effects.resolve(operation, shared, 0)
        finally:
            if self.effects.runs_count != runs:
                self.asked.append((ENDS, tuple(shared)))
        if not all(first.is_over(one.result) for one in alternatives):
            self._add_healing()
            raise CrowdGrew(HEALING)

    def take_growth(self) -> set[str]:
        """Return the parts that got components, and forget what that invalidates."""
        grown = set(self.shared.grown_parts)
        self.shared.grown_parts.clear()
        if grown:
            self.effects.forget(grown)
        return grown

    def judge_end(self, shared: Sequence[int]) -> tuple[list[int], list[int]]:
        """Judge a state in which nothing can happen.

        Returns:
            Indexes of the properties that it violates, and of those at risk in it.

        Raises:
            CrowdGrew: the world heals it; the exploration must begin again.
        """
        if self.healing is None:
            self._make_sure_nothing_heals(shared)
        judged = self.judge_end_again(shared)
        self.ends.offer((tuple(shared), judged))
        return judged

    def judge_end_again(self, shared: Sequence[int]) -> tuple[list[int], list[int]]:
        """Judge a state that nothing heals; returns the same as `judge_end`."""
        self.shared.load(shared)
        violated, at_risk = [], []
        if self.reduction.is_on or self.executions.handoffs is not None:
            self._recorder.start(only_known=True)
        try:
            for index, one in enumerate(self.properties):
                if one.at_end is None or one.begins is not None:
                    pass  # what must follow is asked of the graph
                elif one.at_end(self.world) is not None:
                    violated.append(index)
                if one.is_at_risk(self.world):
                    at_risk.append(index)
        finally:
            self._recorder.is_active = False
        self.reduction.check()
        return violated, at_risk

    def judge(
        self, shared: Sequence[int], index: int, check: str = "at_end"
    ) -> tuple[bool, list[int]]:
        """Judge one property by one of its checks, in any state.

        Args:
            shared: number of the value of each component.
            index: of the property.
            check: `at_end`, or `begins`.

        Returns:
            Whether it is violated, or begins, and the components that were read.
        """
        asked = getattr(self.properties[index], check)
        self.shared.load(shared)
        recorder = self._recorder
        recorder.start(only_known=True)
        try:
            answer = asked(self.world)
        finally:
            recorder.is_active = False
        self.reduction.check()
        return answer is not None and answer is not False, [
            read for read, _ in recorder.reads if read >= 0
        ]

    def values_now(self) -> list[Any]:
        """Return what each component holds in the parts, but for those left out."""
        shared, leaves_out = self.shared, self.reduction.leaves_out
        return [
            shared.value(one.part, one.key)
            for one in shared.components
            if not leaves_out(one.part, one.key)
        ]

    def recheck(self, resumptions_max: int = RECHECKS_MAX) -> int:
        """Run learned statements again, and steps by other histories; return how many.

        Args:
            resumptions_max: how many steps are run by another history, at most.

        Raises:
            CannotLearn: one of them came out differently.
            SymmetryBroken: by one task, and by an interchangeable one.
        """
        try:
            return self._recheck(resumptions_max)
        finally:
            self.end()

    def _recheck(self, resumptions_max: int) -> int:
        self.watch.check("(any)", is_last=True)
        statements = self.effects.recheck()
        checked = self._recheck_groups(resumptions_max)
        for task in self.tasks:
            if any(task.index in group[1:] for group in self.groups):
                continue  # it shares what another has learned
            for number in range(len(task.states)):
                if checked >= resumptions_max:
                    return statements + checked
                checked += task.recheck(number)
        return statements + checked

    def _recheck_groups(self, resumptions_max: int) -> int:
        """Run what one of several interchangeable tasks has shown by all of them."""
        checked = 0
        for group in self.groups:
            for number in range(len(self.tasks[group[0]].states)):
                if checked >= resumptions_max // 4:
                    return checked
                for member in group[1:]:
                    checked += self.tasks[member].recheck_as_member(number)
        return checked

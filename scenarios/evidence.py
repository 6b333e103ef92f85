"""What is known of one recorded schedule, each thing made once, when it is first asked.

Every output that shows a schedule is given its evidence, so that four outputs of one
counterexample explain it once. Knows how a schedule is replayed and explained; shows
nothing.
"""

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from wavecheck.scenarios.subject import Subject
from wavecheck.sim.deadline import NO_DEADLINE, Deadline
from wavecheck.sim.search import explain as explaining
from wavecheck.sim.search.explain import Explanation, NoReturn
from wavecheck.sim.search.schedule import (
    Replayed,
    Schedule,
    replay,
    steps_with_answers,
)
from wavecheck.sim.world import World

if TYPE_CHECKING:
    import networkx as nx

EXPLAINED_STATES_MAX: Final = 20_000
"""In larger worlds the point of no return is looked for by trying continuations."""

_TRYING: Final = 0.4
"""The share of the time that goes to continuations; the rest is for all states."""

EXPLAINED_TASKS_MAX: Final = 64
"""With more tasks a world is larger than that, and to learn it takes minutes."""


class Evidence:
    """One recorded schedule with the subject that it was recorded in.

    Args:
        subject: what it was recorded in, in the same sizes.
        schedule: what was recorded.
        no_return: its point of no return, where that is known exactly already.
        explanation: why it fails, where that is known already.
        deadline: by when it is explained, as well as is possible by then.
    """

    def __init__(
        self,
        subject: Subject,
        schedule: Schedule,
        *,
        no_return: NoReturn | None = None,
        explanation: Explanation | None = None,
        deadline: Deadline = NO_DEADLINE,
    ) -> None:
        self.subject = subject
        self.schedule = schedule
        self._no_return = no_return
        self._deadline = deadline
        if explanation is not None:
            self.explanation = explanation

    @classmethod
    def of(cls, recorded: "Schedule | Explanation | Evidence") -> "Evidence":
        """Return the evidence of what somebody has in hand.

        Raises:
            InvalidScenario: its scenario, settings or property do not exist any more.
            CoordinatorError: its coordinator does not load.
        """
        if isinstance(recorded, Evidence):
            return recorded
        if isinstance(recorded, Explanation):
            schedule = recorded.schedule
            subject = Subject.of_schedule(schedule)
            return cls(subject, schedule, explanation=recorded)
        return cls(Subject.of_schedule(recorded), recorded)

    def world(self) -> World:
        """Return a fresh world that the schedule can be replayed in."""
        return self.subject.world()

    @cached_property
    def replayed(self) -> Replayed:
        """What a replay shows, every step verified.

        Raises:
            ReplayMismatch: at the first step that is not as recorded.
        """
        return replay(self.world(), self.schedule)

    @cached_property
    def explanation(self) -> Explanation:
        """Why the schedule fails; exactly, where the world is small enough.

        Raises:
            ReplayMismatch: it does not replay, or violates nothing.
        """
        known, deadline = self._no_return, self._deadline
        told = explaining.explain(
            self.world(),
            self.schedule,
            no_return=known,
            deadline=deadline.share(_TRYING),
        )
        if told.no_return is None or told.no_return.is_exact or deadline.is_over():
            return told
        if self.subject.server is not None:
            return told  # the states on a server are no tables that could be learnt
        exact = exact_no_return(self.subject, self.schedule, deadline)
        if exact is None or exact.step == told.no_return.step:
            return replace(told, no_return=exact or told.no_return)
        return explaining.explain(
            self.world(), self.schedule, no_return=exact, deadline=deadline
        )

    @cached_property
    def happens_before(self) -> "nx.DiGraph[int]":
        """Which steps are ordered by more than the schedule."""
        from wavecheck.sim.search.happens_before import happens_before

        return happens_before(self.world(), self.schedule)


def exact_no_return(
    subject: Subject, schedule: Schedule, deadline: Deadline = NO_DEADLINE
) -> NoReturn | None:
    """Return where a schedule passes the point of no return, from the whole graph.

    Args:
        subject: that it was recorded in.
        schedule: which violates its property.
        deadline: ends the exploration, and nothing is known.

    Returns:
        None where the world is too large for that or cannot be learned, or where the
        very first step is already beyond it.
    """
    # The exhaustive engine is slow to load.
    from wavecheck.sim.exhaustive import CannotLearn, Limits
    from wavecheck.sim.exhaustive.graph import graph_of
    from wavecheck.sim.exhaustive.prove import searched
    from wavecheck.sim.exhaustive.recovery import first_lost

    world = subject.world()
    steps = steps_with_answers(world, schedule)
    if len(world.kernel.tasks) > EXPLAINED_TASKS_MAX:
        return None
    try:
        search, stopped_by = searched(
            subject.world(),
            limits=Limits(
                states_max=EXPLAINED_STATES_MAX,
                stop=lambda: "the budget" if deadline.is_over() else None,
            ),
        )
    except CannotLearn:
        return None
    if stopped_by:
        return None
    graph = graph_of(search)
    names = [one.name for one in search.learner.properties]
    index = names.index(schedule.property_name)
    if search.learner.properties[index].begins is not None:
        return None  # what is lost for it depends on what has begun
    step = first_lost(search, graph, index, steps)
    return None if step is None else whole_graph(step, graph.states_count)


def whole_graph(step: int, states_count: int) -> NoReturn:
    """Return a point of no return that is known from every state of a world."""
    return NoReturn(
        step=step, is_exact=True, continuations_count=0, states_count=states_count
    )

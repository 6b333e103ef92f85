"""Strategies `random` and `pct` as arrays: thousands of executions at once.

Joins the exhaustive engine's sampler to a search session. Whatever violates a property
is performed on the session's own kernel, and only that counts as found. What cannot be
learned is searched on the kernel, as every other strategy is, and it says so.
"""

from collections.abc import Callable
from typing import Final

from wavecheck.scenarios.subject import Subject
from wavecheck.sim.errors import HarnessBug
from wavecheck.sim.exhaustive.counterexample import Follow
from wavecheck.sim.exhaustive.crowd import CrowdGrew
from wavecheck.sim.exhaustive.learning import Learner
from wavecheck.sim.exhaustive.refusal import CannotLearn, refuse
from wavecheck.sim.exhaustive.sampling import (
    BLOCK,
    Draw,
    Hit,
    PCTPicks,
    Picks,
    Sampler,
    UniformPicks,
)
from wavecheck.sim.search.session import Session, Statistics
from wavecheck.sim.search.strategy import Strategy

_STEPS_ASSUMED: Final = 64
_RECHECKS_MAX: Final = 400
ON_ARRAYS: Final = "executions ran as arrays over learned steps"


class ArraySearch:
    """A search whose executions are drawn as arrays where that is possible.

    Args:
        subject: what is searched.
        name: of the strategy.
        seed: of the strategy.
        make: the same strategy for the kernel, from a seed.
        depth: bug depth of random priorities; None: picks are uniform.

    Attributes:
        note: how the executions were run, in words.
    """

    def __init__(
        self,
        subject: Subject,
        name: str,
        seed: int,
        make: Callable[[int], Strategy],
        *,
        depth: int | None,
    ) -> None:
        self.note = ON_ARRAYS
        self._subject = subject
        self._name = name
        self._seed = seed
        self._make = make
        self._depth = depth

    def run(self, session: Session) -> None:
        """Run executions until the session is over."""
        try:
            self._run_arrays(session)
        except CannotLearn as refused:
            session.count_elsewhere(None, set())
            self.note = f"executions ran on the kernel, one by one; {_reason(refused)}"
            session.search(self._make(self._seed))

    def proved(self) -> bool:
        """Return False: sampling proves nothing."""
        return False

    def _run_arrays(self, session: Session) -> None:
        world = self._subject.world()
        judged = tuple(self._subject.judged(world))
        for one in judged:
            if one.begins is not None:
                raise refuse(
                    f"property {one.name!r} is judged along a whole execution",
                    task="(none)",
                    likely="w.leads_to",
                )
        world.properties = judged  # type: ignore[misc]  # the protocol only reads it
        learner = Learner(world)
        if learner.fails_at_start:
            raise refuse(
                "a task ends by an error before its first step",
                task="(at the start)",
                likely="the code under test fails at once",
            )
        while True:
            try:
                return self._sample(session, learner)
            except CrowdGrew:
                continue  # with room for one task more

    def _sample(self, session: Session, learner: Learner) -> None:
        draw = Draw(self._seed)
        picks = self._picks(draw)
        sampler = Sampler(learner, picks, draw)
        while not session.is_over():
            for hit in sampler.run(min(BLOCK, session.executions_left())):
                self._perform(session, learner, hit)
            if isinstance(picks, PCTPicks):
                picks.steps = sampler.steps_max
            names = {learner.properties[one].name for one in sampler.at_risk}
            session.count_elsewhere(_statistics(sampler), names)
            if session.progress is not None:
                session.progress(session.statistics(), session.found)
        learner.recheck(_RECHECKS_MAX)
        session.kernel.performed |= sampler.performed()

    def _picks(self, draw: Draw) -> Picks:
        if self._depth is None:
            return UniformPicks(draw)
        return PCTPicks(draw, depth=self._depth, steps=_STEPS_ASSUMED)

    def _perform(self, session: Session, learner: Learner, hit: Hit) -> None:
        """Show a violation on the session's kernel, if it is shorter than known."""
        name = learner.properties[hit.property_index].name
        known = session.found.get(name)
        if known is not None and known.violation.step <= len(hit.steps):
            return
        session.executions_count = hit.execution  # which is when it was found
        rule = Follow(session.kernel, hit.steps)
        if name not in session.show(rule, self._name):
            raise HarnessBug(f"{name} was violated as sampled, and not on the kernel")


def _statistics(sampler: Sampler) -> Statistics:
    return Statistics(
        executions_count=sampler.executions,
        drawn_count=sampler.executions,
        steps_count=sampler.steps,
        schedules_count=sampler.schedules_count,
        final_states_count=len(sampler.final_states),
        final_states_once=sum(n == 1 for n in sampler.final_states.values()),
        last_new_final_state=sampler.last_new_final_state,
        seconds=0.0,
    )


def _reason(refused: CannotLearn) -> str:
    """Return the first line of a refusal."""
    return str(refused).partition("\n")[0]

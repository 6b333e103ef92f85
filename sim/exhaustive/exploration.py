"""What an exhaustive exploration found: counts, verdicts, counterexamples.

Plain values; knows nothing of how they were found.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wavecheck.sim.property import Violation
from wavecheck.sim.verdict import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterexample:
    """A shortest execution that violates a property; it was replayed on the kernel.

    Attributes:
        steps: (task name, answers to the choices inside the step), in order.
        choices: what the kernel's rule answered: the schedule.
        violation: as the judge of an ordinary execution saw it.
    """

    steps: tuple[tuple[str, tuple[int, ...]], ...]
    choices: tuple[int, ...]
    violation: Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyResult:
    """What is known about one property.

    Attributes:
        name: of the property.
        outcome: NOT_TESTED is only said when every state was visited.
        counterexample: for VIOLATED, a shortest one.
    """

    name: str
    outcome: Outcome
    counterexample: Counterexample | None

    @property
    def shortest(self) -> int | None:
        """Steps of a shortest violation, or None."""
        if self.counterexample is None:
            return None
        return len(self.counterexample.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """The answer of an exhaustive exploration.

    Attributes:
        is_complete: every reachable state was visited.
        stopped_by: what ended it otherwise, in words; empty if it is complete.
        states: distinct states visited.
        transitions: steps out of the states of all completed levels.
        levels: completed breadth-first levels; the last one found nothing new.
        quiescent: states visited in which nothing can happen.
        python_calls: statements and resumptions that were run in Python.
        rechecked: how many of both were run again, a statement at another moment, a
            resumption by another history.
        accompanied: executions on the kernel that were walked through what was
            learned; every step of them was as learned, every state was visited.
        samples: the choices of some of these, to be run in another process.
        bits: of a packed state.
        peak_bytes: of all arrays at once.
        properties: in the order of the world; `NO_ERROR` last, if it is violated.
        left_out: state that no step reads and no property needs; it was not explored.
        merged: groups of interchangeable tasks, explored in one order only.
        not_merged: why tasks that were declared interchangeable were explored in full;
            empty if none were.
        kept: what tasks keep beside the parts and what never changed what they do,
            a sentence each.
    """

    is_complete: bool
    stopped_by: str
    states: int
    transitions: int
    levels: int
    quiescent: int
    python_calls: int
    rechecked: int
    bits: int
    peak_bytes: int
    properties: tuple[PropertyResult, ...]
    left_out: tuple[str, ...] = ()
    merged: tuple[tuple[str, ...], ...] = ()
    accompanied: int = 0
    samples: tuple[tuple[int, ...], ...] = ()
    not_merged: str = ""
    kept: tuple[str, ...] = ()

    def of(self, property_name: str) -> PropertyResult:
        """Return the result of one property."""
        return next(one for one in self.properties if one.name == property_name)


def nothing_explored(names: Sequence[str], stopped_by: str) -> Exploration:
    """Return the answer of an exploration that was ended before it knew anything."""
    return Exploration(
        is_complete=False,
        stopped_by=stopped_by,
        states=0,
        transitions=0,
        levels=0,
        quiescent=0,
        python_calls=0,
        rechecked=0,
        bits=0,
        peak_bytes=0,
        properties=tuple(
            PropertyResult(name=name, outcome=Outcome.NOT_FOUND, counterexample=None)
            for name in names
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an exploration is; given to whoever watches it.

    Attributes:
        level: being expanded, counted from 0.
        frontier: states in it.
        states: distinct states so far.
        transitions: so far.
        bytes: of all arrays now.
    """

    level: int
    frontier: int
    states: int
    transitions: int
    bytes: int

"""Every state of a case, and what follows from them: plain lists and fractions."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tests.fuzz.programs import AtEnd
from tests.fuzz.reference import Raised, Reference

HEALS = -1


class TooLarge(Exception):
    """More states than it is worth."""


class FailsAtStart(Exception):
    """A task ends by an error before its first step: the reference knows only steps."""


@dataclass
class Edge:
    """A step.

    Attributes:
        target: number of the state after it.
        task: index; `HEALS`: a round of healing.
        choices: answers inside it.
        one_in: one over the odds of these answers.
        violated: properties that it violates.
    """

    target: int
    task: int
    choices: tuple[int, ...]
    one_in: int
    violated: frozenset[str]


@dataclass
class Enumeration:
    """All states and steps of a reference.

    Attributes:
        reference: whose.
        states: by number; 0 is the first.
        levels: least number of steps to each.
        edges: out of each.
    """

    reference: Reference
    states: list[Any] = field(default_factory=list)
    levels: list[int] = field(default_factory=list)
    edges: list[list[Edge]] = field(default_factory=list)

    @property
    def transitions(self) -> int:
        """How many steps there are."""
        return sum(len(out) for out in self.edges)

    @property
    def finals(self) -> list[int]:
        """The states in which nothing can happen."""
        return [number for number, out in enumerate(self.edges) if not out]

    def has_cycle(self) -> bool:
        """Return whether some execution never ends."""
        return len(self._ordered()) < len(self.states)

    def _ordered(self) -> list[int]:
        """Return the states, each after its predecessors; not those behind a cycle."""
        missing = [0] * len(self.states)
        for out in self.edges:
            for edge in out:
                missing[edge.target] += 1
        ready, found = ([] if missing[0] else [0]), []
        while ready:
            state = ready.pop()
            found.append(state)
            for edge in self.edges[state]:
                missing[edge.target] -= 1
                if not missing[edge.target]:
                    ready.append(edge.target)
        return found

    def schedules(self) -> int | None:
        """Return the number of complete executions; None: there is no end to them."""
        if self.has_cycle():
            return None
        ways = [0] * len(self.states)
        ways[0] = 1
        for state in self._ordered():
            for edge in self.edges[state]:
                ways[edge.target] += ways[state]
        return sum(ways[state] for state in self.finals)

    def is_bad(self, state: int, name: str) -> bool:
        """Return whether a final state violates a property."""
        judged = self.reference.case.properties.get(name)
        return isinstance(judged, AtEnd) and self.reference.is_wrong_at_end(
            self.states[state], name
        )

    def shortest(self, name: str) -> int | None:
        """Return the least number of steps to a violation; None: there is none."""
        lengths = [
            self.levels[state] + 1
            for state, out in enumerate(self.edges)
            for edge in out
            if name in edge.violated
        ]
        lengths += [self.levels[one] for one in self.finals if self.is_bad(one, name)]
        return min(lengths, default=None)

    def is_vacuous(self, name: str) -> bool:
        """Return whether nothing violates a property or puts it at risk."""
        at_risk = name not in self.reference.case.properties or any(
            self.reference.is_at_risk(self.states[one], name) for one in self.finals
        )
        return self.shortest(name) is None and not at_risk

    def odds(self, name: str) -> Fraction | None:
        """Return how likely a violation is if every answer is uniform."""
        if self.has_cycle():
            return None
        chance = [Fraction(0)] * len(self.states)
        chance[0], bad = Fraction(1), Fraction(0)
        for state in self._ordered():
            out = self.edges[state]
            tasks = len({edge.task for edge in out})
            if not out and self.is_bad(state, name):
                bad += chance[state]
            for edge in out:
                share = chance[state] / tasks / edge.one_in
                if name in edge.violated:
                    bad += share
                else:
                    chance[edge.target] += share
        return bad

    def lost(self, name: str) -> list[int]:
        """Return the states from which no execution ends well any more."""
        before: list[list[int]] = [[] for _ in self.states]
        for state, out in enumerate(self.edges):
            for edge in out:
                if name not in edge.violated:
                    before[edge.target].append(state)
        ready = [one for one in self.finals if not self.is_bad(one, name)]
        good = set(ready)
        while ready:
            for state in before[ready.pop()]:
                if state not in good:
                    good.add(state)
                    ready.append(state)
        return [one for one in range(len(self.states)) if one not in good]

    def has_fair_cycle(self, name: str) -> bool:
        """Return whether a weakly fair execution for ever violates a final check."""
        judged = self.reference.case.properties.get(name)
        if not isinstance(judged, AtEnd):
            return False
        wrong = {
            number
            for number, state in enumerate(self.states)
            if self.reference.is_wrong_at_end(state, name)
        }
        tasks = range(len(self.reference.names))
        for members in self._components(wrong):
            inner = [
                edge
                for state in members
                for edge in self.edges[state]
                if edge.target in members
            ]
            if inner and all(
                any(edge.task == task for edge in inner)
                or any(
                    all(edge.task != task for edge in self.edges[state])
                    for state in members
                )
                for task in tasks
            ):
                return True
        return False

    def _components(self, allowed: set[int]) -> Iterator[set[int]]:
        """Yield the strongly connected components, by reachability both ways."""
        left = set(allowed)
        while left:
            root = next(iter(left))
            forward = self._reach(root, left, self._targets)
            backward = self._reach(root, left, self._sources())
            members = forward & backward
            yield members
            left -= members

    def _targets(self, state: int) -> list[int]:
        return [edge.target for edge in self.edges[state]]

    def _sources(self) -> Any:
        if not hasattr(self, "_before"):
            self._before: list[list[int]] = [[] for _ in self.states]
            for state, out in enumerate(self.edges):
                for edge in out:
                    self._before[edge.target].append(state)
        return self._before.__getitem__

    def _reach(self, root: int, allowed: set[int], next_to: Any) -> set[int]:
        found, ready = {root}, [root]
        while ready:
            for state in next_to(ready.pop()):
                if state in allowed and state not in found:
                    found.add(state)
                    ready.append(state)
        return found


def enumerate_all(reference: Reference, states_max: int) -> Enumeration:
    """Return every reachable state.

    Raises:
        TooLarge: there are more than it is worth.
        FailsAtStart: a task does.
    """
    found = Enumeration(reference)
    try:
        start = reference.initial()
    except Raised as error:
        raise FailsAtStart from error
    numbers = {start: 0}
    found.states.append(start)
    found.levels.append(0)
    for state in found.states:
        level = found.levels[len(found.edges)] + 1
        out = []
        for task, step in _steps(reference, state):
            number = numbers.get(step.state)
            if number is None:
                number = numbers[step.state] = len(found.states)
                if number > states_max:
                    raise TooLarge
                found.states.append(step.state)
                found.levels.append(level)
            out.append(Edge(number, task, step.choices, step.one_in, step.violated))
        found.edges.append(out)
    return found


def _steps(reference: Reference, state: Any) -> Iterator[tuple[int, Any]]:
    enabled = reference.enabled(state)
    for task in enabled:
        for step in reference.steps(state, task):
            yield task, step
    if not enabled:
        healed = reference.healed(state)
        if healed is not None:
            yield HEALS, _Healed(healed)


@dataclass
class _Healed:
    state: Any
    choices: tuple[int, ...] = ()
    one_in: int = 1
    violated: frozenset[str] = frozenset()

"""Which orders of two steps could be the other way round, and what comes of it then.

A race is a pair of steps of two tasks that conflict with nothing ordered in between.
To reverse it is to take the later step, and what leads to it, before the earlier one,
and to follow the rest of the schedule as far as it goes. Knows no kind of cause.

Source: Flanagan, Godefroid, "Dynamic Partial-Order Reduction", POPL 2005, for the
races and their reversal.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wavecheck.sim.search.footprints import Footprint
from wavecheck.sim.search.recorded import Entry


@dataclass(frozen=True, slots=True)
class Race:
    """Two steps that could have come the other way round, by number.

    Attributes:
        earlier: the step that came first.
        later: the step of another task that came after it.
    """

    earlier: int
    later: int


class CausalOrder:
    """Which steps of an execution lead to which, and where that is a race.

    Args:
        steps: what they did, in order.
    """

    def __init__(self, steps: Sequence[Footprint]) -> None:
        self._steps = steps
        self._before: list[int] = []  # of each step, a bit for each that leads to it
        self._races: list[Race] = []
        last_of: dict[str, int] = {}
        for later, step in enumerate(steps):
            known = 0
            if step.task in last_of:
                own = last_of[step.task]
                known = self._before[own] | 1 << own
            for earlier in range(later - 1, -1, -1):
                if known >> earlier & 1:
                    continue
                if steps[earlier].conflict(step) is not None:
                    self._races.append(Race(earlier + 1, later + 1))
                    known |= self._before[earlier] | 1 << earlier
            self._before.append(known)
            last_of[step.task] = later

    def races(self) -> list[Race]:
        """Return all races, in order of the later step."""
        return self._races

    def leads(self, earlier: int, later: int) -> bool:
        """Return whether one step leads to another one."""
        return bool(self._before[later - 1] >> (earlier - 1) & 1)

    def reversed(self, entries: Sequence[Entry], race: Race) -> list[Entry]:
        """Return a script in which the later step of a race comes first."""
        first, second = race.earlier - 1, race.later - 1
        between = range(first + 1, second)
        follows = [
            one for one in between if self.leads(race.earlier, one + 1)
        ]  # of the earlier step, so they come after it
        free = [one for one in between if one not in set(follows)]
        order = [*range(first), *free, second, first, *follows]
        return [entries[one] for one in order] + list(entries[second + 1 :])


def is_reversed(steps: Sequence[Footprint], race: Race, done: Sequence[Entry]) -> bool:
    """Return whether the later step of a race came first in another execution.

    The steps are told by their task and how many that had taken before.
    """
    earlier, later = (
        _place_in(steps, number, done) for number in (race.earlier, race.later)
    )
    return later is not None and (earlier is None or later < earlier)


def _place_in(
    steps: Sequence[Footprint], number: int, done: Sequence[Entry]
) -> int | None:
    task = steps[number - 1].task
    nth = sum(step.task == task for step in steps[:number])
    for place, entry in enumerate(done):
        nth -= entry.task == task
        if not nth:
            return place
    return None

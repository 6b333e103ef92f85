"""A long trace told in few rows: a task's run of ordinary steps becomes one row.

Knows traces only. Steps that matter (they are marked) and short runs stay as they are.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from wavecheck.sim.trace import RowChange, Step

ROWS_MAX: Final = 24
"""A trace of more steps than this is told in episodes."""

_RUN_MIN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One row: a step, or a run of steps of one task.

    Attributes:
        steps: in order, at least one.
        changes: what they did together.
    """

    steps: tuple[Step, ...]
    changes: tuple[RowChange, ...]

    @property
    def first(self) -> Step:
        """The first step."""
        return self.steps[0]

    @property
    def last(self) -> Step:
        """The last step."""
        return self.steps[-1]


def episodes_of(
    steps: Sequence[Step], marked: Collection[int], *, is_full: bool = False
) -> list[Episode]:
    """Return the rows in which a trace is told.

    Args:
        steps: the trace.
        marked: numbers of the steps that stay on their own.
        is_full: every step is a row, however many there are.
    """
    if is_full or len(steps) <= ROWS_MAX:
        return [_episode([step]) for step in steps]
    told: list[Episode] = []
    for (_, is_marked), group in groupby(
        steps, key=lambda step: (step.task, step.number in marked)
    ):
        run = list(group)
        if is_marked or len(run) < _RUN_MIN:
            told += [_episode([step]) for step in run]
        else:
            told.append(_episode(run))
    return told


def _episode(steps: list[Step]) -> Episode:
    changes = [change for step in steps for change in step.changes]
    return Episode(
        steps=tuple(steps),
        changes=tuple(changes if len(steps) == 1 else _together(changes)),
    )


def _together(changes: list[RowChange]) -> list[RowChange]:
    """Return what some changes did in sum; what was taken back is left out."""
    sums: dict[tuple[str, str], RowChange] = {}
    for change in changes:
        place = (change.part, repr(change.key))
        before = sums.pop(place, None)
        sums[place] = change if before is None else _joined(before, change)
    return [one for one in sums.values() if not (one.is_new and one.is_gone)]


def _joined(first: RowChange, second: RowChange) -> RowChange:
    old = {name: before for name, before, _ in first.columns}
    new = {name: (before, after) for name, before, after in second.columns}
    columns = [
        (name, before, new[name][1] if name in new else after)
        for name, before, after in first.columns
    ]
    columns += [
        (name, before, after)
        for name, (before, after) in new.items()
        if name not in old
    ]
    return replace(
        second,
        is_new=first.is_new,
        columns=tuple(one for one in columns if one[1] != one[2] or first.is_new),
    )

"""A long trace told in few rows: a task's run of ordinary steps becomes one row.

Knows traces only. Steps that matter (they are marked) and short runs stay as they are.
Where that is too long still, all steps between two that matter become one row, the
longest stretch first. What a task does again and again is said once.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from wavecheck.sim.trace import RowChange, Step

ROWS_MAX: Final = 24
"""A trace of more steps than this is told in episodes."""

EPISODES_MAX: Final = 11
"""So many rows it becomes then, if what matters leaves room for that."""

_RUN_MIN: Final = 3
_LOOP_MAX: Final = 6
_TIMES_MIN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One row: a step, or a run of steps, mostly of one task.

    Attributes:
        steps: in order, at least one.
        changes: what they did together.
        times: how often they are the same steps again.
    """

    steps: tuple[Step, ...]
    changes: tuple[RowChange, ...]
    times: int = 1

    @property
    def first(self) -> Step:
        """The first step."""
        return self.steps[0]

    @property
    def last(self) -> Step:
        """The last step."""
        return self.steps[-1]

    @property
    def tasks(self) -> tuple[str, ...]:
        """Whose steps they are, in order of their first step."""
        return tuple(dict.fromkeys(step.task for step in self.steps))


def episodes_of(
    steps: Sequence[Step], marked: Collection[int], *, is_full: bool = False
) -> list[Episode]:
    """Return the rows in which a trace is told.

    Args:
        steps: the trace.
        marked: numbers of the steps that stay on their own.
        is_full: every step is a row, however many there are.
    """
    if is_full:
        return [_episode([step]) for step in steps]
    is_long = len(steps) > ROWS_MAX
    told: list[Episode] = []
    for (_, is_marked), group in groupby(
        steps, key=lambda step: (step.task, step.number in marked)
    ):
        run = list(group)
        for loop in [[step] for step in run] if is_marked else _loops(run):
            if len(loop) >= _RUN_MIN and (is_long or _times(loop) > 1):
                told.append(replace(_episode(loop), times=_times(loop)))
            else:
                told += [_episode([step]) for step in loop]
    while is_long and len(told) > EPISODES_MAX:
        stretch = _longest(told, marked)
        if stretch is None:
            break
        start, end = stretch
        one = [step for row in told[start:end] for step in row.steps]
        told[start:end] = [_episode(one)]
    return told


def _loops(run: list[Step]) -> Iterator[list[Step]]:
    """Divide a run of one task where it begins to do the same again and again."""
    start = at = 0
    while at < len(run):
        length = _loop_at(run, at)
        if length:
            if start < at:
                yield run[start:at]
            yield run[at : at + length]
            start = at = at + length
        else:
            at += 1
    if start < len(run):
        yield run[start:]


def _loop_at(run: list[Step], at: int) -> int:
    """Return how many steps from one on are a loop that changes nothing; 0: none."""
    for period in range(1, _LOOP_MAX + 1):
        end = at + period
        while end < len(run) and _same(run[end], run[end - period]):
            end += 1
        times = (end - at) // period
        if times >= _TIMES_MIN and not any(step.changes for step in run[at:end]):
            return times * period
    return 0


def _times(loop: list[Step]) -> int:
    for period in range(1, _LOOP_MAX + 1):
        pairs = zip(loop, loop[period:], strict=False)
        if len(loop) >= _TIMES_MIN * period and all(_same(*pair) for pair in pairs):
            return 1 if any(step.changes for step in loop) else len(loop) // period
    return 1


def _same(one: Step, other: Step) -> bool:
    return one.operation == other.operation and str(one.args) == str(other.args)


def _longest(
    told: Sequence[Episode], marked: Collection[int]
) -> tuple[int, int] | None:
    """Return where the longest stretch of rows without a mark begins and ends."""
    longest = (0, 1)
    start = 0
    for index, row in enumerate([*told, None]):
        if row is None or row.first.number in marked:
            if index - start > longest[1] - longest[0]:
                longest = start, index
            start = index + 1
    return longest if longest[1] - longest[0] > 1 else None


def _episode(steps: list[Step]) -> Episode:
    told = [change.shown for step in steps for change in step.changes]
    changes = [change for change in told if change is not None]
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

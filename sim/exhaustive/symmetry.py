"""Symmetry: tasks that are alike are explored in one order only.

Knows which tasks a world declares interchangeable, and packed states. Two states that
differ only in which of such tasks stands where are one: of all orders of their local
states the ascending one stands for all.

A declaration is never believed. Interchangeable tasks share their learned local states,
so they must begin in the same one: same code, same variables, same objects. A statement
of theirs must not ask who performs it, and no step may ask where one of them stands or
move it. At the end a sample of what one of them has shown is run by another. Whatever
does not hold breaks the symmetry: all is explored again in full, and the result says
why. WD's listeners are an example: each holds the numbers of its own batches, batches
are sent in ascending order, and merging the listeners would lose reachable states.

Source: C. N. Ip, D. L. Dill, "Better verification through symmetry", Formal Methods in
System Design 9, 1996; here by sorting, since only whole tasks are exchanged.
"""

from collections.abc import Sequence

import numpy as np

from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.exhaustive.layout import Layout, Words
from wavecheck.sim.world import Symmetric, World

Groups = tuple[tuple[int, ...], ...]
"""Indexes of interchangeable tasks, ascending; no task is in two groups."""


class SymmetryBroken(Exception):
    """Tasks that were declared interchangeable are not; explore in full."""


def declared_groups(world: World, names: Sequence[str]) -> Groups:
    """Return the groups of two tasks or more that a world declares interchangeable.

    Args:
        world: may declare nothing.
        names: of its tasks at the start, in order.

    Raises:
        InvalidScenario: a declared name is that of no task, or in two groups.
    """
    if not isinstance(world, Symmetric):
        return ()
    groups = [list(group) for group in world.interchangeable()]
    flat = [name for group in groups for name in group]
    for name in flat:
        if name not in names or flat.count(name) > 1:
            raise InvalidScenario(
                f"the world declares {name!r} interchangeable\n"
                "  expected  the name of a task at its start, in one group only\n"
                f"  got       tasks {', '.join(names)}"
            )
    return tuple(
        tuple(sorted(names.index(name) for name in group))
        for group in groups
        if len(group) > 1
    )


def sort_in_place(layout: Layout, words: Words, groups: Groups) -> None:
    """Turn states into those that stand for all orders of interchangeable tasks."""
    for group in groups:
        values = np.stack([layout.get(words, field) for field in group])
        values.sort(axis=0)
        for field, value in zip(group, values, strict=True):
            word = words[layout.word[field]]
            word &= ~np.uint64(layout.mask(field))
            word |= value << np.uint64(layout.shift[field])


def position(
    layout: Layout, state: Words, sorted_state: Words, task: int, groups: Groups
) -> int:
    """Return which task stands in the sorted state where a task stands in the state.

    Args:
        layout: of both.
        state: one state.
        sorted_state: the one that stands for it.
        task: of the first one.
        groups: of interchangeable tasks.
    """
    for group in groups:
        if task in group:
            stands = layout.get(state, task)[0]
            return next(
                one for one in group if layout.get(sorted_state, one)[0] == stands
            )
    return task

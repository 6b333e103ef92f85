"""Decision trees: what a statement reads, in order, and what it does then.

Knows reads by number and what they showed; nothing of parts, tasks or Python code.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from wavecheck.sim.exhaustive.recording import Projection

Reads = list[tuple[int, Projection | None]]
"""(component, what was seen of it), distinct, in order; also places, see `crowd`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One thing that a step may do.

    Attributes:
        choices: what the kernel's rule answered inside the step.
        result: number of the result that the task gets.
        writes: (component, number of the new value).
        violated: indexes of the properties that the step violates.
        moves: (other task, number of the local state that the step puts it in).
        one_in: one over the odds of these answers, each choice being uniform.
    """

    choices: tuple[int, ...]
    result: int
    writes: tuple[tuple[int, int], ...]
    violated: tuple[int, ...]
    moves: tuple[tuple[int, int], ...] = ()
    one_in: int = 1


@dataclass(slots=True, kw_only=True)
class Node:
    """One read of a decision tree, or, where `component` is None, a leaf."""

    component: int | None = None
    projection: Projection | None = None
    children: dict[Hashable, "Node"] = field(default_factory=dict)
    alternatives: tuple[Alternative, ...] = ()


class ReadsDiffer(Exception):
    """The same answers to all reads so far were followed by another read, or none."""


def grow(
    root: Node,
    path: Sequence[tuple[int, Projection | None, Hashable]],
    alternatives: tuple[Alternative, ...],
) -> None:
    """Add one path, of reads and what they showed, to a decision tree.

    Raises:
        ReadsDiffer: a step is not a function of what it reads.
    """
    node, is_new = root, not root.children
    for component, projection, seen in path:
        if is_new:
            node.component, node.projection = component, projection
        elif node.component != component or (
            (node.projection and node.projection.name)
            != (projection and projection.name)
        ):
            raise ReadsDiffer
        child = node.children.get(seen)
        is_new = child is None
        if child is None:
            child = node.children[seen] = Node()
        node = child
    if node.component is not None:
        raise ReadsDiffer
    node.alternatives = alternatives

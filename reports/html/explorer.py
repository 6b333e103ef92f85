"""The explorer: walk through a small state graph, one enabled step at a time.

Turns a described graph into plain data for the script; knows no markup.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wavecheck.reports.explanation.small_graphs import STATES_MAX, SmallGraph
from wavecheck.reports.explanation.wording import Wording
from wavecheck.reports.html.frames import FrameTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Explorer:
    """One graph as the template and the script need it.

    Attributes:
        id: unique on the page; begins the fragments that name positions.
        states: how many.
        steps: how many.
        violated: names of the properties that can be violated, which can be jumped to.
        data: for the script; empty where the graph is too large.
        states_max: more states than this are not included.
    """

    id: str
    states: int
    steps: int
    violated: tuple[str, ...]
    data: Mapping[str, Any]
    states_max: int = STATES_MAX


def explorer_of(graph: SmallGraph, explorer_id: str) -> Explorer:
    """Lay out a graph.

    Args:
        graph: to walk through.
        explorer_id: unique on the page.
    """
    steps = [one.step for state in graph.states for one in state.steps]
    wording = Wording(steps)
    table = FrameTable([state.frame for state in graph.states], wording)
    bit = {name: 1 << index for index, name in enumerate(graph.properties)}

    def bits(names: tuple[str, ...]) -> int:
        return sum(bit[name] for name in names)

    text = table.texts.number
    states = [
        [
            table.frame(state.frame),
            [
                [
                    text(one.step.task),
                    text(wording.call(one.step)),
                    text(wording.result(one.step).removeprefix(" = ")),
                    one.target,
                    bits(one.violates),
                ]
                for one in state.steps
            ],
            bits(state.violates),
            bits(state.lost),
        ]
        for state in graph.states
    ]
    violated = [
        name
        for name in graph.properties
        if any(
            name in state.violates or any(name in one.violates for one in state.steps)
            for state in graph.states
        )
    ]
    return Explorer(
        id=explorer_id,
        states=len(graph.states),
        steps=len(steps),
        violated=tuple(violated),
        data={**table.data(), "properties": graph.properties, "states": states},
    )


def too_large(states: int, explorer_id: str) -> Explorer:
    """Say that a graph is not included because of its size."""
    return Explorer(id=explorer_id, states=states, steps=0, violated=(), data={})

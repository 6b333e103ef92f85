"""A schedule as a ShiViz log: each step with the vector clock of its task.

The clocks come from happens-before (steps of one task, and conflicts on rows), so the
picture shows what is ordered by more than this schedule. Two lines for each step, which
ShiViz's default expression reads: the text, then host and clock.

Source: Beschastnikh, Liu, Xing, Wang, Brun, Ernst, "Visualizing Distributed System
Executions", TOSEM 2020; clocks as in Mattern, "Virtual Time and Global States", 1989.
"""

import json
from typing import Final

from wavecheck.reports.export.story import one_line, tell
from wavecheck.scenarios.evidence import Evidence
from wavecheck.sim.search.schedule import Schedule

EXPRESSION: Final = r"(?<event>.*)\n(?<host>\S*) (?<clock>{.*})"
"""What ShiViz parses a log with, unless it is told otherwise."""


def shiviz(recorded: Schedule | Evidence) -> str:
    """Return a schedule as a ShiViz log.

    Raises:
        ReplayMismatch: it does not replay, or does not violate what it says.
        InvalidScenario: its scenario, settings or property do not exist any more.
        CoordinatorError: its coordinator does not load, or failed.
    """
    evidence = Evidence.of(recorded)
    story, order = tell(evidence), evidence.happens_before
    hosts = _hosts(story.lanes)
    clocks: dict[int, dict[str, int]] = {}
    last: dict[str, int] = {}  # the latest step of each task
    lines = []
    for step in story.steps:
        host = hosts[step.task]
        known: dict[str, int] = {}
        earlier = [*order.predecessors(step.number)]
        if step.task in last:
            earlier.append(last[step.task])
        for number in earlier:
            for other, count in clocks[number].items():
                known[other] = max(known.get(other, 0), count)
        known[host] = known.get(host, 0) + 1
        clocks[step.number], last[step.task] = known, step.number
        mark = story.marks.get(step.number)
        text = f"{step.number}. {story.words(step)}{f' [{mark}]' if mark else ''}"
        clock = json.dumps({one: known[one] for one in sorted(known)})
        lines += [one_line(text), f"{host} {clock}"]
    return "\n".join(lines) + "\n"


def _hosts(lanes: tuple[str, ...]) -> dict[str, str]:
    """Return a name without white space for each task, no two alike."""
    hosts: dict[str, str] = {}
    for lane in lanes:
        name = "".join(
            one if one.isprintable() and not one.isspace() else "_" for one in lane
        )
        while not name or name in hosts.values():
            name += "_"
        hosts[lane] = name
    return hosts

"""A schedule as a Mermaid sequence diagram, which code hosts draw inside Markdown.

One participant per task and one for what they share. A solid arrow is a step that
changed something, a dashed one came back with a value and changed nothing.
"""

from typing import Final

from wavecheck.reports.export.story import ToldSchedule, one_line, tell
from wavecheck.scenarios.evidence import Evidence
from wavecheck.sim.search.schedule import Schedule

_PLAIN: Final = frozenset(" .,()[]=_/+-'?!|")
_SHARED: Final = "shared"


def mermaid(recorded: Schedule | Evidence) -> str:
    """Return a schedule as the text of a Mermaid sequence diagram.

    Raises:
        ReplayMismatch: it does not replay, or does not violate what it says.
        InvalidScenario: its scenario, settings or property do not exist any more.
        CoordinatorError: its coordinator does not load, or failed.
    """
    story = tell(Evidence.of(recorded))
    names = {lane: f"t{number}" for number, lane in enumerate(story.lanes, start=1)}
    lines = ["sequenceDiagram"]
    lines += [
        f"    participant {name} as {_text(lane)}" for lane, name in names.items()
    ]
    lines.append(f"    participant {_SHARED} as database and queue")
    lines.append(f"    Note over {_across(story, names)}: {_text(story.title)}")
    for step in story.steps:
        name, words = names[step.task], f"{step.number}. {story.words(step)}"
        if step.changes:
            lines.append(f"    {name}->>{_SHARED}: {_text(words)}")
        else:
            lines.append(f"    {_SHARED}-->>{name}: {_text(words)}")
        mark = story.marks.get(step.number)
        if mark:
            lines.append(f"    Note over {name},{_SHARED}: {_text(mark)}")
    return "\n".join(lines) + "\n"


def _across(story: ToldSchedule, names: dict[str, str]) -> str:
    return f"{names[story.lanes[0]]},{_SHARED}" if story.lanes else _SHARED


def _text(text: str) -> str:
    """Write what is not plain as a numbered entity, so that nothing ends the line."""
    return "".join(
        one if one.isalnum() or one in _PLAIN else f"#{ord(one)};"
        for one in one_line(text)
    )

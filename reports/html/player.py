"""The counterexample player: from a playback to what its template and script need.

Knows the playback, the wording and the diagram; knows no markup and runs nothing. What
is there without a script (story, diagram, list of steps) is given to the template; what
the script looks up (the tables at each moment) is plain data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from wavecheck.reports.explanation.code_places import CodePlace
from wavecheck.reports.explanation.playback import Playback, Track
from wavecheck.reports.explanation.text import (
    escape_sentence,
    headline,
    lanes_of,
    marks_of,
    no_return_sentence,
)
from wavecheck.reports.explanation.wording import Wording
from wavecheck.reports.html.diagram import Diagram, diagram_of
from wavecheck.reports.html.frames import FrameTable
from wavecheck.reports.html.story import Sentence, story_of
from wavecheck.sim.trace import Step, plain

_NAME_MAX: Final = 80
_TEXT_MAX: Final = 400
_ALIKE_BEFORE: Final = 2
"""Steps that a passing schedule has in common and that are shown all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """One step as a line of text.

    Attributes:
        number: of the step.
        task: its name, shortened.
        call: the statement with its arguments.
        result: what it returned; empty for nothing.
        changed: what it changed; may be empty.
        marks: numbers of the story's sentences about it.
        tags: (kind, text) of what stands beside it.
    """

    number: int
    task: str
    call: str
    result: str
    changed: str
    marks: tuple[int, ...]
    tags: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackView:
    """One execution as the template draws it.

    Attributes:
        name: "failing" or "passing".
        rows: one for each step shown.
        diagram: beside them.
        alike: how many steps before the first row are the same as in the other track.
    """

    name: str
    rows: tuple[StepRow, ...]
    diagram: Diagram
    alike: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """One counterexample as the template draws it.

    Attributes:
        id: unique on the page.
        playback: what it shows.
        headline: what is violated, by whom.
        story: why, sentence by sentence.
        no_return: from which step on it cannot be avoided.
        no_return_step: that step; 0: there is none.
        escape: where the nearest passing schedule takes another way; may be empty.
        tracks: the failing one, and the passing one if there is one.
        data: for the script.
    """

    id: str
    playback: Playback
    headline: str
    story: tuple[Sentence, ...]
    no_return: str
    no_return_step: int
    escape: str
    tracks: tuple[TrackView, ...]
    data: Mapping[str, Any]


def player_of(playback: Playback, player_id: str) -> Player:
    """Lay out one counterexample.

    Args:
        playback: what to show.
        player_id: unique on the page; begins the fragments that name its steps.
    """
    told = playback.explanation
    wording = Wording(told.steps)
    story = tuple(
        replace(
            sentence,
            pieces=tuple(
                (style, short(text, _TEXT_MAX)) for style, text in sentence.pieces
            ),
        )
        for sentence in story_of(playback)
    )
    views = [_failing(playback, story, wording)]
    if playback.passing is not None:
        views.append(_passing(playback, playback.passing, wording))
    point = told.no_return
    return Player(
        id=player_id,
        playback=playback,
        headline=headline(told),
        story=story,
        no_return=no_return_sentence(told, wording),
        no_return_step=0 if point is None else point.step,
        escape=""
        if told.escape is None
        else escape_sentence(told, told.escape, wording),
        tracks=tuple(views),
        data=_data(playback, wording),
    )


def short(text: str, length: int = _NAME_MAX) -> str:
    """Return a text at a length that its place can hold."""
    return text if len(text) <= length else f"{text[:length]}..."


def _failing(
    playback: Playback, story: Sequence[Sentence], wording: Wording
) -> TrackView:
    told = playback.explanation
    marks: dict[int, list[int]] = {}
    for index, sentence in enumerate(story, start=1):
        if sentence.step is not None:
            marks.setdefault(sentence.step, []).append(index)
    tags = {
        number: tuple((word.split()[0].lower(), word) for word in words.split(", "))
        for number, words in marks_of(told).items()
    }
    return TrackView(
        name="failing",
        rows=tuple(
            _row(step, wording, tuple(marks.get(step.number, ())), tags)
            for step in told.steps
        ),
        diagram=diagram_of(
            playback.failing, lanes_of(told.steps), cause=next(iter(told.causes), None)
        ),
        alike=0,
    )


def _passing(playback: Playback, track: Track, wording: Wording) -> TrackView:
    told = playback.explanation
    escape = told.escape
    assert escape is not None
    alike = max(0, escape.step - 1 - _ALIKE_BEFORE)
    tasks = list(
        dict.fromkeys([*lanes_of(told.steps), *(step.task for step in track.steps)])
    )
    tags = {escape.step: (("differs", "first difference"),)}
    return TrackView(
        name="passing",
        rows=tuple(_row(step, wording, (), tags) for step in track.steps[alike:]),
        diagram=diagram_of(track, tasks, first=alike + 1),
        alike=alike,
    )


def _row(
    step: Step,
    wording: Wording,
    marks: tuple[int, ...],
    tags: Mapping[int, tuple[tuple[str, str], ...]],
) -> StepRow:
    return StepRow(
        number=step.number,
        task=short(step.task),
        call=short(wording.call(step), _TEXT_MAX),
        result=short(wording.result(step).removeprefix(" = "), _TEXT_MAX),
        changed=short(wording.changes(step.changes), _TEXT_MAX),
        marks=marks,
        tags=tags.get(step.number, ()),
    )


def _data(playback: Playback, wording: Wording) -> dict[str, Any]:
    """Return what the script looks up: statements, and the tables at each moment."""
    tracks = [playback.failing]
    if playback.passing is not None:
        tracks.append(playback.passing)
    frames = [frame for track in tracks for frame in track.frames]
    table = FrameTable(frames, wording)
    statements: dict[tuple[str, str], int] = {}
    told = []
    for track in tracks:
        steps = [
            [*_step_data(step, statements, playback, table, wording), place]
            for step, place in zip(
                track.steps, map(partial(_place_data, table), track.places), strict=True
            )
        ]
        told.append({"steps": steps, "frames": list(map(table.frame, track.frames))})
    return {
        **table.data(),
        "statements": [
            {
                "name": name,
                "meaning": playback.statements[name].meaning
                if name in playback.statements
                else "",
                "sql": sql,
            }
            for name, sql in statements
        ],
        "tracks": told,
    }


def _place_data(table: FrameTable, place: CodePlace | None) -> list[Any] | None:
    """Return [names of the functions, lines, index of the line that waits]."""
    if place is None:
        return None
    number = table.texts.number
    return [
        number(" > ".join(place.functions)),
        [number(line) for line in place.lines],
        place.at,
    ]


def _step_data(
    step: Step,
    statements: dict[tuple[str, str], int],
    playback: Playback,
    table: FrameTable,
    wording: Wording,
) -> list[Any]:
    """Return [statement, texts of its arguments, alternating name and value]."""
    sql = ""
    if playback.settings is not None:
        from wavecheck.reports.export.sql_steps import sql_of  # SQLAlchemy is slow

        sql = sql_of(playback.settings, step)
    number = statements.setdefault((step.operation, sql), len(statements))
    known = playback.statements.get(step.operation)
    names = known.parameters if known is not None else ()
    args = list(step.args)
    if len(args) > len(names) > 0:  # the last parameter takes all that are left
        args[len(names) - 1 :] = [args[len(names) - 1 :]]
    pairs = zip(names, args, strict=False)
    return [
        number,
        [
            table.texts.number(text)
            for name, value in pairs
            for text in (name, wording.value(plain(value)))
        ],
    ]

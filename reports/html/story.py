"""Why a counterexample fails, as a few sentences that each point at a step.

The words beside the diagram's numbered marks: what the steps of the main cause do, why
that matters, and how it ended. Knows the playback and the wording of explanations;
knows no markup: a sentence is a list of pieces, each with a style.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from wavecheck.reports.explanation.causes import cause_marks, cause_sentences
from wavecheck.reports.explanation.playback import Playback
from wavecheck.reports.explanation.wording import Wording
from wavecheck.sim.search.kinds import Cause
from wavecheck.sim.trace import RowChange, Step, plain

Piece = tuple[str, str]
"""(style, text): style is empty, "code" or "strong"."""

_LEFT_MAX: Final = 2
_WAITING: Final = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One sentence of the story.

    Attributes:
        step: number of the step it is about; None: about the end.
        mark: what the diagram writes beside the step: reads, changes, acts...
        pieces: the sentence.
    """

    step: int | None
    mark: str
    pieces: tuple[Piece, ...]


def story_of(playback: Playback) -> list[Sentence]:
    """Return the sentences in the order in which things happen."""
    told = playback.explanation
    wording = Wording(told.steps)
    steps = {step.number: step for step in told.steps}
    sentences = list(_left_over(playback, wording))
    for cause in told.causes[:1]:
        sentences += _steps_of(cause, steps, wording)
    sentences += _earlier(playback, wording, [sentence.step for sentence in sentences])
    sentences.sort(key=lambda sentence: sentence.step or 0)
    sentences += [_sentence(None, "", one) for one in cause_sentences(told, wording)]
    return [*sentences, _end(playback)]


def _sentence(step: int | None, mark: str, *pieces: Piece | str) -> Sentence:
    """Return a sentence; a piece that is a plain string has no style."""
    styled = tuple(("", one) if isinstance(one, str) else one for one in pieces)
    return Sentence(step=step, mark=mark, pieces=styled)


def _deed(step: Step, wording: Wording) -> tuple[Piece, Piece, Piece]:
    """Say who does what in a step."""
    return ("strong", step.task), ("", " does "), ("code", wording.call(step))


def _steps_of(
    cause: Cause, steps: dict[int, Step], wording: Wording
) -> Iterator[Sentence]:
    """Say what is done in the steps of a cause."""
    for number, role in cause_marks(cause, list(steps.values())).items():
        step = steps[number]
        result = wording.result(step)
        got = (" and gets ", ("code", result.removeprefix(" = "))) if result else ()
        yield _sentence(number, role, *_deed(step, wording), *got, ".")


def _left_over(playback: Playback, wording: Wording) -> Iterator[Sentence]:
    """Say where what waits for ever came from, if waiting is what is wrong."""
    told = playback.explanation
    if told.schedule.property_name != "no_stranded_batch":
        return
    last: dict[object, tuple[Step, RowChange]] = {}
    for step in told.steps:
        for change in step.changes:
            last[change.part, change.key] = step, change
    stranded = [
        (step, change)
        for step, change in last.values()
        if ("status", _WAITING) in [(col, plain(now)) for col, _, now in change.columns]
        and re.search("batch", change.part)
    ]
    for step, change in stranded[:_LEFT_MAX]:
        yield _sentence(
            step.number,
            "left over",
            *_deed(step, wording),
            ": ",
            ("code", wording.changes([change])),
            ". From here to the end nobody touches it.",
        )


def _earlier(
    playback: Playback, wording: Wording, told: Sequence[int | None]
) -> Iterator[Sentence]:
    """Say who else did to the same row what the violating step does to it."""
    steps = playback.explanation.steps
    if playback.is_judged_at_end or not steps:
        return
    rows = {(change.part, change.key) for change in steps[-1].changes}
    for step in reversed(steps[:-1]):
        for change in step.changes:
            if (change.part, change.key) not in rows or step.task == steps[-1].task:
                continue
            if step.number not in told:
                yield _sentence(
                    step.number,
                    "before",
                    *_deed(step, wording),
                    ": ",
                    ("code", wording.changes([change])),
                    ".",
                )
            return


def _end(playback: Playback) -> Sentence:
    told = playback.explanation
    violation = told.violation
    return _sentence(
        violation.step,
        "VIOLATED",
        "Then nothing can happen any more: " if playback.is_judged_at_end else "So ",
        ("strong", violation.message),
        ".",
    )

"""Why a counterexample fails, as a few sentences that each point at a step.

The words beside the diagram's numbered marks: what was read, who changed it, who acted
on the old value, and how it ended. Knows the evidence and the wording of explanations;
knows no markup: a sentence is a list of pieces, each with a style.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from reports.explanation.evidence import Evidence
from reports.explanation.wording import Wording
from sim.search.stale import StaleRead
from sim.trace import RowChange, Step, plain

Piece = tuple[str, str]
"""(style, text): style is empty, "code" or "strong"."""

_LEFT_MAX: Final = 2
_WAITING: Final = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """One sentence of the story.

    Attributes:
        step: number of the step it is about; None: about the end.
        mark: what the diagram writes beside the step: reads, changes, acts...
        pieces: the sentence.
    """

    step: int | None
    mark: str
    pieces: tuple[Piece, ...]


def story_of(evidence: Evidence) -> list[Beat]:
    """Return the sentences in the order in which things happen."""
    told = evidence.explanation
    wording = Wording(told.steps)
    steps = {step.number: step for step in told.steps}
    beats = list(_left_over(evidence, wording))
    stale = told.stale_read
    if stale is not None:
        beats += _stale_beats(stale, steps, wording)
    beats += _earlier(evidence, wording, [beat.step for beat in beats])
    beats.sort(key=lambda beat: beat.step or 0)
    if stale is not None and stale.acted_step is None:
        beats.append(
            Beat(
                step=None,
                mark="",
                pieces=(
                    ("strong", stale.task),
                    ("", " has already decided by the old answer ("),
                    ("code", wording.value(stale.value)),
                    ("", ") and does not look again."),
                ),
            )
        )
    if stale is None:
        beats.append(
            Beat(
                step=None,
                mark="",
                pieces=(
                    ("", "No step acted on a value that had changed: "),
                    ("", "the rule itself leads here, whoever is faster."),
                ),
            )
        )
    return [*beats, _end(evidence)]


def _stale_beats(
    stale: StaleRead, steps: dict[int, Step], wording: Wording
) -> Iterator[Beat]:
    read, changed = steps[stale.read_step], steps[stale.changed_step]
    yield Beat(
        step=read.number,
        mark="reads",
        pieces=(
            ("strong", read.task),
            ("", " asks "),
            ("code", wording.call(read)),
            ("", " and gets "),
            ("code", wording.value(stale.value)),
            ("", "."),
        ),
    )
    yield Beat(
        step=changed.number,
        mark="makes it stale",
        pieces=(
            ("strong", changed.task),
            ("", " does "),
            ("code", wording.call(changed)),
            ("", ". Asked again now, the answer would be "),
            ("code", wording.value(stale.value_then)),
            ("", f", but {stale.task} does not ask again."),
        ),
    )
    if stale.acted_step is not None:
        acted = steps[stale.acted_step]
        yield Beat(
            step=acted.number,
            mark="acts on it",
            pieces=(
                ("strong", acted.task),
                ("", " still goes by the old answer of step "),
                ("", f"{read.number} and does "),
                ("code", wording.call(acted)),
                ("", "."),
            ),
        )


def _left_over(evidence: Evidence, wording: Wording) -> Iterator[Beat]:
    """Say where what waits for ever came from, if waiting is what is wrong."""
    told = evidence.explanation
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
        yield Beat(
            step=step.number,
            mark="left over",
            pieces=(
                ("strong", step.task),
                ("", " does "),
                ("code", wording.call(step)),
                ("", ": "),
                ("code", wording.changes([change])),
                ("", ". From here to the end nobody touches it."),
            ),
        )


def _earlier(
    evidence: Evidence, wording: Wording, told: Sequence[int | None]
) -> Iterator[Beat]:
    """Say who else did to the same row what the violating step does to it."""
    steps = evidence.explanation.steps
    if evidence.is_judged_at_end or not steps:
        return
    rows = {(change.part, change.key) for change in steps[-1].changes}
    for step in reversed(steps[:-1]):
        for change in step.changes:
            if (change.part, change.key) not in rows or step.task == steps[-1].task:
                continue
            if step.number not in told:
                yield Beat(
                    step=step.number,
                    mark="before",
                    pieces=(
                        ("strong", step.task),
                        ("", " does "),
                        ("code", wording.call(step)),
                        ("", ": "),
                        ("code", wording.changes([change])),
                        ("", "."),
                    ),
                )
            return


def _end(evidence: Evidence) -> Beat:
    told = evidence.explanation
    violation = told.violation
    is_at_end = evidence.is_judged_at_end
    return Beat(
        step=violation.step,
        mark="VIOLATED",
        pieces=(
            ("", "Then nothing can happen any more: " if is_at_end else "So "),
            ("strong", violation.message),
            ("", "."),
        ),
    )

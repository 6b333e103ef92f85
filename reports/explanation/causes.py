"""The causes of a failure in words: what each step of them did, and to what effect.

Knows causes and the wording of steps; decides nothing. Every sentence names steps of
the schedule, and says no more of them than was tried.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wavecheck.reports.explanation.wording import Wording
from wavecheck.sim.search.explain import Explanation
from wavecheck.sim.search.kinds import STEPS_MAX, Cause, CauseKind
from wavecheck.sim.trace import Step, plain

_ROLES: Final[Mapping[CauseKind, tuple[str, str, str]]] = {
    CauseKind.FAULT: ("strikes", "", ""),
    CauseKind.CRASH: ("before it", "fails", ""),
    CauseKind.FAILED: ("before it", "fails", ""),
    CauseKind.EXPIRED: ("ends it", "lives on", ""),
    CauseKind.DEADLOCK: ("holds one", "holds the other", ""),
    CauseKind.STALE_CACHE: ("reads", "makes it stale", "keeps it"),
    CauseKind.ABA: ("reads", "changes it", "finds it again"),
    CauseKind.SNAPSHOT: ("takes its snapshot", "commits", "reads the old one"),
    CauseKind.UNCOMMITTED: ("sees nothing of it", "commits", "acts on it"),
    CauseKind.LOST_WAKE_UP: ("looks", "changes it", "acts on it"),
    CauseKind.WRITE_SKEW: ("reads", "changes it", "acts on it"),
    CauseKind.STALE_READ: ("reads", "makes it stale", "acts on it"),
    CauseKind.COUNTED_TWICE: ("counts", "counts again", ""),
    CauseKind.LOST_UPDATE: ("is lost", "overwrites it", "meets it"),
    CauseKind.DELIVERED_TWICE: ("does it", "gets it again", "does it again"),
    CauseKind.TOO_EARLY: ("looks", "comes too late", "acts on it"),
    CauseKind.ACTED_TWICE: ("changes it", "sees it", "does it again"),
    CauseKind.NOBODY_CALLS_AGAIN: ("looks last", "changes it", ""),
    CauseKind.ANSWER: ("chooses", "", ""),
    CauseKind.ORDER: ("comes first", "comes second", ""),
}
"""What is written beside the steps of a cause: the first, the second, the acting."""

_WITHOUT_EFFECT: Final[Mapping[CauseKind, tuple[str, str, str]]] = {
    CauseKind.NOBODY_CALLS_AGAIN: ("changes it", "sees it and goes", ""),
    CauseKind.LOST_UPDATE: ("comes first", "changes nothing", "meets it"),
    CauseKind.STALE_CACHE: ("puts it there", "goes by it", ""),
}
"""The same where the second step changes nothing."""


def cause_marks(cause: Cause, steps: Sequence[Step]) -> dict[int, str]:
    """Say what the steps of a cause do in it, by number; later steps are left out."""
    roles = _ROLES[cause.kind]
    known = {step.number: step for step in steps}
    if cause.second in known and not known[cause.second].changes:
        roles = _WITHOUT_EFFECT.get(cause.kind, roles)
    numbered = zip((cause.first, cause.second, cause.acted), roles, strict=True)
    return {number: role for number, role in numbered if number in known and role}


def cause_sentences(explanation: Explanation, wording: Wording) -> list[str]:
    """Say what would have saved the run, the main cause first."""
    if explanation.causes:
        steps = {one.number: one for one in (*explanation.steps, *explanation.beyond)}
        return [
            _Telling(one, steps, explanation.violation.step, wording).sentence()
            for one in explanation.causes
        ]
    if len(explanation.schedule.steps) > STEPS_MAX:
        return [
            f"Causes are looked for in up to {STEPS_MAX} steps, and this has more: see"
            " where the nearest schedule that passes takes another way."
        ]
    if explanation.was_cut:
        return [
            "A limit of the command ended the search for causes: wavecheck explain FILE"
            " looks again."
        ]
    if explanation.escape is None:
        return ["No order that was tried avoids it: the rule itself leads here."]
    return [
        "No two steps the other way round avoid it by themselves: see where the nearest"
        " schedule that passes takes another way."
    ]


@dataclass(frozen=True, slots=True)
class _Telling:
    """Tells one cause."""

    cause: Cause
    steps: Mapping[int, Step]
    violated_at: int
    wording: Wording

    def sentence(self) -> str:
        """Return the cause in a sentence."""
        name = self.cause.kind.value
        tell = _TELLS.get(self.cause.kind, _Telling.order)
        return f"{name[0].upper()}{name[1:]}: {tell(self)}"

    def who(self, number: int) -> str:
        """Return the task of a step."""
        return self.steps[number].task

    def call(self, number: int) -> str:
        """Return a step as a call with what it returned."""
        step = self.steps[number]
        return f"{self.wording.brief(step)}{self.wording.result(step)}"

    def at(self, number: int) -> str:
        """Say when a step comes."""
        if number > self.violated_at:
            return "after the violation"
        return f"at step {number}"

    def does(self, number: int) -> str:
        """Say who does what when."""
        return f"{self.at(number)} {self.who(number)} does {self.call(number)}"

    def then(self) -> str:
        """Say what the second step changes, and what the first would read then."""
        c = self.cause
        if c.value_then is None:
            return f"{self.at(c.second)} {self.who(c.second)} changes that" + (
                f" ({self.call(c.second)})"
            )
        return (
            f"{self.at(c.second)} {self.who(c.second)} makes that"
            f" {self.wording.value(c.value_then)} ({self.call(c.second)})"
        )

    def looked(self) -> str:
        """Say what the first step has read."""
        c = self.cause
        return f"{self.at(c.first)} {self.who(c.first)} reads {self.call(c.first)}"

    def on_it(self) -> str:
        """Say by which step the old value is acted on."""
        c = self.cause
        if not c.acted:
            return (
                f"{self.who(c.first)} has decided by the old value and looks no more."
            )
        return (
            f"{self.at(c.acted)} {self.who(c.acted)} acts on the old value"
            f" ({self.call(c.acted)})."
        )

    def stale(self) -> str:
        """A value was read, changed by another, and acted upon."""
        return f"{self.looked()}; {self.then()}; {self.on_it()}"

    def fault(self) -> str:
        """Something failed that does not have to."""
        step = self.steps[self.cause.first]
        what = self.wording.value(step.result) if step.result else step.operation
        return (
            f"at step {step.number} a fault strikes ({what}); without it the property"
            " holds."
        )

    def failed(self) -> str:
        """A statement fails, or is refused, and is not tried again."""
        c = self.cause
        for failed, other in ((c.second, c.first), (c.first, c.second)):
            step = self.steps[failed]
            if isinstance(step.result, Exception):
                ends = ", and that is its end" if c.kind is CauseKind.CRASH else ""
                order = "after" if failed == c.second else "before"
                return (
                    f"{self.at(failed)} {step.task}'s {self.wording.brief(step)} fails"
                    f" ({self.wording.value(plain(step.result))}){ends}; it comes"
                    f" {order} step {other}"
                    f" ({self.who(other)}: {self.call(other)}), and would not fail on"
                    " the other side of it."
                )
        return (
            f"{self.at(c.first)} {self.who(c.first)} is refused ({self.call(c.first)}),"
            f" and does not try again when {self.at(c.second)} {self.who(c.second)}"
            f" makes way ({self.call(c.second)})."
        )

    def expired(self) -> str:
        """What somebody holds ends while he goes on."""
        c = self.cause
        text = (
            f"{self.at(c.first)} {self.who(c.first)} ends what another still holds"
            f" ({self.call(c.first)})"
        )
        if not c.second:
            return f"{text}; had it come after the owner's last step, nothing is wrong."
        return f"{text}; the owner lives, and {self.does(c.second)}."

    def deadlock(self) -> str:
        """Each waits for what the other holds."""
        c = self.cause
        return (
            f"{self.does(c.first)}, {self.does(c.second)}; now each waits for what the"
            " other holds, for ever."
        )

    def cached(self) -> str:
        """A copy is older than its original."""
        c = self.cause
        if c.acted:
            return f"{self.looked()}; {self.then()}; " + (
                f"{self.at(c.acted)} {self.who(c.acted)} puts the old value into the"
                f" cache ({self.call(c.acted)}), where others read it."
            )
        return (
            f"{self.does(c.first)}; {self.at(c.second)} {self.who(c.second)} goes by"
            f" the copy ({self.call(c.second)}), and not by its original."
        )

    def aba(self) -> str:
        """A check finds the old value again, and does not see the change between."""
        c = self.cause
        return (
            f"{self.looked()}; {self.then()}; {self.at(c.acted)} it looks as before, so"
            f" that {self.who(c.acted)}'s check passes ({self.call(c.acted)})."
        )

    def snapshot(self) -> str:
        """What is read was old when it was read."""
        c = self.cause
        return (
            f"{self.at(c.first)} {self.who(c.first)} begins to see the rows as they are"
            f" then ({self.call(c.first)}); {self.at(c.second)} {self.who(c.second)}"
            f" commits another {self.place()} ({self.call(c.second)});"
            f" {self.at(c.acted)} {self.who(c.acted)} still goes by the old one"
            f" ({self.call(c.acted)})."
        )

    def uncommitted(self) -> str:
        """A change was made and not committed when somebody looked."""
        c = self.cause
        return (
            f"{self.looked()}, and sees nothing of the change of {self.place()} that"
            f" {self.who(c.second)} has made and commits only {self.at(c.second)}"
            f" ({self.call(c.second)})."
        )

    def skew(self) -> str:
        """Each has read what the other changes."""
        c = self.cause
        return (
            f"{self.looked()}; {self.then()}, having read in turn what"
            f" {self.who(c.first)} changes: each acts on what the other makes old."
        )

    def wake_up(self) -> str:
        """Somebody looked, and sleeps; who would wake him had looked before."""
        c = self.cause
        acted = ""
        if c.acted:
            acted = (
                f"; {self.at(c.acted)} {self.who(c.acted)} goes by the old answer"
                + (f" ({self.call(c.acted)})")
            )
        return (
            f"{self.looked()}; {self.then()}{acted}; each has looked before the other"
            " was there, and nobody looks again."
        )

    def counted(self) -> str:
        """A counter is moved twice for the same thing."""
        c = self.cause
        return (
            f"{self.does(c.first)}, and {self.does(c.second)}: both count the same"
            f" thing in {self.place()}."
        )

    def lost(self) -> str:
        """A change is overwritten, or refused because of another."""
        c = self.cause
        if not self.steps[c.second].changes:
            return (
                f"{self.at(c.second)} {self.who(c.second)}'s {self.call(c.second)}"
                f" changes nothing, because step {c.first} came first"
                f" ({self.who(c.first)}: {self.call(c.first)})."
            )
        met = ""
        if c.acted:
            met = f"; {self.at(c.acted)} {self.who(c.acted)} meets what is left" + (
                f" ({self.call(c.acted)})"
            )
        return (
            f"{self.at(c.second)} {self.who(c.second)} overwrites {self.place()}"
            f" ({self.call(c.second)}), which {self.who(c.first)} had set"
            f" {self.at(c.first)} ({self.call(c.first)}){met}."
        )

    def delivered(self) -> str:
        """What one has done is handed to another."""
        c = self.cause
        return (
            f"{self.does(c.first)}; {self.at(c.second)} {self.who(c.second)} is handed"
            f" the same once more ({self.call(c.second)}), and"
            f" {self.at(c.acted)} does it again ({self.call(c.acted)})."
        )

    def early(self) -> str:
        """Somebody acts before another is done."""
        c = self.cause
        acted = ""
        if c.acted and c.acted != c.first:
            acted = f", {self.at(c.acted)} goes on by that ({self.call(c.acted)})"
        return (
            f"{self.at(c.first)} {self.who(c.first)} goes by {self.call(c.first)}"
            f"{acted}; what {self.who(c.second)} has still to do comes only"
            f" {self.at(c.second)} ({self.call(c.second)})."
        )

    def twice(self) -> str:
        """Two see the same, and nothing says that one has acted on it."""
        c = self.cause
        first, second = sorted((c.first, c.second))
        return (
            f"{self.does(first)}, and {self.does(second)}: one finding for two tasks,"
            f" and {self.at(c.acted)} {self.who(c.acted)} does what has been done"
            f" already ({self.call(c.acted)})."
        )

    def nobody(self) -> str:
        """Somebody looked for the last time, and then something changed."""
        c = self.cause
        if self.steps[c.second].changes:
            return (
                f"{self.at(c.first)} {self.who(c.first)} looks for the last time"
                f" ({self.call(c.first)}); {self.then()}, and nobody looks again."
            )
        return (
            f"{self.does(c.first)}; {self.at(c.second)} {self.who(c.second)} sees that"
            f" ({self.call(c.second)}) and goes, and nobody does what is left."
        )

    def answer(self) -> str:
        """What was chosen in a step could have been something else."""
        c = self.cause
        return (
            f"{self.does(c.first)}, which is a choice; with another answer the property"
            " holds."
        )

    def order(self) -> str:
        """Two steps would have to come the other way round."""
        c = self.cause
        return (
            f"{self.does(c.first)}, and {self.does(c.second)}; the other way round the"
            " property holds."
        )

    def place(self) -> str:
        """Return the row on which the steps meet."""
        if self.cause.place is None:
            return "that"
        part, key = self.cause.place
        shown = self.wording.key(key) if key is not None else ""
        return f"{part} {shown}".strip()


_TELLS: Final[Mapping[CauseKind, Callable[[_Telling], str]]] = {
    CauseKind.FAULT: _Telling.fault,
    CauseKind.CRASH: _Telling.failed,
    CauseKind.FAILED: _Telling.failed,
    CauseKind.EXPIRED: _Telling.expired,
    CauseKind.DEADLOCK: _Telling.deadlock,
    CauseKind.STALE_CACHE: _Telling.cached,
    CauseKind.ABA: _Telling.aba,
    CauseKind.SNAPSHOT: _Telling.snapshot,
    CauseKind.UNCOMMITTED: _Telling.uncommitted,
    CauseKind.LOST_WAKE_UP: _Telling.wake_up,
    CauseKind.WRITE_SKEW: _Telling.skew,
    CauseKind.STALE_READ: _Telling.stale,
    CauseKind.COUNTED_TWICE: _Telling.counted,
    CauseKind.LOST_UPDATE: _Telling.lost,
    CauseKind.DELIVERED_TWICE: _Telling.delivered,
    CauseKind.TOO_EARLY: _Telling.early,
    CauseKind.ACTED_TWICE: _Telling.twice,
    CauseKind.NOBODY_CALLS_AGAIN: _Telling.nobody,
    CauseKind.ANSWER: _Telling.answer,
    CauseKind.ORDER: _Telling.order,
}

"""What can go wrong, by whose hand.

    WavecheckError
    |-- InvalidScenario       the caller: an unknown name, a bad value, a malformed file
    |-- CoordinatorError      the code under test: does not load, raises
    |   `-- StepLimitReached  never stops
    |-- NondeterminismError   the code under test: same schedule, different execution
    |-- ReplayMismatch        a schedule that this version or scenario cannot follow
    `-- HarnessBug            ours; the message asks for a report

A violated property is a verdict, not an exception. Beside the tree, `OutOfTime` is
raised where a limit of time or memory ends the work.
"""

from difflib import get_close_matches


class WavecheckError(Exception):
    """Base of everything that Wavecheck raises on purpose; its text is for people."""


class InvalidScenario(WavecheckError):
    """The caller asked for something that does not exist or makes no sense."""


class CoordinatorError(WavecheckError):
    """The code under test cannot be run, or failed while it ran."""


class StepLimitReached(CoordinatorError):
    """The code under test goes on after as many steps as it may take."""


class NondeterminismError(WavecheckError):
    """The code under test behaved differently in two runs of one schedule."""


class ReplayMismatch(WavecheckError):
    """A recorded schedule and this execution disagree."""


class HarnessBug(WavecheckError):
    """An invariant of Wavecheck itself does not hold."""

    def __init__(self, fact: str) -> None:
        super().__init__(f"{fact}\nthis is a fault of Wavecheck: please report it")


class OutOfTime(BaseException):
    """A limit ended the work in the middle of an execution, which is abandoned.

    Like an interrupt it is no `Exception`: whoever handles failures of the code under
    test must not take it for one.
    """


class Overdue(OutOfTime):
    """A limit was passed long ago: raised wherever the code is by now.

    What was under way may be half done, and is given up. The message says which limit
    it was.
    """


def unknown_name(kind: str, name: str, known: list[str]) -> InvalidScenario:
    """Say that a name is not known, and which one was probably meant."""
    near = get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return InvalidScenario(f"unknown {kind} {name!r}: {hint}known: {', '.join(known)}")

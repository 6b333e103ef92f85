"""What the exhaustive engine refuses to learn, and how it says so.

Knows no domain. A refusal names the culprit: a proof that rests on a guess is none.
"""

from wavecheck.sim.errors import NondeterminismError


class CannotLearn(NondeterminismError):
    """The code under test keeps or reads state that the engine cannot see."""


class CannotCompare(Exception):
    """A value has no key that stands for everything it will do; internal."""


def refuse(fact: str, *, task: str, likely: str) -> CannotLearn:
    """Return the error that says what was found, in which task, and why.

    Args:
        fact: what cannot be learned, with the culprit's name.
        task: whose step showed it.
        likely: the usual cause.
    """
    return CannotLearn(
        f"cannot be proved: {fact}\n"
        f"  in task  {task}\n"
        f"likely: {likely}\n"
        "next: keep state in the store, or search with --strategy random instead"
    )

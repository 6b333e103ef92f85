"""Sweeps spread over an engine's processes: several sizes are proved at once.

They are shown in the order of the sizes, whatever finished first, so that the answer
does not depend on the engine. Only how far a budget in seconds reaches does. A piece
that knows how much time is left never waits in a queue.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from wavecheck.scenarios.campaign.engines import Engine, run_pieces
from wavecheck.scenarios.campaign.pieces import SubjectPiece, piece_of
from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.proving import SWEEP_SECONDS, growing, prove
from wavecheck.scenarios.verdicts.result import CheckResult


def run_proof(piece: SubjectPiece) -> CheckResult:
    """Prove one size; the subject stays at home, for not every one can travel."""
    result = prove(piece.subject(), piece.effort)
    nowhere: Any = None  # until it is put back at home
    return replace(result, subject=nowhere)


def _states(result: CheckResult) -> int:
    assert result.explored is not None
    return result.explored.exploration.states


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepProgress:
    """Where a sweep stands.

    Attributes:
        proofs: finished.
        states: visited by all of them.
        under_way: sizes that are being proved.
        seconds: since the beginning.
    """

    proofs: int
    states: int
    under_way: int
    seconds: float


def sweep_spread(
    subject: Subject,
    effort: Effort,
    engine: Engine,
    progress: Callable[[SweepProgress], None] = lambda now: None,
) -> Iterator[CheckResult]:
    """Prove a subject in growing sizes at once; as `sweep`, one after another.

    Args:
        subject: what; its own sizes are not used.
        effort: its budget is for all sizes together.
        engine: where.
        progress: called when a size is finished, and once a second while none is.

    Yields:
        The proofs in the order of the sizes. Each has what was left of the time when it
        began, and its share of the memory.

    Raises:
        KeyboardInterrupt: after the last finished proof.
    """
    began = time.monotonic()
    seconds = SWEEP_SECONDS if effort.seconds is None else effort.seconds
    here = replace(
        effort,
        jobs=1,
        cluster=None,
        memory_bytes=engine.memory_of_each(effort.memory_bytes),
    )
    grown: list[Subject] = []
    done: dict[int, CheckResult] = {}
    shown: list[int] = []

    def pieces() -> Iterator[SubjectPiece]:
        for one in growing(subject):
            left = seconds - (time.monotonic() - began)
            if left <= 0:
                return
            grown.append(one)
            yield piece_of(one, len(grown) - 1, replace(here, seconds=left))

    def tell() -> None:
        progress(
            SweepProgress(
                proofs=len(done),
                states=sum(map(_states, done.values())),
                under_way=len(grown) - len(done),
                seconds=time.monotonic() - began,
            )
        )

    try:
        for piece, result, _ in run_pieces(
            engine, run_proof, pieces(), ahead=1, idle=tell
        ):
            done[piece.number] = replace(result, subject=grown[piece.number])
            tell()
            while len(shown) in done:
                shown.append(len(shown))
                yield done[shown[-1]]
    except KeyboardInterrupt:
        for number in sorted(set(done) - set(shown)):
            yield done[number]
        raise

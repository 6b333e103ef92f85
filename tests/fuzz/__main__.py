"""Run the differential fuzzer: python -m tests.fuzz --minutes 60."""

import argparse
import signal
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from tests.fuzz import transactions
from tests.fuzz.comparing import compare
from tests.fuzz.drawing import KINDS, draw
from tests.fuzz.enumeration import FailsAtStart, TooLarge

TRANSACTIONS = "transactions"
ALL_KINDS = (*KINDS, TRANSACTIONS)
CASE_SECONDS_MAX = 120
"""Of processor time, so that a busy machine makes no finds."""


class DoesNotEnd(BaseException):
    """One case takes too long; no handler of the code under test may take it."""


def compared(kind: str, seed: int) -> int:
    """Compare one case; return how many states, or schedules of transactions, it has.

    Raises:
        Differs, AssertionError: the two sides do not say the same.
        DoesNotEnd: it takes longer than `CASE_SECONDS_MAX`.
        TooLarge: it has too many.
        FailsAtStart: what the reference does not know.
    """
    with _limited():
        if kind == TRANSACTIONS:
            return transactions.compare(seed)
        return len(compare(draw(kind, seed)).states)


@contextmanager
def _limited() -> Iterator[None]:
    def over(*details: Any) -> None:
        raise DoesNotEnd(f"it took over {CASE_SECONDS_MAX} s")

    before = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, CASE_SECONDS_MAX)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def main() -> int:
    """Draw and compare cases until the time or the number is over."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first case")
    parser.add_argument("--kind", action="append", choices=ALL_KINDS)
    parser.add_argument("--show", action="store_true", help="print the first find")
    given = parser.parse_args()
    kinds = given.kind or ALL_KINDS
    began, done, states = time.monotonic(), Counter[str](), Counter[str]()
    finds: list[str] = []
    for seed in count(given.seed):
        for kind in kinds:
            try:
                states[kind] += compared(kind, seed)
                done[kind] += 1
            except TooLarge:
                done[f"{kind}, too large"] += 1
            except FailsAtStart:
                done[f"{kind}, fails at its start"] += 1
            except (Exception, DoesNotEnd) as error:
                finds.append(f"{kind} {seed}")
                text = str(error).splitlines() or [""]
                print(
                    f"FIND {kind} {seed}: {type(error).__name__}: {text[0]}", flush=True
                )
                if given.show:
                    traceback.print_exc()
                    return 1
        if seed % 100 == 99:
            so_far = " ".join(f"{one} {number}" for one, number in sorted(done.items()))
            print(f"to seed {seed}, {len(finds)} finds: {so_far}", flush=True)
        is_over = time.monotonic() - began > given.minutes * 60
        if is_over or sum(done.values()) + len(finds) >= given.cases:
            break
    for kind, number in sorted(done.items()):
        print(f"{kind:24} {number:7} cases {states[kind]:9} states")
    print(f"finds: {len(finds)}; seconds: {time.monotonic() - began:.0f}")
    return 1 if finds else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""What it costs to start: processor time of whole commands, children included."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.table import Bar, Table

COMMAND: Final = "python -m benchmarks startup"
SCRIPT: Final = Path(sys.executable).with_name("wavecheck")
LINES: Final[tuple[tuple[str, float | None], ...]] = (
    ("--version", 0.25),
    ("--help", 0.25),
    ("list", None),
    ("replay no-such-file", None),
    ("check wd -c stalling --executions 5", 1.0),
)
"""Command lines, each with the seconds of processor time that it may take."""
BUILT_IN: Final = "run wd -c claiming"
FROM_A_FILE: Final = "run examples/worlds/orders.py -c guarded"
FILE_COSTS_MAX: Final = 0.3
"""Seconds of processor time that a world of a file may take over a built-in one.

Both are run once in virtual time: a search of a file starts processes with other hash
seeds, which ours need not.
"""
_BOTH: Final = (BUILT_IN, FROM_A_FILE)


def tables(*, is_quick: bool) -> Iterator[Table]:
    """Yield the processor time of commands that do next to nothing."""
    rounds = 3 if is_quick else 10
    rows, bars = [], []
    for line, most in LINES:
        seconds = median(_seconds(line.split()) for _ in range(rounds))
        rows.append((f"`wavecheck {line}`", f"{seconds:.2f}"))
        if most is not None:
            text = f"`wavecheck {line}` takes at most {most} s"
            bars.append(Bar(text=text, is_reached=seconds <= most))
    costs = [median(_seconds(one.split()) for _ in range(rounds)) for one in _BOTH]
    for line, seconds in zip(_BOTH, costs, strict=True):
        rows.append((f"`wavecheck {line}`", f"{seconds:.2f}"))
    text = f"a world of a file takes at most {FILE_COSTS_MAX} s over a built-in one"
    bars.append(Bar(text=text, is_reached=costs[1] - costs[0] <= FILE_COSTS_MAX))
    yield Table(
        title="What it costs to start",
        command=COMMAND,
        columns=("command", "processor seconds"),
        rows=rows,
        bars=bars,
        note=f"Medians of {rounds} runs; processes that the command starts count.",
    )


def _seconds(arguments: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([SCRIPT, *arguments], capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

"""Whether `--budget N` is kept: the time of whole commands, their start included.

What a command waited for a processor, because others had it, is left out: the kernel of
Linux counts that for each process. Elsewhere it counts, so the machine must be idle.
"""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.table import Bar, Table
from wavecheck.scenarios.catalogue import EXHIBITS, SCENARIOS

COMMAND: Final = "python -m benchmarks budgets"
SCRIPT: Final = (
    sys.executable,
    "-c",
    "from wavecheck.reports.entry import main; main()",
)
EXAMPLES: Final = Path(__file__).parents[1] / "examples"
LARGE: Final = ("parents", "workers", "pollers", "polls", "jobs", "listeners")
"""Settings that make a world too large for any budget."""

SHARE: Final = 1.1
SLACK_SECONDS: Final = 2.0
_ROWS: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one command took.

    Attributes:
        line: without the name of the program.
        budget: seconds that it was given.
        wall: seconds from its start to its end.
        waited: seconds in which it could have run and others did.
        status: how it ended.
        said: the end of what it wrote to standard error.
    """

    line: str
    budget: float
    wall: float
    waited: float
    status: int
    said: str

    def seconds(self) -> float:
        """Return how long it would have taken on an idle machine."""
        return self.wall - self.waited

    def is_kept(self) -> bool:
        """Return whether the budget was kept, and the command ended in order."""
        most = SHARE * self.budget + SLACK_SECONDS
        return self.seconds() <= most and self.status in (0, 1, 2, 3)


def tables(*, is_quick: bool) -> Iterator[Table]:
    """Yield the commands that come nearest to their bar, or miss it."""
    measured = [measure(line, seconds) for line, seconds in _lines(is_quick=is_quick)]
    over = [one for one in measured if not one.is_kept()]
    worst = sorted(measured, key=lambda one: SHARE * one.budget - one.seconds())
    shown = [*over, *(one for one in worst if one.is_kept())][: max(_ROWS, len(over))]
    yield Table(
        title=f"Budgets of {len(measured)} commands",
        command=COMMAND,
        columns=("command", "budget s", "seconds", "wall s", "status"),
        rows=[
            (
                f"`wavecheck {one.line}`",
                f"{one.budget:g}",
                f"{one.seconds():.1f}",
                f"{one.wall:.1f}",
                str(one.status),
            )
            for one in shown
        ],
        bars=[
            Bar(
                text=f"{len(measured) - len(over)} of {len(measured)} commands with"
                f" `--budget N` end within {SHARE} N + {SLACK_SECONDS:g} s",
                is_reached=not over,
            )
        ],
        note="The nearest to the bar. Seconds are without those in which others had"
        " the processor.",
    )


def _lines(*, is_quick: bool) -> Iterator[tuple[str, float]]:
    """Yield command lines, and the seconds of their budgets."""
    for scenario in SCENARIOS.values():
        names = list(scenario.coordinators)
        for name in names[:1] if is_quick else names:
            for verb in ("check", "prove"):
                yield f"{verb} {scenario.name} -c {name}", 1.0
        fields = vars(scenario.settings_type)["__dataclass_fields__"]
        for name in [one for one in LARGE if one in fields][: 1 if is_quick else None]:
            for verb in ("check", "prove"):
                for size in ("10000", "1000000"):
                    yield f"{verb} {scenario.name} --set {name}={size}", 1.0
    for exhibit in EXHIBITS:
        yield f"zoo {exhibit}", 1.0
    yield "zoo", 5.0
    for name in ("incident", "import-job"):
        yield f"check {name}", 3.0
        yield f"check {name} --canary", 3.0
        yield f"check {name} --jobs 2", 3.0
        yield f"sweep {name}", 3.0
    for line in ("sweep wd", "sweep wd --jobs 2", "prove wd -c claiming"):
        yield line, 2.0
    for file in [*sorted(EXAMPLES.rglob("world.py")), EXAMPLES / "worlds/orders.py"]:
        for verb in ("check", "prove"):
            yield f"{verb} {shlex.quote(str(file))}", 2.0


def measure(line: str, budget: float, folder: Path | None = None) -> Measured:
    """Run a command with a budget in a folder; return what it took."""
    arguments: Sequence[str] = [*shlex.split(line), "--budget", f"{budget:g}s"]
    began = time.monotonic()
    with subprocess.Popen(
        [*SCRIPT, *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        wall, waited = time.monotonic() - began, _waited(process.pid)
    return Measured(
        line=line,
        budget=budget,
        wall=wall,
        waited=waited,
        status=process.returncode,
        said=said.decode(errors="replace")[-300:],
    )


def _waited(process_id: int) -> float:
    """Return how long a process that has just ended could have run and did not."""
    try:
        told = Path(f"/proc/{process_id}/schedstat").read_text()
    except OSError:
        return 0.0
    return int(told.split()[1]) / 1e9

"""Progress on a terminal for whatever takes longer than a second.

Goes to standard error, so that results can be piped; where nobody looks, a line every
ten seconds.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Final

from rich.status import Status

from wavecheck.reports.console import make_console
from wavecheck.scenarios.verdicts.approaches import Watch
from wavecheck.sim.deadline import NO_DEADLINE, Deadline

if TYPE_CHECKING:
    from wavecheck.scenarios.campaign.campaign import CampaignProgress, Tell
    from wavecheck.scenarios.campaign.sweeping import SweepProgress
    from wavecheck.scenarios.conformity.conforming import LevelResult
    from wavecheck.scenarios.conformity.conforming import Progress as ConformProgress
    from wavecheck.scenarios.verdicts.checking import SearchProgress
    from wavecheck.scenarios.verdicts.proving import ProofProgress
    from wavecheck.sim.exhaustive import Progress
    from wavecheck.sim.search.session import Found, Statistics

PATIENCE_SECONDS: Final = 1.0
LINE_EVERY_SECONDS: Final = 10.0
_RATES_SHOWN: Final = 2


class _Line:
    """One line that changes while work goes on."""

    def __init__(self) -> None:
        self._console = make_console(is_error=True)
        self._status = Status("", console=self._console)
        self._began = self._shown = monotonic()
        self._is_live = False

    def seconds(self) -> float:
        """Return the seconds since the work began."""
        return monotonic() - self._began

    def tell(self, text: str) -> None:
        """Show where the work is, once it has taken a while."""
        if self.seconds() < PATIENCE_SECONDS:
            return
        if self._console.is_terminal:
            self._status.update(text)
            if not self._is_live:
                self._status.start()
                self._is_live = True
        elif monotonic() - self._shown > LINE_EVERY_SECONDS:
            self._shown = monotonic()
            self._console.print(text)

    def close(self) -> None:
        """Take the line away."""
        if self._is_live:
            self._status.stop()


@contextmanager
def _line() -> Iterator[_Line]:
    line = _Line()
    try:
        yield line
    finally:
        line.close()


@contextmanager
def showing_progress(
    names: list[str], budget: float | None = None
) -> Iterator[Callable[[str, int], None]]:
    """Yield the function that takes (coordinator, steps so far)."""
    of = "" if budget is None else f" of {_duration(budget)}"
    with _line() as line:

        def report(name: str, steps_count: int) -> None:
            line.tell(
                f"{name} ({names.index(name) + 1} of {len(names)}):"
                f" {steps_count:,} steps, {line.seconds():.0f} s{of}"
            )

        yield report


@contextmanager
def showing_exhibits(count: int) -> Iterator[Callable[[str], None]]:
    """Yield the function that takes the name of an exhibit that was examined."""
    with _line() as line:
        seen: dict[str, None] = {}

        def report(name: str) -> None:
            seen[name] = None
            line.tell(f"{name} ({len(seen)} of {count}), {line.seconds():.0f} s")

        yield report


@contextmanager
def showing_search(deadline: Deadline = NO_DEADLINE) -> Iterator["SearchProgress"]:
    """Yield the function that takes a search's statistics and what it found."""
    with _line() as line:

        def report(seen: "Statistics", found: "Mapping[str, Found]") -> None:
            best = ", ".join(
                f"{name} in {one.violation.step} steps" for name, one in found.items()
            )
            rate = seen.executions_count / max(seen.seconds, 1e-9)
            line.tell(
                f"{seen.executions_count:,} executions, {rate:,.0f}/s,"
                f" {seen.final_states_count:,} final states;"
                f" found: {best or 'nothing'}{_left(deadline)}"
            )

        yield report


@contextmanager
def showing_proof(deadline: Deadline = NO_DEADLINE) -> Iterator["ProofProgress"]:
    """Yield the function that takes a proof's level and the seconds so far."""
    with _line() as line:

        def report(reached: "Progress", seconds: float) -> None:
            line.tell(
                f"level {reached.level}, frontier {reached.frontier:,},"
                f" {reached.states:,} states,"
                f" {reached.states / max(seconds, 1e-9):,.0f}/s,"
                f" {reached.bytes / 1e6:,.0f} MB{_left(deadline)}"
            )

        yield report


@contextmanager
def showing_answer(deadline: Deadline = NO_DEADLINE) -> Iterator[Watch]:
    """Yield what is told how far a search or a proof is, with the time that is left."""
    with showing_search(deadline) as searching, showing_proof(deadline) as proving:
        yield Watch(searching=searching, proving=proving)


@contextmanager
def showing_sweep() -> Iterator["Callable[[SweepProgress], None]"]:
    """Yield the function that takes where a sweep over several processes stands."""
    with _line() as line:

        def report(now: "SweepProgress") -> None:
            line.tell(
                f"{now.proofs:,} sizes proved, {now.states:,} states;"
                f" {now.under_way:,} under way, {_duration(now.seconds)}"
            )

        yield report


@contextmanager
def showing_campaign() -> Iterator["Tell"]:
    """Yield the function that takes where a campaign stands."""
    with _line() as line:

        def report(now: "CampaignProgress") -> None:
            line.tell(campaign_line(now))

        yield report


def campaign_line(now: "CampaignProgress") -> str:
    """Return where a campaign stands, in one line."""
    left = "" if now.seconds_left is None else f", {_duration(now.seconds_left)} left"
    worst = sorted(now.rates, key=lambda one: -one[2])[:_RATES_SHOWN]
    rates = "; ".join(
        f"{label}: {name} {rate:.1%} [{interval.low:.1%}, {interval.high:.1%}]"
        for label, name, rate, interval in worst
    )
    return (
        f"{now.runs:,} of {now.runs_max:,} runs, {now.runs_per_second:,.0f}/s{left};"
        f" {rates or 'nothing violated'}"
    )


def _left(deadline: Deadline) -> str:
    left = deadline.seconds_left()
    return "" if left == math.inf else f"; {_duration(left)} left"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


@contextmanager
def showing_conformity() -> Iterator["ConformProgress"]:
    """Yield the function that takes what was compared so far at one level."""
    with _line() as line:

        def report(reached: "LevelResult") -> None:
            what = "shrinking" if reached.is_shrinking else "no disagreement"
            line.tell(
                f"{reached.level}: {reached.worlds_count:,} of"
                f" {reached.schedules:,} schedules, {reached.steps_count:,}"
                f" statements; {what}"
            )

        yield report

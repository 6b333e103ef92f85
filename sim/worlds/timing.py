"""How long statements take in a timed run of a built world.

Without a word every statement takes a millisecond. In searches and proofs no time
passes, and nothing here is asked.

Units: seconds where a world says them, ticks in the kernel.
"""

from collections.abc import Callable
from typing import Any, Final

from wavecheck.sim.blame import calling_at
from wavecheck.sim.draws import Draw, drawn_from, spread_evenly
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.kernel import TICKS_PER_MILLISECOND, TICKS_PER_SECOND, Kernel
from wavecheck.sim.operation import Operation
from wavecheck.sim.prng import Stream
from wavecheck.sim.surroundings import RUNNING

Duration = float | list[float] | tuple[float, ...] | Callable[[], float]
"""Seconds: a number, measured values of which one is drawn, or what draws one."""

_EVERY: Final = ""


class Latencies:
    """The latencies of a world's statements, as its kernel asks for them.

    Args:
        kernel: whose seed the draws depend on.

    Attributes:
        taken: ticks of each operation that has not acted yet.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.taken: dict[Operation[Any], int] = {}
        self._kernel = kernel
        self._declared: dict[str, tuple[Duration, float]] = {}
        self._draws: dict[str, Draw] = {}

    def declare(self, name: str, seconds: Duration, spread: float) -> None:
        """Say how long statements take.

        Args:
            name: of a statement, or of a part: all of its statements; empty: every
                other statement.
            seconds: how long.
            spread: a number lies evenly around itself, by at most this share.

        Raises:
            InvalidScenario: a time or a spread that is none.
        """
        values = seconds if isinstance(seconds, list | tuple) else [seconds]
        is_drawn = callable(seconds)
        is_wrong = not is_drawn and (
            not values or any(not _is_time(one) for one in values)
        )
        if is_wrong or not 0 <= spread <= 1:
            raise InvalidScenario(
                f"a latency of {seconds!r} seconds with spread {spread!r}\n"
                f"  at  {calling_at()}\n"
                "  expected  seconds of at least 0, some of them, or a function that"
                " draws one; a spread from 0 to 1"
            )
        self._declared[name] = (seconds, spread)

    def begin(self) -> None:
        """Draw as if no run had been before, and let the kernel ask."""
        self._draws.clear()
        self.taken.clear()
        self._kernel.latency = self

    def __call__(self, operation: Operation[Any]) -> int:
        """Return how many ticks an operation takes before it acts."""
        name = operation.statement.name
        draw = self._draws.get(name)
        if draw is None:
            draw = self._draws[name] = self._draw_for(name)
        ticks = self.taken[operation] = draw()
        return ticks

    def _draw_for(self, name: str) -> Draw:
        of_part = name.rpartition(".")[0]
        for known in (name, of_part, _EVERY):
            if known in self._declared:
                seconds, spread = self._declared[known]
                return self._source(f"latency {name}", seconds, spread)
        return lambda: TICKS_PER_MILLISECOND

    def _source(self, purpose: str, seconds: Duration, spread: float) -> Draw:
        if callable(seconds):
            return self._called(seconds)
        stream = Stream(self._kernel.seed, purpose)
        if isinstance(seconds, list | tuple):
            return drawn_from(
                tuple(round(one * TICKS_PER_SECOND) for one in seconds), stream
            )
        return spread_evenly(seconds * TICKS_PER_SECOND, spread, stream)

    def _called(self, seconds: Callable[[], float]) -> Draw:
        """Let a function draw, by the chance of the task that takes the step."""
        kernel = self._kernel

        def draw() -> int:
            was_running, RUNNING.kernel = RUNNING.kernel, kernel
            try:
                drawn = seconds()
            finally:
                RUNNING.kernel = was_running
            return max(0, round(drawn * TICKS_PER_SECOND))

        return draw


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0

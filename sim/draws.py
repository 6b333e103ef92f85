"""Where times come from: an even spread, or values that were measured.

Knows streams of random numbers and no world. Values that were measured are
drawn with replacement, each equally likely: an empirical distribution needs no formula,
and the same seed draws the same values on every machine. A fitted formula comes in the
same form, as a list of its quantiles.

Units: ticks.
"""

from collections.abc import Callable
from typing import Final

from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.prng import Stream

SAMPLES_MAX: Final = 10_000
LARGEST: Final = 1e9

Draw = Callable[[], int]


def spread_evenly(mean: float, spread: float, stream: Stream) -> Draw:
    """Return a source of ticks that lie evenly in mean * (1 +- spread)."""
    low, high = round(mean * (1 - spread)), round(mean * (1 + spread))
    if low == high:
        return lambda: low
    return lambda: stream.between(low, high)


def drawn_from(values: tuple[int, ...], stream: Stream) -> Draw:
    """Return a source of ticks that are some of these, each equally likely."""
    count = len(values)
    below = stream.below
    return lambda: values[below(count)]


def parse_samples(name: str, text: str) -> tuple[float, ...]:
    """Read numbers with commas between them; none in an empty text.

    Args:
        name: of the setting, for the message.
        text: as on the command line.

    Raises:
        InvalidScenario: something is no number, or is negative or far too large.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) > SAMPLES_MAX:
        raise InvalidScenario(
            f"parameter {name!r} has {len(parts):,} values, at most {SAMPLES_MAX:,}"
        )
    numbers = []
    for part in parts:
        try:
            number = float(part)
        except ValueError:
            number = -1.0
        if not 0.0 <= number <= LARGEST:
            raise InvalidScenario(
                f"parameter {name!r}\n"
                f"  expected  numbers from 0 to {LARGEST:g}, as in 1.5,2,2.25\n"
                f"  got       {part!r}"
            )
        numbers.append(number)
    return tuple(numbers)

"""Times of the user's own system, measured from an incident's rows and call log.

A campaign with made-up service times says how often something would happen to a made-up
system. Here the times come from two CSV files, as `timeline_files` reads them: the rows
of `wave_batches`, where there are `started_at` (or `dispatched_at`) and `completed_at`
columns, and the call log, where there are `ended_at` and `statements` columns. What the
files do not hold is said, never guessed.

By default a time is drawn from the measured values themselves. A fitted formula smooths
them and has a tail beyond the largest value; how well it fits is part of the result, by
the Kolmogorov-Smirnov distance with a p-value from simulated samples of the fitted
formula (Lilliefors' correction: the parameters come from the same data).

Units: seconds, but `latency_samples_ms`, which the settings want in milliseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from wavecheck.scenarios.incident.timeline import BatchLine, CallLine, read_records
from wavecheck.sim.errors import InvalidScenario, unknown_name

QUANTILES_COUNT: Final = 200
"""A longer list of values is thinned to so many of its quantiles."""

SIMULATIONS: Final = 200
_SHAPES: Final = (1e-3, 1e3)  # between which a shape lies
EMPIRICAL: Final = "empirical"
FAMILIES: Final[Mapping[str, str]] = {
    "exponential": "expon",
    "lognormal": "lognorm",
    "gamma": "gamma",
    "weibull": "weibull_min",
}
"""Formulas for times, positive and with one long tail; what SciPy calls them."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A formula fitted to measured times.

    Attributes:
        family: its name.
        parameters: by name; the location is fixed at zero.
        distance: largest gap between the two distribution functions, 0 to 1.
        p_value: how often data drawn from the formula itself, fitted again, lie at
            least as far off; small: the formula does not describe the data.
    """

    family: str
    parameters: Mapping[str, float]
    distance: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One kind of time.

    Attributes:
        setting: the setting that takes it.
        meaning: what was measured, from which columns.
        count: how many values there are.
        mean: seconds, or milliseconds for a latency.
        quantiles: at 5, 50 and 95 %, in the same unit.
        samples: what is drawn from, ascending.
        fit: the formula that the samples are quantiles of; None: they are the data.
    """

    setting: str
    meaning: str
    count: int
    mean: float
    quantiles: tuple[float, float, float]
    samples: tuple[float, ...]
    fit: Fit | None

    def text(self) -> str:
        """Return the samples as the setting takes them."""
        return ",".join(f"{value:.6g}" for value in self.samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What a pair of files says about a system.

    Attributes:
        times: what could be measured.
        missing: setting and reason, for what could not.
        fits: every formula that was tried, by setting, best first.
    """

    times: tuple[Measured, ...]
    missing: Mapping[str, str]
    fits: Mapping[str, tuple[Fit, ...]] = field(default_factory=dict)

    def settings(self, known: Sequence[str]) -> dict[str, str]:
        """Return what a scenario that knows these settings can use."""
        return {one.setting: one.text() for one in self.times if one.setting in known}


def calibrate(batches: str, calls: str, *, family: str = EMPIRICAL) -> Calibration:
    """Measure a system from an incident's files.

    Args:
        batches: CSV file of batches; empty, with `calls`: the published incident.
        calls: CSV file of dispatch calls.
        family: `empirical`, the name of a formula, or `best`: the closest of them.

    Raises:
        InvalidScenario: a malformed file, no such formula, or times that run backwards.
    """
    choices = [EMPIRICAL, "best", *FAMILIES]
    if family not in choices:
        raise unknown_name("family of distributions", family, choices)
    rows, log = read_records(batches, calls)
    found: dict[str, tuple[str, list[float]]] = {}
    missing: dict[str, str] = {}
    for setting, (meaning, values, reason) in {
        "service_samples": _service(rows),
        "latency_samples_ms": _latency(log),
        "creation_samples": _gaps("batches", [one.created_at for one in rows]),
        "call_samples": _gaps("dispatch calls", [one.called_at for one in log]),
    }.items():
        if values:
            found[setting] = (meaning, values)
        else:
            missing[setting] = reason
    fits = {
        setting: fit_all(values)
        for setting, (_, values) in found.items()
        if family != EMPIRICAL
    }
    return Calibration(
        times=tuple(
            _measured(setting, meaning, values, _chosen(fits.get(setting), family))
            for setting, (meaning, values) in found.items()
        ),
        missing=missing,
        fits=fits,
    )


_Found = tuple[str, list[float], str]
"""What was measured, the values, and why there are none."""


def _service(rows: Sequence[BatchLine]) -> _Found:
    done = [one for one in rows if one.completed_at is not None]
    begins = "started_at" if any(one.started_at for one in done) else "dispatched_at"
    values = []
    for one in done:
        began = one.started_at if begins == "started_at" else one.dispatched_at
        if began is None or one.completed_at is None:
            continue
        values.append((one.completed_at - began).total_seconds())
        _forwards(values[-1], f"batch {one.batch_id!r}", begins, "completed_at")
    return (
        f"completed_at - {begins} of the batches",
        values,
        "the batches have no completed_at with a started_at or dispatched_at",
    )


def _latency(log: Sequence[CallLine]) -> _Found:
    values = []
    for one in log:
        if one.ended_at is None or not one.statements:
            continue
        seconds = (one.ended_at - one.called_at).total_seconds()
        _forwards(seconds, f"call {one.call_number}", "called_at", "ended_at")
        values.append(seconds * 1_000.0 / one.statements)
    return (
        "(ended_at - called_at) / statements of the calls",
        values,
        "the calls have no ended_at with a number of statements",
    )


def _gaps(what: str, moments: Sequence[Any]) -> _Found:
    gaps = [(b - a).total_seconds() for a, b in pairwise(sorted(moments))]
    return (
        f"time between two {what}",
        gaps,
        f"there is one of the {what} only",
    )


def _forwards(seconds: float, which: str, first: str, second: str) -> None:
    if seconds < 0:
        raise InvalidScenario(
            f"{which}: {second} is {-seconds:g} s before {first}\n"
            "next: check that both columns are of one clock and in this order"
        )


def _measured(
    setting: str, meaning: str, values: Sequence[float], fit: Fit | None
) -> Measured:
    data = np.sort(np.asarray(values, dtype=np.float64))
    if fit is not None:
        samples = _formula(fit.family, fit.parameters).ppf(_middles(QUANTILES_COUNT))
    elif len(data) > QUANTILES_COUNT:
        samples = np.quantile(data, _middles(QUANTILES_COUNT), method="inverted_cdf")
    else:
        samples = data
    low, middle, high = np.quantile(data, (0.05, 0.5, 0.95), method="inverted_cdf")
    return Measured(
        setting=setting,
        meaning=meaning,
        count=len(data),
        mean=float(data.mean()),
        quantiles=(float(low), float(middle), float(high)),
        samples=tuple(float(one) for one in samples),
        fit=fit,
    )


def _middles(count: int) -> Floats:
    """Return the middles of equal shares: what a list of quantiles stands for."""
    middles: Floats = (np.arange(count) + 0.5) / count
    return middles


# Formulas -----------------------------------------------------------------------


def fit_all(values: Sequence[float]) -> tuple[Fit, ...]:
    """Return every formula fitted to values, the closest one first.

    Values of zero are no times that a formula can have: with any of them, or fewer
    than five values, none is fitted.

    Determinism: the simulated samples have a fixed seed.
    """
    data = np.sort(np.asarray(values, dtype=np.float64))
    if len(data) < 5 or data[0] <= 0.0 or data[0] == data[-1]:
        return ()
    fits = [_fit(name, data) for name in FAMILIES]
    return tuple(sorted(fits, key=lambda one: (-one.p_value, one.distance)))


def _fit(name: str, data: Floats) -> Fit:
    parameters = _fitted(name, data)
    frozen = _formula(name, parameters)
    distance = _distance(frozen, data)
    random = np.random.Generator(np.random.PCG64(0))
    drawn = frozen.rvs((SIMULATIONS, len(data)), random_state=random)
    worse = 0
    for sample in np.sort(drawn, axis=1):
        again = _formula(name, _fitted(name, sample))
        worse += _distance(again, sample) >= distance
    return Fit(
        family=name,
        parameters=parameters,
        distance=distance,
        p_value=(worse + 1) / (SIMULATIONS + 1),
    )


def _fitted(name: str, data: Floats) -> dict[str, float]:
    """Return the parameters of greatest likelihood."""
    if name == "exponential":
        return {"loc": 0.0, "scale": float(data.mean())}
    from scipy.optimize import brentq  # slow to load
    from scipy.special import digamma

    if name == "lognormal":
        logs = np.log(data)
        spread = float(logs.std()) or 1e-9
        return {"s": spread, "loc": 0.0, "scale": float(np.exp(logs.mean()))}
    logs = np.log(data / data.mean())  # free of the unit
    largest = float(logs.max())

    def gamma_slope(shape: float) -> float:
        return float(np.log(shape) - digamma(shape) + logs.mean())

    def weibull_slope(shape: float) -> float:
        powers = np.exp(shape * (logs - largest))  # at most 1: none overflows
        return float((powers * logs).sum() / powers.sum() - 1.0 / shape - logs.mean())

    if name == "gamma":
        shape = float(brentq(gamma_slope, *_SHAPES))
        return {"a": shape, "loc": 0.0, "scale": float(data.mean()) / shape}
    shape = float(brentq(weibull_slope, *_SHAPES))
    powers = np.exp(shape * (logs - largest))
    scale = float(data.mean() * np.exp(largest) * powers.mean() ** (1.0 / shape))
    return {"c": shape, "loc": 0.0, "scale": scale}


def _formula(name: str, parameters: Mapping[str, float]) -> Any:
    from scipy import stats  # a third of a second to import, and few commands need it

    return getattr(stats, FAMILIES[name])(**parameters)


def _distance(frozen: Any, data: Floats) -> float:
    """Return the Kolmogorov-Smirnov distance of sorted data to a formula."""
    expected = frozen.cdf(data)
    steps = np.arange(len(data) + 1) / len(data)
    return float(max((steps[1:] - expected).max(), (expected - steps[:-1]).max()))


def _chosen(fits: Sequence[Fit] | None, family: str) -> Fit | None:
    if not fits:
        return None
    if family == "best":
        return fits[0]
    return next(one for one in fits if one.family == family)

"""The command `calibrate`: what an incident's files say about a system's times."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wavecheck.reports.commands.options import (
    Batches,
    Calls,
    JSONFile,
    check_outputs,
    write_json,
)
from wavecheck.reports.console import make_console
from wavecheck.reports.data import header
from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.scenarios.incident.calibration import (
    EMPIRICAL,
    Calibration,
    Fit,
    calibrate,
)
from wavecheck.scenarios.scenario import Scenario
from wavecheck.sim.errors import InvalidScenario

FAMILY_HELP = "empirical (the values themselves), best, or a formula's name."
_UNITS = {"latency_samples_ms": "ms"}
_QUANTILES = ("p5", "p50", "p95")


def calibrate_command(
    *,
    batches: Batches = None,
    calls: Calls = None,
    fit: Annotated[str, typer.Option(metavar="FAMILY", help=FAMILY_HELP)] = EMPIRICAL,
    json_file: JSONFile = None,
) -> int:
    """Measure service times, latencies and arrivals of an incident's files."""
    check_outputs(json_file)
    found = calibrate(batches or "", calls or "", family=fit)
    if not write_json(json_file, _data(found)):
        make_console().print(_report(found))
    return 0


def calibrated_settings(
    scenario: Scenario, given: Mapping[str, str], files: tuple[str, str], family: str
) -> dict[str, str]:
    """Return settings with the times that a pair of files says and nobody has set.

    Args:
        scenario: whose settings.
        given: what is set already; it stays.
        files: the batches and the calls; empty names: the published incident.
        family: as of `calibrate`.

    Raises:
        InvalidScenario: the files say nothing that this scenario could use.
    """
    found = calibrate(*files, family=family)
    usable = found.settings(list(scenario.settings_type.__dataclass_fields__))
    if not usable:
        reasons = "\n".join(f"  {one}: {why}" for one, why in found.missing.items())
        raise InvalidScenario(
            f"the files say nothing that scenario {scenario.name!r} could use\n"
            f"{reasons}\n"
            "next: give files with these columns; wavecheck calibrate shows what they"
            " hold"
        )
    return {**usable, **given}


def _report(found: Calibration) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("setting", "measured", "values", "mean", "5 %", "median", "95 %"):
        table.add_column(name, justify="left" if name in _LEFT else "right")
    for one in found.times:
        unit = _UNITS.get(one.setting, "s")
        table.add_row(
            one.setting,
            one.meaning,
            f"{one.count:,}",
            f"{one.mean:.4g} {unit}",
            *(f"{value:.4g} {unit}" for value in one.quantiles),
        )
    parts: list[RenderableType] = [table]
    parts += [Text(f"{name}: not known, {why}") for name, why in found.missing.items()]
    for setting, fits in found.fits.items():
        parts.append(_fits(setting, fits, found))
    parts.append(Text(_usage()))
    return Group(*parts)


_LEFT = ("setting", "measured")


def _fits(setting: str, fits: tuple[Fit, ...], found: Calibration) -> RenderableType:
    if not fits:
        return Text(
            f"{setting}: no formula fitted: fewer than five values, a zero among them,"
            " or all alike; the values themselves are used"
        )
    used = next(one.fit for one in found.times if one.setting == setting)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=setting)
    for name in ("formula", "parameters", "distance", "p-value"):
        table.add_column(name)
    for one in fits:
        mark = " (used)" if used is not None and one.family == used.family else ""
        values = [
            f"{name}={value:.4g}"
            for name, value in one.parameters.items()
            if name != "loc"
        ]
        table.add_row(
            one.family + mark,
            ", ".join(values),
            f"{one.distance:.3f}",
            f"{one.p_value:.3f}",
        )
    note = (
        "distance: largest gap between formula and data, 0 to 1; a p-value below 0.05"
        " says that the formula does not describe the data"
    )
    return Group(table, Text(note))


def _usage() -> str:
    names = [find_scenario(name).name for name in ("incident", "import-job", "fleet")]
    return (
        f"wavecheck campaign {'|'.join(names)} --calibrate empirical, with the same"
        " files, draws its times from these"
    )


def _data(found: Calibration) -> dict[str, Any]:
    document = header("calibration", "", {})
    del document["scenario"]
    document["settings"] = {one.setting: one.text() for one in found.times}
    return document | {
        "times": [
            {
                "setting": one.setting,
                "measured": one.meaning,
                "values": one.count,
                "mean": one.mean,
                "quantiles": dict(
                    zip(("p5", "p50", "p95"), one.quantiles, strict=True)
                ),
                "fit": None if one.fit is None else asdict(one.fit),
            }
            for one in found.times
        ],
        "missing": dict(found.missing),
        "fits": {
            setting: [asdict(one) for one in fits]
            for setting, fits in found.fits.items()
        },
    }

"""The command `sensitivity`: which parameter matters for a measure."""

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from wavecheck.reports.campaign.tables import measure_text
from wavecheck.reports.commands.effort_options import with_effort
from wavecheck.reports.commands.options import (
    CoordinatorName,
    JSONFile,
    Resume,
    ScenarioName,
    Settings,
    StoreFile,
    check_outputs,
    collect_settings,
    write_json,
)
from wavecheck.reports.console import make_console
from wavecheck.reports.data import header
from wavecheck.reports.progress import showing_campaign
from wavecheck.scenarios.campaign.campaign import complete
from wavecheck.scenarios.campaign.cluster import engine_of
from wavecheck.scenarios.campaign.sensitivity import (
    TRAJECTORIES,
    Design,
    Effect,
    design,
    effects,
    measurable,
    parse_ranges,
)
from wavecheck.scenarios.campaign.store import create_store
from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.scenarios.effort import Effort
from wavecheck.sim.errors import InvalidScenario


@with_effort("jobs", "cluster")
def sensitivity_command(
    scenario: ScenarioName,
    *,
    vary: Annotated[
        list[str], typer.Option(metavar="KEY=LOW:HIGH", help="A range; repeatable.")
    ],
    measure: Annotated[
        str, typer.Option(metavar="NAME", help="A measure, or a property: its rate.")
    ] = "makespan_us",
    coordinator: CoordinatorName = "progressive",
    settings: Settings = None,
    seeds: Annotated[int, typer.Option(help="Runs of every cell.")] = 20,
    trajectories: Annotated[
        int, typer.Option(help="More of them: narrower intervals.")
    ] = TRAJECTORIES,
    store: StoreFile = None,
    resume: Resume = False,
    effort: Effort,
    json_file: JSONFile = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it there, as PNG.")
    ] = None,
) -> int:
    """Rank parameters by what they do to a measure (Morris's elementary effects)."""
    found = find_scenario(scenario)
    if not found.is_timed:
        raise InvalidScenario(
            f"scenario {found.name!r} has no virtual time, so it has no measures"
        )
    given = collect_settings(found, settings)
    check_outputs(json_file, picture)
    rule = coordinator or found.default_coordinator
    made = design(
        found,
        rule,
        parse_ranges(vary),
        settings=given,
        seeds_count=seeds,
        trajectories=trajectories,
    )
    measurable(made.plan, measure)
    with create_store(made.plan, store, resumes=resume) as results:
        with (
            closing(engine_of(effort.jobs, effort.cluster)) as engine,
            showing_campaign() as progress,
        ):
            done = complete(made.plan, store=results, engine=engine, progress=progress)
        if done.was_interrupted:
            raise KeyboardInterrupt
        ranked = effects(made, results, measure)
    if picture is not None:
        from wavecheck.reports.campaign.pictures import (
            write_tornado,  # matplotlib is slow
        )

        title = f"{found.name}, {rule}: what matters for {measure}"
        write_tornado(ranked, measure, picture, title=title)
    if not write_json(json_file, _data(made, ranked, measure)):
        _show(made, ranked, measure, done.runs)
        if picture is not None:
            make_console().print(f"picture: {picture}")
    return 0


def _show(
    made: Design, ranked: tuple[Effect, ...], measure: str, runs_count: int
) -> None:
    plan, console = made.plan, make_console()
    console.print(
        f"{plan.scenario.name}, {plan.coordinators[0]}: {runs_count:,} runs in"
        f" {len(plan.points):,} cells"
    )
    console.print(_table(made, ranked, measure))
    console.print(
        "effect: mean change of the measure when the parameter goes through its"
        " range, whatever its sign, with its 95 % interval;\n"
        "spread: large beside the effect where it depends on other parameters or is"
        " no straight line"
    )


def _table(made: Design, ranked: tuple[Effect, ...], measure: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("parameter", "range"):
        table.add_column(name)
    for name in (f"effect on {measure}", "direction", "spread"):
        table.add_column(name, justify="right")
    ranges = {one.parameter: one for one in made.ranges}
    for one in ranked:
        within = ranges[one.parameter]
        low, high = one.low(), one.high()
        table.add_row(
            one.parameter,
            f"{within.low:g} to {within.high:g}",
            f"{measure_text(measure, one.strength)}"
            f" ({measure_text(measure, low)} to {measure_text(measure, high)})",
            "raises" if one.mean > 0 else "lowers" if one.mean < 0 else "none",
            measure_text(measure, one.spread),
        )
    return table


def _data(made: Design, ranked: tuple[Effect, ...], measure: str) -> dict[str, Any]:
    plan = made.plan
    ranges = {one.parameter: [one.low, one.high] for one in made.ranges}
    return {
        **header("sensitivity", plan.scenario.name, dict(plan.points[0].given)),
        "coordinator": plan.coordinators[0],
        "measure": measure,
        "cells": len(plan.points),
        "seeds": plan.seeds_count,
        "effects": [
            {
                "parameter": one.parameter,
                "range": ranges[one.parameter],
                "strength": one.strength,
                "strength_error": one.strength_error,
                "mean": one.mean,
                "spread": one.spread,
            }
            for one in ranked
        ],
    }

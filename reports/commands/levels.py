"""The command `levels`: which level of isolation does this code need?"""

from typing import Annotated, Any, Final

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from wavecheck.reports.commands.effort_options import with_effort
from wavecheck.reports.commands.options import (
    CoordinatorNames,
    JSONFile,
    ScenarioName,
    Settings,
    check_outputs,
    subjects_of,
    write_json,
)
from wavecheck.reports.console import make_console
from wavecheck.reports.verdicts.outcomes import OUTCOME_STYLE
from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.levels import LEVELS, LevelAnswers, levels_of
from wavecheck.sim.search.schedule import Schedule

_SHOWN_MAX: Final = 110


@with_effort("seconds", "memory_bytes")
def levels_command(
    scenario: ScenarioName,
    *,
    coordinator: CoordinatorNames = None,
    settings: Settings = None,
    effort: Effort,
    brief: Annotated[
        bool, typer.Option("--brief", help="Leave out the schedules.")
    ] = False,
    json_file: JSONFile = None,
) -> int:
    """Prove or refute a world at each level of isolation, property by property."""
    check_outputs(json_file)
    console = make_console()
    found = [
        levels_of(one, effort) for one in subjects_of(scenario, coordinator, settings)
    ]
    documents = [levels_data(one) for one in found]
    document = documents[0] if len(documents) == 1 else {"levels": documents}
    if not write_json(json_file, document):
        for one in found:
            console.print(Text(_answer(one), style="bold"), soft_wrap=True)
            for line in _remedies(one):
                console.print(line, soft_wrap=True)
            console.print(levels_table(one))
            if not brief:
                for line in _schedules(one):
                    console.print(Text(line), soft_wrap=True)
    return int(all(_fails(one, level) for one in found for level in LEVELS))


def _fails(levels: LevelAnswers, level: str) -> bool:
    return levels.results[level].has_violation()


def levels_table(levels: LevelAnswers) -> Table:
    """Return one row for each property, one column for each level."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("property")
    for level in LEVELS:
        table.add_column(level.upper())
    for name in levels.properties():
        cells = []
        for level in LEVELS:
            outcome, schedule = levels.cell(level, name)
            if outcome is None:
                cells.append(Text("-"))
                continue
            steps = f" in {len(schedule.steps)} steps" if schedule else ""
            text = f"{outcome.name.replace('_', ' ')}{steps}"
            cells.append(Text(text, style=OUTCOME_STYLE[outcome]))
        table.add_row(name, *cells)
    return table


def _answer(levels: LevelAnswers) -> str:
    """Return in one sentence which level would do."""
    subject = levels.subject
    proved = [
        one
        for one in LEVELS
        if all(v.outcome.name == "PROVED" for v in levels.results[one].verdicts)
    ]
    unharmed = [one for one in LEVELS if not _fails(levels, one)]
    if proved:
        said = f"everything is proved at {proved[0].upper()}"
    elif unharmed:
        said = (
            f"nothing is violated at {unharmed[0].upper()}, and not everything proved:"
            " give smaller sizes (--set) or more --budget"
        )
    else:
        said = "no level proves everything: the code itself must change"
    return f"{subject.coordinator} in {subject.scenario.name}: {said}"


def _remedies(levels: LevelAnswers) -> list[str]:
    """Return in words what would do with less."""
    lines = []
    if levels.stricter is not None:
        kinds = ", ".join(levels.stricter)
        level = levels.stricter_level.upper()
        lines.append(f"it is enough if the transactions of {kinds} are {level}")
    if levels.locks is not None:
        lines.append("at READ COMMITTED a lock would do, FOR UPDATE on:")
        lines += [f"  {_short(one)}" for one in levels.locks]
    return lines


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_MAX else f"{line[:_SHOWN_MAX]}..."


def _schedules(levels: LevelAnswers) -> list[str]:
    """Return each violation's steps, once for all levels at which they are the same."""
    shown: dict[tuple[str, ...], list[str]] = {}
    for level in LEVELS:
        for name, schedule in levels.results[level].schedules.items():
            told = (name, *_steps(schedule))
            shown.setdefault(told, []).append(level.upper())
    lines = []
    for (name, *steps), where in shown.items():
        lines.append(f"\n{', '.join(where)}, {name}:")
        lines += [f"  {n:3} {one}" for n, one in enumerate(steps, 1)]
    return lines


def _steps(schedule: Schedule) -> list[str]:
    shown = []
    for step in schedule.steps:
        first: Any = step.args[0] if isinstance(step.args, list) and step.args else ""
        is_sql = isinstance(first, dict) and "sql" in first
        what = _short(first["sql"]) if is_sql else step.operation
        shown.append(f"{step.task}: {what}")
    return shown


def levels_data(levels: LevelAnswers) -> dict[str, Any]:
    """Return the answers as plain data, see docs/json.md."""
    cells = []
    for name in levels.properties():
        for level in LEVELS:
            outcome, schedule = levels.cell(level, name)
            cells.append(
                {
                    "property": name,
                    "level": level,
                    "outcome": None if outcome is None else outcome.value,
                    "steps": _steps(schedule) if schedule else None,
                }
            )
    return {
        "answer": _answer(levels),
        "format": 2,
        "scenario": levels.subject.scenario.name,
        "coordinator": levels.subject.coordinator,
        "cells": cells,
        "stricter": None if levels.stricter is None else list(levels.stricter),
        "stricter_level": levels.stricter_level or None,
        "locks": None if levels.locks is None else list(levels.locks),
    }

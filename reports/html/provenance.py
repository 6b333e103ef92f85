"""What was run: version, parameters, seed, and the commands that run it again.

Everything here is text that can be selected and pasted. Knows result types and options
of the command line; knows no markup.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from wavecheck import __version__
from wavecheck.reports.regressions import file_name
from wavecheck.scenarios.comparison import Comparison, WorldComparison
from wavecheck.scenarios.pipeline.timed_run import TimedRun
from wavecheck.scenarios.scenario import Scenario
from wavecheck.scenarios.schedule_files import schedule_text
from wavecheck.scenarios.verdicts.result import CheckResult, Explored, Searched
from wavecheck.sim.search.schedule import Schedule
from wavecheck.sim.trace import plain


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFile:
    """A file that a reader can save from the page."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What was run.

    Attributes:
        facts: (name, value).
        commands: lines for a shell.
        files: that the commands need.
    """

    facts: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]
    files: tuple[TextFile, ...] = ()


def of_schedule(schedule: Schedule) -> Provenance:
    """Return what a recorded schedule was recorded with."""
    file = _file_of(schedule)
    return Provenance(
        facts=(
            *_begin(schedule.scenario, schedule.settings),
            ("coordinator", schedule.coordinator),
            *_faults(schedule.faults),
            ("steps", str(len(schedule.steps))),
            ("digest", schedule.digest),
        ),
        commands=(
            shlex.join(("wavecheck", "explain", file.name)),
            shlex.join(("wavecheck", "replay", file.name)),
        ),
        files=(file,),
    )


def _file_of(schedule: Schedule) -> TextFile:
    return TextFile(name=file_name(schedule), text=schedule_text(schedule))


def of_result(result: CheckResult) -> Provenance:
    """Return what was searched or explored, and how far that got."""
    subject, effort = result.subject, result.effort
    faults = ",".join(f"{kind}={count}" for kind, count in subject.faults.items())
    command = [
        *("wavecheck", "check", subject.scenario.name, "-c", subject.coordinator),
        *_changed(subject.scenario, subject.settings, is_small=True),
        *(("--faults", faults) if faults else ()),
        *("--strategy", effort.strategy),
    ]
    facts = [
        *_begin(subject.scenario.name, asdict(subject.settings)),
        ("coordinator", subject.coordinator),
        *_faults(subject.faults),
    ]
    if result.searched is not None:
        executions = result.searched.statistics.executions_count
        command += ["--seed", str(effort.seed), "--executions", str(executions)]
        facts.append(("strategy and seed", f"{effort.strategy}, {effort.seed}"))
        facts += _seen(result.searched)
        if result.was_interrupted:
            facts.append(("interrupted", "yes"))
    if result.explored is not None:
        facts += _states(result.explored)
    return Provenance(
        facts=tuple(facts),
        commands=(shlex.join(command),),
        files=tuple(map(_file_of, result.schedules.values())),
    )


def _seen(searched: Searched) -> list[tuple[str, str]]:
    seen = searched.statistics
    return [
        ("executions", f"{seen.executions_count:,}"),
        ("distinct schedules", f"{seen.schedules_count:,}"),
        ("distinct final states", f"{seen.final_states_count:,}"),
        (
            "odds that the next execution ends in a new state",
            f"{seen.unseen_odds():.2g}",
        ),
        ("statements never performed", ", ".join(searched.never_performed) or "none"),
    ]


def _states(explored: Explored) -> list[tuple[str, str]]:
    visited, schedules = explored.exploration, explored.schedules_count
    counted = "not counted" if schedules is None else f"{schedules:,}"
    return [
        ("states", f"{visited.states:,}"),
        ("transitions", f"{visited.transitions:,}"),
        ("levels", f"{visited.levels:,}"),
        ("complete schedules", counted),
        ("ended by", visited.stopped_by or "nothing: every state was visited"),
    ]


def of_comparisons(alike: Sequence[Comparison]) -> Provenance:
    """Return what was run side by side, once or with several seeds."""
    first = alike[0]
    scenario = first.scenario
    names = [run.coordinator_name for run in first.runs]
    facts = [
        *_begin(scenario.name, asdict(first.settings)),
        ("coordinators", ", ".join(names)),
    ]
    if len(alike) > 1:
        seeds = ", ".join(str(one.settings.seed) for one in alike)
        facts.append(("seeds, the first of them shown in full", seeds))
    command = "run" if len(names) == 1 else "compare"
    return Provenance(
        facts=tuple(facts),
        commands=tuple(
            shlex.join(
                [
                    *("wavecheck", command, scenario.name),
                    *(word for name in names for word in ("-c", name)),
                    *_changed(scenario, one.settings, is_small=False),
                ]
            )
            for one in alike
        ),
    )


def of_world_runs(comparison: WorldComparison) -> Provenance:
    """Return what was run in time, in a world that is no pipeline."""
    scenario, runs = comparison.scenario, comparison.runs
    names = [run.coordinator_name for run in runs]
    return Provenance(
        facts=(
            *_begin(scenario.name, asdict(comparison.settings)),
            ("code", ", ".join(names)),
            ("seed", str(runs[0].seed)),
        ),
        commands=(
            shlex.join(
                [
                    *("wavecheck", "run", scenario.name),
                    *(word for name in names for word in ("-c", name)),
                    *_changed(scenario, comparison.settings, is_small=False),
                    *(["--seed", str(runs[0].seed)] if runs[0].seed else []),
                    *runs[0].ended_by.split(),
                ]
            ),
        ),
    )


def of_run(run: TimedRun) -> Provenance:
    """Return what is known of a run alone: a result does not say where it was run."""
    return Provenance(
        facts=(
            ("Wavecheck", __version__),
            ("coordinator", run.coordinator_name),
            ("steps", f"{run.steps_count:,}"),
        ),
        commands=(),
    )


def _begin(scenario: str, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    shown = ", ".join(f"{name}={plain(value)}" for name, value in settings.items())
    return [
        ("Wavecheck", __version__),
        ("scenario", scenario),
        ("parameters", shown or "none"),
    ]


def _faults(faults: Mapping[str, int]) -> list[tuple[str, str]]:
    shown = ", ".join(f"{kind}={count}" for kind, count in faults.items())
    return [("faults", shown)] if shown else []


def _changed(scenario: Scenario, settings: Any, *, is_small: bool) -> Sequence[str]:
    """Return the options that set what is not as it is without them."""
    usual = asdict(scenario.settings(is_small=is_small))
    words: list[str] = []
    for name, value in asdict(settings).items():
        if value != usual[name]:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            words += ["--set", f"{name}={text}"]
    return words

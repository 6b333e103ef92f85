"""Searches as assertions, and counterexamples that are kept and replayed first.

Knows no test framework: what is wrong is an `AssertionError` whose text a person can
act on. A kept schedule that still violates its property fails at once; one that the
code no longer follows is followed as far as it fits, and reported as outdated.
"""

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from enum import Enum
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Unpack

from wavecheck.reports.explanation.text import explanation_plain, plain_text
from wavecheck.reports.verdicts.answer import verdict_table
from wavecheck.reports.verdicts.hash_seeds import compare_hash_seeds
from wavecheck.scenarios.effort import Effort, EffortOptions
from wavecheck.scenarios.evidence import Evidence
from wavecheck.scenarios.questions import ask
from wavecheck.scenarios.scenario import Scenario, as_text
from wavecheck.scenarios.schedule_files import read_schedule, schedule_text
from wavecheck.scenarios.subject import Subject, label
from wavecheck.scenarios.verdicts.approaches import approach_of
from wavecheck.scenarios.verdicts.result import CheckResult
from wavecheck.sim.errors import InvalidScenario, ReplayMismatch
from wavecheck.sim.faults import FaultPlan
from wavecheck.sim.files import make_folder, write_whole
from wavecheck.sim.search.recorded import Entry, Script
from wavecheck.sim.search.schedule import Schedule, passes

DEFAULT_EXECUTIONS: Final = 2_000


class Standing(Enum):
    """What has become of a kept schedule."""

    VIOLATES = "it still violates its property"
    VIOLATES_REPAIRED = "followed as far as it fits, it still violates its property"
    OUTDATED = "it no longer replays; as far as it fits, it violates nothing"
    PASSES = "it replays and violates nothing"


def assert_holds(
    folder: Path,
    scenario: str | Scenario,
    coordinator: str | type[Any] | None = None,
    *,
    settings: Mapping[str, object] | None = None,
    faults: FaultPlan | None = None,
    properties: Sequence[str] = (),
    require: bool = False,
    hash_seeds: bool = True,
    **effort: Unpack[EffortOptions],
) -> tuple[CheckResult, list[str]]:
    """Replay the kept schedules, then search or prove.

    Args:
        folder: where the schedules are kept; made when there is something to keep.
        scenario: where, or its name.
        coordinator: a class, or a name as on the command line.
        settings: of the scenario, by name.
        faults: how many of each kind may strike.
        properties: which; all that need no time if empty.
        require: a property that was never at risk is a failure.
        hash_seeds: replay what was found in processes with other hash seeds.
        effort: as for `wavecheck.check`; a search without a budget runs 2,000
            executions.

    Returns:
        The answer, and a text for each outdated schedule.

    Raises:
        AssertionError: a property is violated, or NOT TESTED where that is refused.
        InvalidScenario: a name, value or budget that does not exist or fit.
        CoordinatorError: the coordinator does not load, or failed.
        NondeterminismError: two runs of one schedule differ.
    """
    __tracebackhide__ = True
    subject = Subject.of(scenario, coordinator, settings, faults, properties)
    with _without_logs():
        outdated = _replay_kept(subject, folder)
        result = ask(subject, _budgeted(Effort(**effort)))
        if result.was_interrupted:
            raise KeyboardInterrupt
        if hash_seeds:
            compare_hash_seeds(result)
        if result.has_violation():
            saved = save_schedules(result.schedules, folder)
            raise AssertionError(_failure(result, saved))
    if require and result.not_tested():
        raise AssertionError(
            f"NOT TESTED: never at risk: {', '.join(result.not_tested())}\n"
            f"{plain_text(verdict_table(result))}\n"
            "next: larger settings, more calls, or name the properties that matter"
        )
    return result, outdated


def _budgeted(effort: Effort) -> Effort:
    is_search = approach_of(effort).search is not None
    if is_search and effort.seconds is None and effort.executions is None:
        return replace(effort, executions=DEFAULT_EXECUTIONS)
    return effort


@contextmanager
def _without_logs() -> Iterator[None]:
    """Keep thousands of executions from logging what one of them would."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def save_schedules(
    schedules: Mapping[str, Schedule], folder: Path
) -> Mapping[str, Path]:
    """Write counterexamples by property; return their files by property."""
    make_folder(folder)
    saved = {}
    for name, schedule in schedules.items():
        path = _file_for(schedule, folder)
        write_whole(path, schedule_text(schedule).encode())
        saved[name] = path
    return saved


def file_name(schedule: Schedule) -> str:
    """Return the name of the file in which a counterexample is kept."""
    judged = re.sub(r"[^\w.-]+", "_", schedule.property_name)
    return f"{label(schedule.scenario, schedule.coordinator)}-{judged}.json"


def _file_for(schedule: Schedule, folder: Path) -> Path:
    """Return the file that keeps a schedule; another class of its name has another."""
    path = folder / file_name(schedule)
    with suppress(InvalidScenario):
        if _is_namesake(read_schedule(path).coordinator, schedule.coordinator):
            module = schedule.coordinator.rpartition(":")[0].encode()
            digest = blake2b(module, digest_size=4).hexdigest()
            return path.with_stem(f"{path.stem}-{digest}")
    return path


def _is_namesake(one: str, other: str) -> bool:
    """Return whether two classes share their name and not their module.

    One module may be called from different folders.
    """
    (module, _, name), (elsewhere, _, known) = (
        text.rpartition(":") for text in (one, other)
    )
    parts = [
        text.removesuffix(".py").replace("/", ".").split(".")[::-1]
        for text in (module, elsewhere)
    ]
    return name == known and any(a != b for a, b in zip(*parts, strict=False))


def _kept(
    subject: Subject, folder: Path
) -> tuple[list[tuple[Path, Schedule]], list[str]]:
    """Return what a search of a subject has kept, the shortest first."""
    name = subject.coordinator
    found: list[tuple[Path, Schedule]] = []
    unreadable: list[str] = []
    for path in sorted(folder.glob(f"{subject.label()}-*.json")):
        try:
            schedule = read_schedule(path)
        except InvalidScenario as error:
            unreadable.append(f"{error}\nnext: delete {_shown(path)}")
            continue
        if _belongs(schedule, subject) and not _is_namesake(schedule.coordinator, name):
            found.append((path, replace(schedule, coordinator=name)))
    found.sort(key=lambda pair: len(pair[1].steps))
    return found, unreadable


def _replay_kept(subject: Subject, folder: Path) -> list[str]:
    """Return what is to be said about outdated schedules."""
    __tracebackhide__ = True
    scenario = subject.scenario
    kept, outdated = _kept(subject, folder)
    for path, schedule in kept:
        try:
            recorded = Subject.of_schedule(schedule, scenario)
            evidence = Evidence(recorded, schedule)
            standing = standing_of(evidence)
        except InvalidScenario as error:
            outdated.append(f"{error}\nnext: delete {_shown(path)}")
            continue
        if standing in (Standing.VIOLATES, Standing.VIOLATES_REPAIRED):
            raise AssertionError(_kept_failure(path, evidence, standing))
        if standing is Standing.OUTDATED:
            outdated.append(
                f"{_shown(path)} is outdated: {standing.value}\n"
                f"next: if the coordinator was repaired, delete it, or keep it as a"
                f" test with wavecheck explain {_shown(path)} --test FILE"
            )
    return outdated


def _belongs(schedule: Schedule, subject: Subject) -> bool:
    """Return whether a search of a subject could have found a schedule."""
    for name, value in schedule.settings.items():
        most = getattr(subject.settings, name, value)
        is_size = name in subject.scenario.sizes
        if (value > most) if is_size else (as_text(value) != as_text(most)):
            return False
    faults = subject.faults
    if any(count > faults.get(kind, 0) for kind, count in schedule.faults.items()):
        return False
    return not subject.properties or schedule.property_name in subject.properties


def standing_of(evidence: Evidence) -> Standing:
    """Replay a kept schedule and say what has become of it.

    Raises:
        CoordinatorError: the coordinator failed.
    """
    schedule = evidence.schedule
    try:
        replayed = evidence.replayed
    except ReplayMismatch:
        world = evidence.world()
        script = Script(world.kernel, [Entry(step.task) for step in schedule.steps])
        world.kernel.on_step = script.note
        try:
            is_kept = passes(world, script, schedule.property_name)
        finally:
            world.kernel.on_step = None
        return Standing.OUTDATED if is_kept else Standing.VIOLATES_REPAIRED
    if schedule.property_name in replayed.violations:
        return Standing.VIOLATES
    return Standing.PASSES


def assert_passes(path: Path) -> None:
    """Replay a kept schedule, as far as it fits, and assert that nothing is violated.

    Raises:
        AssertionError: its property is violated.
        InvalidScenario: the file is no schedule of this version.
        CoordinatorError: the coordinator does not load, or failed.
    """
    __tracebackhide__ = True
    with _without_logs():
        evidence = Evidence.of(read_schedule(path))
        standing = standing_of(evidence)
        if standing in (Standing.VIOLATES, Standing.VIOLATES_REPAIRED):
            raise AssertionError(_kept_failure(path, evidence, standing))


def _kept_failure(path: Path, evidence: Evidence, standing: Standing) -> str:
    schedule = evidence.schedule
    head = f"kept schedule {_shown(path)}: {standing.value}: {schedule.property_name}"
    if standing is Standing.VIOLATES:
        return f"{head}\n{_explained(evidence)}\n{_reproduce(path)}"
    return (
        f"{head}\nit was recorded as: {schedule.message}\n"
        "next: delete it, and the search records it as it happens now"
    )


def _failure(result: CheckResult, saved: Mapping[str, Path]) -> str:
    shortest = result.shortest()
    assert shortest is not None
    return "\n".join(
        [
            f"{', '.join(result.schedules)} violated",
            plain_text(verdict_table(result)),
            _explained(shortest),
            *map(_reproduce, saved.values()),
            "commit the schedule: it is replayed first until it passes",
        ]
    )


def _explained(evidence: Evidence) -> str:
    return explanation_plain(evidence.explanation)


def _reproduce(path: Path) -> str:
    return f"reproduce: wavecheck replay {_shown(path)}"


def _shown(path: Path) -> str:
    """Write a path as it can be typed in the working folder."""
    whole, here = path.resolve(), Path.cwd().resolve()
    return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)


def regression_test_text(schedule: Schedule, path: Path, test_path: Path) -> str:
    """Write a pytest file that replays a kept schedule.

    What the schedule says is somebody else's text: it gets into comments and names
    only, stripped of whatever could end them.

    Args:
        schedule: as read from the file.
        path: the file.
        test_path: where the test will be.
    """
    relative = os.path.relpath(path.resolve(), test_path.resolve().parent)
    literal = ascii(Path(relative).as_posix())
    if '"' not in literal:
        literal = f'"{literal[1:-1]}"'
    rule = schedule.coordinator.rpartition(":")[2]
    name = re.sub(r"[^A-Za-z0-9]+", "_", f"{rule}_keeps_{schedule.property_name}")
    return (
        '"""A schedule that once violated a property must not violate it again."""\n'
        "\n"
        "from pathlib import Path\n"
        "\n"
        "from wavecheck.reports.regressions import assert_passes\n"
        "\n"
        f"SCHEDULE = Path(__file__).parent / {literal}\n"
        "\n"
        "\n"
        f"def test_{name.strip('_').lower()}() -> None:\n"
        '    """What went wrong once does not happen again."""\n'
        f"    # recorded: {_one_line(schedule.coordinator)} in"
        f" {_one_line(schedule.scenario)}\n"
        f"    # {_one_line(schedule.property_name)}: {_one_line(schedule.message)}\n"
        "    assert_passes(SCHEDULE)\n"
    )


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return "".join(one if " " <= one <= "~" else "?" for one in line)[:200]

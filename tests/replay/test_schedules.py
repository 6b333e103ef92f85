"""Recordings replay: through text, from old versions, and whatever a search finds."""

from pathlib import Path

import pytest

from wavecheck import find_scenario
from wavecheck.scenarios.questions import check
from wavecheck.scenarios.schedule_files import (
    parse_schedule,
    read_schedule,
    schedule_text,
)
from wavecheck.scenarios.subject import Subject
from wavecheck.sim.search.schedule import replay

DATA = Path(__file__).parent / "data"
KEPT = sorted(DATA.glob("*.json"))


def replayed(schedule):
    """Replay it in a fresh world."""
    return replay(Subject.of_schedule(schedule).world(), schedule)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_kept_schedule_still_replays(path):
    """Every step, the digest and the violation, from a file of an earlier version.

    If this fails, recordings of users stop to replay: raise the format's version and
    say so in the changelog, or fix what changed.
    """
    schedule = read_schedule(path)
    result = replayed(schedule)
    assert result.digest == schedule.digest
    assert result.choices == schedule.choices
    if schedule.property_name:
        violation = result.violations[schedule.property_name]
        assert violation.message == schedule.message
        assert violation.step == len(schedule.steps)


def test_names_of_earlier_versions_are_known():
    """`mended` is `fixed` now, and a class of ours is below `wavecheck`."""
    assert read_schedule(DATA / "v1-zoo-mended.json").coordinator == "fixed"
    by_class = read_schedule(DATA / "v1-wd-class-no_stranded_batch.json")
    assert by_class.coordinator == "wavecheck.scenarios.wd.model:WDStalling"
    text = schedule_text(by_class)
    own = text.replace("wavecheck.scenarios.wd.model", "json.decoder")
    assert parse_schedule(own, "text").coordinator == "json.decoder:WDStalling"


def test_a_schedule_of_each_version_is_kept():
    """One file for each format that this version reads."""
    assert [path.name[:3] for path in KEPT] == ["v1-"] * len(KEPT)
    assert KEPT


@pytest.mark.parametrize(
    ("scenario", "coordinator", "strategy"),
    [
        ("wd", "stalling", "portfolio"),
        ("wd", "progressive", "surw"),
        ("import-job", "stalling", "random"),
        ("import-job", "original", "pct"),
        ("import-job", "progressive", "pct2"),
    ],
)
def test_every_counterexample_replays_to_the_same_trace(
    scenario, coordinator, strategy
):
    """As found and through text: digest, choices, steps, message."""
    result = check(
        find_scenario(scenario),
        coordinator,
        strategy=strategy,
        executions=150,
        shrinks=False,
    )
    assert result.schedules
    for name, schedule in (*result.schedules.items(), ("", result.searched.samples[0])):
        again = parse_schedule(schedule_text(schedule), "text")
        assert again == schedule
        shown = replayed(again)
        assert shown.digest == schedule.digest
        assert shown.choices == schedule.choices
        if name:
            assert shown.violations[name].message == schedule.message


def test_a_shrunk_counterexample_replays_too():
    """The one that people keep."""
    result = check(find_scenario("wd"), "progressive", executions=30)
    schedule = result.schedules["no_double_dispatch"]
    assert replayed(schedule).digest == schedule.digest
    assert len(schedule.steps) == 10

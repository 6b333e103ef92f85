"""Charts of timed runs: what is drawn is what happened."""

import re

import numpy as np
import pytest

from wavecheck import compare, run
from wavecheck.reports.html.charts import (
    LEFT,
    PLOT_HEIGHT,
    TOP,
    WIDTH,
    gantt_of,
    status_chart,
)
from wavecheck.reports.html.distributions import distributions_of, median_interval
from wavecheck.reports.html.timed import end_of
from wavecheck.scenarios.pipeline.observation import WaveHistory

SECOND = 1_000_000


@pytest.fixture(scope="module")
def stalling():
    """The incident under `stalling`."""
    return run("incident", "stalling")


def history(*changes):
    """A history of (second, pending, dispatched, processing, completed)."""
    return WaveHistory(
        times=np.array([one[0] * SECOND for one in changes]),
        counts=np.array([one[1:] for one in changes]),
        statuses=(),
    )


def points(path):
    """The corners of a path."""
    return [
        tuple(map(float, one.split())) for one in re.findall(r"[\d.]+ [\d.]+", path)
    ]


def test_the_areas_stack_to_all_batches():
    """Two pending batches, of which one is completed in the middle."""
    chart = status_chart(
        history((0, 2, 0, 0, 0), (50, 1, 0, 0, 1)), 7, end=100 * SECOND
    )
    areas = dict(chart.areas)
    assert list(areas) == ["completed", "pending"]
    middle = LEFT + (WIDTH - LEFT) / 2
    floor, half = TOP + PLOT_HEIGHT, TOP + PLOT_HEIGHT / 2
    assert (middle, half) in points(areas["completed"])
    assert (WIDTH, half) in points(areas["completed"])
    assert (LEFT, floor) in points(areas["pending"])
    assert max(y for _, y in points(areas["pending"])) == floor
    assert chart.says == "Wave 7: at the end 1 pending, 1 completed."


def test_a_long_history_is_thinned_to_the_last_change_of_each_column():
    """100,000 changes become a few hundred corners, and the end is exact."""
    count = 100_000
    many = WaveHistory(
        times=np.arange(count) * 1000,
        counts=np.stack([np.arange(1, count + 1)] + [np.zeros(count, int)] * 3, axis=1),
        statuses=(),
    )
    chart = status_chart(many, 1, end=count * 1000)
    assert len(points(chart.areas[0][1])) < 2_000
    assert f"at the end {count} pending" in chart.says


def test_a_wave_without_batches_is_an_empty_frame():
    """Nothing was created: no area, no division by nothing."""
    empty = WaveHistory(
        times=np.zeros(0, int), counts=np.zeros((0, 4), int), statuses=()
    )
    assert status_chart(empty, 1, end=0).areas == ()


def test_each_batch_has_a_bar(stalling):
    """45 bars; those that were never sent wait to the right edge."""
    end = end_of([stalling])
    gantt = gantt_of(stalling.batches, end=end)
    assert (len(gantt.bars), gantt.every) == (45, 1)
    never = [bar for bar in gantt.bars if bar.runs is None]
    assert len(never) == 35
    assert all(sum(bar.waits) == pytest.approx(WIDTH, abs=0.2) for bar in never)
    assert "never sent" in never[0].says


def test_many_batches_are_sampled_and_it_is_said(stalling):
    """More batches than bars: one of so many."""
    gantt = gantt_of(stalling.batches * 10, end=end_of([stalling]))
    assert gantt.every == 4
    assert len(gantt.bars) <= 120


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0] * 5, None),  # with 5 values the whole range holds it with 93.75 %
        ([6, 5, 4, 3, 2, 1], (1, 6)),  # with 6, 96.875 %
        (list(range(1, 21)), (6, 15)),  # the table of every textbook
    ],
)
def test_the_interval_of_the_median_is_that_of_order_statistics(values, expected):
    """At least 95 %, whatever the distribution; none where there are too few values."""
    assert median_interval(values) == expected


def test_distributions_show_what_varies():
    """Over seeds the makespan of an import job varies; each strip says its numbers."""
    runs = [
        run("import-job", "claiming", settings={"parents": 8, "seed": seed})
        for seed in range(8)
    ]
    found = {one.name: one for one in distributions_of({"claiming": runs})}
    strip = found["makespan, s"].strips[0]
    assert len(strip.dots) == 8
    assert "of 8 runs, between" in strip.text
    assert "batches sent" not in found


def test_alike_comparisons_become_distributions():
    """Seeds of one comparison share a page; another size stands apart."""
    from wavecheck.reports.html.report import report

    def one(**settings):
        chosen = {"parents": 4, "waves_before": 0, **settings}
        return compare("import-job", ["stalling", "claiming"], settings=chosen)

    text = report(*[one(seed=seed) for seed in range(6)], one(workers=2)).decode()
    assert text.count("How 6 runs with different seeds vary") == 2  # link and heading
    assert text.count("Side by side") == 4
    assert text.count('<th scope="row"><bdi>claiming') == 2

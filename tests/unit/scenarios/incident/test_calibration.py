"""Times measured from an incident's files, with formulas and how well they fit."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from wavecheck import run
from wavecheck.scenarios.campaign.campaign import campaign
from wavecheck.scenarios.campaign.plan import Plan
from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.scenarios.incident.calibration import QUANTILES_COUNT, calibrate, fit_all
from wavecheck.sim.errors import InvalidScenario

START = datetime(2025, 1, 1, 10)  # noqa: DTZ001, as in files without a zone


@pytest.fixture
def files(tmp_path):
    """Write a pair of files; return their names."""

    def write(service, latencies_ms, *, header="dispatched_at,started_at,completed_at"):
        lines = [f"batch_id,job_id,wave_number,status,created_at,{header}"]
        for number, seconds in enumerate(service):
            created = START + timedelta(seconds=2 * number)
            began = created + timedelta(seconds=1)
            done = began + timedelta(seconds=seconds)
            moments = {
                "dispatched_at": created + timedelta(seconds=0.5),
                "started_at": began,
                "completed_at": done,
            }
            cells = [moments[name].isoformat() for name in header.split(",")]
            lines.append(
                f"b{number:03d},j,3,completed,{created.isoformat()},{','.join(cells)}"
            )
        calls = [
            "call_number,job_id,wave_number,called_at,batches_dispatched,"
            "ended_at,statements"
        ]
        for number, latency in enumerate(latencies_ms, start=1):
            began = START + timedelta(seconds=number)
            ended = began + timedelta(milliseconds=4 * latency)
            calls.append(f"{number},j,3,{began.isoformat()},1,{ended.isoformat()},4")
        names = tmp_path / "batches.csv", tmp_path / "calls.csv"
        for path, text in zip(names, (lines, calls), strict=True):
            path.write_text("\n".join(text) + "\n")
        return tuple(str(path) for path in names)

    return write


def test_times_are_the_measured_ones(files):
    """Service, latency per statement and both kinds of gaps, as the files say."""
    found = calibrate(*files([3.0, 1.0, 2.0], [5.0, 7.0]))
    texts = {one.setting: one.text() for one in found.times}
    assert texts == {
        "service_samples": "1,2,3",
        "latency_samples_ms": "5,7",
        "creation_samples": "2,2",
        "call_samples": "1",
    }
    assert found.missing == {}
    assert [one.fit for one in found.times] == [None] * 4
    assert found.times[0].mean == 2.0


def test_without_started_at_a_batch_runs_from_its_dispatch(files):
    """The next best column is used, and the result says which."""
    found = calibrate(*files([3.0], [5.0], header="dispatched_at,completed_at"))
    assert found.times[0].text() == "3.5"
    assert found.times[0].meaning == "completed_at - dispatched_at of the batches"


def test_what_the_published_record_does_not_hold_is_said():
    """It has neither completions nor ends of calls; the gaps are there."""
    found = calibrate("", "")
    assert [(one.setting, one.count) for one in found.times] == [
        ("creation_samples", 44),
        ("call_samples", 347),
    ]
    assert set(found.missing) == {"service_samples", "latency_samples_ms"}
    assert len(found.times[1].samples) == QUANTILES_COUNT


def test_a_scenario_gets_what_it_knows(files):
    """`import-job` runs with the user's times; the incident with new moments."""
    found = calibrate(*files([3.0, 1.0, 2.0], [5.0, 7.0]))
    job, incident = find_scenario("import-job"), find_scenario("incident")
    names = [list(one.settings_type.__dataclass_fields__) for one in (job, incident)]
    assert set(found.settings(names[0])) == {"service_samples", "latency_samples_ms"}
    assert set(found.settings(names[1])) == {
        "service_samples",
        "latency_samples_ms",
        "creation_samples",
        "call_samples",
    }
    calibrated = run("import-job", "claiming", settings=found.settings(names[0]))
    assert calibrated.makespan < run("import-job", "claiming").makespan


def test_an_incident_is_drawn_anew_for_every_seed():
    """Other moments in every run, the same for one seed: so it has a rate."""
    settings = calibrate("", "").settings(["creation_samples", "call_samples"])
    plan = Plan.of(
        find_scenario("incident"), ["stalling"], settings=settings, seeds_count=5
    )
    first, again = campaign(plan), campaign(plan)
    assert first.points == again.points
    makespan = first.points[0].distributions["longest_pending_us"]
    assert makespan.most == float("inf")
    runs = [
        run("incident", "claiming", settings={**settings, "seed": seed})
        for seed in (1, 2)
    ]
    created = [[one.created_at for one in each.batches] for each in runs]
    assert created[0] != created[1]
    assert len(created[0]) == 45


@pytest.mark.parametrize(
    ("name", "draw"),
    [
        ("exponential", lambda random: random.exponential(20.0, 300)),
        ("lognormal", lambda random: random.lognormal(3.0, 0.5, 300)),
        ("gamma", lambda random: random.gamma(4.0, 5.0, 300)),
        ("weibull", lambda random: 20.0 * random.weibull(2.5, 300)),
    ],
)
def test_the_formula_that_made_the_data_fits(name, draw):
    """Its p-value is not small, and the parameters are near; a wrong one is refused.

    A right formula has a p-value below 0.01 once in a hundred; the seed is fixed.
    """
    data = draw(np.random.Generator(np.random.PCG64(7)))
    fits = {one.family: one for one in fit_all(data.tolist())}
    assert fits[name].p_value > 0.01
    assert fits[name].distance < 0.06
    if name != "exponential":
        assert fits["exponential"].p_value < 0.01


def test_a_fitted_formula_is_drawn_from_by_its_quantiles(files):
    """The samples are its quantiles, and the data's mean is kept roughly."""
    random = np.random.Generator(np.random.PCG64(2))
    service = random.lognormal(2.0, 0.4, 60).tolist()
    found = calibrate(*files(service, [5.0]), family="lognormal")
    measured = found.times[0]
    assert measured.fit.family == "lognormal"
    assert len(measured.samples) == QUANTILES_COUNT
    assert np.mean(measured.samples) == pytest.approx(np.mean(service), rel=0.05)
    best = calibrate(*files(service, [5.0]), family="best")
    assert best.times[0].fit == best.fits["service_samples"][0]


def test_too_little_or_impossible_data_get_no_formula():
    """Fewer than five values, a zero, or all alike: none is fitted."""
    assert fit_all([1.0, 2.0, 3.0]) == ()
    assert fit_all([0.0, 1.0, 2.0, 3.0, 4.0]) == ()
    assert fit_all([2.0] * 9) == ()


def test_times_that_run_backwards_are_refused(files):
    """The batch or call is named, and both columns."""
    with pytest.raises(InvalidScenario, match="batch 'b001': completed_at is 4 s"):
        calibrate(*files([1.0, -4.0], [5.0]))
    with pytest.raises(InvalidScenario, match="call 1: ended_at is"):
        calibrate(*files([1.0], [-5.0]))


def test_an_unknown_family_is_refused():
    """With the ones that there are."""
    with pytest.raises(InvalidScenario, match="did you mean 'lognormal'"):
        calibrate("", "", family="log-normal")


def test_a_mix_of_zones_in_a_further_column_is_refused(files, tmp_path):
    """A moment with a zone among those without cannot be subtracted."""
    names = files([1.0, 2.0], [5.0])
    path = tmp_path / "batches.csv"
    path.write_text(path.read_text().replace("10:00:02,", "10:00:02Z,", 1))
    with pytest.raises(InvalidScenario, match="no time zone"):
        calibrate(*names)


def test_an_unknown_or_doubled_column_is_refused(files, tmp_path):
    """The message lists the columns that a file may have."""
    names = files([1.0], [5.0])
    path = tmp_path / "calls.csv"
    for wrong in ("finished_at", "statements"):
        text = path.read_text()
        path.write_text(text.replace("ended_at,", f"{wrong},", 1))
        with pytest.raises(InvalidScenario, match="if there are any: ended_at"):
            calibrate(*names)
        path.write_text(text)

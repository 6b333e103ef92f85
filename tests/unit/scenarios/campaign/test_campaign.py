"""Campaigns: what the runs say, when they end, that nothing but the plan counts."""

from dataclasses import replace

import numpy as np
import pytest

from wavecheck import run
from wavecheck.scenarios.campaign.campaign import campaign, complete
from wavecheck.scenarios.campaign.engines import IN_PROCESS
from wavecheck.scenarios.campaign.plan import Plan
from wavecheck.scenarios.campaign.runs import OtherCode, Piece, run_piece
from wavecheck.scenarios.campaign.store import create_store
from wavecheck.scenarios.campaign.summary import measure_values
from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.sim.errors import CoordinatorError, NondeterminismError
from wavecheck.sim.verdict import Outcome


def test_rates_count_the_runs_that_one_by_one_show_them(run_plan):
    """The rate of each property is that of `run` with the same seeds."""
    result = run_plan(seeds_count=12)
    for point in result.points:
        runs = [
            run(
                "import-job",
                point.point.coordinator,
                settings={**point.point.given, "seed": seed},
            )
            for seed in range(12)
        ]
        for rate in point.rates:
            verdicts = [one.verdict(rate.property_name) for one in runs]
            assert rate.hits == sum(one.violation is not None for one in verdicts)
            assert rate.at_risk == sum(
                one.outcome is not Outcome.NOT_TESTED for one in verdicts
            )
        makespan = point.distributions["makespan_us"]
        assert makespan.most == max(one.makespan for one in runs)
        assert makespan.mean == pytest.approx(np.mean([one.makespan for one in runs]))


def test_stalling_strands_and_progressive_doubles(run_plan):
    """Each rule shows its own fault, and only that one."""
    stalling, progressive = run_plan().points
    assert stalling.rate("no_stranded_batch").estimate > 0.5
    assert stalling.rate("no_double_dispatch").hits == 0
    assert progressive.rate("no_stranded_batch").hits == 0
    assert progressive.rate("no_double_dispatch").hits > 0


def test_a_wait_for_ever_is_infinite(run_plan):
    """The longest pending time of a run with a stranded batch has no end."""
    stalling, _ = run_plan().points
    stranded = stalling.rate("no_stranded_batch").hits
    assert stalling.distributions["longest_pending_us"].most == np.inf
    assert stalling.alerts[0].stranded_runs == stranded
    assert stalling.alerts[0].detected == stranded
    assert stalling.alerts[0].delay.least == 300_000_000


def test_differences_are_taken_seed_by_seed(plan_of):
    """Their mean is the mean of the differences, narrower than apart."""
    plan = plan_of(["claiming", "upfront"])
    with create_store(plan, None, resumes=False) as store:
        result = complete(plan, store=store)
        mine, theirs = (measure_values(store, index, "makespan_us") for index in (0, 1))
    found = next(one for one in result.differences if one.measure == "makespan_us")
    assert (found.base, found.cell.coordinator) == ("claiming", "upfront")
    assert found.pairs == 40
    assert found.mean == pytest.approx(np.mean(theirs - mine))
    assert found.interval.low < found.mean < found.interval.high
    apart = 4 * np.sqrt((mine.var() + theirs.var()) / 40)
    assert found.interval.width < apart


def test_an_early_end_comes_at_fixed_looks(plan_of):
    """A rate near 0 is sure early: 100, 200 or 400 runs, and the interval says how."""
    plan = plan_of(["claiming", "progressive"], seeds_count=900, until_width=0.06)
    result = campaign(plan)
    claiming, progressive = result.points
    assert claiming.is_stopped
    assert claiming.runs in (100, 200, 400)
    assert claiming.runs < progressive.runs
    for rate in claiming.rates:
        assert rate.interval.method == "confidence sequence"
        assert rate.interval.width <= 0.06


def test_the_reason_for_an_early_end_is_in_the_first_seeds_only(plan_of):
    """An earlier campaign of more seeds does not change when a point ends."""
    plan = plan_of(["claiming"], seeds_count=400, until_width=0.05)
    with create_store(plan, None, resumes=False) as store:
        complete(plan_of(["claiming"], seeds_count=250), store=store)
        resumed = complete(plan, store=store)
    assert resumed.runs == max(250, campaign(plan).runs)


def test_progress_tells_rate_and_intervals(plan_of):
    """Runs grow to all of them, the time left falls to none, rates have intervals."""
    seen = []
    campaign(plan_of(), progress=seen.append)
    assert [one.runs for one in seen] == sorted(one.runs for one in seen)
    assert seen[-1].runs == seen[-1].runs_max == 80
    assert seen[-1].seconds_left == 0
    label, name, rate, interval = seen[-1].rates[0]
    assert (label, name) == ("stalling", "no_stranded_batch")
    assert interval.low <= rate <= interval.high


def test_pieces_shrink_towards_the_end(plan_of, monkeypatch):
    """Half a second of work each, and at the end no process is left with a long one."""
    sizes = []

    def run_slowly(engine, function, pieces):
        for one in pieces:
            sizes.append(one.seeds[1] - one.seeds[0])
            yield one, function(one), 0.01 * sizes[-1]

    monkeypatch.setattr("wavecheck.scenarios.campaign.campaign.run_pieces", run_slowly)
    engine = replace(IN_PROCESS, processes=2)
    result = campaign(plan_of(["claiming"], seeds_count=400), engine=engine)
    assert result.runs == sum(sizes) == 400
    assert sizes[:3] == [4, 50, 50]
    assert sizes[3:] == sorted(sizes[3:], reverse=True)
    assert max(sizes[-4:]) == 5


def test_an_interrupt_ends_the_campaign_not_the_call(plan_of):
    """Ctrl-C after some pieces: what was finished is told."""

    def interrupt(now):
        if now.runs > 20:
            raise KeyboardInterrupt

    result = campaign(plan_of(), progress=interrupt)
    assert result.was_interrupted
    assert 20 < result.runs < 80
    assert result.points[0].runs == 40 or result.points[1].runs == 0


def test_records_are_flat_rows(run_plan):
    """One row for each point, rates with both ends of their intervals."""
    rows = run_plan(grid={"pollers": [0, 1]}, seeds_count=5).to_records()
    assert [(row["coordinator"], row["pollers"], row["runs"]) for row in rows] == [
        ("stalling", "0", 5),
        ("progressive", "0", 5),
        ("stalling", "1", 5),
        ("progressive", "1", 5),
    ]
    for row in rows:
        low, high = row["job_completes_low"], row["job_completes_high"]
        assert low <= row["job_completes"] <= high
        assert row["makespan_us_median"] > 0


# What is refused ----------------------------------------------------------------


def piece(**changed):
    plan = Plan.of(find_scenario("import-job"), ["claiming"], settings={"parents": 3})
    values = {
        "scenario": "import-job",
        "point": 0,
        "coordinator": "claiming",
        "given": {"parents": "3"},
        "seeds": (0, 2),
        "steps_max": 10_000,
        "code": plan.identity["code"]["claiming"],
    }
    return Piece(**(values | changed))


def test_other_code_is_refused():
    """A process whose sources differ runs nothing."""
    assert len(run_piece(piece())) == 2
    with pytest.raises(OtherCode, match="another version of Wavecheck"):
        run_piece(piece(code="0" * 32))


def test_a_coordinator_with_hidden_state_is_reported(tmp_path):
    """A rule that counts its calls behind our back: two runs of a seed differ."""
    rule = tmp_path / "rule.py"
    rule.write_text(
        "from wavecheck.coordinator import Claiming\n"
        "calls = 0\n"
        "class Moody(Claiming):\n"
        "    async def dispatch_wave(self, job_id, wave_number):\n"
        "        global calls\n"
        "        calls += 1\n"
        "        if calls > 100:\n"
        "            return 0\n"
        "        return await super().dispatch_wave(job_id, wave_number)\n"
    )
    plan = Plan.of(find_scenario("import-job"), [f"{rule}:Moody"], seeds_count=2)
    with pytest.raises(NondeterminismError, match=r"two runs of .*Moody with seed 1"):
        campaign(plan)


def test_a_coordinator_that_fails_ends_the_campaign(tmp_path):
    """The error names the coordinator's own line; earlier runs are kept."""
    rule = tmp_path / "rule.py"
    rule.write_text(
        "from wavecheck.coordinator import Claiming\n"
        "class Broken(Claiming):\n"
        "    async def dispatch_wave(self, job_id, wave_number):\n"
        "        raise ValueError('no such wave')\n"
    )
    plan = Plan.of(find_scenario("import-job"), [f"{rule}:Broken"], seeds_count=2)
    with pytest.raises(CoordinatorError, match="no such wave"):
        campaign(plan)

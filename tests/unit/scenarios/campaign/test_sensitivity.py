"""Sensitivity: designs, effects of known size, and what is refused."""

import pytest

from wavecheck.scenarios.campaign.campaign import complete
from wavecheck.scenarios.campaign.sensitivity import (
    Range,
    design,
    effects,
    measurable,
    parse_ranges,
)
from wavecheck.scenarios.campaign.store import create_store
from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.sim.errors import InvalidScenario

JOB = find_scenario("import-job")
RANGES = parse_ranges(["service_seconds=10:40", "pending_limit_seconds=100:400"])


def made(ranges=RANGES, **options):
    options = {"seeds_count": 2, "trajectories": 4} | options
    return design(JOB, "claiming", ranges, settings={"parents": 6}, **options)


def test_every_cell_of_the_trajectories_is_a_point():
    """Whole parameters get whole values; equal cells are one point."""
    found = made(parse_ranges(["workers=1:4", "service_seconds=10:40"]))
    assert found.samples.shape == (12, 2)
    assert len(found.points) == 12
    cells = [dict(found.plan.points[index].cell) for index in found.points]
    assert {cell["workers"] for cell in cells} <= {"1", "2", "3", "4"}
    assert len(found.plan.points) == len({tuple(cell.items()) for cell in cells})
    again = made(parse_ranges(["workers=1:4", "service_seconds=10:40"]))
    assert again.plan.digest() == found.plan.digest()


def test_what_matters_is_ranked_first_and_what_does_not_has_no_effect():
    """Service time moves the makespan, by about its share; a limit does nothing."""
    found = made()
    with create_store(found.plan, None, resumes=False) as store:
        complete(found.plan, store=store)
        first, last = effects(found, store, "makespan_us")
        constant = effects(found, store, "batches")
    assert first.parameter == "service_seconds"
    assert first.mean > 0
    # Six parents on eight workers: three services one after another at the least.
    assert 30_000_000 * 2 < first.strength < 30_000_000 * 8
    assert last.parameter == "pending_limit_seconds"
    assert last.strength == 0
    assert {one.strength for one in constant} == {0.0}


@pytest.mark.parametrize(
    "text",
    ["workers", "workers=1", "workers=4:1", "workers=a:b", "=1:2", "workers=2:2"],
)
def test_a_range_is_low_before_high(text):
    """Anything else is refused with an example."""
    with pytest.raises(InvalidScenario, match="workers=1:16"):
        parse_ranges([text])


def test_designs_that_make_no_sense_are_refused():
    """One parameter, an unknown one, one trajectory, an unknown measure."""
    with pytest.raises(InvalidScenario, match="two or more"):
        made([Range(parameter="workers", low=1, high=4)])
    with pytest.raises(InvalidScenario, match="did you mean 'workers'"):
        made(parse_ranges(["wokers=1:4", "parents=1:4"]))
    with pytest.raises(InvalidScenario, match="two or more"):
        made(trajectories=1)
    with pytest.raises(InvalidScenario, match="did you mean 'makespan_us'"):
        measurable(made().plan, "makespan")
    with pytest.raises(InvalidScenario, match="parameter 'workers'"):
        made(parse_ranges(["workers=-3:4", "parents=1:4"]))

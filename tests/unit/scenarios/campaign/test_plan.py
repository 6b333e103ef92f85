"""Plans: which runs there are, what makes two campaigns the same, what is refused."""

import pytest

from wavecheck.scenarios.campaign.code_version import code_digest
from wavecheck.scenarios.campaign.plan import Plan, parse_grid
from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.sim.errors import CoordinatorError, InvalidScenario

JOB = find_scenario("import-job")


def test_points_are_coordinators_by_cells():
    """Cells in the order given, and in each cell every coordinator."""
    plan = Plan.of(
        JOB,
        ["stalling", "claiming"],
        grid={"workers": [1, 2], "parents": ["3"]},
        settings={"pollers": 1},
        seeds_count=10,
    )
    assert [(one.coordinator, dict(one.cell)) for one in plan.points] == [
        ("stalling", {"workers": "1", "parents": "3"}),
        ("claiming", {"workers": "1", "parents": "3"}),
        ("stalling", {"workers": "2", "parents": "3"}),
        ("claiming", {"workers": "2", "parents": "3"}),
    ]
    assert plan.points[2].given == {"pollers": "1", "workers": "2", "parents": "3"}
    assert plan.points[2].label() == "stalling, workers=2, parents=3"
    assert plan.runs_count() == 40


def test_without_coordinators_all_are_meant():
    """The scenario's own ones, in the order of reports."""
    assert Plan.of(JOB).coordinators == tuple(JOB.coordinators)


def test_seeds_and_width_are_no_part_of_the_identity():
    """More seeds, or an early end, go on with the same campaign."""
    first = Plan.of(JOB, ["claiming"], seeds_count=10)
    more = Plan.of(JOB, ["claiming"], seeds_count=90, first_seed=5, until_width=0.1)
    assert first.digest() == more.digest()


@pytest.mark.parametrize(
    "changed",
    [
        {"settings": {"parents": 7}},
        {"grid": {"parents": [7]}},
        {"coordinators": ["stalling"]},
        {"steps_max": 99},
    ],
    ids=str,
)
def test_what_is_run_is_the_identity(changed):
    """Settings, grid, coordinators and the step limit make another campaign."""
    coordinators = changed.pop("coordinators", ["claiming"])
    assert (
        Plan.of(JOB, ["claiming"]).digest()
        != Plan.of(JOB, coordinators, **changed).digest()
    )


def test_a_coordinator_s_file_is_part_of_the_identity(tmp_path):
    """The same class after an edit is another campaign."""
    rule = tmp_path / "rule.py"
    rule.write_text(
        "from wavecheck.coordinator import Claiming\nclass Mine(Claiming): ...\n"
    )
    name = f"{rule}:Mine"
    before = code_digest(JOB, name)
    assert Plan.of(JOB, [name]).digest() == Plan.of(JOB, [name]).digest()
    rule.write_text(rule.read_text() + "# another version\n")
    assert code_digest(JOB, name) != before


def test_an_incident_s_files_are_part_of_the_identity(tmp_path):
    """What the CSV files hold counts, not how they are called."""
    rows = {
        "batches": "batch_id,job_id,wave_number,status,created_at\n"
        "b-1,j,3,pending,2025-01-01T10:00:00\n",
        "calls": "call_number,job_id,wave_number,called_at,batches_dispatched\n"
        "1,j,3,2025-01-01T10:00:01,1\n",
    }
    for name, text in rows.items():
        (tmp_path / f"{name}.csv").write_text(text)
    settings = {name: str(tmp_path / f"{name}.csv") for name in rows}
    incident = find_scenario("incident")
    before = Plan.of(incident, ["claiming"], settings=settings).digest()
    (tmp_path / "calls.csv").write_text(rows["calls"].replace("10:00:01", "10:00:02"))
    assert Plan.of(incident, ["claiming"], settings=settings).digest() != before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grid": {"wokers": [1]}}, "did you mean 'workers'"),
        ({"grid": {"workers": []}}, "no value for 'workers'"),
        ({"grid": {"workers": [1, "1"]}}, "twice: 1, 1"),
        ({"grid": {"workers": ["many"]}}, "parameter 'workers'"),
        ({"grid": {"workers": [0]}}, "parameter 'workers'"),
        ({"grid": {"seed": [1, 2]}}, "--seeds N"),
        ({"settings": {"seed": 3}}, "--first-seed N"),
        ({"settings": {"workers": 1}, "grid": {"workers": [2]}}, "in the grid too"),
        ({"seeds_count": 0}, "at least one seed"),
        ({"first_seed": -1}, "none below zero"),
        ({"until_width": 0.0}, "between 0 and 1"),
        ({"until_width": 1.5}, "between 0 and 1"),
        ({"rare": "no_stranded_batch"}, "has virtual time"),
        (
            {"grid": {"parents": range(1, 102), "workers": range(1, 102)}},
            "10,201 cells",
        ),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    """Unknown, empty, doubled, out of bounds: in words, before anything runs."""
    with pytest.raises(InvalidScenario, match=message):
        Plan.of(JOB, ["claiming"], **options)


def test_coordinators_that_do_not_fit_are_refused():
    """Named twice, unknown, or not loadable."""
    with pytest.raises(InvalidScenario, match="named twice"):
        Plan.of(JOB, ["claiming", "claiming"])
    with pytest.raises(InvalidScenario, match="unknown coordinator"):
        Plan.of(JOB, ["claimin"])
    with pytest.raises(CoordinatorError, match="no such file"):
        Plan.of(JOB, ["nowhere.py:Rule"])


def test_rare_needs_a_known_property_and_a_fixed_number_of_runs():
    """Without time: a property of the scenario, and no early end."""
    wd = find_scenario("wd")
    assert Plan.of(wd, ["stalling"], rare="no_stranded_batch").rare
    with pytest.raises(InvalidScenario, match="unknown property"):
        Plan.of(wd, ["stalling"], rare="no_stranded")
    with pytest.raises(InvalidScenario, match="--until-width"):
        Plan.of(wd, ["stalling"], rare="no_stranded_batch", until_width=0.1)


def test_a_grid_is_read_from_text():
    """Values by name; blanks around them do not count."""
    assert parse_grid(["workers=1, 2,4", "parents=3"]) == {
        "workers": ("1", "2", "4"),
        "parents": ("3",),
    }
    for text in ("workers", "=1,2"):
        with pytest.raises(InvalidScenario, match="expected NAME=VALUE"):
            parse_grid([text])
    with pytest.raises(InvalidScenario, match="has its values already"):
        parse_grid(["workers=1", "workers=2"])

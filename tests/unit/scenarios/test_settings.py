"""From KEY=VALUE text to validated settings, and what is refused."""

import pytest

from wavecheck import SCENARIOS, find_scenario
from wavecheck.sim.errors import InvalidScenario


def test_the_scenarios_by_name():
    """The names are those of the command line."""
    assert list(SCENARIOS)[:4] == ["incident", "import-job", "fleet", "wd"]
    for name, scenario in SCENARIOS.items():
        assert find_scenario(name) is scenario
        assert scenario.name == name


def test_an_unknown_scenario_is_answered_with_the_nearest():
    """A typing error gets the nearest name and all names."""
    with pytest.raises(InvalidScenario) as refused:
        find_scenario("inciden")
    assert str(refused.value).startswith(
        "unknown scenario 'inciden': did you mean 'incident'? known: incident, "
    )


def test_settings_that_are_not_given_have_their_defaults():
    """No text, the defaults of the settings type."""
    for scenario in SCENARIOS.values():
        assert scenario.settings() == scenario.settings_type()
        assert scenario.settings({}) == scenario.settings_type()


def test_text_becomes_values_of_the_right_type():
    """Whole numbers, numbers, shares and switches are read from text."""
    settings = find_scenario("import-job").settings(
        {
            "parents": "7",
            "service_seconds": "0.5",
            "threshold": "1",
            "parents_call": "false",
            "seed": "12",
        }
    )
    assert (settings.parents, settings.seed) == (7, 12)
    assert (settings.service_seconds, settings.threshold) == (0.5, 1.0)
    assert settings.parents_call is False


@pytest.mark.parametrize("text", ["true", "True", "1", "yes", "on"])
def test_a_switch_is_read_generously(text):
    """Every usual way to write true is true."""
    assert find_scenario("incident").settings({"derived_call": text}).derived_call


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("parents", "0", "greater than or equal to 1"),
        ("parents", "many", "valid integer"),
        ("parents", "2.5", "valid integer"),
        ("parents", "", "valid integer"),
        ("seed", "-1", "greater than or equal to 0"),
        ("threshold", "1.01", "less than or equal to 1"),
        ("threshold", "-0.1", "greater than or equal to 0"),
        ("threshold", "nan", "less than or equal to 1"),
        ("latency_spread", "2", "less than or equal to 1"),
        ("service_seconds", "inf", "less than or equal to 1000000000"),
        ("service_seconds", "-1", "greater than or equal to 0"),
        ("stale_after_seconds", "0", "greater than 0"),
        ("statement_latency_ms", "1e7", "less than or equal to 1000000"),
        ("statement_latency_ms", "nan", "less than or equal to 1000000"),
        ("calls_max", "0", "greater than or equal to 1"),
        ("workers", "0", "greater than or equal to 1"),
        ("parents_call", "perhaps", "valid boolean"),
    ],
)
def test_a_value_out_of_bounds_is_refused(name, value, expected):
    """Parameter, scenario, what was expected, what was given, and what next."""
    with pytest.raises(InvalidScenario) as refused:
        find_scenario("import-job").settings({name: value})
    lines = str(refused.value).splitlines()
    assert lines[0] == f"parameter {name!r} of scenario 'import-job'"
    assert lines[1].startswith("  expected  ")
    assert expected in lines[1]
    assert lines[2] == f"  got       {value!r}"
    assert lines[3] == "next: wavecheck list scenarios"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threshold", "0"),
        ("threshold", "1"),
        ("service_seconds", "0"),
        ("statement_latency_ms", "0"),
        ("waves_before", "0"),
        ("pollers", "0"),
        ("calls_max", "1"),
        ("seed", "0"),
    ],
)
def test_a_value_at_its_bound_is_taken(name, value):
    """The bounds belong to the range."""
    settings = find_scenario("import-job").settings({name: value})
    assert getattr(settings, name) == float(value)


def test_an_unknown_parameter_is_answered_with_the_nearest():
    """A typing error gets the nearest name and all names of the scenario."""
    with pytest.raises(InvalidScenario) as refused:
        find_scenario("import-job").settings({"worker": "3"})
    text = str(refused.value)
    assert text.startswith(
        "unknown import-job parameter 'worker': did you mean 'workers'? known: "
    )
    assert "parents_per_batch" in text


def test_a_parameter_of_another_scenario_is_unknown():
    """`--batches` belongs to the incident alone."""
    with pytest.raises(InvalidScenario, match="unknown import-job parameter 'batches'"):
        find_scenario("import-job").settings({"batches": "x.csv"})


def test_small_sizes_can_be_overridden():
    """What the user sets wins over the small sizes, which win over the defaults."""
    scenario = find_scenario("import-job")
    settings = scenario.settings({"parents": "5"}, is_small=True)
    assert (settings.parents, settings.workers) == (5, 2)
    assert settings.calls_max == scenario.settings().calls_max


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_tells_its_properties(name):
    """Each has some, with names that differ."""
    names = [one.name for one in find_scenario(name).properties()]
    assert names
    assert len(names) == len(set(names))

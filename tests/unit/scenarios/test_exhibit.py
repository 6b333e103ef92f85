"""Exhibits: what each file declares, and what is made of it."""

from inspect import iscoroutinefunction

import pytest

from wavecheck import EXHIBITS, SCENARIOS
from wavecheck.scenarios.questions import check
from wavecheck.scenarios.subject import Subject
from wavecheck.sim.errors import InvalidScenario


@pytest.fixture(params=EXHIBITS)
def exhibit(request):
    return EXHIBITS[request.param]


def test_every_exhibit_is_a_scenario(exhibit):
    """It is found by name, and its file is named after it."""
    assert SCENARIOS[exhibit.name] is exhibit.scenario
    assert exhibit.file.stem == exhibit.short_name.replace("-", "_")
    assert exhibit.file.parent.name == exhibit.collection


def test_the_story_is_told_in_full(exhibit):
    """Mechanism in three sentences, a source, and what was left out."""
    assert exhibit.mechanism.count(". ") == 2, exhibit.mechanism
    assert exhibit.mechanism.endswith(".")
    assert exhibit.source
    assert exhibit.left_out.endswith(".")
    assert len(exhibit.file.read_text(encoding="utf-8").splitlines()) <= 250


def test_the_first_variant_is_faulty_and_some_variant_is_fixed(exhibit):
    """A pair separates: the code as it was violates something, a fix nothing."""
    assert exhibit.first.violates
    assert exhibit.fixed()
    names = {one.name for one in exhibit.properties}
    for variant in exhibit.variants.values():
        assert set(variant.violates) <= names


def test_the_code_under_test_has_the_methods(exhibit):
    """Each variant offers every method as a coroutine, and says what it does."""
    for variant in exhibit.variants.values():
        assert variant.code.__doc__
        for method in exhibit.methods:
            assert iscoroutinefunction(getattr(variant.code, method))


def test_faults_are_refused():
    """A fault that a story needs is one of its tasks; a plan has nothing to hit."""
    subject = Subject.of(
        SCENARIOS["zoo/solid-queue-689"], "original", faults={"crash": 1}
    )
    with pytest.raises(InvalidScenario, match="nothing here fails"):
        subject.world()


def test_sizes_are_bounded():
    """A size below one is refused with its name."""
    with pytest.raises(InvalidScenario, match="'jobs' of scenario 'zoo/solid-queue"):
        SCENARIOS["zoo/solid-queue-689"].settings({"jobs": "0"})


def test_the_finder_is_named():
    """The portfolio says which of its strategies found it."""
    result = check(SCENARIOS["zoo/solid-queue-689"], "original", executions=200)
    found = result.searched.first_found["no_job_is_blocked_for_ever"]
    assert found.strategy_name in ("random", "pct2", "pct3", "surw", "dfs")

"""The zoo: every verdict that is stated is what search and proof say.

The searches are the default ones with seed 0, so the tests are stable. No exhibit needs
more than 100 of the 2,000 executions that each is given (`wavecheck zoo`), and the
median over 20 seeds is below 100 for all of them (`python -m benchmarks zoo`).
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from wavecheck import EXHIBITS
from wavecheck.reports.zoo.guide import pattern_guide
from wavecheck.reports.zoo.page import zoo_page
from wavecheck.reports.zoo.tables import examination_data, summary
from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.exhibit import Pattern
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.canary import Fate, canary
from wavecheck.scenarios.verdicts.examination import examine
from wavecheck.scenarios.verdicts.proving import PROOF
from wavecheck.sim.verdict import Outcome

STATED = Path(__file__).parent / "zoo_verdicts.json"
CANARY_EXECUTIONS = 300


@pytest.fixture(scope="module")
def examinations():
    """Every variant of every exhibit, as `wavecheck zoo` examines it."""
    effort = Effort(executions=2_000, seed=0)
    return list(examine(list(EXHIBITS.values()), effort, replace(PROOF, seconds=60.0)))


def stated():
    """The verdicts, kept apart from the files that state them too."""
    return json.loads(STATED.read_text(encoding="utf-8"))


def test_the_files_state_what_is_stated_here():
    """A verdict is changed in two places, or by accident."""
    in_files = {
        name: {variant: list(one.violates) for variant, one in exhibit.variants.items()}
        for name, exhibit in EXHIBITS.items()
    }
    assert in_files == stated()


def test_search_and_proof_say_what_is_stated(examinations):
    """Each fault is found and refuted, each fix proved, and tested by its proof.

    The committed pages are those that the command makes of this, byte for byte.
    """
    assert len(summary(examinations)) == 1, "\n".join(summary(examinations))
    assert all(one.states is not None for one in examinations)
    for one in examinations:
        is_faulty = bool(stated()[one.exhibit.name][one.variant])
        expected = Outcome.VIOLATED if is_faulty else Outcome.PROVED
        assert one.strength() is expected, (one.exhibit.name, one.variant)
    for one in examinations:
        for found in one.findings:
            assert found.shortest is not None
            assert found.shortest <= len(found.schedule.steps)
            assert found.execution <= 100, (one.exhibit.name, found.execution)
    docs = Path(__file__).parents[2] / "docs"
    page = (docs / "zoo.md").read_text(encoding="utf-8")
    assert page == zoo_page(examinations), "next: wavecheck zoo --markdown docs/zoo.md"
    guide = (docs / "patterns.md").read_text(encoding="utf-8")
    assert guide == pattern_guide(examinations), (
        "next: wavecheck zoo --guide docs/patterns.md"
    )
    json.dumps([examination_data(one) for one in examinations])


def test_the_zoo_covers_all_roots():
    """At least 24 pairs over all seven roots, and at least eight classic programs."""
    zoo = [one for one in EXHIBITS.values() if one.collection == "zoo"]
    assert len(zoo) >= 24
    assert {one.pattern for one in zoo} == set(Pattern)
    assert sum(one.collection == "classic" for one in EXHIBITS.values()) >= 8


def test_planted_faults_in_the_fixes_are_caught():
    """At least 90 % of the mutants are caught; each of the rest says why it is not."""
    fates = {}
    for name, exhibit in EXHIBITS.items():
        for variant in exhibit.fixed():
            subject = Subject.of(exhibit.scenario, variant)
            result = canary(subject, Effort(executions=CANARY_EXECUTIONS, seed=0))
            assert result.mutants, name
            for one in result.mutants:
                fates[name, variant, one.mutant.name] = one
    missed = [key for key, one in fates.items() if one.fate is not Fate.CAUGHT]
    assert len(missed) <= 0.1 * len(fates)
    for key in missed:
        assert fates[key].fate is Fate.HARMLESS, key
        assert fates[key].mutant.excuse(key[1]), key

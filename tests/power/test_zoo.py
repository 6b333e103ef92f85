"""The zoo: each exhibit has the verdicts that its file states, and not vacuously.

The search is the default one with a fixed seed, so the tests are stable. The budget of
2,000 executions is a factor of more than ten above what any exhibit needed.
"""

import pytest

from scenarios import EXHIBITS
from scenarios.canary import Fate, canary
from scenarios.checking import Effort, check_subject
from scenarios.proving import prove
from scenarios.subject import Subject
from sim.verdict import Outcome

VARIANTS = [
    (name, variant) for name, one in EXHIBITS.items() for variant in one.variants
]
FAULTY = [pair for pair in VARIANTS if EXHIBITS[pair[0]].variants[pair[1]].violates]
MENDED = [pair for pair in VARIANTS if pair not in FAULTY]
EXECUTIONS = 2_000


def subject_of(name, variant):
    return Subject.of(EXHIBITS[name].scenario, variant)


def violated(result):
    return {
        one.property_name for one in result.verdicts if one.outcome is Outcome.VIOLATED
    }


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_the_proof_says_what_is_stated(name, variant):
    """Every state is visited; what is violated is what the file states."""
    result = prove(subject_of(name, variant))
    assert result.exploration.is_complete
    assert violated(result) == set(EXHIBITS[name].variants[variant].violates)


@pytest.mark.parametrize(("name", "variant"), MENDED)
def test_no_proof_is_vacuous(name, variant):
    """Some execution of each mend could have violated each property."""
    assert prove(subject_of(name, variant)).vacuous() == ()


@pytest.mark.parametrize(("name", "variant"), FAULTY)
def test_the_default_search_finds_each_fault(name, variant):
    """The portfolio finds every stated violation within 2,000 executions."""
    effort = Effort(executions=EXECUTIONS, seed=0, shrinks=False)
    result = check_subject(subject_of(name, variant), effort)
    assert violated(result) == set(EXHIBITS[name].variants[variant].violates)


def test_planted_faults_in_the_mends_are_caught():
    """Every mutant of a mend is caught, or its file says why it is harmless."""
    survived = []
    for name, variant in MENDED:
        result = canary(subject_of(name, variant), Effort(executions=EXECUTIONS))
        survived += [
            (name, variant, one.mutant.name, one.fate)
            for one in result.mutants
            if one.fate not in (Fate.CAUGHT, Fate.HARMLESS)
        ]
    assert not survived

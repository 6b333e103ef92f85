"""The examples on drivers: code that knows nothing of us, and one world file each."""

from pathlib import Path

import pytest

from wavecheck import check, prove
from wavecheck.sim.verdict import Outcome

EXAMPLES = Path(__file__).parents[2] / "examples"


def outcomes(result):
    return {one.property_name: one.outcome for one in result.verdicts}


@pytest.mark.parametrize(
    ("world", "broken"),
    [
        ("psycopg_worker/world.py:mailer", "sent twice"),
        ("psycopg2_worker/world.py:jobs", "run twice"),
        ("sqlalchemy_orders/world.py:dispatching", "labelled twice"),
        ("sqlalchemy_orders/world.py:delivering", "mailed twice"),
    ],
)
def test_the_first_code_is_faulty_and_the_fixed_one_is_not(world, broken):
    """A short search finds the fault, and finds none in the fixed code."""
    subject = f"{EXAMPLES}/{world}"
    options = {"executions": 60, "shrinks": False}
    assert outcomes(check(subject, "now", **options))[broken] is Outcome.VIOLATED
    assert not check(subject, "fixed", **options).has_violation()


def test_the_fixed_mailer_is_proved():
    """No schedule of two hosts and two mails sends a mail twice."""
    found = outcomes(prove(f"{EXAMPLES}/psycopg_worker/world.py:mailer", "fixed"))
    assert found["sent twice"] is Outcome.PROVED

"""The examples on drivers: code that knows nothing of us, and one world file each."""

import subprocess
import sys
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
        ("asyncio_service/world.py:paying", "paid twice"),
    ],
)
def test_the_first_code_is_faulty_and_the_fixed_one_is_not(world, broken):
    """A short search finds the fault, and finds none in the fixed code."""
    subject = f"{EXAMPLES}/{world}"
    options = {"executions": 60, "shrinks": False}
    assert outcomes(check(subject, "now", **options))[broken] is Outcome.VIOLATED
    assert not check(subject, "fixed", **options).has_violation()


@pytest.mark.parametrize(
    "world",
    [
        "psycopg_worker/world.py:mailer",
        "psycopg2_worker/world.py:jobs",
        "sqlalchemy_orders/world.py:dispatching",
        "sqlalchemy_orders/world.py:delivering",
        "asyncio_service/world.py:paying",
    ],
)
def test_the_fixed_code_is_proved(world):
    """No schedule of the fixed code violates anything, within the world's sizes."""
    found = outcomes(prove(f"{EXAMPLES}/{world}", "fixed"))
    assert set(found.values()) == {Outcome.PROVED}


def test_the_queue_in_django():
    """In a process of its own, for its settings: faulty now, and proved once fixed."""

    def run(*arguments):
        command = [Path(sys.executable).parent / "wavecheck", *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=EXAMPLES
        )
        return done.returncode, done.stdout

    world = "django_jobs/world.py"
    status, shown = run("check", world, "-c", "now", "--executions", "60")
    assert status == 1
    assert "violates 2 of 2 properties: notified twice, charged wrongly" in shown
    status, shown = run("prove", world, "-c", "fixed")
    assert status == 0
    assert "PROVED    no state of 249 violates it" in shown


def test_the_world_file_of_the_orders_is_short():
    """Unmodified ORM code is run from a world file of at most 40 lines."""
    lines = (EXAMPLES / "sqlalchemy_orders/world.py").read_text().splitlines()
    assert len(lines) <= 40

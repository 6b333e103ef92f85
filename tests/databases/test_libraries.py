"""Released libraries, unmodified: what docs/libraries.md says of them holds."""

import subprocess
import sys
from pathlib import Path

import pytest

from wavecheck import check, prove
from wavecheck.sim.verdict import Outcome

FOLDER = Path(__file__).parents[2] / "examples" / "libraries"


def outcomes(result):
    return {one.property_name: one.outcome for one in result.verdicts}


def test_celerys_result_backend_is_proved():
    """A success and a failure of one task: one row, and the success stays."""
    found = outcomes(prove(f"{FOLDER}/celery_world.py"))
    assert set(found.values()) == {Outcome.PROVED}


def test_raquel_does_each_job_once():
    """Nothing is found in a search of two workers; the proof is a slow test."""
    assert not check(f"{FOLDER}/raquel_world.py", executions=20).has_violation()


@pytest.mark.slow
def test_raquel_is_proved():
    """Two workers, one job: done once, and never left."""
    found = outcomes(prove(f"{FOLDER}/raquel_world.py"))
    assert set(found.values()) == {Outcome.PROVED}


def test_django_q_gives_each_package_to_one_cluster():
    """In a process of its own, for its settings: nothing is found."""
    done = subprocess.run(
        [
            *(Path(sys.executable).parent / "wavecheck", "check"),
            *(FOLDER / "django_q_world.py", "--executions", "30"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "nothing found, nothing proved" in done.stdout

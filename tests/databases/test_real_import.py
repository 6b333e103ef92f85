"""The example in production: several processes, one database, the verified class."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "real_import.py"


def run(*arguments):
    done = subprocess.run(
        [sys.executable, EXAMPLE, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_claiming_loses_nothing_and_doubles_nothing(any_url):
    """Three processes import 24 batches: each is completed once, none is sent twice."""
    found = run(any_url, "--workers", 3, "--batches", 24)
    assert (found["completed"], found["unfinished"], found["sent_twice"]) == (24, 0, 0)


@pytest.mark.postgres
def test_leased_survives_workers_that_are_killed(postgres_url):
    """Four are killed while batches are under way; the job is still whole.

    How many of the kills hit a worker that holds a lease is a matter of time, so
    `retaken` is not asserted; it was 2 of 4 on a busy machine.
    """
    options = ("-c", "leased", "--workers", 3, "--batches", 24, "--kills", 4)
    found = run(postgres_url, *options, "--service-ms", 30)
    assert found["workers_killed"] == 4
    assert (found["completed"], found["unfinished"], found["sent_twice"]) == (24, 0, 0)

"""A command that is killed leaves nothing behind, and goes on where it says it can."""

import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(__file__).with_name("kills.py")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["check", "prove"])
def test_nothing_is_left(name):
    """SIGKILL, SIGINT and SIGTERM: no process, no temporary file, nothing half-written.

    `python tests/fuzz_formats/kills.py --count 100` does it often, and for all.
    """
    run = subprocess.run(
        [sys.executable, COMMAND, name, "--count", "3"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stdout + run.stderr

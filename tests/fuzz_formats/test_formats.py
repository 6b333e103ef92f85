"""Damaged files, extreme options and failing outputs end in words, and soon."""

import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(__file__).with_name("fuzz.py")
KINDS = {
    "schedules": 300,
    "corpora": 300,
    "csv": 300,
    "jsonl": 300,
    "toml": 300,
    "stores": 300,
    "checkpoints": 300,
    "worlds": 300,
    "options": 100,
    "settings": 100,
    "outputs": 100,
}
SECONDS = 20
"""For each kind; the formats take five, a loaded machine more."""


def fuzz(*arguments):
    """Run the command; return its status and what it says."""
    run = subprocess.run(
        [sys.executable, COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    return run.returncode, run.stdout + run.stderr


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    """A folder for what is damaged; the first kind makes it."""
    return tmp_path_factory.mktemp("sound")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_found(kind, sound):
    """No traceback, no exit status 4, no hang, no gigabyte, nothing accepted wrongly.

    The cases are the same in every run; as many as fit into the time.
    """
    count = KINDS[kind]
    status, told = fuzz(kind, "--count", count, "--seconds", SECONDS, "--sound", sound)
    assert status == 0, told


@pytest.mark.slow
def test_the_commands_are_sound_before_they_are_changed(sound):
    """Each does its work, so that what is put in place of an option is looked at."""
    status, told = fuzz("as_they_are", "--count", 18, "--sound", sound)
    assert status == 0, told
    assert "as_they_are: 18 cases, 0 findings" in told


def test_the_guard_notices():
    """Each kind of finding is one: planted, it is told with the number of the case."""
    status, told = fuzz("planted", "--count", 6, "--seconds", 300)
    assert status == 1
    for fact in (
        "planted 0: raises ZeroDivisionError",
        "planted 1: computes for more than",
        "planted 2: raises MemoryError",
        "planted 3: the process ended with status 7",
        "planted 4: the process died of signal 9",
        "planted 5: wavecheck list",
        "nonsense",
    ):
        assert fact in told
    assert "planted: 6 cases, 6 findings" in told

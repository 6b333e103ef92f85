"""Running command lines in this process, in a folder of their own."""

import logging

import pytest

from wavecheck.reports.cli import run_command

SMALL = ("--set", "parents=4", "--set", "workers=2", "--set", "waves_before=0")


@pytest.fixture
def cli(tmp_path, monkeypatch, capsys):
    """Run a command line in an empty folder; return (status, output, errors)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging.getLogger("wavecheck.coordinator"), "propagate", True)

    def run(*arguments):
        capsys.readouterr()
        status = run_command([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def files(tmp_path):
    """The names of everything in the folder, hidden files included."""

    def names():
        return sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))

    return names


@pytest.fixture
def small():
    """Options that make `import-job` finish at once."""
    return SMALL

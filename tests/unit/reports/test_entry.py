"""The script `wavecheck`: what each way to start it loads."""

import inspect
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version

import pytest

import wavecheck
from wavecheck.reports.cli import COMMANDS

SLOW = {
    "numpy",
    "scipy",
    "networkx",
    "sqlalchemy",
    "matplotlib",
    "pandas",
    "hypothesis",
    "jinja2",
    "simpy",
}
SCRIPT = {
    f"wavecheck{name}"
    for name in (
        "",
        ".reports",
        ".reports.cli",
        ".reports.defaults",
        ".reports.entry",
        ".sim",
        ".sim.errors",
    )
}
RUNS = ", ".join(
    f"wavecheck.{name}"
    for name in (
        "reports.entry",
        "scenarios.campaign.engines",
        "scenarios.campaign.runs",
    )
)


def loaded_by(code):
    """The names of the modules that a fresh process has loaded after some code."""
    shown = "import sys; sys.stderr.write(' '.join(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", f"{code}\n{shown}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(run.stderr.rpartition("\n")[2].split())


def command(*arguments):
    """Code that runs one command line."""
    return (
        "from wavecheck.reports.cli import run_command\n"
        f"run_command({list(arguments)!r})"
    )


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], []])
def test_help_and_version_load_the_command_line_library_alone(arguments):
    """Of Wavecheck the script and its errors, of others nothing that is slow."""
    loaded = loaded_by("import wavecheck.reports.entry\n" + command(*arguments))
    assert {name for name in loaded if name.startswith("wavecheck")} == SCRIPT
    assert not loaded & (SLOW | {"pydantic", "rich", "asyncio"})


def test_a_replay_that_fails_loads_no_world_of_its_own():
    """A file that does not exist: no numbers, no graphs, no SQL, no pages."""
    loaded = loaded_by(command("replay", "no-such-file"))
    assert not loaded & (SLOW - {"simpy"})
    assert len([name for name in loaded if name.startswith("wavecheck")]) < 200


def test_a_short_check_loads_the_kernel_and_a_table():
    """No exhaustive engine, no processes, no databases, no pages, no pictures."""
    loaded = loaded_by(command("check", "wd", "-c", "claiming", "--executions", "5"))
    assert not loaded & (SLOW - {"simpy", "numpy"})
    assert not loaded & {
        "wavecheck.sim.exhaustive",
        "wavecheck.scenarios.campaign.engines",
        "wavecheck.coordinator.sql",
        "multiprocessing.pool",
    }


def test_what_jobs_starts_needs_no_command():
    """A process that makes runs loads neither the commands nor what they show with."""
    assert not loaded_by(f"import {RUNS}") & {
        "wavecheck.reports.cli",
        *(SLOW - {"numpy", "simpy"}),
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_says_what_the_command_says(name):
    """The sentence of the list is the first one of the command's own help."""
    place, said = COMMANDS[name]
    module, _, function = place.partition(":")
    loaded = import_module(f"wavecheck.reports.commands.{module}")
    told = inspect.getdoc(getattr(loaded, function)).partition("\n\n")[0]
    assert told.replace("\n", " ") == said


def test_the_version_is_that_of_the_installation():
    """One number, in the package and in what pip knows of it."""
    assert wavecheck.__version__ == version("wavecheck")

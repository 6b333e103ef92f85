"""What an installation adds to an environment, and what it leaves alone."""

import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from pkgutil import iter_modules

import pytest

NEIGHBOURS = ("sim", "reports", "scenarios", "coordinator", "tests")
"""Names of our folders, which a user's project may well have as packages."""

OWN_TEST = """\
import coordinator, reports, scenarios, sim
from tests import helper


def test_the_packages_are_those_of_the_project():
    for package in (coordinator, reports, scenarios, sim, helper):
        assert package.OWNER == "the project", package
"""


def test_one_name_is_installed():
    """`wavecheck` and nothing else, from a wheel and in a checkout."""
    names = set()
    for file in distribution("wavecheck").files:
        first = file.parts[0]
        if first.endswith(".pth"):  # a checkout: this file names the folder
            folder = Path(file.locate().read_text().strip())
            names |= {one.name for one in iter_modules([str(folder)])}
        elif first != ".." and not first.endswith(".dist-info"):
            names.add(first)
    assert names == {"wavecheck"}


@pytest.fixture
def project(tmp_path):
    """A project with packages of its own that have the names of our folders."""
    for name in NEIGHBOURS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text('OWNER = "the project"\n')
    (tmp_path / "tests" / "helper.py").write_text('OWNER = "the project"\n')
    (tmp_path / "tests" / "test_own.py").write_text(OWN_TEST)
    return tmp_path


@pytest.mark.parametrize("options", [[], ["-p", "no:wavecheck"]])
@pytest.mark.parametrize("runner", [["-m", "pytest"], ["-P", "-m", "pytest"]])
def test_a_project_with_the_names_of_our_folders_runs_its_tests(
    project, runner, options
):
    """With the plugin and without it, with the project's folder on the path or not."""
    run = subprocess.run(
        [sys.executable, *runner, "-q", "-p", "no:cacheprovider", *options],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout


def test_a_project_with_the_names_of_our_folders_checks_its_rule(project):
    """The plugin's fixture searches the project's own class beside such packages."""
    (project / "coordinator" / "rule.py").write_text(
        "from wavecheck import Claiming\n\n\nclass Rule(Claiming):\n    pass\n"
    )
    (project / "tests" / "test_rule.py").write_text(
        "from coordinator.rule import Rule\n\n\n"
        "def test_rule(wavecheck):\n"
        '    wavecheck.check(scenario="import-job", coordinator=Rule, executions=20)\n'
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "2 passed" in run.stdout

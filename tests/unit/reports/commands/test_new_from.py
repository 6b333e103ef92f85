"""`wavecheck new --from`: an exhibit of the zoo as the start of a project."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from wavecheck import EXHIBITS
from wavecheck.reports.commands.new import starter_of
from wavecheck.scenarios.questions import check

ROOT = Path(__file__).parents[4]
NAME = "zoo/river-1302"


def test_its_tests_pass_at_once(cli, tmp_path):
    """The copied fix is searched and proved, in a process of its own."""
    assert cli("new", "rescue", "--from", NAME)[0] == 0
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "rescue",
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(Path(sys.executable).parent), "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_breaking_the_copy_breaks_its_tests(cli, tmp_path):
    """What is tested is the copied world: without a guard in it, its tests fail."""
    assert cli("new", "rescue", "--from", NAME)[0] == 0
    copy = tmp_path / "rescue" / "dispatch.py"
    whole = copy.read_text(encoding="utf-8")
    guard = 'if job.state == "running" and job.attempt == attempt:'
    broken = whole.replace(guard, 'if job.state == "running":', 1)
    assert broken != whole
    copy.write_text(broken, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "rescue",
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(Path(sys.executable).parent), "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 failed" in done.stdout


def test_the_copy_can_fail(cli, tmp_path):
    """The code as it was is in the copy too, and violates what the exhibit says."""
    cli("new", "rescue", "--from", NAME)
    where = tmp_path / "rescue" / "dispatch.py"
    assert where.read_bytes() == EXHIBITS[NAME].file.read_bytes()
    status, output, _ = cli("check", NAME, "-c", f"{where}:AsItWas")
    assert status == 1
    assert "VIOLATED" in output


@pytest.mark.parametrize("name", EXHIBITS)
def test_every_exhibit_can_be_copied(name, tmp_path):
    """Each file is importable on its own, and its fix passes in its scenario."""
    starter = starter_of(name)
    path = tmp_path / "dispatch.py"
    path.write_text(starter.source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"copy of {name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.EXHIBIT.name == name
    world = f"{path.parent}/{starter.scenario}"
    result = check(world, f"{path}:{starter.class_name}", executions=20, seed=0)
    assert not result.has_violation()


def test_an_unknown_exhibit_is_refused(cli, files):
    """The nearest name is offered, and nothing is written."""
    status, _, errors = cli("new", "rescue", "--from", "zoo/river-1320")
    assert status == 2
    assert "did you mean 'zoo/river-1302'?" in errors
    assert files() == []

"""`wavecheck new`: the project passes at once, and nothing is ever overwritten."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from wavecheck.reports.project import Starter, project_files, write_project
from wavecheck.sim.errors import InvalidScenario

ROOT = Path(__file__).parents[4]
FILES = [
    ".gitignore",
    "README.md",
    "ci.sh",
    "dispatch.py",
    "explore.ipynb",
    "pyproject.toml",
    "tests/test_dispatch.py",
]


def run(*command, folder):
    """Run a command in a folder of the environment that these tests run in."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(Path(sys.executable).parent), "PYTHONPATH": str(ROOT)},
    )


@pytest.fixture
def project(cli, tmp_path):
    """A new project."""
    status, output, errors = cli("new", "orders")
    assert (status, errors) == (0, "")
    assert output.splitlines() == [
        *(f"orders/{path}" for path in FILES),
        "next: cd orders && python -m pytest",
    ]
    return tmp_path / "orders"


def test_its_tests_pass_at_once(project):
    """Two tests, a search and a proof, in a process of their own."""
    done = run("pytest", "-q", "-p", "no:cacheprovider", folder=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_a_rule_that_strands_fails_its_tests(project):
    """The tests can fail: without the claim, a batch is dispatched twice."""
    rule = project / "dispatch.py"
    text = rule.read_text()
    broken = text.replace("if await self.db.claim_batch(batch_id):", "if True:")
    assert broken != text
    rule.write_text(broken)
    done = run("pytest", "-q", "-p", "no:cacheprovider", folder=project)
    assert done.returncode == 1
    assert "VIOLATED" in done.stdout
    assert list(project.glob("tests/wavecheck_schedules/*.json"))


def test_its_notebook_runs(project, monkeypatch):
    """Every code cell runs in order, as stored."""
    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(project)
    monkeypatch.delitem(sys.modules, "dispatch", raising=False)
    notebook = json.loads((project / "explore.ipynb").read_text())
    names = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    monkeypatch.delitem(sys.modules, "dispatch", raising=False)


def test_its_files_are_in_good_style(project):
    """Ruff has nothing to say, and the CI step can be executed."""
    done = run("ruff", "check", "--isolated", ".", folder=project)
    assert done.returncode == 0, done.stdout
    assert (project / "ci.sh").stat().st_mode & 0o111
    assert (project / "dispatch.py").stat().st_mode & 0o111 == 0


def test_nothing_is_overwritten(cli, files, tmp_path):
    """A folder, a file or a dangling link of that name is left as it was."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("folder", "file", "link"):
        status, output, errors = cli("new", name)
        assert (status, output) == (2, "")
        assert "is there already, and nothing is overwritten" in errors
    assert files() == ["file", "folder", "link"]
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("9lives", "does not suit a project"),
        ("a b", "does not suit a project"),
        ("..", "does not suit a project"),
        ("nowhere/orders", "there is no folder 'nowhere'"),
    ],
)
def test_a_bad_name_is_refused(cli, files, name, expected):
    """Exit status 2, what was expected, and no file."""
    status, _, errors = cli("new", name)
    assert status == 2
    assert expected in errors
    assert files() == []


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    """If a file cannot be written, no folder is there, not even a hidden one."""

    def refuse(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(InvalidScenario, match="No space left"):
        write_project(tmp_path / "orders", project_files("orders"))
    assert list(tmp_path.iterdir()) == []


def test_a_project_starts_from_any_coordinator():
    """The source is taken as it is; the other files name class, scenario, sizes."""
    starter = Starter(
        source="class Mine: ...\n",
        class_name="Mine",
        scenario="zoo/stall",
        settings={"items": 2, "is_fast": True},
    )
    contents = project_files("orders", starter)
    assert contents["dispatch.py"] == "class Mine: ...\n"
    test = contents["tests/test_dispatch.py"]
    assert "from dispatch import Mine" in test
    assert "{'items': 2, 'is_fast': True}" in test
    assert "zoo/stall -c dispatch.py:Mine" in contents["ci.sh"]
    json.loads(contents["explore.ipynb"])


WORLD_FILES = [
    *(".gitignore", "README.md", "ci.sh", "pyproject.toml"),
    *("tests/test_world.py", "world.py"),
]
BREAKS = {  # what is replaced in the fixed code of a copy
    "parts": ("update(still_free, parcel", "update(locker.number, parcel"),
    "sql": ('" FOR UPDATE SKIP LOCKED"', '" FOR KEY SHARE"'),
}


@pytest.mark.parametrize("kind", BREAKS)
def test_a_world_to_start_from_passes_and_fails_when_it_is_broken(kind, cli, tmp_path):
    """The copied world is what is tested: a guard that is dropped is found."""
    status, output, _ = cli("new", "shop", "--from", kind)
    assert status == 0
    assert output.splitlines()[:-1] == [f"shop/{path}" for path in WORLD_FILES]
    pytest_command = ("pytest", "-q", "-p", "no:cacheprovider")
    done = run(*pytest_command, folder=tmp_path / "shop")
    assert "3 passed" in done.stdout, done.stdout + done.stderr
    world = tmp_path / "shop" / "world.py"
    text = world.read_text()
    assert text.count(BREAKS[kind][0]) == 1
    world.write_text(text.replace(*BREAKS[kind]))
    done = run(*pytest_command, folder=tmp_path / "shop")
    assert "2 failed, 1 passed" in done.stdout, done.stdout
    assert "VIOLATED" in done.stdout


def test_a_starting_point_that_there_is_not_is_refused(cli):
    """It says what there is."""
    status, _, errors = cli("new", "shop", "--from", "part")
    assert status == 2
    assert "did you mean 'parts'?" in errors

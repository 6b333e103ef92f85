"""What the pages show is what their commands print and what their code does."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from wavecheck.reports.cli import run_command

ROOT = Path(__file__).parents[2]
SCRATCH = "postgresql://localhost/scratch"  # a database that readers have
SCREEN = 24  # lines, of which empty ones are not counted
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)


def pages():
    """The README and every page of the documentation."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def shown_commands():
    """Yield (page and block, [(command, shown lines), ...]) of every console block."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        for number, block in enumerate(CONSOLE.findall(text), start=1):
            commands = []
            for line in block.splitlines():
                if line.startswith("$ "):
                    commands.append((line[2:], []))
                else:
                    commands[-1][1].append(line.rstrip())
            yield f"{page.name}-{number}", commands


def code_blocks(page):
    """The Python blocks of a page, each after as many empty lines as are above it."""
    text = page.read_text(encoding="utf-8")
    return [
        "\n" * text.count("\n", 0, match.start(1)) + match.group(1)
        for match in re.finditer(r"```python\n(.*?)```", text, re.DOTALL)
    ]


def missing_line(shown, printed):
    """The first shown line that is not printed in this order; `...` skips any."""
    position, skips = 0, False
    for line in shown:
        if line == "...":
            skips = True
            continue
        try:
            found = printed.index(line, position)
        except ValueError:
            return line
        if found != position and not skips:
            return line
        position, skips = found + 1, False
    return None


@pytest.mark.parametrize(
    ("place", "commands"), [pytest.param(*one, id=one[0]) for one in shown_commands()]
)
def test_the_commands_print_what_is_shown(place, commands, pages_folder, request):
    """Each command's output holds the lines shown, in order; `...` marks a cut.

    What answers a question of `questions.md` is on the first screen.
    """
    screen = SCREEN if place.startswith("questions") else None
    for command, shown in commands:
        if SCRATCH in command:
            command = command.replace(SCRATCH, request.getfixturevalue("postgres_url"))
        name, *arguments = shlex.split(command)
        assert name in ("wavecheck", "cat"), "only our own command is shown"
        program = Path(sys.executable).with_name(name) if name != "cat" else name
        done = subprocess.run(
            [program, *arguments],
            cwd=pages_folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1), done.stderr
        printed = [one.rstrip() for one in done.stdout.splitlines() if one.strip()]
        missing = missing_line([one for one in shown if one], printed[:screen])
        assert missing is None, f"{place}, {command}: not printed: {missing!r}"


@pytest.mark.parametrize(
    "page", [one for one in pages() if code_blocks(one)], ids=lambda page: page.name
)
def test_the_code_runs(page, pages_folder, monkeypatch):
    """The Python blocks of a page run, in order, with what the pages tell to write.

    A block that shows somebody else's code is marked `py` and does not run.
    """
    module = ModuleType("page")  # so that a class of the page can be found by name
    monkeypatch.setitem(sys.modules, "page", module)
    for block in code_blocks(page):
        exec(compile(block, str(page), "exec"), module.__dict__)


def test_a_line_that_is_not_printed_is_noticed():
    """The comparison itself can fail: another line, another order, a silent cut."""
    printed = ["a", "b", "c"]
    assert missing_line(["a", "b"], printed) is None
    assert missing_line(["a", "...", "c"], printed) is None
    assert missing_line(["a", "c"], printed) == "c"
    assert missing_line(["b", "a"], printed) in ("a", "b")
    assert missing_line(["d"], printed) == "d"


def fenced(language, start, page="docs/pipeline.md"):
    """The fenced block of a language in a page whose text begins so."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return next(block for block in blocks if block.startswith(start))


@pytest.fixture
def pages_folder(tmp_path, monkeypatch):
    """A folder with the files that the pages tell to write, or take for granted."""
    for name, language, start in (
        ("my_rule.py", "python", '"""My own'),
        ("batches.csv", "csv", "batch_id"),
        ("calls.csv", "csv", "call_number"),
    ):
        (tmp_path / name).write_text(fenced(language, start), encoding="utf-8")
    for data in ("scenarios/incident/data", "examples"):
        shutil.copytree(ROOT / data, tmp_path / data)
    ported = fenced("python", '"""The tasks', "docs/tutorial.md")
    (tmp_path / "ported.py").write_text(ported, encoding="utf-8")
    lockers = fenced("python", '"""Couriers', "docs/own-world.md")
    (tmp_path / "lockers.py").write_text(lockers, encoding="utf-8")
    (tmp_path / "myapp").mkdir()
    (tmp_path / "myapp" / "dispatch.py").write_text(fenced("python", '"""My own'))
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path, tmp_path / "examples" / "psycopg_worker"):
        monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "myapp", raising=False)
    monkeypatch.delitem(sys.modules, "myapp.dispatch", raising=False)
    return tmp_path


def test_the_readme_shows_the_example_as_it_is():
    """The world file that the README shows is the one that is in the folder."""
    shown = fenced("python", '"""What is checked', "README.md")
    assert shown == (ROOT / "examples/psycopg_worker/world.py").read_text()


def test_the_own_coordinator_is_short_and_holds(pages_folder, capsys):
    """Under 30 lines; compared by path, searched, and proved with nothing added."""
    assert len((pages_folder / "my_rule.py").read_text().splitlines()) < 30
    rule = "my_rule.py:MyRule"
    compare = ["compare", "import-job", "-c", "claiming", "-c", rule, "--no-pictures"]
    assert run_command(compare) == 0
    assert run_command(["check", "import-job", "-c", rule, "--executions", "100"]) == 0
    sizes = ["--set", "parents=2", "--strategy", "exhaustive"]
    assert run_command(["check", "import-job", "-c", rule, *sizes]) == 0
    assert "PROVED" in capsys.readouterr().out


def test_the_own_incident_runs(pages_folder, capsys):
    """The pair of files replays; `stalling` strands the second batch of it."""
    files = ["--batches", "batches.csv", "--calls", "calls.csv", "--no-pictures"]
    assert run_command(["compare", "incident", "-c", "claiming", *files]) == 1
    assert "batches sent               2 of 2" in capsys.readouterr().out

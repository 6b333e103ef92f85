"""What the README shows is what its commands print."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from reports.cli import run_command

ROOT = Path(__file__).parents[2]
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)


def shown_commands():
    """Yield (block number, [(command, shown lines), ...]) of the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for number, block in enumerate(CONSOLE.findall(text), start=1):
        commands = []
        for line in block.splitlines():
            if line.startswith("$ "):
                commands.append((line[2:], []))
            else:
                commands[-1][1].append(line.rstrip())
        yield number, commands


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


@pytest.mark.parametrize(("number", "commands"), list(shown_commands()))
def test_the_commands_print_what_is_shown(number, commands, tmp_path):
    """Each command's output holds the lines shown, in order; `...` marks a cut."""
    wavecheck = Path(sys.executable).with_name("wavecheck")
    for command, shown in commands:
        name, *arguments = shlex.split(command)
        assert name == "wavecheck", "only our own command is shown"
        done = subprocess.run(
            [wavecheck, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 1), done.stderr
        printed = [one.rstrip() for one in done.stdout.splitlines() if one.strip()]
        missing = missing_line([one for one in shown if one], printed)
        assert missing is None, f"block {number}, {command}: not printed: {missing!r}"


def test_a_line_that_is_not_printed_is_noticed():
    """The comparison itself can fail: another line, another order, a silent cut."""
    printed = ["a", "b", "c"]
    assert missing_line(["a", "b"], printed) is None
    assert missing_line(["a", "...", "c"], printed) is None
    assert missing_line(["a", "c"], printed) == "c"
    assert missing_line(["b", "a"], printed) in ("a", "b")
    assert missing_line(["d"], printed) == "d"


def fenced(language, start):
    """The fenced block of a language whose text begins so."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return next(block for block in blocks if block.startswith(start))


@pytest.fixture
def readme_folder(tmp_path, monkeypatch):
    """A folder with the files that the README tells to write."""
    for name, language, start in (
        ("my_rule.py", "python", '"""My own'),
        ("batches.csv", "csv", "batch_id"),
        ("calls.csv", "csv", "call_number"),
    ):
        (tmp_path / name).write_text(fenced(language, start), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_own_coordinator_is_short_and_holds(readme_folder, capsys):
    """Under 30 lines; compared by path, searched, and proved with nothing added."""
    assert len((readme_folder / "my_rule.py").read_text().splitlines()) < 30
    rule = "my_rule.py:MyRule"
    compare = ["compare", "import-job", "-c", "claiming", "-c", rule, "--no-pictures"]
    assert run_command(compare) == 0
    assert run_command(["check", "import-job", "-c", rule, "--executions", "100"]) == 0
    sizes = ["--set", "parents=2", "--strategy", "exhaustive"]
    assert run_command(["check", "import-job", "-c", rule, *sizes]) == 0
    assert "EXHAUSTED" in capsys.readouterr().out


def test_the_own_incident_runs(readme_folder, capsys):
    """The pair of files replays; `stalling` strands the second batch of it."""
    files = ["--batches", "batches.csv", "--calls", "calls.csv", "--no-pictures"]
    assert run_command(["compare", "incident", "-c", "claiming", *files]) == 1
    assert "2 sent of 2" in capsys.readouterr().out

"""Exit statuses, and what a wrong command line gets told."""

import sys
from errno import EPIPE
from importlib.metadata import version

import pytest

from wavecheck.reports.commands import runs
from wavecheck.sim.errors import HarnessBug, NondeterminismError

RULES = """\
import asyncio
import types
from wavecheck.coordinator import Claiming


class Raises(Claiming):
    async def dispatch_wave(self, job_id, wave_number):
        await self.db.wave_status(job_id, wave_number)
        raise ValueError("boom")


class Threads(Claiming):
    async def dispatch_wave(self, job_id, wave_number):
        await self.db.wave_status(job_id, wave_number)
        await asyncio.to_thread(len, job_id)
        return 0


@types.coroutine
def bare():
    yield "something foreign"


class Yields(Claiming):
    async def dispatch_wave(self, job_id, wave_number):
        await self.db.wave_status(job_id, wave_number)
        await bare()
        return 0


class Loops(Claiming):
    async def dispatch_wave(self, job_id, wave_number):
        while True:
            await self.db.wave_status(job_id, wave_number)


class Exits(Claiming):
    async def dispatch_wave(self, job_id, wave_number):
        await self.db.wave_status(job_id, wave_number)
        raise SystemExit(0)


class Silent(Claiming):
    async def dispatch_wave(self, job_id, wave_number):
        await super().dispatch_wave(job_id, wave_number)


class Unmade(Claiming):
    def __init__(self, db):
        raise ValueError("no config")


class Unmarked(Claiming):
    async def _send_claimed(self, job_id, wave_number):
        pending = await self.db.pending_batches(job_id, wave_number)
        for batch_id in pending:
            await self.db.enqueue(batch_id)
        return len(pending)
"""


def line_of(text):
    """The number of the line of the rules that holds a text."""
    lines = RULES.splitlines()
    return next(n for n, line in enumerate(lines, start=1) if text in line)


@pytest.fixture
def rules(tmp_path):
    """A file of coordinators that do not work; return the option for one."""
    (tmp_path / "rules.py").write_text(RULES)
    return lambda name: ("--coordinator", f"rules.py:{name}")


# Statuses ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coordinator", "status"), [("claiming", 0), ("stalling", 1), ("original", 1)]
)
def test_the_status_says_whether_anything_was_violated(cli, coordinator, status):
    """0 nothing violated, 1 violated, in `run` and in `compare`."""
    options = ("import-job", "-c", coordinator)
    assert cli("run", *options)[0] == status
    assert cli("compare", *options, "--no-pictures")[0] == status


def test_list_shows_everything(cli):
    """Coordinators, scenarios with parameters, and properties."""
    status, output, errors = cli("list")
    assert (status, errors) == (0, "")
    for name in ("claiming", "import-job", "parents_per_batch=4", "job_completes"):
        assert name in output
    assert "claiming" in cli("list", "coordinators")[1]
    assert "claiming" not in cli("list", "properties")[1]


def test_the_version_is_that_of_the_package(cli):
    """`--version` prints name and version."""
    assert cli("--version") == (0, f"wavecheck {version('wavecheck')}\n", "")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("run", "inciden"), "did you mean 'incident'?"),
        (("compare", "import_job"), "did you mean 'import-job'?"),
        (("run", "incident", "-c", "stallin"), "did you mean 'stalling'?"),
        (("compare", "incident", "-c", "progresive"), "did you mean 'progressive'?"),
        (("run", "import-job", "--set", "parent=3"), "did you mean 'parents'?"),
        (("run", "import-job", "--set", "parents"), "expected KEY=VALUE"),
        (("run", "import-job", "--set", "parents=0"), "greater than or equal to 1"),
        (("run", "import-job", "--seed", "-1"), "--seed"),
        (("run", "import-job", "--steps", "0"), "--steps"),
        (("run", "import-job", "--batches", "x.csv"), "--batches does not fit"),
        (("run", "incident", "--batches", "x.csv"), "'calls' is missing"),
        (("run", "incident", "--batches", "x", "--calls", "y"), "cannot be read"),
        (("list", "nothing"), "nothing"),
        (("run",), "SCENARIO"),
        (("nonsense",), "nonsense"),
        (("run", "incident", "--nonsense"), "--nonsense"),
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_refused_and_nothing_is_written(
    cli, files, arguments, expected
):
    """Status 2, a message that helps, no output, no file, no traceback."""
    options = ("--json", "result.json") if arguments[0] in ("run", "compare") else ()
    status, output, errors = cli(*arguments, *options)
    assert status == 2
    assert output == ""
    assert expected in errors
    assert "Traceback" not in errors
    assert files() == []


# Coordinators that do not work ------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Raises", ("ValueError('boom') after step 2", 'raise ValueError("boom")')),
        ("Threads", ("needs a real event loop", "await asyncio.to_thread(")),
        ("Yields", ("something foreign after step 2", 'yield "something foreign"')),
        ("Exits", ("SystemExit(0) after step 2", "raise SystemExit(0)")),
        ("Unmade", ("ValueError('no config')", 'raise ValueError("no config")')),
    ],
)
def test_a_coordinator_that_fails_is_told_with_file_line_and_step(
    cli, files, rules, small, name, expected
):
    """Status 2; the message names the step and the line; nothing is written."""
    text, line = expected
    status, output, errors = cli(
        "run", "import-job", *rules(name), *small, "--json", "result.json"
    )
    assert status == 2
    assert output == ""
    assert text in errors
    assert f"rules.py:{line_of(line)}" in errors
    assert "Traceback" not in errors
    assert "fault of Wavecheck" not in errors
    assert "result.json" not in files()


def test_a_coordinator_that_never_stops_meets_the_step_limit(cli, rules, small):
    """Status 2; the message names the limit, the task and the option."""
    status, _, errors = cli(
        "run", "import-job", *rules("Loops"), *small, "--steps", "500"
    )
    assert status == 2
    assert "step limit reached: 500 steps, the last by task start" in errors
    assert "--steps" in errors


def test_a_dispatch_call_without_a_number_is_the_coordinators_fault(cli, rules, small):
    """`dispatch_wave` that returns None: status 2 and its name, not our fault."""
    status, _, errors = cli("run", "import-job", *rules("Silent"), *small)
    assert status == 2
    assert "dispatch_wave" in errors


def test_a_coordinator_that_marks_nothing_is_judged(cli, rules, small):
    """Sending without DISPATCHED is a violation, not a crash."""
    status, output, _ = cli("run", "import-job", *rules("Unmarked"), *small)
    assert status == 1
    assert "went from pending to processing" in output


def test_of_several_coordinators_a_bad_one_stops_all(cli, files, rules, small):
    """Everything is loaded before anything runs, and nothing is written."""
    status, output, errors = cli(
        "compare", "import-job", "-c", "claiming", "-c", "rules.py:Nobody", *small
    )
    assert (status, output) == (2, "")
    assert "has no class 'Nobody'" in errors
    assert [name for name in files() if not name.startswith("__pycache__")] == [
        "rules.py"
    ]


# Faults that are not the user's -----------------------------------------------


def planted(monkeypatch, error):
    """Let every scenario look-up fail, as code of ours."""
    scope = {"error": error}
    source = "def fail(name):\n    raise error\n"
    exec(compile(source, runs.__file__, "exec"), scope)
    monkeypatch.setattr(runs, "find_scenario", scope["fail"])


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (NondeterminismError("step 3 differs"), 3, "error: step 3 differs\n"),
        (
            HarnessBug("two tasks are one"),
            4,
            "error: two tasks are one\n"
            "this is a fault of Wavecheck: please report it\n",
        ),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_each_kind_of_error_has_its_status(cli, monkeypatch, error, status, expected):
    """3 nondeterminism, 4 our fault, 130 interrupted; the whole message."""
    planted(monkeypatch, error)
    assert cli("run", "incident") == (status, "", expected)


def test_a_fault_of_ours_has_a_place_and_no_traceback(cli, monkeypatch):
    """An exception nobody expected: type, text, file and line, and a plea."""
    planted(monkeypatch, RuntimeError("oops"))
    status, output, errors = cli("run", "incident")
    assert (status, output) == (4, "")
    lines = errors.splitlines()
    assert lines[0] == "error: RuntimeError: oops"
    assert "runs.py:2" in lines[1]
    assert lines[2] == (
        "this is a fault of Wavecheck: please report it with the command line"
    )


WRONG = """\
import wavecheck as wc


async def send(w):
    await w.mail(1)


@wc.world(code={"send": send})
def wrong(w):
    w.mail = w.calls("mail")
    w.task("sender", w.code, w)
    w.never("two_mails", lambda: w.mail.now.total > 1)
"""


@pytest.mark.parametrize("verb", ["check", "prove", "run"])
def test_a_property_that_raises_is_no_fault_of_ours(cli, tmp_path, verb):
    """The user's line, what it raised, and what to do; status 2."""
    (tmp_path / "wrong.py").write_text(WRONG)
    status, output, errors = cli(verb, "wrong.py")
    assert (status, output) == (2, "")
    assert "AttributeError" in errors
    assert "wrong.py:12 in <lambda>: w.never(" in errors
    assert "\nnext: correct that line" in errors


def test_an_interrupt_in_mid_run_leaves_no_file(cli, files, monkeypatch, small):
    """Ctrl-C while it runs: status 130 and nothing half written."""

    def interrupt(*arguments, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "simulate", interrupt)
    status, output, errors = cli(
        "run", "import-job", *small, "--json", "r.json", "--trace", "t.jsonl"
    )
    assert (status, output) == (130, "")
    assert "interrupted" in errors
    assert files() == []


@pytest.mark.parametrize("error", [BrokenPipeError(), BrokenPipeError(EPIPE, "gone")])
def test_a_closed_pipe_is_no_violation(cli, monkeypatch, error):
    """The reader went away: not status 1, no message, no traceback."""
    planted(monkeypatch, error)
    stdout, stderr = sys.stdout, sys.stderr
    try:
        status, _, errors = cli("run", "incident")
    finally:
        sys.stdout, sys.stderr = stdout, stderr
    assert status == 2
    assert errors == ""


@pytest.mark.parametrize(
    "command",
    [
        ("new", "NAME"),
        ("export", "NAME", "--format", "csv"),
        ("check", "wd", "-c", "NAME.py:Rule"),
        ("results", "NAME"),
        ("campaign", "import-job", "-c", "claiming", "--seeds", "1", "--store", "NAME"),
        ("replay", "NAME"),
        ("conform", "--db", "sqlite://", "--schedules", "1", "--keep", "NAME"),
    ],
    ids=lambda command: command[0],
)
def test_a_name_that_is_too_long_is_bad_input(cli, files, command):
    """Wherever a file is named: its name and the reason, and nothing is written."""
    long = "n" * 300
    status, output, errors = cli(*(one.replace("NAME", long) for one in command))
    assert (status, output) == (2, "")
    assert errors.startswith("error: ")
    assert "File name too long" in errors
    assert files() == []

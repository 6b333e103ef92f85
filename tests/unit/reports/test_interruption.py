"""Ctrl-C while several processes are at work: a clean end, and nobody is left."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import psutil
import pytest

CHECK = ("check", "import-job", "--executions", "1000000", "--jobs", "2")
SWEEP = ("sweep", "wd", "-c", "claiming", "--budget", "600s", "--jobs", "2")
CAMPAIGN = ("campaign", "import-job", "--seeds", "1000000", "--jobs", "2")
PATIENCE_SECONDS = 120.0
_SCRIPT = """
import signal
from wavecheck.reports.entry import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
main()
"""


class Typed:
    """A command in a session of its own, with a terminal for its progress."""

    def __init__(self, *arguments: str) -> None:
        self._screen, terminal = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SCRIPT, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=terminal,
            start_new_session=True,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "300"},
        )
        os.close(terminal)
        self.shown = ""

    def workers(self) -> list[psutil.Process]:
        """Return the processes that make runs."""
        children = psutil.Process(self._process.pid).children(recursive=True)
        found = []
        for one in children:
            with suppress(psutil.NoSuchProcess):  # it has come to its end meanwhile
                if "spawn_main" in " ".join(one.cmdline()):
                    found.append(one)
        return found

    def has_shown(self, pattern: str) -> bool:
        """Read what is on the screen by now; return whether it has this."""
        os.set_blocking(self._screen, False)
        with suppress(BlockingIOError):
            self.shown += _text(os.read(self._screen, 1 << 16))
        return re.search(pattern, self.shown) is not None

    def wait_until(self, holds: Callable[[], object]) -> None:
        """Wait, but not for ever."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert self._process.poll() is None, self.shown
            assert time.monotonic() < end, self.shown
            time.sleep(0.02)

    def press(self, number: signal.Signals) -> None:
        """Send a signal to every process, as a terminal does."""
        os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """End the one process that hands out the work."""
        self._process.kill()

    def end(self) -> tuple[int, str]:
        """Return exit status and standard output; the rest of the screen is read."""
        output, _ = self._process.communicate(timeout=PATIENCE_SECONDS)
        os.set_blocking(self._screen, True)
        with suppress(OSError):  # nobody writes to this terminal any more
            while part := os.read(self._screen, 1 << 16):
                self.shown += _text(part)
        os.close(self._screen)
        return self._process.returncode, output.decode()

    def clear_away(self) -> None:
        """Leave nothing behind where a test has failed."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
            os.close(self._screen)

    def is_gone(self) -> bool:
        """Return whether no process of the session is left."""
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            return True
        return False


def _text(part: bytes) -> str:
    # What is read may end within a character of the moving line.
    return part.decode(errors="replace")


@pytest.fixture
def typed():
    """Start commands; none is left when the test is over."""
    commands = []

    def start(*arguments: str) -> Typed:
        commands.append(Typed(*arguments))
        return commands[-1]

    yield start
    for command in commands:
        command.clear_away()


def gone(command: Typed) -> bool:
    """Wait for the end of all processes; return whether it came."""
    for _ in range(200):
        if command.is_gone():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    ("arguments", "progress", "kept"),
    [
        (CHECK, r"[1-9][\d,]* executions, .*found: ", "interrupted: this is what was"),
        (SWEEP, r"[1-9]\d* sizes proved, [\d,]+ states; ", "growing until 600s"),
        (CAMPAIGN, r"[1-9][\d,]* of [\d,]+ runs, ", "; interrupted"),
    ],
)
def test_ctrl_c_keeps_what_was_finished(typed, arguments, progress, kept):
    """Progress is shown; then 130, the partial result, no traceback, nobody left."""
    command = typed(*arguments)
    command.wait_until(lambda: command.has_shown(progress))
    began = time.monotonic()
    command.press(signal.SIGINT)
    status, output = command.end()
    assert status == 130
    assert kept in output
    assert "interrupted" in command.shown
    assert "Traceback" not in command.shown + output
    assert time.monotonic() - began < 30
    assert gone(command)


@pytest.mark.parametrize("arguments", [CHECK, SWEEP, CAMPAIGN])
def test_ctrl_c_while_processes_start(typed, arguments):
    """They import for a while, and must not answer with tracebacks of their own."""
    command = typed(*arguments)
    command.wait_until(command.workers)
    command.press(signal.SIGINT)
    status, output = command.end()
    assert status == 130
    assert "Traceback" not in command.shown + output
    assert gone(command)


def test_processes_end_with_a_killed_parent(typed):
    """Killed without a word: nobody goes on computing for it."""
    command = typed(*CAMPAIGN)
    command.wait_until(lambda: command.has_shown(r"[1-9][\d,]* of [\d,]+ runs, "))
    assert len(command.workers()) == 2
    command.kill()
    status, _ = command.end()
    assert status == -signal.SIGKILL
    assert gone(command)

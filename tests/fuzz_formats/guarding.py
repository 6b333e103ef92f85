"""Runs cases in a process of its own, one after another, and notes what must not be.

A finding is a traceback, exit status 4, more than 10 s of computing, more than 1 GB of
memory beyond what the imports take, a process that dies, or what a case's own judge
calls nonsense. Knows no format.
"""

import contextlib
import faulthandler
import io
import json
import os
import resource
import select
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

SECONDS_MAX = 10.0
WAITING_SECONDS_MAX = 90.0
BYTES_MAX = 1 << 30
OUR_FAULT = 4
CASES_MAX = 500
"""In one process: whatever Python keeps of each would come to the limit of memory."""


class Case:
    """One input: commands to run in an empty folder, and who judges what they say.

    Attributes:
        commands: lists of arguments.
        judge: takes (status, output, errors) of a command; returns what is wrong.
    """

    def __init__(self, commands, judge=None):
        self.commands = commands
        self.judge = judge or (lambda status, output, errors: "")


def findings_of(make, numbers, deadline):
    """Yield (number, finding) for the cases, and at last (None, how many were run).

    Args:
        make: takes a number; prepares the working folder and returns a case.
        numbers: which cases.
        deadline: by `time.monotonic`; no case is begun after it.
    """
    todo, done = list(numbers), 0
    while todo and time.monotonic() < deadline:
        finished, found, death = _batch(make, todo[:CASES_MAX], deadline)
        yield from found
        done += finished
        todo = todo[finished:]
        if death and todo:
            yield todo[0], death
            done, todo = done + 1, todo[1:]
    yield None, done


def _batch(make, numbers, deadline):
    """Run cases until one kills the process; return how many ended, and findings."""
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as trace:
        child = os.fork()
        if child == 0:
            os.close(reading)
            _child(make, numbers, deadline, writing, trace)
        os.close(writing)
        finished, found, death, starved = 0, [], "", 0.0
        with os.fdopen(reading) as lines:
            while True:
                ready, _, _ = select.select([lines], [], [], WAITING_SECONDS_MAX)
                if not ready:
                    before, starved = starved, _starved_seconds(child)
                    if starved - before > WAITING_SECONDS_MAX / 2:
                        continue  # it would go on, and others have the processors
                    os.kill(child, signal.SIGKILL)
                    death = f"waits for more than {WAITING_SECONDS_MAX:.0f} s"
                line = lines.readline()
                if not line:
                    break
                number, finding = json.loads(line)
                finished += 1
                if finding:
                    found.append((number, finding))
        _, status = os.waitpid(child, 0)
        trace.seek(0)
        told = trace.read().decode(errors="replace")[:1500]
    if os.WIFSIGNALED(status) and not death:
        number = os.WTERMSIG(status)
        death = (
            f"computes for more than {SECONDS_MAX:.0f} s"
            if number == signal.SIGPROF
            else f"the process died of signal {number}"
        )
    elif os.WEXITSTATUS(status) and not death:
        death = f"the process ended with status {os.WEXITSTATUS(status)}"
    return finished, found, f"{death}\n{told}" if death else ""


def _starved_seconds(child):
    """Return how long a process could have run and others did, where that is known."""
    try:
        return int(Path(f"/proc/{child}/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


def _child(make, numbers, deadline, writing, trace):
    code = 99
    try:
        used = int(Path("/proc/self/statm").read_text().split()[0])
        limit = used * resource.getpagesize() + BYTES_MAX
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        faulthandler.register(signal.SIGPROF, trace, chain=True)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with os.fdopen(writing, "w", buffering=1) as report:
            for number in numbers:
                if time.monotonic() >= deadline:
                    break
                finding = _guarded(make, number)
                report.write(json.dumps([number, finding]) + "\n")
        code = 0
    finally:
        os._exit(code)


def _guarded(make, number):
    with tempfile.TemporaryDirectory(prefix="wavecheck-fuzz-") as folder:
        os.chdir(folder)
        signal.setitimer(signal.ITIMER_PROF, SECONDS_MAX)
        try:
            case = make(number)
            for command in case.commands:
                finding = _run(command, case.judge)
                if finding:
                    return f"wavecheck {' '.join(command)}\n{finding}"
            return ""
        except Exception as error:
            return f"raises {type(error).__name__}: {str(error)[:500]}"
        finally:
            os.chdir("/")


def _run(command, judge):
    from wavecheck.reports.cli import run_command

    output, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    signal.setitimer(signal.ITIMER_PROF, SECONDS_MAX)
    try:
        with (
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            status = run_command(command)
    except BaseException as error:
        return f"raises {type(error).__name__}: {str(error)[:500]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout = sys.__stdout__
    texts = []
    for stream in (output, errors):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode(errors="replace"))
    if status == OUR_FAULT or "fault of Wavecheck" in texts[1]:
        return f"exit status {status}\n{texts[1][-1500:]}"
    if "Traceback (most recent call last)" in texts[0] + texts[1]:
        return f"a traceback\n{texts[1][-1500:]}"
    return judge(status, *texts)

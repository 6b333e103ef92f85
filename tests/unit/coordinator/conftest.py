"""A database that answers from a script and refuses any other statement."""

import logging

import pytest


class ScriptedDatabase:
    """Expects statements in order, written as calls without the job; answers each.

    Args:
        script: (call, answer) pairs, like ("wave_status(7)", WaveState.PENDING); an
            answer that is an exception is raised.
    """

    def __init__(self, script):
        self.script = list(script)
        self.made = []

    def __getattr__(self, name):
        async def statement(job_or_batch, *args, **keywords):
            shown = [str(argument) for argument in args]
            if job_or_batch != "job":
                shown.insert(0, str(job_or_batch))
            shown += [f"{key}={value}" for key, value in keywords.items()]
            call = f"{name}({', '.join(shown)})"
            self.made.append(call)
            assert self.script, f"{call} is one statement too many"
            expected, answer = self.script.pop(0)
            assert call == expected
            if isinstance(answer, Exception):
                raise answer
            return answer

        return statement


def finish(coroutine):
    """Run a coroutine that never has to wait; return its result."""
    try:
        coroutine.send(None)
    except StopIteration as stopped:
        return stopped.value
    raise AssertionError("the coroutine awaited something that is no statement")


@pytest.fixture
def follow():
    """Make an object on a scripted database, run it, check that the script is over."""

    def run(script, make, act):
        db = ScriptedDatabase(script)
        result = finish(act(make(db)))
        assert db.script == [], "these statements were not made"
        return result

    return run


@pytest.fixture
def scripted():
    """The scripted database itself, and the way to run a coroutine on it."""
    return ScriptedDatabase, finish


@pytest.fixture
def published_lines(caplog, monkeypatch):
    """What the coordinators logged: (level, message, structured fields)."""
    # The command line turns this off; whether it ran before must not matter here.
    monkeypatch.setattr(logging.getLogger("wavecheck.coordinator"), "propagate", True)
    caplog.set_level(logging.DEBUG, logger="wavecheck.coordinator")
    names = ("job_id", "wave_number", "pending_batches", "batches_dispatched")

    def lines():
        return [
            (
                record.levelname,
                record.getMessage(),
                {key: vars(record)[key] for key in names if key in vars(record)},
            )
            for record in caplog.records
        ]

    return lines

"""The clock and the chance of the code under test."""

import asyncio
import datetime
import os
import random
import secrets
import socket
import threading
import time
import uuid
from datetime import UTC, timedelta
from random import random as drawn
from time import time as asked

import pytest

from wavecheck.sim.blocking import run_blocking
from wavecheck.sim.errors import CoordinatorError
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.surroundings import EPOCH


def run(*functions, timed=False, seed=0):
    """Run blocking functions as tasks; return what they return."""
    kernel = Kernel(timed=timed, seed=seed)
    found = []

    async def task(function):
        found.append(await run_blocking(function))

    for number, function in enumerate(functions):
        kernel.spawn(task(function), f"task-{number}")
    kernel.run_to_quiescence()
    return found


def clocks():
    return [
        time.time(),
        asked(),
        time.time_ns() / 1e9,
        datetime.datetime.now(UTC).timestamp(),
        datetime.datetime.now().replace(tzinfo=UTC).timestamp(),
        datetime.datetime.utcnow().replace(tzinfo=UTC).timestamp(),
        time.mktime(time.localtime()) - time.mktime((2000, 1, 1, 0, 0, 0, 0, 0, 0)),
    ]


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow")
def test_every_clock_shows_the_moment_of_the_world():
    """All clocks of Python agree, and begin at the same moment in each world."""
    (found,) = run(clocks)
    assert set(found[:-1]) == {EPOCH.timestamp()}
    assert found[-1] == 0.0


def test_sleep_moves_the_own_clock_on_at_once():
    """In an untimed run a sleep takes no real time and shows on the task's clocks."""

    def code():
        before = time.monotonic(), datetime.date.today()
        time.sleep(86_400)
        return time.monotonic() - before[0], datetime.date.today() - before[1]

    began = time.monotonic()
    assert run(code) == [(86_400, timedelta(days=1))]
    assert time.monotonic() - began < 5


def test_sleep_takes_virtual_time_in_a_timed_run():
    """In a timed run a blocking sleep is a sleep of the kernel's."""

    def code(seconds):
        time.sleep(seconds)
        return time.monotonic()

    assert run(lambda: code(3), lambda: code(2), timed=True) == [2.0, 3.0]


def draws():
    return (
        random.random(),
        drawn(),
        random.randint(1, 10**9),
        random.choice(range(10**9)),
        uuid.uuid4(),
        secrets.token_hex(),
        random.Random().random(),
        os.urandom(100),
    )


def test_drawn_values_are_fixed_by_seed_and_task():
    """The same seed and task draw the same; another seed or task draws other values."""
    first, second = run(draws, draws)
    assert run(draws, draws) == [first, second]
    (other,) = run(draws, seed=1)
    assert all(
        one not in (a, b) for one, a, b in zip(other, first, second, strict=True)
    )
    assert all(a != b for a, b in zip(first, second, strict=True))


def test_each_task_is_a_process_of_its_own():
    """Two tasks have two process ids, the same in each run, and one host."""
    found = run(*[lambda: (os.getpid(), socket.gethostname())] * 2)
    assert found == [(1000, "world"), (1001, "world")]


def test_outside_of_a_task_everything_is_real():
    """Between steps the process keeps its own clock, chance and types."""
    before = time.monotonic()
    run(clocks)
    time.sleep(0.01)
    assert time.monotonic() > before
    assert datetime.datetime.now(UTC).year > 2000
    assert type(datetime.datetime.now()) is datetime.datetime
    assert random.Random(1).random() == random.Random(1).random()
    assert os.getpid() > 1
    random.seed(5)
    first = random.random()
    random.seed(5)
    assert random.random() == first


def starts_a_thread():
    try:
        threading.Thread(target=print, name="helper").start()
    except Exception:
        return "swallowed"


def connects():
    try:
        with socket.socket() as opened:
            opened.connect(("127.0.0.1", 5432))
    except Exception:
        return "swallowed"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (starts_a_thread, "starts a thread, helper"),
        (connects, "opens a connection to ('127.0.0.1', 5432)"),
        (lambda: random.seed(1), "random.seed sets one source"),
        (lambda: asyncio.run(None), "starts an event loop of its own"),
    ],
)
def test_what_leaves_the_world_is_refused_with_its_line(code, said):
    """Threads, connections and shared seeds are refused, even if all is caught."""
    with pytest.raises(CoordinatorError) as caught:
        run(code)
    assert said in str(caught.value)
    assert "test_surroundings.py:" in str(caught.value)
    assert "next: " in str(caught.value)

"""The clock and the chance of the code under test."""

import asyncio
import datetime
import os
import random
import secrets
import socket
import subprocess
import sys
import threading
import time
import uuid
from datetime import UTC, timedelta
from random import random as drawn
from time import time as asked

import pytest

from wavecheck.scenarios.loading import load_file
from wavecheck.sim import surroundings
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


IDENTITIES = '''
import os, random, secrets, socket, time, uuid
from datetime import datetime
import wavecheck as wc

HOST = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4()}"
STARTED = (time.time(), datetime.now(), random.random(), secrets.token_hex(4))


class Worker:
    def __init__(self, done):
        self.done = done
        self.name = f"{HOST}-{STARTED}-{uuid.uuid4()}-{time.monotonic()}"

    async def work(self):
        await self.done.insert(self.name)


@wc.world
def identities(w):
    """Two workers that name themselves."""
    done = w.table("done", {"worker": str})
    built = uuid.uuid4()
    for n in range(2):
        w.task(f"worker-{n}", w.fresh(Worker, done).work)
    w.never("no name is made twice", lambda: len(set(done.now)) < len(done.now))
    w.shown = lambda: [(str(built), HOST, STARTED)]
'''


def test_ids_made_at_once_are_the_same_in_every_process_and_run(tmp_path):
    """A module's, a builder's, an object's: search, proof and other processes agree."""
    path = tmp_path / "identities.py"
    path.write_text(IDENTITIES)
    look = (
        "import sys, wavecheck as wc\n"
        "from wavecheck.scenarios.loading import load_world\n"
        "world = load_world(sys.argv[1])\n"
        "print(sys.modules[sys.argv[1]].HOST, sys.modules[sys.argv[1]].STARTED)\n"
        "found = wc.check(world, executions=20)\n"
        "print(found.searched.samples[0].digest, found.searched.samples[0].steps)\n"
        "print(wc.prove(world).explored.exploration.states)\n"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", look, str(path)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
    assert next(iter(printed)).endswith("\n4\n")


def test_libraries_that_a_file_loads_see_the_system(tmp_path, monkeypatch):
    """What is fixed for a user's file is not fixed for the packages that it imports."""
    package = tmp_path / "site" / "kept.py"
    package.parent.mkdir()
    package.write_text("import os, uuid\nPID = os.getpid()\nID = uuid.uuid4()\n")
    path = tmp_path / "own.py"
    path.write_text("import kept, os\nPID, KEPT = os.getpid(), kept.PID\n")
    monkeypatch.syspath_prepend(package.parent)
    monkeypatch.setattr(surroundings, "_LIBRARIES", (str(package.parent),))
    own = load_file(path)
    assert os.getpid() == own.KEPT
    assert os.getpid() != own.PID

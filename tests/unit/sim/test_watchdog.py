"""Code that does not come back is ended, with its line; nothing else is."""

import signal
import subprocess
import sys
import threading
import time

import pytest

from wavecheck.sim import watchdog
from wavecheck.sim.blocking import run_blocking
from wavecheck.sim.errors import CoordinatorError
from wavecheck.sim.exhaustive.prove import explore
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Flag
from wavecheck.sim.search.execution import execute
from wavecheck.sim.task import FirstInFirstOut

HERE = "tests/unit/sim/test_watchdog.py"


class World:
    """One flow over one flag."""

    properties = ()

    def __init__(self, flow):
        self.kernel = Kernel(timed=False)
        self.flag = Flag(self.kernel, "flag")
        self.store = self.under_test = self
        self.flow = flow
        self.kernel.mark()

    def start(self):
        """Spawn it."""
        self.kernel.spawn(self.flow(self), "task-1")

    def heal(self):
        """There is nothing to heal."""
        return False

    @statement
    def look(self):
        """Look."""
        return self.flag.is_set()

    @statement
    def spin(self):
        """Be a statement that never returns."""
        while True:  # here a statement spins
            pass


async def busy(world):
    await world.look()
    while True:
        pass  # here it spins


async def busy_at_once(world):
    while True:
        pass  # here it spins at once


async def catches_all(world):
    await world.look()
    while True:
        try:  # noqa: SIM105 - as people write it
            len("")  # here it catches
        except Exception:
            pass


async def locks_itself_out(world):
    await world.look()
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()  # here it waits for itself


async def calls_a_statement_that_spins(world):
    await world.spin()


async def blocks(world):
    def blocking():
        while True:
            pass  # here blocking code spins

    await world.look()
    await run_blocking(blocking)


def search(world):
    """Run one execution."""
    execute(world, FirstInFirstOut())


@pytest.fixture(autouse=True)
def _soon(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)
    watchdog.WATCHDOG.disarm()
    monkeypatch.setattr(watchdog.WATCHDOG, "seconds", 2 * watchdog.TICK_SECONDS)
    yield
    watchdog.WATCHDOG.disarm()


CASES = {
    busy: "# here it spins",
    busy_at_once: "# here it spins at once",
    catches_all: "# here it catches",
    locks_itself_out: "# here it waits for itself",
    calls_a_statement_that_spins: "# here a statement spins",
    blocks: "# here blocking code spins",
}


@pytest.mark.parametrize("flow", CASES, ids=lambda flow: flow.__name__)
@pytest.mark.parametrize("way", ["search", "proof"])
def test_code_that_does_not_come_back_is_ended_with_its_line(flow, way):
    """File and line of the user's code, whatever it is that never ends."""
    with open(__file__, encoding="utf-8") as file:
        lines = [n for n, line in enumerate(file, start=1) if CASES[flow] in line]
    run = explore if way == "proof" else search
    with pytest.raises(CoordinatorError, match="does not come back") as ended:
        run(World(flow))
    text = str(ended.value)
    near = [f"{HERE}:{lines[0] + offset} in " for offset in (-2, -1, 0, 1, 2)]
    assert any(place in text for place in near), text


def test_slow_code_that_comes_back_is_left_alone(monkeypatch):
    """Many steps that take long together are no reason."""
    monkeypatch.setattr(watchdog.WATCHDOG, "seconds", 4 * watchdog.TICK_SECONDS)

    async def slow(world):
        for _ in range(4):
            for _ in range(2_000_000):
                pass
            await world.look()

    execute(World(slow), FirstInFirstOut())


def test_the_timer_is_gone_soon_after_the_last_run():
    """It stops by itself, and the handler that was there is back."""
    before = signal.getsignal(signal.SIGALRM)

    async def quick(world):
        await world.look()

    execute(World(quick), FirstInFirstOut())
    assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    for _ in range(40):
        if not any(signal.getitimer(signal.ITIMER_REAL)):
            break
        time.sleep(watchdog.TICK_SECONDS / 2)
    assert not any(signal.getitimer(signal.ITIMER_REAL))
    assert signal.getsignal(signal.SIGALRM) is before


def test_runs_in_other_threads_are_not_watched():
    """Runs of two threads end in any order, and leave nothing behind."""
    meet = threading.Barrier(2)

    async def together(world):
        meet.wait()
        await world.look()

    def run(wait):
        execute(World(together), FirstInFirstOut())
        time.sleep(wait)

    threads = [threading.Thread(target=run, args=[wait]) for wait in (0, 0.1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert watchdog.WATCHDOG.kernel is None
    assert "outside of the main thread" in watchdog.WATCHDOG.why_not


def test_another_owner_of_the_alarm_keeps_it():
    """The process's own time is counted instead."""

    def mine(number, frame):
        raise AssertionError("nobody rings it")

    before = signal.signal(signal.SIGALRM, mine)
    try:
        with pytest.raises(CoordinatorError, match="does not come back"):
            execute(World(busy), FirstInFirstOut())
        assert signal.getsignal(signal.SIGALRM) is mine
    finally:
        watchdog.WATCHDOG.disarm()
        signal.signal(signal.SIGALRM, before)


def test_outside_of_the_main_thread_it_says_that_it_cannot():
    """Signals reach the main thread only; nothing fails."""

    async def quick(world):
        await world.look()

    thread = threading.Thread(target=lambda: execute(World(quick), FirstInFirstOut()))
    thread.start()
    thread.join()
    assert "main thread" in watchdog.WATCHDOG.why_not


def test_a_process_that_exits_while_the_timer_runs_is_not_killed_by_it():
    """The timer is stopped before the handler is gone."""
    script = (
        "import time\n"
        "from wavecheck.sim.kernel import Kernel\n"
        "Kernel(timed=False).run_to_quiescence()\n"
        "import atexit, threading\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], timeout=60, check=False)
    assert ran.returncode == 0

"""Engines: the same results wherever pieces run, and what a death costs."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from wavecheck.scenarios.campaign.campaign import campaign, complete
from wavecheck.scenarios.campaign.engines import (
    IN_PROCESS,
    Engine,
    EngineLost,
    local_engine,
    run_pieces,
)
from wavecheck.scenarios.campaign.store import create_store
from wavecheck.sim.errors import InvalidScenario


def square(number):
    return number * number


def die_once(piece):
    """End this process without a word, but only the first time."""
    number, marker = piece
    if number == 3 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die(number):
    os.kill(os.getpid(), signal.SIGKILL)


def fail(number):
    raise ValueError(f"no {number}")


def test_pieces_run_here_one_after_another():
    """In this process nothing is handed over ahead of time."""
    taken = []

    def numbers():
        for number in range(5):
            taken.append(number)
            yield number

    found = []
    for piece, result, seconds in run_pieces(IN_PROCESS, square, numbers()):
        assert taken[-1] == piece
        assert seconds >= 0
        found.append(result)
    assert found == [0, 1, 4, 9, 16]


def test_a_failure_is_the_caller_s():
    """What the function raises comes out as it is."""
    with pytest.raises(ValueError, match="no 7"):
        list(run_pieces(IN_PROCESS, fail, [7]))


def test_the_number_of_processes_is_checked():
    """At least one, and not absurdly many; one is this process."""
    assert local_engine(1) is IN_PROCESS
    for count in (0, -1, 5_000):
        with pytest.raises(InvalidScenario, match="--jobs 4"):
            local_engine(count)


def shuffled():
    """An engine of threads that finish in another order than they began."""
    random = Random(4)

    class Shuffled(ThreadPoolExecutor):
        def submit(self, function, /, *args):
            return super().submit(slowly, random.random() / 50, function, *args)

    return Engine(name="threads", processes=6, open=lambda: Shuffled(max_workers=6))


def slowly(seconds, function, *args):
    import time

    time.sleep(seconds)
    return function(*args)


def test_results_do_not_depend_on_the_engine(plan_of):
    """Here, in two processes, or in any order of completion: the same export."""
    plan = plan_of(grid={"pollers": [0, 1]}, seeds_count=30)
    exports, results = [], []
    for engine in (IN_PROCESS, local_engine(2), shuffled()):
        with create_store(plan, None, resumes=False) as store:
            result = complete(plan, store=store, engine=engine)
            exports.append(store.export())
            results.append((result.points, result.differences))
    assert exports[0] == exports[1] == exports[2]
    assert results[0] == results[1] == results[2]


def test_a_dead_process_costs_only_its_pieces(tmp_path):
    """A process killed in mid-piece: its pieces are run again, in a new pool."""
    pieces = [(number, tmp_path / "died") for number in range(8)]
    found = run_pieces(local_engine(2), die_once, pieces)
    assert sorted(result for _, result, _ in found) == list(range(8))
    assert (tmp_path / "died").exists()


def test_a_piece_that_kills_every_process_is_given_up():
    """After three deaths it is named; nothing is tried for ever."""
    with pytest.raises(EngineLost, match="died 3 times while it ran 5"):
        list(run_pieces(local_engine(2), die, [5]))


def die_at_five(number):
    if number == 5:
        die(number)
    return number


def test_of_several_pieces_the_one_that_kills_is_named():
    """Those beside it are run alone, and come to their end."""
    found = []
    work = run_pieces(local_engine(2), die_at_five, range(9))
    with pytest.raises(EngineLost, match="died 3 times while it ran 5"):
        found.extend(result for _, result, _ in work)
    assert {0, 1, 2, 3, 4} <= set(found)


def test_pieces_that_must_not_wait_are_not_handed_over_ahead():
    """With ahead=1 no more pieces are out than there are processes."""
    taken, finished = [], []

    def numbers():
        for number in range(20):
            taken.append(number)
            assert len(taken) - len(finished) <= 6
            yield number

    for piece, _, _ in run_pieces(shuffled(), square, numbers(), ahead=1):
        finished.append(piece)
    assert sorted(finished) == list(range(20))


def test_somebody_is_told_that_nothing_ends(monkeypatch):
    """While pieces are long, `idle` is called again and again."""
    monkeypatch.setattr("wavecheck.scenarios.campaign.engines.IDLE_SECONDS", 0.01)
    calls = []
    engine = Engine(
        name="a thread", processes=1, open=lambda: ThreadPoolExecutor(max_workers=1)
    )
    found = run_pieces(engine, nap, [0.2], idle=lambda: calls.append(1))
    assert [result for _, result, _ in found] == [0.2]
    assert len(calls) > 2


def nap(seconds):
    import time

    time.sleep(seconds)
    return seconds


def test_a_campaign_keeps_what_was_finished_before_an_engine_was_lost(plan_of):
    """The store has whole pieces, and the message says how to go on."""

    class Gone(Exception):
        """The cluster's way of saying good-bye."""

    class Failing(ThreadPoolExecutor):
        count = 0

        def submit(self, function, /, *args):
            Failing.count += 1
            if Failing.count > 3:
                return super().submit(lose)
            return super().submit(function, *args)

    def lose():
        raise Gone

    engine = Engine(
        name="the cluster",
        processes=1,
        open=lambda: Failing(max_workers=1),
        losses=(Gone,),
    )
    plan = plan_of()
    with create_store(plan, None, resumes=False) as store:
        with pytest.raises(EngineLost, match=r"the cluster: gone[\s\S]*--resume"):
            complete(plan, store=store, engine=engine)
        assert store.count() > 0
        complete(plan, store=store)
        export = store.export()
    with create_store(plan, None, resumes=False) as store:
        complete(plan, store=store)
        assert store.export() == export
    assert campaign(plan).runs == 80

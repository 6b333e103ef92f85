"""Blocking coordinators, and their own SQL: unchanged in the simulator."""

import asyncio

import pytest

from wavecheck import find_scenario
from wavecheck.scenarios.pipeline.blocking import awaiting
from wavecheck.scenarios.questions import check
from wavecheck.sim.blocking import run_blocking, wait_for
from wavecheck.sim.errors import NondeterminismError

RULES = """
from wavecheck.coordinator import WaveState


class Blocking:
    def __init__(self, db):
        self.db = db

    def check_and_trigger_next_wave(self, job_id):
        for wave in self.db.open_waves(job_id):
            self.dispatch_wave(job_id, wave.wave_number)
            self.db.finish_wave(job_id, wave.wave_number)
        self.db.finish_job(job_id, waits_for_derived_waves=True)

    def dispatch_wave(self, job_id, wave_number):
        take = (WaveState.PENDING, WaveState.PROCESSING)
        self.db.compare_and_set_wave(job_id, wave_number, *take)
        sent = 0
        for batch_id in self.db.pending_batches(job_id, wave_number):
            if self.db.claim_batch(batch_id):
                self.db.enqueue(batch_id)
                sent += 1
        return sent


class Hidden(Blocking):
    def __init__(self, db):
        self.db = db
        self.calls = 0

    def dispatch_wave(self, job_id, wave_number):
        self.calls += 1
        return super().dispatch_wave(job_id, wave_number) if self.calls % 3 else 0


class InTransactions(Blocking):
    def dispatch_wave(self, job_id, wave_number):
        sent = 0
        with self.db.transaction() as tx:
            for batch_id in tx.lock_pending_batches(
                job_id, wave_number, skip_locked=True
            ):
                tx.mark_dispatched(batch_id)
                tx.enqueue(batch_id)
                sent += 1
        return sent
"""


@pytest.fixture
def search(tmp_path):
    """Search a few executions of one of the rules for doubled dispatches."""
    path = tmp_path / "rules.py"
    path.write_text(RULES)

    def run(name):
        return check(
            find_scenario("import-job"),
            f"{path}:{name}",
            executions=12,
            shrinks=False,
            properties=["no_double_dispatch"],
        )

    return run


@pytest.mark.parametrize("name", ["Blocking", "InTransactions"])
def test_blocking_code_is_searched_like_any_other(search, name):
    """Each statement is a step, in an order that the search picks; nothing is found."""
    result = search(name)
    assert not result.has_violation()
    assert result.searched.statistics.final_states_count > 1
    operations = {step.operation for step in result.searched.samples[0].steps}
    claims = {"Blocking": "claim_batch", "InTransactions": "lock_pending_batches"}
    assert claims[name] in operations


def test_hidden_state_of_blocking_code_is_named(search):
    """A counter on the instance is state that the database does not have."""
    with pytest.raises(NondeterminismError, match="Hidden keeps state on its instance"):
        search("Hidden")


class Database:
    """Counts its calls; fails when told to."""

    def __init__(self):
        self.calls = []

    async def ask(self, number):
        await asyncio.sleep(0)
        self.calls.append(number)
        if number < 0:
            raise ValueError(number)
        return number * 2


class Doubling:
    def __init__(self, db):
        self.db = db

    def outer(self, number):
        return self.inner(number) + 1

    def inner(self, number):
        try:
            return self.db.ask(number)
        except ValueError:
            return 0


def test_blocking_code_runs_under_asyncio_as_well():
    """Results and errors come back where the blocking call stands."""
    made = awaiting(Doubling, ["outer", "inner"])(Database())
    assert asyncio.run(made.outer(4)) == 9
    assert asyncio.run(made.outer(-1)) == 1


def test_code_that_is_cancelled_goes_on_no_more():
    """A task that is ended in mid-statement ends the blocking code too."""
    passed = []

    def code():
        try:
            wait_for(asyncio.sleep(60))
        finally:
            passed.append("cleaned up")
        passed.append("went on")

    async def run():
        task = asyncio.create_task(run_blocking(code))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert passed == ["cleaned up"]


def test_a_blocking_call_outside_is_refused():
    """There is nobody who could await for it."""
    with pytest.raises(RuntimeError, match="outside of run_blocking"):
        wait_for(None)

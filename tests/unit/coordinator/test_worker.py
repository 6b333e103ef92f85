"""One worker: the order of its statements, and whom it tells."""

import pytest

from wavecheck.coordinator import Batch, BatchState, ImportPlan
from wavecheck.coordinator.states import Delivery
from wavecheck.coordinator.worker import Worker

PLAN = ImportPlan(
    job_id="job",
    parent_wave=2,
    derived_wave=3,
    parent_batches=1,
    parents_per_batch=1,
    threshold=0.0,
)


def batch(wave_number):
    """A batch of one wave with one parent id."""
    return Batch("b", "job", wave_number, BatchState.DISPATCHED, ("p",), 0, None, None)


@pytest.fixture
def serve(scripted):
    """Let a worker serve one batch; return everything that happened, in order."""
    database_type, finish = scripted

    def run(wave_number, *, parents_call=True, derived_call=True):
        db = database_type([("start_batch(b)", None), ("finish_batch(b)", None)])

        async def process(batch):
            db.made.append(f"process({batch.batch_id})")

        class Listener:
            async def parent_completed(self, parent_ids):
                db.made.append(f"parent_completed({parent_ids})")

        class Coordinator:
            async def check_and_trigger_next_wave(self, job_id):
                db.made.append(f"check_and_trigger_next_wave({job_id})")

        worker = Worker(
            db=db,
            coordinator=Coordinator(),
            listener=Listener(),
            plan=PLAN,
            process=process,
            parents_call=parents_call,
            derived_call=derived_call,
        )
        finish(worker.serve(Delivery(batch(wave_number), 0)))
        return db.made

    return run


SERVED = ["start_batch(b)", "process(b)", "finish_batch(b)"]
LISTENED = ["parent_completed(('p',))"]
CALLED = ["check_and_trigger_next_wave(job)"]


def test_a_parent_runs_the_listener_and_then_calls(serve):
    """Start, process, finish, listener, coordinator: in this order."""
    assert serve(2) == SERVED + LISTENED + CALLED


def test_a_parent_may_call_nobody(serve):
    """With `parents_call` off the listener still runs."""
    assert serve(2, parents_call=False) == SERVED + LISTENED


@pytest.mark.parametrize("derived_call", [True, False])
def test_a_derived_batch_runs_no_listener(serve, derived_call):
    """A derived batch calls the coordinator if, and only if, it is told to."""
    made = serve(3, derived_call=derived_call, parents_call=not derived_call)
    assert made == SERVED + (CALLED if derived_call else [])


def test_a_batch_of_an_earlier_main_wave_always_calls(serve):
    """Nothing else would start the next wave."""
    assert serve(1, parents_call=False, derived_call=False) == SERVED + CALLED


def test_a_worker_serves_until_the_queue_gives_nothing(scripted):
    """`run` takes the next batch after each one that it served."""
    database_type, finish = scripted

    class Over(Exception):
        pass

    async def nothing(*ignored):
        return None

    class Deaf:
        check_and_trigger_next_wave = parent_completed = staticmethod(nothing)

    first = Delivery(batch(3), 0)
    script = [
        ("start_batch(b)", None),
        ("finish_batch(b)", None),
        ("start_batch(b)", None),
        ("finish_batch(b)", None),
    ]
    db = database_type(script)
    queue = [first, first]

    async def take_batch():
        if not queue:
            raise Over
        return queue.pop()

    db.take_batch = take_batch
    worker = Worker(
        db=db,
        coordinator=Deaf(),
        listener=Deaf(),
        plan=PLAN,
        process=nothing,
        parents_call=True,
        derived_call=True,
    )
    with pytest.raises(Over):
        finish(worker.run())
    assert db.script == []

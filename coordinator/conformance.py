"""What every store promises, as checks that a store of one's own can run.

    @pytest.mark.parametrize("name", CHECKS)
    def test_my_store(name):
        asyncio.run(CHECKS[name](MyBench()))

A `Bench` is a fresh, empty store with the few things that no statement of the protocol
does: put rows in, read rows out, say what time it is. The same checks run on
Wavecheck's in-memory tables, on SQLite and on PostgreSQL, so that none of the three
means something else by a statement. Knows the protocol only.

Units: times are microseconds; the bench makes its store with `STALE_AFTER` and `LEASE`.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

from wavecheck.coordinator.protocol import Database, ListenerDatabase, WorkerDatabase
from wavecheck.coordinator.states import (
    Batch,
    BatchState,
    Job,
    JobState,
    Wave,
    WaveKind,
    WaveState,
)

STALE_AFTER: Final = 100_000_000
LEASE: Final = 1_000_000_000
JOB: Final = "job"
_P, _D, _R, _C = BatchState


class StoreUnderTest(Database, ListenerDatabase, WorkerDatabase, Protocol):
    """All three protocols in one object."""


class Bench(Protocol):
    """A fresh, empty store under test."""

    @property
    def db(self) -> StoreUnderTest:
        """The store."""
        ...

    def set_clock(self, now: int) -> None:
        """Let the store's clock show this moment from now on; it starts at 0."""
        ...

    async def add(
        self, jobs: Sequence[Job], waves: Sequence[Wave], batches: Sequence[Batch]
    ) -> None:
        """Put rows in."""
        ...

    async def read(self) -> tuple[list[Job], list[Wave], list[Batch]]:
        """Return all rows, each list in ascending order of its key."""
        ...

    async def together(self, *statements: Awaitable[Any]) -> list[Any]:
        """Await statements at the same time if the store can; return all results."""
        ...


class NotConforming(AssertionError):
    """A store does not keep a promise; the text says which."""


def _expect(what: str, got: object, expected: object) -> None:
    if got != expected:
        raise NotConforming(f"{what}\n  expected  {expected!r}\n  got       {got!r}")


async def _fill(bench: Bench, *, parents_total: int = 2) -> StoreUnderTest:
    """Put in one job, a main wave of two batches, and an empty derived wave."""
    await bench.add(
        [Job(JOB, JobState.PROCESSING, parents_total, None)],
        [
            Wave(JOB, 1, WaveKind.MAIN, "SalesOrder", WaveState.PENDING, True, 0),
            Wave(
                JOB, 2, WaveKind.DERIVED, "TransactionLine", WaveState.PENDING, False, 0
            ),
        ],
        [
            Batch("b2", JOB, 1, _P, ("p2",), 0, None, None),
            Batch("b1", JOB, 1, _P, ("p1",), 0, None, None),
        ],
    )
    return bench.db


async def _batch(bench: Bench, batch_id: str) -> Batch:
    return next(one for one in (await bench.read())[2] if one.batch_id == batch_id)


async def _wave(bench: Bench, number: int) -> Wave:
    return next(one for one in (await bench.read())[1] if one.wave_number == number)


async def open_waves_have_batches(bench: Bench) -> None:
    """A wave without batches, or completed, is not open; the order is ascending."""
    db = await _fill(bench)
    _expect("open waves", [one.wave_number for one in await db.open_waves(JOB)], [1])
    await db.insert_derived_batch(JOB, 2, ("p1",))
    _expect("open waves", [one.wave_number for one in await db.open_waves(JOB)], [1, 2])
    await db.set_wave_status(JOB, 1, WaveState.COMPLETED)
    _expect("open waves", await db.open_waves(JOB), (await _wave(bench, 2),))


async def counts_add_up(bench: Bench) -> None:
    """Several states are added up, none counts nothing, other waves do not count."""
    db = await _fill(bench)
    await db.mark_dispatched("b1")
    for states, expected in (((_P,), 1), ((_P, _D), 2), ((_R, _C), 0), ((), 0)):
        _expect(f"count of {states}", await db.count_batches(JOB, 1, *states), expected)
    _expect("count elsewhere", await db.count_batches(JOB, 2, *BatchState), 0)


async def pending_batches_ascend(bench: Bench) -> None:
    """The ids of this wave's pending batches, ascending byte by byte."""
    db = await _fill(bench)
    more = [Batch(name, JOB, 1, _P, (), 0, None, None) for name in ("b-1", "B3", "b10")]
    await bench.add([], [], more)
    expected = ("B3", "b-1", "b1", "b10", "b2")
    _expect("pending batches", await db.pending_batches(JOB, 1), expected)
    await db.claim_batch("b1")
    _expect("fewer", await db.pending_batches(JOB, 1), ("B3", "b-1", "b10", "b2"))


async def waves_move_as_told(bench: Bench) -> None:
    """Both ways to move a wave note the moment; the guarded one succeeds once."""
    db = await _fill(bench)
    bench.set_clock(55)
    take = (JOB, 1, WaveState.PENDING, WaveState.PROCESSING)
    _expect("first take", await db.compare_and_set_wave(*take), True)
    _expect("second take", await db.compare_and_set_wave(*take), False)
    _expect("status", await db.wave_status(JOB, 1), WaveState.PROCESSING)
    _expect("moment", (await _wave(bench, 1)).updated_at, 55)
    bench.set_clock(66)
    await db.set_wave_status(JOB, 1, WaveState.PENDING)
    moved = await _wave(bench, 1)
    _expect("moved", (moved.status, moved.updated_at), (WaveState.PENDING, 66))
    _expect("other wave", (await _wave(bench, 2)).updated_at, 0)


async def waves_grow_stale(bench: Bench) -> None:
    """A wave is stale once its status is older than the limit, not before."""
    db = await _fill(bench)
    bench.set_clock(1_000)
    await db.set_wave_status(JOB, 1, WaveState.PROCESSING)
    for age, expected in ((-1, False), (0, False), (1, True)):
        bench.set_clock(1_000 + STALE_AFTER + age)
        _expect(f"limit + {age}", await db.is_stale(JOB, 1), expected)


async def claims_succeed_once(bench: Bench) -> None:
    """Of many claims at the same time one succeeds; the moment is noted."""
    db = await _fill(bench)
    bench.set_clock(5)
    claims = await bench.together(*[db.claim_batch("b1") for _ in range(8)])
    _expect("claims that succeed", claims.count(True), 1)
    row = await _batch(bench, "b1")
    _expect("claimed batch", (row.status, row.dispatched_at), (_D, 5))


async def marks_ask_nothing(bench: Bench) -> None:
    """An unguarded update sets the status, whatever it was."""
    db = await _fill(bench)
    await db.finish_batch("b1")
    await db.mark_dispatched("b1")
    _expect("status", (await _batch(bench, "b1")).status, _D)


async def messages_come_in_order_and_once(bench: Bench) -> None:
    """A message names a batch; two takers at the same time get two messages."""
    db = await _fill(bench)
    await db.claim_batch("b2")
    await db.enqueue("b2", 3)
    await db.enqueue("b1")
    taken, attempt = await db.take_batch()
    _expect("first message", (taken, attempt), (await _batch(bench, "b2"), 3))
    await db.enqueue("b2")
    rest = await bench.together(db.take_batch(), db.take_batch())
    names = sorted(delivery.batch.batch_id for delivery in rest)
    _expect("two takers", names, ["b1", "b2"])


async def batches_are_worked_on(bench: Bench) -> None:
    """Start and finish move a batch; the end is noted."""
    db = await _fill(bench)
    await db.start_batch("b1")
    _expect("started", (await _batch(bench, "b1")).status, _R)
    bench.set_clock(40)
    await db.finish_batch("b1")
    row = await _batch(bench, "b1")
    _expect("finished", (row.status, row.completed_at), (_C, 40))


async def waves_finish_when_they_are(bench: Bench) -> None:
    """Not pending, not unsealed, not with an unfinished batch, and only once."""
    db = await _fill(bench)
    await db.finish_batch("b1")
    await db.finish_batch("b2")
    _expect("pending wave", await db.finish_wave(JOB, 1), False)
    for number in (1, 2):
        await db.set_wave_status(JOB, number, WaveState.PROCESSING)
    _expect("unsealed wave", await db.finish_wave(JOB, 2), False)
    await db.mark_dispatched("b1")
    _expect("unfinished batch", await db.finish_wave(JOB, 1), False)
    await db.finish_batch("b1")
    bench.set_clock(9)
    _expect("finished wave", await db.finish_wave(JOB, 1), True)
    _expect("a second time", await db.finish_wave(JOB, 1), False)
    _expect("moment", (await _wave(bench, 1)).updated_at, 9)


async def jobs_finish_with_their_waves(bench: Bench) -> None:
    """All waves, or the main ones only, as the rule asks; and only once."""
    db = await _fill(bench)

    async def finish(*, waits: bool) -> bool:
        return await db.finish_job(JOB, waits_for_derived_waves=waits)

    _expect("open main wave", await finish(waits=False), False)
    await db.set_wave_status(JOB, 1, WaveState.COMPLETED)
    _expect("open derived wave", await finish(waits=True), False)
    bench.set_clock(7)
    _expect("main waves are done", await finish(waits=False), True)
    _expect("a second time", await finish(waits=False), False)
    job = (await bench.read())[0][0]
    _expect("job", (job.status, job.completed_at), (JobState.COMPLETED, 7))


async def leases_fence(bench: Bench) -> None:
    """Only the attempt that was sent last may start, only the started one finish."""
    db = await _fill(bench)
    bench.set_clock(10)
    leases = await bench.together(*[db.lease_batch("b1") for _ in range(4)])
    _expect("leases", sorted(leases), [0, 0, 0, 1])
    row = await _batch(bench, "b1")
    _expect("lease", (row.status, row.attempt, row.lease_until), (_D, 1, 10 + LEASE))
    _expect("finish before start", await db.finish_leased("b1", 1), False)
    _expect("start another", await db.start_leased("b1", 2), False)
    bench.set_clock(20)
    _expect("start", await db.start_leased("b1", 1), True)
    _expect("renewed", (await _batch(bench, "b1")).lease_until, 20 + LEASE)
    _expect("start again", await db.start_leased("b1", 1), False)
    _expect("finish another", await db.finish_leased("b1", 2), False)
    _expect("finish", await db.finish_leased("b1", 1), True)
    row = await _batch(bench, "b1")
    _expect("done", (row.status, row.completed_at, row.lease_until), (_C, 20, None))


async def leases_expire(bench: Bench) -> None:
    """A lease that is over returns its batch; the next lease is another attempt."""
    db = await _fill(bench)
    await db.lease_batch("b1")
    await db.lease_batch("b2")
    await db.start_leased("b2", 1)
    bench.set_clock(LEASE)
    _expect("none is over", await db.expire_leases(JOB), 0)
    bench.set_clock(LEASE + 1)
    _expect("both are over", await db.expire_leases(JOB), 2)
    row = await _batch(bench, "b2")
    _expect("returned", (row.status, row.attempt, row.lease_until), (_P, 1, None))
    _expect("next attempt", await db.lease_batch("b2"), 2)
    _expect("the old one", await db.finish_leased("b2", 1), False)


async def parents_are_taken_once(bench: Bench) -> None:
    """Accumulated ids come out oldest first, each once, also for two at a time."""
    db = await _fill(bench)
    await db.accumulate_parents(JOB, ("z", "a"))
    await db.accumulate_parents(JOB, ())
    await db.accumulate_parents(JOB, ("m", "a"))
    _expect("accumulated", await db.count_accumulated(JOB), 4)
    _expect("oldest first", await db.take_parents(JOB, 3), ("z", "a", "m"))
    await db.accumulate_parents(JOB, ("b", "c", "d"))
    taken = await bench.together(db.take_parents(JOB, 2), db.take_parents(JOB, 2))
    _expect("two takers", sorted(sum(taken, ())), ["a", "b", "c", "d"])
    _expect("nothing is left", await db.take_parents(JOB, 2), ())


async def the_flag_is_set_once(bench: Bench) -> None:
    """It is clear at first, and setting it twice is no error."""
    db = await _fill(bench)
    _expect("clear", await db.is_creation_finished(JOB), False)
    await db.set_creation_finished(JOB)
    await db.set_creation_finished(JOB)
    _expect("set", await db.is_creation_finished(JOB), True)


async def derived_batches_are_numbered(bench: Bench) -> None:
    """Each insert gets the next name of the wave, also many at the same time."""
    db = await _fill(bench)
    bench.set_clock(3)
    _expect("id", await db.insert_derived_batch(JOB, 2, ("p1",)), "job-w2-000001")
    row = await _batch(bench, "job-w2-000001")
    expected = Batch("job-w2-000001", JOB, 2, _P, ("p1",), 3, None, None)
    _expect("row", row, expected)
    inserts = [db.insert_derived_batch(JOB, 2, ("p2",)) for _ in range(8)]
    names = sorted(await bench.together(*inserts))
    _expect("ids", names, [f"job-w2-{number:06d}" for number in range(2, 10)])


async def waves_seal_when_covered(bench: Bench) -> None:
    """A wave is sealed once its batches hold as many parents as the job has."""
    db = await _fill(bench)
    _expect("empty", await db.seal_wave(JOB, 2), False)
    await db.insert_derived_batch(JOB, 2, ("p1",))
    _expect("half", await db.seal_wave(JOB, 2), False)
    await db.insert_derived_batch(JOB, 2, ("p2",))
    _expect("covered", await db.seal_wave(JOB, 2), True)
    _expect("sealed", (await _wave(bench, 2)).is_sealed, True)


async def uncovered_parents_are_found(bench: Bench) -> None:
    """Completed parents that are in no derived batch yet; fewer only at the end."""
    db = await _fill(bench, parents_total=4)
    more = [
        Batch("b3", JOB, 1, _C, ("p3", "p0"), 0, None, 0),
        Batch("b4", JOB, 1, _P, ("p4",), 0, None, None),
    ]
    await bench.add([], [], more)
    create = (JOB, 1, 2, 3)
    _expect("too few", await db.create_uncovered_batch(*create), None)
    await db.finish_batch("b2")
    _expect("enough", await db.create_uncovered_batch(*create), "job-w2-000001")
    row = await _batch(bench, "job-w2-000001")
    _expect("oldest first", row.parent_ids, ("p2", "p3", "p0"))
    await db.finish_batch("b1")
    _expect("not the last", await db.create_uncovered_batch(*create), None)
    await db.finish_batch("b4")
    _expect("the rest", await db.create_uncovered_batch(*create), "job-w2-000002")
    row = await _batch(bench, "job-w2-000002")
    _expect("the rest", row.parent_ids, ("p1", "p4"))
    _expect("all covered", await db.create_uncovered_batch(*create), None)


async def parents_are_covered_once(bench: Bench) -> None:
    """Many that create uncovered batches at the same time cover no parent twice."""
    db = await _fill(bench)
    parents = [
        Batch(f"c{number}", JOB, 1, _C, (f"q{number}",), 0, None, 0)
        for number in range(6)
    ]
    await bench.add([], [], parents)
    await bench.together(*[db.create_uncovered_batch(JOB, 1, 2, 2) for _ in range(6)])
    covered = [
        parent
        for batch in (await bench.read())[2]
        if batch.wave_number == 2
        for parent in batch.parent_ids
    ]
    _expect("covered", sorted(covered), [f"q{number}" for number in range(6)])


async def missing_rows_are_errors(bench: Bench) -> None:
    """A statement about a row that is not there raises KeyError and changes nothing."""
    db = await _fill(bench)
    before = await bench.read()
    statements: dict[str, Callable[[], Awaitable[object]]] = {
        "wave_status": lambda: db.wave_status(JOB, 9),
        "set_wave_status": lambda: db.set_wave_status(JOB, 9, WaveState.PENDING),
        "mark_dispatched": lambda: db.mark_dispatched("nobody"),
        "start_batch": lambda: db.start_batch("nobody"),
        "finish_batch": lambda: db.finish_batch("nobody"),
    }
    for name, make in statements.items():
        try:
            got = await make()
        except KeyError:
            continue
        _expect(f"{name} of a missing row", got, KeyError)
    _expect("rows", await bench.read(), before)


class _OnPurpose(Exception):
    """Ends a transaction from inside."""


async def transactions_are_whole(bench: Bench) -> None:
    """What a transaction did is there after its commit, and nothing after an error."""
    db = await _fill(bench)
    async with db.transaction() as tx:
        locked = await tx.lock_pending_batches(JOB, 1, limit=1)
        _expect("locked batches", locked, ("b1",))
        _expect("locked wave", await tx.lock_wave(JOB, 1), WaveState.PENDING)
        _expect("claim inside", await tx.claim_batch("b1"), True)
        await tx.enqueue("b1")
        _expect("seen inside", await tx.pending_batches(JOB, 1), ("b2",))
    delivery = await db.take_batch()
    _expect("message", delivery.batch, await _batch(bench, "b1"))
    before = await bench.read()
    try:
        async with db.transaction() as tx:
            await tx.claim_batch("b2")
            await tx.set_wave_status(JOB, 1, WaveState.PROCESSING)
            raise _OnPurpose
    except _OnPurpose:
        pass
    _expect("rows after an error", await bench.read(), before)


CHECKS: Final[dict[str, Callable[[Bench], Awaitable[None]]]] = {
    check.__name__: check
    for check in (
        open_waves_have_batches,
        counts_add_up,
        pending_batches_ascend,
        waves_move_as_told,
        waves_grow_stale,
        claims_succeed_once,
        marks_ask_nothing,
        messages_come_in_order_and_once,
        batches_are_worked_on,
        waves_finish_when_they_are,
        jobs_finish_with_their_waves,
        leases_fence,
        leases_expire,
        parents_are_taken_once,
        the_flag_is_set_once,
        derived_batches_are_numbered,
        waves_seal_when_covered,
        uncovered_parents_are_found,
        parents_are_covered_once,
        missing_rows_are_errors,
        transactions_are_whole,
    )
}
"""Every check by name; each needs a fresh bench."""

"""Executions with transactions: blocked statements, deadlocks, and what follows."""

import asyncio

import pytest

from wavecheck import find_scenario
from wavecheck.scenarios.database.replay import replay_on_database
from wavecheck.scenarios.subject import Subject
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.lockstep import Lockstep
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Counter
from wavecheck.sim.search.random_walk import RandomWalk
from wavecheck.sim.transactions import Blocked, Failed, Failure

RULES = '''
from wavecheck.coordinator import Isolation, StatementFailed
from wavecheck.coordinator.claiming import Claiming


class Locking(Claiming):
    """Locks what is pending, then sends it."""

    async def _send_claimed(self, job_id, wave_number):
        async with self.db.transaction(Isolation.READ_COMMITTED) as tx:
            locked = await tx.lock_pending_batches(job_id, wave_number)
            for batch_id in locked:
                await tx.mark_dispatched(batch_id)
                await tx.enqueue(batch_id)
        return len(locked)


class Crossing(Claiming):
    """Claims in one order at first, and in the other one later."""

    async def _send_claimed(self, job_id, wave_number):
        sent = 0
        try:
            async with self.db.transaction(Isolation.ISOLATION) as tx:
                pending = await tx.pending_batches(job_id, wave_number)
                if await self.db.count_batches(job_id, 1, "completed") % 2:
                    pending = pending[::-1]
                for batch_id in pending:
                    if await tx.claim_batch(batch_id):
                        await tx.enqueue(batch_id)
                        sent += 1
        except StatementFailed:
            return 0
        return sent
'''


def samples(tmp_path, name, level, *, wanted, count=3, limit=1_000):
    """The first recorded executions in which some result contains a text."""
    path = tmp_path / "rules.py"
    path.write_text(RULES.replace("ISOLATION)", f"{level})"))
    given = {"parents": "6", "workers": "3", "threshold": "0.5"}
    subject = Subject.of(find_scenario("import-job"), f"{path}:{name}", given)
    walk = RandomWalk(1)
    found = []
    for _ in range(limit):
        schedule = subject.record(walk)
        if any(wanted in str(step.result) for step in schedule.steps):
            found.append(schedule)
        if len(found) == count:
            break
    assert found, f"no execution shows {wanted!r}"
    return found


def follow_on(url, schedules, tries=5):
    """Replay each until one is followed to its end; none may disagree.

    A statement that was let go races with the next one of the recorded order, and a
    busy machine lets now this, now that one be faster.
    """
    for _ in range(tries):
        shown = [replay_on_database(one, url) for one in schedules]
        assert [one.disagreement for one in shown] == [None] * len(shown)
        followed = [one for one in shown if not one.overtaken]
        if followed:
            return followed[0]
    raise AssertionError(f"always overtaken, at last: {shown[-1].overtaken}")


@pytest.mark.postgres
def test_blocked_statements_are_recognised_and_let_go(tmp_path, postgres_url):
    """The server holds up what the model holds up, and the others go on."""
    schedules = samples(tmp_path, "Locking", "READ_COMMITTED", wanted="holder")
    shown = follow_on(postgres_url, schedules)
    assert shown.blocked
    assert shown.blocked[0].statement.startswith("lock_pending_batches(")
    assert shown.blocked[0].waits_for[0].startswith(("start", "worker-"))


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("level", "wanted"),
    [
        ("READ_COMMITTED", "deadlock detected"),
        ("REPEATABLE_READ", "could not serialize access"),
        ("SERIALIZABLE", "could not serialize access"),
    ],
)
def test_the_same_transaction_fails(tmp_path, postgres_url, level, wanted):
    """Deadlocks and serialization failures hit the statement that the model names."""
    follow_on(postgres_url, samples(tmp_path, "Crossing", level, wanted=wanted))


@pytest.mark.postgres
def test_the_victim_may_be_who_waited_first(tmp_path, postgres_url):
    """The model chooses who gives way in a circle, and the server follows."""

    def is_wanted(schedule):
        seen = []  # who was blocked, in order
        for step in schedule.steps:
            if "holder" in str(step.result):
                seen.append(step.task)
            elif "deadlock" in str(step.result):
                return seen[-1] != step.task
        return False

    level, wanted = "READ_COMMITTED", "deadlock detected"
    found = samples(tmp_path, "Crossing", level, wanted=wanted, count=12)
    follow_on(postgres_url, [one for one in found if is_wanted(one)])


def test_sqlite_is_refused_for_the_rules_of_another(tmp_path):
    """A recording with PostgreSQL's transactions is not replayed on SQLite."""
    [schedule, *_] = samples(tmp_path, "Locking", "READ_COMMITTED", wanted="True")
    with pytest.raises(InvalidScenario, match="follow PostgreSQL's rules\nnext: --db"):
        replay_on_database(schedule, "sqlite://")


# The lockstep itself, without a database --------------------------------------------


class Shop:
    """One counter and two statements; `wait` says that it is blocked at first."""

    def __init__(self, kernel):
        self.counter = Counter(kernel, "counter")
        self.has_waited = False

    @statement
    def add(self):
        return self.counter.add()

    @statement
    def wait(self):
        if not self.has_waited:
            self.has_waited = True
            return Blocked(1, 2)
        return self.counter.get()

    @statement
    def wait_in_circle(self):
        if not self.has_waited:
            self.has_waited = True
            return Blocked(1, 2)
        return Failed(Failure.DEADLOCK)


class FakeTwin:
    """Answers what it is told; a statement that it holds up waits for an event."""

    def __init__(self, answers, holds=()):
        self.answers = list(answers)
        self.holds = holds
        self.performed = []
        self.released = asyncio.Event()

    async def perform(self, task, operation, result, changes, time):
        name = operation.statement.name
        self.performed.append((task, name))
        answer = self.answers.pop(0)
        if name in self.holds:
            await self.released.wait()
        elif self.holds:
            self.released.set()
        return answer

    async def blockers(self, task):
        return () if self.released.is_set() else ("other",)

    async def give_way(self, task):
        self.performed.append((task, "give way"))
        self.released.set()


def follow(twin, *bodies):
    kernel = Kernel(timed=False)
    store = Shop(kernel)
    kernel.mark()
    with asyncio.Runner() as runner:
        lockstep = Lockstep(kernel, twin, runner)
        kernel.on_step = lockstep.follow
        for number, body in enumerate(bodies):
            kernel.spawn(body(store), f"task-{number}")
        kernel.run_to_quiescence()
        kernel.close()
        runner.run(lockstep.abandon())
    return lockstep


async def adding(store):
    await store.add()
    await store.add()


async def waiting(store):
    while type(await store.wait()) is Blocked:
        pass


def test_a_wrong_answer_ends_the_execution():
    """The first difference is kept, and nothing is performed after it."""
    twin = FakeTwin([1, 7, 3])
    lockstep = follow(twin, adding, adding)
    assert (lockstep.disagreement.model, lockstep.disagreement.real) == (2, 7)
    assert len(twin.performed) == 2


def test_a_statement_is_held_up_and_let_go():
    """It is performed once, and compared when the model goes on with it."""
    twin = FakeTwin([1, 1, 2], holds=("wait",))
    lockstep = follow(twin, waiting, adding)
    assert lockstep.disagreement is None
    assert [one.statement for one in lockstep.blocked] == ["wait()"]
    assert lockstep.blocked[0].waits_for == ("other",)
    assert twin.performed.count(("task-0", "wait")) == 1


def test_a_statement_is_the_victim_of_a_deadlock():
    """Whoever the model makes the victim is told to give way, and then compared."""

    async def crossing(store):
        while type(await store.wait_in_circle()) is Blocked:
            pass

    twin = FakeTwin([Failed(Failure.DEADLOCK)], holds=("wait_in_circle",))
    lockstep = follow(twin, crossing)
    assert lockstep.disagreement is None
    assert twin.performed == [("task-0", "wait_in_circle"), ("task-0", "give way")]


def test_what_only_the_model_holds_up_is_a_disagreement():
    """The twin answers at once where the model waits."""
    lockstep = follow(FakeTwin([5]), waiting)
    assert lockstep.disagreement.model == "waits for transaction 2"
    assert lockstep.disagreement.real == 5


def test_what_only_the_twin_holds_up_is_a_disagreement():
    """The model answers at once where the twin waits."""
    lockstep = follow(FakeTwin([1], holds=("add",)), adding)
    assert (lockstep.disagreement.model, lockstep.disagreement.real) == (
        1,
        "waits for other",
    )


def test_an_error_of_the_twin_is_its_answer():
    """A statement that fails on the real thing only is a disagreement."""

    class Failing(FakeTwin):
        async def perform(self, *details):
            raise KeyError("no such row")

    lockstep = follow(Failing([]), adding)
    assert lockstep.disagreement.real == "KeyError: 'no such row'"

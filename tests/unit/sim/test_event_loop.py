"""asyncio in code under test: unmodified, in every order, in search and in proof."""

import asyncio
from functools import partial

import pytest

from wavecheck.sim.errors import CoordinatorError
from wavecheck.sim.exhaustive.prove import explore
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Counter, Flag
from wavecheck.sim.property import Moment, Property
from wavecheck.sim.search.depth_first import DepthFirst
from wavecheck.sim.search.schedule import run_rule
from wavecheck.sim.search.session import Budget, Session
from wavecheck.sim.task import FirstInFirstOut


class Store:
    """Numbers by name, and one flag to wait for."""

    def __init__(self, kernel):
        self.numbers = Counter(kernel, "numbers")
        self.flag = Flag(kernel, "flag")

    @statement
    def add(self, name):
        """Add one; return the new number."""
        return self.numbers.add(name)

    @statement
    def read(self, name):
        """Read a number."""
        return self.numbers.get(name)

    @statement
    def write(self, name, value):
        """Set a number."""
        self.numbers.set(value, name)

    @statement
    def fail(self):
        """Refuse."""
        raise KeyError("refused")

    @statement
    def raise_flag(self):
        """Set the flag."""
        self.flag.set()

    @statement(enabled=lambda self: self.flag.is_set(), wakes_on=lambda self: self.flag)
    def wait(self):
        """Wait for the flag."""


class World:
    """Some flows over the store; the end is judged by what `out` holds."""

    def __init__(self, *flows, wrong=None, timed=False):
        self.kernel = Kernel(timed=timed)
        self.store = Store(self.kernel)
        self.properties = (
            Property(
                name="right",
                meaning="the numbers are right",
                moment=Moment.AT_QUIESCENCE,
                at_end=lambda world: wrong(world.store.numbers) if wrong else None,
            ),
        )
        self.under_test = None
        self.flows = flows
        self.kernel.mark()

    def start(self):
        """Spawn the flows."""
        self.under_test = self.store
        for number, flow in enumerate(self.flows):
            self.kernel.spawn(flow(self.store), f"task-{number}")

    def heal(self):
        """There is nothing to heal."""
        return False


def outcomes(make):
    """Run every schedule on the kernel; return what the numbers were at each end."""
    found = set()
    world = make()
    session = Session(world, (), Budget(executions=3_000), lambda: 0.0)
    strategy = DepthFirst()
    while strategy.begin(world.kernel):
        violations = session.execute(strategy, "dfs")
        for name, violation in violations.items():
            found.add((name, violation.message.partition(" at ")[0]))
        found.add(tuple(sorted(world.store.numbers.items())))
        strategy.end(world.kernel)
        assert session.executions_count < 3_000
    assert strategy.proved()
    return found


def proved_outcomes(make):
    """Prove that there are no other ends than those that the kernel has shown."""
    ends = outcomes(make)
    numbers = {one for one in ends if not (one and isinstance(one[0], str))}
    for left_out in numbers:
        others = numbers - {left_out}

        def wrong(counter, others=others):
            now = tuple(sorted(counter.items()))
            return None if now in others else f"{now}"

        assert explore(make(wrong=wrong)).of("right").counterexample is not None
    explored = explore(
        make(
            wrong=lambda counter: (
                None if tuple(sorted(counter.items())) in numbers else "another end"
            )
        )
    )
    assert explored.is_complete
    assert explored.of("right").counterexample is None
    names = {one.name for one in explored.properties}
    assert ("no_error" in names) == any(one[:1] == ("no_error",) for one in ends)
    return ends


async def gathers(store):
    """Two lost updates at once."""

    async def once():
        value = await store.read("n")
        await store.write("n", value + 1)
        return value

    values = await asyncio.gather(once(), once())
    await store.write("sum", sum(values))


async def groups(store):
    """The same in a task group."""

    async def once():
        value = await store.read("n")
        await store.write("n", value + 1)

    async with asyncio.TaskGroup() as group:
        group.create_task(once())
        group.create_task(once())
    await store.write("sum", await store.read("n"))


async def locks(store):
    """A lock makes of it what it should be."""
    lock = asyncio.Lock()

    async def once():
        async with lock:
            value = await store.read("n")
            await store.write("n", value + 1)

    await asyncio.gather(once(), once())


async def times_out(store):
    """A statement that may come too late."""
    try:
        async with asyncio.timeout(5):
            await store.add("n")
    except TimeoutError:
        await store.write("late", 1)


async def waits_for(store):
    """The same by `wait_for`."""
    try:
        await asyncio.wait_for(store.wait(), 5)
    except TimeoutError:
        await store.write("late", 1)


async def raises_flag(store):
    """Let others go on."""
    await store.raise_flag()


async def queues(store):
    """A producer and two consumers in one process."""
    queue = asyncio.Queue(maxsize=1)

    async def consume(name):
        while True:
            item = await queue.get()
            if item is None:
                return
            await store.add(name)

    consumers = [asyncio.create_task(consume(name)) for name in ("a", "b")]
    for item in (1, None, None):
        await queue.put(item)
    await asyncio.gather(*consumers)


async def events(store):
    """One flow waits for another."""
    event = asyncio.Event()

    async def later():
        await event.wait()
        await store.write("seen", await store.read("n"))

    task = asyncio.create_task(later())
    await store.add("n")
    event.set()
    await task


async def sleeps(store):
    """Time passes at any moment."""
    await asyncio.sleep(1)
    await store.write("seen", await store.read("n"))


async def sleeps_late(store):
    """The same behind a statement."""
    await store.read("n")
    await asyncio.sleep(1)
    await store.write("seen", await store.read("n"))


async def sleeps_not(store):
    """Others may go on."""
    await asyncio.sleep(0)
    await store.write("seen", await store.read("n"))


async def adds(store):
    """Add one."""
    await store.add("n")


async def cancels(store):
    """A cancelled flow cleans up."""

    async def endless():
        try:
            await store.add("n")
            await asyncio.sleep(1_000)
            await store.add("slept")
        finally:
            await store.write("cleaned", 1)

    task = asyncio.create_task(endless())
    await store.read("n")
    task.cancel()
    await asyncio.wait([task])


async def fails_within(store):
    """One of two fails; the other is cancelled."""

    async def fails():
        await store.fail()

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())
            group.create_task(adds(store))
    except* KeyError:
        await store.write("failed", 1)


async def fire_and_forget(store):
    """The task goes on when nobody waits for it."""
    asyncio.create_task(adds(store))  # noqa: RUF006 - as people write it


async def forgets_an_error(store):
    """Nobody asks for the error of a task."""

    async def fails():
        await store.read("n")
        raise ValueError("lost")

    asyncio.create_task(fails())  # noqa: RUF006 - as people write it
    await store.add("n")


async def shields(store):
    """What is shielded is not cancelled."""
    inner = asyncio.ensure_future(adds(store))
    try:
        async with asyncio.timeout(1):
            await asyncio.shield(inner)
    except TimeoutError:
        await inner


async def semaphores(store):
    """One at a time."""
    semaphore, inside = asyncio.Semaphore(1), []

    async def once(name):
        async with semaphore:
            inside.append(name)
            await store.write("inside", len(inside))
            inside.remove(name)

    await asyncio.gather(*(once(name) for name in "ab"))


async def conditions(store):
    """A waiter is woken by a notification."""
    condition, ready = asyncio.Condition(), []

    async def waiter():
        async with condition:
            await condition.wait_for(lambda: ready)
        await store.write("seen", await store.read("n"))

    async def notifier():
        await store.add("n")
        async with condition:
            ready.append(True)
            condition.notify_all()

    await asyncio.gather(waiter(), notifier())


def ends(*numbers):
    """Ends by numbers that are not 0, as (name, value) pairs."""
    return {tuple(sorted(pair for pair in one.items() if pair[1])) for one in numbers}


CASES = {
    gathers: ends({"n": 1, "sum": 0}, {"n": 2, "sum": 1}),
    groups: ends({"n": 1, "sum": 1}, {"n": 2, "sum": 2}),
    locks: ends({"n": 2}),
    times_out: ends({"n": 1}, {"late": 1}),
    queues: ends({"a": 1}),
    events: ends({"n": 1, "seen": 1}),
    cancels: ends(
        {"n": 1, "slept": 1},
        {"cleaned": 1},
        {"n": 1, "cleaned": 1},
        {"n": 1, "slept": 1, "cleaned": 1},
    ),
    fails_within: ends({"failed": 1}, {"n": 1, "failed": 1}),
    fire_and_forget: ends({"n": 1}),
    shields: ends({"n": 1}),
    semaphores: ends({"inside": 1}),
    conditions: ends({"n": 1, "seen": 1}),
}


@pytest.mark.parametrize("flow", CASES, ids=lambda flow: flow.__name__)
def test_asyncio_ends_in_every_way_it_can_and_in_no_other(flow):
    """All schedules on the kernel, and the proof, give exactly these ends."""
    assert proved_outcomes(partial(World, flow)) == CASES[flow]


@pytest.mark.parametrize("flow", [sleeps, sleeps_late, sleeps_not])
def test_others_may_go_on_while_one_sleeps(flow):
    """A sleep, even of no time, ends at any moment."""
    assert proved_outcomes(partial(World, flow, adds)) == ends(
        {"n": 1, "seen": 0}, {"n": 1, "seen": 1}
    )


def test_a_guarded_statement_may_be_waited_for_with_a_timeout():
    """Either the flag or the timeout comes first."""
    assert proved_outcomes(partial(World, waits_for, raises_flag)) == ends(
        {}, {"late": 1}
    )


def test_an_error_that_nobody_asks_for_is_found():
    """Asyncio would log it; it is a violation of `no_error`."""
    found = proved_outcomes(partial(World, forgets_an_error))
    assert ("no_error", "task-0 raised ValueError('lost')") in found


class OneLock:
    """Two tasks of one process share an instance with a lock."""

    def __init__(self, store):
        self.store = store
        self.lock = asyncio.Lock()

    async def once(self):
        async with self.lock:
            value = await self.store.read("n")
            await self.store.write("n", value + 1)

    async def once_after_a_look(self):
        await self.store.read("other")
        await self.once()


class LockWorld(World):
    """Two tasks over one instance."""

    def start(self):
        """Spawn both."""
        code = self.under_test = OneLock(self.store)
        (once,) = self.flows or (OneLock.once,)
        for number in range(2):
            self.kernel.spawn(once(code), f"task-{number}")


@pytest.mark.parametrize("flow", [OneLock.once, OneLock.once_after_a_look])
def test_a_lock_that_tasks_share_works_in_searches_and_proofs(flow):
    """Both know the same ends; `tests/corpus/test_handoffs.py` has more of them."""
    assert outcomes(partial(LockWorld, flow)) == ends({"n": 2})
    assert proved_outcomes(partial(LockWorld, flow)) == ends({"n": 2})


async def to_thread(store):
    """Use a thread."""
    await store.read("n")
    await asyncio.to_thread(len, "")  # here


async def connect(store):
    """Use the network."""
    await store.read("n")
    await asyncio.open_connection("localhost", 1)  # here


async def subprocess(store):
    """Start a program."""
    await store.read("n")
    await asyncio.create_subprocess_exec("true")  # here


async def foreign_future(store):
    """Wait for a future of another loop."""
    loop = asyncio.new_event_loop()
    try:
        await loop.create_future()  # here
    finally:
        loop.close()


async def own_loop(store):
    """Run a loop of its own."""
    await store.read("n")
    sleep = asyncio.sleep(0)
    try:
        asyncio.run(sleep)  # here
    finally:
        sleep.close()


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize(
    "flow", [to_thread, connect, subprocess, foreign_future, own_loop]
)
@pytest.mark.parametrize("run", [outcomes, lambda make: explore(make())])
def test_what_needs_a_real_loop_is_refused_with_its_line(flow, run):
    """Threads, network, programs, and other loops."""
    with pytest.raises(CoordinatorError) as refused:
        run(partial(World, flow))
    text = str(refused.value)
    assert "test_event_loop.py:" in text
    assert f" in {flow.__name__}" in text


def test_a_timed_run_sleeps_in_virtual_time_and_refuses_several_at_once():
    """Time passes as asked; what overlaps is not simulated, and that is said."""
    world = World(sleeps, timed=True)
    world.start()
    world.kernel.run_to_quiescence()
    assert world.kernel.now == 1_000_000
    world = World(gathers, timed=True)
    with pytest.raises(CoordinatorError, match="several things at once"):
        world.start()


def test_steps_are_told_by_the_statements_that_they_perform():
    """A listener sees what was performed, not that it was one of several."""
    world = World(gathers)
    ran = run_rule(world, FirstInFirstOut())
    assert [step.operation for step in ran.steps][:4] == [
        "read",
        "read",
        "write",
        "write",
    ]
    assert ran.choices


def test_the_current_task_is_known_before_anything_else_of_asyncio_is_used():
    """Also in a task that has not used asyncio before; names are the same each time."""
    names = []

    async def asks(store):
        names.append(asyncio.current_task().get_name())
        await store.read("n")
        names.append(asyncio.current_task().get_name())

    outcomes(partial(World, asks))
    assert set(names) == {"task-0"}


def test_a_reply_is_looked_at_behind_what_is_ready():
    """Between a wake-up and what it wakes another reply may come: both orders exist."""

    async def race(store):
        event, order = asyncio.Event(), []

        async def waits():
            await event.wait()
            order.append("waiter")

        async def wakes():
            await store.read("a")
            event.set()

        async def other():
            await store.read("b")
            order.append("other")

        await asyncio.gather(waits(), wakes(), other())
        await store.write("first", 1 if order[0] == "waiter" else 2)

    assert outcomes(partial(World, race)) == ends({"first": 1}, {"first": 2})


def test_a_world_without_asyncio_runs_inside_a_real_loop():
    """As in a notebook, whose kernel has a loop of its own; it is left as it was."""

    async def notebook():
        before = asyncio.get_running_loop()
        assert outcomes(partial(World, gathers)) == CASES[gathers]
        assert asyncio.get_running_loop() is before

    asyncio.run(notebook())

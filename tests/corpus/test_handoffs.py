"""What tasks do with locks, events and queues of asyncio that they share."""

import asyncio
import functools
from types import SimpleNamespace

import pytest

from wavecheck.sim.exhaustive import CannotLearn, explore
from wavecheck.sim.exhaustive.prove import searched
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Counter, Queue
from wavecheck.sim.property import Moment, Property

MODULE_LOCK = asyncio.Lock()
MODULE_EVENT = asyncio.Event()


class Store:
    """A counter that is read and written in two steps, and a log of what was done."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.numbers = Counter(kernel, "numbers")
        self.log = Queue(kernel, "log")

    @statement
    def read(self):
        """Return the number."""
        return self.numbers.get("x")

    @statement
    def write(self, number):
        """Set the number."""
        self.numbers.add("x", number - self.numbers.get("x"))

    @statement
    def note(self, what):
        """Note what was done."""
        self.log.put(what)

    @statement
    def look(self, lock):
        """Look at an object that tasks share."""
        self.log.put(lock.locked())


class Sharing:
    """Runs flows that share what an execution makes anew."""

    def __init__(self, make, flows):
        self.kernel = Kernel(timed=False)
        self.store = Store(self.kernel)
        self.properties = (
            Property(
                name="end",
                meaning="looks at everything",
                moment=Moment.AT_QUIESCENCE,
                at_end=lambda world: world.end() and None,
            ),
        )
        self.under_test = None
        self._make, self._flows = make, flows
        self.kernel.mark()

    def end(self):
        """Return what is to be compared."""
        return self.store.log.snapshot(), self.store.numbers.get("x")

    def start(self):
        """Spawn the flows."""
        self.under_test = SimpleNamespace(store=self.store, it=self._make())
        for number, flow in enumerate(self._flows):
            flow = flow(self.store, self.under_test.it, number)
            self.kernel.spawn(flow, f"task-{number}")

    def heal(self):
        """Repair nothing."""
        return False


async def adds_locked(store, lock, n):
    async with lock:
        await store.write(await store.read() + 1)
    await store.note(n)


async def adds_if_free(store, lock, n):
    if lock.locked():
        await store.note(f"passed over {n}")
        return
    async with lock:
        await store.write(await store.read() + 1)


async def adds_in_module(store, it, n):
    await store.read()
    async with MODULE_LOCK:
        await store.write(await store.read() + 1)


async def waits(store, event, n):
    await event.wait()
    await store.note(n)


async def sets(store, event, n):
    await store.note(n)
    event.set()


async def sets_and_clears(store, event, n):
    await store.read()
    event.set()
    event.clear()
    await store.note(n)


async def waits_in_module(store, it, n):
    await store.read()
    MODULE_EVENT.set() if n else await MODULE_EVENT.wait()
    await store.note(n)


async def puts(store, queue, n):
    for number in range(2):
        await queue.put((n, number))
        await store.note(("put", n, number))


async def gets(store, queue, n):
    for _ in range(2):
        await store.note(("got", await queue.get()))
        queue.task_done()


async def gets_what_is_there(store, queue, n):
    await store.read()
    await store.note(0 if queue.empty() else queue.get_nowait())


async def joins(store, queue, n):
    await store.read()
    await queue.join()
    await store.note("joined")


async def gives_up(store, lock, n):
    try:
        async with asyncio.timeout(1):
            await lock.acquire()
    except TimeoutError:
        await store.note(f"late {n}")
        return
    await store.note(f"has {n}")
    lock.release()


async def holds(store, lock, n):
    async with lock:
        await store.read()
        await store.note("held")


async def notifies(store, condition, n):
    async with condition:
        await store.note("told")
        condition.notify()


async def hears(store, condition, n):
    async with condition:
        await condition.wait()
        await store.note(n)


async def is_let_in(store, semaphore, n):
    async with semaphore:
        await store.note(("in", n))
        await store.note(("out", n))


async def waits_and_works(store, event, n):
    async def works():
        for number in range(3):
            await store.note((n, number))

    async def waits_for_it():
        await event.wait()
        await store.note("woken")

    await asyncio.gather(works(), waits_for_it())


async def takes_two(store, locks, n):
    first, second = locks if n else locks[::-1]
    await store.read()
    async with first:
        await store.read()
        async with second:
            await store.note(n)


async def takes_the_first(store, queue, n):
    getting = asyncio.create_task(queue.get())
    sleeping = asyncio.create_task(asyncio.sleep(1))
    done, rest = await asyncio.wait(
        {getting, sleeping}, return_when=asyncio.FIRST_COMPLETED
    )
    for one in rest:
        one.cancel()
    await store.note((getting in done, sleeping in done))
    await store.note(queue.qsize())


async def puts_later(store, queue, n):
    await store.read()
    queue.put_nowait(5)
    await store.note("put")


async def sets_by_a_name(store, methods, n):
    set_it, is_set = methods
    await store.read()
    if n:
        set_it()
    await store.note(is_set())


def methods_of_an_event():
    event = asyncio.Event()
    return event.set, functools.partial(event.is_set)


async def passes(store, it, n):
    await store.read()
    if n == 0:
        it.number = 1
    else:
        await store.note(getattr(it, "number", 0))


def sharing(make, *flows):
    return lambda: Sharing(make, flows)


def nothing():
    return None


PROGRAMS = {
    "lock": sharing(asyncio.Lock, adds_locked, adds_locked),
    "lock of three": sharing(asyncio.Lock, adds_locked, adds_locked, holds),
    "lock that is asked": sharing(asyncio.Lock, adds_if_free, adds_if_free),
    "lock of a module": sharing(nothing, adds_in_module, adds_in_module),
    "lock with a timeout": sharing(asyncio.Lock, holds, gives_up),
    "two give up": sharing(asyncio.Lock, holds, gives_up, gives_up),
    "event": sharing(asyncio.Event, waits, waits, sets),
    "event for one of two flows": sharing(asyncio.Event, waits_and_works, sets),
    "event that is cleared": sharing(asyncio.Event, waits, sets_and_clears),
    "event of a module": sharing(nothing, waits_in_module, waits_in_module),
    "queue": sharing(asyncio.Queue, puts, gets),
    "queue of one": sharing(lambda: asyncio.Queue(1), puts, gets),
    "queue that is asked": sharing(asyncio.Queue, puts, gets_what_is_there),
    "queue that is joined": sharing(asyncio.Queue, puts, gets, joins),
    "stack": sharing(asyncio.LifoQueue, puts, gets),
    "priorities": sharing(asyncio.PriorityQueue, puts, gets),
    "condition": sharing(asyncio.Condition, hears, notifies),
    "condition of two": sharing(asyncio.Condition, hears, hears, notifies),
    "semaphore": sharing(lambda: asyncio.Semaphore(1), is_let_in, is_let_in),
    "semaphore of two": sharing(
        lambda: asyncio.BoundedSemaphore(2), is_let_in, is_let_in
    ),
    "two locks that wait for each other": sharing(
        lambda: (asyncio.Lock(), asyncio.Lock()), takes_two, takes_two
    ),
    "first of two flows": sharing(asyncio.Queue, takes_the_first, puts_later),
    "methods of an event": sharing(methods_of_an_event, sets_by_a_name, sets_by_a_name),
    "attribute of a lock": sharing(asyncio.Lock, passes, passes),
}


class Everything:
    """A rule that walks all schedules, depth first."""

    def __init__(self):
        self.path, self.depth = [], 0

    def pick(self, enabled):
        """Take the next branch."""
        return self.choose(len(enabled))

    def choose(self, options_count):
        """Take the next branch."""
        if self.depth == len(self.path):
            self.path.append([0, options_count])
        self.depth += 1
        return self.path[self.depth - 1][0]

    def advance(self):
        """Go to the next schedule; False after the last."""
        self.depth = 0
        while self.path:
            self.path[-1][0] += 1
            if self.path[-1][0] < self.path[-1][1]:
                return True
            self.path.pop()
        return False


def ends_of(world):
    """Return the ends of all schedules on the kernel."""
    kernel, rule, found = world.kernel, Everything(), set()
    kernel.rule = rule
    while True:
        for one in (MODULE_LOCK, MODULE_EVENT):
            one.__init__()
        kernel.rewind()
        world.start()
        kernel.run_to_quiescence()
        found.add(world.end())
        if not rule.advance():
            kernel.rewind()
            return found


def known_ends(world):
    """Return the ends that a proof has come to, by what it has learned alone."""
    search, stopped_by = searched(world, reduces=True)
    assert not stopped_by
    found = set()
    for shared in [one for one, _ in search.learner.ends if any(one)]:
        search.learner.shared.load(shared)
        found.add(world.end())
    world.kernel.rewind()  # ends the tasks, which may hold what a module keeps
    return found


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_proof_knows_exactly_the_ends_of_all_schedules(name):
    """What tasks share of asyncio goes on in a proof as it does on the kernel."""
    expected = ends_of(PROGRAMS[name]())
    assert known_ends(PROGRAMS[name]()) == expected


def test_who_waits_for_a_lock_and_a_timer_is_woken_by_either():
    """The lock may be free before time is up, or the other way round."""
    ends = known_ends(PROGRAMS["lock with a timeout"]())
    logs = {tuple(log) for log, _ in ends}
    assert logs == {("held", "has 1"), ("held", "late 1"), ("late 1", "held")}


@pytest.mark.parametrize("name", PROGRAMS)
def test_executions_on_the_kernel_go_as_the_proof_says(name):
    """The second line agrees, with and without reduction."""
    for reduces in (False, True):
        assert explore(PROGRAMS[name](), reduces=reduces).is_complete


# What is refused, and what is found -----------------------------------------------


async def hands_on_a_list(store, queue, n):
    await store.read()
    if n == 0:
        items = []
        queue.put_nowait(items)
        await store.read()
        items.append(1)
        await store.read()
    else:
        items = await queue.get()
        await store.note(len(items))


async def keeps_a_list_on_a_lock(store, lock, n):
    await store.read()
    if n == 0:
        lock.seen = []
    await store.note(len(getattr(lock, "seen", ())))


async def counts_beside_the_lock(store, shared, n):
    await store.read()
    async with shared.lock:
        shared.count += 1
        await store.note(shared.count)


async def asks_in_a_statement(store, lock, n):
    await store.read()
    await store.look(lock)


async def appends_to_what_is_inside(store, queue, n):
    await store.read()
    if n == 0:
        inside = queue._queue
        await store.read()
        inside.append(1)
        await store.read()
    else:
        await store.note(queue.qsize())


async def goes_by_a_barrier(store, barrier, n):
    await store.read()
    await barrier.wait()
    await store.note(n)


class Marked(asyncio.Lock):
    """A lock of the user's own."""

    uses = 0

    def locked(self):
        """Count who asks."""
        self.uses += 1
        return self.uses > 1


async def asks_its_own_lock(store, lock, n):
    await store.read()
    await store.note(lock.locked())


REFUSED = {
    "what is inside of a queue": (
        sharing(asyncio.Queue, appends_to_what_is_inside, appends_to_what_is_inside),
        "code looks into an asyncio Queue: _queue",
    ),
    "a barrier": (
        sharing(lambda: asyncio.Barrier(2), goes_by_a_barrier, goes_by_a_barrier),
        "changes as tasks run",
    ),
    "a lock of one's own": (
        sharing(Marked, asks_its_own_lock, asks_its_own_lock),
        "'uses' of Marked",
    ),
    "a list in a queue": (
        sharing(asyncio.Queue, hands_on_a_list, hands_on_a_list),
        "a list that an asyncio Queue holds may be changed",
    ),
    "a list on a lock": (
        sharing(asyncio.Lock, keeps_a_list_on_a_lock, keeps_a_list_on_a_lock),
        "a list that an asyncio Lock holds may be changed",
    ),
    "a counter beside a lock": (
        sharing(
            lambda: SimpleNamespace(lock=asyncio.Lock(), count=0),
            counts_beside_the_lock,
            counts_beside_the_lock,
        ),
        "changes as tasks run",
    ),
    "a statement that looks": (
        sharing(asyncio.Lock, asks_in_a_statement, asks_in_a_statement),
        "a statement or a property uses an asyncio Lock",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_moments_do_not_tell_is_refused_by_name(name):
    """What can change without a use of the object is never taken for its state."""
    make, message = REFUSED[name]
    with pytest.raises(CannotLearn, match=message):
        explore(make())

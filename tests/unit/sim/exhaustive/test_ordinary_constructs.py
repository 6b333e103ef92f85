"""Ordinary constructs: each is proved, and the proof agrees with every schedule.

For each, all schedules of two tasks are run on the kernel. The proof must know exactly
the same ends: each of them is found when it is forbidden, and no other exists.
"""

import asyncio
import contextlib
import dataclasses
import enum
import functools
import itertools
import logging
import operator
import re
import time
import uuid
from collections import ChainMap, Counter, OrderedDict, defaultdict, deque, namedtuple
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import pytest

from wavecheck.sim import parts
from wavecheck.sim.exhaustive.prove import explore
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import statement
from wavecheck.sim.property import Moment, Property
from wavecheck.sim.search.depth_first import DepthFirst
from wavecheck.sim.search.session import Budget, Session


class Store:
    """Numbers by name."""

    def __init__(self, kernel):
        self.numbers = parts.Counter(kernel, "numbers")

    @statement
    def add(self, name, amount=1):
        """Add to a number; return the new one."""
        return self.numbers.add(name, amount)

    @statement
    def read(self, name):
        """Read a number."""
        return self.numbers.get(name)

    @statement
    def write(self, name, value):
        """Set a number."""
        self.numbers.set(value, name)

    @statement
    def take(self, name):
        """Take one; refuse if there is none."""
        if not self.numbers.get(name):
            raise LookupError(name)
        self.numbers.add(name, -1)


class World:
    """One flow with a construct, and one that changes what it reads."""

    def __init__(self, flow, wrong=None):
        self.kernel = Kernel(timed=False)
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
        self.flow = flow
        self.kernel.mark()

    def start(self):
        """Spawn both."""
        self.under_test = self.store
        self.kernel.spawn(self.flow(self.store), "construct")
        self.kernel.spawn(other(self.store), "other")

    def heal(self):
        """There is nothing to heal."""
        return False


async def other(store):
    """Change what the construct reads, once."""
    await store.add("n")


def end_of(counter):
    """The numbers at an end."""
    return tuple(sorted(pair for pair in counter.items() if pair[1]))


def ends_of(flow):
    """Every end that a schedule on the kernel comes to."""
    found, world, strategy = set(), World(flow), DepthFirst()
    session = Session(world, (), Budget(executions=5_000), lambda: 0.0)
    while strategy.begin(world.kernel):
        assert not session.execute(strategy, "dfs")
        found.add(end_of(world.store.numbers))
        strategy.end(world.kernel)
        assert session.executions_count < 5_000
    assert strategy.proved()
    return found


def check(flow):
    """See that the proof knows exactly the ends of the kernel."""
    ends = ends_of(flow)
    allowed = World(
        flow, lambda counter: None if end_of(counter) in ends else "another end"
    )
    explored = explore(allowed)
    assert explored.is_complete
    assert explored.of("right").counterexample is None
    for one in ends:
        forbidden = World(
            flow, lambda counter, one=one: "reached" if end_of(counter) == one else None
        )
        assert explore(forbidden).of("right").counterexample is not None


# What the constructs use -----------------------------------------------------------


class Colour(enum.Enum):
    """Some members."""

    RED = 1
    BLUE = 2


class Level(enum.IntFlag):
    """Some flags."""

    LOW = 1
    HIGH = 2


@dataclasses.dataclass
class Point:
    """A mutable value."""

    x: int
    y: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Fixed:
    """An immutable value."""

    x: int


class Pair(NamedTuple):
    """Two numbers."""

    first: int
    second: int


OldPair = namedtuple("OldPair", "first second")


class Slotted:
    """Has slots and a property."""

    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value

    @property
    def double(self):
        """Twice the value."""
        return self.value * 2


class Refused(Exception):
    """An error of the user's own."""

    def __init__(self, why, amount):
        super().__init__(why)
        self.amount = amount


class Manager:
    """An async context manager of the user's own."""

    def __init__(self, store):
        self.store = store

    async def __aenter__(self):
        return await self.store.read("n")

    async def __aexit__(self, *error):
        await self.store.add("left")
        return True


class Numbers:
    """An async iterator of the user's own."""

    def __init__(self, store, count):
        self.store, self.left = store, count

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self.left:
            raise StopAsyncIteration
        self.left -= 1
        return await self.store.read("n")


@contextlib.asynccontextmanager
async def managed(store):
    """An async context manager by a generator."""
    value = await store.read("n")
    try:
        yield value
    finally:
        await store.add("left")


@contextlib.contextmanager
def plain_manager():
    """A context manager by a generator."""
    yield "inside"


async def counting(store, count):
    """An async generator."""
    for number in range(count):
        yield number + await store.read("n")


CONSTRUCTS = {}


def construct(flow):
    """Add one to the list."""
    CONSTRUCTS[flow.__name__] = flow
    return flow


# Iteration ----------------------------------------------------------------


@construct
async def for_over_a_list(store):
    for name in ["a", "b"]:
        await store.write(name, await store.read("n"))


@construct
async def for_over_a_range(store):
    for number in range(2):
        await store.write(f"r{number}", await store.read("n"))


@construct
async def for_over_a_dict(store):
    for name, amount in {"a": 1, "b": 2}.items():
        await store.add(name, amount + await store.read("n"))


@construct
async def for_with_else_and_break(store):
    for number in range(3):
        if await store.read("n"):
            break
        await store.write("seen", number)
    else:
        await store.write("none", 1)


@construct
async def while_with_a_limit(store):
    tries = 0
    while not await store.read("n") and tries < 3:
        tries += 1
    await store.write("tries", tries)


@construct
async def a_generator_local(store):
    names = (name for name in ("a", "b"))
    for name in names:
        await store.write(name, 1 + await store.read("n"))


@construct
async def a_generator_expression_partly_used(store):
    squares = (number * number for number in range(1, 4))
    first = next(squares)
    await store.write("first", first + await store.read("n"))
    await store.write("rest", sum(squares))


@construct
async def map_over_an_await(store):
    for text in map(str, [1, 2]):
        await store.write(text, 1 + await store.read("n"))


@construct
async def filter_over_an_await(store):
    for number in filter(None, [0, 1, 2]):
        await store.add("sum", number + await store.read("n"))


@construct
async def islice_over_an_await(store):
    for number in itertools.islice(itertools.count(1), 2):
        await store.add("sum", number + await store.read("n"))


@construct
async def chain_over_an_await(store):
    for number in itertools.chain([1], (2,)):
        await store.add("sum", number + await store.read("n"))


@construct
async def enumerate_and_zip(store):
    for place, (name, amount) in enumerate(zip("ab", (1, 2), strict=True)):
        await store.write(name, place + amount + await store.read("n"))


@construct
async def sorted_backwards(store):
    for name in sorted(["b", "a"], reverse=True):
        await store.write(name, 1 + await store.read("n"))


@construct
async def groupby_over_an_await(store):
    for key, group in itertools.groupby([1, 1, 2]):
        await store.write(f"g{key}", len(list(group)) + await store.read("n"))


@construct
async def an_async_generator(store):
    async for number in counting(store, 2):
        await store.add("sum", number)


@construct
async def an_async_generator_left_early(store):
    numbers = counting(store, 3)
    async for number in numbers:
        await store.write("sum", number + 1)
        break
    await numbers.aclose()


@construct
async def an_async_iterator_class(store):
    async for number in Numbers(store, 2):
        await store.add("sum", number)


@construct
async def a_comprehension_with_await(store):
    values = [await store.read("n") for _ in range(2)]
    await store.write("sum", sum(values))


@construct
async def an_async_comprehension(store):
    values = {number async for number in counting(store, 2)}
    await store.write("sum", sum(values))


@construct
async def a_dict_comprehension_with_await(store):
    values = {name: await store.read("n") for name in "ab"}
    await store.write("sum", values["a"] + 2 * values["b"])


@construct
async def anext_by_hand(store):
    numbers = counting(store, 2)
    first = await anext(numbers)
    await store.write("first", first + 1)
    await store.write("second", await anext(numbers))


@construct
async def iter_with_a_sentinel(store):
    items = [1, 2, 0]
    for number in iter(functools.partial(items.pop, 0), 0):
        await store.add("sum", number + await store.read("n"))


# Context managers ------------------------------------------------------------


@construct
async def an_async_context_manager(store):
    async with Manager(store) as value:
        await store.write("seen", value + 1)


@construct
async def an_async_context_manager_that_swallows(store):
    async with Manager(store):
        await store.take("nothing")
    await store.add("after")


@construct
async def contextlib_async_across_an_await(store):
    async with managed(store) as value:
        await store.write("seen", value + 1)


@construct
async def contextlib_plain_across_an_await(store):
    with plain_manager() as text:
        await store.write(text, 1 + await store.read("n"))


@construct
async def suppress_across_an_await(store):
    with contextlib.suppress(LookupError):
        await store.take("n")
    await store.add("after")


@construct
async def nullcontext_across_an_await(store):
    async with contextlib.nullcontext(1) as value:
        await store.write("seen", value + await store.read("n"))


@construct
async def an_async_exit_stack(store):
    async with contextlib.AsyncExitStack() as stack:
        value = await stack.enter_async_context(managed(store))
        await store.write("seen", value + 1)


@construct
async def two_managers_at_once(store):
    async with managed(store) as first, managed(store) as second:
        await store.write("seen", first + 2 * second)


# Errors ------------------------------------------------------------------------


@construct
async def try_except_else_finally(store):
    try:
        await store.take("n")
    except LookupError:
        await store.add("none")
    else:
        await store.add("took")
    finally:
        await store.add("done")


@construct
async def an_await_in_finally(store):
    try:
        value = await store.read("n")
    finally:
        await store.add("done")
    await store.write("seen", value)


@construct
async def an_await_in_except(store):
    try:
        await store.take("n")
    except LookupError as error:
        await store.write(str(error), 5)


@construct
async def an_error_with_a_cause(store):
    try:
        try:
            await store.take("n")
        except LookupError as error:
            raise Refused("none", 3) from error
    except Refused as refused:
        cause = type(refused.__cause__).__name__
        await store.write(cause, refused.amount + await store.read("n"))


@construct
async def an_error_that_is_raised_again(store):
    try:
        try:
            await store.take("n")
        except LookupError:
            await store.add("seen")
            raise
    except LookupError:
        await store.add("again")


@construct
async def a_return_from_finally(store):
    async def inner():
        try:
            return await store.read("n")
        finally:
            await store.add("done")

    await store.write("seen", await inner())


@construct
async def an_exception_group(store):
    try:
        try:
            await store.take("n")
        except LookupError as error:
            raise ExceptionGroup("some", [error, ValueError()]) from None
    except* LookupError:
        await store.add("lookup")
    except* ValueError:
        await store.add("value")


@construct
async def a_retry_with_backoff(store):
    for attempt in range(3):
        try:
            await store.take("n")
        except LookupError:
            continue
        await store.write("took", attempt + 1)
        return
    await store.write("gave up", 1)


# Values ------------------------------------------------------------------------


@construct
async def a_walrus(store):
    if (value := await store.read("n")) > 0:
        await store.write("seen", value)


@construct
async def a_match_statement(store):
    match (await store.read("n"), "x"):
        case (0, _):
            await store.add("zero")
        case (int(value), str()) if value > 0:
            await store.add("more", value)


@construct
async def a_match_of_classes(store):
    match Point(await store.read("n"), 2):
        case Point(x=0, y=y):
            await store.write("y", y)
        case Point(x=x):
            await store.write("x", x)


@construct
async def a_dataclass_across_an_await(store):
    point = Point(1)
    point.y = await store.read("n")
    await store.write("sum", point.x + point.y)


@construct
async def a_frozen_dataclass_replaced(store):
    fixed = Fixed(1)
    fixed = dataclasses.replace(fixed, x=fixed.x + await store.read("n"))
    await store.write("x", fixed.x)


@construct
async def an_enum_across_an_await(store):
    colour = Colour.RED if await store.read("n") else Colour.BLUE
    await store.add(colour.name)
    await store.write("value", colour.value)


@construct
async def a_flag_across_an_await(store):
    level = Level.LOW
    if await store.read("n"):
        level |= Level.HIGH
    await store.add("level", int(level))


@construct
async def named_tuples(store):
    pair, old = Pair(1, await store.read("n")), OldPair(1, 2)
    await store.write("sum", pair.second + old.second)


@construct
async def slots_and_properties(store):
    slotted = Slotted(await store.read("n") + 1)
    await store.write("double", slotted.double)
    await store.write("again", slotted.double)


@construct
async def a_defaultdict_across_an_await(store):
    groups = defaultdict(list)
    for name in "aba":
        groups[name].append(await store.read("n"))
    await store.write("a", sum(groups["a"]) + len(groups))


@construct
async def a_counter_across_an_await(store):
    counts = Counter("aab")
    counts["a"] += await store.read("n")
    await store.write("a", counts.most_common(1)[0][1])


@construct
async def a_deque_across_an_await(store):
    todo = deque([1, 2])
    while todo:
        await store.add("sum", todo.popleft() + await store.read("n"))


@construct
async def a_set_across_an_await(store):
    seen = {1, 2}
    seen.discard(await store.read("n"))
    await store.write("left", len(seen))


@construct
async def ordered_and_chained_maps(store):
    maps = ChainMap(OrderedDict(a=1), {"b": await store.read("n")})
    await store.add("first")
    await store.write("sum", maps["a"] + maps["b"])


@construct
async def decimals_and_fractions(store):
    price = Decimal("1.50") * (1 + await store.read("n"))
    share = Fraction(1, 2)
    await store.add("calls")
    await store.write("price", int(price * 2) + int(share * 2))


@construct
async def dates_and_deltas(store):
    day = date(2000, 1, 1) + timedelta(days=await store.read("n"))
    await store.add("calls")
    await store.write("day", day.day)


@construct
async def texts_and_bytes(store):
    text = f"{await store.read('n'):>3}|{'x'!r}".encode()
    await store.add("calls")
    await store.write("length", len(text))


@construct
async def a_compiled_pattern(store):
    pattern = re.compile(r"(\d)")
    found = pattern.match(str(await store.read("n")))
    await store.write("found", int(found.group(1)) + 1)


@construct
async def a_bytearray_across_an_await(store):
    buffer = bytearray(b"a")
    buffer.append(await store.read("n"))
    await store.write("last", buffer[-1] + 1)


# Functions -----------------------------------------------------------------------


@construct
async def a_nested_coroutine(store):
    async def inner(amount):
        return amount + await store.read("n")

    await store.write("sum", await inner(1) + await inner(2))


@construct
async def a_closure_with_nonlocal(store):
    total = 0

    async def count():
        nonlocal total
        total += 1 + await store.read("n")

    await count()
    await count()
    await store.write("total", total)


@construct
async def lambdas_and_partials(store):
    double = lambda number: number * 2  # noqa: E731 - as people write it
    add = functools.partial(operator.add, 1)
    value = await store.read("n")
    await store.write("value", add(double(value)))


@construct
async def an_attrgetter_across_an_await(store):
    get = operator.attrgetter("x")
    await store.write("x", get(Point(1 + await store.read("n"))))


@construct
async def recursion(store):
    async def down(depth):
        if not depth:
            return await store.read("n")
        return 1 + await down(depth - 1)

    await store.write("depth", await down(3))


@construct
async def star_arguments(store):
    async def total(*numbers, **named):
        await store.add("calls")
        return sum(numbers) + sum(named.values())

    await store.write("sum", await total(1, *[2], x=await store.read("n")))


@construct
async def a_decorated_coroutine(store):
    def logged(function):
        @functools.wraps(function)
        async def wrapper(*args):
            result = await function(*args)
            await store.add("calls")
            return result

        return wrapper

    @logged
    async def read(name):
        return await store.read(name)

    await store.write("seen", 1 + await read("n"))


@construct
async def a_bound_method_across_an_await(store):
    read = store.read
    first = await read("n")
    await store.write("sum", first + await read("n"))


@construct
async def a_local_class(store):
    class Box:
        def __init__(self, value):
            self.value = value

    box = Box(await store.read("n"))
    await store.add("calls")
    await store.write("value", box.value)


@construct
async def a_delegating_generator(store):
    def numbers():
        yield from [1, 2]
        return 3

    for number in numbers():
        await store.add("sum", number + await store.read("n"))


@construct
async def gather_and_timeout(store):
    first, second = await asyncio.gather(store.read("n"), store.read("n"))
    async with asyncio.timeout(None):
        await store.write("sum", first + second)


@construct
async def del_and_global_names(store):
    value = await store.read("n")
    text = str(value)
    del value
    await store.write(text, int(len(CONSTRUCTS) > 0))


# What only helps, kept by a module for all tasks and executions -----------------------

LOG = logging.getLogger("ordinary constructs")
METRICS = Counter()
LINES = 0


class Rates:
    """A service with what services keep."""

    def __init__(self):
        self.calls = 0
        self.client = None
        self.memo = {}

    @functools.cached_property
    def limit(self):
        return len("abc")

    @functools.lru_cache(maxsize=16)  # noqa: B019 - people do that
    def price(self, number):
        return number * 2


RATES = Rates()


@construct
async def a_cached_property(store):
    await store.write("value", RATES.limit + await store.read("n"))


@construct
async def lazy_initialisation(store):
    number = await store.read("n")
    if RATES.client is None:
        RATES.client = ("host", 5432)
    await store.write(RATES.client[0], number)


@construct
async def a_memo_table(store):
    number = await store.read("n")
    if number not in RATES.memo:
        RATES.memo[number] = number * 2
    await store.write("value", RATES.memo[number])


@construct
async def a_cached_method(store):
    await store.write("value", RATES.price(await store.read("n")))


@construct
async def metrics_on_an_instance_and_in_a_module(store):
    global LINES
    RATES.calls += 1
    METRICS["reads"] += 1
    number = await store.read("n")
    LINES += 1
    await store.write("value", number)


@construct
async def a_log_line_with_a_duration_and_an_id(store):
    begun, request = time.perf_counter(), uuid.uuid4()
    number = await store.read("n")
    LOG.info("%s took %.3f s", request, time.perf_counter() - begun)
    await store.write("value", number)


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_an_ordinary_construct_is_proved_with_the_ends_of_the_kernel(name):
    """Neither an end too few nor one too many."""
    check(CONSTRUCTS[name])

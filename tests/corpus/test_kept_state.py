"""What only helps is proved to only help; what looks like it and decides is not."""

import collections
import functools
import json
import logging
import operator
import time
import types
import uuid
from dataclasses import dataclass

import pytest

from wavecheck.sim.exhaustive import CannotLearn, explore
from wavecheck.sim.operation import statement
from wavecheck.sim.verdict import Outcome

LOG = logging.getLogger("wavecheck-corpus-kept")
COUNTS = collections.Counter()
MEMO = {}
NUMBER = 0


@functools.cache
def doubled(number):
    return number * 2


@functools.lru_cache(maxsize=1)
def tripled(number):
    return number * 3


class Service:
    """Keeps whatever a service keeps."""

    kind_calls = 0

    def __init__(self):
        self.calls = 0
        self.total = 0.0
        self.client = None
        self.memo = {}
        self.per_kind = collections.defaultdict(int)
        self.seen = set()
        self.last = None
        self.high = 0
        self.is_ready = False
        self.pool = [1]
        self.count = counting()
        self.slots = Slots()

    @functools.cached_property
    def settings(self):
        return {"limit": 3}

    @functools.cached_property
    def handler(self):
        return functools.partial(self.handle, 1)

    @functools.cached_property
    def options(self):
        return Options(names=("a", "b"))

    def handle(self, one, other):
        return one + other

    @functools.lru_cache(maxsize=8)  # noqa: B019 - people do that
    def price(self, number):
        return number * 2


class Slots:
    __slots__ = ("calls",)

    def __init__(self):
        self.calls = 0


@dataclass
class Options:
    names: tuple[str, ...] = ()
    uses: int = 0


def counting():
    calls = 0

    def count():
        nonlocal calls
        calls += 1

    return count


def called():
    """Carry an attribute."""


called.times = 0


# What only helps: (what is done before a step is awaited) -> whether that is wrong ----


def cached_property(service, n):
    return service.settings["limit"] != 3


def cached_partial_of_itself(service, n):
    return service.handler(2) != 3


def cached_dataclass(service, n):
    return service.options.names[n] not in "ab"


def lazy_client(service, n):
    if service.client is None:
        service.client = Options(names=("client",))
    return service.client.names != ("client",)


def lazy_without_a_default(service, n):
    if not hasattr(service, "parser"):
        service.parser = json
    return service.parser is not json


def memo(service, n):
    if n not in service.memo:
        service.memo[n] = n * 2
    return service.memo[n] != n * 2


def memo_by_setdefault(service, n):
    return service.memo.setdefault(("double", n), [n * 2])[0] != n * 2


def memo_of_a_module(service, n):
    try:
        found = MEMO[n]
    except KeyError:
        found = MEMO[n] = str(n)
    return found != str(n)


def functools_cache(service, n):
    return doubled(n) != 2 * n


def functools_lru_cache_that_drops(service, n):
    return tripled(n) != 3 * n


def functools_lru_cache_of_a_method(service, n):
    return service.price(n) != 2 * n


def counter(service, n):
    service.calls += 1


def counter_in_slots(service, n):
    service.slots.calls += 1


def counter_of_a_module(service, n):
    global NUMBER
    NUMBER += 1


def counter_of_a_class(service, n):
    type(service).kind_calls += 1


def counter_in_a_closure(service, n):
    service.count()


def counter_of_a_function(service, n):
    called.times += 1


def counters_by_name(service, n):
    COUNTS[f"choice {n}"] += 1


def counters_by_default(service, n):
    service.per_kind[n] += 2


def sum_of_durations(service, n):
    service.total += n * 0.5


def sum_of_another_counter(service, n):
    service.calls += 1
    service.high = service.calls * 2


def last_seen(service, n):
    service.last = f"choice {n}"


def set_of_seen(service, n):
    service.seen.add(n)


def ready_once(service, n):
    if not service.is_ready:
        service.client, service.is_ready = ("host", 5432), True
    return service.client != ("host", 5432)


def highest(service, n):
    service.high = max(service.high, n)


def log_line_with_a_duration(service, n):
    begun = time.perf_counter()
    LOG.info("chose %d in %.3f s", n, time.perf_counter() - begun)


def request_id(service, n):
    LOG.info("request %s", uuid.uuid4())


def cache_and_counter(service, n):
    service.calls += 1
    COUNTS["hit" if n in service.memo else "miss"] += 1
    return service.memo.setdefault(n, n) != n


HARMLESS = [
    *(cached_property, cached_partial_of_itself, cached_dataclass, lazy_client),
    *(lazy_without_a_default, memo, memo_by_setdefault, memo_of_a_module),
    *(functools_cache, functools_lru_cache_that_drops),
    *(functools_lru_cache_of_a_method, counter, counter_in_slots),
    *(counter_of_a_module, counter_of_a_class, counter_in_a_closure),
    *(counter_of_a_function, counters_by_name, counters_by_default),
    *(sum_of_durations, sum_of_another_counter, last_seen, set_of_seen, ready_once),
    *(highest, log_line_with_a_duration, request_id, cache_and_counter),
]


def world_of(corpus, act):
    """Two tasks that choose a number, do something with it, and look at the store."""

    async def flow(store, service):
        chosen = await store.either()
        is_bad = act(service, chosen)
        await store.read()
        if is_bad:
            await store.write_bad()

    def begin():
        MEMO.clear()
        COUNTS.clear()
        return Service()

    return corpus.World(flow, begin=begin)


@pytest.mark.parametrize("act", HARMLESS, ids=lambda act: act.__name__)
def test_what_only_helps_is_proved(corpus, act):
    """Caches, lazy values, counters, logs and ids change nothing: PROVED."""
    assert not corpus.is_violated(world_of(corpus, act))
    assert corpus.verdict(lambda: world_of(corpus, act)) is Outcome.PROVED


# What looks like it and decides -------------------------------------------------------


def third_call(service, n):
    service.calls += 1
    return service.calls == 2


def every_seventh_call(service, n):
    global NUMBER
    NUMBER += 1
    return NUMBER % 7 == 0


def last_digit(service, n):
    global NUMBER
    NUMBER += 1
    return str(NUMBER).endswith("9")


def memo_by_the_wrong_key(service, n):
    if "result" not in service.memo:
        service.memo["result"] = n
    return service.memo["result"] != n


def first_answer_for_ever(service, n):
    if service.client is None:
        service.client = n
    return service.client != n


def leader(service, n):
    is_first = not service.is_ready
    service.is_ready = True
    return not is_first


def cached_list_that_grows(service, n):
    rows = service.memo.setdefault("rows", [])
    rows.append(n)
    return len(rows) > 1


def cached_object_that_changes(service, n):
    service.options.uses += 1
    return service.options.uses > 1


def cache_asked_for_its_hits(service, n):
    doubled(n)
    return doubled.cache_info().hits % 5 == 4


def function_that_is_cached_and_counts(service, n):
    before = len(MEMO)
    noting(service, n)
    return len(MEMO) == before


@functools.cache
def noting(service, n):
    MEMO[len(MEMO)] = n


def order_in_a_memo(service, n):
    service.memo[n] = n
    return next(iter(service.memo)) != n


def size_of_a_memo(service, n):
    service.memo[n] = n
    return len(service.memo) > 1


def count_modulo(service, n):
    service.calls = (service.calls + 1) % 2
    return service.calls == 0


def toggle(service, n):
    service.is_ready = not service.is_ready
    return not service.is_ready


def pool_that_runs_dry(service, n):
    return not service.pool or not service.pool.pop()


def last_value_compared(service, n):
    before, service.last = service.last, n
    return before is not None and before != n


def duplicate_dropped(service, n):
    is_known = n in service.seen
    service.seen.add(n)
    return is_known


def sum_compared(service, n):
    service.total += 0.5
    return service.total >= 1


def highest_compared(service, n):
    service.high = max(service.high, n)
    return service.high > n


def shared_entry_emptied(service, n):
    entry = service.memo.setdefault("entry", {"left": 1})
    return not entry.pop("left", 0)


def slots_compared(service, n):
    service.slots.calls += 1
    return service.slots.calls > 1


def error_that_remembers(service, n):
    if service.client is None:
        service.client = ValueError("first")
        return False
    return service.client.args == ("first",)


def counter_as_an_index(service, n):
    service.calls += 1
    return (False, False, True)[service.calls]


def counter_in_a_range(service, n):
    service.calls += 1
    return len(range(service.calls)) > 1


DECIDING = [
    *(third_call, every_seventh_call, last_digit, memo_by_the_wrong_key),
    *(first_answer_for_ever, leader, cached_list_that_grows),
    *(cached_object_that_changes, cache_asked_for_its_hits),
    *(function_that_is_cached_and_counts, order_in_a_memo, size_of_a_memo),
    *(count_modulo, toggle, pool_that_runs_dry, last_value_compared),
    *(duplicate_dropped, sum_compared, highest_compared, shared_entry_emptied),
    *(slots_compared, error_that_remembers, counter_as_an_index, counter_in_a_range),
]


@pytest.mark.parametrize("act", DECIDING, ids=lambda act: act.__name__)
def test_what_decides_is_refused_or_refuted(corpus, act):
    """The state looks like a cache or a counter, and some schedule is bad by it."""
    assert corpus.is_violated(world_of(corpus, act))
    verdict = corpus.verdict(lambda: world_of(corpus, act))
    assert verdict in (Outcome.VIOLATED, "refused")


# What decides so late that no small world shows it ------------------------------------


def above_a_thousand(service, n):
    service.calls += 1
    return service.calls > 1_000


def above_a_thousand_unless_it_fails(service, n):
    service.calls += 1
    try:
        return service.calls > 1_000
    except Exception:
        return False


def above_a_thousand_by_its_type(service, n):
    service.calls += 1
    return type(service.calls) is int and service.calls > 1_000


def above_a_thousand_by_its_class(service, n):
    service.calls += 1
    return isinstance(service.calls, int) and operator.gt(service.calls, 1_000)


def above_a_thousand_by_subtraction(service, n):
    service.calls += 1
    return bool(max(service.calls - 1_000, 0))


def above_a_thousand_by_a_copy(service, n):
    service.calls += 1
    service.last = types.SimpleNamespace(calls=service.calls)
    return service.last.calls > 1_000


def four_digits_as_json(service, n):
    service.calls += 1
    try:
        return len(json.dumps([service.calls])) > 5
    except TypeError:
        return False


def four_digits_by_percent(service, n):
    service.calls += 1
    return len("%d" % service.calls) > 3  # noqa: UP031 - what C makes of it


def rarely_by_the_power(service, n):
    service.calls += 1
    return pow(2, service.calls, 1_009) == 7


LATE = [
    *(above_a_thousand, above_a_thousand_unless_it_fails),
    *(above_a_thousand_by_its_type, above_a_thousand_by_its_class),
    *(above_a_thousand_by_subtraction, above_a_thousand_by_a_copy),
    *(four_digits_as_json, four_digits_by_percent, rarely_by_the_power),
]


@pytest.mark.parametrize("act", LATE, ids=lambda act: act.__name__)
def test_a_number_that_is_looked_at_is_refused(corpus, act):
    """No size shows what a large number does, so whoever looks at it is refused."""
    assert corpus.verdict(lambda: world_of(corpus, act)) == "refused"


# Who else may look at it --------------------------------------------------------------


class Peeking:
    """A statement that looks at what a service keeps."""

    def __init__(self, store, service):
        self.store, self.service = store, service

    @statement
    def peek(self):
        """Look."""
        if self.service.calls > 1:
            self.store.bad.add()


async def peeking(store, service):
    await store.read()
    service.calls += 1
    await Peeking(store, service).peek()


async def holding(store, service):
    await store.read()
    service.calls += 1
    number = service.calls
    await store.read()
    if number > 1:
        await store.write_bad()


async def writing_last(store, service):
    await store.read()
    mine = service.last = object()
    await store.read()
    if service.last is not mine:
        await store.write_bad()


async def in_flight(store, service):
    chosen = await store.either()
    if chosen in service.seen:
        await store.write_bad()
        return
    service.seen.add(chosen)
    await store.read()
    service.seen.discard(chosen)


async def by_history(store, service):
    hidden = memoryview(bytearray(b"a"))
    await store.read()
    service.calls += 1
    number = [service.calls, hidden]
    await store.read()
    await store.read()
    if number[0] > 1:
        await store.write_bad()


async def stale(store, service):
    before = await store.either()
    known = service.memo.setdefault("known", before)
    await store.read()
    if known != service.memo["known"] or known != before:
        await store.write_bad()


FLOWS = [peeking, holding, writing_last, in_flight, by_history, stale]


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.__name__)
def test_what_is_looked_at_later_is_refused_or_refuted(corpus, flow):
    """A statement, a variable held across a step, a set of keys in flight decide."""

    def world():
        return corpus.World(flow, begin=Service)

    assert corpus.is_violated(world())
    assert corpus.verdict(world) in (Outcome.VIOLATED, "refused")


async def harmless_by_history(store, service):
    hidden = memoryview(bytearray(b"a"))
    await store.read()
    service.calls += 1
    await store.read()
    settings = service.settings
    await store.read()
    if settings["limit"] != 3 or not hidden:
        await store.write_bad()


def test_what_only_helps_is_proved_where_only_the_history_tells_local_states(corpus):
    """A variable that cannot be compared does not keep caches from being proved."""

    def world():
        return corpus.World(harmless_by_history, begin=Service)

    assert corpus.verdict(world) is Outcome.PROVED


def test_a_property_that_looks_at_what_is_kept_is_refused(corpus):
    """A judgement that depends on it belongs to a part."""
    from dataclasses import replace

    world = world_of(corpus, counter)
    looking = replace(
        world.properties[0],
        name="few",
        on_change={},
        at_end=lambda world: "many" if world.under_test.calls > 5 else None,
    )
    world.properties = (*world.properties, looking)
    with pytest.raises(CannotLearn):
        explore(world)


def test_a_proof_says_what_was_kept(corpus):
    """Each place is named, with what was tried in it."""
    explored = explore(world_of(corpus, cache_and_counter))
    assert explored.kept == (
        "attribute 'memo' of Service: it was kept and never changed what was done,"
        " explored with each of the 5 values that it can take",
        "attribute 'calls' of Service: it was kept and never read, whatever number it"
        " was",
        "global 'COUNTS' of module tests.corpus.test_kept_state: it was kept and never"
        " read, whatever number it was",
    )


def test_a_refusal_names_place_task_and_both_behaviours(corpus):
    """Who is refused sees what decides, where, and what else would have been done."""
    with pytest.raises(CannotLearn) as refused:
        explore(world_of(corpus, first_answer_for_ever))
    assert str(refused.value).splitlines()[:5] == [
        "cannot be proved: attribute 'client' of Service changes as tasks run, and"
        " decides what they do",
        "  in task  task-1",
        "  at       after either()",
        "  learned  read() by other variables, where it holds None",
        "  instead  read() by these variables, where it holds 0",
    ]

"""Programs that keep state beside the parts: refused or refuted, never proved."""

import argparse
import array
import asyncio
import builtins
import collections
import contextvars
import decimal
import functools
import importlib.util
import io
import itertools
import logging
import operator
import os
import queue
import random
import sqlite3
import sys
import threading
import types
import weakref
from dataclasses import dataclass

import numpy
import pytest

from wavecheck.sim.verdict import Outcome

# What holds the state, and where that is kept ---------------------------------------


class Plain:
    n = 0


class Slotted:
    __slots__ = ("n",)

    def __init__(self):
        self.n = 0


@dataclass
class Data:
    n: int = 0


@dataclass(slots=True)
class SlottedData:
    n: int = 0


class OwnDict(dict):
    n = 0


class OwnList(list):
    n = 0


class OwnTuple(tuple):
    n = 0


class OwnInt(int):
    n = 0


class OwnSet(frozenset):
    n = 0


class OwnError(Exception):
    n = 0


class Liar:
    n = 0

    def __eq__(self, other):
        return True

    __hash__ = object.__hash__

    def __getattribute__(self, name):
        return {} if name == "__dict__" else object.__getattribute__(self, name)


class Descriptor:
    def __init__(self):
        self.hidden = 0

    n = property(
        lambda self: self.hidden, lambda self, value: setattr(self, "hidden", value)
    )


class OwnNamespace(types.SimpleNamespace):
    pass


class OwnThreadLocal(threading.local):
    n = 0


def counts_attribute(holder):
    holder.n = getattr(holder, "n", 0) + 1
    return holder.n


def counts_items(holder):
    holder.append(1)
    return len(holder)


def counts_key(holder):
    holder["n"] = holder.get("n", 0) + 1
    return holder["n"]


def counts_first(holder):
    holder[0] += 1
    return holder[0]


def counts_next(holder):
    return next(holder)


def counts_added(holder):
    holder.add(len(holder))
    return len(holder)


def counts_written(holder):
    holder.write(b"a" if isinstance(holder, io.BytesIO) else "a")
    return len(holder.getvalue())


def counts_put(holder):
    holder.put_nowait(1)
    return holder.qsize()


def counts_locks(holder):
    for number, lock in enumerate(holder, start=1):
        if not lock.locked():
            if isinstance(lock, asyncio.Lock):
                lock._locked = True
            else:
                lock.acquire()
            return number
    return 99


def counts_events(holder):
    for number, event in enumerate(holder, start=1):
        if not event.is_set():
            event.set()
            return number
    return 99


def counts_called(holder):
    holder(1)
    return len(holder.__self__)


def counts_partial(holder):
    holder.args[0].append(1)
    return len(holder.args[0])


def counts_cell(holder):
    return holder()


def counts_variable(holder):
    holder.set(holder.get() + 1)
    return holder.get()


def counts_random(holder):
    first = random.Random(1)
    drawn, number = holder.random(), 1
    while first.random() != drawn:
        number += 1
    return number


def counts_semaphore(holder):
    holder._value -= 1
    return 100 - holder._value


def counts_level(holder):
    holder.setLevel(holder.level + 1)
    return holder.level


def counts_precision(holder):
    holder.prec += 1
    return holder.prec - 10


def counts_data(holder):
    holder.data["n"] = holder.data.get("n", 0) + 1
    return holder.data["n"]


def counts_cache(holder):
    holder(holder.cache_info().currsize)
    return holder.cache_info().currsize


def counts_notes(holder):
    holder.add_note("x")
    return len(holder.__notes__)


def counts_cause(holder):
    holder.__cause__ = ValueError(getattr(holder.__cause__, "args", (0,))[0] + 1)
    return holder.__cause__.args[0]


def counts_document(holder):
    holder.__doc__ = str(int(holder.__doc__ or 0) + 1)
    return int(holder.__doc__)


def counting_closure():
    n = 0

    def count():
        nonlocal n
        n += 1
        return n

    return count


def counting_generator():
    n = 0
    while True:
        n += 1
        yield n


def function_with_attribute():
    return lambda: None


def counter_class():
    return type("Local", (), {"n": 0})


def fresh_logger():
    logger = logging.getLogger("wavecheck-corpus")
    logger.setLevel(1)
    logger.setLevel(0)
    return logger


HOLDERS = {
    "plain": (Plain, counts_attribute),
    "slotted": (Slotted, counts_attribute),
    "dataclass": (Data, counts_attribute),
    "slotted dataclass": (SlottedData, counts_attribute),
    "dict subclass's attribute": (OwnDict, counts_attribute),
    "list subclass's attribute": (OwnList, counts_attribute),
    "tuple subclass's attribute": (OwnTuple, counts_attribute),
    "int subclass's attribute": (OwnInt, counts_attribute),
    "frozenset subclass's attribute": (OwnSet, counts_attribute),
    "error's attribute": (OwnError, counts_attribute),
    "error's notes": (ValueError, counts_notes),
    "error's cause": (ValueError, counts_cause),
    "liar": (Liar, counts_attribute),
    "property": (Descriptor, counts_attribute),
    "SimpleNamespace": (types.SimpleNamespace, counts_attribute),
    "namespace subclass": (OwnNamespace, counts_attribute),
    "argparse.Namespace": (argparse.Namespace, counts_attribute),
    "threading.local": (threading.local, counts_attribute),
    "threading.local subclass": (OwnThreadLocal, counts_attribute),
    "class": (counter_class, counts_attribute),
    "function's attribute": (function_with_attribute, counts_attribute),
    "function's document": (function_with_attribute, counts_document),
    "partial's attribute": (lambda: functools.partial(print), counts_attribute),
    "list": (list, counts_items),
    "deque": (collections.deque, counts_items),
    "bytearray": (bytearray, counts_items),
    "array": (lambda: array.array("i"), counts_items),
    "array's item": (lambda: array.array("i", [0]), counts_first),
    "UserList": (collections.UserList, counts_items),
    "dict": (dict, counts_key),
    "defaultdict": (lambda: collections.defaultdict(int), counts_key),
    "OrderedDict": (collections.OrderedDict, counts_key),
    "Counter": (collections.Counter, counts_key),
    "UserDict": (collections.UserDict, counts_key),
    "ChainMap": (lambda: collections.ChainMap({}), counts_key),
    "set": (set, counts_added),
    "count": (lambda: itertools.count(1), counts_next),
    "cycle": (lambda: itertools.cycle([1, 2, 3, 4]), counts_next),
    "iterator of a list": (lambda: iter([1, 2, 3, 4, 5, 6]), counts_next),
    "iterator of a range": (lambda: iter(range(1, 9)), counts_next),
    "map": (lambda: map(operator.itemgetter(0), enumerate("abcdef", 1)), counts_next),
    "chain": (lambda: itertools.chain([1], [2], [3], [4], [5]), counts_next),
    "islice": (lambda: itertools.islice(itertools.count(1), 9), counts_next),
    "generator": (counting_generator, counts_next),
    "generator expression": (lambda: (n for n in range(1, 9)), counts_next),
    "StringIO": (io.StringIO, counts_written),
    "BytesIO": (io.BytesIO, counts_written),
    "queue.Queue": (queue.Queue, counts_put),
    "queue.LifoQueue": (queue.LifoQueue, counts_put),
    "queue.SimpleQueue": (queue.SimpleQueue, counts_put),
    "asyncio.Queue": (asyncio.Queue, counts_put),
    "asyncio.Lock": (lambda: [asyncio.Lock() for _ in range(9)], counts_locks),
    "threading.Lock": (lambda: [threading.Lock() for _ in range(9)], counts_locks),
    "asyncio.Event": (lambda: [asyncio.Event() for _ in range(9)], counts_events),
    "threading.Event": (lambda: [threading.Event() for _ in range(9)], counts_events),
    "asyncio.Semaphore": (lambda: asyncio.Semaphore(100), counts_semaphore),
    "threading.Semaphore": (lambda: threading.Semaphore(100), counts_semaphore),
    "bound append": (lambda: [].append, counts_called),
    "partial of a list": (lambda: functools.partial(print, []), counts_partial),
    "closure": (counting_closure, counts_cell),
    "bound method": (lambda: counting_closure().__call__, counts_cell),
    "random.Random": (lambda: random.Random(1), counts_random),
    "logger": (fresh_logger, counts_level),
    "decimal.Context": (lambda: decimal.Context(prec=10), counts_precision),
    "lru_cache": (lambda: functools.lru_cache(lambda n: n), counts_cache),
    "cache": (lambda: functools.cache(lambda n: n), counts_cache),
    "context variable": (
        lambda: contextvars.ContextVar("corpus", default=0),
        counts_variable,
    ),
}

KEPT = {"holder": None}
"""Where a module's global is kept."""


class OnClass:
    """A class attribute is kept here."""

    holder = None


class Wrapping:
    """An object in an object."""

    def __init__(self, inner):
        self.inner = inner


def kept_by_default(holder=[None]):  # noqa: B006 - that is how state is hidden
    return holder


def on_instance(make):
    return make, lambda shared: shared


def in_list(make):
    return (lambda: [make()]), lambda shared: shared[0]


def in_tuple(make):
    return (lambda: (make(), 1)), lambda shared: shared[0]


def in_dict(make):
    return (lambda: {"key": make()}), lambda shared: shared["key"]


def in_object(make):
    return (lambda: Wrapping(Wrapping(make()))), lambda shared: shared.inner.inner


def in_partial(make):
    return (lambda: functools.partial(Wrapping, make())), lambda shared: shared().inner


def in_closure(make):
    def begin():
        holder = make()
        return lambda: holder

    return begin, lambda shared: shared()


def in_module(make):
    def begin():
        KEPT["holder"] = make()

    return begin, lambda shared: KEPT["holder"]


def in_class(make):
    def begin():
        OnClass.holder = make()

    return begin, lambda shared: OnClass.holder


def in_default(make):
    def begin():
        kept_by_default()[0] = make()

    return begin, lambda shared: kept_by_default()[0]


PLACES = (
    *(on_instance, in_list, in_tuple, in_dict, in_object, in_partial, in_closure),
    *(in_module, in_class, in_default),
)

EVERYWHERE = ("plain", "list", "dict", "SimpleNamespace", "asyncio.Queue", "count")
"""Holders that are tried in each place; the others take turns."""


def hidden_programs():
    """Yield each holder in three places, and some in all of them."""
    for number, name in enumerate(HOLDERS):
        places = [PLACES[(number * 3 + step) % len(PLACES)] for step in range(3)]
        for place in PLACES if name in EVERYWHERE else places:
            yield pytest.param(name, place, id=f"{name}, {place.__name__}")


@pytest.mark.parametrize(("holder", "place"), list(hidden_programs()))
def test_state_behind_the_parts_is_refused_or_refuted(corpus, holder, place):
    """The second call of two tasks is bad; nobody may prove that there is none."""
    make, bump = HOLDERS[holder]
    begin, get = place(make)

    async def flow(store, shared):
        await store.read()
        if bump(get(shared)) >= 2:
            await store.write_bad()

    def world():
        return corpus.World(flow, begin=begin)

    assert corpus.is_violated(world())
    assert corpus.verdict(world) in (Outcome.VIOLATED, "refused")


# Hidden state that is no object of the program ----------------------------------------

__counted__ = {"n": 0}


def counts_environment():
    os.environ["WAVECHECK_CORPUS"] = str(int(os.environ["WAVECHECK_CORPUS"]) + 1)
    return int(os.environ["WAVECHECK_CORPUS"])


def counts_on_sys():
    sys.wavecheck_corpus += 1
    return sys.wavecheck_corpus


def counts_on_builtins():
    builtins.wavecheck_corpus += 1
    return builtins.wavecheck_corpus


def counts_dunder():
    __counted__["n"] += 1
    return __counted__["n"]


def counts_by_globals():
    globals()["COUNT"] += 1
    return globals()["COUNT"]


def counts_precision_here():
    decimal.getcontext().prec += 1
    return decimal.getcontext().prec - 10


def counts_in_library_class():
    collections.Counter.wavecheck_corpus += 1
    return collections.Counter.wavecheck_corpus


def counts_in_file():
    with FILE.open("a+") as file:
        file.write("a")
        return file.tell()


def counts_in_database():
    CONNECTION.execute("INSERT INTO n VALUES (1)")
    return CONNECTION.execute("SELECT count(*) FROM n").fetchone()[0]


def counts_weakly():
    WEAK().n += 1
    return WEAK().n


def counts_array():
    NUMBERS[0] += 1
    return NUMBERS[0]


def counts_by_import():
    import wavecheck_corpus_helper

    wavecheck_corpus_helper.state["n"] += 1
    return wavecheck_corpus_helper.state["n"]


def counts_by_from_import():
    from wavecheck_corpus_helper import state

    state["n"] += 1
    return state["n"]


def counts_by_import_module():
    state = importlib.import_module("wavecheck_corpus_helper").state
    state["n"] += 1
    return state["n"]


def counts_by_sys_modules():
    state = sys.modules["wavecheck_corpus_helper"].state
    state["n"] += 1
    return state["n"]


def counts_by_function_of_helper():
    return sys.modules["wavecheck_corpus_helper"].count()


def counts_under_our_name():
    return OURS.count()


COUNT, FILE, CONNECTION, WEAK, STRONG, NUMBERS, OURS = (
    0,
    None,
    None,
    None,
    None,
    None,
    None,
)

ELSEWHERE = [
    *(counts_environment, counts_on_sys, counts_on_builtins, counts_dunder),
    *(counts_by_globals, counts_precision_here, counts_in_library_class),
    *(counts_in_file, counts_in_database, counts_weakly, counts_array),
    *(counts_by_import, counts_by_from_import, counts_by_import_module),
    *(counts_by_sys_modules, counts_by_function_of_helper, counts_under_our_name),
]

HELPER = """
state = {"n": 0}

def count():
    state["n"] += 1
    return state["n"]
"""


def loaded(name, file):
    """Import a file under a name, as if it were installed or a part of Wavecheck."""
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """Everything that programs count in, and a function that sets it to zero."""
    here = sys.modules[__name__]
    installed = tmp_path / "lib" / "python3.11" / "site-packages"
    installed.mkdir(parents=True)
    (installed / "wavecheck_corpus_helper.py").write_text(HELPER)
    monkeypatch.syspath_prepend(installed)
    monkeypatch.setitem(sys.modules, "wavecheck_corpus_helper", None)
    monkeypatch.setitem(sys.modules, "wavecheck.sim.corpus", None)
    file = installed / "wavecheck_corpus_helper.py"
    helper = loaded("wavecheck_corpus_helper", file)
    ours = loaded("wavecheck.sim.corpus", file)
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE n (n)")
    monkeypatch.setattr(here, "FILE", tmp_path / "counted")
    monkeypatch.setattr(here, "CONNECTION", connection)
    monkeypatch.setattr(here, "OURS", ours)
    monkeypatch.setattr(here, "NUMBERS", numpy.zeros(1, int))
    monkeypatch.setattr(here, "STRONG", Plain())
    monkeypatch.setattr(here, "WEAK", weakref.ref(here.STRONG))
    monkeypatch.setattr(collections.Counter, "wavecheck_corpus", 0, raising=False)
    monkeypatch.setattr(sys, "wavecheck_corpus", 0, raising=False)
    monkeypatch.setattr(builtins, "wavecheck_corpus", 0, raising=False)
    monkeypatch.setenv("WAVECHECK_CORPUS", "0")
    monkeypatch.setattr(here, "COUNT", 0)

    def reset():
        here.FILE.unlink(missing_ok=True)
        connection.execute("DELETE FROM n")
        os.environ["WAVECHECK_CORPUS"] = "0"
        sys.wavecheck_corpus = builtins.wavecheck_corpus = here.COUNT = 0
        collections.Counter.wavecheck_corpus = here.STRONG.n = NUMBERS[0] = 0
        __counted__["n"] = helper.state["n"] = ours.state["n"] = 0
        decimal.getcontext().prec = 10

    yield reset
    connection.close()
    decimal.getcontext().prec = 28


@pytest.mark.parametrize("count", ELSEWHERE, ids=lambda count: count.__name__)
def test_state_outside_of_the_program_is_refused_or_refuted(corpus, prepared, count):
    """In a file, an installed module, the environment, a class of the library."""

    async def flow(store, shared):
        await store.read()
        if count() >= 2:
            await store.write_bad()

    def world():
        return corpus.World(flow, begin=prepared)

    assert corpus.is_violated(world())
    assert corpus.verdict(world) in (Outcome.VIOLATED, "refused")

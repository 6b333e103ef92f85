"""Values that look alike and are not: a proof must not take one for the other."""

import array
import asyncio
import collections
import decimal
import fractions
import functools
import io
import itertools
import operator
import queue
import random
import threading
import types
from enum import Enum, Flag

import pytest

from wavecheck.sim.verdict import Outcome


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


def counting_generator():
    n = 0
    while True:
        n += 1
        yield n


# Two values that look alike, and what tells them apart -------------------------------


class Lying:
    """Is equal to everything of its kind."""

    def __init__(self, number):
        self.number = number

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 1


class LyingSlots(Lying):
    __slots__ = ("extra",)


class Hiding:
    """Shows no attributes to who asks for them."""

    def __init__(self, number):
        self.number = number

    def __getattribute__(self, name):
        if name in ("__dict__", "__slots__"):
            return {}
        return object.__getattribute__(self, name)


class Reducing(Hiding):
    def __reduce__(self):
        return Reducing, (0,)


class LyingMeta(type):
    def __eq__(cls, other):
        return True

    def __hash__(cls):
        return 1


class SlottedError(Exception):
    __slots__ = ("code",)


class Colour(Enum):
    RED = 1


class Bits(Flag):
    A = 1
    B = 2


def raised(error, *, line):
    try:
        if line:
            raise error
        raise error
    except ValueError as caught:
        return caught


def error_with(name, value):
    error = ValueError()
    setattr(error, name, value)
    return error


def slotted_error(number):
    error = SlottedError()
    error.code = number
    return error


def function_with(**attributes):
    def function(first=0):
        return first

    for name, value in attributes.items():
        setattr(function, name, value)
    return function


def own(kind, value, number):
    made = kind(value)
    made.n = number
    return made


def fake_member(value):
    made = object.__new__(Colour)
    made._value_, made._name_ = value, "RED"
    return made


def advanced(iterator, times):
    for _ in range(times):
        next(iterator)
    return iterator


def aliased(*, same):
    first = [1]
    return (first, first if same else [1])


def told_by_alias(value):
    value[0].append(2)
    return len(value[1])


def bounded(size):
    return collections.deque([1], maxlen=size)


def nan_pair(*, same):
    nan = float("nan")
    return (nan, nan if same else float("nan"))


def class_with(number):
    return type("Made", (), {"number": number})


def class_with_lying_meta(number):
    return LyingMeta("Made", (), {"number": number})()


def closed_over(number):
    return lambda: number


def emptied(cell_is_empty):
    def outer():
        if not cell_is_empty:
            value = 1
        return lambda: value

    return outer()


def is_empty(function):
    try:
        function()
    except NameError:
        return True
    return False


def suspended(times):
    generator = counting_generator()
    for _ in range(times):
        next(generator)
    return generator


PAIRS = {
    "error's cause": (
        lambda n: error_with("__cause__", KeyError(n)),
        lambda v: v.__cause__.args,
    ),
    "error's context": (
        lambda n: error_with("__context__", KeyError(n)),
        lambda v: v.__context__.args,
    ),
    "error's suppression": (
        lambda n: error_with("__suppress_context__", bool(n)),
        lambda v: v.__suppress_context__,
    ),
    "error's attribute": (lambda n: error_with("code", n), lambda v: v.code),
    "error's slot": (slotted_error, lambda v: v.code),
    "error's notes": (lambda n: error_with("__notes__", [n]), lambda v: v.__notes__),
    "error's line": (
        lambda n: raised(ValueError(), line=n),
        lambda v: v.__traceback__.tb_lineno,
    ),
    "error's traceback": (
        lambda n: raised(ValueError(), line=0) if n else ValueError(),
        lambda v: v.__traceback__ is None,
    ),
    "error's kind of arguments": (
        lambda n: ValueError(bool(n) if n else n + 0 == 1),
        lambda v: v.args,
    ),
    "OSError's file": (lambda n: OSError(1, "x", f"file-{n}"), lambda v: v.filename),
    "StopIteration's value": (StopIteration, lambda v: v.value),
    "liar in __eq__": (Lying, lambda v: v.number),
    "liar with slots": (LyingSlots, lambda v: v.number),
    "liar in __getattribute__": (Hiding, lambda v: v.number),
    "liar in __reduce__": (Reducing, lambda v: v.number),
    "liar in a list": (lambda n: [Lying(n)], lambda v: v[0].number),
    "liar as a key": (lambda n: {Lying(n): 1}, lambda v: next(iter(v)).number),
    "instance of a lying metaclass": (class_with_lying_meta, lambda v: v.number),
    "class": (class_with, lambda v: v.number),
    "zero's sign": (lambda n: -0.0 if n else 0.0, str),
    "complex zero's sign": (
        lambda n: complex(0.0, -0.0 if n else 0.0),
        lambda v: str(v.imag),
    ),
    "complex real's sign": (
        lambda n: complex(-0.0 if n else 0.0, 1.0),
        lambda v: str(v.real),
    ),
    "NaN's identity": (lambda n: nan_pair(same=bool(n)), lambda v: v[0] in [v[1]]),
    "type of one": (lambda n: 1 if n else True, lambda v: type(v).__name__),
    "type of a float": (lambda n: 1.0 if n else 1, lambda v: type(v).__name__),
    "str or bytes": (lambda n: "a" if n else b"a", lambda v: type(v).__name__),
    "tuple or list": (lambda n: (1,) if n else [1], lambda v: type(v).__name__),
    "range's step": (lambda n: range(0, 1, 1 + n), lambda v: v.step),
    "empty range": (lambda n: range(n, n), lambda v: v.start),
    "slice": (lambda n: slice(n), lambda v: v.stop),
    "order of a frozenset": (lambda n: frozenset([8, 0] if n else [0, 8]), list),
    "order of a set": (lambda n: {8, 0} if n else {0} | {8}, list),
    "order of a dict": (lambda n: {"a": 1, "b": 2} if n else {"b": 2, "a": 1}, list),
    "alias": (lambda n: aliased(same=bool(n)), told_by_alias),
    "alias in a dict": (
        lambda n: dict(zip("ab", aliased(same=bool(n)), strict=True)),
        lambda v: told_by_alias((v["a"], v["b"])),
    ),
    "second alias": (
        lambda n: (lambda a, b: [a, b, a if n else b])([1], [1]),
        lambda v: v[2] is v[0],
    ),
    "bound of a deque": (lambda n: bounded(2 + n), lambda v: v.maxlen),
    "unbounded deque": (lambda n: bounded(2 if n else None), lambda v: v.maxlen),
    "default of a defaultdict": (
        lambda n: collections.defaultdict(int if n else str),
        lambda v: v["x"],
    ),
    "order of an OrderedDict": (
        lambda n: collections.OrderedDict([("a", 1), ("b", 2)][:: 1 if n else -1]),
        list,
    ),
    "itemgetter": (operator.itemgetter, lambda v: v(["a", "b"])),
    "attrgetter": (
        lambda n: operator.attrgetter("real" if n else "imag"),
        lambda v: v(5),
    ),
    "methodcaller": (
        lambda n: operator.methodcaller("upper" if n else "lower"),
        lambda v: v("aB"),
    ),
    "partial's argument": (lambda n: functools.partial(int, n), lambda v: v()),
    "partial's keyword": (
        lambda n: functools.partial(int, "10", base=2 + n),
        lambda v: v(),
    ),
    "partial's attribute": (lambda n: own(functools.partial, int, n), lambda v: v.n),
    "function's name": (
        lambda n: function_with(__name__=f"f{n}"),
        lambda v: v.__name__,
    ),
    "function's qualified name": (
        lambda n: function_with(__qualname__=f"f{n}"),
        lambda v: v.__qualname__,
    ),
    "function's document": (
        lambda n: function_with(__doc__=f"f{n}"),
        lambda v: v.__doc__,
    ),
    "function's module": (
        lambda n: function_with(__module__=f"f{n}"),
        lambda v: v.__module__,
    ),
    "function's attribute": (lambda n: function_with(n=n), lambda v: v.n),
    "function's default": (lambda n: function_with(__defaults__=(n,)), lambda v: v()),
    "function's keyword default": (
        lambda n: function_with(__kwdefaults__={"first": n}),
        lambda v: v.__kwdefaults__,
    ),
    "closure": (closed_over, lambda v: v()),
    "empty cell": (emptied, is_empty),
    "bound method": (lambda n: [n].index, lambda v: v.__self__),
    "bound method of one's own": (
        lambda n: Lying(n).__eq__,
        lambda v: v.__self__.number,
    ),
    "method wrapper": (lambda n: [n].__len__, lambda v: v.__self__),
    "tuple subclass's attribute": (lambda n: own(OwnTuple, (), n), lambda v: v.n),
    "frozenset subclass's attribute": (lambda n: own(OwnSet, (), n), lambda v: v.n),
    "dict subclass's attribute": (lambda n: own(OwnDict, {}, n), lambda v: v.n),
    "list subclass's attribute": (lambda n: own(OwnList, [], n), lambda v: v.n),
    "int subclass's attribute": (lambda n: own(OwnInt, 3, n), lambda v: v.n),
    "member made at run time": (fake_member, lambda v: v._value_),
    "flags": (lambda n: Bits.A | Bits.B if n else Bits.A, lambda v: v.value),
    "iterator's position": (
        lambda n: advanced(iter([5, 5, 5]), n),
        lambda v: len(list(v)),
    ),
    "position in a string": (
        lambda n: advanced(iter("aaa"), n),
        lambda v: len(list(v)),
    ),
    "position in a dict": (
        lambda n: advanced(iter({1: 1, 2: 2}), n),
        lambda v: len(list(v)),
    ),
    "position in a set": (lambda n: advanced(iter({1, 2}), n), lambda v: len(list(v))),
    "enumerate's number": (lambda n: enumerate("a", n), lambda v: next(v)[0]),
    "zip": (
        lambda n: advanced(zip("aa", "bb", strict=True), n),
        lambda v: len(list(v)),
    ),
    "reversed": (lambda n: advanced(reversed([1, 1]), n), lambda v: len(list(v))),
    "count": (itertools.count, next),
    "cycle": (lambda n: advanced(itertools.cycle("ab"), n), next),
    "repeat": (lambda n: itertools.repeat("a", n), lambda v: len(list(v))),
    "map's function": (lambda n: map(str if n else repr, "a"), next),
    "islice": (lambda n: itertools.islice("abc", n, None), next),
    "generator": (suspended, next),
    "generator expression": (lambda n: (one for one in "ab"[n:]), next),
    "SimpleNamespace": (lambda n: types.SimpleNamespace(n=n), lambda v: v.n),
    "array": (lambda n: array.array("i", [n]), lambda v: v[0]),
    "array's type": (lambda n: array.array("b" if n else "B"), lambda v: v.typecode),
    "bytearray": (lambda n: bytearray([n]), lambda v: v[0]),
    "StringIO's position": (
        lambda n: io.StringIO("ab" if n else "aB"),
        lambda v: v.read(),
    ),
    "decimal's digits": (lambda n: decimal.Decimal("1.0" if n else "1.00"), str),
    "decimal zero's sign": (lambda n: decimal.Decimal("-0" if n else "0"), str),
    "fraction": (lambda n: fractions.Fraction(n, 2), lambda v: v.numerator),
    "random.Random": (random.Random, lambda v: v.random()),
    "queue": (lambda n: queue.Queue(n), lambda v: v.maxsize),
    "asyncio.Event": (
        lambda n: asyncio.Event() if n else asyncio.Lock(),
        lambda v: type(v).__name__,
    ),
    "threading.local": (
        lambda n: own(lambda _: threading.local(), 0, n),
        lambda v: v.n,
    ),
    "UserDict": (lambda n: collections.UserDict(a=n), lambda v: v["a"]),
    "ChainMap": (lambda n: collections.ChainMap({}, {"a": n}), lambda v: v["a"]),
    "dict view": (lambda n: {n: 1}.keys(), list),
    "mapping proxy": (lambda n: types.MappingProxyType({"a": n}), lambda v: v["a"]),
}


@pytest.mark.parametrize("name", PAIRS)
def test_values_that_code_can_tell_apart_are_not_taken_for_equal(corpus, name):
    """Of two values one leads to what is bad, after a step at which both are held."""
    make, tell = PAIRS[name]
    first = tell(make(0))

    async def flow(store, shared):
        number = await store.either()
        value = make(number)
        del number
        await store.read()
        if tell(value) != first:
            await store.write_bad()

    def world():
        return corpus.World(flow, tasks=1)

    assert corpus.is_violated(world()), "the two cannot be told apart: no such program"
    assert corpus.verdict(world) in (Outcome.VIOLATED, "refused")

"""What an object is made of: its plain content, and the other objects that it holds.

Knows Python's types; calls no method of the code under test. This is the one list of
types whose state can be read in full. Whatever is not on it is `CannotCompare`: as a
local variable it is replaced by the history of results, shared by tasks it is refused.

Theory of operation: an instance is a *base*, an exact built-in type that is listed here
with what it holds, under *layers* that class statements add: slots and a dictionary.
That a class adds nothing else is seen from the size of its instances. So a class that
lies in `__eq__`, `__getattribute__` or `__reduce__` is not asked, and a subclass of a
built-in type with attributes is not taken for the built-in value alone.
"""

import builtins
import datetime
import decimal
import functools
import gc
import itertools
import operator
import random  # noqa: TID251 - a generator that code under test holds is compared
import re
import types
import uuid
import zoneinfo
from array import array
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from io import BytesIO, StringIO
from typing import Any, Final, Generic, TypeVar

from wavecheck.sim.exhaustive.refusal import CannotCompare

T = TypeVar("T")

Children = list[tuple[str | None, Any]]
"""What an object holds: the attribute's name, or None for an item, and the object."""

Made = tuple[Hashable, Children]
"""Content made of exact built-in values, and what is held beside it."""


_address: Final = object.__hash__
"""Tells objects apart as `id` does, without an audit event for each call."""


class IdentityMap(Generic[T]):
    """A dictionary whose keys are objects themselves, equal or not; it owns them."""

    def __init__(self) -> None:
        self._items: dict[int, tuple[object, T]] = {}

    def __contains__(self, key: object) -> bool:
        return _address(key) in self._items

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: object) -> T | None:
        """Return the value of an object, or None."""
        item = self._items.get(_address(key))
        return None if item is None else item[1]

    def set(self, key: object, value: T) -> None:
        """Set the value of an object."""
        self._items[_address(key)] = (key, value)

    def items(self) -> Iterator[tuple[object, T]]:
        """Yield objects and values in order of insertion."""
        return iter(self._items.values())


class Same:
    """Stands for an object in a key: equal to itself only, whatever the object says."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return type(other) is Same and other.value is self.value

    def __hash__(self) -> int:
        return _address(self.value)


@dataclass(frozen=True, slots=True)
class Shape:
    """How the instances of a class are built.

    Attributes:
        kind: the class, in a form to compare.
        base: the built-in type below all class statements.
        slots: of all layers, with what reads them.
        reads_dict: returns an instance's dictionary; None: it has none.
    """

    kind: Hashable
    base: type
    slots: tuple[tuple[str, Any], ...]
    reads_dict: Callable[[Any], dict[str, Any]] | None

    @property
    def adds_nothing(self) -> bool:
        """Whether an instance is its base and nothing else."""
        return not self.slots and self.reads_dict is None


# A metaclass may say anything about its classes, so `type` itself is asked.
mro_of: Final = type.__dict__["__mro__"].__get__
vars_of: Final = type.__dict__["__dict__"].__get__
_base_of: Final = type.__dict__["__base__"].__get__
_size_of: Final = type.__dict__["__basicsize__"].__get__
_flags_of: Final = type.__dict__["__flags__"].__get__


def is_class(value: object) -> bool:
    """Return whether an object is a class, whatever it says of its own class."""
    return type in mro_of(type(value))


def is_module(value: object) -> bool:
    """Return whether an object is a module, whatever it says of its own class."""
    return types.ModuleType in mro_of(type(value))


_HEAP_TYPE: Final = 1 << 9
_MANAGED_DICT: Final = 1 << 4
_MANAGED_WEAKREF: Final = 1 << 3
_POINTER: Final = 8
_SHAPES: Final[IdentityMap[Shape]] = IdentityMap()


def shape_of(kind: type) -> Shape:
    """Return how the instances of a class are built.

    Raises:
        CannotCompare: a class that is no class statement's adds something.
    """
    known = _SHAPES.get(kind)
    if known is None:
        known = _new_shape(kind)
        _SHAPES.set(kind, known)
    return known


def _new_shape(kind: type) -> Shape:
    slots: list[tuple[str, Any]] = []
    layer = kind
    while layer not in _MADE_OF and not _is_exception(layer):
        added = _slots_of(layer)
        if added is None:
            raise CannotCompare(kind.__qualname__)
        slots[:0] = added
        layer = _base_of(layer)
    reads_dict = None
    for one in mro_of(kind):
        if "__dict__" in vars_of(one):
            found = vars_of(one)["__dict__"]
            if type(found) not in (types.GetSetDescriptorType, _MEMBER):
                raise CannotCompare(kind.__qualname__)
            reads_dict = found.__get__
            break
    else:
        if _is_exception(layer):
            reads_dict = _exception_dict
    return Shape(Same(kind), layer, tuple(slots), reads_dict)


_MEMBER: Final = types.MemberDescriptorType


def _slots_of(layer: type) -> list[tuple[str, Any]] | None:
    """Return the slots that a class statement adds; None if it adds something else."""
    if not _flags_of(layer) & _HEAP_TYPE:
        return None
    base, held = _base_of(layer), vars_of(layer)
    slots = [
        (name, one.__get__)
        for name, one in held.items()
        if type(one) is _MEMBER and one.__objclass__ is layer
    ]
    gained = _flags_of(layer) & ~_flags_of(base)
    pointers = len(slots)
    pointers += "__weakref__" in held and not gained & _MANAGED_WEAKREF
    pointers += "__dict__" in held and not gained & _MANAGED_DICT
    if _size_of(layer) - _size_of(base) != _POINTER * pointers:
        return None
    return slots


def anatomy(value: Any) -> Made:
    """Return what a value is made of.

    Raises:
        CannotCompare: its type is not on the list.
    """
    shape = shape_of(type(value))
    read = _MADE_OF.get(shape.base, _exception)
    content, children = read(value)
    for name, get in shape.slots:
        try:
            children.append((name, get(value)))
        except AttributeError:  # it was never set
            continue
    if shape.reads_dict is not None:
        children.extend((name, one) for name, one in shape.reads_dict(value).items())
    return content, children


# What each base holds ----------------------------------------------------------------


def _items(values: Any) -> Children:
    return [(None, one) for one in values]


def _nothing(value: object) -> Made:
    return None, []


def _float(value: float) -> Made:
    return float.hex(value), []


def _complex(value: complex) -> Made:
    parts = complex.__dict__["real"], complex.__dict__["imag"]
    return tuple([float.hex(one.__get__(value)) for one in parts]), []


def _set(value: Any) -> Made:
    kind = set if set in mro_of(type(value)) else frozenset
    return len(value), _items(kind.__iter__(value))


def _dict(value: dict[Any, Any]) -> Made:
    found: Children = []
    for key, one in dict.items(value):
        found += ((None, key), (None, one))
    return None, found


def _ordered(value: "OrderedDict[Any, Any]") -> Made:
    found: Children = []
    for key, one in OrderedDict.items(value):
        found += ((None, key), (None, one))
    return None, found


def _defaultdict(value: "defaultdict[Any, Any]") -> Made:
    _, found = _dict(value)
    factory = vars_of(defaultdict)["default_factory"].__get__(value)
    return None, [(None, factory), *found]


def _deque(value: "deque[Any]") -> Made:
    return deque.maxlen.__get__(value), _items(deque.__iter__(value))


def _cell(value: types.CellType) -> Made:
    try:
        return "set", [(None, value.cell_contents)]
    except ValueError:
        return "empty", []


def _function(value: types.FunctionType) -> Made:
    content = (
        *(Same(value.__code__), Same(value.__globals__)),
        *(value.__name__, value.__qualname__, value.__doc__),
    )
    children: Children = [(None, one) for one in value.__closure__ or ()]
    children += [(None, value.__defaults__), (None, value.__kwdefaults__)]
    children += [(None, value.__module__), *vars(value).items()]
    return content, children


def _builtin(value: types.BuiltinFunctionType) -> Made:
    owner = value.__self__
    if owner is None or type(owner) is types.ModuleType:
        return Same(value), []
    return value.__name__, [(None, owner)]


def _wrapper(value: Any) -> Made:
    return value.__name__, [(None, value.__self__)]


def _method(value: types.MethodType) -> Made:
    return None, [(None, value.__func__), (None, value.__self__)]


def _reduced(base: Any, value: Any) -> Made:
    """Return what an iterator or a helper of `operator` says it can be made of."""
    reduced = base.__reduce__(value)
    kind, arguments = Same(reduced[0]), list(reduced[1])
    if base in _FORGETFUL and type(arguments[0]) in (tuple, range, str, bytes):
        # What is behind the position has been yielded and cannot come back.
        rest = arguments[0][reduced[2] if len(reduced) > 2 else 0 :]
        if type(rest) is range:
            return ("range", len(rest), rest[:1].start, len(rest) > 1 and rest.step), []
        return kind, [(None, rest)]
    # A dictionary's or set's iterator tells what is left, not of whom it tells it.
    owners = [one for one in gc.get_referents(value) if type(one) in (dict, set)]
    return kind, _items([*arguments, *reduced[2:3], *owners])


def _range(value: range) -> Made:
    return (value.start, value.stop, value.step), []


def _slice(value: slice) -> Made:
    return None, _items([value.start, value.stop, value.step])


_PARTIAL: Final = ("func", "args", "keywords")


def _partial(value: "functools.partial[Any]") -> Made:
    held = vars_of(functools.partial)
    return None, [(None, held[one].__get__(value)) for one in _PARTIAL]


def _property(value: property) -> Made:
    return None, _items([value.fget, value.fset, value.fdel, value.__doc__])


def _static(value: Any) -> Made:
    return None, [(None, value.__func__)]


def _text(value: StringIO | BytesIO) -> Made:
    if value.closed:
        return "closed", []
    return (value.getvalue(), value.tell()), []


def _random(value: random.Random) -> Made:
    return random._random.Random.getstate(value), []  # type: ignore[attr-defined]  # its base


def _moment(base: Any, value: Any) -> Made:
    """Return the bytes of a date or a time, which tell the fold, and its time zone."""
    content, *rest = base.__reduce_ex__(value, 4)[1]
    return content, _items(rest)


def _delta(value: datetime.timedelta) -> Made:
    held = vars_of(datetime.timedelta)
    names = ("days", "seconds", "microseconds")
    return tuple([held[name].__get__(value) for name in names]), []


def _zone(value: Any) -> Made:
    return repr(value), []


def _decimal(value: decimal.Decimal) -> Made:
    return decimal.Decimal.as_tuple(value), []


def _match(value: "re.Match[Any]") -> Made:
    content = (value.pos, value.endpos, value.regs, Same(value.re))
    return content, [(None, value.string)]


def _array(value: "array[Any]") -> Made:
    return (value.typecode, value.tobytes()), []


def _view(value: Any) -> Made:
    return None, _items(gc.get_referents(value))


def _exception_dict(value: BaseException) -> dict[str, Any]:
    return BaseException.__dict__["__dict__"].__get__(value)  # type: ignore[no-any-return]  # untyped descriptor


def _is_exception(kind: type) -> bool:
    return getattr(builtins, kind.__name__, None) is kind and BaseException in mro_of(
        kind
    )


def _exception(value: BaseException) -> Made:
    children: Children = [
        (None, BaseException.__dict__[name].__get__(value))
        for name in ("args", "__cause__", "__context__", "__traceback__")
    ]
    for one in mro_of(type(value)):
        if _is_exception(one) and one is not BaseException:
            children += [
                (name, member.__get__(value))
                for name, member in vars_of(one).items()
                if type(member) is _MEMBER
            ]
    return BaseException.__dict__["__suppress_context__"].__get__(value), children


def _traceback(value: types.TracebackType) -> Made:
    """Return the places that an error has come through."""
    content = []
    one: types.TracebackType | None = value
    while one is not None:
        content.append((Same(one.tb_frame.f_code), one.tb_lasti, one.tb_lineno))
        one = one.tb_next
    return tuple(content), []


_FORGETFUL: Final[tuple[type, ...]] = (
    *(type(iter(())), type(iter("")), type(iter("\u0400")), type(iter(b""))),
    *(type(iter(range(0))), type(iter(range(1 << 70)))),
)
_ITERATORS: Final[tuple[type, ...]] = (
    *(*_FORGETFUL, type(iter([])), type(iter(bytearray()))),
    *(type(iter({})), type(iter({}.values())), type(iter({}.items()))),
    *(
        type(reversed([])),
        type(reversed({})),
        type(set.__iter__(set())),
        type(iter(deque())),
    ),
    *(enumerate, zip, map, filter, reversed, type(iter(int, 1))),
    *(itertools.count, itertools.repeat, itertools.cycle, itertools.islice),
    *(itertools.chain, itertools.starmap, itertools.takewhile, itertools.dropwhile),
    *(itertools.accumulate, itertools.compress, itertools.filterfalse),
    *(itertools.product, itertools.permutations, itertools.combinations),
    *(itertools.zip_longest, itertools.combinations_with_replacement),
)

_HELPERS: Final = (operator.itemgetter, operator.attrgetter, operator.methodcaller)
_MOMENTS: Final = (datetime.date, datetime.time, datetime.datetime)

_MADE_OF: Final[dict[type, Callable[[Any], Made]]] = {
    object: _nothing,
    int: lambda value: (int.__int__(value), []),
    str: lambda value: (str.__str__(value), []),
    bytes: lambda value: (bytes.__getitem__(value, slice(None)), []),
    float: _float,
    complex: _complex,
    tuple: lambda value: (None, _items(tuple.__iter__(value))),
    list: lambda value: (None, _items(list.__iter__(value))),
    dict: _dict,
    set: _set,
    frozenset: _set,
    OrderedDict: _ordered,
    defaultdict: _defaultdict,
    deque: _deque,
    bytearray: lambda value: (bytes(bytearray.__getitem__(value, slice(None))), []),
    array: _array,
    range: _range,
    slice: _slice,
    types.CellType: _cell,
    types.FunctionType: _function,
    types.MethodType: _method,
    types.BuiltinFunctionType: _builtin,
    types.MethodWrapperType: _wrapper,
    types.SimpleNamespace: _nothing,
    types.MappingProxyType: _view,
    type({}.keys()): _view,
    type({}.values()): _view,
    type({}.items()): _view,
    types.TracebackType: _traceback,
    functools.partial: _partial,
    property: _property,
    staticmethod: _static,
    classmethod: _static,
    StringIO: _text,
    BytesIO: _text,
    random._random.Random: _random,  # type: ignore[attr-defined]  # the base of Random
    datetime.timedelta: _delta,
    datetime.timezone: _zone,
    zoneinfo.ZoneInfo: _zone,
    decimal.Decimal: _decimal,
    re.Match: _match,
    **{one: functools.partial(_moment, one) for one in _MOMENTS},
    **{one: functools.partial(_reduced, one) for one in (*_ITERATORS, *_HELPERS)},
}

VALUES: Final = frozenset(
    {int, str, bytes, float, complex, tuple, frozenset, range, slice, decimal.Decimal}
    | {datetime.date, datetime.time, datetime.datetime, datetime.timedelta}
    | {datetime.timezone, zoneinfo.ZoneInfo, re.Match}
)
"""Bases that cannot change: two that are equal in all they hold are one value."""

BY_ITSELF: Final = (types.ModuleType, types.CodeType, re.Pattern, uuid.SafeUUID)
"""Types whose instances are one object for the whole process, or cannot change."""

ATOMS: Final = frozenset(
    {type(None), bool, int, str, bytes, type(...), type(NotImplemented)}
)

"""How to read what an object holds, slot by slot, and how to make it hold that again.

Knows Python's objects, nothing of tasks. Calls no method of the code under test, except
for a cached function, whose entries can be made by calls only. What is not listed here
can be watched and not put back; a proof that meets a change of it is refused.
"""

import functools
import gc
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import CellType, FunctionType
from typing import Any, Final

from wavecheck.sim.exhaustive.anatomy import VALUES, is_class, shape_of, vars_of
from wavecheck.sim.exhaustive.refusal import CannotCompare

Slots = list[tuple[Any, Any]]
"""(name, value) of each slot: an attribute, a key, a position, a call's arguments."""


@dataclass(frozen=True, slots=True)
class Holder:
    """How to read and write objects of one kind.

    Attributes:
        read: returns the slots of an object.
        write: makes an object hold these slots and no others.
        has_names: the slots are attributes or globals, each on its own.
        is_ordered: code can see in which order the slots came to be.
        counts: a slot may hold a stand-in for any number.
    """

    read: Callable[[Any], Slots]
    write: Callable[[Any, Slots], None]
    has_names: bool = False
    is_ordered: bool = False
    counts: bool = True


def holder_of(owner: Any, *, is_globals: bool = False) -> Holder | None:
    """Return how to read and write an object; None: it cannot be put back."""
    kind = type(owner)
    if is_globals:
        return _NAMESPACE
    if is_class(owner):
        return _CLASS
    known = _HOLDERS.get(kind)
    if known is not None:
        return known
    try:
        shape = shape_of(kind)
    except CannotCompare:
        return None
    is_instance = shape.base in VALUES or shape.base is object
    if is_instance and (shape.reads_dict is not None or shape.slots):
        return _INSTANCE
    return None


def _is_same(ours: Slots, theirs: Slots) -> bool:
    return len(ours) == len(theirs) and all(
        one is other and value is there
        for (one, value), (other, there) in zip(ours, theirs, strict=True)
    )


def _write_names(
    held: Any,
    slots: Slots,
    put: Callable[[Any, str, Any], None],
    drop: Callable[[Any, str], None],
    owner: Any,
) -> None:
    """Change only the names that are bound to something else."""
    wanted = dict(slots)
    for name in [one for one in held if one not in wanted]:
        drop(owner, name)
    for name, value in slots:
        if name not in held or held[name] is not value:
            put(owner, name, value)


def _write_dict(held: dict[str, Any], slots: Slots) -> None:
    _write_names(held, slots, dict.__setitem__, dict.__delitem__, held)


def _write_class(owner: type, slots: Slots) -> None:
    put, drop = type.__setattr__, type.__delattr__
    _write_names(dict(vars_of(owner)), slots, put, drop, owner)


def _write_function(owner: FunctionType, slots: Slots) -> None:
    _write_dict(vars(owner), slots)


def _read_instance(owner: Any) -> Slots:
    shape = shape_of(type(owner))
    found: Slots = []
    for name, get in shape.slots:
        try:
            found.append((name, get(owner)))
        except AttributeError:  # it is not set
            continue
    if shape.reads_dict is not None:
        found += shape.reads_dict(owner).items()
    return found


def _write_instance(owner: Any, slots: Slots) -> None:
    shape = shape_of(type(owner))
    wanted = dict(slots)
    for name, get in shape.slots:
        member = get.__self__
        if name in wanted:
            member.__set__(owner, wanted.pop(name))
        elif any(name == one for one, _ in _read_instance(owner)):
            member.__delete__(owner)
    if shape.reads_dict is not None:
        _write_dict(shape.reads_dict(owner), list(wanted.items()))


def _write_items(owner: Any, slots: Slots) -> None:
    base = OrderedDict if type(owner) is OrderedDict else dict
    if not _is_same(list(base.items(owner)), slots):
        base.clear(owner)
        for key, value in slots:
            base.__setitem__(owner, key, value)


def _numbered(values: Iterable[Any]) -> Slots:
    return list(enumerate(values))


def _write_list(owner: list[Any], slots: Slots) -> None:
    owner[:] = [value for _, value in slots]


def _write_deque(owner: "deque[Any]", slots: Slots) -> None:
    owner.clear()
    owner.extend([value for _, value in slots])


def _write_set(owner: set[Any], slots: Slots) -> None:
    owner.clear()
    owner.update([item for item, _ in slots])


def _read_cell(owner: CellType) -> Slots:
    try:
        return [(0, owner.cell_contents)]
    except ValueError:
        return []


def _write_cell(owner: CellType, slots: Slots) -> None:
    if slots:
        owner.cell_contents = slots[0][1]
    elif _read_cell(owner):
        del owner.cell_contents


# Cached functions --------------------------------------------------------------------


def _read_cache(owner: Any) -> Slots:
    """Return ((arguments, named arguments), result) of each entry.

    Raises:
        CannotCompare: how it is built is not known, or it may drop an entry.
    """
    size_max = owner.cache_parameters()["maxsize"]
    if owner.cache_parameters()["typed"]:
        raise CannotCompare("a cache that tells types apart")
    held, mark = gc.get_referents(owner), None
    (entries,) = [
        one for one in held if type(one) is dict and one is not owner.__dict__
    ]
    mark = next(one for one in held if type(one) is object)
    if size_max is None:
        pairs = list(entries.items())
    else:
        triples = held[1 : 1 + 3 * len(entries)]
        pairs = list(zip(triples[::3], triples[1::3], strict=True))
        if any(key not in entries for key, _ in pairs):
            raise CannotCompare("a cache of another version of Python")
    return [(_call_of(key, mark), value) for key, value in pairs]


def _call_of(key: Any, mark: object) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the arguments that an entry was made by, named ones as pairs."""
    if type(key) is not tuple:
        return (key,), ()
    for at, one in enumerate(key):
        if one is mark:
            rest = key[at + 1 :]
            return key[:at], tuple(zip(rest[::2], rest[1::2], strict=True))
    return key, ()


def _write_cache(owner: Any, slots: Slots) -> None:
    wanted = [value for _, value in slots]
    held = [value for _, value in _read_cache(owner)]
    if len(wanted) == len(held) and all(
        any(one is other for other in held) for one in wanted
    ):
        return
    owner.cache_clear()
    for (args, named), _ in slots:
        owner(*args, **dict(named))


_INSTANCE: Final = Holder(_read_instance, _write_instance, has_names=True)
_CLASS: Final = Holder(
    lambda owner: list(vars_of(owner).items()), _write_class, has_names=True
)
_NAMESPACE: Final = Holder(lambda held: list(held.items()), _write_dict, has_names=True)
_ITEMS: Final = Holder(
    lambda owner: list(
        (OrderedDict if type(owner) is OrderedDict else dict).items(owner)
    ),
    _write_items,
    is_ordered=True,
)
_LIST: Final = Holder(_numbered, _write_list, is_ordered=True, counts=False)
_DEQUE: Final = Holder(_numbered, _write_deque, is_ordered=True, counts=False)
_SET: Final = Holder(lambda owner: [(one, None) for one in owner], _write_set)
CACHE: Final = type(functools.cache(len))
"""The type of what `functools.cache` and `functools.lru_cache` make."""

_HOLDERS: Final[dict[type, Holder]] = {
    **dict.fromkeys((dict, OrderedDict, defaultdict, Counter), _ITEMS),
    list: _LIST,
    deque: _DEQUE,
    set: _SET,
    CellType: Holder(_read_cell, _write_cell),
    FunctionType: Holder(
        lambda owner: list(vars(owner).items()), _write_function, has_names=True
    ),
    CACHE: Holder(_read_cache, _write_cache, counts=False),
}

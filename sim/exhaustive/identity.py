"""Keys of values: equal keys mean that code cannot tell the values apart.

Knows what values are made of, nothing of tasks. A value that cannot change is its
content with its type. One that can is its content too, with aliases numbered, so that
two names of one list differ from two equal lists. An object that is the same in every
execution is a *constant*: its number in the order in which it was found.

Known gaps: the identity of immutable values (`is` between equal strings) is no part of
a key, nor is the order in which a set of texts is iterated over, which differs from
process to process anyway; the runs that accompany a proof see such order at work.
"""

import sys
from enum import Enum
from types import BuiltinFunctionType
from typing import Any, Final

from wavecheck.sim.exhaustive.anatomy import (
    ATOMS,
    BY_ITSELF,
    VALUES,
    IdentityMap,
    Same,
    Shape,
    anatomy,
    mro_of,
    shape_of,
)
from wavecheck.sim.exhaustive.handoffs import is_handed, is_noted
from wavecheck.sim.exhaustive.refusal import CannotCompare
from wavecheck.sim.operation import Operation, Statement

Key = Any
"""A hashable value."""

PASSING: Final = 2
"""Of three maps of constants, the one whose objects each execution has of its own."""

_NUMBERS: Final = frozenset({int, bool, float})
_TYPE: Final = type


class Identity:
    """Makes keys, given which objects are constants.

    Args:
        constants: maps of constants to their numbers; looked up in order.
    """

    def __init__(self, *constants: IdentityMap[int]) -> None:
        self._constants = constants

    def constant(self, value: object) -> tuple[int, int] | None:
        """Return the number of a constant, or None."""
        for index, one in enumerate(self._constants):
            number = one.get(value)
            if number is not None:
                return index, number
        return None

    def key(self, value: Any, aliases: IdentityMap[int] | None = None) -> Key:
        """Return the key of a value.

        Args:
            value: any value.
            aliases: mutable objects met before in the same local state.

        Raises:
            CannotCompare: there is no key that stands for it.
        """
        kind = type(value)
        if kind in ATOMS:
            return (kind, value)
        if kind is float and value == value:  # a NaN is only itself
            return (kind, value.hex())
        if aliases is None:
            aliases = IdentityMap()
        if kind is tuple:
            return (kind, tuple([self.key(item, aliases) for item in value]))
        number = self.constant(value)
        if number is not None:
            return ("constant", number)
        if kind in _ITSELF or _TYPE in mro_of(kind):
            return ("itself", Same(value))
        try:
            return self._made_key(value, kind, aliases)
        except RecursionError:
            raise CannotCompare(f"a {kind.__qualname__} of great depth") from None

    def _made_key(self, value: Any, kind: type, aliases: IdentityMap[int]) -> Key:
        if kind is Operation:
            parts = (value.statement, value.owner, value.args)
            return (kind, tuple([self.key(one, aliases) for one in parts]))
        if Enum in mro_of(kind):
            return _member_key(value, kind)
        is_between = len(self._constants) <= PASSING  # values of two executions
        if is_noted(kind) or (is_between and is_handed(value)):
            raise CannotCompare(f"a {kind.__qualname__} of another execution")
        if kind is BuiltinFunctionType and value.__self__ in (None, sys):
            return ("itself", Same(value))
        shape = shape_of(kind)
        is_value = shape.base in VALUES and shape.adds_nothing
        if not is_value or _is_nan(value, shape):
            known = aliases.get(value)
            if known is not None:
                return ("alias", known)
            aliases.set(value, len(aliases))
        content, children = anatomy(value)
        met = len(aliases)
        keys = tuple([(name, self.key(one, aliases)) for name, one in children])
        if shape.base not in (set, frozenset) or _has_fixed_order(children):
            return (shape.kind, content, keys)
        if len(aliases) > met and len(keys) > 1:
            raise CannotCompare(f"a {kind.__qualname__} of objects that can change")
        return (shape.kind, content, frozenset(keys))


def names_passing(key: Key) -> bool:
    """Return whether a key holds the number of a constant of one execution."""
    if type(key) not in (tuple, frozenset):
        return False
    if type(key) is tuple and key[:1] == ("constant",):
        return bool(key[1][0] == PASSING)
    return any(map(names_passing, key))


def is_fixed(value: object) -> bool:
    """Return whether the key of a value never changes: tuples of plain values."""
    known = _PLAINNESS.get(_address(type(value)))
    plainness = _plainness(type(value)) if known is None else known[1]
    if plainness is not _IS_TUPLE:
        return plainness is _IS_PLAIN
    return all(map(is_fixed, _items(value)))


def is_surely_equal(one: object, other: object) -> bool:
    """Return whether two values that never change have one key; False: perhaps."""
    if one is other:
        return True
    kind = type(one)
    if kind is not type(other):
        return False
    if kind in ATOMS:
        return one == other
    known = _PLAINNESS.get(_address(kind))
    plainness = _plainness(kind) if known is None else known[1]
    return (
        plainness is _IS_TUPLE
        and _length(one) == _length(other)
        and all(map(is_surely_equal, _items(one), _items(other)))
    )


_items: Final[Any] = tuple.__iter__
_length: Final[Any] = tuple.__len__
_IS_TUPLE: Final = object()
_IS_PLAIN: Final = object()
_MAY_CHANGE: Final = object()
_address: Final = object.__hash__
_PLAINNESS: Final[dict[int, tuple[type, object]]] = {}


def _plainness(kind: type) -> object:
    """Return whether values of a type are plain, tuples and nothing else, or neither.

    A member of an enumeration is plain: its key is itself.
    """
    found = _MAY_CHANGE
    if kind in ATOMS or Enum in mro_of(kind):
        found = _IS_PLAIN
    elif tuple in mro_of(kind):
        shape = shape_of(kind)
        if shape.base is tuple and shape.adds_nothing:
            found = _IS_TUPLE
    _PLAINNESS[_address(kind)] = (kind, found)
    return found


_ITSELF: Final = frozenset({*BY_ITSELF, Statement})


def _is_nan(value: Any, shape: Shape) -> bool:
    """Return whether a number is not equal to itself: it matters which one it is."""
    if shape.base is float:
        return float.__ne__(value, value)
    return shape.base is complex and complex.__ne__(value, value)


def _has_fixed_order(children: list[tuple[str | None, Any]]) -> bool:
    """Return whether items of a set come in the same order in another process."""
    return all(_has_fixed_hash(one) for name, one in children if name is None)


def _has_fixed_hash(value: Any) -> bool:
    kind = type(value)
    if kind in (tuple, frozenset):
        return all(map(_has_fixed_hash, value))
    return kind in _NUMBERS


def _member_key(value: Any, kind: type) -> Key:
    """Return the key of a member that its class knows."""
    fields = kind.__dict__
    members = fields.get("_member_map_", {}), fields.get("_value2member_map_", {})
    if any(value is one for held in members for one in held.values()):
        return ("itself", Same(value))
    raise CannotCompare(f"a member that {kind.__qualname__} does not list")

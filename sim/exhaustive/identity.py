"""Keys of values: equal keys mean that code cannot tell the values apart.

Knows Python's values, nothing of tasks. An immutable value is its content with its
type. A mutable value that one task owns is its content too, with aliases numbered, so
that two names of one list differ from two equal lists. An object that is the same in
every execution is a *constant*: its number in the order in which it was found.
"""

from collections import deque
from collections.abc import Iterator
from enum import Enum
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    MethodType,
    ModuleType,
)
from typing import Any, Final, Generic, TypeVar

from wavecheck.sim.exhaustive.refusal import CannotCompare
from wavecheck.sim.operation import Operation, Statement

T = TypeVar("T")
Key = Any
"""A hashable value."""

_ATOMS: Final = frozenset({type(None), bool, int, str, bytes, complex, type(...)})
_BY_ITSELF: Final = (type, ModuleType, CodeType, BuiltinFunctionType, Statement)
_SEQUENCES: Final = (list, deque, bytearray)
_ITERATORS: Final[tuple[type, ...]] = (
    type(iter(())),
    type(iter([])),
    type(iter("")),
    type(iter(range(0))),
    type(iter({})),
    type(iter({}.values())),
    type(iter({}.items())),
    type(reversed([])),
    enumerate,
    zip,
)
_EMPTY_CELL: Final = "empty cell"


class IdentityMap(Generic[T]):
    """A dictionary whose keys are objects themselves, equal or not; it owns them."""

    def __init__(self) -> None:
        self._items: dict[int, tuple[object, T]] = {}

    def __contains__(self, key: object) -> bool:
        return id(key) in self._items

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: object) -> T | None:
        """Return the value of an object, or None."""
        item = self._items.get(id(key))
        return None if item is None else item[1]

    def set(self, key: object, value: T) -> None:
        """Set the value of an object."""
        self._items[id(key)] = (key, value)

    def values(self) -> Iterator[T]:
        """Yield the values in order of insertion."""
        return (value for _, value in self._items.values())


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
        if kind in _ATOMS:
            return (kind, value)
        if kind is float:
            return (kind, value.hex())
        if isinstance(value, Enum):
            return (kind, value.name)
        if aliases is None:
            aliases = IdentityMap()
        if isinstance(value, tuple):
            return (kind, tuple([self.key(item, aliases) for item in value]))
        if isinstance(value, frozenset):
            return (kind, frozenset([self.key(item, aliases) for item in value]))
        if kind is range:
            return (kind, value)
        number = self.constant(value)
        if number is not None:
            return ("constant", number)
        if isinstance(value, _BY_ITSELF):
            return ("itself", kind, value)
        return self._mutable_key(value, aliases)

    def _mutable_key(self, value: Any, aliases: IdentityMap[int]) -> Key:
        known = aliases.get(value)
        if known is not None:
            return ("alias", known)
        aliases.set(value, len(aliases))
        kind = type(value)

        def key(item: Any) -> Key:
            return self.key(item, aliases)

        if kind in _SEQUENCES:
            return (kind, tuple([key(item) for item in value]))
        if kind is set:
            return (kind, frozenset([key(item) for item in value]))
        if kind is dict:
            items = [(key(name), key(item)) for name, item in value.items()]
            return (kind, tuple(items))
        if isinstance(value, CellType):
            return (kind, self._cell_key(value, aliases))
        if isinstance(value, MethodType):
            return (kind, key(value.__func__), key(value.__self__))
        if isinstance(value, FunctionType):
            cells = [key(cell) for cell in value.__closure__ or ()]
            defaults = key(value.__defaults__), key(value.__kwdefaults__)
            return (kind, value.__code__, defaults, tuple(cells))
        if isinstance(value, Operation):
            parts = key(value.statement), key(value.owner), key(value.args)
            return (kind, parts)
        if kind in _ITERATORS:
            return (kind, self._iterator_key(value, aliases))
        if isinstance(value, BaseException):
            # Its traceback tells where it came from; code that asks is not compared.
            return (kind, key(value.args), key(vars(value)))
        fields = fields_of(value)
        if fields is None:
            raise CannotCompare(kind.__qualname__)
        return (kind, tuple([(name, key(item)) for name, item in fields]))

    def _cell_key(self, cell: CellType, aliases: IdentityMap[int]) -> Key:
        try:
            content = cell.cell_contents
        except ValueError:
            return _EMPTY_CELL
        return self.key(content, aliases)

    def _iterator_key(self, iterator: Any, aliases: IdentityMap[int]) -> Key:
        """Return the key of what an iterator will still yield."""
        made_from = iterator.__reduce__()
        arguments = made_from[1]
        position = made_from[2] if len(made_from) > 2 else None
        if isinstance(position, int) and isinstance(arguments[0], tuple | range | str):
            # What is behind the position has been yielded and cannot come back.
            arguments = (arguments[0][position:],)
            position = None
        if isinstance(arguments[0], range):
            return (
                "range",
                tuple(arguments[0]) if len(arguments[0]) < 64 else arguments[0],
            )
        return (position, tuple([self.key(item, aliases) for item in arguments]))


def fields_of(value: Any) -> list[tuple[str, Any]] | None:
    """Return the attributes of a plain object; None if it has other state as well."""
    kind = type(value)
    for base in kind.__mro__[:-1]:
        if not base.__flags__ & _HEAP_TYPE or base.__itemsize__:
            return None
    fields = []
    for base in reversed(kind.__mro__):
        names = base.__dict__.get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                fields.append((name, getattr(value, name)))  # noqa: PERF401 - nested
    fields.extend(getattr(value, "__dict__", {}).items())
    return fields


_HEAP_TYPE: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement

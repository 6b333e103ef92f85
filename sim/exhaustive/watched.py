"""Objects that must stay as they are, and whether they did.

Knows Python's objects, nothing of parts and steps.

Theory of operation: most of what is watched is dictionaries, lists and cells. All that
these hold is listed one after the other and compared by identity, in C; only if that
list has changed is each object looked at. What seldom changes, functions and objects
of the engine, is left to a second list, which is compared now and then.
"""

from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import compress, count
from operator import is_, is_not, itemgetter
from types import (
    BuiltinFunctionType,
    CellType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
)
from typing import Any, Final

from wavecheck.sim.exhaustive.anatomy import VALUES, is_class, shape_of, vars_of
from wavecheck.sim.exhaustive.identity import Identity
from wavecheck.sim.exhaustive.libraries import is_of_library
from wavecheck.sim.exhaustive.program import Namespace
from wavecheck.sim.exhaustive.reach import (
    OF_PYTHON,
    Children,
    added_by_user,
    added_to,
    is_engines,
    look_into,
    values_added_to,
)
from wavecheck.sim.exhaustive.refusal import CannotCompare, refuse
from wavecheck.sim.exhaustive.trust import is_trusted_class
from wavecheck.sim.operation import Operation, Statement

NOTHING: Final = object()
"""What was there where nothing was."""

_FIXED: Final = (
    *(MethodType, property, staticmethod, classmethod, Statement, Operation),
    *(BuiltinFunctionType, MethodWrapperType, ModuleType),
)
"""Exact types whose instances hold the same objects for ever."""

_CODE: Final = (
    *(FunctionType, staticmethod, classmethod, property),
    *(MemberDescriptorType, GetSetDescriptorType),
)
"""Exact types of class attributes that seldom change."""


class _Numbers(dict[int, int]):
    """One object for each number: Python makes those above 256 anew each time."""

    def __missing__(self, number: int) -> int:
        self[number] = number
        return number


_NUMBERS: Final = _Numbers()
"""Of items: lists of what is held are compared by identity."""


class Node:
    """One object that must stay as it is, with what it held at first.

    Args:
        owner: the object.
        label: its name in messages.

    Raises:
        CannotLearn: what it holds cannot be read.
    """

    __slots__ = ("children", "content", "label", "owner")

    def __init__(self, owner: object, label: str) -> None:
        self.owner: Any = owner
        self.label = label
        self.renew()

    def look(self) -> tuple[Hashable, Children]:
        """Return what it is made of now."""
        try:
            if is_engines(type(self.owner)):
                return None, added_to(self.owner)
            return look_into(self.owner, self.label)
        except CannotCompare as unknown:
            raise refuse(
                f"{self.label} is or holds a {unknown}, whose state cannot be read",
                task="(any)",
                likely="an object of a library that tasks share",
            ) from None

    def held(self) -> tuple[Hashable, list[Any]]:
        """Return what it is made of now, without names."""
        if is_engines(type(self.owner)):
            return None, values_added_to(self.owner)
        content, children = self.look()
        return content, [item for _, item in children]

    def renew(self) -> None:
        """Take what it holds now for what it must hold."""
        self.content, self.children = self.look()

    def fresh(self) -> Children:
        """Return what it holds and did not hold before."""
        known = [item for _, item in self.children]
        return [
            (name, item)
            for name, item in self.look()[1]
            if not any(item is one for one in known)
        ]

    def differences(self, identity: Identity) -> Iterator[tuple[str, object, object]]:
        """Yield what differs from what it held: its name, what was there, what is."""
        content, now = self.look()
        was = self.children
        if [name for name, _ in now] == [name for name, _ in was]:
            for (name, before), (_, after) in zip(was, now, strict=True):
                if not is_equal(before, after, identity):
                    yield name, before, after
        else:
            held, holds = dict(was), dict(now)
            for name in {**held, **holds}:
                before, after = held.get(name, NOTHING), holds.get(name, NOTHING)
                if not is_equal(before, after, identity):
                    yield name, before, after
            if held.keys() == holds.keys():  # items of a list all go by its name
                yield self.label, NOTHING, NOTHING
        if content != self.content:
            yield self.label, NOTHING, NOTHING

    def describe_change(self, identity: Identity) -> str:
        """Return the name of what has changed."""
        for name, _, _ in self.differences(identity):
            return name
        return self.label


class InLibrary(Node):
    """An object that a library holds: what the user has put on it must stay."""

    __slots__ = ()

    def look(self) -> tuple[Hashable, Children]:
        """Return what the user has put on it."""
        return None, added_by_user(self.owner)


class Globals(Node):
    """The names that a module binds."""

    __slots__ = ("_namespace", "is_library")

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self.is_library = namespace.is_library
        super().__init__(namespace.held, f"module {namespace.name}")

    def look(self) -> tuple[Hashable, Children]:
        """Return what the names are bound to now."""
        module = self._namespace.name
        held = self._namespace.held.items()
        return None, [
            (f"global {name!r} of module {module}", one) for name, one in held
        ]


def is_equal(before: object, after: object, identity: Identity) -> bool:
    """Return whether two objects are one, or have the same key."""
    if before is after:
        return True
    try:
        return bool(identity.key(before) == identity.key(after))
    except CannotCompare:
        return False


def differs_at_start(before: object, after: object, identity: Identity) -> bool:
    """Return whether a world's start put something else in the place of something.

    A class that is made anew by each start, and what cannot be compared, is let pass
    here: what they hold is watched in each execution.
    """
    if type(before) is not type(after):
        return type(before).__qualname__ != type(after).__qualname__
    try:
        return bool(identity.key(before) != identity.key(after))
    except CannotCompare:
        return False


Held = tuple[list[Any], list[tuple[Hashable, list[Any]]]]
"""What the objects of a snapshot hold."""


class Snapshot:
    """What many objects hold, in one list.

    Args:
        nodes: the objects.
        rare: whether to take those that seldom change, or the others.
    """

    def __init__(self, nodes: Iterable[Node], *, rare: bool = False) -> None:
        self._dicts: list[tuple[Node, dict[Any, Any]]] = []
        self._fields: list[tuple[Node, dict[str, Any]]] = []
        self._items: list[tuple[Node, Any]] = []
        self._cells: list[tuple[Node, CellType]] = []
        self._classes: list[tuple[Node, Any, Any]] = []
        self._slotted: list[tuple[Node, Any, list[Any]]] = []
        self._others: list[Node] = []
        for node in nodes:
            if rare:
                if _is_rare(node):
                    self._others.append(node)
            else:
                self._sort(node.owner, node)
        self.renew()

    def _sort(self, value: Any, node: Node) -> None:
        """Put an object to others of its kind."""
        kind = type(value)
        if type(node) is Globals:
            self._fields.append((node, value))
        elif kind is dict:
            self._dicts.append((node, value))
        elif kind in (list, set, deque):
            self._items.append((node, value))
        elif kind is CellType:
            self._cells.append((node, value))
        elif is_class(value):
            if is_trusted_class(value):
                return
            held = vars_of(value)
            names = [
                name
                for name, one in held.items()
                if name not in OF_PYTHON and type(one) not in _CODE
            ]
            names *= 1 + (len(names) == 1)  # of one name, no tuple would be made
            self._classes.append((node, held, itemgetter(*names or ("__doc__",) * 2)))
        elif kind is FunctionType:
            if vars(value):
                self._dicts.append((node, vars(value)))
        elif is_engines(kind):
            if added_to(value):
                self._others.append(node)
        elif is_of_library(kind):
            return  # see `_is_rare`
        elif kind not in _FIXED:
            self._sort_instance(value, kind, node)

    def _sort_instance(self, value: Any, kind: type, node: Node) -> None:
        try:
            shape = shape_of(kind)
        except CannotCompare:
            self._others.append(node)
            return
        is_fixed = shape.base in VALUES or shape.base is object
        if not is_fixed:
            self._others.append(node)
            return
        if shape.reads_dict is not None:
            self._fields.append((node, shape.reads_dict(value)))
        if shape.slots:
            self._slotted.append((node, value, [get for _, get in shape.slots]))

    def renew(self) -> None:
        """Take what is held now for what must be held."""
        self._held = self._expected = self._read()
        self._contents = self._expected_contents = self._read_others()
        self._seen: Held = (self._held, self._contents)

    def expect_changes(self, *, now: bool) -> None:
        """Let what is held now, or only what was held at first, be as it should."""
        self._expected = self._read() if now else self._held
        self._expected_contents = self._read_others() if now else self._contents

    def renew_as_seen(self) -> None:
        """Take what `touched` has just seen for what must be held."""
        self.adopt(self._seen)

    @property
    def held(self) -> Held:
        """What is held now and must be; for `adopt`."""
        return self._held, self._contents

    def adopt(self, held: Held) -> None:
        """Take what was held at another moment for what must be held."""
        self._held = self._expected = held[0]
        self._contents = self._expected_contents = held[1]

    def attributes_of(self, nodes: Sequence[Node]) -> list[dict[Any, Any]] | None:
        """Return the dictionaries that some nodes are; None: some node is none."""
        found = dict([*self._dicts, *self._fields])
        for node, *_ in self._slotted:
            found.pop(node, None)  # that is not all of it
        try:
            return [found[node] for node in nodes]
        except KeyError:
            return None

    def _read(self) -> list[Any]:
        """Return all that the objects hold; numbers of items keep them apart."""
        found: list[Any] = []
        for _, held in self._dicts:
            found.append(_NUMBERS[len(held)])
            found += held
            found += held.values()
        for _, fields in self._fields:
            found.append(_NUMBERS[len(fields)])
            found += fields.values()
        for _, items in self._items:
            found.append(_NUMBERS[len(items)])
            found += items
        for _, cell in self._cells:
            try:
                found.append(cell.cell_contents)
            except ValueError:
                found.append(NOTHING)
        for _, held, get in self._classes:
            found.append(_NUMBERS[len(held)])
            found += get(held)
        for _, value, getters in self._slotted:
            try:
                found += [get(value) for get in getters]
            except AttributeError:  # some were never set
                found += [_read_slot(get, value) for get in getters]
        return found

    def _read_others(self) -> list[tuple[Hashable, list[Any]]]:
        return [node.held() for node in self._others]

    def touched(self) -> list[Node]:
        """Return the nodes that hold other objects than they should."""
        now, was = self._read(), self._expected
        others = self._read_others()
        self._seen = now, others
        found: list[Node] = []
        if len(now) == len(was):
            places = list(compress(count(), map(is_not, now, was)))
            found = self._nodes_at(places) if places else []
        else:
            ours, theirs = self._pieces(now), self._pieces(was)
            found = [
                node
                for (node, one), (_, other) in zip(ours, theirs, strict=True)
                if not _is_same(now[one], was[other])
            ]
        for node, held, was_held in zip(
            self._others, others, self._expected_contents, strict=True
        ):
            if held[0] != was_held[0] or not _is_same(held[1], was_held[1]):
                found.append(node)
        return found

    def _nodes_at(self, places: list[int]) -> list[Node]:
        """Return the nodes to which some ascending places of the list belong."""
        found: list[Node] = []
        wanted = iter(places)
        place = next(wanted)
        for node, piece in self._pieces(self._expected):
            if place < piece.stop:
                found.append(node)
                place = next((one for one in wanted if one >= piece.stop), -1)
                if place < 0:
                    break
        return list(dict.fromkeys(found))

    def _pieces(self, items: list[Any]) -> Iterator[tuple[Node, slice]]:
        """Yield what of such a list belongs to each object."""
        at = 0
        for held, times in ((self._dicts, 2), (self._fields, 1), (self._items, 1)):
            for node, _ in held:
                end = at + 1 + times * items[at]
                yield node, slice(at, end)
                at = end
        for node, _ in self._cells:
            yield node, slice(at, at + 1)
            at += 1
        for node, fields, get in self._classes:
            end = at + 1 + len(get(fields))
            yield node, slice(at, end)
            at = end
        for node, _, getters in self._slotted:
            yield node, slice(at, at + len(getters))
            at += len(getters)

    def changed(self, identity: Identity) -> list[Node]:
        """Return the objects that have changed."""
        return [
            node
            for node in self.touched()
            if is_class(node.owner) or self._differs(node, identity)
        ]

    def _differs(self, node: Node, identity: Identity) -> bool:
        """Return whether a node holds anything that is not equal to what was there."""
        if self._expected is not self._held:
            return True
        return any(True for _ in node.differences(identity))


def _read_slot(get: Any, value: object) -> object:
    try:
        return get(value)
    except AttributeError:
        return NOTHING


def _is_same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return len(one) == len(other) and all(map(is_, one, other))


def _is_rare(node: Node) -> bool:
    """Return whether an object seldom changes, so that it is looked at now and then."""
    kind = type(node.owner)
    if type(node) is Globals:
        return node.is_library
    if kind is FunctionType or is_class(node.owner):
        return True
    return is_engines(kind) or is_of_library(kind)

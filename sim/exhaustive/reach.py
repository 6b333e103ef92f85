"""Everything that can be reached from some objects, each with a name for a message.

Knows Python's objects, nothing of parts and steps: those it names and does not enter,
but for what code under test has put there. The order is fixed, so that the same object
has the same name in each run.
"""

import _thread
import abc
import dis
import functools
import gc
import logging
import sys
import weakref
from collections import namedtuple
from collections.abc import Callable, Hashable, Iterable
from contextvars import ContextVar, Token
from enum import Enum
from inspect import Parameter, Signature
from types import (
    AsyncGeneratorType,
    CellType,
    ClassMethodDescriptorType,
    CodeType,
    CoroutineType,
    FunctionType,
    GeneratorType,
    GenericAlias,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
    UnionType,
    WrapperDescriptorType,
)
from typing import Any, Final, TypeVar

from numpy.random import BitGenerator

from wavecheck.sim.event_loop import LOOP
from wavecheck.sim.exhaustive.anatomy import (
    ATOMS,
    BY_ITSELF,
    VALUES,
    IdentityMap,
    anatomy,
    is_class,
    is_module,
    mro_of,
    shape_of,
    vars_of,
)
from wavecheck.sim.exhaustive.handoffs import is_handed
from wavecheck.sim.exhaustive.libraries import (
    behind,
    compared,
    is_by_library,
    is_of_library,
    is_users,
    own_and_added,
)
from wavecheck.sim.exhaustive.program import Program
from wavecheck.sim.exhaustive.refusal import CannotCompare, refuse
from wavecheck.sim.exhaustive.trust import (
    MODEL_OF_SQL,
    is_machinery,
    is_trusted_class,
    is_trusted_function,
    module_named,
)
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Operation, Statement
from wavecheck.sim.parts import Part
from wavecheck.sim.task import Task

Children = list[tuple[str, Any]]
"""What an object holds, each with the name that a refusal gives it."""

_SUSPENDED: Final = (GeneratorType, CoroutineType, AsyncGeneratorType)
_ENGINE: Final = (Kernel, Part, Task)
_HARMLESS: Final = frozenset(
    {
        *(*ATOMS, *BY_ITSELF, float, complex, Token, GenericAlias, UnionType),
        *(MethodDescriptorType, WrapperDescriptorType, GetSetDescriptorType),
        *(MemberDescriptorType, ClassMethodDescriptorType, type(Callable[[], None])),
        *(type(vars(abc.ABC)["_abc_impl"]), TypeVar, type(Any)),
        *(type(vars(namedtuple("_Pair", "a"))["a"]), Signature, Parameter),
    }
)
"""Exact types of what cannot change, or is looked into elsewhere."""

OF_PYTHON: Final = frozenset(
    {
        *("__annotations__", "__dict__", "__weakref__", "__doc__", "__module__"),
        *("__qualname__", "__slots__", "__orig_bases__", "__parameters__"),
        *("__dataclass_fields__", "__dataclass_params__", "__match_args__"),
        *("__abstractmethods__", "__hash__", "_value2member_map_", "_abc_impl"),
        *("__protocol_attrs__", "__non_callable_proto_members__", "_is_protocol"),
    }
)
"""Class attributes that Python itself keeps."""

OBJECTS_MAX: Final = 20_000
"""Objects that are looked into, at most; a world has hundreds."""

_OF_LOGGERS: Final = frozenset({"_cache", "manager", "parent", "handlers"})
_WEAK: Final = (
    *(weakref.WeakKeyDictionary, weakref.WeakSet, weakref.WeakValueDictionary),
    weakref.ref,
)


def look_into(value: Any, label: str) -> tuple[Hashable, Children]:
    """Return what an object is made of: plain content, and named objects.

    Raises:
        CannotCompare: its state cannot be read.
    """
    kind: Any = type(value)
    if is_class(value):
        return None, _class_children(value)
    if is_handed(value):
        return None, []  # how it is used is state
    if kind in _HARMLESS or is_module(value):
        return None, []
    special = _SPECIAL.get(kind)
    if special is not None:
        made: tuple[Hashable, Children] = special(value, label)
        return made
    if Enum in mro_of(kind):
        return None, _attributes(value, kind)
    if is_engines(kind):
        return None, _put_there(value)
    if is_of_library(kind):
        return None, _labelled(kind, compared(value))
    if logging.Logger in mro_of(kind):
        held = [one for one in _attributes(value, kind) if one[0] not in _SKIPPED]
        return None, held
    if BitGenerator in mro_of(kind):
        return str(value.state), []
    if _thread._local in mro_of(kind):
        found = _thread._local.__getattribute__(value, "__dict__").items()
        return None, [(f"attribute {name!r} of {label}", one) for name, one in found]
    content, made_of = anatomy(value)
    if shape_of(kind).base is dict:
        return content, _dict_children(value, label)
    return content, [
        (label if name is None else f"attribute {name!r} of {kind.__name__}", one)
        for name, one in made_of
    ]


_SKIPPED: Final = {f"attribute {one!r} of Logger" for one in _OF_LOGGERS} | {
    f"attribute {one!r} of RootLogger" for one in _OF_LOGGERS
}


def _attributes(value: Any, kind: type) -> Children:
    reads_dict = shape_of(kind).reads_dict
    held = {} if reads_dict is None else reads_dict(value)
    return [(f"attribute {name!r} of {kind.__name__}", v) for name, v in held.items()]


def _class_children(value: type) -> Children:
    if is_trusted_class(value):
        return []
    is_local = not is_defined_once(value)
    return [
        (f"class attribute {name!r} of {value.__name__}", one)
        for name, one in vars_of(value).items()
        if name not in OF_PYTHON and (is_local or type(one) is not FunctionType)
    ]


def is_defined_once(value: Any) -> bool:
    """Return whether a class or function is what its module has under its name."""
    if type(value) is not FunctionType and not is_class(value):
        return False
    module = module_named(value.__module__)
    found: Any = module
    for part in value.__qualname__.split("."):
        found = getattr(found, "__dict__", {}).get(part)
    return found is value


def is_engines(kind: type) -> bool:
    """Return whether a class is the engine's own, or one derived from it."""
    known = _ENGINES.get(kind)
    if known is None:
        known = any(one in mro_of(kind) for one in _ENGINE)
        _ENGINES.set(kind, known)
    return known


_ENGINES: Final[IdentityMap[bool]] = IdentityMap()


def _dict_children(value: dict[Any, Any], label: str) -> Children:
    found: Children = []
    for key, one in dict.items(value):
        shown = repr(key) if type(key) in (str, int) else type(key).__name__
        found.append((f"{label}[{shown}]", one))
        if type(key) not in ATOMS:
            found.append((f"a key of {label}", key))
    return found


def _function(function: FunctionType, label: str) -> tuple[Hashable, Children]:
    name = function.__qualname__
    content, _ = anatomy(function)
    cells: Any = function.__closure__ or ()
    if is_trusted_function(function):  # which does not rebind them
        cells = [_cell_content(one) for one in cells]
    found: Children = [
        (f"closure variable {free!r} of {name}", one)
        for free, one in zip(function.__code__.co_freevars, cells, strict=False)
    ]
    defaults = [
        *(function.__defaults__ or ()),
        *(function.__kwdefaults__ or {}).values(),
    ]
    found.extend((f"default argument of {name}", item) for item in defaults)
    found.extend(
        (f"attribute {key!r} of function {name}", item)
        for key, item in vars(function).items()
    )
    if is_trusted_function(function):
        found = [one for one in found if type(one[1]) not in _WEAK]
    return content, found


def _cell_content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _statement(value: Statement, label: str) -> tuple[Hashable, Children]:
    code = (value.function, value.enabled, value.wakes_on)
    return None, [(value.name, one) for one in code]


def _operation(value: "Operation[Any]", label: str) -> tuple[Hashable, Children]:
    args = () if is_machinery(type(value.owner)) else value.args
    return None, [(label, value.statement), (label, value.owner), (label, args)]


def _suspended(value: Any, label: str) -> tuple[Hashable, Children]:
    frame = frame_of(value)
    if frame is not None:
        held = [] if _is_of_model(frame) else frame.f_locals.values()
        return frame.f_lasti, [(label, one) for one in held]
    return "ended", []


def _is_of_model(frame: Any) -> bool:
    """Return whether a frame is one of the model of SQL, which keeps no state there."""
    return str(frame.f_globals.get("__name__")).startswith(MODEL_OF_SQL)


def frame_of(value: Any) -> Any:
    """Return the frame of a suspended coroutine or generator, if it has one."""
    for name in ("cr_frame", "gi_frame", "ag_frame"):
        if hasattr(type(value), name):
            return getattr(value, name)
    return None


def _cached(value: Any, label: str) -> tuple[Hashable, Children]:
    """Return what `functools.lru_cache` holds: its counts and its entries."""
    function = vars(value).get("__wrapped__")
    if type(function) is FunctionType and is_trusted_function(function):
        return None, []
    name = getattr(value, "__qualname__", label)
    attributes = vars(value)
    # Behind a bound on their number the entries cannot be read; each use is counted.
    entries: Children = [
        (f"cache of {name}", one)
        for held in gc.get_referents(value)
        if type(held) is dict and held is not attributes
        for one in held.values()
        if type(one).__name__ != "_lru_list_elem"
    ]
    return tuple(value.cache_info()), [*entries, (name, function)]


def _variable(value: "ContextVar[Any]", label: str) -> tuple[Hashable, Children]:
    unset = object
    return None, [(f"context variable {value.name!r}", value.get(unset))]


def _lock(value: Any, label: str) -> tuple[Hashable, Children]:
    return repr(value), []


def _namespace(value: ModuleType, label: str) -> tuple[Hashable, Children]:
    return None, []


_LRU: Final = type(functools.cache(len))
_SPECIAL: Final[dict[type, Any]] = {
    FunctionType: _function,
    Statement: _statement,
    Operation: _operation,
    _LRU: _cached,
    ContextVar: _variable,
    _thread.LockType: _lock,
    _thread.RLock: _lock,
    ModuleType: _namespace,
    **dict.fromkeys(_SUSPENDED, _suspended),
}


def _labelled(kind: type, held: list[tuple[str, Any]]) -> Children:
    return [(f"attribute {name!r} of {kind.__name__}", one) for name, one in held]


def added_by_user(value: Any) -> Children:
    """Return what code under test has put on an object that a library holds."""
    return _labelled(type(value), own_and_added(value)[1])


def _put_there(value: Any) -> Children:
    """Return what code under test has put on an object of the engine.

    Attributes that the engine's own code assigns are its own; the functions in them
    (a rule of a unique index, a watcher) are not.
    """
    kind: Any = type(value)
    own = _assigned_by(kind)
    found: Children = []
    reads_dict = shape_of(kind).reads_dict
    held = {} if reads_dict is None else reads_dict(value)
    for name, one in held.items():
        label = _label(value, name)
        if name not in own:
            found.append((label, one))
            continue
        inner = one if type(one) in (list, tuple) else (one,)
        inner = one.values() if type(one) is dict else inner
        found.extend(
            (label, each)
            for each in inner
            if Part in mro_of(type(each)) or _is_code_under_test(each)
        )
    return found


def _is_code_under_test(value: Any) -> bool:
    function = value.__func__ if type(value) is MethodType else value
    return type(function) is FunctionType and not is_trusted_function(function)


def added_to(value: Any) -> Children:
    """Return the attributes that code under test has added to an object of the engine.

    What the engine itself assigns may change; it is entered, and not compared.
    """
    held, own = _attributes_of(value)
    return [(_label(value, name), held[name]) for name in held if name not in own]


def values_added_to(value: Any) -> list[Any]:
    """Return the values of what `added_to` returns."""
    held, own = _attributes_of(value)
    return [held[name] for name in held if name not in own]


def _attributes_of(value: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the attributes of an object of the engine, and the engine's own names."""
    kind: Any = type(value)
    reads_dict = shape_of(kind).reads_dict
    held = {} if reads_dict is None else reads_dict(value)
    return held, _assigned_by(kind)


def _label(value: Any, name: str) -> str:
    return f"attribute {name!r} of {getattr(value, 'name', type(value).__name__)}"


@functools.cache
def _assigned_by(kind: Any) -> frozenset[str]:
    """Return the attributes that the engine's code assigns on objects of a class."""
    return frozenset().union(
        *[
            _stored_by(function.__code__)
            for one in mro_of(kind)
            if is_trusted_class(one)
            for function in vars_of(one).values()
            if type(function) is FunctionType and is_trusted_function(function)
        ]
    )


@functools.cache
def _stored_by(code: CodeType) -> frozenset[str]:
    """Return the attributes that code assigns on anything."""
    return frozenset(
        one.argval for one in dis.get_instructions(code) if one.opname == "STORE_ATTR"
    )


class Reach:
    """Collects what is reachable from some roots, in a fixed order.

    Args:
        program: is told of the code that may run.
        beyond: objects that are known already; the search stops at them.
        owned: what is known already to be a library's own.

    Attributes:
        found: the label of each object.
        objects: what may hold state, with its label.
        owned: what a library holds of its own, with its label.
    """

    def __init__(
        self, program: Program, beyond: IdentityMap[int], owned: IdentityMap[int]
    ) -> None:
        self.found: IdentityMap[str] = IdentityMap()
        self.objects: list[tuple[object, str]] = []
        self.owned: IdentityMap[str] = IdentityMap()
        self._program = program
        self._beyond = beyond
        self._owned_before = owned

    def add(self, roots: Iterable[tuple[str, Any]]) -> None:
        """Add everything reachable from some labelled roots."""
        todo = [(label, value, False) for label, value in roots][::-1]
        sinks = _sinks()
        while todo:
            label, value, is_owned = todo.pop()
            kind = type(value)
            is_engine = is_machinery(kind) and not is_handed(value)
            if kind in _HARMLESS or is_engine or value in sinks:
                continue
            if is_module(value):
                if not is_owned:
                    self._program.meet_module(value)
                continue
            if value in self.found or value in self._beyond:
                continue
            if is_owned and not is_users(value):
                if value not in self.owned and value not in self._owned_before:
                    self.owned.set(value, label)
                    before = self._owned_before
                    todo += [
                        (name, one, is_own)
                        for name, one, is_own in reversed(
                            _inside_library(value, kind, label)
                        )
                        if type(one) not in _HARMLESS and not (is_own and one in before)
                    ]
                continue
            if kind is not tuple and kind is not frozenset and not _is_plain(kind):
                self._note(value, label)
            self._note_code(value)
            if is_of_library(kind) and not is_class(value):
                todo.extend(reversed(_inside_library(value, kind, label)))
            else:
                try:
                    _, held = look_into(value, label)
                except CannotCompare:
                    held = []  # who watches it will refuse it
                todo.extend((name, one, False) for name, one in reversed(held))
            todo.extend((one.__name__, one, False) for one in self._classes(value))

    def _note(self, value: object, label: str) -> None:
        self.found.set(value, label)
        self.objects.append((value, label))
        if len(self.objects) > OBJECTS_MAX:
            raise refuse(
                f"what tasks share leads to more than {OBJECTS_MAX:,} objects,"
                f" the last of them by {label}",
                task="(any)",
                likely="a large library in the reach of what tasks share",
            )

    def _note_code(self, value: Any) -> None:
        if type(value) is FunctionType and not is_trusted_function(value):
            self._program.meet(value.__code__, value.__globals__)
        elif is_class(value) and not is_trusted_class(value):
            if is_defined_once(value):
                self._program.meet_class(value)
        elif type(value) in _SUSPENDED and (frame := frame_of(value)) is not None:
            self._program.meet(frame.f_code, frame.f_globals)

    def _classes(self, value: object) -> list[type]:
        kinds = [*mro_of(type(value))]
        if is_class(value):
            kinds += mro_of(value)
        return [one for one in kinds[::-1] if not is_trusted_class(one)]


def _inside_library(value: Any, kind: type, label: str) -> list[tuple[str, Any, bool]]:
    """Return what an object of a library leads to, and whether that is its own."""
    if is_class(value):
        return []
    if not is_of_library(kind):
        return [(label, one, True) for one in behind(value)]
    own, added = own_and_added(value)
    shown = [(own, True), (added, False)]
    return [
        (
            f"attribute {name!r} of {kind.__name__}",
            one,
            is_own or is_by_library(one),
        )
        for held, is_own in shown
        for name, one in held
    ]


def _is_plain(kind: type) -> bool:
    try:
        shape = shape_of(kind)
    except CannotCompare:
        return False
    return shape.base in VALUES and shape.adds_nothing


def _sinks() -> IdentityMap[None]:
    """Return where the process writes to, all modules, and the loop."""
    found: IdentityMap[None] = IdentityMap()
    for one in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        found.set(one, None)
    found.set(sys.modules, None)
    found.set(LOOP, None)
    return found


def roots_of(task: Task, program: Program) -> Children:
    """Return the variables that a task starts with, and the functions it is in.

    Args:
        task: that stands at its first operation.
        program: is told of the code that the task is in.
    """
    roots: Children = []
    own_cells: IdentityMap[int] = IdentityMap()
    current: Any = task.coroutine
    while isinstance(current, CoroutineType | GeneratorType):
        frame = frame_of(current)
        if frame is None:
            break
        code = frame.f_code
        program.meet(code, frame.f_globals)
        for one in gc.get_referents(current):
            if type(one) is FunctionType and one.__code__ is code:
                if is_defined_once(one):
                    roots.append((one.__qualname__, one))
                    continue
                cells = zip(code.co_freevars, one.__closure__ or (), strict=True)
                roots.extend(
                    (f"closure variable {name!r} of {one.__qualname__}", cell)
                    for name, cell in cells
                    if cell not in own_cells
                )
            elif isinstance(one, CellType):
                own_cells.set(one, 0)
        if not _is_of_model(frame):
            roots.extend(
                (f"variable {name!r} of {code.co_name}", value)
                for name, value in frame.f_locals.items()
                if name not in code.co_freevars
            )
        current = getattr(current, "cr_await", None) or getattr(
            current, "gi_yieldfrom", None
        )
    return roots

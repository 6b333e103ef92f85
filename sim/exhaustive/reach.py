"""Everything that can be reached from some objects, each with a name for a message.

Knows Python's objects, nothing of parts and steps: those it names and does not enter.
The order is fixed, so that the same object has the same name in each run.
"""

import gc
import logging
import random  # noqa: TID251 - to see whether the code under test draws from it
from collections import deque
from collections.abc import Iterable
from types import (
    CellType,
    CoroutineType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
)
from typing import Any, Final

from wavecheck.sim.exhaustive.identity import IdentityMap, fields_of
from wavecheck.sim.exhaustive.modules import is_user_code, module_of
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Operation, Statement
from wavecheck.sim.parts import Part
from wavecheck.sim.task import Task
from wavecheck.sim.watchdog import Watchdog

OPAQUE: Final = (
    *(Kernel, Part, Task, Statement, Operation, Watchdog),
    *(logging.Logger, ModuleType),
)
_CONTAINERS: Final = (list, dict, set, deque, bytearray)
_HOLDERS: Final = (
    *(*OPAQUE, *_CONTAINERS),
    *(CellType, MethodType, GeneratorType, CoroutineType),
)
_ENGINE: Final = ("wavecheck.sim.exhaustive.", "wavecheck.sim.search.")

Children = list[tuple[str, Any]]


def children_of(value: Any, label: str) -> Children:
    """Return what an object holds, each with the name that a refusal gives it."""
    if isinstance(value, FunctionType):
        return _function_children(value)
    if isinstance(value, MethodType):
        return [(label, value.__func__), (label, value.__self__)]
    if isinstance(value, CellType):
        try:
            return [(label, value.cell_contents)]
        except ValueError:
            return []
    if isinstance(value, type):
        return [
            (f"class attribute {name!r} of {value.__name__}", _unwrap(item))
            for name, item in vars(value).items()
            if not name.startswith("__") and name != "_abc_impl"
        ]
    if isinstance(value, dict):
        return [(f"{label}[{name!r}]", item) for name, item in value.items()]
    if isinstance(value, tuple | frozenset | set | list | deque | bytearray):
        return [(label, item) for item in value]
    if isinstance(value, GeneratorType | CoroutineType):
        frame = getattr(value, "gi_frame", None) or getattr(value, "cr_frame", None)
        if frame is None:
            return []
        return [(label, frame.f_lasti), *((label, v) for v in frame.f_locals.values())]
    if isinstance(value, random.Random):
        return [(label, value.getstate())]
    if hasattr(value, "__next__"):
        return [(label, repr(value))]
    name = type(value).__name__
    fields = fields_of(value)
    return [(f"attribute {field!r} of {name}", item) for field, item in fields or ()]


def _function_children(function: FunctionType) -> Children:
    name = function.__qualname__
    found: Children = []
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
    found.extend((f"closure variable {free!r} of {name}", cell) for free, cell in cells)
    found.extend(
        (f"default argument of {name}", item) for item in function.__defaults__ or ()
    )
    found.extend(
        (f"default argument {key!r} of {name}", item)
        for key, item in (function.__kwdefaults__ or {}).items()
    )
    found.extend(
        (f"attribute {key!r} of function {name}", item)
        for key, item in vars(function).items()
    )
    return found


def _unwrap(value: Any) -> Any:
    if isinstance(value, staticmethod | classmethod):
        return value.__func__
    return value


class Reach:
    """Collects what is reachable from some roots, in a fixed order.

    Args:
        beyond: objects that are known already; the search stops at them.
    """

    def __init__(self, *beyond: IdentityMap[int]) -> None:
        self.found: IdentityMap[str] = IdentityMap()
        self.objects: list[tuple[object, str]] = []
        self.modules: dict[str, ModuleType] = {}
        self._beyond = beyond

    def add(self, roots: Iterable[tuple[str, Any]]) -> None:
        """Add everything reachable from some labelled roots."""
        todo = list(roots)[::-1]
        while todo:
            label, value = todo.pop()
            if isinstance(value, property):
                todo.append((label, value.fget))
                continue
            if isinstance(value, tuple | frozenset):
                todo.extend((label, item) for item in reversed(list(value)))
                continue
            if not _holds_state(value) or value in self.found:
                continue
            if any(value in known for known in self._beyond):
                continue
            self.found.set(value, label)
            self.objects.append((value, label))
            if not isinstance(value, OPAQUE):
                todo.extend(reversed(children_of(value, label)))
                todo.extend(reversed(self._classes_of(value)))
            module = module_of(value)
            if module is not None:
                self.modules.setdefault(module.__name__, module)

    def _classes_of(self, value: object) -> Children:
        return [
            (one.__name__, one)
            for one in type(value).__mro__
            if is_user_code(one.__module__)
        ]


def _holds_state(value: object) -> bool:
    if isinstance(value, _HOLDERS):
        return True
    if isinstance(value, FunctionType):
        return is_user_code(value.__module__)
    if isinstance(value, type):
        return is_user_code(value.__module__)
    if isinstance(value, random.Random) or hasattr(value, "__next__"):
        return True
    return fields_of(value) is not None and not _is_library(type(value).__module__)


def _is_library(module_name: str) -> bool:
    """Return whether the objects of a module's classes are taken at their word."""
    if module_name.startswith(("wavecheck.sim.", "wavecheck.scenarios.sql.")):
        return module_name.startswith(_ENGINE)
    return not is_user_code(module_name)


def roots_of(task: Task) -> tuple[Children, Children]:
    """Return the variables that a task starts with, and the functions it is in."""
    roots: Children = []
    functions: Children = []
    own_cells: IdentityMap[int] = IdentityMap()
    current: Any = task.coroutine
    while isinstance(current, CoroutineType | GeneratorType):
        frame = getattr(current, "cr_frame", None) or getattr(current, "gi_frame", None)
        if frame is None:
            break
        code = frame.f_code
        for one in gc.get_referents(current):
            if isinstance(one, FunctionType) and one.__code__ is code:
                functions.append((one.__qualname__, one))
                cells = zip(code.co_freevars, one.__closure__ or (), strict=True)
                roots.extend(
                    (f"closure variable {name!r} of {one.__qualname__}", cell)
                    for name, cell in cells
                    if cell not in own_cells
                )
            elif isinstance(one, CellType):
                own_cells.set(one, 0)
        roots.extend(
            (f"variable {name!r} of {code.co_name}", value)
            for name, value in frame.f_locals.items()
            if name not in code.co_freevars
        )
        current = getattr(current, "cr_await", None) or getattr(
            current, "gi_yieldfrom", None
        )
    return roots, functions

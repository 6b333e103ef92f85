"""The code that may run: which globals it can look up, and which methods it can call.

Knows functions, classes and modules. A method may run if some code mentions its name; a
global is looked at if code of its module mentions it, or if any code does that can
reach the module. Code that builds names at run time may run all methods of its module
and look up whatever is kept in the modules that it can reach.
"""

import importlib
import sys
from dataclasses import dataclass, field
from importlib.util import resolve_name
from types import CodeType, FunctionType
from typing import Any, Final

from wavecheck.sim.exhaustive.anatomy import (
    IdentityMap,
    Same,
    is_class,
    is_module,
    vars_of,
)
from wavecheck.sim.exhaustive.names import names_in
from wavecheck.sim.exhaustive.trust import is_trusted

_NOT_LOOKED_AT: Final = frozenset({"__builtins__", "__spec__", "__loader__"})
_CALLED_BY_THE_ENGINE: Final = ("start", "heal", "interchangeable", "plan_faults")


@dataclass(slots=True)
class Namespace:
    """The globals of one module.

    Attributes:
        name: of the module.
        held: the globals.
        is_library: only its objects are looked into, not its code.
        is_asked: code that has the module may look up whatever any code mentions.
        is_open: any global may be looked up.
        asks_any: its code may ask objects for any attribute.
        mentioned: what its own code mentions.
        met: what was looked at already.
    """

    name: str
    held: dict[str, Any]
    is_library: bool
    is_asked: bool = False
    is_open: bool = False
    asks_any: bool = False
    mentioned: set[str] = field(default_factory=set)
    met: set[str] = field(default_factory=set)


class Program:
    """Collects code, and says what it can reach by name.

    Attributes:
        namespaces: of every module that is code under test or looked into.
    """

    def __init__(self) -> None:
        self.namespaces: list[Namespace] = []
        self._by_dict: IdentityMap[Namespace] = IdentityMap()
        self._asks_any = False
        self._names: set[str] = set(_CALLED_BY_THE_ENGINE)
        self._codes: set[tuple[Same, Same]] = set()
        self._methods: list[tuple[str, FunctionType]] = []
        self._classes: IdentityMap[int] = IdentityMap()

    def meet(self, code: CodeType, held: dict[str, Any]) -> None:
        """Note that some code may run."""
        place = (Same(code), Same(held))
        if place in self._codes:
            return
        self._codes.add(place)
        names = names_in(code)
        namespace = self._namespace(held)
        namespace.mentioned |= names.globals
        namespace.is_open |= names.asks_any_global
        namespace.asks_any |= names.asks_any_attribute
        self._asks_any |= names.asks_any_attribute
        self._names |= names.all
        for name, level in sorted(names.imports):
            self._import(name, level, held)
        if names.asks_any_global:
            for text in sorted(names.texts & sys.modules.keys()):
                self.meet_module(sys.modules[text])

    def meet_class(self, kind: type) -> None:
        """Note that methods of a class may run."""
        if kind not in self._classes:
            self._classes.set(kind, 0)
            for name, one in vars_of(kind).items():
                if type(one) is FunctionType:
                    self._methods.append((name, one))

    def meet_module(self, module: Any) -> None:
        """Note that code may look something up in a module."""
        if is_module(module):
            self._namespace(vars(module)).is_asked = True

    def _namespace(self, held: dict[str, Any]) -> Namespace:
        found = self._by_dict.get(held)
        if found is None:
            name = held.get("__name__")
            module = sys.modules.get(name) if type(name) is str else None
            is_library = (
                module is not None and vars(module) is held and is_trusted(module)
            )
            found = Namespace(str(name), held, is_library)
            self._by_dict.set(held, found)
            self.namespaces.append(found)
        return found

    def _import(self, name: str, level: int, held: dict[str, Any]) -> None:
        """Import what code would import inside a function, to know it from the start.

        What cannot be imported is left to the code, which may never ask for it.
        """
        try:
            if level:
                name = resolve_name("." * level + name, held["__package__"])
            module = sys.modules.get(name) or importlib.import_module(name)
        except Exception:
            return
        self.meet_module(module)
        if "." in name:
            self._import(name.rpartition(".")[0], 0, held)

    def mentions(self, name: str) -> bool:
        """Return whether code that may run mentions a name, or may ask for any."""
        return name in self._names or self._asks_any

    def take_found(self) -> list[tuple[str, Any]]:
        """Return what code can reach by name and was not returned before, labelled."""
        found: list[tuple[str, Any]] = []
        for one in self.namespaces:
            self._load_late(one)
            for name, value in list(one.held.items()):
                if name in one.met or not self._may_look_up(name, value, one):
                    continue
                one.met.add(name)
                if not (one.is_library and _is_code(value)):
                    found.append((f"global {name!r} of module {one.name}", value))
        waiting = []
        for name, function in self._methods:
            if self._may_run(name, function):
                found.append((function.__qualname__, function))
            else:
                waiting.append((name, function))
        self._methods = waiting
        return found

    def _load_late(self, where: Namespace) -> None:
        """Load the names that a module of ours loads when they are asked for."""
        if where.is_library and where.is_asked and "__getattr__" in where.held:
            late = where.held.get("__all__", ())
            for name in [one for one in late if one in self._names]:
                getattr(sys.modules[where.name], name)

    def _may_look_up(self, name: str, value: object, where: Namespace) -> bool:
        if name in _NOT_LOOKED_AT or name.startswith("@"):  # pytest adds such names
            return False
        if name in where.mentioned or (where.is_asked and name in self._names):
            return True
        if where.is_open:
            return _is_own(value, where)
        is_kept = not where.is_library and not _is_code(value)
        return where.is_asked and self._asks_any and is_kept

    def _may_run(self, name: str, function: FunctionType) -> bool:
        is_special = name.startswith("__") and name.endswith("__")
        return (
            is_special
            or name in self._names
            or self._namespace(function.__globals__).asks_any
        )


def _is_own(value: object, namespace: Namespace) -> bool:
    """Return whether a global is a module's own, and not imported from another."""
    if namespace.is_library or is_module(value):
        return False
    return not _is_code(value) or getattr(value, "__module__", None) == namespace.name


def _is_code(value: object) -> bool:
    return is_class(value) or is_module(value) or type(value) is FunctionType

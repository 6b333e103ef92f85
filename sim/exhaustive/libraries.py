"""Objects of database libraries (engines, mappers, models' fields): what is their own.

A library keeps much beside what code sees: compiled statements, attributes that are
made when they are first asked for, registries, weak references. None of it is state of
the code under test, so an object whose class such a library defines is *entered, not
compared*: what its library's own code assigns is its own, and so are the containers in
it. Behind it, functions and objects of the user's (a default, a listener, a class) are
watched like any other, and so is what no code of the library assigns: an attribute that
the user has added, and what is kept in a dictionary called `info`.

An object that the user's own code holds (a query in a module, an engine) is compared,
one level deep, but for attributes that are made when they are first asked for. One
that is a container by itself, such as a cache, is compared in full.

What escapes, a user's value in a container of a library's own, is seen by the runs
that accompany a proof.
"""

import dis
import gc
import sys
import weakref
from collections import defaultdict
from functools import cache, partial
from types import BuiltinMethodType, CodeType, FrameType, FunctionType, MethodType
from typing import Any, Final

from wavecheck.sim.exhaustive.anatomy import (
    IdentityMap,
    is_class,
    mro_of,
    shape_of,
    vars_of,
)
from wavecheck.sim.exhaustive.refusal import CannotCompare
from wavecheck.sim.exhaustive.trust import (
    LIBRARIES,
    is_trusted_class,
    is_trusted_function,
)

_LEADS_NOWHERE: Final = (type(cache(len)), CodeType, FrameType)
_ENTERED: Final = (dict, list, tuple, set, defaultdict)
_BOUND: Final = (partial, BuiltinMethodType)
_WRITES: Final = ("__setitem__", "append", "set", "put")
_NOTED: Final = frozenset({"_memoized_keys"})
"""Attributes in which SQLAlchemy notes what it has made late."""

_LISTENERS: Final = (
    ("sqlalchemy.event.registry", "_key_to_collection"),
    ("django.db.models.signals", ""),
    ("django.db.backends.signals", ""),
    ("django.core.signals", ""),
)
"""Where libraries keep functions that they call; an empty name: all that is there."""


def is_of_library(kind: type) -> bool:
    """Return whether a class is a library's, or one derived from it."""
    known = _KINDS.get(kind)
    if known is None:
        bases = [one for one in mro_of(kind) if _defines(one)]
        is_container = any(_is_container(one) for one in bases)
        is_container |= any(one in mro_of(kind) for one in (dict, list, set))
        known = bool(bases) and not is_container
        _KINDS.set(kind, known)
    return known


_KINDS: Final[IdentityMap[bool]] = IdentityMap()


def _defines(kind: type) -> bool:
    name = vars_of(kind).get("__module__")
    top = name.partition(".")[0] if type(name) is str else ""
    return top in LIBRARIES and is_trusted_class(kind)


def _is_container(kind: type) -> bool:
    """Return whether code can put what it likes into objects of a class."""
    return any(type(vars_of(kind).get(one)) is FunctionType for one in _WRITES)


@cache
def _assigned_by(kind: Any) -> frozenset[str]:
    """Return the attributes that a library's code assigns on objects of a class."""
    return frozenset(
        instruction.argval
        for one in mro_of(kind)
        if is_trusted_class(one)
        for function in vars_of(one).values()
        if type(function) is FunctionType and is_trusted_function(function)
        for instruction in dis.get_instructions(function)
        if instruction.opname == "STORE_ATTR"
    )


@cache
def _declared_by(kind: Any) -> frozenset[str]:
    """Return what a library's classes declare: such attributes may be made late."""
    return frozenset(
        name for one in mro_of(kind) if is_trusted_class(one) for name in vars_of(one)
    )


def held_by(value: Any) -> list[tuple[str, Any]]:
    """Return the attributes of an object of a library, as far as they can be read."""
    try:
        shape = shape_of(type(value))
    except CannotCompare:
        return []
    found = []
    for name, get in shape.slots:
        try:
            found.append((name, get(value)))
        except AttributeError:  # it was never set
            continue
    if shape.reads_dict is not None:
        found.extend(shape.reads_dict(value).items())
    return found


def own_and_added(value: Any) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
    """Return an object's attributes: those of its library, and the user's."""
    kind: Any = type(value)
    own: list[tuple[str, Any]] = []
    added: list[tuple[str, Any]] = []
    for name, one in held_by(value):
        is_own = name in _assigned_by(kind) or name in _declared_by(kind)
        is_own = (is_own and name != "info") or is_by_library(one)
        (own if is_own else added).append((name, one))
    return own, added


def compared(value: Any) -> list[tuple[str, Any]]:
    """Return what of an object must stay as it is where the user's code holds it."""
    kind: Any = type(value)
    late = (_declared_by(kind) - _assigned_by(kind)) | _NOTED
    own, added = own_and_added(value)
    return [*added, *[(name, one) for name, one in own if name not in late]]


def behind(value: Any) -> list[Any]:
    """Return what an object that a library holds leads to, whichever kind it is."""
    kind = type(value)
    if kind is FunctionType:
        cells: Any = value.__closure__ or ()
        defaults = (value.__defaults__ or (), (value.__kwdefaults__ or {}).values())
        return [*cells, *defaults[0], *defaults[1], *vars(value).values()]
    if isinstance(value, weakref.ref):
        return [value()]
    if dict in mro_of(kind):
        return [*dict.keys(value), *dict.values(value)]
    if kind in _LEADS_NOWHERE:
        return []
    return [one for one in gc.get_referents(value) if one is not kind]


def is_users(value: Any) -> bool:
    """Return whether an object that a library holds is not its own, nor Python's.

    Libraries make functions and classes at run time, which are in no module; they go
    by the name of the module that has made them.
    """
    if type(value) is FunctionType:
        return not _is_name_of(value.__globals__.get("__name__"), python=True)
    kind = value if is_class(value) else type(value)
    module = vars_of(kind).get("__module__")
    return type(module) is str and not _is_name_of(module, python=True)


def is_by_library(value: Any) -> bool:
    """Return whether a library has made an object, if only at run time."""
    if type(value) is FunctionType:
        return _is_name_of(value.__globals__.get("__name__"))
    kind = value if is_class(value) else type(value)
    return _is_name_of(vars_of(kind).get("__module__"))


def _is_name_of(module: object, *, python: bool = False) -> bool:
    top = module.partition(".")[0] if type(module) is str else ""
    return top in LIBRARIES or (python and top in sys.stdlib_module_names)


def listeners() -> list[tuple[str, Any]]:
    """Return what the libraries that are loaded will call of the user's, labelled.

    What a listener is registered for is not entered here: code that leads to it is.
    """
    found = []
    for module_name, name in _LISTENERS:
        module = sys.modules.get(module_name)
        for key, one in vars(module).items() if module else ():
            if key == name or (not name and _defines(type(one))):
                held = one if name else one.receivers
                found += [(f"{key} of {module_name}", each) for each in _called(held)]
    return found


def _called(held: Any) -> list[Any]:
    """Return what is the user's in a registry, and in functions of the library's."""
    found: list[Any] = []
    seen: IdentityMap[int] = IdentityMap()
    todo = [(held, False)]
    while todo:
        value, is_wrapped = todo.pop()
        if value is None or value in seen:
            continue
        seen.set(value, 0)
        kind = type(value)
        if kind is FunctionType and not is_users(value):
            todo += [(one.cell_contents, True) for one in value.__closure__ or ()]
        elif kind is MethodType:
            todo += [(value.__func__, is_wrapped), (value.__self__, is_wrapped)]
        elif isinstance(value, weakref.ref):
            todo.append((value(), is_wrapped))
        elif kind in _ENTERED and not is_wrapped:
            todo += [(one, False) for one in gc.get_referents(value)]
        elif kind in _BOUND or (is_users(value) and not is_class(value)):
            found.append(value)
    return found

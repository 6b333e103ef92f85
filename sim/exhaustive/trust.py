"""What is trusted: a short list of modules, by name, and the engine itself.

The functions and classes of these modules keep no state of their own, or the state is
in an object that is looked into like any other (`os.environ`, the generator behind
`random`, the context of `decimal`). Everything else is code under test, wherever it is
installed. A module is recognised as the very object that Python keeps under its name,
loaded from where Python's own modules are; a file of the user's that is called like
one of them is not it, and neither is one that is called like one of ours.
"""

import sys
import sysconfig
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final

import wavecheck.sim
from wavecheck.sim.exhaustive.anatomy import IdentityMap, vars_of

LIBRARIES: Final = frozenset(
    {
        *("psycopg", "psycopg_binary", "psycopg_pool", "psycopg2", "asyncpg"),
        *("sqlalchemy", "django", "asgiref", "celery", "kombu", "vine"),
    }
)
"""Database libraries, see `libraries`: what they keep of a task is in objects that the
task holds."""

_NOT_TRUSTED: Final = ("django.core.cache", "django.contrib")
"""Modules of theirs that keep what code under test gives them."""

LIBRARY: Final = frozenset(
    {
        *("_collections_abc", "_operator", "_weakrefset", "abc", "argparse", "array"),
        *("asyncio", "ast", "base64", "binascii", "bisect", "builtins", "calendar"),
        *("cmath", "codecs", "collections", "colorsys", "contextlib", "contextvars"),
        *("copy", "copyreg", "csv", "dataclasses", "datetime", "decimal", "difflib"),
        *("enum", "errno", "fractions", "functools", "genericpath", "hashlib"),
        *("heapq", "hmac", "html", "importlib", "inspect", "io", "ipaddress"),
        *("itertools", "json", "keyword", "linecache", "locale", "logging", "math"),
        *("ntpath", "numbers", "operator", "os", "pathlib", "posixpath", "pprint"),
        *("queue", "random", "re", "reprlib", "secrets", "selectors", "shlex"),
        *("signal", "stat", "statistics", "string", "struct", "sys", "textwrap"),
        *("threading", "time", "token", "tokenize", "traceback", "types", "typing"),
        *("unicodedata", "urllib", "uuid", "warnings", "weakref", "zoneinfo"),
        *("typing_extensions", "simpy", "greenlet", "socket", *LIBRARIES),
    }
)
"""Top-level names: Python's own library as far as it is pure or looked into, and
packages that the engine itself rests on."""

_RESTS_ON: Final = frozenset({"typing_extensions", "simpy", "greenlet", *LIBRARIES})
_PATHS: Final = sysconfig.get_paths()
_STDLIB: Final = (_PATHS["stdlib"], _PATHS["platstdlib"])
_SITE: Final = (_PATHS["purelib"], _PATHS["platlib"])
_ENGINE_NAME: Final = wavecheck.sim.__name__
_PRODUCT: Final = _ENGINE_NAME.partition(".")[0]
_HOME: Final = Path(wavecheck.sim.__path__[0]).parent
_OURS: Final = tuple(
    f"{_PRODUCT}.{one}."
    for one in (
        *("sim", "scenarios.sql", "scenarios.drivers", "scenarios.worlds"),
        "scenarios.server",
    )
)
"""The engine, and the model of a database that runs on it."""

MODEL_OF_SQL: Final = f"{_PRODUCT}.scenarios.sql."
"""Its plans and sessions hold what parts and the text of a statement say."""


def is_trusted(module: ModuleType) -> bool:
    """Return whether a module keeps no state that is not looked into."""
    name = vars(module).get("__name__")
    return type(name) is str and sys.modules.get(name) is module and _is_known(name)


@cache
def _is_known(name: str) -> bool:
    """Return whether the module that Python has under a name is on the list."""
    top = name.partition(".")[0]
    origin = getattr(getattr(sys.modules[name], "__spec__", None), "origin", None)
    if name == _PRODUCT or f"{name}.".startswith(_OURS):  # its names are loaded late
        file = _HOME.joinpath(*name.split(".")[1:])
        return origin in (str(file / "__init__.py"), f"{file}.py")
    if top.lstrip("_") not in LIBRARY and top not in LIBRARY:
        return False
    if name.startswith(_NOT_TRUSTED):
        return False
    if origin in ("built-in", "frozen"):
        return True
    if type(origin) is not str:
        return False
    if top in _RESTS_ON:
        return origin.startswith(_SITE)
    return origin.startswith(_STDLIB) and not origin.startswith(_SITE)


def module_named(name: object) -> ModuleType | None:
    """Return the module that Python has under a name, if it is one."""
    found = sys.modules.get(name) if type(name) is str else None
    return found if isinstance(found, ModuleType) else None


def is_trusted_function(function: FunctionType) -> bool:
    """Return whether a function's globals are those of a trusted module."""
    held = function.__globals__
    module = module_named(held.get("__name__"))
    return module is not None and vars(module) is held and is_trusted(module)


_TRUSTED: Final[IdentityMap[None]] = IdentityMap()


def trust_class(kind: type) -> None:
    """Note that the engine has made a class at run time."""
    _TRUSTED.set(kind, None)


def is_trusted_class(kind: type) -> bool:
    """Return whether a class is one that a trusted module defines."""
    if kind in _TRUSTED:
        return True
    if not _flags_of(kind) & _HEAP_TYPE:
        return True  # no class statement made it, and nobody can add to it
    module = module_named(vars_of(kind).get("__module__"))
    if module is None or not is_trusted(module):
        return False
    found: Any = module
    for part in _qualified_name_of(kind).split("."):
        found = vars(found).get(part) if hasattr(found, "__dict__") else None
    if found is kind:
        _TRUSTED.set(kind, None)
    return found is kind


def is_machinery(kind: type) -> bool:
    """Return whether a class belongs to the tools that run a world, and not to one."""
    known = _MACHINERY.get(kind)
    if known is None:
        name = vars_of(kind).get("__module__")
        known = type(name) is str and name.startswith(_TOOLS) and is_trusted_class(kind)
        _MACHINERY.set(kind, known)
    return known


_MACHINERY: Final[IdentityMap[bool]] = IdentityMap()
_TOOLS: Final = (
    *[f"{_ENGINE_NAME}.{one}" for one in ("exhaustive.", "search.", "watchdog")],
    MODEL_OF_SQL,
    f"{_PRODUCT}.scenarios.server.",
)

_flags_of: Final = type.__dict__["__flags__"].__get__
_qualified_name_of: Final = type.__dict__["__qualname__"].__get__
_HEAP_TYPE: Final = 1 << 9

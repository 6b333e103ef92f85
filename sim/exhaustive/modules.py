"""Which modules hold code under test, and what their globals are.

Knows Python's modules only. The standard library, installed packages and our own
engine are taken at their word; everything else is watched.
"""

import sys
import sysconfig
from functools import cache
from types import FunctionType, ModuleType
from typing import Any, Final

_LIBRARIES: Final = tuple(
    sysconfig.get_paths()[name]
    for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
_OURS: Final = ("wavecheck.sim.", "wavecheck.scenarios.sql.")


@cache
def is_user_code(module_name: str | None) -> bool:
    """Return whether a module is neither a library nor the engine."""
    if (
        not module_name
        or module_name == "builtins"
        or f"{module_name}.".startswith(_OURS)
    ):
        return False
    if module_name in sys.builtin_module_names:
        return False
    file = getattr(sys.modules.get(module_name), "__file__", None)
    if file is None:
        return (
            module_name in ("__main__",) or module_name not in sys.stdlib_module_names
        )
    return not file.startswith(_LIBRARIES)


def module_of(value: object) -> ModuleType | None:
    """Return the module under test that a function or class belongs to, or None."""
    if not isinstance(value, FunctionType | type):
        return None
    name = value.__module__
    return sys.modules.get(name) if is_user_code(name) else None


def globals_of(module: ModuleType) -> dict[str, Any]:
    """Return the globals of a module, without those that Python itself keeps."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("__") and not name.startswith("@")
    }

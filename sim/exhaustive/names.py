"""The names that code mentions: what it may look up in its module, or ask of an object.

Knows compiled code only. Code that builds names at run time may ask for anything.
"""

import dis
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from types import CodeType
from typing import Final

_ANY_ATTRIBUTE: Final = frozenset(
    {"getattr", "setattr", "delattr", "vars", "__dict__", "attrgetter", "methodcaller"}
)
_NAME_MAX: Final = 200
_GLOBAL: Final = frozenset(
    f"{verb}_{where}"
    for verb in ("LOAD", "STORE", "DELETE")
    for where in ("GLOBAL", "NAME")
)
_ANY_GLOBAL: Final = frozenset(
    {"globals", "eval", "exec", "__globals__", "__import__", "import_module", "modules"}
)


@dataclass(frozen=True, slots=True)
class Names:
    """What some code mentions.

    Attributes:
        all: globals, attributes, and texts that could be the name of one.
        globals: what it looks up, sets or deletes in its own module.
        texts: among all, those that are no names in the code.
        imports: modules that it imports, with the level of a relative import.
        asks_any_attribute: it may ask an object for any attribute.
        asks_any_global: it may look up any global.
    """

    all: frozenset[str]
    globals: frozenset[str]
    texts: frozenset[str]
    imports: frozenset[tuple[str, int]]
    asks_any_attribute: bool
    asks_any_global: bool


@cache
def names_in(code: CodeType) -> Names:
    """Return what a piece of code mentions, with the functions inside it."""
    found: set[str] = set(code.co_names)
    instructions = list(dis.get_instructions(code))
    own = {one.argval for one in instructions if one.opname in _GLOBAL}
    imports = _imports(instructions)
    texts: set[str] = set()
    for const in code.co_consts:
        if isinstance(const, CodeType):
            inner = names_in(const)
            found |= inner.all
            own |= inner.globals
            texts |= inner.texts
            imports |= inner.imports
        else:
            texts |= _texts(const)
    found |= texts
    return Names(
        frozenset(found),
        frozenset(own),
        frozenset(texts),
        frozenset(imports),
        asks_any_attribute=not found.isdisjoint(_ANY_ATTRIBUTE),
        asks_any_global=not found.isdisjoint(_ANY_GLOBAL),
    )


def _texts(const: object) -> set[str]:
    if isinstance(const, str):
        return {const, *const.split(".")} if len(const) < _NAME_MAX else set()
    if isinstance(const, tuple | frozenset):
        return {text for one in const for text in _texts(one)}
    return set()


def _imports(instructions: Sequence[dis.Instruction]) -> set[tuple[str, int]]:
    """Return the modules that are imported, and what is taken out of them.

    What is taken out of a package may be a module as well.
    """
    found: set[tuple[str, int]] = set()
    constants: list[object] = []
    for one in instructions:
        if one.opname == "LOAD_CONST":
            constants.append(one.argval)
        elif one.opname == "IMPORT_NAME":
            level, taken = constants[-2:]
            assert isinstance(level, int)
            found.add((one.argval, level))
            for name in taken if isinstance(taken, tuple) else ():
                dot = "." if one.argval else ""
                found.add((f"{one.argval}{dot}{name}", level))
    return found

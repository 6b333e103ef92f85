"""Which database the code under test reaches when it opens a connection.

A driver's `connect` is replaced once in this process. Outside of a world it is the real
one; in a task it gives a connection to the world's database, or is refused, with the
line: nothing that the code under test does leaves the world.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Final, Protocol

from wavecheck.scenarios.sql.session import Session
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.surroundings import RUNNING, refuse_here

_FUNCTIONS: Final = (BuiltinFunctionType, FunctionType, MethodType)


class Sessions(Protocol):
    """What gives sessions: a database of a world.

    One on a real server says so by `on_server`: drivers connect to it themselves.
    """

    def session(self) -> Session:
        """Return a new session; this is no step."""
        ...


@dataclass(slots=True)
class Reachable:
    """The databases that the tasks of one kernel reach.

    Attributes:
        by_family: `postgresql` or `sqlite` to databases by name; an empty name takes
            every address.
    """

    by_family: dict[str, dict[str, Sessions]] = field(default_factory=dict)


def make_reachable(
    kernel: Kernel, family: str, database: Sessions, name: str = ""
) -> None:
    """Let the tasks of a kernel reach a database.

    Args:
        kernel: whose tasks.
        family: `postgresql` or `sqlite`.
        database: gives the sessions.
        name: of the database (of a file, for SQLite) in the addresses that the code
            uses; empty: every address leads here.

    Raises:
        InvalidScenario: an address would lead to two databases.
    """
    reachable: Reachable = kernel.services.setdefault("databases", Reachable())
    known = reachable.by_family.setdefault(family, {})
    if name in known or (known and "" in (name, *known)):
        raise InvalidScenario(
            f"two {family} databases, and an address could mean either\n"
            "next: give each the name that it has in the code's addresses, name=..."
        )
    known[name] = database


def reached(family: str, name: str, address: str) -> Sessions:
    """Return the database that the running task means, or refuse with its line.

    Args:
        family: `postgresql` or `sqlite`.
        name: of the database.
        address: as the code gave it, for the message.
    """
    kernel = RUNNING.kernel
    assert kernel is not None
    reachable: Reachable = vars(kernel)["services"].get("databases", Reachable())
    known = reachable.by_family.get(family, {})
    database = known.get(name, known.get(""))
    if database is None:
        there = ", ".join(repr(one) for one in known) or "none of its kind"
        refuse_here(
            f"the code under test connects to {family} {address!r}, which is not in"
            f" this world\n  expected  {there}",
            f"make it a database of the world: w.{family}(schema, name={name!r})",
        )
    return database


def replace(owner: Any, name: str, inside: Callable[..., Any]) -> None:
    """Replace a function of a driver for tasks; elsewhere it stays what it is.

    Names under which modules have imported it are replaced as well.

    Args:
        owner: module or class that holds it.
        name: of the function.
        inside: called in its place while a task runs.
    """
    original = vars(owner)[name]
    is_class_method = isinstance(original, classmethod)
    outside = original.__func__ if is_class_method else original
    if hasattr(outside, "outside_of_worlds"):
        return

    def either(*args: Any, **named: Any) -> Any:
        function = outside if RUNNING.kernel is None else inside
        return function(*args, **named)

    either.__name__ = name
    either.__doc__ = outside.__doc__
    either.outside_of_worlds = outside  # type: ignore[attr-defined]  # says it is one
    setattr(owner, name, classmethod(either) if is_class_method else either)
    if isinstance(original, _FUNCTIONS) and not isinstance(owner, type):
        _exchange_names({original: either})


def _exchange_names(exchanged: Mapping[Callable[..., Any], Callable[..., Any]]) -> None:
    for module in list(sys.modules.values()):
        held = getattr(module, "__dict__", None)
        if type(held) is not dict:
            continue
        for name, value in list(held.items()):
            if type(value) in _FUNCTIONS and value in exchanged:
                held[name] = exchanged[value]

"""Who waits for whom: asked of the server, as PostgreSQL's isolation tester does.

A session that waits for another one's lock is *blocked*. It is *settled* when whoever
it waits for does not run: then nothing happens any more until somebody acts.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import psycopg

Waits = Mapping[int, Sequence[int]]
"""For each session that is asked about, by its number, those that it waits for."""

_WHO_WAITS: Final = (
    "SELECT pid, pg_blocking_pids(pid) FROM unnest(%s::int[]) AS pids(pid)"
)
_END_THEM: Final = (
    "SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pids(pid)"
)


def who_waits(control: psycopg.Connection[Any], pids: Iterable[int]) -> Waits:
    """Ask for whom each of some sessions is waiting."""
    return dict(control.execute(_WHO_WAITS, [list(pids)]).fetchall())


def cancel(control: psycopg.Connection[Any], pid: int) -> None:
    """Cancel the statement of a session."""
    control.execute("SELECT pg_cancel_backend(%s)", [pid])


def terminate(control: psycopg.Connection[Any], pids: Iterable[int]) -> None:
    """End sessions: one that waits does not notice that its client has gone."""
    control.execute(_END_THEM, [list(pids)])


def circle_of(waits: Waits, pid: int) -> frozenset[int]:
    """Return the sessions of a circle of waiting that one is part of; none: empty."""
    reached = _reached(waits, pid)
    if pid not in reached:
        return frozenset()
    return frozenset(one for one in reached if pid in _reached(waits, one))


def is_settled(waits: Waits) -> bool:
    """Return whether each session waits for another one, directly or in a circle."""
    return all(waits.values())


def _reached(waits: Waits, pid: int) -> frozenset[int]:
    """Return for whom a session waits, directly or by others."""
    seen: set[int] = set()
    todo = list(waits.get(pid, ()))
    while todo:
        other = todo.pop()
        if other not in seen:
            seen.add(other)
            todo.extend(waits.get(other, ()))
    return frozenset(seen)

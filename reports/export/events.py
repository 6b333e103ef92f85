"""A timed run of a world as tables of events: plain CSV, and vidigi's event log.

vidigi animates queues and pathways of SimPy models. Its log has a row for each arrival,
wait, use of a resource and departure of an entity; an entity here is a task or a
process, a resource is a part of the world or one of SimPy's.

Source: vidigi 2.0, `vidigi.logging.EventLogger`: columns, event types and the rule that
a resource's id is a whole number.

Units: seconds.
"""

from collections.abc import Mapping
from heapq import heappop, heappush
from typing import Any, Final

from wavecheck.reports.export.csv_table import csv_text
from wavecheck.scenarios.worlds.timed import WorldRun
from wavecheck.sim.kernel import TICKS_PER_SECOND

_ORDER: Final = {"arrival": 0, "resource_use_end": 1, "queue": 2, "resource_use": 3}

Row = tuple[int, int, int, str, str, str, int | None]
"""Ticks, place among events of one moment, number, entity, type, event, resource."""


def statements_csv(run: WorldRun) -> str:
    """Return one row for each statement: when it was asked for, began and acted."""
    return csv_text(
        [
            {
                "task": one.task,
                "statement": one.statement,
                "asked_at_us": one.asked_at,
                "began_at_us": one.began_at,
                "acted_at_us": one.acted_at,
            }
            for one in run.performed
        ]
    )


def vidigi_csv(run: WorldRun) -> str:
    """Return a run as vidigi's event log."""
    rows: list[Row] = []

    def add(time: int, entity: str, kind: str, event: str, slot: Any = None) -> None:
        rank = _ORDER.get(event if kind == "arrival_departure" else kind, 4)
        rows.append((time, rank, len(rows), entity, kind, event, slot))

    _add_statements(run, add)
    _add_uses(run, add)
    first, last = _stays(run, rows)
    for entity, time in first.items():
        add(time, entity, "arrival_departure", "arrival")
    for entity, time in last.items():
        add(time, entity, "arrival_departure", "depart")
    return csv_text([_record(row) for row in sorted(rows, key=lambda row: row[:3])])


def _add_statements(run: WorldRun, add: Any) -> None:
    slots: dict[str, _Slots] = {}
    for one in sorted(run.performed, key=lambda one: one.began_at):
        if one.began_at > one.asked_at:
            add(one.asked_at, one.task, "queue", f"waits for {one.statement}")
        taken = slots.setdefault(one.statement, _Slots())
        slot = taken.take(one.began_at, one.acted_at)
        add(one.began_at, one.task, "resource_use", one.statement, slot)
        add(one.acted_at, one.task, "resource_use_end", one.statement, slot)


def _add_uses(run: WorldRun, add: Any) -> None:
    held: dict[tuple[str, str], int] = {}
    free: dict[str, list[int]] = {}
    for use in run.uses:
        place = (use.process, use.resource)
        event, slot = use.resource, None
        if use.what == "queue":
            event = f"waits for {use.resource}"
        elif use.what == "resource_use":
            ready = free.setdefault(use.resource, [])
            taken = [one for (_, what), one in held.items() if what == use.resource]
            slot = heappop(ready) if ready else len(taken) + 1
            held[place] = slot
        else:
            slot = held.pop(place)
            heappush(free[use.resource], slot)
        add(use.time, use.process, use.what, event, slot)


def _stays(run: WorldRun, rows: list[Row]) -> tuple[dict[str, int], dict[str, int]]:
    """Return when each entity came, and when those that have ended went."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for time, _, _, entity, *_ in rows:
        first[entity] = min(time, first.get(entity, time))
        last[entity] = max(time, last.get(entity, time))
    for one in run.unfinished():
        last.pop(one.name, None)
    return first, last


class _Slots:
    """Numbers of what is used at once, the lowest free one first."""

    def __init__(self) -> None:
        self._ends: list[int] = []

    def take(self, began: int, ended: int) -> int:
        """Return the number of a use, counted from 1."""
        for index, end in enumerate(self._ends):
            if end <= began:
                self._ends[index] = ended
                return index + 1
        self._ends.append(ended)
        return len(self._ends)


def _record(row: Row) -> Mapping[str, Any]:
    time, _, _, entity, kind, event, slot = row
    return {
        "entity_id": entity,
        "pathway": None,
        "event_type": kind,
        "event": event,
        "time": time / TICKS_PER_SECOND,
        "resource_id": slot,
    }

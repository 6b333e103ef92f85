"""Faults to plant in the declared statements of a world: what a canary looks for.

Each statement of a table says its conditions, its limit and its indexes, so weaker ones
can be made without anybody's source: a guarded update without one of its conditions, a
query that locks nothing or one row more, a table without one of its unique indexes.
Only what the code under test performs is weakened.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from wavecheck.scenarios.subject import Subject
from wavecheck.sim.handles import TableHandle
from wavecheck.sim.handles.databases import lock_rows
from wavecheck.sim.handles.tables import conditions, matching
from wavecheck.sim.worlds import WorldBuilder

_GUARDED = ("update", "delete")
_LOCKS = "select_for_update"
_INSERTS = ("insert", "insert_or_ignore", "update")

Performed = dict[tuple[str, str, tuple[str, ...], bool], None]
"""Table, verb, columns of its conditions, and whether it has a limit."""

Act = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A fault in a declared statement.

    Attributes:
        name: what is dropped, in a few words.
        statement: name of the statement, or of the table.
        weaken: does it to a world; calls its second argument where that mattered.
        reached: not empty once an execution has come to it.
    """

    name: str
    statement: str
    weaken: Callable[[WorldBuilder, Callable[[], None]], None]
    reached: list[bool] = field(default_factory=list)

    def excuse(self, coordinator: str) -> str:
        """Return why nobody needs what is dropped; empty: not known."""
        return ""

    def was_performed(self, kernel: Any) -> bool:
        """Return whether any execution has come to the weaker statement."""
        return bool(self.reached)

    def plant_in(self, subject: Subject) -> Subject:
        """Return the subject whose worlds have the fault."""

        def change(world: WorldBuilder) -> None:
            self.weaken(world, lambda: self.reached.append(True))

        return _changing(subject, change)


def faults_of(subject: Subject, run: Callable[[Subject], object]) -> list[Planted]:
    """Return the faults that can be planted in what a world's code performs.

    Args:
        subject: whose statements.
        run: runs some executions of a subject.
    """
    seen: Performed = {}
    indexes: dict[str, tuple[str, ...]] = {}

    def note(world: WorldBuilder) -> None:
        for table in world.tables:
            indexes[table.name] = tuple(table.unique)
            for verb in (*table.acts, _LOCKS):
                _record(table, verb, seen)

    run(_changing(subject, note))
    return list(_faults(seen, indexes))


def _changing(subject: Subject, change: Callable[[WorldBuilder], None]) -> Subject:
    """Return a subject whose worlds are changed after they are built."""
    scenario = subject.scenario

    def build(*args: Any) -> Any:
        world = scenario.build(*args)
        if isinstance(world, WorldBuilder):
            change(world)
        return world

    return replace(subject, scenario=replace(scenario, build=build))


def _function(table: TableHandle, verb: str) -> Act:
    return table.acts[verb].function if verb in table.acts else lock_rows


def _record(table: TableHandle, verb: str, seen: Performed) -> None:
    act, name = _function(table, verb), table.name

    def noting(owner: Any, *args: Any) -> Any:
        columns = getattr(args[0], "_fields", ()) if verb in (*_GUARDED, _LOCKS) else ()
        has_limit = verb == _LOCKS and bool(args[1])
        seen[name, verb, tuple(columns), has_limit] = None
        return act(owner, *args)

    table.act_otherwise(verb, noting)


def _faults(seen: Performed, indexes: dict[str, tuple[str, ...]]) -> Iterator[Planted]:
    dropped: dict[tuple[str, str, str], None] = {}
    for name, verb, columns, _ in seen:
        if verb in _GUARDED and len(columns) > 1:
            dropped.update(dict.fromkeys((name, verb, one) for one in columns))
    for name, verb, column in dropped:
        yield Planted(
            name=f"{verb} {name} without its condition on {column}",
            statement=f"{name}.{verb}",
            weaken=_without(name, verb, column),
        )
    for name, has_limit in {(n, has): 0 for n, verb, _, has in seen if verb == _LOCKS}:
        yield Planted(
            name=f"{name} read without FOR UPDATE",
            statement=f"{name}.{_LOCKS}",
            weaken=_unlocked(name),
        )
        if has_limit:
            yield Planted(
                name=f"one row more of {name} than its LIMIT",
                statement=f"{name}.{_LOCKS}",
                weaken=_one_more(name),
            )
    for name in dict.fromkeys(n for n, verb, *_ in seen if verb in _INSERTS):
        for index in indexes[name]:
            yield Planted(
                name=f"{name} without its unique index {index}",
                statement=name,
                weaken=_without_index(name, index),
            )


def _table(world: WorldBuilder, name: str) -> TableHandle:
    return next(one for one in world.tables if one.name == name)


def _without(name: str, verb: str, column: str) -> Any:
    def weaken(world: WorldBuilder, reach: Callable[[], None]) -> None:
        table = _table(world, name)
        act = _function(table, verb)

        def weaker(owner: Any, where: Any, *values: Any) -> Any:
            given = where._asdict()
            if column in given and len(given) > 1:
                reach()
                del given[column]
                where = conditions(given)
            return act(owner, where, *values)

        table.act_otherwise(verb, weaker)

    return weaken


def _unlocked(name: str) -> Any:
    def weaken(world: WorldBuilder, reach: Callable[[], None]) -> None:
        def weaker(bound: Any, where: Any, limit: int, skips_locked: bool) -> Any:
            reach()
            return tuple(matching(bound._part, bound.key, where)[: limit or None])

        _table(world, name).act_otherwise(_LOCKS, weaker)

    return weaken


def _one_more(name: str) -> Any:
    def weaken(world: WorldBuilder, reach: Callable[[], None]) -> None:
        def weaker(bound: Any, where: Any, limit: int, skips_locked: bool) -> Any:
            reach()
            return lock_rows(bound, where, limit and limit + 1, skips_locked)

        _table(world, name).act_otherwise(_LOCKS, weaker)

    return weaken


def _without_index(name: str, index: str) -> Any:
    def weaken(world: WorldBuilder, reach: Callable[[], None]) -> None:
        _table(world, name)._part.drop_unique(index)
        reach()

    return weaken

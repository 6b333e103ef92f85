"""The differential search: worlds, levels, a database; what was compared and found."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from wavecheck.scenarios.conformity.compare import Mismatch, run_both
from wavecheck.scenarios.conformity.database import DatabaseSessions, DatabaseTrouble
from wavecheck.scenarios.conformity.sqlite import SQLiteSessions
from wavecheck.scenarios.conformity.templates import KINDS
from wavecheck.scenarios.conformity.world import TableWorld
from wavecheck.sim.transactions.level import Level

_TRIES: Final = 3
_POSTGRES: Final = ("postgresql", "postgres", "postgresql+psycopg")
Progress = Callable[["LevelResult"], None]


@dataclass(slots=True, kw_only=True)
class LevelResult:
    """What was compared at one level of isolation.

    Attributes:
        level: which.
        schedules: how many were asked for.
        worlds_count: worlds compared to their end, those that were kept included.
        steps_count: statements compared.
        blocked_count: statements that had to wait.
        open_count: worlds in which the database decided a race that the model leaves
            open; it may do either, and did one of them.
        cut_count: worlds left in the middle, because too many races were open.
        kinds: how many statements of each kind were compared, by its name.
        unsteady: worlds that disagreed once and agreed when they were run again.
        is_shrinking: there is a disagreement, and smaller ones are looked for.
        disagreement: shrunk; None: there was none.
    """

    level: Level
    schedules: int
    worlds_count: int = 0
    steps_count: int = 0
    blocked_count: int = 0
    open_count: int = 0
    cut_count: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    unsteady: list[Mismatch] = field(default_factory=list)
    is_shrinking: bool = False
    disagreement: Mismatch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConformResult:
    """What was compared on one database.

    Attributes:
        database: its name.
        levels: one result each; the last may be incomplete.
        blocked_seconds: how long it took to see that each blocked step was blocked.
        was_interrupted: the user ended it.
    """

    database: str
    levels: tuple[LevelResult, ...]
    blocked_seconds: tuple[float, ...]
    was_interrupted: bool

    def disagreements(self) -> list[Mismatch]:
        """Return the disagreements."""
        return [one.disagreement for one in self.levels if one.disagreement is not None]


def open_sessions(url: str) -> DatabaseSessions:
    """Connect to a database.

    Args:
        url: `postgresql://...`, `sqlite:///FILE`, or `sqlite://` for a temporary file.

    Raises:
        DatabaseTrouble: the URL is none, or the database cannot be reached or used.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme in _POSTGRES:
        return _postgres(f"postgresql://{rest}")
    if separator and scheme == "sqlite":
        name = rest.removeprefix("/")
        return SQLiteSessions(Path(name) if name not in ("", ":memory:") else None)
    raise DatabaseTrouble(
        f"--db: a URL that begins with {scheme!r}\n"
        "  expected  postgresql://USER:PASSWORD@HOST/DATABASE, sqlite:///FILE, or"
        " sqlite:// for a temporary file"
    )


def _postgres(url: str) -> DatabaseSessions:
    try:  # the driver is an extra, which other commands do without
        from wavecheck.scenarios.conformity.postgres import PostgresSessions
    except ModuleNotFoundError as error:
        raise DatabaseTrouble(
            "PostgreSQL: its driver is not installed\n"
            "next: pip install 'psycopg[binary]'"
        ) from error
    return PostgresSessions(url)


def chosen_levels(sessions: DatabaseSessions, names: Sequence[str]) -> list[Level]:
    """Return the levels with these names; all that the database knows if none is given.

    Raises:
        DatabaseTrouble: the database has no such level.
    """
    known = {str(level): level for level in sessions.levels}
    for name in names:
        if name not in known:
            raise DatabaseTrouble(
                f"--isolation {name!r}: {sessions.name} has no such level\n"
                f"  expected  one of: {', '.join(known)}"
            )
    return [known[name] for name in names] or list(sessions.levels)


def conform(
    sessions: DatabaseSessions,
    levels: Sequence[Level],
    *,
    schedules: int,
    seed: int = 0,
    known: Sequence[TableWorld] = (),
    progress: Progress | None = None,
) -> ConformResult:
    """Compare model and database until they disagree.

    Args:
        sessions: of the database; they stay open.
        levels: of isolation.
        schedules: how many worlds to draw for each.
        seed: of the drawing.
        known: worlds to run first: what disagreed before.
        progress: called after each world.
    """
    results: list[LevelResult] = []
    was_interrupted = False
    for level in levels:
        result = LevelResult(level=level, schedules=schedules)
        results.append(result)
        try:
            _compare(sessions, result, known, seed, progress)
        except KeyboardInterrupt:
            was_interrupted = True
            break
        if result.disagreement is not None:
            break
    return ConformResult(
        database=sessions.name,
        levels=tuple(results),
        blocked_seconds=tuple(sessions.blocked_seconds),
        was_interrupted=was_interrupted,
    )


def _compare(
    sessions: DatabaseSessions,
    result: LevelResult,
    known: Sequence[TableWorld],
    seed: int,
    progress: Progress | None,
) -> None:
    # Hypothesis takes long to import, and only this needs it.
    from wavecheck.scenarios.conformity.drawing import draw_until

    last: list[Mismatch] = []

    def check(world: TableWorld) -> bool:
        disagreement = _disagreement(sessions, world, result, is_counted=not last)
        if disagreement is not None:
            last.append(disagreement)
            result.is_shrinking = True
        if progress is not None:
            progress(result)
        return disagreement is None

    for world in known:
        if world.level is result.level and not check(world):
            result.disagreement = last[-1]
            return
    draw_until(
        result.level,
        check,
        locks_rows=sessions.can_lock_rows,
        worlds_count=result.schedules,
        from_seed=seed,
    )
    if last:
        result.disagreement = last[-1]


def _disagreement(
    sessions: DatabaseSessions,
    world: TableWorld,
    result: LevelResult,
    *,
    is_counted: bool,
) -> Mismatch | None:
    """Run a world; what disagrees must do so again and again, or it is unsteady."""
    first: Mismatch | None = None
    for _ in range(_TRIES):
        found = run_both(world, sessions)
        if not isinstance(found, Mismatch):
            if first is not None:
                result.unsteady.append(first)
            if is_counted:
                result.worlds_count += 1
                result.steps_count += len(found.steps)
                result.blocked_count += found.blocked_count()
                result.open_count += found.was_open
                result.cut_count += found.was_cut
                for taken in found.steps:
                    result.kinds.update(_kinds_of(str(taken.step)))
            return None
        first = first or found
    return first


@cache
def _kinds_of(text: str) -> tuple[str, ...]:
    return tuple([kind for kind, found in KINDS.items() if re.search(found, text)])

"""Draws small worlds and orders, and shrinks the one on which they disagree.

The engine is Hypothesis: it draws, and it shrinks. Knows what a world is made of, and
nothing of databases.
"""

from collections.abc import Callable
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from wavecheck.scenarios.conformity.templates import (
    COMMON,
    LOCKS,
    SQLITE_TEMPLATES,
    TEMPLATES,
)
from wavecheck.scenarios.conformity.world import SessionStep, TableWorld
from wavecheck.sim.transactions.level import Level

SESSIONS: Final = (2, 4)
STATEMENTS: Final = (1, 4)
SHRINKS_MAX: Final = 600
"""How many worlds are tried to find a smaller one that fails."""


def _steps(*, locks_rows: bool) -> st.SearchStrategy[SessionStep]:
    """Return the strategy of single statements."""
    kinds = ["update", "select", "insert", "delete", "count"]
    if locks_rows:
        kinds.insert(1, "lock")
    simple = st.builds(
        SessionStep,
        kind=st.sampled_from(["update", *kinds]),  # updates make most of the trouble
        table=st.sampled_from(["a", "a", "b"]),
        column=st.sampled_from(["key", "", "value"]),
        operator=st.sampled_from(["=", "=", ">=", "<", "<>"]),
        operand=st.sampled_from([0, 1, 0, 1, 2, 3]),
        key=st.integers(0, 3),
        value=st.integers(0, 3),
        is_added=st.booleans(),
        limit=st.sampled_from([0, 0, 1, 2]),
        skips_locked=st.booleans(),
    )
    small = st.sampled_from([0, 1, 0, 1, 2, 3])
    text = st.builds(
        str.format,
        st.sampled_from((*TEMPLATES, *COMMON) if locks_rows else SQLITE_TEMPLATES),
        k=small,
        m=small,
        v=small,
        w=small,
        n=st.integers(1, 2),
        lock=st.sampled_from(LOCKS),
    )
    return st.one_of(
        simple, *[st.builds(SessionStep, kind=st.just("sql"), text=text)] * 3
    )


@st.composite
def worlds(draw: Any, level: Level, *, locks_rows: bool) -> TableWorld:
    """Return the strategy of worlds of one level of isolation."""
    rows = st.dictionaries(st.integers(0, 3), st.integers(0, 3), min_size=1, max_size=3)
    step = _steps(locks_rows=locks_rows)
    end = st.sampled_from(["commit", "commit", "rollback"])

    @st.composite
    def transactions(draw: Any) -> list[SessionStep]:
        steps = draw(st.lists(step, min_size=STATEMENTS[0], max_size=STATEMENTS[1]))
        return [*steps, SessionStep(kind=draw(end))]

    programs = draw(
        st.lists(
            st.lists(transactions(), min_size=1, max_size=2),
            min_size=SESSIONS[0],
            max_size=SESSIONS[1],
        )
    )
    flat = tuple(tuple(step for one in program for step in one) for program in programs)
    order = draw(
        st.lists(
            st.integers(0, len(flat) - 1),
            max_size=sum(map(len, flat)),
            min_size=sum(map(len, flat)) // 2,
        )
    )
    return TableWorld(
        level=level,
        rows={name: draw(rows) for name in ("a", "b")},
        programs=flat,
        order=tuple(order),
    )


class _FoundError(Exception):
    """A world fails the check: Hypothesis looks for a smaller one."""


class _EnoughError(BaseException):
    """The smallest world so far is small enough; Hypothesis must not catch this."""


def draw_until(
    level: Level,
    check: Callable[[TableWorld], bool],
    *,
    locks_rows: bool,
    worlds_count: int,
    from_seed: int,
) -> TableWorld | None:
    """Draw worlds until one fails a check; return it shrunk, or None.

    Args:
        level: of isolation.
        check: returns whether all is well; also called while a world is shrunk.
        locks_rows: draw SELECT ... FOR UPDATE.
        worlds_count: how many at most.
        from_seed: the same seed draws the same worlds.
    """
    failing: list[TableWorld] = []
    tried = 0

    @seed(from_seed)
    @settings(
        max_examples=worlds_count,
        database=None,
        deadline=None,
        derandomize=False,
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(world=worlds(level, locks_rows=locks_rows))
    def draw_one(world: TableWorld) -> None:
        nonlocal tried
        if failing:
            tried += 1
            if tried > SHRINKS_MAX:
                raise _EnoughError
        if not check(world):
            failing.append(world)  # whatever fails from the second on is smaller
            raise _FoundError

    try:
        draw_one()
    except (_FoundError, _EnoughError, Flaky):
        return failing[-1]
    return None

"""One world on the model and on a database, step by step, until they disagree."""

from dataclasses import dataclass
from typing import Any

from wavecheck.scenarios.conformity.database import DatabaseSessions
from wavecheck.scenarios.conformity.model import Model, Shown, TooManyStates
from wavecheck.scenarios.conformity.world import (
    BLOCKED,
    SessionStep,
    TableWorld,
    describe,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenStep:
    """One step and what the database showed.

    Attributes:
        session: whose, from 0.
        step: what.
        shown: for each session what the step showed; None: nothing.
    """

    session: int
    step: SessionStep
    shown: Shown

    def __str__(self) -> str:
        """Return it as a line for people."""
        own = describe(self.shown[self.session])
        others = "".join(
            f"; session {number + 1} goes on: {describe(one)}"
            for number, one in enumerate(self.shown)
            if one is not None and number != self.session
        )
        return f"session {self.session + 1}: {self.step}  ->  {own}{others}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """Where model and database part.

    Attributes:
        world: which world.
        database: its name.
        steps: what was done; the last one is where they part, unless it is the end.
        model: what the model allows there.
        found: what the database did.
    """

    world: TableWorld
    database: str
    steps: tuple[TakenStep, ...]
    model: tuple[str, ...]
    found: str

    def __str__(self) -> str:
        """Return it as people read it."""
        lines = [str(self.world), ""]
        lines += [f"{number}. {one}" for number, one in enumerate(self.steps, start=1)]
        lines += ["", f"{self.database} shows:  {self.found}"]
        lines += [f"the model allows:  {one}" for one in self.model]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A world on which they agree.

    Attributes:
        steps: what was compared.
        rows: (key, value) of each table at the end; empty if it was cut.
        was_open: the database decided a race that the model leaves open.
        was_cut: it was left before its end, because too many races were open.
    """

    steps: tuple[TakenStep, ...]
    rows: dict[str, tuple[tuple[Any, ...], ...]]
    was_open: bool
    was_cut: bool

    def blocked_count(self) -> int:
        """Return how many steps were blocked."""
        return sum(one.shown[one.session] == BLOCKED for one in self.steps)


def run_both(world: TableWorld, sessions: DatabaseSessions) -> Agreement | Mismatch:
    """Run a world on the model and on a database and compare every step.

    Raises:
        PatienceLost: the database does not answer.
    """
    model = Model(world)
    sessions.start(world)
    taken: list[TakenStep] = []
    try:
        result = _run(world, sessions, model, taken)
    except BaseException:
        sessions.abandon()
        raise
    if isinstance(result, Mismatch) or result.was_cut:
        sessions.abandon()
    return result


def _run(
    world: TableWorld, sessions: DatabaseSessions, model: Model, taken: list[TakenStep]
) -> Agreement | Mismatch:
    places = [0] * len(world.programs)
    for session in _turns(world, model, places):
        step = world.program(session)[places[session]]
        places[session] += 1
        try:
            allowed = model.step(
                session, str(step).lower() if step.is_end() else str(step)
            )
        except TooManyStates:
            return _agreement(taken, {}, model, was_cut=True)
        seen = tuple(sessions.step(session, step)[: len(places)])
        taken.append(TakenStep(session=session, step=step, shown=seen))
        if not model.narrow(seen):
            return Mismatch(
                world=world,
                database=sessions.name,
                steps=tuple(taken),
                model=tuple(_tell(shown) for shown in allowed),
                found=_tell(seen),
            )
    expected, found = model.rows(), sessions.rows()
    if found not in expected:
        return Mismatch(
            world=world,
            database=sessions.name,
            steps=tuple(taken),
            model=tuple(_tell_rows(rows) for rows in expected),
            found=_tell_rows(found),
        )
    return _agreement(taken, found, model, was_cut=False)


def _turns(world: TableWorld, model: Model, places: list[int]) -> Any:
    """Yield whose step is next: in the world's order, then session by session."""

    def may_act(session: int) -> bool:
        is_over = places[session] == len(world.program(session))
        return not is_over and not model.is_blocked(session)

    everyone = range(len(places))
    for chosen in world.order:
        if chosen in everyone and may_act(chosen):
            yield chosen
    while able := [session for session in everyone if may_act(session)]:
        yield able[0]


def _agreement(
    taken: list[TakenStep],
    rows: dict[str, tuple[tuple[Any, ...], ...]],
    model: Model,
    *,
    was_cut: bool,
) -> Agreement:
    return Agreement(
        steps=tuple(taken), rows=rows, was_open=model.was_open, was_cut=was_cut
    )


def _tell(shown: Shown) -> str:
    return "; ".join(
        f"session {number + 1}: {describe(one)}"
        for number, one in enumerate(shown)
        if one is not None
    )


def _tell_rows(rows: dict[Any, tuple[tuple[int, int], ...]]) -> str:
    return "; ".join(
        f"table {name} ends as {describe(one)}" for name, one in rows.items()
    )

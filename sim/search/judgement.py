"""From a session to verdicts: what was found, what was not, and how strong that is."""

from collections.abc import Sequence

from wavecheck.sim.property import Moment, Property, with_no_error
from wavecheck.sim.search.session import Session
from wavecheck.sim.verdict import Outcome, Verdict
from wavecheck.sim.world import World, statements_in


def searchable(properties: Sequence[Property]) -> list[Property]:
    """Return the properties that make sense without time."""
    return [one for one in properties if one.moment is not Moment.TIMED]


def verdicts_of(
    session: Session, properties: Sequence[Property], *, is_proved: bool
) -> tuple[Verdict, ...]:
    """Return one verdict per property, and one for an error if there was one.

    Args:
        session: a session that is over.
        properties: what it judged.
        is_proved: its executions were all that exist.
    """
    seen = session.statistics()
    verdicts = []
    for judged in with_no_error(properties):
        found = session.found.get(judged.name)
        if found is None and judged not in properties:
            continue
        verdicts.append(
            Verdict(
                property_name=judged.name,
                outcome=Outcome.of(
                    is_violated=found is not None,
                    is_at_risk=judged.name in session.at_risk,
                    is_proved=is_proved,
                ),
                executions_count=seen.executions_count,
                drawn_count=seen.drawn_count,
                violation=None if found is None else found.violation,
            )
        )
    return tuple(verdicts)


def never_performed(world: World) -> tuple[str, ...]:
    """Return the names of the world's statements that no execution performed."""
    # By name: in a transaction the same statement is another step.
    performed = {statement.name for statement in world.kernel.performed}
    return tuple(
        name
        for name, one in statements_in(world).items()
        if name not in performed and not one.is_general
    )

"""Processes that die, and statements that fail, in the middle of transactions.

Proofs against every schedule run on the kernel: how many there are, the exact odds of
each violation, and the shortest one.
"""

from functools import partial

import pytest

from tests.fuzz.bank import (
    LEVELS,
    BankWorld,
    Lost,
    Refused,
    add,
    enumerated,
    lock,
    put,
    value_of,
)
from wavecheck.sim.exhaustive.graph import graph_of
from wavecheck.sim.exhaustive.paths import count_schedules, odds
from wavecheck.sim.exhaustive.prove import conclude, searched
from wavecheck.sim.transactions import Level


async def transfer(bank, level, source, target):
    """Take one from a row and add it to another; if it is refused, give up."""
    try:
        async with bank.transaction(level) as tx:
            await tx.ask(add, source, -1)
            await tx.ask(add, target, 1)
    except (Refused, Lost):
        pass


async def move_locked(bank, level, source, target):
    """Lock a row, read it, and write what was read: one statement more."""
    try:
        async with bank.transaction(level) as tx:
            await tx.ask(lock, source)
            value = await tx.ask(value_of, source)
            await tx.ask(put, source, value - 1)
    except (Refused, Lost):
        pass


CASES = [
    *((level, transfer, {"crash": 1}) for level in LEVELS),
    *((level, transfer, {"fail": 1}) for level in LEVELS),
    (Level.READ_COMMITTED, move_locked, {"crash": 1}),
    (Level.SERIALIZABLE, move_locked, {"fail": 1}),
]


def world(level, flow, plan):
    """Return transfers in both directions."""
    flows = {"to": (1, 2), "back": (2, 1)}
    return BankWorld(
        level,
        {
            name: partial(flow, source=source, target=target)
            for name, (source, target) in flows.items()
        },
        plan,
    )


@pytest.mark.parametrize(("level", "flow", "plan"), CASES)
def test_a_proof_says_what_all_schedules_say(level, flow, plan):
    """Exactly: how many, how likely each violation is, and how short it can be."""
    count, chances, shortest = enumerated(world(level, flow, plan))
    search, stopped_by = searched(world(level, flow, plan))
    graph, result = graph_of(search), conclude(search, stopped_by)
    assert result.is_complete
    assert count_schedules(graph) == count
    for index, one in enumerate(result.properties):
        assert odds(graph, index).exact == chances[one.name]
        assert result.of(one.name).shortest == shortest.get(one.name)
    assert "nothing_held" not in shortest

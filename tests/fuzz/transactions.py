"""Random transactions: proofs against every schedule that there is on the kernel.

Beside counts, odds, verdicts and lengths: what SERIALIZABLE and IMMEDIATE let commit
must be what some order of the committed transactions gives, one after the other; that
is computed here without the engine's transactions.
"""

import random
from functools import partial
from itertools import permutations

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
from tests.fuzz.comparing import effort, is_in_full
from tests.fuzz.enumeration import TooLarge
from wavecheck.sim.exhaustive.graph import graph_of
from wavecheck.sim.exhaustive.paths import count_schedules, odds
from wavecheck.sim.exhaustive.prove import conclude, searched
from wavecheck.sim.transactions import Level

SCHEDULES_MAX, SCHEDULES_MAX_IN_FULL = 300, 4_000
SERIAL = (Level.SERIALIZABLE, Level.IMMEDIATE)


class Abandoned(Exception):
    """A transaction that its own code gives up."""


def draw(seed):
    """Return a level, statements of two or three transactions, and a plan of faults."""
    rng = random.Random(f"transactions {seed}")
    plan = rng.choice(({}, {}, {"crash": 1}, {"fail": 1}))
    count = 3 if not plan and rng.random() < 0.2 else 2
    longest = 1 if count == 3 else (2 if plan else 3)
    programs = {}
    for number in range(count):
        program = [_statement(rng) for _ in range(rng.randint(1, longest))]
        if rng.random() < 0.15:
            program.append(("give up",))
        programs[f"task-{number}"] = tuple(program)
    return rng.choice(LEVELS), programs, plan


def _statement(rng):
    one, other = rng.choice(((1, 2), (2, 1), (1, 1)))
    return rng.choice(
        (
            ("add", one, rng.choice((-1, 1))),
            ("put", one, rng.randint(0, 2)),
            ("lock", one),
            ("copy", one, other),
            ("move on", one, other),
        )
    )


async def flow(bank, level, program, log=None, name=""):
    """Perform the statements of a program in one transaction; give up if refused."""
    try:
        async with bank.transaction(level) as tx:
            for one in program:
                match one:
                    case ("add", key, amount):
                        await tx.ask(add, key, amount)
                    case ("put", key, value):
                        await tx.ask(put, key, value)
                    case ("lock", key):
                        await tx.ask(lock, key)
                    case ("copy", key, target):
                        await tx.ask(put, target, await tx.ask(value_of, key))
                    case ("move on", key, target):
                        await tx.ask(put, target, 1 + await tx.ask(value_of, key))
                    case ("give up",):
                        raise Abandoned
    except (Refused, Lost, Abandoned):
        return
    if log is not None:
        log.append(name)


def serial_ends(programs, committed):
    """Return the rows after the committed programs, in every order."""
    found = set()
    for order in permutations(committed):
        rows = {1: 1, 2: 1}
        for name in order:
            for one in programs[name]:
                match one:
                    case ("add", key, amount):
                        rows[key] += amount
                    case ("put", key, value):
                        rows[key] = value
                    case ("copy", key, target):
                        rows[target] = rows[key]
                    case ("move on", key, target):
                        rows[target] = rows[key] + 1
        found.add((rows[1], rows[2]))
    return found


def compare(seed):
    """Compare one case; return how many schedules it has.

    Raises:
        AssertionError: a proof and the schedules do not say the same.
        TooLarge: there are too many schedules.
    """
    level, programs, plan = draw(seed)

    def world(log=None):
        flows = {
            name: partial(flow, program=program, log=log, name=name)
            for name, program in programs.items()
        }
        return BankWorld(level, flows, plan)

    in_full = is_in_full(seed)
    schedules_max = SCHEDULES_MAX_IN_FULL if in_full else SCHEDULES_MAX
    log = []
    listening = world(log)

    def see(count):
        if count > schedules_max:
            raise TooLarge
        rows = tuple(row.value for row in listening.store.table)
        if level in SERIAL and not plan:
            assert rows in serial_ends(programs, log), (rows, log)
        log.clear()

    count, chances, shortest = enumerated(listening, see)
    with effort(in_full=in_full):
        search, stopped_by = searched(world())
        graph, result = graph_of(search), conclude(search, stopped_by)
    assert result.is_complete
    assert count_schedules(graph) == count
    for index, one in enumerate(result.properties):
        assert one.shortest == shortest.get(one.name), one.name
        assert odds(graph, index).exact == chances.get(one.name), one.name
    assert {one.name for one in result.properties} >= shortest.keys()
    assert "nothing_held" not in shortest
    return count

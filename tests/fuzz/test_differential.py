"""Random cases by Wavecheck and by a brute-force enumeration that shares no code.

`python -m tests.fuzz --minutes 60` draws as many as there is time for; a seed that it
names fails here by `compare(draw(kind, seed))`.
"""

from contextlib import suppress

import numpy as np
import pytest

from tests.fuzz import transactions
from tests.fuzz.comparing import Differs, compare
from tests.fuzz.drawing import KINDS, draw
from tests.fuzz.enumeration import TooLarge
from wavecheck.sim.exhaustive import CannotLearn, identity
from wavecheck.sim.exhaustive.graph import Graph
from wavecheck.sim.exhaustive.packed import PackedSystem
from wavecheck.sim.kernel import Kernel

BLOCKS, SEEDS = 5, 6


def compared(kind, seeds):
    """Compare some cases; return how many were small enough."""
    count = 0
    for seed in seeds:
        try:
            compare(draw(kind, seed))
        except TooLarge:
            continue
        count += 1
    return count


@pytest.mark.parametrize("block", range(BLOCKS))
@pytest.mark.parametrize("kind", KINDS)
def test_everything_is_as_enumerated(kind, block):
    """Verdicts, lengths, states, schedules, odds, recovery, fair loops, kernel runs."""
    first = block * SEEDS
    assert compared(kind, range(first, first + SEEDS)) >= SEEDS - 2


@pytest.mark.parametrize("block", range(3))
def test_transactions_are_as_all_their_schedules(block):
    """Counts, odds, verdicts, lengths; and what is serializable has an order."""
    for seed in range(4 * block, 4 * block + 4):
        with suppress(TooLarge):
            transactions.compare(seed)


def test_a_round_of_healing_counts_also_where_nothing_is_left_to_heal():
    """A find: rounds done again in a healed state were not counted."""
    assert compared("healing", [60133]) == 1


def test_a_seed_is_one_case():
    """The same kind and seed give the same programs, whatever was drawn before."""
    one = draw("plain", 3)
    draw("plain", 4)
    assert draw("plain", 3) == one


# What the fuzzer would notice: wrong engines, each in a few cases ------------------


def weigh_alike(monkeypatch):
    """Let each alternative of a step have the same odds."""
    whole = Graph.__init__

    def alike(self, **fields):
        fields["one_in"] = np.minimum(fields["one_in"], 2)
        whole(self, **fields)

    monkeypatch.setattr(Graph, "__init__", alike)


def skip_alternatives(monkeypatch):
    """Leave out the last alternative of a step."""
    successors = PackedSystem.successors

    def fewer(self, words, task, outcomes):
        found = list(successors(self, words, task, outcomes))
        return iter(found[:2])

    monkeypatch.setattr(PackedSystem, "successors", fewer)


def take_for_equal(monkeypatch):
    """Take all numbers for one another."""
    key = identity.Identity.key

    def blurred(self, value, *rest):
        return key(self, 2 if value == 1 and type(value) is int else value, *rest)

    monkeypatch.setattr(identity.Identity, "key", blurred)


def forget_to_wake(monkeypatch):
    """Let waiting tasks of the kernel sleep on."""
    monkeypatch.setattr(Kernel, "_recheck", lambda self, part: None)


@pytest.mark.parametrize(
    ("kind", "breaks", "what"),
    [
        ("choices", weigh_alike, "odds of"),
        ("choices", skip_alternatives, "schedules: the reference says"),
        ("plain", take_for_equal, "states: the reference says"),
        ("plain", forget_to_wake, "an execution on the kernel goes on differently"),
    ],
)
def test_a_wrong_engine_is_found_out(monkeypatch, kind, breaks, what):
    """Sixty cases are enough to see each of these."""
    breaks(monkeypatch)
    with pytest.raises((Differs, CannotLearn), match=what):
        compared(kind, range(60))

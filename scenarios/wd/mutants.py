"""Weaker statements of the reference model: each drops one check or the claim."""

from typing import TYPE_CHECKING, Final

from wavecheck.sim.mutant import Mutant

_CLAIMS: Final = {
    "claiming": "the claim decides which call sends a batch; proved with 3"
    " listeners of 1 batch and with 2 of 2 batches"
}

if TYPE_CHECKING:  # the scenario names the mutants, so it imports this file
    from wavecheck.scenarios.wd.model import WDStore


def _send_anyway(store: "WDStore", number: int) -> None:
    store.put(number)


def _take_anyway(store: "WDStore") -> bool:
    store.is_processing.set()
    return True


def _sees_none(store: "WDStore", *args: str) -> bool:
    return False


def _sees_all(store: "WDStore") -> tuple[int, ...]:
    return tuple(row.number for row in store.batches if row.status != "absent")


WD_MUTANTS: Final = (
    Mutant(
        name="sends a batch whatever it is",
        statement="claim_and_send",
        weaker=_send_anyway,
    ),
    Mutant(
        name="takes the wave whatever it is",
        statement="take_wave",
        weaker=_take_anyway,
        harmless=_CLAIMS,
    ),
    Mutant(
        name="never sees the wave under way",
        statement="wave_is_processing",
        weaker=_sees_none,
    ),
    Mutant(
        name="never sees a pending batch in a wave under way",
        statement="has_batches",
        weaker=_sees_none,
        replaces=lambda status: status == "pending",
    ),
    Mutant(
        name="never sees an active batch",
        statement="has_batches",
        weaker=_sees_none,
        replaces=lambda status: status == "dispatched",
        harmless=_CLAIMS,
    ),
    Mutant(
        name="selects every batch as pending",
        statement="pending",
        weaker=_sees_all,
        harmless=_CLAIMS,
    ),
)
"""One for each check and claim that a rule of the model can ask for."""

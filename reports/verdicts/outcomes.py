"""How each verdict looks on a terminal."""

from typing import Final

from wavecheck.sim.verdict import Outcome

OUTCOME_STYLE: Final = {
    Outcome.VIOLATED: "bold red",
    Outcome.PROVED: "bold green",
    Outcome.NOT_FOUND: "",
    Outcome.NOT_TESTED: "bold yellow",
}

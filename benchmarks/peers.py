"""WD beside other checkers, those of them that are installed."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Final

from benchmarks import _peer_models as models
from benchmarks.measuring import on_kernel
from benchmarks.spin import MODES, is_installed, run_spin
from benchmarks.table import Table
from wavecheck import find_scenario
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.strategies import make_strategy
from wavecheck.sim.exhaustive import Limits
from wavecheck.sim.exhaustive.explore import Search
from wavecheck.sim.exhaustive.learning import Learner
from wavecheck.sim.exhaustive.prove import conclude
from wavecheck.sim.search.session import Budget, Session

COMMAND: Final = "python -m benchmarks peers"
PAGE: Final = Path(__file__).parents[1] / "docs" / "comparison.md"
INSTALL: Final = "not installed (pip install {})"
LISTENERS: Final = 2
LISTENERS_OF_PROOF: Final = 3
FAULTS: Final = (
    ("stalling", "no_stranded_batch"),
    ("progressive", "no_double_dispatch"),
)


def tables(*, is_quick: bool) -> Iterator[Table]:
    """Yield searches side by side, then proofs side by side."""
    yield _searches(seeds_count=5 if is_quick else 20)
    yield _proofs(rounds_count=1 if is_quick else 5)


# Searches ---------------------------------------------------------------------------


def _subject(variant: str, listeners: int) -> Subject:
    given = {"listeners": str(listeners), "batches_per_listener": "1"}
    return Subject.of(find_scenario("wd"), variant, given)


def _ours(variant: str, name: str, strategy: str, seed: int) -> int:
    subject = _subject(variant, LISTENERS).judging(name)
    world = subject.world()
    judged = subject.judged(world)
    budget = Budget(executions=5_000)
    session = Session(world, judged, budget, lambda: 0.0, stops_at_first=True)
    on_kernel(strategy, seed).run(session)
    return session.executions_count


def _our_rate(executions: int) -> float:
    subject = _subject("claiming", LISTENERS)
    world = subject.world()
    budget = Budget(executions=executions)
    session = Session(world, subject.judged(world), budget, lambda: 0.0)
    began = perf_counter()
    session.search(make_strategy("random", 0))
    return executions / (perf_counter() - began)


def _detangle() -> Any:
    try:
        import detangle
    except ImportError:
        return None
    return detangle


def _theirs(detangle: Any, variant: str, seed: int) -> int:
    async def main() -> None:
        await models.asyncio_wave(LISTENERS, variant, is_checked=True)

    try:
        shown = detangle.explore(
            main, runs=5_000, strategy="auto", seed=seed, shrink=False, database=False
        )
    except detangle.BugFound as found:
        return int(found.report.runs)
    return int(shown.runs)


def _their_rate(detangle: Any, executions: int) -> float:
    async def main() -> None:
        await models.asyncio_wave(LISTENERS, "claiming", is_checked=False)

    began = perf_counter()
    shown = detangle.explore(
        main, runs=executions, strategy="random", seed=0, shrink=False, database=False
    )
    return int(shown.runs) / (perf_counter() - began)


def _asyncio_rate(executions: int) -> float:
    async def main() -> None:
        for _ in range(executions):
            await models.asyncio_wave(LISTENERS, "claiming", is_checked=False)

    began = perf_counter()
    asyncio.run(main())
    return executions / (perf_counter() - began)


def _searches(*, seeds_count: int) -> Table:
    executions = 3_000
    rows = [
        (
            "Wavecheck, portfolio",
            f"{_our_rate(executions):,.0f} (random)",
            *(_median(_ours, *fault, "portfolio", n=seeds_count) for fault in FAULTS),
        ),
        (
            "Hypothesis, through Wavecheck",
            "",
            *(_median(_ours, *fault, "hypothesis", n=seeds_count) for fault in FAULTS),
        ),
    ]
    detangle = _detangle()
    if detangle is None:
        rows.append(("detangle", INSTALL.format("detangle"), "", ""))
    else:
        rows.append(
            (
                "detangle, its default",
                f"{_their_rate(detangle, executions):,.0f} (random)",
                *(
                    _median(_theirs, detangle, variant, n=seeds_count)
                    for variant, _ in FAULTS
                ),
            )
        )
    rows.append(
        ("no checker: asyncio itself", f"{_asyncio_rate(executions):,.0f}", "", "")
    )
    return Table(
        title="Searching WD (2, 1)",
        command=COMMAND,
        note="One core, no calls after completions. Executions a second of a search"
        " that finds nothing (`claiming`), and median executions to the first"
        f" violation over {seeds_count} seeds. The last row runs the asyncio program in"
        " one order, for scale.",
        columns=("checker", "executions a second", "STRANDED", "DOUBLE"),
        rows=rows,
    )


def _median(find: Callable[..., int], *args: Any, n: int) -> str:
    return f"{median(find(*args, seed) for seed in range(n)):g}"


# Proofs -----------------------------------------------------------------------------


def _proofs(*, rounds_count: int) -> Table:
    rows = [("Wavecheck, nothing left out", *_timed(_our_proof, rounds_count))]
    try:
        import minicheck
    except ImportError:
        rows.append(("minicheck", INSTALL.format("minicheck"), ""))
    else:
        rows.append(
            (
                "minicheck (a model of its own)",
                *_timed(lambda: _minicheck(minicheck), rounds_count),
            )
        )
    if is_installed():
        rows.append(("Spin (a model of its own)", *_timed(_spin, rounds_count)))
    else:
        rows.append(("Spin", "not installed (Debian: spin)", ""))
    return Table(
        title=f"Proving WD ({LISTENERS_OF_PROOF}, 1), claiming",
        command=COMMAND,
        note="From start to verdict, every state visited, no reduction; Spin's time"
        " includes generating and compiling. Medians. The rule without a violation,"
        " because minicheck ends at the first one. For millions of states beside"
        " Spin see `exhaustive`.",
        columns=("checker", "states", "seconds"),
        rows=rows,
    )


def _timed(prove: Callable[[], int], rounds_count: int) -> tuple[str, str]:
    seconds, states = [], 0
    for _ in range(rounds_count):
        began = perf_counter()
        states = prove()
        seconds.append(perf_counter() - began)
    return f"{states:,}", f"{median(seconds):.2f}"


def _our_proof() -> int:
    world = _subject("claiming", LISTENERS_OF_PROOF).world()
    search = Search(Learner(world), Limits())
    return conclude(search, search.run()).states


def _minicheck(minicheck: Any) -> int:
    def is_single(state: Any) -> bool:
        return 2 not in state["sent"]

    protocol = minicheck.Protocol(
        name="wd",
        candidate=False,
        fields=models.FIELDS,
        initial=models.initial_state(LISTENERS_OF_PROOF),
        transitions=lambda state: models.next_states(state, "claiming"),
        invariants={"DOUBLE": is_single},
    )
    return int(minicheck.check_safety(protocol)["reachable_states"])


def _spin() -> int:
    return run_spin(
        listeners=LISTENERS_OF_PROOF,
        batches=1,
        variant="claiming",
        retrigger=False,
        flags=MODES["all states"],
    ).states

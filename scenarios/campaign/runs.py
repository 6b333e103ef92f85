"""One piece of a campaign: some runs of one point, made anywhere.

`run_piece` is the function that engines call, in this process or in another one. It is
pure: its rows depend on the piece alone. A piece holds plain values only and names the
code that must run it, so that a process with other code refuses it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from wavecheck.scenarios.campaign.code_version import code_digest
from wavecheck.scenarios.campaign.columns import Row, row_of
from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.scenarios.comparison import build_timed_world
from wavecheck.scenarios.pipeline.measurement import (
    NOT_AT_RISK,
    NOT_SEEN,
    VIOLATED,
    SeededRuns,
)
from wavecheck.scenarios.scenario import Scenario
from wavecheck.scenarios.subject import Subject
from wavecheck.sim.errors import NondeterminismError, WavecheckError
from wavecheck.sim.property import Judge
from wavecheck.sim.search.biased_walk import BiasedWalk, run_walk
from wavecheck.sim.search.judgement import searchable
from wavecheck.sim.world import World

RECHECK_STEPS_MAX: Final = 200_000
"""The last run of a piece is made again in a world of its own, and compared: by then,
hidden state has had time to gather. Above so many steps, a run is too long for it."""


class OtherCode(WavecheckError):
    """A process would run a piece with other code than the campaign's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Runs of one point with consecutive seeds.

    Attributes:
        scenario: its name.
        point: the point's index in the plan.
        coordinator: the name by which any process can load it.
        given: the point's settings as text.
        seeds: (first, one beyond the last).
        steps_max: limit of one run.
        code: fingerprint of the code that must run it.
        judged: without time, the one property that is judged; empty: all.
        weights: without time, how schedules are drawn; empty: uniformly.
        share: without time, the share of uniformly drawn schedules.
    """

    scenario: str
    point: int
    coordinator: str
    given: Mapping[str, str]
    seeds: tuple[int, int]
    steps_max: int
    code: str
    judged: str = ""
    weights: Mapping[str, int] = field(default_factory=dict)
    share: float = 1.0


PieceRows = tuple[tuple[int, Row], ...]
"""(seed, row) of each run of a piece, ascending."""


def run_piece(piece: Piece) -> PieceRows:
    """Make the runs of a piece.

    Raises:
        OtherCode: this process has other code than the campaign.
        CoordinatorError: the coordinator failed.
        NondeterminismError: a run made twice is not the same twice.
    """
    scenario = find_scenario(piece.scenario)
    refuse_other_code(scenario, piece.coordinator, piece.code)
    make = _timed_runs if scenario.is_timed else _untimed_runs
    run = make(scenario, piece)
    rows = [(seed, run(seed)) for seed in range(*piece.seeds)]
    seed, row = rows[-1]
    steps = row[-2]
    assert isinstance(steps, int)
    if len(rows) > 1 and steps <= RECHECK_STEPS_MAX:
        _compare(piece, seed, row, make(scenario, piece)(seed))
    return tuple(rows)


def refuse_other_code(scenario: Scenario, coordinator: str, code: str) -> None:
    """Raise where this process has other code than the one that sent a piece.

    Raises:
        OtherCode: it has.
    """
    if code_digest(scenario, coordinator) != code:
        raise OtherCode(
            "a process has another version of Wavecheck or of the coordinator"
            f" {coordinator!r} than this campaign\n"
            "next: install the same version everywhere, and restart the cluster's"
            " processes"
        )


def _compare(piece: Piece, seed: int, first: Row, second: Row) -> None:
    if first != second:
        raise NondeterminismError(
            f"two runs of {piece.coordinator} with seed {seed} differ\n"
            f"  first   {first}\n"
            f"  second  {second}\n"
            "likely: state that survives a run, a clock, or a random source in the"
            " coordinator\n"
            f"next: wavecheck run {piece.scenario} -c {piece.coordinator}"
            f" --seed {seed}, twice"
        )


def _timed_runs(scenario: Scenario, piece: Piece) -> Callable[[int], Row]:
    world = build_timed_world(
        scenario,
        piece.coordinator,
        scenario.settings(piece.given),
        steps_max=piece.steps_max,
    )
    runs = SeededRuns(world)
    return lambda seed: row_of(runs.run(seed))


def _untimed_runs(scenario: Scenario, piece: Piece) -> Callable[[int], Row]:
    world = Subject.of(scenario, piece.coordinator, piece.given).world()
    judged = searchable(world.properties)
    judge = Judge(world.kernel, world, judged, stops_at=piece.judged)
    walk = BiasedWalk(piece.weights, piece.share)

    def run(seed: int) -> Row:
        walk.reseed(seed)
        kernel = run_walk(world, walk, judge)
        outcomes = tuple(
            _outcome(world, judge, one) if piece.judged in ("", one.name) else None
            for one in judged
        )
        return (
            *outcomes,
            walk.weight(),
            kernel.steps_count,
            _digest(kernel.choices),
        )

    return run


def _digest(choices: Sequence[int]) -> str:
    """Return a fingerprint of a schedule."""
    text = ".".join(map(str, choices))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _outcome(world: World, judge: Judge, judged: Any) -> int | None:
    if judged.name in judge.violations:
        return VIOLATED
    return NOT_SEEN if judged.is_at_risk(world) else NOT_AT_RISK

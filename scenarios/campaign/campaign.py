"""Running a campaign: which runs are missing, who makes them, when it is enough.

Knows plans, engines and stores. The wall clock is read for progress and for the size of
pieces; no result depends on it. Pieces shrink towards the end, so that no process is
left with half a second of work while the others have none (guided self-scheduling;
Polychronopoulos and Kuck, 1987).

A campaign that ends early does so at looks that are fixed before (100, 200, 400... runs
of a point, those with its lowest seeds), so which runs there are depends on neither the
engine nor on what finished first.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from wavecheck.scenarios.campaign.code_version import code_digest
from wavecheck.scenarios.campaign.engines import IN_PROCESS, Engine, run_pieces
from wavecheck.scenarios.campaign.plan import Plan, Point
from wavecheck.scenarios.campaign.runs import Piece, PieceRows, run_piece
from wavecheck.scenarios.campaign.statistics import Interval, rate_interval
from wavecheck.scenarios.campaign.store import ResultsStore, create_store
from wavecheck.scenarios.campaign.summary import (
    Difference,
    PointSummary,
    differences,
    point_rates,
    records,
    summarise,
)
from wavecheck.scenarios.pipeline.measurement import VIOLATED
from wavecheck.scenarios.subject import Subject
from wavecheck.sim.search.biased_walk import SHARE, Weights, learn_weights

FIRST_LOOK: Final = 100
PILOT_EXECUTIONS: Final = 4_000
PIECE_SECONDS: Final = 0.5
PIECE_SECONDS_MIN: Final = 0.05
PIECE_RUNS_MAX: Final = 500
_FIRST_PIECE_RUNS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignProgress:
    """Where a campaign stands.

    Attributes:
        runs: made so far, earlier ones in the same file included.
        runs_max: as many as there will be, unless points end early.
        runs_per_second: of this call.
        seconds_left: estimate; None: not known yet.
        rates: (point in words, property, hits over runs, interval so far) of whatever
            was violated.
    """

    runs: int
    runs_max: int
    runs_per_second: float
    seconds_left: float | None
    rates: tuple[tuple[str, str, float, Interval], ...]


Tell = Callable[[CampaignProgress], None]
"""Called after each finished piece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignResult:
    """What a campaign found.

    Attributes:
        plan: what was to be run.
        points: what the runs say, in the order of the plan.
        differences: other coordinators against the first one.
        runs: how many there are.
        new_runs: how many of them this call made.
        seconds: wall-clock time of this call.
        engine: what ran it.
        was_interrupted: the user ended it; what was finished is here.
    """

    plan: Plan
    points: tuple[PointSummary, ...]
    differences: tuple[Difference, ...]
    runs: int
    new_runs: int
    seconds: float
    engine: str
    was_interrupted: bool

    def has_violation(self) -> bool:
        """Return whether any run violated any property."""
        return any(rate.hits for point in self.points for rate in point.rates)

    def to_records(self) -> list[dict[str, Any]]:
        """Return one flat row for each point."""
        return records(self.points)


def complete(
    plan: Plan,
    *,
    store: ResultsStore,
    engine: Engine = IN_PROCESS,
    progress: Tell | None = None,
) -> CampaignResult:
    """Make the runs of a plan that a store does not have, and say what all of them say.

    Ctrl-C ends the campaign, not the call.

    Raises:
        CoordinatorError: a coordinator failed in a run.
        NondeterminismError: a run made twice is not the same twice.
        EngineLost: the engine is gone; what was finished is in the store.
    """
    work = _Work(plan, store, engine.processes, progress)
    was_interrupted = False
    try:
        for look in _looks(plan):
            for piece, rows, seconds in run_pieces(
                engine, run_piece, work.pieces(look)
            ):
                work.finish(piece, rows, seconds)
    except KeyboardInterrupt:
        was_interrupted = True
    return replace(
        results_of(plan, store),
        new_runs=work.made,
        seconds=work.seconds(),
        engine=engine.name,
        was_interrupted=was_interrupted,
    )


def results_of(plan: Plan, store: ResultsStore) -> CampaignResult:
    """Return what the runs in a store say; none is made."""
    return CampaignResult(
        plan=plan,
        points=summarise(plan, store),
        differences=differences(plan, store),
        runs=store.count(),
        new_runs=0,
        seconds=0.0,
        engine=IN_PROCESS.name,
        was_interrupted=False,
    )


def campaign(
    plan: Plan,
    *,
    store: Path | None = None,
    resumes: bool = False,
    engine: Engine = IN_PROCESS,
    progress: Tell | None = None,
) -> CampaignResult:
    """Run a plan with a store of its own, in a file or in memory; else as `complete`.

    Args:
        plan: what to run.
        store: the file; None: in memory.
        resumes: go on with the file if it is there.
        engine: what runs it.
        progress: called after each finished piece.

    Raises:
        InvalidScenario: the file is there already, or belongs to another campaign.
    """
    with create_store(plan, store, resumes=resumes) as results:
        return complete(plan, store=results, engine=engine, progress=progress)


def _looks(plan: Plan) -> Iterator[int]:
    """Yield how many seeds each point has had at each look; the last one is all."""
    look = FIRST_LOOK
    while plan.until_width is not None and look < plan.seeds_count:
        yield look
        look *= 2
    yield plan.seeds_count


@dataclass(slots=True)
class _Tally:
    """Hits of each property, and the runs they are of."""

    runs: int = 0
    hits: dict[str, int] = field(default_factory=dict)


class _Work:
    """What is left to do, and how fast it goes."""

    def __init__(
        self, plan: Plan, store: ResultsStore, processes: int, progress: Tell | None
    ) -> None:
        self.made = 0
        self._plan = plan
        self._store = store
        self._processes = processes
        self._progress = progress
        self._began = time.monotonic()
        self._properties = plan.properties()
        self._code = {
            name: code_digest(plan.scenario, name) for name in plan.coordinators
        }
        self._seconds_per_run: dict[int, float] = {}
        self._tallies = [_Tally() for _ in plan.points]
        self._weights: dict[int, Weights] = {}
        for point in plan.points:
            for rate in point_rates(plan, store, point):
                self._tallies[point.index].runs = rate.runs
                self._tallies[point.index].hits[rate.property_name] = rate.hits

    def seconds(self) -> float:
        """Return the seconds since the work began."""
        return time.monotonic() - self._began

    def pieces(self, look: int) -> Iterator[Piece]:
        """Yield pieces of the missing runs up to a look, sized by what runs took."""
        points = [one for one in self._plan.points if not self._is_enough(one, look)]
        left = sum(max(0, look - self._tallies[one.index].runs) for one in points)
        for point in points:
            first = self._plan.first_seed
            known = self._store.seeds(point.index)
            missing = [seed for seed in range(first, first + look) if seed not in known]
            while missing:
                block = _leading(missing, self._piece_runs(point.index, left))
                missing = missing[len(block) :]
                left -= len(block)
                yield self._piece(point, (block[0], block[-1] + 1))

    def _is_enough(self, point: Point, look: int) -> bool:
        """Return whether an earlier look found the intervals narrow enough."""
        width = self._plan.until_width
        if width is None:
            return False
        for earlier in _looks(self._plan):
            if earlier >= look:
                return False
            rates = point_rates(self._plan, self._store, point, seeds_max=earlier)
            if rates[0].runs < earlier:
                return False
            if all(rate.interval.width <= width for rate in rates):
                return True
        return False

    def _piece_runs(self, point: int, left: int) -> int:
        """Return how many runs the next piece has; `left`: of all points, about."""
        each = self._seconds_per_run.get(point)
        if each is None:
            return _FIRST_PIECE_RUNS
        seconds = min(PIECE_SECONDS, each * left / (2.0 * self._processes))
        runs = int(max(seconds, PIECE_SECONDS_MIN) / max(each, 1e-6))
        return max(1, min(PIECE_RUNS_MAX, runs))

    def _piece(self, point: Point, seeds: tuple[int, int]) -> Piece:
        plan = self._plan
        return Piece(
            scenario=plan.scenario.name,
            point=point.index,
            coordinator=point.coordinator,
            given=dict(point.given),
            seeds=seeds,
            steps_max=plan.steps_max,
            code=self._code[point.coordinator],
            judged=plan.rare,
            weights=self._learned(point) if plan.rare else {},
            share=SHARE if plan.rare else 1.0,
        )

    def _learned(self, point: Point) -> Weights:
        """Return how a point's schedules are drawn; learned once, from fixed seeds."""
        if point.index not in self._weights:
            plan = self._plan
            subject = Subject.of(plan.scenario, point.coordinator, point.given)
            world = subject.world()
            judged = next(one for one in world.properties if one.name == plan.rare)
            found = learn_weights(world, judged, PILOT_EXECUTIONS)
            self._weights[point.index] = dict(found)
        return self._weights[point.index]

    def finish(self, piece: Piece, rows: PieceRows, seconds: float) -> None:
        """Keep what a piece measured, and tell."""
        self._store.add(piece.point, rows)
        self.made += len(rows)
        each = seconds / len(rows)
        before = self._seconds_per_run.get(piece.point, each)
        self._seconds_per_run[piece.point] = (before + each) / 2.0
        tally = self._tallies[piece.point]
        tally.runs += len(rows)
        for place, name in enumerate(self._properties):
            hits = sum(row[place] == VIOLATED for _, row in rows)
            tally.hits[name] = tally.hits.get(name, 0) + hits
        if self._progress is not None:
            self._progress(self._standing())

    def _standing(self) -> CampaignProgress:
        plan = self._plan
        runs = sum(tally.runs for tally in self._tallies)
        rate = self.made / max(self.seconds(), 1e-9)
        left = max(0, plan.runs_count() - runs)
        return CampaignProgress(
            runs=runs,
            runs_max=plan.runs_count(),
            runs_per_second=rate,
            seconds_left=left / rate if self.made else None,
            rates=tuple(self._rates_so_far()),
        )

    def _rates_so_far(self) -> Iterator[tuple[str, str, float, Interval]]:
        for point, tally in zip(self._plan.points, self._tallies, strict=True):
            for name, hits in tally.hits.items():
                if hits:
                    yield (
                        point.label(),
                        name,
                        hits / tally.runs,
                        rate_interval(hits, tally.runs),
                    )


def _leading(seeds: Sequence[int], size: int) -> Sequence[int]:
    """Return the first consecutive seeds, at most so many."""
    end = 1
    while end < min(size, len(seeds)) and seeds[end] == seeds[end - 1] + 1:
        end += 1
    return seeds[:end]

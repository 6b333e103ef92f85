"""The timed simulation: a step beside a bare SimPy event, and a job that grows."""

from collections.abc import Callable, Generator, Iterator
from itertools import pairwise
from statistics import median
from time import perf_counter
from typing import Any, Final

import simpy

from benchmarks.measuring import Subject, in_fresh_process, take_turns
from benchmarks.table import Bar, Table
from wavecheck import find_scenario
from wavecheck.scenarios.comparison import build_timed_world
from wavecheck.scenarios.pipeline.timed_run import simulate
from wavecheck.scenarios.pipeline.world import PipelineWorld
from wavecheck.sim.kernel import STEPS_MAX, Kernel
from wavecheck.sim.operation import Operation, statement
from wavecheck.sim.parts import Counter

TASKS_COUNT: Final = 8
COORDINATOR: Final = "claiming"
STEP_RATIO_MAX: Final = 3
GROWTH_MAX: Final = 12
MEMORY_MB_MAX: Final = 1000

BARE: Final = "bare SimPy timeout"
READ: Final = "kernel: a statement that reads"
COUNT: Final = "kernel: a statement that counts"
JOB: Final = f"import-job, {COORDINATOR}: tasks only"
WHOLE: Final = f"import-job, {COORDINATOR}: judged and measured"


def tables(*, is_quick: bool) -> Iterator[Table]:
    """Yield the table of a step's cost and the table of a job's growth."""
    yield _step_cost(rounds_count=3 if is_quick else 15)
    if is_quick:
        yield _growth((1_000, 10_000), rounds_count=1)
    else:
        yield _growth((1_000, 10_000, 100_000), rounds_count=3)


# A step's cost ------------------------------------------------------------------


class _Store:
    """One counter and its two statements."""

    def __init__(self, kernel: Kernel) -> None:
        self.counter = Counter(kernel, "counter")

    @statement
    def read(self) -> int:
        """Read the counter."""
        return self.counter.get()

    @statement
    def count(self) -> int:
        """Add one to the counter."""
        return self.counter.add()


def _bare(events_count: int) -> Subject:
    def set_up() -> tuple[int, Callable[[], object]]:
        environment = simpy.Environment()

        def process(each: int) -> Generator[simpy.Event, Any, None]:
            for _ in range(each):
                yield environment.timeout(1)

        for _ in range(TASKS_COUNT):
            environment.process(process(events_count // TASKS_COUNT))
        return events_count, environment.run

    return set_up


def _kernel(
    steps_count: int, step: Callable[[_Store], Callable[[], Operation[int]]]
) -> Subject:
    def set_up() -> tuple[int, Callable[[], object]]:
        kernel = Kernel(latency=lambda operation: 1)
        make = step(_Store(kernel))

        async def task(each: int) -> None:
            for _ in range(each):
                await make()

        for number in range(TASKS_COUNT):
            kernel.spawn(task(steps_count // TASKS_COUNT), f"task-{number}")
        return steps_count, kernel.run_to_quiescence

    return set_up


def _job_world(parents: int) -> PipelineWorld:
    scenario = find_scenario("import-job")
    settings = scenario.settings({"parents": str(parents), "parents_per_batch": "1"})
    return build_timed_world(scenario, COORDINATOR, settings, steps_max=STEPS_MAX)


def _job(parents: int, *, is_whole: bool) -> Subject:
    steps_count = simulate(_job_world(parents), COORDINATOR).steps_count

    def set_up() -> tuple[int, Callable[[], object]]:
        world = _job_world(parents)
        if is_whole:
            return steps_count, lambda: simulate(world, COORDINATOR)
        for part in world.kernel.parts.values():
            part.watchers.clear()
        world.observation = None
        world.start()
        return steps_count, world.kernel.run_to_quiescence

    return set_up


def _step_cost(*, rounds_count: int) -> Table:
    count = 40_000
    subjects = {
        BARE: _bare(count),
        READ: _kernel(count, lambda store: store.read),
        COUNT: _kernel(count, lambda store: store.count),
        JOB: _job(1_000, is_whole=False),
        WHOLE: _job(1_000, is_whole=True),
    }
    rounds = take_turns(subjects, rounds_count=rounds_count)
    ratios = {name: rounds.ratio(name, BARE) for name in subjects}
    return Table(
        title="What a timed step costs",
        command="python -m benchmarks timed",
        note=f"{TASKS_COUNT} SimPy processes or kernel tasks, virtual latency 1; the"
        f" job has 1,000 parents and 1,000 derived batches. Medians of {rounds_count}"
        " rounds in which the rows take turns.",
        columns=("one step of", "steps", "µs per step", "times bare SimPy"),
        rows=[
            (
                name,
                f"{rounds.units[name]:,}",
                f"{rounds.median_seconds(name) * 1e6:.2f}",
                f"{ratios[name]:.2f}",
            )
            for name in subjects
        ],
        bars=[
            Bar(
                text=f"{name}: {ratios[name]:.2f} times a bare SimPy timeout,"
                f" at most {STEP_RATIO_MAX}",
                is_reached=ratios[name] <= STEP_RATIO_MAX,
            )
            for name in (READ, COUNT)
        ],
    )


# A job's growth -----------------------------------------------------------------


def run_job(parents: int) -> tuple[int, float]:
    """Simulate one job; return its steps and the seconds, building included."""
    began = perf_counter()
    result = simulate(_job_world(parents), COORDINATOR)
    return result.steps_count, perf_counter() - began


def _growth(sizes: tuple[int, ...], *, rounds_count: int) -> Table:
    steps: dict[int, int] = {}
    seconds: dict[int, list[float]] = {size: [] for size in sizes}
    megabytes: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(rounds_count):
        for size in sizes:
            (steps[size], took), peak = in_fresh_process(run_job, size)
            seconds[size].append(took)
            megabytes[size].append(peak)
    ratios = {
        size: median(
            one / other
            for one, other in zip(seconds[size], seconds[previous], strict=True)
        )
        for previous, size in pairwise(sizes)
    }
    peaks = {size: median(megabytes[size]) for size in sizes}
    return Table(
        title="How a job grows",
        command="python -m benchmarks timed",
        note=f"`import-job` with `{COORDINATOR}`, parents=N and parents_per_batch=1:"
        " N parents and N derived batches, judged and measured. Each size in a fresh"
        f" process; medians of {rounds_count} rounds in which the sizes take turns.",
        columns=(
            "derived batches",
            "steps",
            "seconds",
            "times the size before",
            "µs per step",
            "peak MB",
        ),
        rows=[
            (
                f"{size:,}",
                f"{steps[size]:,}",
                f"{median(seconds[size]):.2f}",
                f"{ratios[size]:.1f}" if size in ratios else "",
                f"{median(seconds[size]) / steps[size] * 1e6:.2f}",
                f"{peaks[size]:.0f}",
            )
            for size in sizes
        ],
        bars=[
            *(
                Bar(
                    text=f"{size:,} batches: {ratio:.1f} times the time of a tenth of"
                    f" them, at most {GROWTH_MAX}",
                    is_reached=ratio <= GROWTH_MAX,
                )
                for size, ratio in ratios.items()
            ),
            Bar(
                text=f"{sizes[-1]:,} batches: {peaks[sizes[-1]]:.0f} MB,"
                f" below {MEMORY_MB_MAX}",
                is_reached=peaks[sizes[-1]] < MEMORY_MB_MAX,
            ),
        ],
    )

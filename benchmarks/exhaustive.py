"""The exhaustive engine: exact counts, speed beside Spin, size, and sampled arrays."""

from collections.abc import Iterator
from statistics import median
from time import perf_counter
from typing import Final

from benchmarks.measuring import in_fresh_process
from benchmarks.spin import MODES, is_installed, run_spin
from benchmarks.table import Bar, Table
from scenarios.checking import Effort, check_subject
from scenarios.subject import Subject
from scenarios.wd import WD
from sim.exhaustive import Limits
from sim.exhaustive.explore import Search
from sim.exhaustive.learning import Learner
from sim.exhaustive.prove import conclude

COMMAND: Final = "python -m benchmarks exhaustive"
RATE_MIN: Final = 2_000_000
SPIN_SHARE_MAX: Final = 0.5
BYTES_MAX: Final = 40
SAMPLES_MIN: Final = 200_000
LARGE_SECONDS_MAX: Final = 180
LARGE_GB_MAX: Final = 8
SAMPLED: Final = 1_000_000


def tables(*, is_quick: bool) -> Iterator[Table]:
    """Yield speed beside Spin, the large proof, and the sampling rate."""
    yield _speed(rounds_count=1 if is_quick else 3)
    yield _sampling(rounds_count=1 if is_quick else 3)
    if not is_quick:
        yield _large()


def _subject(rule: str, *, listeners: int, batches: int, retrigger: bool) -> Subject:
    given = {
        "listeners": str(listeners),
        "batches_per_listener": str(batches),
        "retrigger": str(retrigger).lower(),
    }
    return Subject.of(WD, rule, given)


def _explore(
    rule: str, listeners: int, batches: int, retrigger: bool
) -> tuple[int, float, int]:
    """Return states, seconds from start to verdict, peak bytes of the arrays."""
    subject = _subject(rule, listeners=listeners, batches=batches, retrigger=retrigger)
    began = perf_counter()
    search = Search(Learner(subject.world()), Limits())
    found = conclude(search, search.run())
    return found.states, perf_counter() - began, found.peak_bytes


def _speed(*, rounds_count: int) -> Table:
    rule, sizes = "progressive", {"listeners": 2, "batches": 2}
    ours: list[float] = []
    spins: dict[str, list[float]] = {mode: [] for mode in MODES}
    states_of_spin: dict[str, int] = {}
    for _ in range(rounds_count):
        (states, seconds, peak), megabytes = in_fresh_process(
            _explore, rule, 2, 2, True
        )
        ours.append(seconds)
        if is_installed():
            for mode, flags in MODES.items():
                run = run_spin(**sizes, variant=rule, retrigger=True, flags=flags)
                spins[mode].append(run.seconds)
                states_of_spin[mode] = run.states
    rate = states / median(ours)
    each = peak / states
    rows = [
        (
            "Wavecheck, all states",
            f"{states:,}",
            f"{median(ours):.2f}",
            f"{rate / 1e6:.2f}",
            f"{each:.1f}",
            f"{megabytes:,.0f}",
        )
    ]
    bars = [
        Bar(
            text=f"at least {RATE_MIN / 1e6:g} million states a second",
            is_reached=rate >= RATE_MIN,
        ),
        Bar(text=f"at most {BYTES_MAX} bytes a state", is_reached=each <= BYTES_MAX),
    ]
    for mode, times in spins.items():
        if times:
            count = states_of_spin[mode]
            spin_rate = count / median(times) / 1e6
            cells = (f"{count:,}", f"{median(times):.2f}", f"{spin_rate:.2f}", "", "")
            rows.append((f"Spin, {mode}", *cells))
    if is_installed():
        best = min(median(times) for times in spins.values())
        share = median(ours) / best
        text = f"at most half the time of Spin at its fastest: {share:.2f} of it"
        bars.append(Bar(text=text, is_reached=share <= SPIN_SHARE_MAX))
    missing = "" if is_installed() else " Spin is not installed: apt-get install spin."
    return Table(
        title="WD (2,2,progressive,retrigger), start to verdict, one core",
        command=COMMAND,
        columns=("who", "states", "s", "million states/s", "bytes/state", "peak MB"),
        rows=rows,
        bars=bars,
        note="Spin: generating, compiling and running together; taking turns with us."
        + missing,
    )


def _sampling(*, rounds_count: int) -> Table:
    rows, rates = [], []
    for rule in WD.coordinators:
        for retrigger in (False, True):
            subject = _subject(rule, listeners=2, batches=1, retrigger=retrigger)
            seconds = []
            for seed in range(rounds_count):
                effort = Effort(
                    strategy="random", executions=SAMPLED, seed=seed, shrinks=False
                )
                began = perf_counter()
                seen = check_subject(subject, effort).statistics
                seconds.append((perf_counter() - began) / seen.executions_count)
            rates.append(1 / median(seconds))
            name = f"{rule}{', retrigger' if retrigger else ''}"
            rows.append((name, f"{SAMPLED:,}", f"{rates[-1]:,.0f}"))
    return Table(
        title="WD (2,1): random executions as arrays",
        command=COMMAND,
        note="The whole call behind `wavecheck check wd --strategy random`, learning"
        " and statistics included; counterexamples are not shrunk.",
        columns=("rule", "executions", "executions/s"),
        rows=rows,
        bars=[
            Bar(
                text=f"at least {SAMPLES_MIN:,} executions a second",
                is_reached=min(rates) >= SAMPLES_MIN,
            )
        ],
    )


def _large() -> Table:
    (states, seconds, peak), megabytes = in_fresh_process(
        _explore, "claiming", 5, 1, False
    )
    return Table(
        title="WD (5,1,claiming), one core",
        command=COMMAND,
        columns=("states", "s", "bytes/state", "peak MB"),
        rows=[
            (
                f"{states:,}",
                f"{seconds:.0f}",
                f"{peak / states:.1f}",
                f"{megabytes:,.0f}",
            )
        ],
        bars=[
            Bar(
                text=f"within {LARGE_SECONDS_MAX} s",
                is_reached=seconds <= LARGE_SECONDS_MAX,
            ),
            Bar(
                text=f"within {LARGE_GB_MAX} GB",
                is_reached=megabytes <= LARGE_GB_MAX * 1024,
            ),
            Bar(
                text=f"at most {BYTES_MAX} bytes a state",
                is_reached=peak / states <= BYTES_MAX,
            ),
        ],
    )

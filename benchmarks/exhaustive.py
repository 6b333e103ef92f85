"""The exhaustive engine: exact counts, speed beside Spin, size, and sampled arrays."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter
from typing import Any, Final

from benchmarks.measuring import in_fresh_process
from benchmarks.spin import MODES, is_installed, run_spin
from benchmarks.table import Bar, Table
from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.import_job import IMPORT_JOB
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.approaches import answer
from wavecheck.scenarios.verdicts.proving import PROOF, prove
from wavecheck.scenarios.wd.model import WD
from wavecheck.sim.exhaustive import Limits
from wavecheck.sim.exhaustive.explore import Search
from wavecheck.sim.exhaustive.learning import Learner
from wavecheck.sim.exhaustive.prove import conclude
from wavecheck.sim.verdict import Outcome

COMMAND: Final = "python -m benchmarks exhaustive"
RATE_MIN: Final = 2_000_000
SPIN_SHARE_MAX: Final = 0.5
BYTES_MAX: Final = 40
SAMPLES_MIN: Final = 200_000
LARGE_SECONDS_MAX: Final = 180
LARGE_GB_MAX: Final = 8
SAMPLED: Final = 1_000_000


def tables(*, is_quick: bool) -> Iterator[Table]:
    """Yield speed beside Spin, the sampling rate, the import job, the large proof."""
    yield _speed(rounds_count=1 if is_quick else 3)
    yield _sampling(rounds_count=1 if is_quick else 3)
    yield _import_job(is_quick=is_quick)
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
                seen = answer(subject, effort).searched.statistics
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proof:
    """One proof of an import job, in words.

    Attributes:
        seconds: start to verdict, graph included.
        states: that were visited.
        is_complete: whether those are all.
        outcomes: of each property.
        shortest: steps of the shortest violation found; None: nothing is violated.
    """

    seconds: float
    states: int
    is_complete: bool
    outcomes: tuple[Outcome, ...]
    shortest: int | None


def _prove(
    rule: str,
    given: dict[str, str],
    faults: dict[str, int],
    properties: tuple[str, ...],
    limits: Effort,
) -> _Proof:
    subject = Subject.of(IMPORT_JOB, rule, given, faults, properties)
    result = prove(subject, limits)
    lengths = [len(schedule.steps) for schedule in result.schedules.values()]
    return _Proof(
        seconds=result.explored.seconds,
        states=result.explored.exploration.states,
        is_complete=result.explored.exploration.is_complete,
        outcomes=tuple(verdict.outcome for verdict in result.verdicts),
        shortest=min(lengths, default=None),
    )


_SMALLEST: Final = {"parents": "1", "parents_per_batch": "1", "workers": "1"}
_WHOLE: Final = replace(PROOF, seconds=600)
_FIRST: Final = replace(PROOF, seconds=600, stops_at_first=True)
_ALL_ORDERS: Final = replace(PROOF, seconds=600, reduces=False)
_FOUR: Final = {"parents": "4", "parents_per_batch": "2"}
_PROOFS: Final[tuple[tuple[str, tuple[Any, ...]], ...]] = (
    ("claiming, every property", ("claiming", {}, {}, (), _WHOLE)),
    ("the same, no reduction", ("claiming", {}, {}, (), _ALL_ORDERS)),
    (
        "progressive, double dispatch",
        ("progressive", {}, {}, ("no_double_dispatch",), _FIRST),
    ),
    (
        "stalling, stranding",
        ("stalling", {}, {}, ("no_stranded_batch",), _FIRST),
    ),
    (
        "smallest job: leased, one crash",
        ("leased", _SMALLEST, {"crash": 1}, (), _WHOLE),
    ),
    (
        "smallest job: claiming, one crash",
        ("claiming", _SMALLEST, {"crash": 1}, (), _WHOLE),
    ),
)
_BEYOND: Final = (
    "4 parents: claiming, within 60 s",
    ("claiming", _FOUR, {}, (), replace(PROOF, seconds=60)),
)


def _import_job(*, is_quick: bool) -> Table:
    subjects = [one for one in _PROOFS if not (is_quick and "no reduction" in one[0])]
    if not is_quick:
        subjects.append(_BEYOND)
    found = {
        name: in_fresh_process(_prove, *arguments)[0] for name, arguments in subjects
    }
    rows = [
        (
            name,
            "proved"
            if set(one.outcomes) == {Outcome.PROVED}
            else "nothing yet"
            if one.shortest is None
            else f"refuted in {one.shortest} steps",
            f"{one.states:,}{'' if one.is_complete else ' so far'}",
            f"{one.seconds:.1f}",
        )
        for name, one in found.items()
    ]
    proved = {Outcome.PROVED}
    refuted = ("progressive, double dispatch", "stalling, stranding")
    return Table(
        title="import-job, 3 parents, 2 derived batches, 2 workers",
        command=COMMAND,
        note="Each proof in a fresh process, the answers of the graph included. Without"
        " `no reduction` the workers are explored in one order.",
        columns=("rule and question", "verdict", "states", "s"),
        rows=rows,
        bars=[
            Bar(
                text="claiming is proved for every property",
                is_reached=set(found["claiming, every property"].outcomes) == proved,
            ),
            *(
                Bar(
                    text=f"{name}: refuted with a shortest counterexample",
                    is_reached=found[name].shortest is not None,
                )
                for name in refuted
            ),
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

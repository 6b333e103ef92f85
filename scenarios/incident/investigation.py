"""From evidence to answers: what is wrong, who would have noticed, what would help.

Joins the evidence of one job with the properties, the alerts, the timed simulation and
the search of the pipeline. Prints nothing.

Units: ticks since the start of the evidence.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from wavecheck.coordinator import BatchState, ImportPlan, WaveKind
from wavecheck.scenarios.comparison import WorldProgress
from wavecheck.scenarios.incident.alerts import alerts_of
from wavecheck.scenarios.incident.evidence import IncidentEvidence
from wavecheck.scenarios.incident.scenario import INCIDENT
from wavecheck.scenarios.incident.story import Story, story_of
from wavecheck.scenarios.loading import load_coordinator
from wavecheck.scenarios.pipeline.alerts import Alert
from wavecheck.scenarios.pipeline.facts import Finding, RowFacts
from wavecheck.scenarios.pipeline.incident import IncidentWorld, Timeline
from wavecheck.scenarios.pipeline.reconstruction import Reconstruction, reconstruct
from wavecheck.scenarios.pipeline.settings import IncidentSettings
from wavecheck.scenarios.pipeline.timed_run import TimedRun, simulate
from wavecheck.sim.deadline import NO_DEADLINE, Deadline
from wavecheck.sim.errors import InvalidScenario, OutOfTime
from wavecheck.sim.kernel import Kernel

STEPS_MAX: Final = 1_000_000
EXECUTIONS_MAX: Final = 40
NEWEST: Final = 250
"""Batches that are tried first; then four times as many, up to all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One coordinator in the recorded timeline.

    Attributes:
        name: of the coordinator.
        run: what it does in a timed run: would it have saved the job? None: the
            budget ended before it.
        reconstruction: whether it can have ended as observed; None: likewise.
    """

    name: str
    run: TimedRun | None = None
    reconstruction: Reconstruction | None = None

    def pending(self) -> int | None:
        """Return how many batches it leaves pending."""
        if self.run is None:
            return None
        return self.run.batches_by_status[BatchState.PENDING]

    def sent_twice(self) -> int | None:
        """Return how many messages it sends more than there are batches sent."""
        if self.run is None:
            return None
        sent = sum(self.run.batches_by_status.values()) - (self.pending() or 0)
        return self.run.messages_count - sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Investigation:
    """What the evidence of one job says.

    Attributes:
        evidence: it.
        findings: what the rows say about each property.
        alerts: those that would have fired, by wave.
        wave_number: the wave that was looked at closely.
        timeline: its record, as a scenario replays it; of the newest batches only,
            where the budget allowed no more.
        trials: each coordinator in that timeline; empty: none was tried.
        story: how the first coordinator that can have ended so did it.
        assumptions: what is taken for granted beyond the evidence's own.
    """

    evidence: IncidentEvidence
    findings: tuple[Finding, ...]
    alerts: tuple[Alert, ...]
    wave_number: int
    timeline: Timeline
    trials: tuple[Trial, ...]
    story: Story | None
    assumptions: tuple[str, ...]

    def pending(self) -> frozenset[str]:
        """Return the ids of the batches of the wave that are pending."""
        return frozenset(
            one.batch_id
            for one in self.evidence.of_wave(self.wave_number)
            if one.status is BatchState.PENDING
        )

    def is_tried(self) -> bool:
        """Return whether everything is known of every coordinator."""
        return all(one.run and one.reconstruction for one in self.trials)

    def has_violation(self) -> bool:
        """Return whether the rows violate any property."""
        return any(one.violation is not None for one in self.findings)


def read_rows(
    evidence: IncidentEvidence,
    *,
    wave_number: int | None = None,
    given: Mapping[str, str] | None = None,
) -> Investigation:
    """Say what the rows themselves say; nothing is simulated.

    Args:
        evidence: of one job.
        wave_number: which wave to look at closely; the one with the most pending
            batches if not given.
        given: settings of the scenario `incident`, as text by name.

    Raises:
        InvalidScenario: no such wave or setting.
    """
    settings: IncidentSettings = INCIDENT.settings(given)
    number = _chosen_wave(evidence, wave_number)
    timeline, notes = _timeline(evidence, number)
    alerts, alert_notes = alerts_of(evidence, settings)
    return Investigation(
        evidence=evidence,
        findings=_findings(evidence),
        alerts=tuple(alerts),
        wave_number=number,
        timeline=timeline,
        trials=(),
        story=None,
        assumptions=(*evidence.assumptions, *notes, *alert_notes),
    )


def try_rules(
    found: Investigation,
    coordinators: Sequence[str] = (),
    *,
    given: Mapping[str, str] | None = None,
    executions_max: int = EXECUTIONS_MAX,
    deadline: Deadline = NO_DEADLINE,
    progress: WorldProgress | None = None,
) -> Investigation:
    """Try coordinators on the recorded timeline, as far as the deadline allows.

    The newest batches first, then more of them: a big job is known in part before it
    is known as a whole. For each part, first what every coordinator would have left
    pending, then whether it can have ended so.

    Args:
        found: what the rows say.
        coordinators: which to try; all built-in ones if empty.
        given: settings of the scenario `incident`, as text by name.
        executions_max: executions for each reconstruction.
        deadline: what is not known by then stays open.
        progress: called now and then.

    Raises:
        InvalidScenario: no such coordinator or setting.
        CoordinatorError: a coordinator does not load, or failed.
    """
    names = list(coordinators) or list(INCIDENT.coordinators)
    types = {name: load_coordinator(INCIDENT, name) for name in names}
    settings: IncidentSettings = INCIDENT.settings(given)
    best = replace(found, trials=tuple(Trial(name=name) for name in names))
    count = min(NEWEST, len(found.timeline.batches))
    while True:
        part = replace(found, timeline=_newest(found.timeline, count))
        tried = _try_all(
            part,
            types,
            settings,
            executions_max=executions_max,
            deadline=deadline,
            progress=progress,
        )
        if best.is_tried() and not tried.is_tried():
            return best
        best = tried
        if deadline.is_over() or count == len(found.timeline.batches):
            return best
        count = min(4 * count, len(found.timeline.batches))


def _newest(timeline: Timeline, count: int) -> Timeline:
    """Return the record of the newest batches, and of the calls since the first."""
    batches = timeline.batches[-count:]
    if count == len(timeline.batches):
        return timeline
    calls = tuple(one for one in timeline.calls if one[0] >= batches[0][0])
    return replace(timeline, batches=batches, calls=calls)


def _try_all(
    found: Investigation,
    types: Mapping[str, type[Any]],
    settings: IncidentSettings,
    *,
    executions_max: int,
    deadline: Deadline,
    progress: WorldProgress | None,
) -> Investigation:
    """Try every coordinator on the timeline as it is here."""
    names = list(types)
    trials = {name: Trial(name=name) for name in names}
    story: Story | None = None
    held = {name for _, name in found.timeline.batches}
    pending = frozenset(one for one in found.pending() if one in held)

    def world_of(name: str, kernel: Kernel) -> IncidentWorld:
        if progress is not None:
            kernel.progress = partial(progress, name)
        return IncidentWorld(kernel, types[name], settings, found.timeline)

    with suppress(OutOfTime), deadline.enforced():
        for name in _within(deadline, names):
            world = world_of(name, Kernel())
            with deadline.watching(world.kernel):
                trials[name] = replace(trials[name], run=simulate(world, name))
        for name in _within(deadline, names):
            world = world_of(name, Kernel(timed=False, steps_max=STEPS_MAX))
            with deadline.watching(world.kernel):
                made = reconstruct(
                    world, pending, executions_max=executions_max, seed=settings.seed
                )
            trials[name] = replace(trials[name], reconstruction=made)
            if made.choices and story is None:
                with deadline.watching(world.kernel):
                    story = story_of(world, name, made)
    return replace(found, trials=tuple(trials.values()), story=story)


def _within(deadline: Deadline, names: Sequence[str]) -> Iterator[str]:
    """Yield names until the deadline."""
    for name in names:
        if deadline.is_over():
            raise OutOfTime
        yield name


def _chosen_wave(evidence: IncidentEvidence, wave_number: int | None) -> int:
    numbers = [one.wave_number for one in evidence.waves]
    if wave_number is None:

        def pending_in(number: int) -> int:
            batches = evidence.of_wave(number)
            return sum(one.status is BatchState.PENDING for one in batches)

        return max(
            [number for number in numbers if evidence.of_wave(number)],
            key=lambda number: (pending_in(number), number),
        )
    if wave_number not in numbers or not evidence.of_wave(wave_number):
        raise InvalidScenario(
            f"--wave {wave_number}: the job has no batches in such a wave\n"
            f"  it has  waves {', '.join(map(str, numbers))}"
        )
    return wave_number


def _timeline(
    evidence: IncidentEvidence, wave_number: int
) -> tuple[Timeline, list[str]]:
    """Return the record of one wave; without a log, each creation is a call."""
    batches = evidence.of_wave(wave_number)
    calls = [
        (call.called_at, call.number) for call in evidence.calls_of_wave(wave_number)
    ]
    notes = []
    if not calls:
        notes.append(
            f"no dispatch call of wave {wave_number} was logged: one after each"
            " creation and each completion"
        )
        moments = [one.created_at for one in batches]
        moments += [one.completed_at for one in batches if one.completed_at is not None]
        calls = [(time, number) for number, time in enumerate(sorted(moments), start=1)]
    timeline = Timeline(
        job_id=evidence.job.job_id,
        wave_number=wave_number,
        batches=tuple(sorted((one.created_at, one.batch_id) for one in batches)),
        calls=tuple(calls),
        started_at=evidence.started_at,
    )
    return timeline, notes


def _findings(evidence: IncidentEvidence) -> tuple[Finding, ...]:
    facts = RowFacts(
        [evidence.job],
        evidence.waves,
        evidence.batches,
        sends=evidence.sends,
        plans=_plans(evidence),
    )
    return tuple(
        replace(one, violation=None, undecided=evidence.unknown[one.property_name])
        if one.property_name in evidence.unknown
        else one
        for one in facts.findings()
    )


def _plans(evidence: IncidentEvidence) -> dict[str, ImportPlan]:
    """Return the job's plan if its rows hold parents, so that these can be checked."""
    holding = {
        kind: [
            wave.wave_number
            for wave in evidence.waves
            if wave.kind is kind
            and any(one.parent_ids for one in evidence.of_wave(wave.wave_number))
        ]
        for kind in WaveKind
    }
    if not holding[WaveKind.MAIN] or not holding[WaveKind.DERIVED]:
        return {}
    parent_wave = holding[WaveKind.MAIN][-1]
    plan = ImportPlan(
        job_id=evidence.job.job_id,
        parent_wave=parent_wave,
        derived_wave=holding[WaveKind.DERIVED][0],
        parent_batches=len(evidence.of_wave(parent_wave)),
        parents_per_batch=1,
        threshold=0.0,
    )
    return {plan.job_id: plan}

"""From evidence to answers: what is wrong, who would have noticed, what would help.

Joins the evidence of one job with the properties, the alerts, the timed simulation and
the search of the pipeline. Prints nothing.

Units: ticks since the start of the evidence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from wavecheck.coordinator import BatchState, ImportPlan, WaveKind
from wavecheck.scenarios.comparison import WorldProgress
from wavecheck.scenarios.incident.alerts import alerts_of
from wavecheck.scenarios.incident.evidence import Evidence
from wavecheck.scenarios.incident.scenario import INCIDENT
from wavecheck.scenarios.incident.story import Story, story_of
from wavecheck.scenarios.loading import load_coordinator
from wavecheck.scenarios.pipeline.alerts import Alert
from wavecheck.scenarios.pipeline.facts import Finding, RowFacts
from wavecheck.scenarios.pipeline.incident import IncidentWorld, Timeline
from wavecheck.scenarios.pipeline.reconstruction import Reconstruction, reconstruct
from wavecheck.scenarios.pipeline.settings import IncidentSettings
from wavecheck.scenarios.pipeline.timed_run import TimedRun, simulate
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.kernel import Kernel

STEPS_MAX: Final = 1_000_000
EXECUTIONS_MAX: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One coordinator in the recorded timeline.

    Attributes:
        name: of the coordinator.
        run: what it does in a timed run: would it have saved the job?
        reconstruction: whether it can have ended as observed.
    """

    name: str
    run: TimedRun
    reconstruction: Reconstruction

    def pending(self) -> int:
        """Return how many batches it leaves pending."""
        return self.run.batches_by_status[BatchState.PENDING]

    def sent_twice(self) -> int:
        """Return how many messages it sends more than there are batches sent."""
        sent = sum(self.run.batches_by_status.values()) - self.pending()
        return self.run.messages_count - sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Investigation:
    """What the evidence of one job says.

    Attributes:
        evidence: it.
        findings: what the rows say about each property.
        alerts: those that would have fired, by wave.
        wave_number: the wave that was looked at closely.
        timeline: its record, as a scenario replays it.
        trials: each coordinator in that timeline.
        story: how the first coordinator that can have ended so did it.
        assumptions: what is taken for granted beyond the evidence's own.
    """

    evidence: Evidence
    findings: tuple[Finding, ...]
    alerts: tuple[Alert, ...]
    wave_number: int
    timeline: Timeline
    trials: tuple[Trial, ...]
    story: Story | None
    assumptions: tuple[str, ...]

    def has_violation(self) -> bool:
        """Return whether the rows violate any property."""
        return any(one.violation is not None for one in self.findings)


def investigate(
    evidence: Evidence,
    coordinators: Sequence[str] = (),
    *,
    wave_number: int | None = None,
    given: Mapping[str, str] | None = None,
    executions_max: int = EXECUTIONS_MAX,
    progress: WorldProgress | None = None,
) -> Investigation:
    """Judge the rows, and try coordinators on the recorded timeline.

    Args:
        evidence: of one job.
        coordinators: which to try; all built-in ones if empty.
        wave_number: which wave to look at closely; the one with the most pending
            batches if not given.
        given: settings of the scenario `incident`, as text by name.
        executions_max: executions for each reconstruction.
        progress: called now and then.

    Raises:
        InvalidScenario: no such wave, coordinator or setting.
        CoordinatorError: a coordinator does not load, or failed.
    """
    names = list(coordinators) or list(INCIDENT.coordinators)
    types = {name: load_coordinator(INCIDENT, name) for name in names}
    settings: IncidentSettings = INCIDENT.settings(given)
    number = _chosen_wave(evidence, wave_number)
    timeline, notes = _timeline(evidence, number)
    alerts, alert_notes = alerts_of(evidence, settings)
    pending = frozenset(
        one.batch_id
        for one in evidence.of_wave(number)
        if one.status is BatchState.PENDING
    )
    trials = []
    story: Story | None = None
    for name, coordinator_type in types.items():
        timed = IncidentWorld(Kernel(), coordinator_type, settings, timeline)
        kernel = Kernel(timed=False, steps_max=STEPS_MAX)
        if progress is not None:
            kernel.progress = partial(progress, name)
        untimed = IncidentWorld(kernel, coordinator_type, settings, timeline)
        found = reconstruct(
            untimed, pending, executions_max=executions_max, seed=settings.seed
        )
        trials.append(Trial(name=name, run=simulate(timed, name), reconstruction=found))
        if found.choices and story is None:
            story = story_of(untimed, name, found)
    return Investigation(
        evidence=evidence,
        findings=_findings(evidence),
        alerts=tuple(alerts),
        wave_number=number,
        timeline=timeline,
        trials=tuple(trials),
        story=story,
        assumptions=(*evidence.assumptions, *notes, *alert_notes),
    )


def _chosen_wave(evidence: Evidence, wave_number: int | None) -> int:
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


def _timeline(evidence: Evidence, wave_number: int) -> tuple[Timeline, list[str]]:
    """Return the record of one wave; without a log, each creation is a call."""
    batches = evidence.of_wave(wave_number)
    calls = [
        (call.called_at, call.number)
        for call in evidence.calls or ()
        if call.wave_number == wave_number
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


def _findings(evidence: Evidence) -> tuple[Finding, ...]:
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


def _plans(evidence: Evidence) -> dict[str, ImportPlan]:
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

"""Proofs from a subject: numbers, limits, loops, and what is refused."""

import tempfile
from dataclasses import dataclass, replace

import pytest

from wavecheck import find_scenario, replay
from wavecheck.scenarios import evidence
from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.evidence import Evidence, exact_no_return
from wavecheck.scenarios.scenario import Scenario
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.proving import (
    PROOF,
    prove,
    sweep,
)
from wavecheck.sim.deadline import Deadline
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.exhaustive import levels
from wavecheck.sim.faults import Adversary
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Flag
from wavecheck.sim.property import Moment, Property
from wavecheck.sim.search.explain import explain
from wavecheck.sim.verdict import Outcome


def wd(rule, **given):
    """A subject of the reference model."""
    return Subject.of(find_scenario("wd"), rule, {k: str(v) for k, v in given.items()})


def test_a_violated_property_comes_with_a_shortest_schedule_and_its_odds():
    """WD progressive: 10 steps, found by 31 in 128 uniformly random schedules."""
    result = prove(wd("progressive"))
    assert len(result.schedules["no_double_dispatch"].steps) == 10
    assert str(result.explored.odds["no_double_dispatch"].exact) == "31/128"
    assert result.explored.schedules_count == 4876
    assert [one.outcome for one in result.verdicts] == [
        Outcome.PROVED,
        Outcome.VIOLATED,
    ]


def test_the_point_of_no_return_is_counted():
    """60 of the 198 states lead to a double dispatch whatever happens next."""
    recovered = prove(wd("progressive")).explored.recoveries["no_double_dispatch"]
    assert (recovered.lost, recovered.states) == (60, 198)
    assert len(recovered.point_of_no_return) == 8


@pytest.mark.parametrize("rule", ["progressive", "stalling"])
def test_the_point_of_no_return_of_a_schedule_is_that_of_all_continuations(rule):
    """Wherever the search runs every continuation, the graph says the same step."""
    subject = wd(rule)
    result = prove(subject)
    for name, schedule in result.schedules.items():
        told = explain(subject.world(), schedule)
        assert told.no_return.is_exact
        assert told.no_return.step == result.explored.no_returns[name].step
        assert exact_no_return(subject, schedule) == result.explored.no_returns[name]


def test_an_explanation_is_exact_where_the_world_is_small_enough():
    """Of three listeners some continuations are only sampled; the graph knows all."""
    subject = wd("progressive", listeners=3)
    schedule = prove(subject).schedules["no_double_dispatch"]
    assert not explain(subject.world(), schedule).no_return.is_exact
    exact = Evidence(subject, schedule).explanation.no_return
    assert (exact.is_exact, exact.states_count) == (True, 17670)


def test_a_world_that_is_too_large_is_not_explored_to_explain(monkeypatch):
    """The limit is on states, so that the explanation is the same everywhere."""
    monkeypatch.setattr(evidence, "EXPLAINED_STATES_MAX", 100)
    subject = wd("progressive", listeners=3)
    schedule = prove(subject).schedules["no_double_dispatch"]
    assert exact_no_return(subject, schedule) is None


def test_levels_leave_memory_when_it_is_short():
    """A limit below what all levels take: they go to files, and the proof goes on."""
    roomy = prove(wd("claiming", listeners=3, retrigger=True))
    limits = replace(
        PROOF, memory_bytes=roomy.explored.exploration.peak_bytes * 9 // 10
    )
    tight = prove(wd("claiming", listeners=3, retrigger=True), limits)
    assert tight.explored.exploration.is_complete
    assert (
        tight.explored.exploration.peak_bytes <= roomy.explored.exploration.peak_bytes
    )
    assert tight.explored.exploration.states == roomy.explored.exploration.states


def test_levels_that_left_memory_have_no_names(tmp_path, monkeypatch):
    """Nothing that a killed proof could leave behind; in few files, and all there."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(levels, "MAPS_MAX", 2)
    subject = wd("progressive", listeners=3)
    roomy = prove(subject)
    small = roomy.explored.exploration.peak_bytes // 2
    names, mapped = [], []
    spill = levels.Levels.spill

    def spilling(self):
        spill(self)
        mapped.append(len(self._mapped))
        names.extend(tmp_path.iterdir())

    monkeypatch.setattr(levels.Levels, "spill", spilling)
    tight = prove(subject, replace(PROOF, memory_bytes=small))
    assert max(mapped) > levels.MAPS_MAX
    assert names == []
    found = roomy.schedules["no_double_dispatch"].steps
    assert tight.schedules["no_double_dispatch"].steps == found


def test_a_time_limit_ends_a_proof_without_one():
    """A limit that is over at once: NOT_FOUND, and the limit is named."""
    limits = replace(PROOF, seconds=1e-9)
    result = prove(wd("claiming", listeners=3), limits)
    assert {one.outcome for one in result.verdicts} == {Outcome.NOT_FOUND}
    assert "the budget of 1e-09 s" in result.explored.exploration.stopped_by
    assert result.explored.schedules_count is None


def test_a_memory_limit_ends_a_proof_without_one():
    """A few kilobytes do not hold the model: NOT_FOUND, and memory is named."""
    result = prove(wd("claiming", listeners=3), replace(PROOF, memory_bytes=4096))
    assert {one.outcome for one in result.verdicts} == {Outcome.NOT_FOUND}
    assert "memory" in result.explored.exploration.stopped_by


def test_a_violation_that_was_found_is_told_though_the_time_is_up():
    """Its path needs steps that were not learned when the budget ended."""
    world = find_scenario("import-job")
    subject = Subject.of(world, "progressive", {"parents": "2"}, {})
    told = 0
    for looks_count in (3_000, 6_000, 9_000):
        looks = iter(range(10**9))
        deadline = Deadline(float(looks_count), lambda looks=looks: float(next(looks)))
        found = prove(subject, Effort(strategy=PROOF.strategy), deadline=deadline)
        assert found.explored.exploration.stopped_by
        for schedule in found.schedules.values():
            replay(schedule)
            told += 1
    assert told


SMALL = {"parents": "1", "parents_per_batch": "1", "workers": "1"}


def small(rule, **faults):
    """A subject of the smallest import job, with faults."""
    return Subject.of(find_scenario("import-job"), rule, SMALL, faults)


@pytest.mark.parametrize("kind", ["crash", "fail", "lose", "duplicate", "expire"])
def test_leased_is_proved_to_survive_any_one_fault(kind):
    """Every property, in every state, whenever it strikes; healing rounds included."""
    result = prove(small("leased", **{kind: 1}))
    assert {one.outcome for one in result.verdicts} == {Outcome.PROVED}


BOUNDED = """
from wavecheck.coordinator import Leased


class Bounded(Leased):
    waiting_max = 1
"""


@pytest.mark.parametrize(
    ("faults", "derived_call", "outcome"),
    [
        ({}, "yes", Outcome.PROVED),
        ({"lose": 1}, "yes", Outcome.PROVED),
        ({}, "no", Outcome.VIOLATED),
    ],
)
def test_a_limit_to_what_waits_strands_nothing(tmp_path, faults, derived_call, outcome):
    """One batch waits at a time; whoever finishes one must call, to send the next."""
    rules = tmp_path / "bounded.py"
    rules.write_text(BOUNDED)
    job = find_scenario("import-job")
    sizes = {"parents": "2", "parents_per_batch": "1", "workers": "1"}
    sizes["derived_call"] = derived_call
    result = prove(Subject.of(job, f"{rules}:Bounded", sizes, faults))
    found = {one.property_name: one.outcome for one in result.verdicts}
    assert found["no_stranded_batch"] is outcome
    assert found["no_double_dispatch"] is Outcome.PROVED


def test_claiming_is_refuted_by_one_crash_with_a_shortest_schedule():
    """A redelivered batch is processed twice; the schedule replays with its fault."""
    result = prove(small("claiming", crash=1))
    schedule = result.schedules["legal_transitions"]
    assert len(schedule.steps) == 12
    assert any(step.task == "fault crash-1" for step in schedule.steps)
    assert result.explored.no_returns["job_completes"].is_exact


def test_a_sweep_grows_one_size_after_the_other():
    """From the least sizes upwards; states grow with them."""
    results = []
    for result in sweep(wd("claiming"), replace(PROOF, seconds=30.0)):
        results.append(result)
        if len(results) == 3:
            break
    sizes = [
        (one.subject.settings.listeners, one.subject.settings.batches_per_listener)
        for one in results
    ]
    assert sizes == [(1, 1), (1, 2), (2, 2)]
    states = [one.explored.exploration.states for one in results]
    assert states == sorted(states)


def test_a_scenario_without_sizes_has_no_sweep():
    """The recorded incident cannot grow."""
    subject = Subject.of(find_scenario("incident"), "claiming")
    with pytest.raises(InvalidScenario, match="no sizes"):
        next(sweep(subject, replace(PROOF, seconds=1.0)))


class PollStore:
    """A flag that somebody may set, and a poller that looks at it."""

    def __init__(self, kernel):
        self.is_done = Flag(kernel, "is_done")

    @statement
    def look(self):
        """Read the flag."""
        return self.is_done.is_set()

    @statement
    def finish(self):
        """Set the flag."""
        self.is_done.set()


class Looks:
    """Polls until somebody else is done."""

    def __init__(self, store):
        self.store = store

    async def poll(self):
        """Look again and again; nobody finishes."""
        while not await self.store.look():
            pass


class Finishes(Looks):
    """Finishes what it finds undone."""

    async def poll(self):
        """Look, and finish."""
        while not await self.store.look():
            await self.store.finish()


@dataclass(frozen=True)
class NoSettings:
    """Nothing can be set."""


class PollWorld:
    """One poller that never stops while the flag is not set."""

    properties = (
        Property(
            name="gets_done",
            meaning="the flag is set at the end",
            moment=Moment.AT_QUIESCENCE,
            at_end=lambda world: None if world.store.is_done.is_set() else "not done",
        ),
    )

    def __init__(self, kernel, rule, settings):
        self.kernel, self.rule, self.store = kernel, rule, PollStore(kernel)
        self.under_test = None
        kernel.mark()

    def start(self):
        """Spawn the poller."""
        self.under_test = self.rule(self.store)
        self.kernel.spawn(self.under_test.poll(), "poller")

    def plan_faults(self, plan):
        """Refuse faults."""
        Adversary(self.kernel, {}, plan)

    def heal(self):
        """Nothing to heal."""
        return False


POLLS = Scenario(
    name="polls",
    summary="a poller",
    settings_type=NoSettings,
    coordinators={"looks": Looks, "finishes": Finishes},
    methods=("poll",),
    build=PollWorld,
    small={},
    sizes={},
    mutants={},
    is_timed=False,
)


def test_a_loop_that_never_helps_is_a_violation_with_a_stem_and_a_loop():
    """A poller that only looks goes round for ever while the flag is not set."""
    result = prove(Subject.of(POLLS, "looks"))
    assert result.verdicts[0].outcome is Outcome.VIOLATED
    lasso = result.explored.lassos["gets_done"]
    assert [task for task, _ in lasso.loop] == ["poller"]
    assert lasso.message == "not done"


class TwoPollers(PollWorld):
    """Two pollers that are alike."""

    def start(self):
        """Spawn both."""
        self.under_test = self.rule(self.store)
        for name in ("poller", "second"):
            self.kernel.spawn(self.under_test.poll(), name)

    def interchangeable(self):
        """Say so."""
        return [["poller", "second"]]


def test_loops_are_asked_of_every_single_task():
    """Fairness tells alike tasks apart: where there are loops, they are not merged."""
    result = prove(Subject.of(replace(POLLS, build=TwoPollers), "looks"))
    assert result.verdicts[0].outcome is Outcome.VIOLATED
    assert {task for task, _ in result.explored.lassos["gets_done"].loop} == {
        "poller",
        "second",
    }
    assert "loops" in result.explored.exploration.not_merged


def test_a_loop_that_helps_is_none():
    """A poller that finishes leaves no fair loop: proved."""
    result = prove(Subject.of(POLLS, "finishes"))
    assert result.verdicts[0].outcome is Outcome.PROVED
    assert not result.explored.lassos

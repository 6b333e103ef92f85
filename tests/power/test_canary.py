"""The canary: planted faults are caught by a fair budget, and missed by a poor one."""

import pytest

from wavecheck import find_scenario
from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.canary import Fate, canary
from wavecheck.sim.errors import InvalidScenario

# Found with the seed below in 4 and 33 executions at most; the rest is slack for
# another order of drawing.
BUDGETS = {"wd": 100, "import-job": 300}


class Careless:
    """A user's own rule: looks for the claim's answer, but not for anything else."""

    listener_policy = "progressive"

    def __init__(self, database):
        self.database = database

    async def check_and_trigger_next_wave(self, job_id):
        for wave in await self.database.open_waves(job_id):
            await self.dispatch_wave(job_id, wave.wave_number)

    async def dispatch_wave(self, job_id, wave_number):
        sent = 0
        for batch_id in await self.database.pending_batches(job_id, wave_number):
            if await self.database.claim_batch(batch_id):
                await self.database.enqueue(batch_id)
                sent += 1
        return sent


def answer(scenario_name, coordinator, executions, **options):
    """Run a canary with a fixed seed."""
    subject = Subject.of(find_scenario(scenario_name), coordinator)
    return canary(subject, Effort(executions=executions, seed=0, **options))


@pytest.mark.parametrize("scenario_name", BUDGETS)
def test_a_fair_budget_catches_the_mutants(scenario_name):
    """At least 90 % of the mutants that can do harm are caught, and claiming passes."""
    result = answer(scenario_name, "claiming", BUDGETS[scenario_name])
    assert not result.base.has_violation()
    assert len(result.with_fate(Fate.CAUGHT)) >= 3
    assert result.caught_share() >= 0.9, result.with_fate(Fate.SURVIVED)


@pytest.mark.parametrize("scenario_name", BUDGETS)
def test_one_execution_is_not_enough(scenario_name):
    """With a budget of one execution some mutants survive, so the measure can fail."""
    result = answer(scenario_name, "claiming", 1)
    assert result.with_fate(Fate.SURVIVED)
    assert not result.is_sensitive()


@pytest.mark.parametrize("scenario_name", BUDGETS)
def test_excused_mutants_are_never_caught(scenario_name):
    """A mutant that is said to be harmless survives; otherwise the excuse is wrong."""
    result = answer(scenario_name, "claiming", BUDGETS[scenario_name])
    excused = [one for one in result.mutants if one.mutant.excuse("claiming")]
    assert {one.fate for one in excused} == {Fate.HARMLESS}


def test_a_statement_that_is_never_made_is_not_reached():
    """Claiming takes no leases, so that mutant says nothing about the budget."""
    result = answer("import-job", "claiming", 20)
    fates = {one.mutant.statement: one.fate for one in result.mutants}
    assert fates["lease_batch"] is Fate.NOT_REACHED


def test_every_schedule_run_means_harmless():
    """Where all schedules were run, a mutant that survives does no harm."""
    subject = Subject.of(find_scenario("wd"), "claiming", {"listeners": "1"})
    result = canary(subject, Effort(executions=1_000, strategy="dfs"))
    assert not result.with_fate(Fate.SURVIVED)


def test_a_faulty_coordinator_is_reported_first():
    """Its own violation is said, and its mutants are judged by what it keeps."""
    result = answer("wd", "progressive", 100)
    assert result.base.has_violation()
    assert not result.is_sensitive()
    judged = {one.property_name for one in result.with_fate(Fate.CAUGHT)}
    assert judged == {"no_stranded_batch"}


def test_a_coordinator_that_keeps_nothing_has_no_canary():
    """Without a property that holds, no mutant could be told apart."""
    with pytest.raises(InvalidScenario, match="violates every property"):
        answer("wd", "stalling", 500)


def test_a_class_of_the_users_own_can_be_weakened():
    """The stand-in works on a class that calls its database what it likes."""
    subject = Subject.of(find_scenario("import-job"), Careless)
    result = canary(subject, Effort(executions=300))
    fates = {one.mutant.statement: one for one in result.mutants}
    assert fates["claim_batch"].fate is Fate.CAUGHT
    assert fates["finish_wave"].fate is Fate.NOT_REACHED


def test_a_scenario_without_mutants_is_refused():
    """The incident is a recording: nothing is planted there."""
    with pytest.raises(InvalidScenario, match="nothing that could be weakened"):
        answer("incident", "claiming", 1)

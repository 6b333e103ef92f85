"""Searches and sweeps over an engine: in their order, whatever finished first."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

import pytest

from wavecheck.scenarios.campaign.engines import IN_PROCESS, Engine, local_engine
from wavecheck.scenarios.campaign.spread import BLOCK_EXECUTIONS, check_spread
from wavecheck.scenarios.campaign.sweeping import sweep_spread
from wavecheck.scenarios.catalogue import find_scenario
from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.approaches import approach_of
from wavecheck.scenarios.verdicts.proving import PROOF, growing, sweep
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.verdict import Outcome

THREADS = Engine(
    name="threads", processes=3, open=lambda: ThreadPoolExecutor(max_workers=3)
)


LONG = replace(PROOF, seconds=600.0)


def wd(rule, **settings):
    return Subject.of(find_scenario("wd"), rule, settings)


def plain(result):
    """A result without the seconds that it took."""
    seen = replace(result.searched.statistics, seconds=0.0)
    searched = replace(result.searched, statistics=seen)
    return replace(result, searched=searched)


@pytest.mark.parametrize("strategy", ["random", "surw"])
def test_a_search_in_blocks_does_not_depend_on_the_engine(strategy):
    """Here, in threads or in two processes: the same verdicts and schedules."""
    effort = Effort(strategy=strategy, executions=2 * BLOCK_EXECUTIONS + 100, seed=5)
    results = [
        check_spread(wd("stalling"), effort, engine)
        for engine in (IN_PROCESS, THREADS, local_engine(2))
    ]
    assert plain(results[0]) == plain(results[1]) == plain(results[2])
    verdicts = {one.property_name: one for one in results[0].verdicts}
    assert verdicts["no_stranded_batch"].outcome is Outcome.VIOLATED
    # A block may end before its 500 executions: with everything found.
    assert 3 <= results[0].searched.statistics.executions_count <= 1_100
    counts = {one.executions_count for one in results[0].verdicts}
    assert counts == {results[0].searched.statistics.executions_count}
    assert len(results[0].schedules["no_double_dispatch"].steps) < 20


def test_a_search_that_ends_with_the_first_violation_ends_in_its_block():
    """The first block with a hit, and those before it; later ones do not count."""
    effort = Effort(strategy="random", executions=4_000, stops_at_first=True)
    first, again = (
        check_spread(wd("stalling"), effort, engine) for engine in (IN_PROCESS, THREADS)
    )
    assert plain(first) == plain(again)
    assert first.searched.statistics.executions_count <= BLOCK_EXECUTIONS
    assert first.searched.note.startswith("1 blocks")


def test_nothing_found_in_any_block_is_a_spent_budget():
    """The odds that are left are those of all executions together."""
    result = check_spread(
        wd("claiming"), Effort(strategy="random", executions=1_200), THREADS
    )
    assert not result.has_violation()
    assert [one.drawn_count for one in result.verdicts] == [1_200, 1_200]
    assert result.verdicts[0].odds_max() < 0.003


def interrupt(*arguments, **options):
    raise KeyboardInterrupt


def test_an_interrupt_keeps_the_finished_blocks(monkeypatch):
    """What they found is told, as it was found; before the first one, nothing is."""
    effort = Effort(strategy="random", executions=20 * BLOCK_EXECUTIONS)
    seen = []

    def second(statistics, found):
        seen.append((statistics.executions_count, sorted(found)))
        if len(seen) == 2:
            raise KeyboardInterrupt

    result = check_spread(wd("stalling"), effort, THREADS, progress=second)
    assert result.was_interrupted
    assert seen[0][0] < seen[1][0] == result.searched.statistics.executions_count
    assert sorted(result.schedules) == seen[1][1] != []
    monkeypatch.setattr("wavecheck.scenarios.campaign.spread.run_pieces", interrupt)
    nothing = check_spread(wd("stalling"), effort, THREADS)
    assert nothing.was_interrupted
    assert not nothing.has_violation()
    assert nothing.searched.statistics.executions_count == 0


def test_an_interrupt_while_shrinking_keeps_the_schedules_as_found(monkeypatch):
    """All of them, also those that were not begun yet."""
    monkeypatch.setattr("wavecheck.sim.search.shrink.Shrinker.shrink", interrupt)
    effort = Effort(strategy="random", executions=BLOCK_EXECUTIONS)
    result = check_spread(wd("stalling"), effort, THREADS)
    assert result.was_interrupted
    assert set(result.schedules) == set(result.searched.best_found)
    assert len(result.schedules) == 2


def test_an_interrupted_sweep_yields_what_was_proved(monkeypatch):
    """Also sizes after one that was not finished; then the interrupt goes on."""

    def gap(engine, function, pieces, **options):
        first = list(islice(pieces, 3))
        for piece in (first[0], first[2]):
            yield piece, function(piece), 0.0
        raise KeyboardInterrupt

    monkeypatch.setattr("wavecheck.scenarios.campaign.sweeping.run_pieces", gap)
    told, seen = [], []

    proofs = sweep_spread(wd("claiming"), LONG, IN_PROCESS, progress=told.append)
    with pytest.raises(KeyboardInterrupt):
        seen.extend(one.subject.settings for one in proofs)
    sizes = [one.settings for one in islice(growing(wd("claiming")), 3)]
    assert seen == [sizes[0], sizes[2]]
    assert [(one.proofs, one.under_way) for one in told] == [(1, 2), (2, 1)]


@pytest.mark.parametrize("strategy", ["dfs", "hypothesis", "exhaustive"])
def test_a_strategy_without_seeds_is_refused(strategy):
    """More blocks of it would be the same block again."""
    with pytest.raises(InvalidScenario, match="cannot be cut into blocks"):
        approach_of(Effort(strategy=strategy, jobs=2))


def test_a_sweep_yields_its_sizes_in_order(monkeypatch):
    """Whatever finished first: the proofs of one after another, with their subjects."""

    def backwards(engine, function, pieces, **options):
        first = list(islice(pieces, 3))
        for piece in reversed(first):
            yield piece, function(piece), 0.0

    monkeypatch.setattr("wavecheck.scenarios.campaign.sweeping.run_pieces", backwards)
    seen = list(sweep_spread(wd("claiming"), LONG, IN_PROCESS))
    alone = list(islice(sweep(wd("claiming"), LONG), 3))
    for one, other in zip(seen, alone, strict=True):
        assert one.subject.settings == other.subject.settings
        assert one.explored.exploration.states == other.explored.exploration.states
        assert one.explored.schedules_count == other.explored.schedules_count
        assert one.verdicts == other.verdicts


def test_a_proof_travels_between_processes():
    """A proof in another process is the one here."""
    results = sweep_spread(wd("claiming"), LONG, local_engine(2))
    first, here = next(results), next(sweep(wd("claiming"), LONG))
    results.close()
    assert first.explored.exploration.states == here.explored.exploration.states
    assert first.subject.settings == here.subject.settings

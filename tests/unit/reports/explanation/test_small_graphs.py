"""Small state graphs with words on them."""

import pytest

from wavecheck.reports.explanation.small_graphs import small_graph
from wavecheck.reports.html.explorer import explorer_of
from wavecheck.scenarios.subject import Subject


@pytest.fixture(scope="module")
def stalling():
    """All 234 states of the reference model, with two listeners."""
    return small_graph(Subject.of("wd", "stalling"))


def test_every_state_is_there(stalling):
    """As many states as a proof counts, from 0; each step leads to one of them."""
    assert len(stalling.states) == 234
    targets = [one.target for state in stalling.states for one in state.steps]
    assert len(targets) == 424
    assert set(targets) == set(range(1, 234))


def test_the_first_state_offers_both_listeners(stalling):
    """Nothing is pending yet, and either listener may create its batch."""
    first = stalling.states[0]
    assert [one.step.task for one in first.steps] == ["listener-0", "listener-1"]
    assert [one.step.operation for one in first.steps] == ["create", "create"]
    batches = next(one for one in first.frame if one.name == "batches")
    assert [row[1] for row in batches.rows] == ["absent", "absent"]


def test_a_step_tells_its_result(stalling):
    """Who asks learns what a replay would return."""
    told = {
        (one.step.operation, one.step.result)
        for state in stalling.states
        for one in state.steps
    }
    assert ("take_wave", True) in told
    assert ("take_wave", False) in told
    assert ("pending", (0, 1)) in told


def test_lost_states_never_end_well(stalling):
    """From a lost state every step leads to a lost one; a stranded end is lost."""
    name = "no_stranded_batch"
    for state in stalling.states:
        if name in state.violates:
            assert name in state.lost
        if name in state.lost:
            assert all(name in stalling.states[one.target].lost for one in state.steps)


def test_a_large_graph_is_refused():
    """More states than asked for: nothing, not a part."""
    assert small_graph(Subject.of("wd", "stalling"), states_max=100) is None


def test_the_explorer_knows_what_to_jump_to(stalling):
    """Both properties of `stalling` can be violated; every state is in the data."""
    shown = explorer_of(stalling, "x1")
    assert shown.violated == ("no_stranded_batch", "no_double_dispatch")
    assert len(shown.data["states"]) == shown.states == 234

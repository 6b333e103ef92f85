"""Lists of what objects hold: what has changed is found, and nothing else."""

import pytest

from wavecheck.sim.exhaustive.watched import Node, Snapshot

LARGE = 1_000  # Python makes such a number anew each time that it is asked for


@pytest.mark.parametrize(
    "holder",
    [
        pytest.param(["x"] * LARGE, id="a list"),
        pytest.param(dict.fromkeys(map(str, range(LARGE))), id="a dict"),
        pytest.param(set(map(str, range(LARGE))), id="a set"),
    ],
)
def test_a_large_object_that_is_left_alone_has_not_changed(holder):
    """Not even where the engine expects changes, and only identity counts."""
    watched = Snapshot([Node(holder, "a large one")])
    assert watched.touched() == []
    watched.expect_changes(now=True)
    assert watched.touched() == []


@pytest.mark.parametrize("size", [1, LARGE])
def test_what_changes_is_found_among_others(size):
    """One item more in one of three lists, and another object in its place."""
    nodes = [Node(["x"] * size, name) for name in "abc"]
    watched = Snapshot(nodes)
    nodes[1].owner[0] = "y"
    assert [one.label for one in watched.touched()] == ["b"]
    nodes[1].owner[0] = "x"
    nodes[2].owner.append("x")
    assert [one.label for one in watched.touched()] == ["c"]

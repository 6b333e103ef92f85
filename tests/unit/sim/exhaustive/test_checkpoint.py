from dataclasses import replace

import numpy as np
import pytest

from tests.fuzz.checkpoints import Checkpoints, keep
from wavecheck.scenarios.wd.model import WD, WDSettings
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.exhaustive import Limits, explore
from wavecheck.sim.kernel import Kernel


def world(rule="stalling", **sizes):
    return WD.build(Kernel(timed=False), WD.coordinators[rule], WDSettings(**sizes))


@pytest.mark.parametrize("states_max", [1, 40, 200])
def test_a_resumed_exploration_gives_the_same_answer(tmp_path, states_max):
    """Ended after any number of states and taken up again, nothing differs."""
    whole = explore(world())
    cut = explore(
        world(),
        limits=Limits(states_max=states_max),
        directory=tmp_path,
        checkpoints=True,
    )
    assert not cut.is_complete
    resumed = explore(world(), directory=tmp_path, checkpoints=True)
    assert resumed.is_complete
    same = (
        "states",
        "transitions",
        "levels",
        "quiescent",
        "python_calls",
        "properties",
    )
    for name in same:
        assert getattr(resumed, name) == getattr(whole, name)


def test_a_checkpoint_of_another_world_is_refused(tmp_path):
    """Names of tasks and numbers learned must be those of the checkpoint."""
    limits = Limits(states_max=100)
    explore(world(), limits=limits, directory=tmp_path, checkpoints=True)
    with pytest.raises(InvalidScenario, match="another scenario"):
        explore(world(listeners=3), directory=tmp_path, checkpoints=True)


def test_a_checkpoint_of_version_1_is_refused(tmp_path):
    """It had another name, and nothing that could be verified."""
    np.savez(tmp_path / "checkpoint.npz", version=np.array(1))
    with pytest.raises(InvalidScenario, match="is of version 1, expected 2"):
        explore(world(), directory=tmp_path, checkpoints=True)


def test_a_checkpoint_of_another_version_is_refused(tmp_path):
    """The version is the first thing that is looked at."""
    (tmp_path / "checkpoint").write_bytes(b"wavecheck checkpoint 99\n\n")
    with pytest.raises(InvalidScenario, match="is of version '99', expected '2'"):
        explore(world(), directory=tmp_path, checkpoints=True)


def test_levels_without_a_checkpoint_are_refused(tmp_path):
    """What lies in the folder is not overwritten."""
    (tmp_path / "level-0-00000.npy").write_bytes(b"")
    with pytest.raises(InvalidScenario, match="has no file 'checkpoint' beside it"):
        explore(world(), directory=tmp_path, checkpoints=True)


@pytest.mark.parametrize("block", range(6))
def test_no_damage_is_accepted(tmp_path, block):
    """Bits, bytes, lengths, files missing, exchanged, of others: refused by name."""
    checkpoints = Checkpoints(tmp_path)
    for seed in range(50 * block, 50 * block + 50):
        checkpoints.refused(seed)


def test_a_file_that_the_checkpoint_does_not_name_changes_nothing(tmp_path):
    """A crash between a level and its checkpoint leaves such a file behind."""
    keep(tmp_path / "kept", world(), 40)
    (tmp_path / "kept" / "level-9-00077.npy").write_bytes(b"whatever")
    (tmp_path / "kept" / "level-0-00077.npy").write_bytes(b"whatever")
    resumed = explore(world(), directory=tmp_path / "kept", checkpoints=True)
    assert resumed.states == explore(world()).states


def changed(check):
    """Return a world whose first property is judged by another check."""
    made = world()
    first, *others = made.properties
    made.properties = (replace(first, at_end=check), *others)
    return made


def test_a_checkpoint_is_refused_where_a_property_is_judged_by_other_code(tmp_path):
    """Same names, same numbers, another check: what was judged is void."""
    keep(tmp_path / "kept", changed(lambda world: None), 40)
    again = changed(lambda world: None)
    explore(again, directory=tmp_path / "kept", checkpoints=True)
    keep(tmp_path / "other", changed(lambda world: None), 40)
    with pytest.raises(InvalidScenario, match="a property or a setting has changed"):
        explore(
            changed(lambda world: "always wrong"),
            directory=tmp_path / "other",
            checkpoints=True,
        )

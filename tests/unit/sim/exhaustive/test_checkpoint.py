import numpy as np
import pytest

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


def test_a_checkpoint_of_another_version_is_refused(tmp_path):
    """The version is the first thing that is looked at."""
    np.savez(tmp_path / "checkpoint.npz", version=np.array(99))
    with pytest.raises(InvalidScenario, match="version 99"):
        explore(world(), directory=tmp_path, checkpoints=True)

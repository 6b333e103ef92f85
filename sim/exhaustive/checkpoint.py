"""Checkpoints: a long exploration can be ended and taken up again in another process.

Knows searches and files. Never pickled: the levels are plain arrays already, and what
was learned is not saved at all. Saved is, in order, what the learner was asked; asking
the same again runs the same Python code and gives the same numbers, which is checked.

Format: `level-*.npy` as `levels` writes them, and `checkpoint.npz` with a version.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np

from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.exhaustive.explore import Found, Limits, Search
from wavecheck.sim.exhaustive.learning import Learner
from wavecheck.sim.files import whole_file
from wavecheck.sim.world import World

VERSION: Final = 1
_NAME: Final = "checkpoint.npz"
_NO_TASK: Final = -1


def has_checkpoint(directory: Path) -> bool:
    """Return whether a search was saved there."""
    return (directory / _NAME).exists()


def save(search: Search, directory: Path) -> None:
    """Write everything that is needed to go on after the last completed level.

    Args:
        search: whose levels go to the same directory.
        directory: an existing folder.
    """
    for level in range(len(search.levels)):
        search.levels.write_once(level)
    log = search.system.log
    found = [
        [index, one.level, _NO_TASK if one.task is None else one.task, one.alternative]
        for index, one in sorted(search.found.items())
    ]
    states = [one.state for _, one in sorted(search.found.items())]
    words_count = search.system.layout.words_count
    arrays: dict[str, Any] = {
        "version": np.array(VERSION),
        "tasks": np.array([task.name for task in search.learner.tasks]),
        "properties": np.array([one.name for one in search.learner.properties]),
        "counts": np.array(search.system.layout.counts, np.int64),
        "learned": np.array(search.system.counts(), np.int64),
        "log_tasks": np.array([task for task, _ in log], np.int16),
        "log_lengths": np.array([len(fields) for _, fields in log], np.int32),
        "log_fields": np.array([n for _, fields in log for n in fields], np.int64),
        "sizes": np.array(search.levels.sizes, np.int64),
        "progress": np.array(
            [search.transitions, search.quiescent, search.expanded], np.int64
        ),
        "generation": np.array(search.levels.generation),
        "found": np.array(found, np.int64).reshape(len(found), 4),
        "found_states": np.array(states, np.uint64).reshape(len(states), words_count),
        "at_risk": np.array(sorted(search.at_risk), np.int64),
    }
    with whole_file(directory / _NAME) as file:
        np.savez(file, **arrays)
    search.levels.drop_old_files()


def resume(world: World, limits: Limits, directory: Path) -> Search:
    """Return a search that goes on where a saved one was.

    Args:
        world: the same world, built anew.
        limits: for the rest.
        directory: where the search was saved.

    Raises:
        InvalidScenario: there is no checkpoint of this version and this world.
    """
    try:
        with np.load(directory / _NAME, allow_pickle=False) as file:
            saved = {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise InvalidScenario(
            f"no checkpoint in {str(directory)!r}: {error}"
        ) from error
    if int(saved["version"]) != VERSION:
        raise InvalidScenario(
            f"checkpoint in {str(directory)!r}\n  expected  version {VERSION}\n"
            f"  got       version {int(saved['version'])}"
        )
    search = Search(Learner(world), limits, directory)
    names = [task.name for task in search.learner.tasks]
    later = saved["tasks"].tolist()[len(names) :]
    if later and names == saved["tasks"].tolist()[: len(names)]:
        search.learner.foresee(later)
        search = Search(search.learner, limits, directory)
        names += later
    judged = [one.name for one in search.learner.properties]
    if names != saved["tasks"].tolist() or judged != saved["properties"].tolist():
        raise InvalidScenario(
            f"checkpoint in {str(directory)!r} is of another scenario\n"
            f"  expected  tasks {', '.join(names)}\n"
            f"  got       tasks {', '.join(saved['tasks'].tolist())}"
        )
    _learn_again(search, saved)
    if search.system.counts() != saved["learned"].tolist():
        raise InvalidScenario(
            f"checkpoint in {str(directory)!r} is of another version of the scenario\n"
            "likely: the coordinator's code has changed since"
        )
    _restore(search, saved)
    return search


def _learn_again(search: Search, saved: dict[str, Any]) -> None:
    tasks_count = len(search.learner.tasks)
    ends = saved["log_lengths"].cumsum().tolist()
    fields, start = saved["log_fields"].tolist(), 0
    for task, end in zip(saved["log_tasks"].tolist(), ends, strict=True):
        state = fields[start:end]
        search.system.log.append((task, tuple(state)))
        search.learner.resolve(task, state[:tasks_count], state[tasks_count:])
        search.learner.take_growth()
        start = end


def _restore(search: Search, saved: dict[str, Any]) -> None:
    search.system.relay_to(saved["counts"].tolist())
    search.restart(saved["sizes"].tolist(), int(saved["generation"]))
    search.transitions, search.quiescent, search.expanded = saved["progress"].tolist()
    search.at_risk = set(saved["at_risk"].tolist())
    states = saved["found_states"].tolist()
    for (index, level, task, alternative), state in zip(
        saved["found"].tolist(), states, strict=True
    ):
        search.found[index] = Found(
            level=level,
            state=tuple(state),
            task=None if task == _NO_TASK else task,
            alternative=alternative,
        )

"""Checkpoints: a long exploration can be ended and taken up again in another process.

Knows searches and files. Never pickled: the levels are plain arrays already, and what
was learned is not saved at all. Saved is, in order, what the learner was asked; asking
the same again runs the same Python code and gives the same numbers, which is checked.

Format: `level-*.npy` as `levels` writes them, and one file `checkpoint`: a line with
the version, a line with the SHA-256 of the rest, and the rest, an `.npz`. It holds the
checksum of each level's file, and a fingerprint of what was learned and is judged. So
whatever is damaged, missing, exchanged or of something else is refused before it is
used. Files that the checkpoint does not name are left alone.
"""

import zipfile
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np

from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.exhaustive.explore import Found, Limits, Search
from wavecheck.sim.exhaustive.fingerprint import Fingerprint
from wavecheck.sim.exhaustive.learning import Learner
from wavecheck.sim.exhaustive.levels import damaged
from wavecheck.sim.files import whole_file
from wavecheck.sim.world import World

VERSION: Final = 2
_NAME: Final = "checkpoint"
_NAME_OF_1: Final = "checkpoint.npz"
_TITLE: Final = b"wavecheck checkpoint "
_NO_TASK: Final = -1


def has_checkpoint(directory: Path) -> bool:
    """Return whether a search was saved there.

    Raises:
        InvalidScenario: only its levels were, or it is one of version 1.
    """
    if (directory / _NAME).exists():
        return True
    if (directory / _NAME_OF_1).exists():
        raise damaged(directory / _NAME_OF_1, f"is of version 1, expected {VERSION}")
    for path in sorted(directory.glob("level-*-*.npy")):
        raise damaged(path, f"has no file {_NAME!r} beside it")
    return False


def save(search: Search, directory: Path) -> None:
    """Write everything that is needed to go on after the last completed level.

    Args:
        search: whose levels go to the same directory.
        directory: an existing folder.
    """
    for level in range(len(search.levels)):
        search.levels.write_once(level)
    asked = search.learner.asked
    found = [
        [index, one.level, _NO_TASK if one.task is None else one.task, one.alternative]
        for index, one in sorted(search.found.items())
    ]
    states = [one.state for _, one in sorted(search.found.items())]
    words_count = search.system.layout.words_count
    arrays: dict[str, Any] = {
        "tasks": np.array([task.name for task in search.learner.tasks]),
        "properties": np.array([one.name for one in search.learner.properties]),
        "counts": np.array(search.system.layout.counts, np.int64),
        "learned": np.array(search.system.counts(), np.int64),
        "asked_tasks": np.array([task for task, _ in asked], np.int16),
        "asked_lengths": np.array([len(fields) for _, fields in asked], np.int32),
        "asked_fields": np.array([n for _, fields in asked for n in fields], np.int64),
        "sizes": np.array(search.levels.sizes, np.int64),
        "progress": np.array(
            [search.transitions, search.quiescent, search.expanded], np.int64
        ),
        "generation": np.array(search.levels.generation),
        "checksums": np.array(
            [one for _, one in sorted(search.levels.checksums.items())]
        ),
        "fingerprint": np.array(_fingerprint(search)),
        "found": np.array(found, np.int64).reshape(len(found), 4),
        "found_states": np.array(states, np.uint64).reshape(len(states), words_count),
        "at_risk": np.array(sorted(search.at_risk), np.int64),
    }
    content = BytesIO()
    np.savez(content, **arrays)
    with whole_file(directory / _NAME) as file:
        file.write(_TITLE + str(VERSION).encode() + b"\n")
        file.write(sha256(content.getbuffer()).hexdigest().encode() + b"\n")
        file.write(content.getbuffer())
    search.levels.drop_old_files()


def resume(world: World, limits: Limits, directory: Path) -> Search:
    """Return a search that goes on where a saved one was.

    Args:
        world: the same world, built anew.
        limits: for the rest.
        directory: where the search was saved.

    Raises:
        InvalidScenario: the checkpoint is of another version or another world, or it
            is damaged.
    """
    saved = _read(directory / _NAME)
    learner = Learner(world, allows_places=True)
    _refuse_another(directory, learner, saved, is_whole=False)
    is_same = learner.ask_again(_asked(saved))
    _refuse_another(directory, learner, saved, is_whole=True)
    search = Search(learner, limits, directory)
    is_same &= search.system.counts() == saved["learned"].tolist()
    if not is_same or _fingerprint(search) != str(saved["fingerprint"]):
        raise InvalidScenario(
            f"checkpoint in {str(directory)!r} is of another version of the scenario\n"
            "likely: the code under test, a property or a setting has changed since\n"
            "next: delete the folder and prove again, or give another one"
        )
    _restore(search, saved)
    return search


def _refuse_another(
    directory: Path, learner: Learner, saved: dict[str, Any], *, is_whole: bool
) -> None:
    """Refuse a checkpoint of a world with other tasks or properties.

    Args:
        directory: for the message.
        learner: of the world at hand.
        saved: the checkpoint.
        is_whole: the learner knows the tasks that are born later.
    """
    names = [task.name for task in learner.tasks]
    kept = saved["tasks"].tolist()
    judged = [one.name for one in learner.properties]
    is_other = kept != names if is_whole else kept[: len(names)] != names
    if is_other or judged != saved["properties"].tolist():
        raise InvalidScenario(
            f"checkpoint in {str(directory)!r} is of another scenario\n"
            f"  expected  tasks {', '.join(names)}\n"
            f"  got       tasks {', '.join(kept)}\n"
            "next: delete the folder and prove again, or give another one"
        )


def _asked(saved: dict[str, Any]) -> list[tuple[int, list[int]]]:
    """Return what the saved search's learner was asked."""
    ends = saved["asked_lengths"].cumsum().tolist()
    starts, fields = [0, *ends], saved["asked_fields"].tolist()
    return [
        (task, fields[start:end])
        for task, start, end in zip(
            saved["asked_tasks"].tolist(), starts, ends, strict=False
        )
    ]


def _read(path: Path) -> dict[str, Any]:
    """Return the arrays of a checkpoint.

    Raises:
        InvalidScenario: it cannot be read, is damaged, or is of another version.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise damaged(path, f"cannot be read: {error.strerror}") from error
    title, _, rest = content.partition(b"\n")
    checksum, _, arrays = rest.partition(b"\n")
    if not title.startswith(_TITLE):
        raise damaged(path, "is no checkpoint")
    if title != _TITLE + str(VERSION).encode():
        version = ascii(title[len(_TITLE) :].decode("latin-1"))
        raise damaged(path, f"is of version {version}, expected '{VERSION}'")
    if sha256(arrays).hexdigest().encode() != checksum:
        raise damaged(path, "is not what was written: its checksum differs")
    try:
        with np.load(BytesIO(arrays), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise damaged(path, f"cannot be read: {error}") from error


def _fingerprint(search: Search) -> str:
    """Return a checksum of what was learned, of which values, and what judges it."""
    learner, found = search.learner, Fingerprint()
    found.add(learner.answers)
    for component in learner.shared.components:
        found.add(component.part.name, component.key, component.values)
    for one in learner.effects.operations:
        found.add(one.operation.statement.name, one.operation.args)
    for judged in learner.properties:
        found.add(judged.name, judged.moment, dict(judged.on_change))
        found.add(judged.at_end, judged.is_at_risk)
    return found.text()


def _restore(search: Search, saved: dict[str, Any]) -> None:
    search.system.relay_to(saved["counts"].tolist())
    search.restart(
        saved["sizes"].tolist(), int(saved["generation"]), saved["checksums"].tolist()
    )
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

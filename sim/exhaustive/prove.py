"""The front door: explore a world exhaustively and judge every property.

Knows the search and its parts; knows no domain and no command line.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from wavecheck.sim.errors import InvalidScenario, OutOfTime
from wavecheck.sim.exhaustive.accompanying import Accompaniment, accompany
from wavecheck.sim.exhaustive.checkpoint import has_checkpoint, resume, save
from wavecheck.sim.exhaustive.counterexample import counterexample
from wavecheck.sim.exhaustive.crowd import CrowdGrew
from wavecheck.sim.exhaustive.escapes import watching_escapes
from wavecheck.sim.exhaustive.exploration import Exploration, Progress, PropertyResult
from wavecheck.sim.exhaustive.explore import Limits, Search
from wavecheck.sim.exhaustive.harmless import show_harmless
from wavecheck.sim.exhaustive.learning import Learner
from wavecheck.sim.exhaustive.reduction import StateNeeded
from wavecheck.sim.exhaustive.symmetry import SymmetryBroken
from wavecheck.sim.verdict import Outcome
from wavecheck.sim.world import World

NO_LIMITS: Final = Limits()


def explore(
    world: World,
    *,
    limits: Limits = NO_LIMITS,
    directory: Path | None = None,
    checkpoints: bool = False,
    reduces: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Exploration:
    """Visit every reachable state of a world and judge every property.

    Args:
        world: on an untimed kernel, marked; it belongs to the engine from now on.
        limits: what may end the exploration before it is complete.
        directory: an existing folder for checkpoints.
        checkpoints: save after each level, and go on from what the directory holds.
        reduces: leave out state that nothing reads and no property needs.
        progress: called at the start of each level.

    Returns:
        Counts and one result per property that can be judged without time.

    Raises:
        CannotLearn: the code under test hides state; the message names it.
        CoordinatorError: the code under test awaits what is not modelled.
        InvalidScenario: checkpoints and reduction together.

    Determinism: the same world gives the same answer, counterexamples included.
    """
    search, stopped_by = searched(
        world,
        limits=limits,
        directory=directory,
        checkpoints=checkpoints,
        reduces=reduces,
        progress=progress,
    )
    return conclude(search, stopped_by)


def searched(
    world: World,
    *,
    limits: Limits = NO_LIMITS,
    directory: Path | None = None,
    checkpoints: bool = False,
    reduces: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> tuple[Search, str]:
    """Visit every reachable state; arguments and errors as for `explore`.

    Returns:
        The search, for `conclude` and for what is asked of its graph, and what ended
        it, in words.
    """
    with watching_escapes():
        if checkpoints:
            return _kept(world, limits, directory, progress, reduces=reduces)
        learner = Learner(world, reduces=reduces, allows_places=True)
        return _explored(learner, limits, directory, progress)


def in_full(
    search: Search, why: str, progress: Callable[[Progress], None] | None = None
) -> tuple[Search, str]:
    """Explore once more, interchangeable tasks in every order.

    Args:
        search: that has run, with its limits and its directory.
        why: what the result says about it.
        progress: called at the start of each level.
    """
    search.learner.break_symmetry(why)
    with watching_escapes():
        search.learner.executions.start()  # whoever asked the graph has started others
        return _explored(search.learner, search.limits, search.directory, progress)


def _explored(
    learner: Learner,
    limits: Limits,
    directory: Path | None,
    progress: Callable[[Progress], None] | None,
) -> tuple[Search, str]:
    """Explore, from the start again whenever something new must be known there."""
    while True:
        search = Search(learner, limits, directory)
        try:
            stopped_by = search.run(progress)
            if not (stopped_by and search.stopped_by_time()):
                stopped_by = _rechecked(search, stopped_by)
            return search, stopped_by
        except StateNeeded:
            learner.begin_again()
        except CrowdGrew:
            continue  # with room for one task more
        except SymmetryBroken as broken:
            learner.break_symmetry(str(broken))


def _rechecked(search: Search, stopped_by: str) -> str:
    """Run what was learned again, and with whatever tasks keep.

    Returns:
        What ended the exploration, in words; no time, if it is up now.
    """
    search.rechecked = search.learner.recheck()
    try:
        search.kept = show_harmless(search.learner, search.stopped_by_time)
    except OutOfTime:
        search.learner.shared.forget()
        return search.stopped_by_time() or "the time limit"
    return stopped_by


def _kept(
    world: World,
    limits: Limits,
    directory: Path | None,
    progress: Callable[[Progress], None] | None,
    *,
    reduces: bool,
) -> tuple[Search, str]:
    """Visit every reachable state, and keep each completed level in a directory."""
    if reduces:
        raise InvalidScenario(
            "a checkpoint holds whole states\nnext: leave out checkpoints, or reduction"
        )
    assert directory is not None, "checkpoints need a directory"
    if has_checkpoint(directory):
        search = resume(world, limits, directory)
        learner = search.learner
    else:
        learner = Learner(world, allows_places=True)
        search = Search(learner, limits, directory)
    while True:
        try:
            return search, search.run(progress, partial(save, search, directory))
        except CrowdGrew:
            search = Search(learner, limits, directory)


def conclude(search: Search, stopped_by: str) -> Exploration:
    """Turn a finished search into its answer.

    Args:
        search: that has run.
        stopped_by: what ended it, in words; empty if it is complete.
    """
    learner = search.learner
    if not search.rechecked and not (stopped_by and search.stopped_by_time()):
        with watching_escapes():
            stopped_by = _rechecked(search, stopped_by)
    python_calls = learner.python_calls
    with watching_escapes():
        accompanied = Accompaniment() if stopped_by else accompany(search)
    return Exploration(
        is_complete=not stopped_by,
        stopped_by=stopped_by,
        states=search.seen.count,
        transitions=search.transitions,
        levels=search.expanded,
        quiescent=search.quiescent,
        python_calls=python_calls,
        rechecked=search.rechecked,
        accompanied=accompanied.executions,
        samples=accompanied.samples,
        bits=search.system.layout.bits_count,
        peak_bytes=search.peak_bytes,
        properties=tuple(
            _result(search, index, is_complete=not stopped_by)
            for index, one in enumerate(search.learner.properties)
            if one in search.learner.world.properties or index in search.found
        ),
        left_out=learner.reduction.names,
        merged=tuple(
            tuple(learner.tasks[one].name for one in group) for group in learner.groups
        ),
        not_merged=learner.broken_symmetry,
        kept=search.kept,
    )


def _result(search: Search, index: int, *, is_complete: bool) -> PropertyResult:
    found = None
    if index in search.found:
        system = search.system
        stop, system.stop = system.stop, None  # what was found is told in any case
        try:
            found = counterexample(search, index)
        finally:
            system.stop = stop
    return PropertyResult(
        name=search.learner.properties[index].name,
        outcome=Outcome.of(
            is_violated=found is not None,
            is_at_risk=not is_complete or index in search.at_risk,
            is_proved=is_complete,
        ),
        counterexample=found,
    )

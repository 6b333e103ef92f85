"""Searches spread over an engine's processes, with results as if alone.

A search is cut into blocks of executions, each with a seed of its own. Blocks are put
together in their order, whatever finished first, so that the answer does not depend on
the engine. Only how far a budget in seconds reaches does. A piece that knows how much
time is left never waits in a queue.

Ctrl-C ends the work, not the call: pieces that are not finished are dropped.
"""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, Final

from wavecheck.scenarios.campaign.engines import AHEAD, Engine, run_pieces
from wavecheck.scenarios.campaign.pieces import SubjectPiece, piece_of
from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.approaches import answer
from wavecheck.scenarios.verdicts.checking import (
    LOOKING,
    SearchProgress,
    beginning,
    session_of,
    sharing,
    smallest,
)
from wavecheck.scenarios.verdicts.result import CheckResult, Searched
from wavecheck.sim.deadline import Deadline
from wavecheck.sim.search.judgement import verdicts_of
from wavecheck.sim.search.schedule import Schedule
from wavecheck.sim.search.session import Found, Statistics
from wavecheck.sim.verdict import Outcome, Verdict

BLOCK_EXECUTIONS: Final = 500
SEED_STEP: Final = 1_000_003
"""Between the seeds of two blocks, so that near seeds of a user share no block."""


def run_block(piece: SubjectPiece) -> CheckResult:
    """Search one block; the subject stays at home, for not every one can travel."""
    result = answer(piece.subject(), piece.effort)
    nowhere: Any = None
    return replace(result, subject=nowhere)


def _of(block: CheckResult) -> Searched:
    assert block.searched is not None, "blocks are searched"
    return block.searched


def check_spread(
    subject: Subject,
    effort: Effort,
    engine: Engine,
    progress: SearchProgress | None = None,
    deadline: Deadline | None = None,
) -> CheckResult:
    """Search a subject in blocks at once; a counterexample is shrunk here, at the end.

    Args:
        subject: what is under test.
        effort: how hard to search; with neither budget ten seconds.
        engine: where.
        progress: called after each block, and once a second while none ends.
        deadline: of this and of what follows; by the effort if not given.

    Returns:
        The verdicts with their evidence. Ctrl-C ends the search, not the call.
    """
    began = time.monotonic()
    deadline = deadline or beginning(effort)
    block = replace(effort, memory_bytes=engine.memory_of_each(effort.memory_bytes))
    looking = deadline.share(LOOKING)
    done: dict[int, CheckResult] = {}
    was_interrupted = False

    def tell() -> None:
        if progress is not None and done:
            parts = [_of(one).statistics for one in done.values()]
            progress(_sum(parts, time.monotonic() - began), _best(done.values()))

    try:
        for piece, result, _ in run_pieces(
            engine,
            run_block,
            _blocks(subject, block, looking),
            ahead=AHEAD if effort.seconds is None and effort.executions else 1,
            idle=tell,
        ):
            done[piece.number] = result
            tell()
            if effort.stops_at_first and _first_hit(done) is not None:
                break
            if _of(result).limit:  # the process that made it can hold no more
                break
    except KeyboardInterrupt:
        was_interrupted = True
        deadline.cut_short()
    last = _first_hit(done) if effort.stops_at_first else None
    kept = [done[number] for number in sorted(done) if last is None or number <= last]
    if not kept:
        return _nothing(subject, effort)
    return _together(
        subject,
        effort,
        kept,
        (time.monotonic() - began, deadline),
        was_interrupted=was_interrupted,
    )


def _nothing(subject: Subject, effort: Effort) -> CheckResult:
    """Return the result of a search that ended before its first execution."""
    world = subject.world()
    judged = subject.judged(world)
    session = session_of(effort, world, judged)
    return CheckResult(
        subject=subject,
        effort=effort,
        verdicts=verdicts_of(session, judged, is_proved=False),
        schedules={},
        searched=Searched(statistics=session.statistics()),
        was_interrupted=True,
    )


def _blocks(
    subject: Subject, effort: Effort, looking: Deadline
) -> Iterator[SubjectPiece]:
    left = effort.executions
    for number in count():
        rest = looking.seconds_left()
        if rest <= 0 or left == 0:
            return
        executions = min(BLOCK_EXECUTIONS, BLOCK_EXECUTIONS if left is None else left)
        left = None if left is None else left - executions
        block = replace(
            effort,
            seed=effort.seed + number * SEED_STEP,
            executions=executions,
            seconds=None if rest == math.inf else rest,
            shrinks=False,
            jobs=1,
            cluster=None,
        )
        yield piece_of(subject, number, block)


def _first_hit(done: Mapping[int, CheckResult]) -> int | None:
    """Return the first block with a violation, once all before it are there."""
    for number in count():
        if number not in done:
            return None
        if done[number].has_violation():
            return number
    return None


def _best(blocks: Iterable[CheckResult]) -> dict[str, Found]:
    """Return the shortest violation of each property that any block found."""
    found: dict[str, Found] = {}
    for block in blocks:
        for name, one in _of(block).best_found.items():
            best = found.get(name)
            if best is None or one.violation.step < best.violation.step:
                found[name] = one
    return found


def _first(blocks: Iterable[CheckResult]) -> dict[str, Found]:
    """Return the violation of each property that came first, counted over blocks."""
    first: dict[str, Found] = {}
    before = 0
    for block in blocks:
        for name, one in _of(block).first_found.items():
            first.setdefault(name, replace(one, execution=before + one.execution))
        before += _of(block).statistics.executions_count
    return first


def _together(
    subject: Subject,
    effort: Effort,
    blocks: Sequence[CheckResult],
    time_taken: tuple[float, Deadline],
    *,
    was_interrupted: bool,
) -> CheckResult:
    seconds, deadline = time_taken
    found = _best(blocks)
    schedules: dict[str, Schedule] = {}
    try:
        for name, one, until in sharing(found, deadline):
            shrinks = effort.shrinks and not was_interrupted
            schedules[name] = smallest(
                subject, name, one, shrinks=shrinks, deadline=until
            )
    except KeyboardInterrupt:
        was_interrupted = True
        deadline.cut_short()
        for name in [one for one in found if one not in schedules]:
            schedules[name] = smallest(subject, name, found[name], shrinks=False)
    searched = [_of(block) for block in blocks]
    return CheckResult(
        subject=subject,
        effort=effort,
        verdicts=tuple(
            _verdict([block.verdicts[place] for block in blocks], found)
            for place in range(len(blocks[0].verdicts))
        ),
        schedules=schedules,
        searched=Searched(
            statistics=_sum([one.statistics for one in searched], seconds),
            first_found=_first(blocks),
            best_found=found,
            samples=searched[0].samples,
            never_performed=tuple(
                name
                for name in searched[0].never_performed
                if all(name in one.never_performed for one in searched)
            ),
            note=f"{len(blocks):,} blocks; distinct schedules and states: those of the"
            " block with most",
            limit=next((one.limit for one in searched if one.limit), ""),
        ),
        was_interrupted=was_interrupted,
    )


def _verdict(verdicts: Sequence[Verdict], found: Mapping[str, Found]) -> Verdict:
    name = verdicts[0].property_name
    best = found.get(name)
    outcomes = {one.outcome for one in verdicts}
    return Verdict(
        property_name=name,
        outcome=next(one for one in Outcome if one in outcomes),
        executions_count=sum(one.executions_count for one in verdicts),
        drawn_count=sum(one.drawn_count for one in verdicts),
        violation=None if best is None else best.violation,
    )


def _sum(parts: Sequence[Statistics], seconds: float) -> Statistics:
    richest = max(parts, key=lambda one: one.final_states_count)
    return Statistics(
        executions_count=sum(one.executions_count for one in parts),
        drawn_count=sum(one.drawn_count for one in parts),
        steps_count=sum(one.steps_count for one in parts),
        schedules_count=max(one.schedules_count for one in parts),
        final_states_count=richest.final_states_count,
        final_states_once=richest.final_states_once,
        last_new_final_state=richest.last_new_final_state,
        seconds=seconds,
        cut_count=sum(one.cut_count for one in parts),
    )

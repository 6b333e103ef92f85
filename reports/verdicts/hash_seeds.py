"""Does the order of sets matter? Some schedules are run again under other hash seeds.

Within one process a set of texts has one order, so the session's own re-check cannot
see a coordinator that depends on it. A child process with another hash seed can: every
step of a recorded schedule must be as recorded.
"""

import json
import math
import os
import subprocess
import sys
from typing import Final

from wavecheck.scenarios.catalogue import is_built_in
from wavecheck.scenarios.evidence import Evidence
from wavecheck.scenarios.schedule_files import parse_schedule, schedule_text
from wavecheck.scenarios.verdicts.result import CheckResult
from wavecheck.sim.deadline import NO_DEADLINE, Deadline
from wavecheck.sim.errors import (
    HarnessBug,
    InvalidScenario,
    NondeterminismError,
    ReplayMismatch,
)
from wavecheck.sim.search.recorded import RecordedChoices
from wavecheck.sim.search.schedule import Schedule

HASH_SEEDS: Final = ("1", "2", "3", "4")
TIMEOUT_SECONDS: Final = 300
LEAST_SECONDS: Final = 0.5
"""With less than this no process would come to anything."""

DIFFERENT: Final = 3
PROOF_SECONDS_MIN: Final = 1.0
NOT_FOUND: Final = 2


def compare_hash_seeds(result: CheckResult, deadline: Deadline = NO_DEADLINE) -> str:
    """Replay a result's schedules in processes with other hash seeds.

    Code of our own is spared: it does not change between its tests and its use.

    Two texts of a set change places under a given seed with odds of one half, so a
    dependence on one pair escapes this process's own order and four others with odds
    of 1/16.

    Args:
        result: of a search.
        deadline: ends the comparison.

    Returns:
        What was left out for want of time; empty: nothing.

    Raises:
        NondeterminismError: a replay differs.
    """
    if is_built_in(result.subject.scenario, result.subject.coordinator):
        return ""  # tests/determinism runs all of these under other hash seeds
    if result.effort.db is not None:
        return "other hash seeds were not tried: on a server all runs in one process"
    samples = _samples(result)
    if result.explored is not None and not samples:
        return ""
    schedules = [*result.schedules.values(), *samples]
    texts = json.dumps([schedule_text(schedule) for schedule in schedules])
    left = min(deadline.seconds_left(), float(TIMEOUT_SECONDS))
    if left < LEAST_SECONDS:
        return "other hash seeds were not tried: the budget ended before"
    hash_seeds = HASH_SEEDS if result.explored is None else HASH_SEEDS[:1]
    children = [_replay_under(hash_seed) for hash_seed in hash_seeds]
    try:
        for hash_seed, child in zip(hash_seeds, children, strict=True):
            wait = max(deadline.seconds_left(), LEAST_SECONDS)
            output, errors = child.communicate(texts, timeout=min(wait, left))
            if child.returncode == DIFFERENT:
                raise NondeterminismError(
                    f"nondeterminism between processes: with PYTHONHASHSEED={hash_seed}"
                    f" the same schedule runs differently\n{output.strip()}\n"
                    "likely: iteration over a set, or hash(), in the coordinator; or"
                    " state that outlives an execution\n"
                    "next: sort before iterating; keep no state in modules and classes"
                )
            if child.returncode == NOT_FOUND:
                return f"other hash seeds were not tried: {output.strip()}"
            if child.returncode != 0:
                raise HarnessBug(f"the replay in another process failed:\n{errors}")
        return ""
    except subprocess.TimeoutExpired:
        if deadline.seconds_left() == math.inf:
            raise
        return "other hash seeds were not tried to the end: the budget ended before"
    finally:
        for child in children:
            if child.poll() is None:
                child.kill()
                child.communicate()


def _samples(result: CheckResult) -> list[Schedule]:
    """Return ordinary executions to compare, of a proof those that accompanied it.

    A proof that took less than a second would mostly wait for the other process.
    """
    if result.searched is not None:
        return list(result.searched.samples)
    explored = result.explored
    if explored is None or explored.seconds < PROOF_SECONDS_MIN:
        return []
    choices = map(RecordedChoices, explored.exploration.samples)
    return [one for one in map(result.subject.sample, choices) if one is not None]


def _replay_under(hash_seed: str) -> subprocess.Popen[str]:
    # The same import path as here, and nothing from the working folder before it.
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "wavecheck.reports.verdicts.hash_seeds"],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _main() -> int:
    for text in json.loads(sys.stdin.read()):
        try:
            evidence = Evidence.of(parse_schedule(text, "(standard input)"))
        except InvalidScenario as error:  # a scenario that has no name elsewhere
            sys.stdout.write(str(error).partition("; did you")[0].splitlines()[0][:200])
            return NOT_FOUND
        try:
            evidence.replayed  # noqa: B018  # it replays when it is first asked
        except ReplayMismatch as error:
            sys.stdout.write(str(error).partition("\nlikely")[0])
            return DIFFERENT
    return 0


if __name__ == "__main__":
    sys.exit(_main())

"""Breadth-first exploration of every reachable state, as arrays.

Knows packed states and properties by index; knows no domain and no clock: who wants a
time limit passes a function that says when to stop.

Theory of operation: a level is expanded in chunks that fit the processor's caches. Each
task's table gives an XOR for each state of the chunk; the successors of many chunks are
collected into a batch, which is sorted, made distinct and added to the set of states
seen; what was new is the next level. A violation is noted when it is first met, which,
level by level, is at the shortest distance; its execution is rebuilt afterwards.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from wavecheck.sim.errors import OutOfTime, Overdue
from wavecheck.sim.exhaustive.exploration import Progress
from wavecheck.sim.exhaustive.gathered import Gathered
from wavecheck.sim.exhaustive.interruption import Interruption
from wavecheck.sim.exhaustive.layout import Layout, Words, joined, taken
from wavecheck.sim.exhaustive.learning import Learner
from wavecheck.sim.exhaustive.levels import Levels
from wavecheck.sim.exhaustive.lookup import Ints
from wavecheck.sim.exhaustive.packed import PackedSystem
from wavecheck.sim.exhaustive.seen import SeenStates, store_in_place
from wavecheck.sim.exhaustive.tables import Relaid

CHUNK: Final = 1 << 15
BATCH: Final = 1 << 19
BATCHES_MAX: Final = 1 << 22
INTERRUPTED: Final = "Ctrl-C"
A_LIMIT: Final = "a limit of the command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may end an exploration before it is complete.

    Attributes:
        states_max: states.
        memory_max: bytes of all arrays at once.
        stop: asked between batches; returns why to stop, or None.
        at_first_violation: stop when some property is violated.
        threads: how many threads look up states; one core, if 1.
    """

    states_max: int | None = None
    memory_max: int | None = None
    stop: Callable[[], str | None] | None = None
    at_first_violation: bool = False
    threads: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where a property was first violated.

    Attributes:
        level: of the state before the violating step, or of the final state.
        state: its words.
        task: index of the task whose step violates it; None for a final state.
        alternative: number of that step's outcome.
    """

    level: int
    state: tuple[int, ...]
    task: int | None
    alternative: int


class Search:
    """One exploration.

    Args:
        learner: of the world.
        limits: what may end it early.
        directory: of a checkpoint; None: there is none.

    Attributes:
        learner: as given, like `limits` and `directory`.
        system: the packed states.
        levels: every level, the last one not yet expanded.
        found: first violations by property index.
        at_risk: indexes of properties at risk in some final state.
        transitions: counted so far.
        quiescent: states without a successor.
        expanded: levels that are completed.
        peak_bytes: of all arrays at once.
        rechecked: learned steps that were run again afterwards.
        kept: what tasks keep beside the parts, a sentence each.
    """

    def __init__(
        self, learner: Learner, limits: Limits, directory: Path | None = None
    ) -> None:
        self.learner = learner
        self.limits = limits
        self.directory = directory
        self.system = PackedSystem(learner)
        self.system.stop = limits.stop
        words_count = self.system.layout.words_count
        self.levels = Levels(words_count, directory)
        self._threads = None
        if limits.threads > 1:
            self._threads = ThreadPoolExecutor(limits.threads)
        self.seen = SeenStates(words_count, self._threads)
        self.found: dict[int, Found] = {}
        self.at_risk: set[int] = set()
        self.transitions = 0
        self.quiescent = 0
        self.expanded = 0
        self.peak_bytes = 0
        self.rechecked = 0
        self.kept: tuple[str, ...] = ()
        self._fresh: list[Words] = []
        self._gathered = Gathered(words_count)
        self._judged: set[tuple[int, ...]] = set()
        self._frontier: Words = []
        self._interruption = Interruption()
        self.system.converters.append(self._convert)
        initial = self.system.initial()
        self.levels.append(initial)
        self._see(initial)
        if learner.fails_at_start:
            state = _one_state(initial)
            self.found[learner.no_error] = Found(
                level=0, state=state, task=None, alternative=-1
            )

    def _convert(self, new: Layout, old: Layout) -> None:
        """Pack everything that is held in another layout."""
        self.levels.convert(new, old)
        self._fresh = [new.converted(words, old) for words in self._fresh]
        self._gathered = self._gathered.converted(new, old)
        self._frontier = new.converted(self._frontier, old) if self._frontier else []
        self.seen = SeenStates(new.words_count, self._threads)
        for words in self.levels:
            self._see(words)
        for words in self._fresh:
            self._see(words)
        self.found = {
            index: Found(
                level=one.level,
                state=_one_state(
                    new.converted([np.array([w], np.uint64) for w in one.state], old)
                ),
                task=one.task,
                alternative=-1,
            )
            for index, one in self.found.items()
        }
        self._judged.clear()

    def _see(self, words: Words) -> None:
        """Add states that are held already to those seen."""
        for start in range(0, len(words[0]), BATCH):
            copies = [np.array(word[start : start + BATCH]) for word in words]
            store_in_place(copies)
            self.seen.add(copies)

    def restart(
        self, sizes: list[int], generation: int, checksums: Sequence[str]
    ) -> None:
        """Go on from levels that another process has written.

        Raises:
            InvalidScenario: one of their files is missing or damaged.
        """
        words_count = self.system.layout.words_count
        self.levels.adopt(sizes, words_count, generation, checksums)
        self._gathered = Gathered(words_count)
        self.seen = SeenStates(words_count, self._threads)
        for words in self.levels:
            self._see(words)

    def run(
        self,
        progress: Callable[[Progress], None] | None = None,
        after_level: Callable[[], None] | None = None,
    ) -> str:
        """Explore level by level.

        Args:
            progress: called at the start of each level.
            after_level: called when a level is completed; for checkpoints.

        Returns:
            What ended it, in words; empty if every reachable state was visited.
            Ctrl-C ends it as well: whatever was found so far is kept.
        """
        try:
            with self._interruption:
                while self.levels.sizes[-1]:
                    if progress is not None:
                        progress(self._progress())
                    reason = self._expand_level()
                    if reason:
                        return reason
                    if after_level is not None:
                        after_level()
        except KeyboardInterrupt:
            self.learner.shared.forget()
            return INTERRUPTED
        except Overdue:  # what is held may be half changed
            raise
        except OutOfTime:
            self.learner.shared.forget()
            return self.stopped_by_time() or A_LIMIT  # never nothing: it is incomplete
        except BaseException:
            self.learner.end()
            raise
        return ""

    def stopped_by_time(self) -> str:
        """Return why there is no time left, or nothing."""
        return (self.limits.stop() if self.limits.stop is not None else None) or ""

    def _progress(self) -> Progress:
        return Progress(
            level=self.expanded,
            frontier=self.levels.sizes[-1],
            states=self.seen.count,
            transitions=self.transitions,
            bytes=self.bytes_used,
        )

    @property
    def bytes_used(self) -> int:
        """Bytes of all arrays now, working space included."""
        fresh = sum(word.nbytes for words in self._fresh for word in words)
        return (
            self.seen.bytes_used
            + self.levels.bytes_used
            + fresh
            + self._gathered.bytes_used * 3  # those, their sorted copy, their look-ups
        )

    def _expand_level(self) -> str:
        """Expand the last level; return why it had to stop, or nothing."""
        self._frontier = self.levels.get(len(self.levels) - 1)
        transitions, self._fresh = self.transitions, []
        start, size = 0, self.levels.sizes[-1]
        while start < size:
            self._interruption.check()
            chunk = [
                np.ascontiguousarray(word[start : start + CHUNK])
                for word in self._frontier
            ]
            try:
                outcomes = self.system.outcomes(chunk)
            except Relaid:
                self.system.relay()
                continue
            transitions += self._expand(chunk, outcomes)
            start += CHUNK
            if self._gathered.count >= self._batch_size() or start >= size:
                self._flush()
                reason = self._over_limit()
                if reason and (start < size or len(self._fresh)):
                    return reason
        self.transitions = transitions
        self.expanded += 1
        self._frontier = []
        fresh = [words for words in self._fresh if len(words[0])]
        words_count = self.system.layout.words_count
        self._fresh = []
        self.levels.append(joined(fresh) if fresh else self.seen.nothing(words_count))
        if self.limits.at_first_violation and self.found:
            return "stopped at the first violation"
        return ""

    def _batch_size(self) -> int:
        """Return how many successors to sort at once: the more, the fewer look-ups."""
        share = 3 * self.system.layout.words_count**2
        return min(max(BATCH, self.seen.count // share), BATCHES_MAX)

    def _flush(self) -> None:
        """Add the collected successors to the states seen."""
        if self._gathered.count:
            self._fresh.append(self.seen.add(self._gathered.take()))
        self.peak_bytes = max(self.peak_bytes, self.bytes_used)

    def _over_limit(self) -> str:
        limits = self.limits
        if limits.states_max is not None and self.seen.count > limits.states_max:
            return f"more than {limits.states_max} states"
        if limits.memory_max is not None and self.bytes_used > limits.memory_max:
            self.levels.spill()
            if self.bytes_used > limits.memory_max:
                return f"more than {limits.memory_max} bytes of memory"
        return self.stopped_by_time()

    def _expand(self, chunk: Words, outcomes: list[Ints]) -> int:
        """Collect the successors of a chunk; return how many steps lead to them."""
        transitions = 0
        has_step = np.zeros(len(chunk[0]), np.bool_)
        wanted = self._undecided()
        for task, outcome in enumerate(outcomes):
            held = self.system.tables[task].outcomes
            if held.violates & wanted:
                self._note_violations(chunk, task, outcome, wanted)
                wanted = self._undecided()
            if held.is_mixed or len(chunk) > 1 or self.learner.groups:
                for words, where, _ in self.system.successors(chunk, task, outcome):
                    has_step[where] = True
                    transitions += len(where)
                    self._gathered.add(words)
                continue
            delta = held.delta[0].take(outcome)
            steps = delta != 0
            has_step |= steps
            delta ^= chunk[0]
            transitions += self._gathered.add_where(steps, delta)
        ends = np.flatnonzero(~has_step)
        if len(ends):
            self._judge_ends(taken(chunk, ends))
        return transitions

    def _undecided(self) -> int:
        """Return the bit set of properties that no violation was found of yet."""
        count = len(self.learner.properties)
        return sum(1 << index for index in range(count) if index not in self.found)

    def _note_violations(
        self, chunk: Words, task: int, outcome: Ints, wanted: int
    ) -> None:
        held = self.system.tables[task].outcomes
        depth = 0
        while True:
            alternatives = outcome + np.int32(depth)
            violated = held.violated.take(alternatives, mode="clip")
            violated = np.where(held.count.take(outcome) > depth, violated, 0)
            for index in range(len(self.learner.properties)):
                if not wanted >> index & 1 or index in self.found:
                    continue
                where = np.flatnonzero(violated >> np.uint32(index) & 1)
                if len(where):
                    self.found[index] = Found(
                        level=self.expanded,
                        state=_one_state(taken(chunk, where[:1])),
                        task=task,
                        alternative=int(alternatives[where[0]]),
                    )
            depth += 1
            if not (held.has_several and (held.count.take(outcome) > depth).any()):
                return

    def _judge_ends(self, ends: Words) -> None:
        """Judge states in which nothing can happen, each shared state once."""
        self.quiescent += len(ends[0])
        layout = self.system.layout
        tasks_count = len(self.learner.tasks)
        masks = layout.masks(range(tasks_count, len(layout.widths)))
        shared = np.stack(
            [word & np.uint64(mask) for word, mask in zip(ends, masks, strict=True)]
        )
        kinds, places = np.unique(shared, axis=1, return_index=True)
        for kind, place in zip(kinds.T.tolist(), places.tolist(), strict=True):
            if tuple(kind) in self._judged:
                continue
            self._judged.add(tuple(kind))
            violated, at_risk = self.learner.judge_end(self.system.shared_of(kind))
            self.at_risk.update(at_risk)
            for index in violated:
                self.found.setdefault(
                    index,
                    Found(
                        level=self.expanded,
                        state=_one_state(taken(ends, slice(place, place + 1))),
                        task=None,
                        alternative=-1,
                    ),
                )


def _one_state(words: Words) -> tuple[int, ...]:
    return tuple([int(word[0]) for word in words])

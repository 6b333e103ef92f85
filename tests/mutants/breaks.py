"""Ways to break the engine: each must be caught by the tests that it names.

A break names its place by file, function and an exact piece of text in it, which must
be there once: where the code has changed, the break fails loudly and is written anew.
"""

import ast
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UNIT = "tests/unit/sim"
PROOFS = f"{UNIT}/exhaustive"
FUZZ = "tests/fuzz/test_differential.py"


@dataclass(frozen=True)
class Break:
    """One way to break the engine.

    Attributes:
        what: in words, unique.
        file: in `sim`.
        function: qualified name.
        before: text in it.
        after: what takes its place.
        tests: files, or files and what to select, in the order in which to try them.
    """

    what: str
    file: str
    function: str
    before: str
    after: str
    tests: tuple[str, ...]

    def applied(self, root: Path = ROOT) -> str:
        """Return the text of the broken file of a checkout.

        Raises:
            ValueError: the place is not there any more, or not only once.
        """
        source = (root / "sim" / self.file).read_text(encoding="utf-8")
        lines = source.splitlines(keepends=True)
        node = _find(ast.parse(source), self.function.split("."))
        if node is None:
            raise ValueError(f"{self.what}: no {self.function} in sim/{self.file}")
        segment = "".join(lines[node.lineno - 1 : node.end_lineno])
        if segment.count(self.before) != 1:
            raise ValueError(
                f"{self.what}: {self.before!r} is {segment.count(self.before)} times in"
                f" {self.function} of sim/{self.file}, expected once"
            )
        head, tail = lines[: node.lineno - 1], lines[node.end_lineno :]
        broken = segment.replace(self.before, self.after)
        return "".join([*head, broken, *tail])


def _find(tree, names):
    for node in tree.body:
        if getattr(node, "name", None) == names[0]:
            return node if len(names) == 1 else _find(node, names[1:])
    return None


KERNEL, GUARDED = (f"{UNIT}/test_kernel.py",), (f"{UNIT}/test_kernel.py", FUZZ)
PARTS = (f"{UNIT}/test_parts.py", f"{UNIT}/test_timed_parts.py")
LOCALS = (f"{PROOFS}/test_local_states.py", f"{FUZZ} -k plain-0")
STATES = (f"{PROOFS}/test_explore.py", f"{FUZZ} -k plain")
GRAPH = (f"{PROOFS}/test_graph.py",)
BESIDE = (f"{PROOFS}/test_accompanying.py",)
REFUSALS = (f"{PROOFS}/test_refusals.py",)
REDUCED = (f"{PROOFS}/test_reduction.py", f"{FUZZ} -k reduced")
ALIKE = (f"{PROOFS}/test_symmetry.py", f"{FUZZ} -k symmetric")
FAULTS = (f"{PROOFS}/test_faults.py", f"{FUZZ} -k faults")
CHECKPOINTS = (f"{PROOFS}/test_checkpoint.py",)
SEARCH = (f"{UNIT}/search/test_strategies.py", f"{UNIT}/search/test_session.py")
DYING = (f"{UNIT}/transactions/test_faults.py",)
LEVELS = (
    f"{UNIT}/transactions/test_levels.py",
    f"{UNIT}/transactions/test_locks.py",
    *DYING,
)
HANDOFFS = ("tests/corpus/test_handoffs.py",)
WAITING = (f"{UNIT}/transactions/test_locks.py",)

BREAKS = (
    # The kernel ----------------------------------------------------------------------
    Break("a change wakes nobody", "kernel.py", "Kernel._recheck",
          "if is_enabled is task.is_enabled:", "if True:", GUARDED),
    Break("a guard that fails again disables nobody", "kernel.py", "Kernel._recheck",
          "self.enabled.remove(task)", "pass", GUARDED),
    Break("a killed task takes its next step", "kernel.py", "Kernel.kill",
          "self._withdraw(task)", "pass", (*KERNEL, *FAULTS)),
    Break("a choice is not recorded", "kernel.py", "Kernel.choose",
          "self.choices.append(choice)", "pass", KERNEL),
    Break("a statement may change something and fail", "kernel.py", "Kernel._fail",
          "if self.journal:", "if False:", KERNEL),
    Break("a rewind keeps who waits", "kernel.py", "Kernel.rewind",
          "part.waiters.clear()", "pass", (*KERNEL, *FAULTS)),
    Break("a step's changes are shown again after the next", "kernel.py",
          "Kernel._react", "journal.clear()", "pass", KERNEL),
    Break("a taken step leaves its task waiting", "kernel.py", "Kernel._leave_wait",
          "part.waiters.remove(task)", "pass", GUARDED),
    # Parts ---------------------------------------------------------------------------
    Break("a lock that is released is held", "parts/lock.py", "Lock.release",
          "self._holders.pop(key)", "self._holders.get(key)", PARTS),
    Break("a number that is 0 again is another state", "parts/counter.py",
          "Counter.snapshot", "if pair[1]", "if True", (*PARTS, *STATES)),
    Break("half a bulk update stays", "parts/table.py", "Table.update_all",
          "self._undo(began)", "pass", PARTS),
    Break("a lease can be granted twice", "parts/leases.py", "Leases.grant",
          "if before is not None and before.is_live:", "if False:", PARTS),
    # Search --------------------------------------------------------------------------
    Break("the last of several options is never drawn", "search/random_walk.py",
          "RandomWalk.choose", "self._below(options_count)",
          "self._below(options_count - 1)", (*SEARCH, "tests/power/test_search.py")),
    Break("a depth-first search skips a branch", "search/depth_first.py",
          "DepthFirst.pick", "for other in others:", "for other in list(others)[1:]:",
          SEARCH),
    Break("a depth-first search skips an option", "search/depth_first.py",
          "DepthFirst.choose", "range(1, options_count)", "range(2, options_count)",
          SEARCH),
    Break("a bounded search says that it was complete", "search/depth_first.py",
          "DepthFirst._keep", "self._was_cut = True", "pass", SEARCH),
    Break("a second run is compared with nothing", "search/recheck.py", "_compare",
          "if first != second:", "if False:", (f"{UNIT}/search/test_recheck.py",)),
    Break("priorities never change", "search/pct.py", "PCTStrategy.pick",
          "if lowered is not None:", "if False:", SEARCH),
    # Local states --------------------------------------------------------------------
    Break("a local is left out of the key", "exhaustive/frames.py", "_live_values",
          "if name in live:", "if name in live and type(value) is not int:", LOCALS),
    Break("the stack is no state", "exhaustive/frames.py", "_live_values",
          "found.extend((None, value) for value in _stack(slots[position:], awaited,"
          " code))", "pass", LOCALS),
    Break("an exception being handled is no state", "exhaustive/frames.py", "_stack",
          "values = [*values, *(value for value in behind if value is not None)]",
          "values = list(values)", LOCALS),
    Break("every alias is number 0", "exhaustive/identity.py", "Identity._made_key",
          "aliases.set(value, len(aliases))", "aliases.set(value, 0)", LOCALS),
    Break("equal lists are one list", "exhaustive/identity.py", "Identity._made_key",
          "if known is not None:", "if False:", LOCALS),
    Break("the order of a dict is no state", "exhaustive/identity.py",
          "Identity._made_key", "return (shape.kind, content, keys)",
          "return (shape.kind, content, frozenset(keys))", LOCALS),
    Break("the type of a value is no state", "exhaustive/identity.py", "Identity.key",
          "return (kind, value)", "return (int, value)", LOCALS),
    Break("an iterator's position is no state", "exhaustive/anatomy.py", "_reduced",
          '"range", len(rest), rest[:1].start, len(rest) > 1 and rest.step',
          '"range",', LOCALS),
    Break("the defaults of a function are no state", "exhaustive/anatomy.py",
          "_function", "(None, value.__defaults__), ", "", LOCALS),
    Break("an error in a try passes over its handler", "exhaustive/liveness.py",
          "_successors", "if start <= one.offset < end", "if False", LOCALS),
    Break("nothing is checked by a second history", "exhaustive/locals.py",
          "TaskLocals.recheck", "if state.other_history is None:", "if True:",
          LOCALS),
    Break("statements are not run again", "exhaustive/effects.py", "Effects.recheck",
          "for before in self._performed:", "for before in ():", REFUSALS),
    Break("what tasks share is that of the last start", "exhaustive/standing.py",
          "StandingCoroutines.take", "if self._watch.enter(shared):", "if True:",
          ("tests/golden/test_wd_states.py -k 2-1-claiming",)),
    Break("a coroutine is kept where it stood before", "exhaustive/locals.py",
          "TaskLocals._run", "give_back(task, self.index, history)",
          "give_back(task, self.index, history[:-1])", STATES),
    Break("what is done beside a proof is believed", "exhaustive/accompanying.py",
          "_Walk._check_operation", "if number != expected:", "if False:", BESIDE),
    Break("what is changed beside a proof is believed", "exhaustive/accompanying.py",
          "_Walk._check", "if number != expected:", "if False:", BESIDE),
    Break("a lock of asyncio that tasks share is no state", "exhaustive/handoffs.py",
          "_Uses.note", "self.is_noted = True", "self.is_noted = False", HANDOFFS),
    Break("no task is woken by another", "exhaustive/handoffs.py",
          "Handoffs._woken_now", "if processes[name].ready", "if False", HANDOFFS),
    Break("flows that were woken meanwhile go on as before", "exhaustive/locals.py",
          "TaskLocals._run_at", "is_process or task.process is not None or ", "",
          HANDOFFS),
    Break("who waits with a timer is not woken before its end", "event_loop.py",
          "Process._step", "and self._may_be_woken()", "and False", HANDOFFS),
    # What statements read ------------------------------------------------------------
    Break("an insert reads nothing", "exhaustive/recording.py", "_KeyedReads.insert",
          "self.recorder.note(self, key)", "pass", GRAPH),
    Break("a selection reads only what it finds", "exhaustive/recording.py",
          "_KeyedReads._matched",
          "self.recorder.note_all(self, Projection(name, matches))", "pass", STATES),
    Break("the length of a queue is no read", "exhaustive/recording.py",
          "_recording_whole", "recorder.note(self, WHOLE, LENGTH)", "pass", STATES),
    Break("what is needed is left out", "exhaustive/reduction.py",
          "Reduction.leave_out", "place in self._needed", "False", REDUCED),
    Break("all of a part read later may be left out", "exhaustive/reduction.py",
          "Reduction.need_all",
          "self.is_broken |= any(name == part.name for name, _ in self.left_out)",
          "pass", REDUCED),
    Break("a component read later may be left out", "exhaustive/reduction.py",
          "Reduction.need", "self.is_broken |= place in self.left_out", "pass",
          REDUCED),
    Break("every result is dropped", "exhaustive/reduction.py", "is_result_dropped",
          "return _is_dropped(frame.f_code, frame.f_lasti, method_name)", "return True",
          REDUCED),
    # States, steps and what follows from them ----------------------------------------
    Break("a successor is skipped", "exhaustive/packed.py", "PackedSystem.successors",
          "if not held.has_several:", "if True:", STATES),
    Break("a wrong difference", "exhaustive/layout.py", "Layout.delta",
          "(before ^ after)", "(before | after)", STATES),
    Break("only the first alternative's violations are noted", "exhaustive/explore.py",
          "Search._note_violations", "if not (held.has_several and", "if True or (",
          GRAPH),
    Break("alternatives of one step are equally likely", "exhaustive/graph.py",
          "_edges", "held.one_in.take(alternatives)", "held.count.take(outcome[where])",
          (f"{PROOFS}/test_odds.py",)),
    Break("schedules beyond 32 bits are lost", "exhaustive/paths.py", "_carried",
          "counts[index + 1, states] += carry", "pass", GRAPH),
    Break("edges that violate are usable for recovery", "exhaustive/recovery.py",
          "can_end_well", "np.flatnonzero(is_bad_edge == 0)",
          "np.flatnonzero(is_bad_edge >= 0)", GRAPH),
    Break("a cycle that passes over an enabled task is fair", "exhaustive/fairness.py",
          "_fair_components", "np.isin(candidates, steps) | np.isin(candidates, rests)",
          "candidates >= 0", (f"{PROOFS}/test_fairness.py", f"{FUZZ} -k cycles")),
    # Symmetry, faults, healing -------------------------------------------------------
    Break("symmetry may look at a member", "exhaustive/symmetry.py", "sort_in_place",
          "values.sort(axis=0)", "values.sort(axis=1)", ALIKE),
    Break("a step may ask who performs it", "exhaustive/learning.py",
          "Learner._check_symmetry", "if SELF in reads and task in members:",
          "if False:", ALIKE),
    Break("a step may look at one of several alike", "exhaustive/learning.py",
          "Learner._check_symmetry", "elif members & (asked | moved):",
          "elif members & set():", ALIKE),
    Break("a dying process leaves its transaction open in proofs",
          "exhaustive/crowd.py", "Crowd.kill", 'if self.look(number, "is guarded"):',
          "if False:", DYING),
    Break("an error while healing is the end of it", "exhaustive/healing.py",
          "HealingLocals.is_over", "if error is not None:", "if False:", FAULTS),
    # Checkpoints ---------------------------------------------------------------------
    Break("a damaged level is taken up", "exhaustive/levels.py", "_verify",
          "if found != checksum:", "if False:", CHECKPOINTS),
    Break("a damaged checkpoint is taken up", "exhaustive/checkpoint.py", "_read",
          "if sha256(arrays).hexdigest().encode() != checksum:", "if False:",
          CHECKPOINTS),
    Break("a checkpoint of other code is taken up", "exhaustive/checkpoint.py",
          "resume", '_fingerprint(search) != str(saved["fingerprint"])', "False",
          CHECKPOINTS),
    # Transactions --------------------------------------------------------------------
    Break("locks are given back after each statement", "transactions/manager.py",
          "Transactions._finish", "self.locks.leave(slot)",
          "self.locks.leave(slot); self.locks.release(slot, is_commit=False)", LEVELS),
    Break("the first updater does not win", "transactions/manager.py",
          "Transactions.acquire",
          "if image is not None and current.level is not Level.READ_COMMITTED:",
          "if False:", LEVELS),
    Break("snapshots see what others commit", "transactions/manager.py",
          "Transactions.admit", "if image is None:", "if False:", LEVELS),
    Break("reads make no conflict", "transactions/manager.py",
          "Transactions.note_read",
          "self.conflicts.read(slot, table, is_newest=is_newest, is_empty=is_empty)",
          "pass", LEVELS),
    Break("writes make no conflict", "transactions/manager.py", "Transactions.write",
          "self.conflicts.write(slot, place[0])", "pass", LEVELS),
    Break("who is doomed commits", "transactions/conflicts.py", "Conflicts.commit",
          "if mine.is_doomed:", "if False:", LEVELS),
    Break("a deadlock lasts for ever", "transactions/locks.py", "Locks.is_in_circle",
          "if other == slot:", "if False:", LEVELS),
    Break("who waits may go on while the row is held", "transactions/locks.py",
          "Locks._is_let_go", "if self._others(waiting, lock):", "if False:", WAITING),
    Break("a rollback keeps the locks", "transactions/manager.py", "Transactions._end",
          "self.locks.release(slot, is_commit=is_commit)",
          "is_commit and self.locks.release(slot, is_commit=is_commit)", LEVELS),
    Break("two may write in SQLite", "transactions/manager.py",
          "Transactions._become_writer",
          "if current.is_behind or self._open.count(is_writer=True):",
          "if current.is_behind:", LEVELS),
)  # fmt: skip

"""Finds state that tasks share behind the kernel's back, and names it.

Knows Python's objects, nothing of parts and steps. An object that two tasks can reach,
or that outlives an execution, must not change while tasks run: what it holds would
decide about the future and be no part of the state. Such objects are *constants* of
the identity keys, and each is compared with what it was after every learned step.

Theory of operation: from the world and the code under test everything reachable is
collected once; from the tasks of an execution, what at least two of them reach. A
value that one task owns is left out: it is local state. What is shared and cannot be
read is refused at once, by name. Modules of the library are compared now and then.
"""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any, Final

from wavecheck.sim.exhaustive.anatomy import IdentityMap
from wavecheck.sim.exhaustive.identity import Identity
from wavecheck.sim.exhaustive.libraries import is_of_library, listeners
from wavecheck.sim.exhaustive.program import Program
from wavecheck.sim.exhaustive.reach import (
    Children,
    Reach,
    is_defined_once,
    roots_of,
)
from wavecheck.sim.exhaustive.refusal import refuse
from wavecheck.sim.exhaustive.watched import (
    NOTHING,
    Globals,
    InLibrary,
    Node,
    Snapshot,
    differs_at_start,
)
from wavecheck.sim.task import Task

_LIKELY: Final = "hidden state: two tasks, or two executions, share it"
_RARE_EVERY: Final = 64


class Watch:
    """Knows the constants of a world and whether they are still what they were.

    Args:
        world: what every execution shares.

    Attributes:
        identity: keys of values, given the constants found so far.
    """

    def __init__(self, world: object) -> None:
        self._program = Program()
        self._owned: IdentityMap[int] = IdentityMap()
        self._lasting: IdentityMap[int] = IdentityMap()
        self._passing: IdentityMap[int] = IdentityMap()
        self._nodes: list[Node] = []
        self._library: list[Node] = []
        self._lasting_now = Snapshot([])
        self._passing_now = Snapshot([])
        self._rare = Snapshot([])
        self._known_namespaces = 0
        self._checks = count(1)
        self._expects_changes = False
        self.identity = Identity(self._owned, self._lasting, self._passing)
        self._extend([("world", world)])

    def _extend(self, roots: Iterable[tuple[str, Any]]) -> None:
        """Add lasting objects, and what the code among them can look up."""
        reach = Reach(self._program, self._lasting, self._owned)
        found = list(roots)
        reach.add(listeners(), owned=True)
        while found:
            reach.add(found)
            found = self._program.take_found()
        fresh = self._program.namespaces[self._known_namespaces :]
        if not reach.objects and not fresh and not len(reach.owned):
            return
        for owned, label in reach.owned.items():
            self._owned.set(owned, len(self._owned))
            if is_of_library(type(owned)):
                self._library.append(InLibrary(owned, label))
        for value, label in reach.objects:
            self._lasting.set(value, len(self._lasting))
            self._nodes.append(Node(value, label))
        self._known_namespaces += len(fresh)
        for one in fresh:
            (self._library if one.is_library else self._nodes).append(Globals(one))
        self._lasting_now = Snapshot(self._nodes)
        self._rare = Snapshot([*self._nodes, *self._library], rare=True)

    def start(self, tasks: list[Task]) -> None:
        """Note what the tasks of a fresh execution share."""
        if self._expects_changes:
            self.expect_changes(now=False)
        reached: IdentityMap[int] = IdentityMap()
        shared: list[tuple[object, str]] = []
        lasting: Children = []
        for is_worlds, roots in self._roots(tasks):
            reach = Reach(self._program, self._lasting, self._owned)
            reach.add(roots)
            for value, label in reach.objects:
                if is_defined_once(value):
                    lasting.append((label, value))
                    continue
                times = (reached.get(value) or 0) + 1
                # What the world itself holds is shared, even if one task reaches it.
                reached.set(value, times + is_worlds)
                if times == 2 - is_worlds:
                    shared.append((value, label))
        self._extend(lasting)
        self._passing = IdentityMap()
        for value, _ in shared:
            self._passing.set(value, len(self._passing))
        self.identity = Identity(self._owned, self._lasting, self._passing)
        self._passing_now = Snapshot([Node(value, label) for value, label in shared])

    def _roots(self, tasks: list[Task]) -> Iterator[tuple[bool, Children]]:
        """Yield what the world holds anew, then what each task begins with."""
        yield True, self._renewed()
        for task in tasks:
            yield False, roots_of(task, self._program)

    def expect_changes(self, *, now: bool = True) -> None:
        """Let what the engine itself has caused be no hidden change until a start.

        A world's healing counts its rounds on the world; the engine knows the count.
        """
        self._expects_changes = now
        for one in (self._lasting_now, self._passing_now):
            one.expect_changes(now=now)

    def _renewed(self) -> Children:
        """Return what the world's start has put in the place of something equal."""
        found: Children = []
        lasting = Identity(self._owned, self._lasting)
        touched = self._lasting_now.touched()
        for node in touched:
            found.extend(node.fresh())
            for name, before, after in node.differences(lasting):
                was_there = before is not None and before is not NOTHING
                if was_there and differs_at_start(before, after, lasting):
                    what = f"{name} differs each time the world starts"
                    raise refuse(what, task="(none)", likely=_LIKELY)
            node.renew()
        if touched:
            self._lasting_now.renew()
        return found

    def check(self, task_name: str, *, is_last: bool = False) -> None:
        """Make sure that nothing has changed.

        Args:
            task_name: for the message.
            is_last: look at the library's modules as well, which is else done now and
                then.

        Raises:
            CannotLearn: something has; its name is in the message.
        """
        snapshots = [self._passing_now, self._lasting_now]
        if is_last or next(self._checks) % _RARE_EVERY == 0:
            snapshots.append(self._rare)
        for one in snapshots:
            what = one.changed(self.identity)
            if what is not None:
                what = f"{what} changes as tasks run"
                raise refuse(what, task=task_name, likely=_LIKELY)

"""Finds state that tasks share behind the kernel's back, and names it.

Knows Python's objects, nothing of parts and steps. An object that two tasks can reach,
or that outlives an execution, must not change while tasks run: what it holds would
decide about the future and be no part of the state. Such objects are *constants* of
the identity keys, and each is compared with what it was after every learned step.

Theory of operation: from the world, the classes and the modules of the code under test
everything reachable is collected once; from the tasks of an execution, what at least
two of them reach. A plain value that one task owns is left out: it is local state.

Known gap: state inside an extension type that shows none of it is not seen here; the
engine's re-runs of learned steps may still find it.
"""

import random  # noqa: TID251 - to see whether the code under test draws from it
from collections import deque
from collections.abc import Callable, Iterable
from operator import is_
from types import FunctionType, ModuleType
from typing import Any, Final

from wavecheck.sim.exhaustive.identity import Identity, IdentityMap
from wavecheck.sim.exhaustive.modules import globals_of, is_user_code
from wavecheck.sim.exhaustive.reach import (
    OPAQUE,
    Children,
    Reach,
    children_of,
    roots_of,
)
from wavecheck.sim.exhaustive.refusal import CannotCompare, refuse
from wavecheck.sim.task import Task

_LIKELY: Final = "hidden state: two tasks, or two executions, share it"


class _Node:
    """One object that must stay as it is, with what it held at first."""

    __slots__ = ("_expected", "_held", "_read", "children", "label", "owner")

    def __init__(self, owner: object, label: str) -> None:
        self.owner = owner
        self.label = label
        self._read = _reader(owner, label)
        self.renew()

    def renew(self) -> None:
        """Take what it holds now for what it must hold."""
        self.children = children_of(self.owner, self.label)
        self._held = self._expected = self._read()

    def expect_changes(self, *, now: bool) -> None:
        """Let what it holds now, or only what it held at first, be as it should."""
        self._expected = self._read() if now else self._held

    def is_untouched(self) -> bool:
        """Return whether it holds the very same objects."""
        now, was = self._read(), self._expected
        return len(now) == len(was) and all(map(is_, now, was))

    def changed(self, identity: Identity) -> str | None:
        """Return the name of what has changed, or None."""
        if self.is_untouched():
            return None
        before = dict(self.children)
        after = dict(children_of(self.owner, self.label))
        for name in {**before, **after}:
            if name not in before or name not in after:
                return name
            if not _is_equal(before[name], after[name], identity):
                return name
        if len(after) == len(before) == 1 and len(self.children) != len(
            children_of(self.owner, self.label)
        ):
            return self.label  # items of a list all go by the name of the list
        return None


def _reader(value: Any, label: str) -> Callable[[], list[Any]]:
    """Return a fast way to list everything that an object holds."""
    if isinstance(value, type | FunctionType):
        held = vars(value)
        return lambda: list(held.values())
    if isinstance(value, dict):
        return lambda: [*value, *value.values()]
    if isinstance(value, list | set | deque):
        return lambda: list(value)
    attributes = getattr(value, "__dict__", None)
    plain = not any("__slots__" in vars(one) for one in type(value).__mro__)
    if attributes is not None and plain and not isinstance(value, random.Random):
        return lambda: list(attributes.values())
    return lambda: [item for _, item in children_of(value, label)]


def _is_equal(before: object, after: object, identity: Identity) -> bool:
    if before is after:
        return True
    try:
        return bool(identity.key(before) == identity.key(after))
    except CannotCompare:
        return False


def _differs_at_start(before: object, after: object, identity: Identity) -> bool:
    """Return whether a world's start put something else in the place of something.

    A class that is made anew by each start, and what cannot be compared, is let pass
    here: what they hold is watched in each execution.
    """
    if type(before) is not type(after):
        return type(before).__qualname__ != type(after).__qualname__
    try:
        return bool(identity.key(before) != identity.key(after))
    except CannotCompare:
        return False


class Watch:
    """Knows the constants of a world and whether they are still what they were.

    Args:
        world: what every execution shares.

    Attributes:
        identity: keys of values, given the constants found so far.
    """

    def __init__(self, world: object) -> None:
        self._lasting: IdentityMap[int] = IdentityMap()
        self._passing: IdentityMap[int] = IdentityMap()
        self._lasting_nodes: list[_Node] = []
        self._passing_nodes: list[_Node] = []
        self._modules: dict[str, ModuleType] = {}
        self._module_globals: dict[str, dict[str, Any]] = {}
        self._expects_changes = False
        self.identity = Identity(self._lasting, self._passing)
        self._extend([("world", world)])

    def _extend(self, roots: Iterable[tuple[str, Any]]) -> None:
        """Add lasting objects, and the globals of every module whose code they run."""
        reach = Reach(self._lasting)
        reach.add(roots)
        while fresh := [
            name for name in reach.modules if name not in self._module_globals
        ]:
            for name in fresh:
                held = globals_of(reach.modules[name])
                self._modules[name] = reach.modules[name]
                self._module_globals[name] = held
                reach.add(
                    (f"global {key!r} of module {name}", item)
                    for key, item in held.items()
                )
        for value, label in reach.objects:
            self._lasting.set(value, len(self._lasting))
            if not isinstance(value, OPAQUE):
                self._lasting_nodes.append(_Node(value, label))

    def start(self, tasks: list[Task]) -> None:
        """Note what the tasks of a fresh execution share."""
        if self._expects_changes:
            self.expect_changes(now=False)
        reached: IdentityMap[int] = IdentityMap()
        shared: list[tuple[object, str]] = []
        renewed = self._renewed()
        if renewed:
            # What the world itself holds is shared, even if one task reaches it.
            reach = Reach(self._lasting)
            reach.add(renewed)
            for value, label in reach.objects:
                reached.set(value, 2)
                shared.append((value, label))
        functions: Children = []
        for task in tasks:
            roots, own_functions = roots_of(task)
            functions.extend(own_functions)
            reach = Reach(self._lasting)
            reach.add(roots)
            functions.extend(
                (one.__name__, one)
                for value, _ in reach.objects
                for one in type(value).__mro__
                if is_user_code(one.__module__)
            )
            for value, label in reach.objects:
                times = (reached.get(value) or 0) + 1
                reached.set(value, times)
                if times == 2:
                    shared.append((value, label))
        self._extend(
            [
                one
                for one in functions
                if one[1] not in self._lasting
                and not getattr(one[1], "__closure__", None)
            ]
        )
        self._passing = IdentityMap()
        for value, _ in shared:
            self._passing.set(value, len(self._passing))
        self.identity = Identity(self._lasting, self._passing)
        self._passing_nodes = [
            _Node(value, label)
            for value, label in shared
            if not isinstance(value, OPAQUE)
        ]

    def expect_changes(self, *, now: bool = True) -> None:
        """Let what the engine itself has caused be no hidden change until a start.

        A world's healing counts its rounds on the world; the engine knows the count.
        """
        self._expects_changes = now
        for node in (*self._lasting_nodes, *self._passing_nodes):
            node.expect_changes(now=now)

    def _renewed(self) -> Children:
        """Return what the world's start has put in the place of something equal."""
        found: Children = []
        for node in self._lasting_nodes:
            if node.is_untouched():
                continue
            now, was = children_of(node.owner, node.label), dict(node.children)
            lasting = Identity(self._lasting)
            for name, value in now:
                before = was.get(name)
                if before is value:
                    continue
                found.append((name, value))
                if before is not None and _differs_at_start(before, value, lasting):
                    what = f"{name} differs each time the world starts"
                    raise refuse(what, task="(none)", likely=_LIKELY)
            node.renew()
        return found

    def check(self, task_name: str, *, is_thorough: bool = True) -> None:
        """Make sure that nothing has changed.

        Args:
            task_name: for the message.
            is_thorough: look at what outlives executions as well.

        Raises:
            CannotLearn: something has; its name is in the message.
        """
        for node in self._passing_nodes:
            self._refuse_change(node.changed(self.identity), task_name)
        if not is_thorough:
            return
        for node in self._lasting_nodes:
            self._refuse_change(node.changed(self.identity), task_name)
        for name, was in self._module_globals.items():
            now = globals_of(self._modules[name])
            if now.keys() == was.keys() and all(map(is_, now.values(), was.values())):
                continue
            for key in {**was, **now}:
                if not _is_equal(was.get(key), now.get(key), self.identity):
                    what = f"global {key!r} of module {name}"
                    self._refuse_change(what, task_name)

    def _refuse_change(self, what: str | None, task_name: str) -> None:
        if what is not None:
            raise refuse(f"{what} changes as tasks run", task=task_name, likely=_LIKELY)

"""Finds state that tasks share behind the kernel's back, and names it.

Knows Python's objects, nothing of parts and steps. An object that two tasks can reach,
or that outlives an execution, must not change while tasks run: what it holds would
decide about the future and be no part of the state. Such objects are *constants* of
the identity keys, and each is compared with what it was after every learned step.

Theory of operation: from the world and the code under test everything reachable is
collected once; from the tasks of an execution, what at least two of them reach. A
value that one task owns is left out: it is local state. What is shared and cannot be
read is refused at once, by name. Modules of the library are compared now and then.

What changes and can be put back is a *place* in which tasks keep something, if whoever
made this watch will show that it never matters (see `harmless`). It holds what it held
at first whenever an execution starts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from types import FunctionType
from typing import Any, Final

from wavecheck.sim.exhaustive.anatomy import IdentityMap
from wavecheck.sim.exhaustive.handoffs import copied, inside, is_handed, with_inner
from wavecheck.sim.exhaustive.holders import CACHE, Slots, holder_of
from wavecheck.sim.exhaustive.identity import PASSING, Identity
from wavecheck.sim.exhaustive.kept import KeptPlace
from wavecheck.sim.exhaustive.libraries import is_of_library, listeners
from wavecheck.sim.exhaustive.program import Program
from wavecheck.sim.exhaustive.reach import (
    Children,
    Reach,
    is_defined_once,
    is_engines,
    roots_of,
)
from wavecheck.sim.exhaustive.refusal import refuse
from wavecheck.sim.exhaustive.watched import (
    NOTHING,
    Globals,
    Held,
    InLibrary,
    Node,
    Snapshot,
    differs_at_start,
)
from wavecheck.sim.task import Task

_LIKELY: Final = "hidden state: two tasks, or two executions, share it"
_RARE_EVERY: Final = 64


@dataclass(slots=True, kw_only=True)
class Shared:
    """What the tasks of one execution share.

    Attributes:
        identity: keys of values, given the constants of this execution.
        nodes: what is made anew in each execution.
        passing: what these hold.
        version: of the lasting objects.
        lasting: what these hold in this execution.
        renewed: those in which the start has put something new.
        attributes: their dictionaries; None: not all are that, so that nobody can
            come back to this execution.
        contents: copies of these.
    """

    identity: Identity
    nodes: list[Node]
    passing: Snapshot
    version: int
    lasting: Held
    renewed: list[Node]
    attributes: list[dict[Any, Any]] | None
    contents: list[dict[Any, Any]]

    @property
    def can_be_entered(self) -> bool:
        """Whether the execution can be come back to when another one has started."""
        return self.attributes is not None


class Watch:
    """Knows the constants of a world and whether they are still what they were.

    Args:
        world: what every execution shares.
        allows_places: what changes and can be put back is noted, and not refused.

    Attributes:
        shared: what the tasks of the execution at hand share.
        places: where tasks keep something, in the order in which they were found.
        places_version: changes with them.
        handed_lasting: objects of asyncio's that outlive executions, and what they held
            before any task ran.
    """

    def __init__(self, world: object, *, allows_places: bool = False) -> None:
        self.places: list[KeptPlace] = []
        self.places_version = 0
        self._allows_places = allows_places
        self.handed_lasting: list[tuple[object, dict[str, Any]]] = []
        self._has_started = False
        self._is_first_start = True
        self._first: IdentityMap[Slots] = IdentityMap()
        self._program = Program()
        self._owned: IdentityMap[int] = IdentityMap()
        self._lasting: IdentityMap[int] = IdentityMap()
        self._version = 0
        self._renewed_now: list[Node] = []
        self._nodes: list[Node] = []
        self._library: list[Node] = []
        self._lasting_now = Snapshot([])
        self._rare = Snapshot([])
        self._known_namespaces = 0
        self._shared: list[Node] = []
        self._checks = count(1)
        self._expects_changes = self._was_changed = False
        self._extend([("world", world)])
        self.shared = self._shared_by([])

    def _extend(self, roots: Iterable[tuple[str, Any]]) -> None:
        """Add lasting objects, and what the code among them can look up."""
        reach = Reach(self._program, self._lasting, self._owned)
        found = [*roots, *listeners()]
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
        found_now = [Node(value, label) for value, label in reach.objects]
        for value, _ in reach.objects:
            self._lasting.set(value, len(self._lasting))
        self._known_namespaces += len(fresh)
        for one in fresh:
            (self._library if one.is_library else found_now).append(Globals(one))
        self._nodes += found_now
        self._note_handed([value for value, _ in reach.objects if is_handed(value)])
        for node in found_now:
            self._note_first(node)
        self._lasting_now = Snapshot(self._nodes)
        self._rare = Snapshot([*self._nodes, *self._library], rare=True)
        self._version += 1

    def _note_handed(self, found: list[object]) -> None:
        """Note objects of asyncio's that outlive executions.

        Raises:
            CannotLearn: tasks may have used one already.
        """
        if found and self._has_started:
            raise refuse(
                f"an asyncio {type(found[0]).__name__} of a module or a class is found"
                " only as tasks run",
                task="(any)",
                likely="it is used by code that the world does not mention",
            )
        for one in found:
            for owner in with_inner(one):
                self.handed_lasting.append((owner, copied(inside(owner))))

    @property
    def handed(self) -> list[object]:
        """The objects of asyncio's that the tasks of this execution share."""
        lasting = [one.owner for one in self._nodes if is_handed(one.owner)]
        return lasting + [one.owner for one in self._shared if is_handed(one.owner)]

    def start(self, tasks: list[Task]) -> None:
        """Note what the tasks of a fresh execution share."""
        self._has_started = True
        for place in self.places:
            if place.number is not None:  # of the execution before, which is over
                place.write(place.first)
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
        self._shared = [Node(value, label) for value, label in shared]
        self.shared = self._shared_by(self._shared)
        for place in self.places:
            if place.number is not None:
                place.owner = self._shared[place.number].owner
                place.first = place.holder.read(place.owner)
        self._is_first_start = False

    def _shared_by(self, nodes: list[Node]) -> Shared:
        """Return what tasks share in the execution that has just started."""
        passing: IdentityMap[int] = IdentityMap()
        for node in nodes:
            passing.set(node.owner, len(passing))
        attributes = self._lasting_now.attributes_of(self._renewed_now)
        return Shared(
            identity=Identity(self._owned, self._lasting, passing),
            nodes=nodes,
            passing=Snapshot(nodes),
            version=self._version,
            lasting=self._lasting_now.held,
            renewed=self._renewed_now,
            attributes=attributes,
            contents=[dict(one) for one in attributes or ()],
        )

    @property
    def identity(self) -> Identity:
        """Keys of values, given the constants of the execution at hand."""
        return self.shared.identity

    def enter(self, shared: Shared) -> bool:
        """Come back to an execution that had started earlier.

        Returns:
            Whether all that lasts holds what it held then; if not, start another.
        """
        if shared is self.shared and not self._expects_changes:
            return True
        if shared.version != self._version or shared.attributes is None:
            return False
        for held, content in zip(shared.attributes, shared.contents, strict=True):
            held.clear()
            held.update(content)
        for node in shared.renewed:
            node.renew()
        self.expect_changes(now=False)
        self._lasting_now.adopt(shared.lasting)
        self.shared, self._shared = shared, shared.nodes
        # What code under test changes is found by `check`.
        return not (self._was_changed and self._lasting_now.touched())

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
        self._was_changed |= now
        for one in (self._lasting_now, self.shared.passing):
            one.expect_changes(now=now)

    def _renewed(self) -> Children:
        """Return what the world's start has put in the place of something equal."""
        found: Children = []
        lasting = Identity(self._owned, self._lasting)
        touched = self._renewed_now = self._lasting_now.touched()
        for node in touched:
            kept = self._kept_in(node)
            for name, before, after in node.differences(lasting):
                was_there = before is not None and before is not NOTHING
                if name in kept or not was_there or self._is_first_start:
                    continue
                if differs_at_start(before, after, lasting):
                    # Code before a task's first statement runs at the start.
                    if self._may_change(node, is_passing=False):
                        kept = self._kept_in(node)
                        continue
                    what = f"{name} differs each time the world starts"
                    raise refuse(what, task="(none)", likely=_LIKELY)
            found.extend([one for one in node.fresh() if one[0] not in kept])
            node.renew()
        if touched:
            self._lasting_now.renew_as_seen()
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
        snapshots = [self.shared.passing, self._lasting_now]
        if is_last or next(self._checks) % _RARE_EVERY == 0:
            snapshots.append(self._rare)
        for one in snapshots:
            for node in one.changed(self.identity):
                if self._may_change(node, is_passing=one is self.shared.passing):
                    continue
                what = f"{node.describe_change(self.identity)} changes as tasks run"
                raise refuse(what, task=task_name, likely=_LIKELY)

    # Places in which tasks keep something ---------------------------------------------

    def put_back(self) -> None:
        """Let every lasting place hold what it held at first."""
        for place in self.places:
            if place.number is None:
                place.write(place.first)

    def mentions(self, name: str) -> bool:
        """Return whether code that may run mentions a name."""
        return self._program.mentions(name)

    def constant(self, number: tuple[int, int]) -> object:
        """Return a constant of this execution by its number."""
        which, index = number
        if which == PASSING:
            return self._shared[index].owner
        return list((self._owned, self._lasting)[which].items())[index][0]

    def _note_first(self, node: Node) -> None:
        """Note what a lasting object holds before any task runs."""
        if not self._allows_places:
            return
        holder = holder_of(node.owner, is_globals=type(node) is Globals)
        kind = type(node.owner)
        if holder is None or is_engines(kind) or is_of_library(kind):
            return
        if kind is not CACHE:
            self._first.set(node.owner, holder.read(node.owner))

    def _kept_in(self, node: Node) -> set[str]:
        """Return the names of what tasks keep in a lasting object."""
        for place in self.places:
            if place.owner is node.owner and place.number is None:
                if place.names is not None:
                    return {place.name_of(one) for one in place.names}
                return {name for name, _ in (*node.children, *node.look()[1])}
        return set()

    def _may_change(self, node: Node, *, is_passing: bool) -> bool:
        """Note a place in which tasks keep something; False if it is none."""
        if not self._allows_places or is_of_library(type(node.owner)):
            return False
        if is_passing:
            return self._note_passing(node)
        for place in self.places:
            if place.owner is node.owner and place.number is None:
                self._note_names(place, node)
                return True
        holder = holder_of(node.owner, is_globals=type(node) is Globals)
        first = self._first.get(node.owner)
        if type(node.owner) is CACHE:
            first = None if self.mentions("cache_info") else []
        if holder is None or first is None:
            return False
        names: set[Any] | None = set() if holder.has_names else None
        place = KeptPlace(
            label=node.label,
            holder=holder,
            owner=node.owner,
            names=names,
            first=first,
        )
        self._note_names(place, node)
        self._add(place)
        return True

    def _note_passing(self, node: Node) -> bool:
        number = next(n for n, one in enumerate(self._shared) if one is node)
        if any(one.number == number for one in self.places):
            return True
        holder = holder_of(node.owner)
        if holder is None or type(node.owner) is FunctionType:
            return False
        place = KeptPlace(
            label=node.label, holder=holder, owner=node.owner, number=number
        )
        place.first = holder.read(node.owner)  # until the next execution starts
        self._is_first_start = True
        self._add(place)
        return True

    def _add(self, place: KeptPlace) -> None:
        self.places.append(place)
        self.places_version += 1

    def _note_names(self, place: KeptPlace, node: Node) -> None:
        """Note which slots of a lasting place have changed."""
        if place.names is None:
            return
        first = self._first.get(place.owner) or []
        labels = {name for name, _, _ in node.differences(self.identity)}
        names = {name for name, _ in (*first, *place.holder.read(place.owner))}
        changed = {one for one in names if place.name_of(one) in labels}
        if changed - place.names:
            place.names |= changed
            place.first = [one for one in first if one[0] in place.names]
            self.places_version += 1

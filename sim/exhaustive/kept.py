"""What tasks keep beside the parts and is put back: caches, counters, lazy values.

Knows Python's objects and how to read and write them, nothing of tasks and steps. A
*place* is one object that was seen to change. What all places hold at one moment is a
`Kept`: it has a key, and a copy of it can be put into any execution, in which objects
of the execution that it was found in are replaced by those that have their part here.
"""

from collections.abc import Hashable, Iterator, Set
from dataclasses import dataclass, field
from types import CellType, FunctionType
from typing import Any, Final

from wavecheck.sim.exhaustive.anatomy import (
    IdentityMap,
    is_class,
)
from wavecheck.sim.exhaustive.copying import (
    Freezing,
    Recipe,
    Thawing,
    is_lost,
    is_passing,
    within,
)
from wavecheck.sim.exhaustive.holders import CACHE, Holder, Slots
from wavecheck.sim.exhaustive.identity import Identity, Key
from wavecheck.sim.exhaustive.refusal import CannotCompare
from wavecheck.sim.exhaustive.unread import Unread

ANY_NUMBER: Final = ("any number",)
"""The key of a number that was widened to all numbers."""


@dataclass(slots=True, kw_only=True)
class KeptPlace:
    """One object in which tasks keep something.

    Attributes:
        label: its name in messages.
        holder: how to read and write it.
        owner: the object; of this execution, if each has its own.
        number: of it among what tasks share, if each execution has its own.
        names: the slots that were seen to change; None: all are looked at.
        first: what a lasting one held at first.
    """

    label: str
    holder: Holder
    owner: Any
    number: int | None = None
    names: set[Any] | None = None
    first: Slots = field(default_factory=list)

    def slots(self) -> Slots:
        """Return what it holds in the slots that are looked at.

        Raises:
            CannotCompare: it cannot be read.
        """
        found = self.holder.read(self.owner)
        if self.names is not None:
            found = [one for one in found if one[0] in self.names]
        return found

    def write(self, slots: Slots) -> None:
        """Let the slots that are looked at hold this."""
        if self.names is not None:
            rest = self.holder.read(self.owner)
            slots = [one for one in rest if one[0] not in self.names] + slots
        self.holder.write(self.owner, slots)

    def name_of(self, slot: Any) -> str:
        """Return the name of a slot in messages."""
        kind = "attribute"
        if is_class(self.owner):
            kind = "class attribute"
        elif self.label.startswith("module "):
            kind = "global"
        elif type(self.owner) in _UNNAMED or type(slot) is not str:
            return self.label
        holder = self.label if kind == "global" else _kind_name(self.owner)
        return f"{kind} {slot!r} of {holder}"


_UNNAMED: Final = (CellType, CACHE, set, dict, list)


def _kind_name(owner: Any) -> str:
    named = owner if is_class(owner) else type(owner)
    if type(owner) is FunctionType:
        return f"function {owner.__qualname__}"
    return str(named.__name__)


@dataclass(frozen=True, slots=True)
class Slot:
    """What one slot holds at one moment.

    Attributes:
        name: key of the slot's name.
        key: of what it holds.
        is_number: it holds a plain number.
        recipes: of the name and of the value.
    """

    name: Key
    key: Key
    is_number: bool
    recipes: tuple[Recipe, Recipe]


@dataclass(frozen=True, slots=True)
class Kept:
    """What all places hold at one moment.

    Attributes:
        key: of each place; equal ones mean that code cannot tell two apart.
        slots: of each place.
    """

    key: tuple[Hashable, ...]
    slots: tuple[tuple[Slot, ...], ...]

    def lasting(self, places: list[KeptPlace]) -> Hashable:
        """Return the key of that part which outlives an execution.

        Raises:
            CannotCompare: something in it belongs to one execution.
        """
        return tuple(
            _key_of(place, _outliving(place, slots))
            for place, slots in zip(places, self.slots, strict=True)
            if place.number is None
        )


def _outliving(place: KeptPlace, slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
    """Return what is kept of an execution that is over.

    A cache's entry for an object of that execution can never be found again.
    """
    found = []
    for one in slots:
        if type(place.owner) is CACHE and is_lost(one.recipes[0]):
            continue
        for recipe in one.recipes:
            if any(is_passing(tag) for tag in within(recipe)):
                raise CannotCompare("object of one execution")
        found.append(one)
    return tuple(found)


def without_an_entry(
    places: list[KeptPlace], kept: Kept, number: int
) -> Iterator[Kept]:
    """Yield what is kept after a bounded cache has dropped one entry, for each."""
    place = places[number]
    if type(place.owner) is not CACHE:
        return
    if place.owner.cache_parameters()["maxsize"] is None:
        return
    for one in kept.slots[number]:
        rest = tuple([other for other in kept.slots[number] if other is not one])
        slots = (*kept.slots[:number], rest, *kept.slots[number + 1 :])
        key = (*kept.key[:number], _key_of(place, rest), *kept.key[number + 1 :])
        yield Kept(key, slots)


def read(places: list[KeptPlace], identity: Identity, widened: Set[Hashable]) -> Kept:
    """Return what all places hold.

    Args:
        places: where.
        identity: of this execution.
        widened: (number of the place, key of the slot's name) of each slot in which
            one number is as good as another.

    Raises:
        CannotCompare: something in one of them has no key, or cannot be copied.
    """
    aliases: IdentityMap[int] = IdentityMap()
    freezing = Freezing(identity)
    found = []
    for number, place in enumerate(places):
        pairs = place.slots()
        if not place.holder.is_ordered and all(type(one) is str for one, _ in pairs):
            pairs.sort(key=_first)
        slots = []
        for name, value in pairs:
            known = aliases if type(name) is str else None
            name_key = identity.key(name, known)
            is_any = type(value) is Unread or (number, name_key) in widened
            is_any = is_any and type(value) in (int, float, Unread)
            key = ANY_NUMBER if is_any else identity.key(value, known)
            recipe = freezing.recipe(value)
            if is_any and type(value) is not Unread:
                recipe = ("number", value)
            is_number = is_any or type(value) in (int, float)
            recipes = freezing.recipe(name), recipe
            slots.append(Slot(name_key, key, is_number, recipes))
        found.append(tuple(slots))
    held = tuple(found)
    keys = [_key_of(place, slots) for place, slots in zip(places, held, strict=True)]
    return Kept(tuple(keys), held)


def _first(pair: tuple[Any, Any]) -> Any:
    return pair[0]


def _key_of(place: KeptPlace, slots: tuple[Slot, ...]) -> Hashable:
    pairs = [(one.name, one.key) for one in slots]
    return tuple(pairs) if place.holder.is_ordered else frozenset(pairs)


def put(
    places: list[KeptPlace],
    wanted: Kept,
    identity: Identity,
    thawing: Thawing,
    widened: Set[Hashable],
    *,
    lasting_only: bool = False,
) -> None:
    """Let all places hold what they held at some moment.

    What a place holds already, equal by its key, stays: code may have a hold of it.
    """
    present = read(places, identity, widened)
    for place, slots, now in zip(places, wanted.slots, present.slots, strict=True):
        if lasting_only and place.number is not None:
            continue
        there = {
            one.name: (pair, one.key)
            for one, pair in zip(now, _sorted(place), strict=True)
        }
        made: Slots = []
        for one in _outliving(place, slots) if lasting_only else slots:
            found = there.get(one.name)
            name, value = thawing.make(one.recipes[0]), None
            if found is not None:
                name = found[0][0]
            is_any = one.key == ANY_NUMBER
            if found is not None and found[1] == one.key and not is_any:
                value = found[0][1]
            else:
                value = thawing.make(one.recipes[1])
            made.append((name, value))
        place.write(made)


def _sorted(place: KeptPlace) -> Slots:
    pairs = place.slots()
    if not place.holder.is_ordered and all(type(one) is str for one, _ in pairs):
        pairs.sort(key=_first)
    return pairs

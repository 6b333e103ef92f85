"""Words for what tasks keep: what a proof says of it, and why one is refused.

Knows places and what they held; decides nothing.
"""

from collections.abc import Iterator, Sequence, Set

from wavecheck.sim.blame import call_text
from wavecheck.sim.exhaustive.anatomy import ATOMS
from wavecheck.sim.exhaustive.effects import Effects
from wavecheck.sim.exhaustive.identity import Key
from wavecheck.sim.exhaustive.kept import Kept, KeptPlace, Slot
from wavecheck.sim.exhaustive.refusal import CannotLearn, refuse

SlotName = tuple[int, Key]
"""Number of a place, and key of a slot's name."""


def sentences(
    places: Sequence[KeptPlace], kept: Sequence[Kept], widened: Set[SlotName]
) -> Iterator[str]:
    """Say of each place what was kept in it and never mattered."""
    for number, place in enumerate(places):
        slots = [{slot.name: slot.key for slot in one.slots[number]} for one in kept]
        names = dict.fromkeys(name for one in slots for name in one)
        parts: list[tuple[Sequence[Key], set[Key]]]
        parts = [((name,), {one.get(name) for one in slots}) for name in names]
        if not place.holder.has_names:
            parts = [(list(names), {one.key[number] for one in kept})]
        for group, held in parts:
            label = _label(place, group[0] if group else None)
            if any((number, name) in widened for name in group):
                yield f"{label}: it was kept and never read, whatever number it was"
            elif len(held) > 1:
                yield (
                    f"{label}: it was kept and never changed what was done, explored"
                    f" with each of the {len(held)} values that it can take"
                )


def refusal(
    place: KeptPlace, why: str, likely: str, task: str = "(any)"
) -> CannotLearn:
    """Return the refusal of a place that changes."""
    return refuse(
        f"{place.label} changes as tasks run, {why}", task=task, likely=likely
    )


def endless(
    places: Sequence[KeptPlace], kept: Sequence[Kept], looked_at: Set[SlotName]
) -> CannotLearn:
    """Return the refusal that names what held the most different things."""
    seen: dict[SlotName, set[Key]] = {}
    for one in kept:
        for number, slots in enumerate(one.slots):
            for slot in slots:
                seen.setdefault((number, slot.name), set()).add(slot.key)
    number, name = max(seen, key=lambda slot: len(seen[slot]))
    why, likely = "and holds ever more", "a log, or a cache without a bound"
    if (number, name) in looked_at:
        why, likely = "without end, and is looked at", "a counter that decides"
    return refuse(
        f"{_label(places[number], name)} changes as tasks run, {why}",
        task="(any)",
        likely=likely,
    )


def difference(
    places: Sequence[KeptPlace],
    held: tuple[Kept, Kept],
    task: str,
    at: str,
    behaviours: tuple[str, str],
) -> CannotLearn:
    """Return the refusal that names what decides, where, and both behaviours.

    Args:
        places: where something is kept.
        held: what was kept at first, and what was kept now.
        task: whose step it is.
        at: after which statement.
        behaviours: what was learned, and what was done now.
    """
    learned, got = behaviours
    if learned == got:
        learned, got = f"{learned} by other variables", f"{got} by these variables"
    label, first, now = _what_differs(places, *held)
    return CannotLearn(
        f"cannot be proved: {label} changes as tasks run, and decides what they do\n"
        f"  in task  {task}\n"
        f"  at       {at}\n"
        f"  learned  {learned}, where it holds {first}\n"
        f"  instead  {got}, where it holds {now}\n"
        "likely: hidden state: two tasks, or two executions, share it\n"
        "next: keep state in the store, or search with --strategy random instead"
    )


def operation_text(effects: Effects, number: int | None) -> str:
    """Write a learned operation; the end, if there is none."""
    if number is None:
        return "its end"
    operation = effects.operations[number].operation
    return call_text(operation.statement, operation.args)


def _label(place: KeptPlace, name: Key) -> str:
    return place.name_of(name[1]) if place.holder.has_names else place.label


def _what_differs(
    places: Sequence[KeptPlace], first: Kept, now: Kept
) -> tuple[str, str, str]:
    """Return the name of a slot that differs from its first value, and both."""
    for number, place in enumerate(places):
        before = {one.name: one for one in first.slots[number]}
        after = {one.name: one for one in now.slots[number]}
        for name in {**before, **after}:
            one, other = before.get(name), after.get(name)
            if (one and one.key) != (other and other.key):
                return _label(place, name), _shown(one), _shown(other)
    return places[0].label, "its first value", "the same"


def _shown(slot: Slot | None) -> str:
    """Write what a slot holds, never an address."""
    if slot is None:
        return "nothing"
    tag, *rest = slot.recipes[1]
    if tag == "number" or (tag == "itself" and type(rest[0]) in ATOMS):
        return repr(rest[0])
    if tag == "itself":
        return f"a {type(rest[0]).__name__}"
    return f"another {rest[0].__name__}" if tag in ("items", "instance") else "another"

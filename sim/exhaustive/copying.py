"""Copies of values that are kept, made in another execution than they were found in.

Knows Python's types, nothing of tasks; calls no method of the code under test. A value
becomes a recipe. What is the same in each execution stays what it is, or is replaced by
what has its part there; anything else is built anew from what it is made of.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import MethodType
from typing import Any, Final

from wavecheck.sim.exhaustive.anatomy import (
    ATOMS,
    BY_ITSELF,
    VALUES,
    IdentityMap,
    anatomy,
    is_class,
    mro_of,
    shape_of,
    vars_of,
)
from wavecheck.sim.exhaustive.identity import PASSING, Identity
from wavecheck.sim.exhaustive.refusal import CannotCompare
from wavecheck.sim.exhaustive.unread import Unread

Recipe = tuple[Any, ...]
"""How to make a value: a tag and what it needs; see `Freezing` and `Thawing`."""

_TAGS: Final = frozenset(
    {"constant", "number", "items", "dict", "method", "partial", "instance", "itself"}
)


class Freezing:
    """Turns values into recipes, the same object always into the same recipe."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._known: IdentityMap[Recipe] = IdentityMap()

    def recipe(self, value: Any) -> Recipe:
        """Return how to make a value again.

        Raises:
            CannotCompare: it cannot be copied.
        """
        number = self._identity.constant(value)
        if number is not None:
            return ("constant", number, _is_only_itself(value))
        known = self._known.get(value)
        if known is None:
            known = self._made(value)
            self._known.set(value, known)
        return known

    def _made(self, value: Any) -> Recipe:
        kind = type(value)
        if kind is Unread:
            return ("number", 0)
        if kind in (tuple, list, set, frozenset):
            return ("items", kind, [self.recipe(one) for one in value])
        if kind is dict:
            return (
                "dict",
                [(self.recipe(k), self.recipe(v)) for k, v in value.items()],
            )
        if kind is MethodType:
            return ("method", value.__func__, self.recipe(value.__self__))
        if kind is functools.partial:
            held = (value.func, value.args, value.keywords)
            return ("partial", [self.recipe(one) for one in held])
        if not self._is_mutable(value):
            return ("itself", value)
        shape = shape_of(kind)
        if shape.base is not object:
            raise CannotCompare(kind.__qualname__)
        slots = [(get.__self__, name, get) for name, get in shape.slots]
        held_slots = [
            (member, self.recipe(get(value)))
            for member, name, get in slots
            if _is_set(get, value)
        ]
        fields = {} if shape.reads_dict is None else shape.reads_dict(value)
        return (
            *("instance", kind, held_slots),
            {name: self.recipe(one) for name, one in fields.items()},
        )

    def _is_mutable(self, value: Any) -> bool:
        """Return whether a value may be told from a copy, or may change."""
        return any(True for _ in changeable(value, self._identity))


def _is_only_itself(value: Any) -> bool:
    """Return whether an object is equal to itself alone, by its class."""
    for one in mro_of(type(value)):
        if "__eq__" in vars_of(one):
            return one is object
    return False


def _is_set(get: Callable[[Any], Any], value: Any) -> bool:
    try:
        get(value)
    except AttributeError:
        return False
    return True


def changeable(value: Any, identity: Identity) -> Iterator[Any]:
    """Yield the objects in a value that can change and are no constants.

    Raises:
        CannotCompare: it cannot be read.
    """
    todo, met = [value], IdentityMap[int]()
    while todo:
        one = todo.pop()
        kind = type(one)
        if kind in ATOMS or kind in BY_ITSELF or one in met:
            continue
        if identity.constant(one) is not None or is_class(one):
            continue
        met.set(one, 0)
        _, children = anatomy(one)
        if not _is_fixed(kind):
            yield one
        todo.extend(child for _, child in children)


def _is_fixed(kind: type) -> bool:
    if kind in (MethodType, functools.partial):
        return True
    shape = shape_of(kind)
    return shape.base in VALUES and shape.adds_nothing


@dataclass(slots=True)
class Thawing:
    """Makes values again, in another execution.

    Attributes:
        constant: returns a constant of this execution by its number.
        readers: of stand-ins for any number; None: real numbers are put there.
    """

    constant: Callable[[tuple[int, int]], Any]
    readers: list[str] | None
    _made: IdentityMap[list[Any]] = field(default_factory=IdentityMap)

    def make(self, recipe: Recipe) -> Any:
        """Return the value of a recipe; the same one each time."""
        known = self._made.get(recipe)
        if known is None:
            known = [self._make(recipe)]
            self._made.set(recipe, known)
        return known[0]

    def _make(self, recipe: Recipe) -> Any:
        match recipe:
            case ("constant", number, _):
                return self.constant(number)
            case ("number", sample):
                if self.readers is None:
                    return sample
                return Unread(self.readers, type(sample))
            case ("items", kind, held):
                return kind([self.make(one) for one in held])
            case ("dict", pairs):
                return {self.make(key): self.make(one) for key, one in pairs}
            case ("method", function, owner):
                return MethodType(function, self.make(owner))
            case ("partial", held):
                function, args, named = [self.make(one) for one in held]
                return functools.partial(function, *args, **named)
            case ("instance", kind, slots, fields):
                made = object.__new__(kind)
                for member, one in slots:
                    member.__set__(made, self.make(one))
                reads_dict = shape_of(kind).reads_dict
                if reads_dict is not None:
                    held = {name: self.make(one) for name, one in fields.items()}
                    reads_dict(made).update(held)
                return made
        return recipe[1]


def within(recipe: Any) -> Iterator[Recipe]:
    """Yield a recipe and all inside it."""
    if type(recipe) is tuple and recipe and recipe[0] in _TAGS:
        yield recipe
        if recipe[0] == "itself":
            return
    if type(recipe) in (tuple, list):
        for one in recipe:
            yield from within(one)
    elif type(recipe) is dict:
        yield from within(list(recipe.values()))


def is_passing(recipe: Recipe) -> bool:
    """Return whether a recipe is an object that each execution has of its own."""
    return bool(recipe[0] == "constant" and recipe[1][0] == PASSING)


def is_lost(recipe: Recipe) -> bool:
    """Return whether a call was made with an object that is only equal to itself."""
    return any(is_passing(one) and one[2] for one in within(recipe))

"""Shared state as numbers: each row, counter value or small part is a component.

Knows the general parts. The value of a component is interned; number 0 is its value in
the initial state, so the initial state is all zeros and a component that is found late
(a row nobody had inserted yet) was 0 all along.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from wavecheck.sim.exhaustive.identity import Identity
from wavecheck.sim.exhaustive.recording import ABSENT, Projection
from wavecheck.sim.exhaustive.reduction import WHOLE
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.parts import Counter, Part, Table


@dataclass(slots=True, kw_only=True)
class Component:
    """One piece of shared state.

    Attributes:
        part: where it lives.
        key: of the row or the counter value; `WHOLE` for a part of one component.
        values: by number.
        numbers: by key of the value.
        classes: by name of a projection, what is seen of each value.
    """

    part: Part
    key: Hashable
    values: list[Any] = field(default_factory=list)
    numbers: dict[Hashable, int] = field(default_factory=dict)
    classes: dict[Hashable, list[Hashable]] = field(default_factory=dict)


class SharedState:
    """The components of all parts of a kernel, which must be at its mark.

    Attributes:
        components: in order of discovery.
        grown_parts: names of parts that got a component since this was last cleared.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.components: list[Component] = []
        self.grown_parts: set[str] = set()
        self._identity = Identity()
        self._index: dict[tuple[str, Hashable], int] = {}
        self._of_part: dict[str, list[int]] = {name: [] for name in kernel.parts}
        self._parts = kernel.parts
        self._loaded: dict[str, tuple[int, ...] | None] = {}
        for part in kernel.parts.values():
            if isinstance(part, Table):
                for row in part:
                    self._add(part, part._key(row), row)
            elif isinstance(part, Counter):
                for key, value in part.items():
                    self._add(part, key, value)
            else:
                self._add(part, WHOLE, part.snapshot())
        self.grown_parts.clear()

    def add_part(self, part: Part) -> int:
        """Return the component of a part that the world itself does not have."""
        self._of_part[part.name] = []
        index = self._add(part, WHOLE, part.snapshot())
        self.grown_parts.discard(part.name)
        return index

    def known(self, part: Part, key: Hashable) -> int | None:
        """Return the index of a component, if it has one."""
        return self._index.get((part.name, key))

    def component(self, part: Part, key: Hashable) -> int:
        """Return the index of a component; a row that was never seen gets one."""
        index = self._index.get((part.name, key))
        if index is None:
            # Whatever is there at the mark has one, so this is nothing at the mark.
            return self._add(part, key, ABSENT if isinstance(part, Table) else 0)
        return index

    def _add(self, part: Part, key: Hashable, initial: Any) -> int:
        index = self._index[part.name, key] = len(self.components)
        self.components.append(Component(part=part, key=key))
        self._of_part[part.name].append(index)
        self.grown_parts.add(part.name)
        self._loaded.pop(part.name, None)
        self.number(index, initial)
        return index

    def key(self, part: Part, key: Hashable) -> Hashable:
        """Return the key of the component that a change of a part is a change of."""
        return key if isinstance(part, Table | Counter) else WHOLE

    def components_of(self, part: Part) -> list[int]:
        """Return the indexes of all components of a part."""
        return self._of_part[part.name]

    def number(self, index: int, value: Any) -> int:
        """Return the number of a value of a component."""
        component = self.components[index]
        key = self._identity.key(value)
        number = component.numbers.get(key)
        if number is None:
            number = component.numbers[key] = len(component.values)
            component.values.append(value)
        return number

    def known_number(self, index: int, value: Any) -> int:
        """Return the number of a value of a component, -1 if it never had it."""
        return self.components[index].numbers.get(self._identity.key(value), -1)

    def seen(self, index: int, number: int, projection: Projection) -> Hashable:
        """Return what a projection shows of a value."""
        component = self.components[index]
        classes = component.classes.setdefault(projection.name, [])
        while len(classes) < len(component.values):
            classes.append(projection.of(component.values[len(classes)]))
        return classes[number]

    def value(self, part: Part, key: Hashable) -> Any:
        """Return the value that a component has in its part now."""
        if isinstance(part, Table):
            return part.find(key)
        if isinstance(part, Counter):
            return part.get(key)
        return part.snapshot()

    def touched(self, changes: Iterable[Any]) -> list[int]:
        """Return the components that some changes touched; note that they differ."""
        found: dict[int, None] = {}
        for part, key, _, _ in changes:
            self._loaded.pop(part.name, None)
            found[self.component(part, self.key(part, key))] = None
        return list(found)

    def forget(self) -> None:
        """Note that the parts may hold anything now."""
        self._loaded.clear()

    def load_afresh(self, numbers: Sequence[int]) -> None:
        """Set the parts to a state, whatever they hold now."""
        self.forget()
        self.load(numbers)

    def load(self, numbers: Sequence[int]) -> None:
        """Set the parts to a state.

        Args:
            numbers: of the value of each component; those found later are at 0.
        """
        missing = len(self.components) - len(numbers)
        if missing > 0:
            numbers = [*numbers, *[0] * missing]
        for name, part in self._parts.items():
            indexes = self._of_part[name]
            wanted = tuple([numbers[index] for index in indexes])
            if self._loaded.get(name) == wanted:
                continue
            held = [self.components[index] for index in indexes]
            values = [
                one.values[number] for one, number in zip(held, wanted, strict=True)
            ]
            if isinstance(part, Table):
                part.restore(tuple([row for row in values if row is not ABSENT]))
            elif isinstance(part, Counter):
                keys = [one.key for one in held]
                pairs = zip(keys, values, strict=True)
                part.restore(tuple([pair for pair in pairs if pair[1]]))
            else:
                part.restore(values[0])
            self._loaded[name] = wanted

"""An exhibit: a known fault told as a small world, in one file, with its fixes.

A file declares what happened and where (the thread), a store of general parts with its
statements, the code under test in two or more variants, a *story* (which tasks run),
properties in the words of the domain, and the verdicts that are expected. Everything
else (world, settings, scenario) is made here, the same for all.

Knows scenarios and the engine's protocols; knows no exhibit.
"""

from collections.abc import Callable, Coroutine, Hashable, Iterator, Mapping
from dataclasses import dataclass, make_dataclass
from enum import Enum
from functools import cached_property
from inspect import getsourcefile
from pathlib import Path
from typing import Annotated, Any, Final

from annotated_types import Ge, Le

from wavecheck.scenarios.scenario import Scenario
from wavecheck.scenarios.worlds import WorldBuilder, world
from wavecheck.sim.faults import Adversary, FaultPlan
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.mutant import Mutant
from wavecheck.sim.property import Moment, Property
from wavecheck.sim.search.kinds import KnownCause
from wavecheck.sim.surroundings import Outside, made_outside

SIZE_MAX: Final = 50

Size = Annotated[int, Ge(1), Le(SIZE_MAX)]


class Harm(Enum):
    """What the fault does to those who rely on the system."""

    STRANDED = "stranded"
    TWICE = "twice"
    EARLY = "too early"
    LEAKED = "leaked"
    WRONG = "wrong value"


class Pattern(Enum):
    """The root of a fault: what the code did not think of."""

    COUNTED_EARLY = "counted before all are registered"
    NOBODY_RECHECKS = "nobody re-checks after leaving"
    UNGUARDED_UPDATE = "check, then act without a guard"
    CALLBACK_NOT_ARMED = "callback not armed, or not idempotent"
    MISCOUNTED = "counter moved twice or never"
    LIVE_OWNER = "lease or rescue against a live owner"
    POISONED_BULK = "bulk step poisoned by one row"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to write the code under test.

    Attributes:
        code: the class; it is made with the store alone.
        violates: the properties that some schedule violates; empty: none does.
    """

    code: type[Any]
    violates: tuple[str, ...] = ()


Tasks = Iterator[tuple[str, Coroutine[Any, Any, Any]]]
"""The tasks of one execution with their names, in the order of spawning."""

Story = Callable[[Any, Any, Any], Tasks]
"""Called with store, code under test and sizes; yields the tasks."""


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """One fault with its fixes.

    Attributes:
        collection: where it belongs: `zoo` or `classic`.
        short_name: unique in its collection.
        source: the public thread or publication.
        title: one line.
        harms: what it does.
        pattern: its root.
        mechanism: what goes wrong, in three sentences.
        causes: the same as data: the main cause of each property that is violated;
            none where every order violates it.
        inferred: what the source does not say and we have supplied.
        left_out: what was abstracted away.
        fault_budget: what must fail for it to happen; empty: nothing.
        store: makes the shared state and its statements.
        story: the tasks.
        properties: what is judged.
        variants: by name; the first is the code as it was.
        methods: the coroutine methods of the code under test.
        sizes: settings with their defaults; each can be lowered to 1.
        mutants: weaker statements, to try whether a check of a fix would be missed.
        expects: errors that may end a task; any other one violates `no_error`.
    """

    collection: str
    short_name: str
    source: str
    title: str
    harms: tuple[Harm, ...]
    pattern: Pattern | None
    mechanism: str
    causes: tuple[KnownCause, ...] = ()
    inferred: str = ""
    left_out: str
    fault_budget: str = ""
    store: Callable[[Kernel, Any], Any]
    story: Story
    properties: tuple[Property, ...]
    variants: Mapping[str, Variant]
    methods: tuple[str, ...]
    sizes: Mapping[str, int]
    mutants: tuple[Mutant, ...] = ()
    expects: tuple[type[BaseException], ...] = ()

    @property
    def name(self) -> str:
        """Return the name as on the command line."""
        return f"{self.collection}/{self.short_name}"

    @property
    def file(self) -> Path:
        """Return the file that declares it."""
        found = getsourcefile(self.first.code)
        assert found is not None
        return Path(found)

    @property
    def first(self) -> Variant:
        """Return the code as it was."""
        return next(iter(self.variants.values()))

    def fixed(self) -> list[str]:
        """Return the names of the variants that are expected to violate nothing."""
        return [name for name, one in self.variants.items() if not one.violates]

    @cached_property
    def scenario(self) -> Scenario:
        """Return it as a scenario like any other."""
        fields = [(name, Size, size) for name, size in self.sizes.items()]

        def build(w: WorldBuilder) -> StoryWorld:
            return StoryWorld(w.kernel, w.code, w.settings, self)

        declared: Scenario = world(
            build,
            name=self.name,
            summary=self.title,
            settings=make_dataclass("Sizes", fields, frozen=True, kw_only=True),
            least=dict.fromkeys(self.sizes, 1),
            code={name: one.code for name, one in self.variants.items()},
            methods=self.methods,
            mutants=self.mutants,
            collection=self.collection,
        )
        return declared


class StoryWorld:
    """A store, and the tasks of a story over it."""

    def __init__(
        self, kernel: Kernel, code: type[Any], settings: Any, exhibit: Exhibit
    ) -> None:
        self.kernel = kernel
        self.properties = exhibit.properties
        self.store = exhibit.store(kernel, settings)
        self.under_test: object | None = None
        self._code = code
        self._settings = settings
        self._story = exhibit.story
        kernel.expected_errors = exhibit.expects
        kernel.mark()

    def start(self) -> None:
        """Spawn the tasks of the story."""
        start = Outside(self.kernel.seed)
        code = self.under_test = made_outside(start, self._code, self.store)
        for name, coroutine in self._story(self.store, code, self._settings):
            self.kernel.spawn(coroutine, name)

    def plan_faults(self, plan: FaultPlan) -> None:
        """Refuse any fault: a fault that a story needs is one of its tasks."""
        Adversary(self.kernel, {}, plan)

    def heal(self) -> bool:
        """Return False: there is nothing to recover."""
        return False


def finally_(
    name: str,
    meaning: str,
    wrong: Callable[[Any], str | None],
    *,
    at_risk: Callable[[Any], bool],
) -> Property:
    """Return a property of the state in which nothing can happen any more.

    Args:
        name: as on the command line.
        meaning: one sentence in the words of the domain.
        wrong: called with the store; what is wrong, or None.
        at_risk: called with the store at the end; whether it could have been violated.
    """
    return Property(
        name=name,
        meaning=meaning,
        moment=Moment.AT_QUIESCENCE,
        at_end=lambda world: wrong(world.store),
        is_at_risk=lambda world: at_risk(world.store),
    )


def once(name: str, what: str, counter: str) -> Property:
    """Return a property that nothing counted happens a second time.

    Args:
        name: as on the command line.
        what: what is counted, such as "the callback runs".
        counter: name of the counter, which is also the store's attribute.
    """
    return always(
        name,
        f"{what} once",
        counter,
        lambda store, key, before, after: (
            f"{what} {after} times" if after > 1 else None
        ),
        at_risk=lambda store: getattr(store, counter).get() > 0,
    )


def always(
    name: str,
    meaning: str,
    part: str,
    wrong: Callable[[Any, Hashable, Any, Any], str | None],
    *,
    at_risk: Callable[[Any], bool],
) -> Property:
    """Return a property that is judged at every change of a part.

    Args:
        name: as on the command line.
        meaning: one sentence in the words of the domain.
        part: name of the part.
        wrong: called with store, key, before and after; what is wrong, or None.
        at_risk: called with the store at the end; whether it could have been violated.
    """
    return Property(
        name=name,
        meaning=meaning,
        moment=Moment.ALWAYS,
        on_change={
            part: lambda world, key, before, after: wrong(
                world.store, key, before, after
            )
        },
        is_at_risk=lambda world: at_risk(world.store),
    )

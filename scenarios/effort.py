"""How hard to try, as one value, whichever strategy answers.

The command line's options and the keywords of `check`, `prove` and `sweep` are made
from it: a field's annotation says how it is spelt there and what it means. Knows no
strategy.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Final, TypedDict, get_type_hints

from wavecheck.sim.deadline import Deadline
from wavecheck.sim.memory import Room
from wavecheck.sim.search.session import Budget

DEFAULT_SECONDS: Final = 10.0
"""Of a search that has no budget."""

MEMORY_MAX: Final = 8 << 30
"""Bytes, unless the user says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """How a field of an effort is written on a command line.

    Attributes:
        flag: with its dashes.
        meaning: one line.
        metavar: what stands for the value; empty: as its type says. TIME is a text such
            as 10s, SIZE one such as 4GB.
        least: of a number; None: any.
        most: of a number; None: any.
    """

    flag: str
    meaning: str
    metavar: str = ""
    least: int | None = None
    most: int | None = None


class EffortOptions(TypedDict, total=False):
    """The fields of `Effort` as keywords, as Python's callers give them."""

    strategy: str
    seconds: float | None
    executions: int | None
    seed: int
    stops_at_first: bool
    shrinks: bool
    database: Path | None
    memory_bytes: int
    reduces: bool
    checkpoint: Path | None
    threads: int
    jobs: int
    cluster: str | None
    db: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How hard to try, and where.

    Attributes:
        strategy: name of the strategy.
        seconds: budget; a search has ten seconds if no budget is given, a proof none.
        executions: budget of a search.
        seed: of the strategy.
        stops_at_first: end with the first violation instead of looking for others.
        shrinks: make the counterexamples small.
        database: folder in which strategy `hypothesis` keeps failures between runs.
        memory_bytes: what the work may hold; a proof moves its arrays to files before
            it ends there.
        reduces: a proof leaves out state that is written and never looked at.
        checkpoint: folder in which each completed level of a proof is kept; what an
            earlier proof left there is taken up again. It leaves nothing out.
        threads: how many look up states at once in a proof.
        jobs: processes of this machine; 0: one for each core.
        cluster: address of a Dask scheduler, instead of `jobs`.
        db: address of a PostgreSQL server, on which worlds with a PostgreSQL database
            run, with the drivers themselves; None: in the model.
    """

    strategy: Annotated[
        str, Spelling(flag="--strategy", meaning="As in `wavecheck list strategies`.")
    ] = "portfolio"
    seconds: Annotated[
        float | None,
        Spelling(
            flag="--budget",
            meaning="For all of it, such as 2m; a search without limits: 10s.",
            metavar="TIME",
        ),
    ] = None
    executions: Annotated[
        int | None, Spelling(flag="--executions", meaning="Budget in executions.")
    ] = None
    seed: Annotated[
        int, Spelling(flag="--seed", meaning="Of the strategy.", least=0)
    ] = 0
    stops_at_first: Annotated[
        bool, Spelling(flag="--first", meaning="End with the first violation.")
    ] = False
    shrinks: bool = True
    database: Annotated[
        Path | None,
        Spelling(
            flag="--database", meaning="Where hypothesis keeps failures.", metavar="DIR"
        ),
    ] = None
    memory_bytes: Annotated[
        int,
        Spelling(
            flag="--memory", meaning="What may be held, such as 4GB.", metavar="SIZE"
        ),
    ] = MEMORY_MAX
    reduces: Annotated[
        bool, Spelling(flag="--no-reduction", meaning="A proof leaves nothing out.")
    ] = True
    checkpoint: Annotated[
        Path | None,
        Spelling(
            flag="--checkpoint",
            meaning="Keep a proof's levels here, and take it up.",
            metavar="DIR",
        ),
    ] = None
    threads: Annotated[
        int,
        Spelling(
            flag="--threads",
            meaning="Threads that look states up in a proof.",
            least=1,
            most=64,
        ),
    ] = 1
    jobs: Annotated[
        int,
        Spelling(
            flag="--jobs",
            meaning="Processes; 0: one for each core.",
            metavar="N",
            least=0,
        ),
    ] = 1
    cluster: Annotated[
        str | None,
        Spelling(
            flag="--cluster",
            meaning="A Dask scheduler: tcp://HOST:8786.",
            metavar="URL",
        ),
    ] = None
    db: Annotated[
        str | None,
        Spelling(
            flag="--db",
            meaning="Run on this PostgreSQL itself: postgresql://USER@HOST/DB.",
            metavar="URL",
        ),
    ] = None

    @property
    def leaves_out(self) -> bool:
        """Return whether a proof may leave state out of what is explored."""
        return self.reduces and self.checkpoint is None

    def budget(self) -> Budget:
        """Return the budget of a search."""
        if self.seconds is None and self.executions is None:
            return Budget(seconds=DEFAULT_SECONDS)
        return Budget(seconds=self.seconds, executions=self.executions)

    def deadline(
        self, clock: Callable[[], float], *, is_proof: bool = False
    ) -> Deadline:
        """Return when all work ends: looking or proving, shrinking, explaining.

        Args:
            clock: seconds from some fixed moment; the work begins now.
            is_proof: it has no end where no budget is given.
        """
        seconds = self.seconds if is_proof else self.budget().seconds
        return Deadline(seconds, clock, Room(self.memory_bytes))


def spellings() -> Mapping[str, tuple[Any, Any, Spelling]]:
    """Return (type, default, spelling) of what a command line can say, by field."""
    hints = get_type_hints(Effort, include_extras=True)
    found = {}
    for field in fields(Effort):
        hint = hints[field.name]
        for spelling in getattr(hint, "__metadata__", ()):
            found[field.name] = hint.__origin__, field.default, spelling
    return found

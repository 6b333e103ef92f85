"""UNION, EXCEPT and INTERSECT of the rows of two queries."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from wavecheck.scenarios.sql.frame import Frame
from wavecheck.scenarios.sql.parsing import NotModelled
from wavecheck.scenarios.sql.terms import Evaluate, Expression, coerced

if TYPE_CHECKING:
    from wavecheck.scenarios.sql.queries import Query

Row = tuple[Any, ...]


def brought(query: "Query", kinds: list[str]) -> Callable[[Frame], Iterator[Row]]:
    """Return the rows of a query with their values brought to some types."""
    if [kind for _, kind in query.columns] == kinds:
        return query.run
    place = 0
    items: list[Row] = [()]

    def read(position: int) -> Evaluate:
        return lambda frame: items[0][position]

    changes = [
        coerced(Expression(read(n), kind), to).evaluate
        for n, ((_, kind), to) in enumerate(zip(query.columns, kinds, strict=True))
    ]

    def run(frame: Frame) -> Iterator[Row]:
        for row in query.run(frame):
            items[place] = row
            yield tuple([change(frame) for change in changes])

    return run


def _union(one: Iterator[Row], other: Iterator[Row]) -> Iterator[Row]:
    seen: dict[Row, None] = {}
    for rows in (one, other):
        for row in rows:
            if row not in seen:
                seen[row] = None
                yield row


def _union_all(one: Iterator[Row], other: Iterator[Row]) -> Iterator[Row]:
    yield from one
    yield from other


def _except(one: Iterator[Row], other: Iterator[Row]) -> Iterator[Row]:
    seen = dict.fromkeys(other)
    for row in one:
        if row not in seen:
            seen[row] = None
            yield row


def _intersect(one: Iterator[Row], other: Iterator[Row]) -> Iterator[Row]:
    left = dict.fromkeys(other)
    for row in dict.fromkeys(one):
        if row in left:
            yield row


def _unknown_set(one: Iterator[Row], other: Iterator[Row]) -> Iterator[Row]:
    raise NotModelled("EXCEPT ALL or INTERSECT ALL")


SETS: Final = {
    ("SETOP_UNION", False): _union,
    ("SETOP_UNION", True): _union_all,
    ("SETOP_EXCEPT", False): _except,
    ("SETOP_INTERSECT", False): _intersect,
    ("SETOP_EXCEPT", True): _unknown_set,
    ("SETOP_INTERSECT", True): _unknown_set,
}

"""ORDER BY: rows sorted by several keys, each with its direction and its NULLs."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from wavecheck.scenarios.sql.frame import Frame
from wavecheck.scenarios.sql.terms import Evaluate
from wavecheck.scenarios.sql.values import Interval

Row = tuple[Any, ...]


class SortKey(NamedTuple):
    """One item of ORDER BY."""

    evaluate: Evaluate
    is_descending: bool
    is_null_first: bool


def span_of(evaluate: Evaluate) -> Evaluate:
    """Return how long an interval is."""

    def span(frame: Frame) -> Any:
        value: Interval | None = evaluate(frame)
        return None if value is None else value.span()

    return span


def sort(
    items: list[Any], keys: Sequence[tuple[Callable[[Any], Any], bool, bool]]
) -> None:
    """Sort in place by several keys, each with its direction and where NULLs go."""
    for value_of, is_descending, is_null_first in reversed(keys):
        at_front = is_null_first is not is_descending

        def key(item: Any, of: Any = value_of, front: bool = at_front) -> Any:
            value = of(item)
            is_null = value is None
            return (is_null is not front, 0 if is_null else value)

        items.sort(key=key, reverse=is_descending)


def sorted_rows(
    run: Callable[[Frame], Iterator[Row]], order: list[SortKey], place: int
) -> Callable[[Frame], Iterator[Row]]:
    """Return the rows of a query in an order that reads them at a place."""
    if not order:
        return run

    def ordered(frame: Frame) -> Iterator[Row]:
        rows = []
        for row in run(frame):
            frame[place] = row
            rows.append((row, [one.evaluate(frame) for one in order]))
        sort(rows, key_list(order))
        return iter([row for row, _ in rows])

    return ordered


def key_list(order: Sequence[SortKey]) -> list[tuple[Callable[[Any], Any], bool, bool]]:
    """Return the keys of items that hold their values second."""

    def at(index: int) -> Callable[[Any], Any]:
        return lambda item: item[1][index]

    return [
        (at(n), one.is_descending, one.is_null_first) for n, one in enumerate(order)
    ]

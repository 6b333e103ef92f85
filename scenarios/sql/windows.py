"""Window functions over the combinations of rows of one query."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from wavecheck.scenarios.sql.frame import Frame

if TYPE_CHECKING:
    from wavecheck.scenarios.sql.calls import Window

Row = tuple[Any, ...]


def fill_windows(
    combos: Callable[[Frame], Iterator[Row]],
    windows: "list[Window]",
    places: list[int],
    at: int,
) -> Callable[[Frame], Iterator[Row]]:
    """Return the combinations with the results of window functions.

    Args:
        combos: gives what is in the frame at some places.
        windows: the functions.
        places: in the frame.
        at: the place of the results, which is among them.
    """

    def run(frame: Frame) -> Iterator[Row]:
        rows = list(combos(frame))
        results: list[list[Any]] = [[None] * len(windows) for _ in rows]
        for index, one in enumerate(windows):
            _fill(frame, one, rows, places, results=results, index=index)
        for row, found in zip(rows, results, strict=True):
            for place, value in zip(places, row, strict=True):
                frame[place] = value
            frame[at] = tuple(found)
            yield tuple([frame[place] for place in places])

    return run


def _fill(
    frame: Frame,
    window: "Window",
    rows: list[Row],
    places: list[int],
    *,
    results: list[list[Any]],
    index: int,
) -> None:
    from wavecheck.scenarios.sql.aggregating import collect, finished
    from wavecheck.scenarios.sql.ordering import key_list, sort

    partitions: dict[Row, list[tuple[int, list[Any], list[Any]]]] = {}
    for number, row in enumerate(rows):
        for place, value in zip(places, row, strict=True):
            frame[place] = value
        key = tuple([one.evaluate(frame) for one in window.partition])
        order = [one.evaluate(frame) for one in window.order]
        values: list[Any] = []
        if window.aggregate is not None:
            collect(window.aggregate, frame, values)
        else:
            values = [one.evaluate(frame) for one in window.arguments]
        partitions.setdefault(key, []).append((number, order, values))
    keys = key_list(window.order)
    for items in partitions.values():
        sort(items, keys)
        for start, end in _peers(items):
            for place in range(start, end):
                if window.aggregate is not None:
                    seen = [one for item in items[:end] for one in item[2]]
                    value = finished(window.aggregate, seen)
                else:
                    value = _ranked(window.name, items, place, start)
                results[items[place][0]][index] = value


def _peers(items: list[Any]) -> Iterator[tuple[int, int]]:
    """Yield first and last of each run of rows that the order does not tell apart."""
    start = 0
    for at in range(1, len(items) + 1):
        if at == len(items) or items[at][1] != items[start][1]:
            yield start, at
            start = at


def _ranked(name: str, items: list[Any], place: int, start: int) -> Any:
    if name == "row_number":
        return place + 1
    if name == "rank":
        return start + 1
    if name == "dense_rank":
        return 1 + sum(items[at][1] != items[at - 1][1] for at in range(1, place + 1))
    values = items[place][2]
    if name == "first_value":
        return items[0][2][0]
    by = values[1] if len(values) > 1 else 1
    other = place - by if name == "lag" else place + by
    if 0 <= other < len(items):
        return items[other][2][0]
    return values[2] if len(values) > 2 else None

"""Aggregates: the values of a group, and what is made of them."""

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from wavecheck.scenarios.sql.frame import Frame
from wavecheck.scenarios.sql.ordering import sort

if TYPE_CHECKING:
    from wavecheck.scenarios.sql.calls import Aggregate

Row = tuple[Any, ...]


def collect(one: "Aggregate", frame: Frame, values: list[Row]) -> None:
    """Add the arguments of an aggregate for the rows in the frame."""
    if one.where is not None and one.where.evaluate(frame) is not True:
        return
    row = tuple([argument.evaluate(frame) for argument in one.arguments])
    if row and row[0] is None and not one.keeps_nulls:
        return
    values.append((*row, *[key.evaluate(frame) for key in one.order]))


def finished(one: "Aggregate", values: list[Row]) -> Any:
    """Return the result of an aggregate."""
    count = len(one.arguments)
    if one.order:
        keys = [
            (itemgetter(count + n), key.is_descending, key.is_null_first)
            for n, key in enumerate(one.order)
        ]
        values = list(values)
        sort(values, keys)
    rows = [row[:count] for row in values]
    if one.is_distinct:
        rows = list(dict.fromkeys(rows))
    return one.finish(rows)

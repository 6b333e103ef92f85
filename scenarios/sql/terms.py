"""Compiled expressions and the names that they can use: values, joined and converted.

Knows types and frames, no parse trees.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from wavecheck.scenarios.sql.frame import Frame
from wavecheck.scenarios.sql.operators import Binary, cast, wider
from wavecheck.scenarios.sql.session import SQLError
from wavecheck.scenarios.sql.values import STRINGS, parse_text, shown_type

Evaluate = Callable[[Frame], Any]
NOTHING: Final[frozenset[int]] = frozenset()
ROWS: Final = -1
"""Among what an expression reads: other rows than those in the frame."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression.

    Attributes:
        evaluate: gives its value.
        kind: name of its type; `unknown` for a text or NULL without one.
        reads: places in the frame that it reads.
        is_volatile: it changes something, or comes out differently each time.
        text: of a literal without a type; None: it is something else.
        column: place and position of a bare column; None: it is something else.
        equals: both sides of an equality that is that of their plain values.
    """

    evaluate: Evaluate
    kind: str
    reads: frozenset[int] = NOTHING
    is_volatile: bool = False
    text: str | None = None
    column: tuple[int, int] | None = None
    equals: "tuple[Expression, Expression] | None" = None


@dataclass(slots=True, eq=False)
class Source:
    """A table, subquery or function in FROM: where its columns are.

    Attributes:
        name: by which it is referred to.
        place: in the frame.
        columns: name and type of each.
        hidden: name, type and position of those that only a name brings up.
        is_visible: its columns can be referred to.
        table: name of the table that it is; empty: it is none.
    """

    name: str
    place: int
    columns: list[tuple[str, str]]
    hidden: dict[str, tuple[str, int]] = field(default_factory=dict)
    is_visible: bool = True
    table: str = ""


@dataclass(slots=True, eq=False)
class Scope:
    """The names that a query can use.

    Attributes:
        parent: of the query around it.
        sources: in FROM, in order.
        merged: columns of USING, by name.
        aggregates: compiled for the query; None: there can be none here.
        windows: likewise.
        place: in the frame, of the results of both.
        grouped: texts of the expressions that are grouped by; None: it is not grouped.
        is_correlated: it has referred to a query around it.
        is_volatile: something in it is.
        outer_reads: places of queries around it that it reads.
        ctes: what WITH defines here, by name.
    """

    parent: "Scope | None"
    sources: list[Source] = field(default_factory=list)
    merged: dict[str, Expression] = field(default_factory=dict)
    aggregates: list[Any] | None = None
    windows: list[Any] | None = None
    place: int = -1
    grouped: dict[str, Expression] | None = None
    in_aggregate: bool = False
    is_correlated: bool = False
    is_volatile: bool = False
    outer_reads: set[int] = field(default_factory=set)
    ctes: dict[str, Any] = field(default_factory=dict)


def constant(value: Any, kind: str) -> Expression:
    """Return the expression of a constant."""
    return Expression(lambda frame: value, kind)


def reads_of(*expressions: Expression) -> tuple[frozenset[int], bool]:
    """Return what some expressions read, and whether one of them is volatile."""
    places = frozenset().union(*(one.reads for one in expressions))
    return places, any(one.is_volatile for one in expressions)


def applied(
    function: Callable[..., Any], arguments: list[Expression], kind: str
) -> Expression:
    """Return a strict function of expressions: NULL if one of them is."""
    reads, is_volatile = reads_of(*arguments)
    if len(arguments) == 1:
        one = arguments[0].evaluate

        def unary(frame: Frame) -> Any:
            value = one(frame)
            return None if value is None else function(value)

        return Expression(unary, kind, reads, is_volatile)
    if len(arguments) == 2:
        left, right = arguments[0].evaluate, arguments[1].evaluate

        def both(frame: Frame) -> Any:
            a = left(frame)
            b = right(frame)
            return None if a is None or b is None else function(a, b)

        return Expression(both, kind, reads, is_volatile)
    each = [one.evaluate for one in arguments]

    def every(frame: Frame) -> Any:
        values = [evaluate(frame) for evaluate in each]
        return None if None in values else function(*values)

    return Expression(every, kind, reads, is_volatile)


def coerced(
    expression: Expression, kind: str, *, is_explicit: bool = False
) -> Expression:
    """Return an expression brought to a type.

    Raises:
        SQLError: it cannot be.
    """
    if expression.kind == kind:
        return expression
    if expression.text is not None:
        value = parse_text(kind, expression.text)
        return constant(value, kind)
    if not is_explicit and not _is_implicit(expression.kind, kind):
        raise SQLError(
            "42804",
            f"expression is of type {shown_type(expression.kind)} where"
            f" {shown_type(kind)} is expected",
        )
    change = cast(expression.kind, kind)
    if change is None:
        return Expression(
            expression.evaluate,
            kind,
            expression.reads,
            expression.is_volatile,
            column=expression.column,
        )
    return applied(change, [expression], kind)


def _is_implicit(kind: str, to: str) -> bool:
    if kind == "unknown" or to == "unknown":
        return True
    both = wider(kind, to)
    return bool(both) and (both == to or kind in STRINGS or to == "float4")


def truth(expression: Expression, what: str) -> Expression:
    """Return a condition.

    Raises:
        SQLError: it is no boolean.
    """
    if expression.kind not in ("bool", "unknown"):
        raise SQLError(
            "42804",
            f"argument of {what} must be type boolean, not type"
            f" {shown_type(expression.kind)}",
        )
    return coerced(expression, "bool")


def column_of(source: Source, position: int, kind: str) -> Expression:
    """Return the expression of a column."""
    place = source.place

    def read(frame: Frame) -> Any:
        return frame[place][position]

    return Expression(read, kind, frozenset({place}), column=(place, position))


def any_of(act: Binary, value: Any, items: Any, *, is_all: bool) -> bool | None:
    """Return whether an operator holds for any, or all, of some items."""
    has_unknown = False
    for item in items:
        found = None if value is None or item is None else act(value, item)
        if found is None:
            has_unknown = True
        elif bool(found) is not is_all:
            return not is_all
    return None if has_unknown else is_all


def conjunction(parts: list[Expression]) -> Expression:
    """Return the AND of conditions."""
    if len(parts) == 1:
        return parts[0]
    reads, is_volatile = reads_of(*parts)
    each = [one.evaluate for one in parts]

    def every(frame: Frame) -> bool | None:
        result: bool | None = True
        for evaluate in each:
            found = evaluate(frame)
            if found is False:
                return False
            if found is None:
                result = None
        return result

    return Expression(every, "bool", reads, is_volatile)


def disjunction(parts: list[Expression]) -> Expression:
    """Return the OR of conditions."""
    if len(parts) == 1:
        return parts[0]
    reads, is_volatile = reads_of(*parts)
    each = [one.evaluate for one in parts]

    def some(frame: Frame) -> bool | None:
        result: bool | None = False
        for evaluate in each:
            found = evaluate(frame)
            if found is True:
                return True
            if found is None:
                result = None
        return result

    return Expression(some, "bool", reads, is_volatile)


def negation(part: Expression) -> Expression:
    """Return the NOT of a condition."""
    return applied(lambda value: not value, [part], "bool")

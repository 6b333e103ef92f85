"""Calls of functions: plain ones, aggregates, windows, those that act on a database.

Knows which functions there are and what they need of a query; of rows nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wavecheck.scenarios.sql.frame import Frame
from wavecheck.scenarios.sql.functions import (
    NAMED_ARGUMENTS,
    aggregate,
    expanded,
    json_list,
    moment_function,
    overload,
)
from wavecheck.scenarios.sql.parsing import (
    Fields,
    Node,
    NotModelled,
    constant_text,
    function_name,
    only,
)
from wavecheck.scenarios.sql.session import SQLError
from wavecheck.scenarios.sql.terms import (
    Expression,
    Scope,
    applied,
    coerced,
    reads_of,
    truth,
)
from wavecheck.scenarios.sql.values import element_of

if TYPE_CHECKING:
    from wavecheck.scenarios.sql.compiling import Compiler

AGGREGATES: Final = frozenset(
    {
        *("count", "sum", "avg", "min", "max", "bool_and", "bool_or", "every"),
        *("array_agg", "string_agg", "jsonb_agg", "json_agg"),
    }
)
_ONLY_WINDOWS: Final = {
    "row_number": "int8",
    "rank": "int8",
    "dense_rank": "int8",
    "lag": "",
    "lead": "",
    "first_value": "",
}
_ADVISORY: Final = {
    f"pg_{'try_' if tries else ''}advisory_{'xact_' if xact else ''}lock"
    f"{'_shared' if shared else ''}": "bool" if tries else "void"
    for tries in (False, True)
    for xact in (False, True)
    for shared in (False, True)
}
ACTS: Final[dict[str, tuple[str, tuple[tuple[str, ...], ...]]]] = {
    **{name: (kind, (("int8",), ("int4", "int4"))) for name, kind in _ADVISORY.items()},
    "pg_advisory_unlock": ("bool", (("int8",), ("int4", "int4"))),
    "pg_advisory_unlock_shared": ("bool", (("int8",), ("int4", "int4"))),
    "pg_advisory_unlock_all": ("void", ((),)),
    "pg_notify": ("void", (("text", "text"),)),
    "gen_random_uuid": ("uuid", ((),)),
    "uuid_generate_v4": ("uuid", ((),)),
    "clock_timestamp": ("timestamptz", ((),)),
    "statement_timestamp": ("timestamptz", ((),)),
    "pg_current_xact_id": ("xid8", ((),)),
    "txid_current": ("int8", ((),)),
    "pg_current_snapshot": ("pg_snapshot", ((),)),
    "txid_current_snapshot": ("pg_snapshot", ((),)),
    "pg_backend_pid": ("int4", ((),)),
    "lastval": ("int8", ((),)),
}
"""Functions that act on the database or ask it: type of the result, of arguments."""

NUMBERED: Final = frozenset(
    {
        *("pg_current_xact_id", "txid_current"),
        *("pg_current_snapshot", "txid_current_snapshot"),
    }
)
"""Functions for which transactions must be counted."""

_SEQUENCES: Final = ("nextval", "currval", "setval")


@dataclass(frozen=True, slots=True, eq=False)
class Aggregate:
    """An aggregate of one query.

    Attributes:
        arguments: of each row.
        where: rows that count.
        is_distinct: equal values count once.
        order: expressions and directions to sort the values by.
        keeps_nulls: it is given NULLs, too.
        finish: from the values, each a tuple of arguments, to the result.
    """

    arguments: tuple[Expression, ...]
    where: Expression | None
    is_distinct: bool
    order: Any
    keeps_nulls: bool
    finish: Callable[[list[tuple[Any, ...]]], Any]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A window function of one query.

    Attributes:
        name: of the function.
        arguments: of each row.
        partition: expressions that are equal within a partition.
        order: expressions and directions.
        aggregate: of which it is the running value; None: it is no aggregate.
    """

    name: str
    arguments: tuple[Expression, ...]
    partition: tuple[Expression, ...]
    order: Any
    aggregate: Aggregate | None


class Calls:
    """Compiles the calls of functions of one statement."""

    def __init__(self, compiler: "Compiler") -> None:
        self._compiler = compiler

    def compile(self, fields: Fields, scope: Scope) -> Expression:
        """Return a call.

        Raises:
            NotModelled: the function is not known.
            SQLError: it does not fit.
        """
        name = function_name(fields)
        if name in _ONLY_WINDOWS or "over" in fields:
            return self._window(name, fields, scope)
        if name in AGGREGATES:
            return self._aggregate(name, fields, scope)
        only(fields, "funcname", "args", "funcformat", of=f"{name}()")
        nodes = fields.get("args", [])
        at = fields.get("location", -1)
        if name in ("now", "transaction_timestamp"):
            return moment_function(name, at)
        if name in _SEQUENCES:
            return self._sequence(name, nodes, scope, at)
        if any("NamedArgExpr" in one for one in nodes):
            nodes = _in_order(name, nodes, at)
        arguments = [self._compiler.expressions.compile(one, scope) for one in nodes]
        if name in ACTS:
            return self._act(name, arguments, at)
        found = overload(name, [one.kind for one in arguments])
        if found is None:
            raise NotModelled(f"the function {name}()", at)
        return self._plain(found, arguments)

    def _plain(self, found: Any, arguments: list[Expression]) -> Expression:
        takes = expanded(found.takes, len(arguments))
        assert takes is not None
        brought = []
        for kind, one in zip(takes, arguments, strict=True):
            to = kind
            if kind in ("any", "array"):
                to = "text" if one.kind == "unknown" else one.kind
            elif kind == "element":
                to = element_of(arguments[0].kind)
            brought.append(coerced(one, to))
        kinds = [one.kind for one in brought]
        kind = {"first": kinds[0] if kinds else "", "element": ""}.get(
            found.kind, found.kind
        )
        act = found.act
        if found.needs_kinds:
            given = act
            act = lambda *values: given(kinds, *values)  # noqa: E731 - a closure
        if not found.is_lenient and brought:
            return applied(act, brought, kind)
        reads, is_volatile = reads_of(*brought)
        each = [one.evaluate for one in brought]
        return Expression(
            lambda frame: act(*[one(frame) for one in each]), kind, reads, is_volatile
        )

    # Functions that act on the database -----------------------------------------------

    def _act(self, name: str, arguments: list[Expression], at: int) -> Expression:
        kind, signatures = ACTS[name]
        for takes in signatures:
            if len(takes) == len(arguments):
                brought = [
                    coerced(one, to) for one, to in zip(arguments, takes, strict=True)
                ]
                break
        else:
            raise SQLError("42883", f"function {name} does not exist")
        if name in NUMBERED:
            self._compiler.needs_numbers(name, at)
        self._compiler.note_act(name)
        return _acting(name, brought, kind)

    def _sequence(
        self, name: str, nodes: list[Node], scope: Scope, at: int
    ) -> Expression:
        first = nodes[0]
        if "TypeCast" in first:
            first = first["TypeCast"]["arg"]
        text = constant_text(first)
        if text is None:
            raise NotModelled(f"{name}() of a name that is computed", at)
        sequence = text.replace('"', "").removeprefix("public.")
        if sequence not in self._compiler.schema.sequences:
            raise SQLError("42P01", f'relation "{sequence}" does not exist')
        values = [self._compiler.expressions.compile(one, scope) for one in nodes[1:]]
        self._compiler.note_act(name)
        if name == "setval":
            values = [coerced(values[0], "int8"), *values[1:]]
        given = [
            Expression(lambda frame: sequence, "text"),
            *values,
        ]
        return _acting(name, given, "int8")

    # Aggregates and windows -----------------------------------------------------------

    def _aggregate(self, name: str, fields: Fields, scope: Scope) -> Expression:
        if scope.aggregates is None or scope.in_aggregate:
            where = "an aggregate" if scope.in_aggregate else "this clause"
            raise SQLError("42803", f"aggregate functions are not allowed in {where}")
        made, kind = self._make_aggregate(name, fields, scope)
        index = len(scope.aggregates)
        scope.aggregates.append(made)
        place = scope.place
        return Expression(lambda frame: frame[place][index], kind, frozenset({place}))

    def _make_aggregate(
        self, name: str, fields: Fields, scope: Scope
    ) -> tuple[Aggregate, str]:
        only(
            fields,
            "funcname",
            "args",
            "agg_star",
            "agg_distinct",
            "agg_filter",
            "agg_order",
            "over",
            "funcformat",
            of=f"{name}()",
        )
        scope.in_aggregate = True
        try:
            expressions = self._compiler.expressions
            arguments = [
                expressions.compile(one, scope) for one in fields.get("args", [])
            ]
            where = None
            if "agg_filter" in fields:
                where = truth(
                    expressions.compile(fields["agg_filter"], scope), "FILTER"
                )
            order = self._compiler.queries.order_of(fields.get("agg_order", []), scope)
        finally:
            scope.in_aggregate = False
        kind = arguments[0].kind if arguments else "int4"
        if kind == "unknown":
            arguments[0] = coerced(arguments[0], "text")
            kind = "text"
        keeps_nulls = name in ("array_agg", "jsonb_agg", "json_agg")
        finish: Callable[[list[tuple[Any, ...]]], Any]
        if name == "array_agg":
            finish = lambda rows: tuple([row[0] for row in rows]) or None  # noqa: E731 - a closure
            result = f"_{kind}"
        elif name in ("jsonb_agg", "json_agg"):
            finish = lambda rows: json_list(kind, [row[0] for row in rows])  # noqa: E731 - a closure
            result = name.removesuffix("_agg")
        elif name == "string_agg":
            finish, result = _joined, "text"
        else:
            found = aggregate(name, kind)
            assert found is not None
            act, result = found
            finish = lambda rows: act([row[0] for row in rows])  # noqa: E731 - a closure
            if fields.get("agg_star"):
                finish, keeps_nulls = len, True
        return (
            Aggregate(
                arguments=tuple(arguments),
                where=where,
                is_distinct=bool(fields.get("agg_distinct")),
                order=order,
                keeps_nulls=keeps_nulls,
                finish=finish,
            ),
            result,
        )

    def _window(self, name: str, fields: Fields, scope: Scope) -> Expression:
        if scope.windows is None:
            raise SQLError("42P20", "window functions are not allowed in this clause")
        over = fields["over"]
        only(over, "partitionClause", "orderClause", "frameOptions", of="a window")
        if over.get("frameOptions", 1058) != _DEFAULT_FRAME:
            raise NotModelled("a frame of a window", over.get("location", -1))
        expressions = self._compiler.expressions
        partition = [
            expressions.compile(one, scope) for one in over.get("partitionClause", [])
        ]
        order = self._compiler.queries.order_of(over.get("orderClause", []), scope)
        made = None
        arguments: list[Expression] = []
        if name in AGGREGATES:
            made, kind = self._make_aggregate(name, fields, scope)
        elif name in _ONLY_WINDOWS:
            only(fields, "funcname", "args", "over", "funcformat", of=f"{name}()")
            arguments = [
                expressions.compile(one, scope) for one in fields.get("args", [])
            ]
            kind = _ONLY_WINDOWS[name] or arguments[0].kind
        else:
            raise NotModelled(f"the window function {name}()", fields["location"])
        index = len(scope.windows)
        scope.windows.append(
            Window(name, tuple(arguments), tuple(partition), order, made)
        )
        place = scope.place + 1
        return Expression(lambda frame: frame[place][index], kind, frozenset({place}))


_DEFAULT_FRAME: Final = 1058


def _in_order(name: str, nodes: list[Node], at: int) -> list[Node]:
    """Return arguments of which some are given by name, as a call without names.

    Raises:
        NotModelled: the names of the function's arguments are not known.
        SQLError: it has no such argument, or it is given twice.
    """
    names = NAMED_ARGUMENTS.get(name)
    if names is None:
        raise NotModelled(f"arguments of {name}() by name", at)
    given = list(nodes)
    plain_count = next(i for i, one in enumerate(given) if "NamedArgExpr" in one)
    placed = dict(zip(names, given[:plain_count], strict=False))
    for one in given[plain_count:]:
        named = one["NamedArgExpr"]
        if named["name"] not in names or named["name"] in placed:
            raise SQLError("42883", f"function {name} does not exist")
        placed[named["name"]] = named["arg"]
    zero: Node = {"A_Const": {"ival": {}}}
    return [placed.get(one, zero) for one in names]


def _joined(rows: list[tuple[Any, ...]]) -> str | None:
    if not rows:
        return None
    text = str(rows[0][0])
    for value, by in rows[1:]:
        text += (by or "") + value
    return text


def _acting(name: str, arguments: list[Expression], kind: str) -> Expression:
    reads, _ = reads_of(*arguments)
    each = [one.evaluate for one in arguments]

    def act(frame: Frame) -> Any:
        values = tuple([one(frame) for one in each])
        if None in values:
            return None
        return frame.around.call(name, frame, values)

    return Expression(act, kind, reads, is_volatile=True)

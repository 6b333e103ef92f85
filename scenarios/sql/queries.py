"""SELECT: grouping, windows, order, limits and row locks over combinations of rows.

Knows how a query is put together. A query gives its rows one by one, so that LIMIT
stops what is before it: also the locking of rows, as in PostgreSQL, where LockRows
comes after the sort and before the limit. A row that has a newer version than the
query's snapshot shows is judged again on that version (EvalPlanQual) and keeps its
place in the order.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wavecheck.scenarios.sql.aggregating import collect, finished
from wavecheck.scenarios.sql.calls import AGGREGATES, Aggregate
from wavecheck.scenarios.sql.combining import SETS, brought
from wavecheck.scenarios.sql.frame import Frame
from wavecheck.scenarios.sql.locking import Mark, are_locked, marks_of
from wavecheck.scenarios.sql.operators import common_type
from wavecheck.scenarios.sql.ordering import (
    SortKey,
    key_list,
    sort,
    sorted_rows,
    span_of,
)
from wavecheck.scenarios.sql.parsing import (
    Fields,
    Node,
    NotModelled,
    function_name,
    only,
    string,
    without_places,
)
from wavecheck.scenarios.sql.session import SQLError
from wavecheck.scenarios.sql.terms import (
    Evaluate,
    Expression,
    Scope,
    Source,
    coerced,
    column_of,
    truth,
)
from wavecheck.scenarios.sql.windows import fill_windows

if TYPE_CHECKING:
    from wavecheck.scenarios.sql.compiling import Compiler

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A compiled query.

    Attributes:
        columns: name and type of each.
        run: gives its rows.
    """

    columns: list[tuple[str, str]]
    run: Callable[[Frame], Iterator[Row]]


class Queries:
    """Compiles the queries of one statement."""

    def __init__(self, compiler: "Compiler") -> None:
        self._compiler = compiler

    def compile(self, fields: Fields, parent: Scope | None) -> tuple[Query, Scope]:
        """Return a query and its scope, which tells what it depends on."""
        scope = Scope(parent)
        if "withClause" in fields:
            self._compiler.add_ctes(fields["withClause"], scope)
        if fields.get("op", "SETOP_NONE") != "SETOP_NONE":
            return self._combined(fields, scope), scope
        if "valuesLists" in fields:
            return self._values(fields, scope), scope
        return _Select(self._compiler, fields, scope).compiled(), scope

    # VALUES and set operations --------------------------------------------------------

    def _values(self, fields: Fields, scope: Scope) -> Query:
        only(fields, "valuesLists", "limitOption", "op", "withClause", of="VALUES")
        rows = [
            [
                self._compiler.expressions.compile(one, scope)
                for one in items["List"]["items"]
            ]
            for items in fields["valuesLists"]
        ]
        if len({len(row) for row in rows}) != 1:
            raise SQLError("42601", "VALUES lists must all be the same length")
        kinds = [
            common_type([one.kind for one in column], "VALUES")
            for column in zip(*rows, strict=True)
        ]
        each = [
            [coerced(one, kind).evaluate for one, kind in zip(row, kinds, strict=True)]
            for row in rows
        ]
        columns = [(f"column{n}", kind) for n, kind in enumerate(kinds, start=1)]

        def run(frame: Frame) -> Iterator[Row]:
            for row in each:
                yield tuple([one(frame) for one in row])

        return Query(columns, run)

    def _combined(self, fields: Fields, scope: Scope) -> Query:
        only(
            fields,
            "op",
            "all",
            "larg",
            "rarg",
            "sortClause",
            "limitCount",
            "limitOffset",
            "limitOption",
            "withClause",
            of="a set operation",
        )
        left, left_scope = self.compile(fields["larg"], scope)
        right, right_scope = self.compile(fields["rarg"], scope)
        for inner in (left_scope, right_scope):
            if inner.outer_reads:
                scope.outer_reads |= inner.outer_reads
                scope.is_correlated = True
        if len(left.columns) != len(right.columns):
            raise SQLError(
                "42601", "each set query must have the same number of columns"
            )
        columns = [
            (one[0], common_type([one[1], other[1]], "UNION"))
            for one, other in zip(left.columns, right.columns, strict=True)
        ]
        kinds = [kind for _, kind in columns]
        first, second = brought(left, kinds), brought(right, kinds)
        combine = SETS[fields["op"], bool(fields.get("all"))]

        def run(frame: Frame) -> Iterator[Row]:
            return iter(combine(first(frame), second(frame)))

        place = self._compiler.place()
        source = Source("", place, columns)
        inner = Scope(scope, sources=[source])
        order = self.order_of(fields.get("sortClause", []), inner, columns, place)
        return Query(
            columns, self.limited(fields, scope, sorted_rows(run, order, place))
        )

    # ORDER BY and LIMIT ---------------------------------------------------------------

    def order_of(
        self,
        nodes: list[Node],
        scope: Scope,
        outputs: list[tuple[str, str]] | None = None,
        place: int = -1,
        expressions: list[Expression] | None = None,
    ) -> list[SortKey]:
        """Return what ORDER BY says.

        Args:
            nodes: of the clause.
            scope: of its expressions.
            outputs: columns that it can name or number.
            place: of these columns in the frame.
            expressions: that these columns show; None: they are in the frame.
        """
        keys = []
        for node in nodes:
            body = node["SortBy"]
            only(body, "node", "sortby_dir", "sortby_nulls", of="ORDER BY")
            found = self._output(body["node"], outputs, place, expressions)
            if found is None:
                found = self._compiler.expressions.compile(body["node"], scope)
            if found.kind in ("json", "jsonb", "pg_snapshot"):
                raise NotModelled(f"the order of {found.kind}")
            is_descending = body["sortby_dir"] == "SORTBY_DESC"
            nulls = body["sortby_nulls"]
            is_null_first = nulls == "SORTBY_NULLS_FIRST" or (
                nulls == "SORTBY_NULLS_DEFAULT" and is_descending
            )
            evaluate = found.evaluate
            if found.kind == "interval":
                evaluate = span_of(evaluate)
            keys.append(SortKey(evaluate, is_descending, is_null_first))
        return keys

    def _output(
        self,
        node: Node,
        outputs: list[tuple[str, str]] | None,
        place: int,
        expressions: list[Expression] | None,
    ) -> Expression | None:
        """Return the output column that ORDER BY names or numbers, if it does."""
        if outputs is None:
            return None
        index = -1
        if "A_Const" in node:
            if "ival" not in node["A_Const"]:
                raise SQLError("42601", "non-integer constant in ORDER BY")
            index = int(node["A_Const"]["ival"].get("ival", 0)) - 1
            if not 0 <= index < len(outputs):
                raise SQLError(
                    "42P10", f"ORDER BY position {index + 1} is not in select list"
                )
        elif "ColumnRef" in node and len(node["ColumnRef"]["fields"]) == 1:
            name = string(node["ColumnRef"]["fields"][0])
            index = next((at for at, (one, _) in enumerate(outputs) if one == name), -1)
        if index < 0:
            return None
        if expressions is not None:
            return expressions[index]
        return column_of(Source("", place, outputs), index, outputs[index][1])

    def limited(
        self, fields: Fields, scope: Scope, run: Callable[[Frame], Iterator[Row]]
    ) -> Callable[[Frame], Iterator[Row]]:
        """Return a query that LIMIT and OFFSET cut."""
        if fields.get("limitOption") == "LIMIT_OPTION_WITH_TIES":
            raise NotModelled("WITH TIES")
        bounds = []
        for name in ("limitCount", "limitOffset"):
            bound = None
            if name in fields:
                compiled = self._compiler.expressions.compile(
                    fields[name], Scope(scope)
                )
                bound = coerced(compiled, "int8", is_explicit=True).evaluate
            bounds.append(bound)
        count, offset = bounds
        if count is None and offset is None:
            return run

        def cut(frame: Frame) -> Iterator[Row]:
            most = count(frame) if count is not None else None
            passed = (offset(frame) if offset is not None else 0) or 0
            if most is not None and most < 0:
                raise SQLError("2201W", "LIMIT must not be negative")
            if passed < 0:
                raise SQLError("2201X", "OFFSET must not be negative")
            if most == 0:
                return
            given = 0
            for index, row in enumerate(run(frame)):
                if index < passed:
                    continue
                yield row
                given += 1
                if given == most:
                    return

        return cut


class _Select:
    """One SELECT while it is compiled."""

    def __init__(self, compiler: "Compiler", fields: Fields, scope: Scope) -> None:
        only(
            fields,
            "distinctClause",
            "targetList",
            "fromClause",
            "whereClause",
            "groupClause",
            "havingClause",
            "windowClause",
            "sortClause",
            "limitCount",
            "limitOffset",
            "limitOption",
            "lockingClause",
            "withClause",
            "op",
            of="SELECT",
        )
        if "windowClause" in fields:
            raise NotModelled("WINDOW")
        self._compiler = compiler
        self._fields = fields
        self._scope = scope
        scope.place = compiler.place()
        compiler.place()  # of the results of windows
        self._from = compiler.sources.compile(
            fields.get("fromClause", []), fields.get("whereClause"), scope
        )
        self._places = [*self._from.places, scope.place, scope.place + 1]
        self._group: list[Expression] = []
        self._is_grouped = False

    def compiled(self) -> Query:
        fields, scope = self._fields, self._scope
        self._grouping()
        scope.windows = []
        outputs, columns = self._outputs()
        having = None
        if "havingClause" in fields:
            having = truth(
                self._compiler.expressions.compile(fields["havingClause"], scope),
                "HAVING",
            ).evaluate
        order = self._compiler.queries.order_of(
            fields.get("sortClause", []), scope, columns, -1, outputs
        )
        is_grouped = self._is_grouped or bool(scope.windows)
        marks = marks_of(fields, self._from, is_grouped=is_grouped)
        if marks:
            self._compiler.locks = True
        combos = self._combinations(having)
        if scope.windows:
            combos = fill_windows(combos, scope.windows, self._places, scope.place + 1)
        rows = self._rows(combos, [one.evaluate for one in outputs], order, marks)
        if any(one.is_volatile for one in outputs):
            scope.is_volatile = True
        return Query(columns, self._compiler.queries.limited(fields, scope, rows))

    def _outputs(self) -> tuple[list[Expression], list[tuple[str, str]]]:
        outputs, columns = [], []
        for node in self._fields.get("targetList", []):
            for name, found in self._compiler.target(node["ResTarget"], self._scope):
                if found.kind == "unknown":
                    found = coerced(found, "text")
                outputs.append(found)
                columns.append((name, found.kind))
        return outputs, columns

    # Grouping -------------------------------------------------------------------------

    def _grouping(self) -> None:
        fields, scope = self._fields, self._scope
        clauses = [fields.get(name, []) for name in ("targetList", "sortClause")]
        is_aggregated = any(map(_has_aggregate, [*clauses, fields.get("havingClause")]))
        nodes = fields.get("groupClause", [])
        self._is_grouped = bool(nodes) or is_aggregated or "havingClause" in fields
        if not self._is_grouped:
            return
        grouped: dict[str, Expression] = {}
        for node in nodes:
            node = self._meant(node)
            found = self._compiler.expressions.compile(node, scope)
            grouped[without_places(node)] = found
            self._group.append(found)
        scope.grouped = grouped
        scope.aggregates = []

    def _meant(self, node: Node) -> Node:
        """Return the expression that an item of GROUP BY stands for."""
        targets = self._fields.get("targetList", [])
        if "A_Const" in node and "ival" in node["A_Const"]:
            index = int(node["A_Const"]["ival"].get("ival", 0)) - 1
            if not 0 <= index < len(targets):
                raise SQLError(
                    "42P10", f"GROUP BY position {index + 1} is not in select list"
                )
            return targets[index]["ResTarget"]["val"]  # type: ignore[no-any-return]  # a node
        if "GroupingSet" in node:
            raise NotModelled("GROUPING SETS")
        if "ColumnRef" in node and len(node["ColumnRef"]["fields"]) == 1:
            name = string(node["ColumnRef"]["fields"][0])
            if any(
                name == column
                for one in self._scope.sources
                for column, _ in one.columns
            ):
                return node
            for target in targets:
                if target["ResTarget"].get("name") == name:
                    return target["ResTarget"]["val"]  # type: ignore[no-any-return]  # a node
        return node

    def _combinations(
        self, having: Evaluate | None
    ) -> Callable[[Frame], Iterator[Row]]:
        """Return the combinations of rows, or of groups, as what is in the frame."""
        source, places = self._from, self._places
        if not self._is_grouped:

            def single(frame: Frame) -> Iterator[Row]:
                for _ in source.iterate(frame):
                    yield tuple([frame[place] for place in places])

            return single
        keys = [one.evaluate for one in self._group]
        aggregates: list[Aggregate] = self._scope.aggregates or []
        at = self._scope.place
        blank = self._from.blank

        def groups(frame: Frame) -> Iterator[Row]:
            found: dict[Row, tuple[Row, list[list[Row]]]] = {}
            if not keys:
                blank(frame)
                empty = tuple([frame[place] for place in places])
                found[()] = empty, [[] for _ in aggregates]
            for _ in source.iterate(frame):
                key = tuple([one(frame) for one in keys])
                group = found.get(key)
                if group is None:
                    row = tuple([frame[place] for place in places])
                    group = found[key] = row, [[] for _ in aggregates]
                for values, one in zip(group[1], aggregates, strict=True):
                    collect(one, frame, values)
            for row, collected in found.values():
                for place, value in zip(places, row, strict=True):
                    frame[place] = value
                frame[at] = tuple(
                    [
                        finished(one, values)
                        for one, values in zip(aggregates, collected, strict=True)
                    ]
                )
                if having is None or having(frame) is True:
                    yield tuple([frame[place] for place in places])

        return groups

    # Rows -----------------------------------------------------------------------------

    def _rows(
        self,
        combos: Callable[[Frame], Iterator[Row]],
        outputs: list[Evaluate],
        order: list[SortKey],
        marks: list[Mark],
    ) -> Callable[[Frame], Iterator[Row]]:
        places, source = self._places, self._from
        distinct = self._distinct()
        keys = key_list(order)
        is_distinct = distinct is not None and not distinct

        def put(frame: Frame, combo: Row) -> None:
            for place, value in zip(places, combo, strict=True):
                frame[place] = value

        def ordered(frame: Frame) -> Iterator[Row]:
            found = combos(frame)
            if is_distinct:
                found = _without_duplicates(found, frame, put, outputs)
            if order:
                items = []
                for combo in found:
                    put(frame, combo)
                    items.append((combo, [one.evaluate(frame) for one in order]))
                sort(items, keys)
                found = iter([combo for combo, _ in items])
            if distinct:
                found = _without_duplicates(found, frame, put, distinct)
            return found

        is_plain = not order and distinct is None and not self._is_grouped

        def run(frame: Frame) -> Iterator[Row]:
            for combo in ordered(frame):
                if not is_plain or marks:
                    put(frame, combo)
                if not marks or are_locked(frame, marks, source):
                    yield tuple([one(frame) for one in outputs])

        return run

    def _distinct(self) -> list[Evaluate] | None:
        """Return what rows must not have in common; empty: everything; None: no."""
        nodes = self._fields.get("distinctClause")
        if nodes is None:
            return None
        return [
            self._compiler.expressions.compile(node, self._scope).evaluate
            for node in nodes
            if node
        ]


def _without_duplicates(
    combos: Iterator[Row],
    frame: Frame,
    put: Callable[[Frame, Row], None],
    by: list[Evaluate],
) -> Iterator[Row]:
    seen: dict[Row, None] = {}
    for combo in combos:
        put(frame, combo)
        key = tuple([one(frame) for one in by])
        if key not in seen:
            seen[key] = None
            yield combo


def _has_aggregate(node: Any) -> bool:
    """Return whether there is an aggregate in an expression, not below a subquery."""
    if isinstance(node, list):
        return any(map(_has_aggregate, node))
    if not isinstance(node, dict):
        return False
    if "SelectStmt" in node:
        return False
    call = node.get("FuncCall")
    if call is not None and "over" not in call and function_name(call) in AGGREGATES:
        return True
    return any(map(_has_aggregate, node.values()))

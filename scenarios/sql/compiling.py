"""One statement, compiled: what it gives, and what a session must know to perform it.

Joins the compilers of expressions, sources, queries and modifications. A plan depends
on the schema, the text and the types of the parameters, and on nothing else.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

from wavecheck.scenarios.sql.calls import Calls
from wavecheck.scenarios.sql.constraints import KEY
from wavecheck.scenarios.sql.expressions import Expressions
from wavecheck.scenarios.sql.frame import Frame
from wavecheck.scenarios.sql.modifying import (
    Modification,
    Modifications,
    is_one_row,
)
from wavecheck.scenarios.sql.naming import names_of
from wavecheck.scenarios.sql.operators import binary, json_text
from wavecheck.scenarios.sql.parsing import (
    Fields,
    Node,
    NotModelled,
    fields_of,
    only,
    parse_all,
    refusal,
    string,
)
from wavecheck.scenarios.sql.queries import Queries, Query
from wavecheck.scenarios.sql.schema import Schema
from wavecheck.scenarios.sql.session import SQLError
from wavecheck.scenarios.sql.sources import Lazy, Sources, array_rows
from wavecheck.scenarios.sql.terms import (
    ROWS,
    Expression,
    Scope,
    any_of,
    coerced,
    column_of,
)
from wavecheck.scenarios.sql.values import dump_json
from wavecheck.scenarios.sql.writing import Cascade

Row = tuple[Any, ...]
_ACTING_ALONE: Final = frozenset({"nextval", "currval", "lastval", "clock_timestamp"})
"""Functions that need no transaction of their own."""


@dataclass(slots=True, kw_only=True, eq=False)
class Plan:
    """A compiled statement.

    Attributes:
        command: first word of its command tag.
        columns: name and type of each column that it returns.
        run: performs it; gives rows, and how many were changed.
        size: places of its frame.
        is_transactional: it changes or locks rows, or acts on the database.
        is_linear: it is the same as if it happened in one moment.
        acts: functions that it calls on the database.
        tables: that it names, ascending.
    """

    command: str
    columns: list[tuple[str, str]]
    run: Callable[[Frame], tuple[list[Row], int]]
    size: int
    is_transactional: bool
    is_linear: bool
    acts: frozenset[str]
    tables: tuple[str, ...]


@dataclass(slots=True, eq=False)
class Cte:
    """A query that WITH names.

    Attributes:
        columns: name and type of each.
        rows: its rows.
    """

    columns: list[tuple[str, str]]
    rows: Callable[[Frame], Iterable[Row]]


@dataclass(eq=False)
class Compiler:
    """Compiles one statement.

    Args:
        schema: the tables.
        text: of the statement.
        param_kinds: types of its parameters.
        is_heap: rows come in the order in which they were made.
        counts: transactions are counted.
    """

    schema: Schema
    text: str
    param_kinds: tuple[str, ...]
    is_heap: bool
    counts: bool
    tables: set[str] = field(default_factory=set)
    acts: set[str] = field(default_factory=set)
    locks: bool = False
    writes: bool = False
    _places: int = 0
    _modifying: list[Callable[[Frame], Iterable[Row]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.expressions = Expressions(self)
        self.calls = Calls(self)
        self.sources = Sources(self)
        self.queries = Queries(self)
        self.modifications = Modifications(self)

    def place(self) -> int:
        """Return a new place in the frame."""
        self._places += 1
        return self._places - 1

    def note_act(self, name: str) -> None:
        """Note that the statement calls a function on the database."""
        self.acts.add(name)

    def note_hidden(self, name: str) -> None:
        """Note that the statement reads a column that every table has."""
        self.needs_numbers(name, -1)

    def needs_numbers(self, what: str, at: int) -> None:
        """Make sure that transactions are counted.

        Raises:
            NotModelled: they are not.
        """
        if not self.counts:
            raise NotModelled(
                f"{what}, unless the database counts its transactions"
                " (counts_transactions=True)",
                at,
            )

    # Statements -----------------------------------------------------------------------

    def plan(self, node: Node) -> Plan:
        """Return the plan of a statement."""
        kind, fields = fields_of(node)
        if kind == "SelectStmt":
            query, scope = self.queries.compile(fields, None)
            is_linear = self._is_one_row(fields, scope)
            return self._plan("SELECT", query, is_linear=is_linear)
        change = self._modification(kind, fields, None)
        command = kind.removesuffix("Stmt").upper()
        is_linear = change.is_linear and not self._modifying
        return self._plan(command, change, is_linear=is_linear)

    def _is_one_row(self, fields: Fields, scope: Scope) -> bool:
        """Return whether a query that locks reads one row by its key, and no more."""
        if len(scope.sources) != 1 or not scope.sources[0].table or self._modifying:
            return False
        if "whereClause" not in fields or len(self.tables) != 1:
            return False
        source = scope.sources[0]
        bare = Scope(None, sources=[source])
        conditions = self.sources.conjuncts(fields["whereClause"], bare, "WHERE")
        if any(ROWS in one.reads or one.is_volatile for one in conditions):
            return False
        table = self.schema.table(source.table)
        return is_one_row(conditions, table, source.place)

    def _plan(
        self, command: str, made: Query | Modification, *, is_linear: bool
    ) -> Plan:
        cascades = (
            {name: Cascade(self, table) for name, table in self.schema.tables.items()}
            if self.writes
            and any(_cascades(one) for one in self.schema.tables.values())
            else {}
        )
        modifying = list(self._modifying)

        def run(frame: Frame) -> tuple[list[Row], int]:
            frame.cascades = cascades
            rows = list(made.run(frame))
            for rest in modifying:
                found = rest(frame)
                if isinstance(found, Lazy):
                    found.finish()
            while frame.checks:
                frame.step.transactions.next_command()
                frame.checks.pop(0)()
            return rows, len(rows)

        return Plan(
            command=command,
            columns=made.columns,
            run=run,
            size=self._places,
            is_transactional=self.writes
            or self.locks
            or bool(self.acts - _ACTING_ALONE),
            is_linear=is_linear,
            acts=frozenset(self.acts),
            tables=tuple(sorted(self.tables)),
        )

    def _modification(
        self, kind: str, fields: Fields, parent: Scope | None
    ) -> Modification:
        self.writes = True
        if kind == "InsertStmt":
            return self.modifications.insert(fields, parent)
        if kind == "UpdateStmt":
            return self.modifications.update(fields, parent)
        if kind == "DeleteStmt":
            return self.modifications.delete(fields, parent)
        raise NotModelled(f"the statement {kind.removesuffix('Stmt')}")

    # WITH -----------------------------------------------------------------------------

    def find_cte(self, name: str, scope: Scope) -> Cte | None:
        """Return the query that WITH gives a name, if one does."""
        level: Scope | None = scope
        while level is not None:
            found: Cte | None = level.ctes.get(name)
            if found is not None:
                return found
            level = level.parent
        return None

    def add_ctes(self, fields: Fields, scope: Scope) -> None:
        """Add the queries of a WITH clause to a scope."""
        for node in fields["ctes"]:
            body = node["CommonTableExpr"]
            only(
                body,
                "ctename",
                "ctequery",
                "ctematerialized",
                "aliascolnames",
                of="WITH",
            )
            name = body["ctename"]
            kind, inner = fields_of(body["ctequery"])
            names = [string(one) for one in body.get("aliascolnames", [])]
            if kind == "SelectStmt":
                is_recursive = fields.get("recursive") and inner.get("op") == (
                    "SETOP_UNION"
                )
                if is_recursive and _mentions(inner["rarg"], name):
                    scope.ctes[name] = self._recursive(name, inner, names, scope)
                    continue
                query, below = self.queries.compile(inner, scope)
                if below.is_correlated:
                    raise NotModelled("WITH that refers to a query around it")
                made: Query | Modification = query
            else:
                if scope.parent is not None:
                    raise SQLError(
                        "0A000",
                        "WITH clause containing a data-modifying statement must be at"
                        " the top level",
                    )
                made = self._modification(kind, inner, scope)
            columns = [
                (names[n] if n < len(names) else one, of)
                for n, (one, of) in enumerate(made.columns)
            ]
            rows = self._shared(made.run)
            scope.ctes[name] = Cte(columns, rows)
            if kind != "SelectStmt":
                self._modifying.append(rows)

    def _shared(
        self, run: Callable[[Frame], Iterator[Row]]
    ) -> Callable[[Frame], Iterable[Row]]:
        place = self.place()

        def rows(frame: Frame) -> Iterable[Row]:
            found = frame.results.get(place)
            if found is None:
                found = frame.results[place] = Lazy(iter(run(frame)))
            return found

        rows.is_cte = True  # type: ignore[attr-defined]  # no field of a function
        return rows

    def _recursive(
        self, name: str, fields: Fields, names: list[str], scope: Scope
    ) -> Cte:
        only(fields, "op", "all", "larg", "rarg", "limitOption", of="WITH RECURSIVE")
        first, _ = self.queries.compile(fields["larg"], scope)
        columns = [
            (names[n] if n < len(names) else one, kind)
            for n, (one, kind) in enumerate(first.columns)
        ]
        working = self.place()
        inner = Scope(scope)
        inner.ctes[name] = Cte(columns, lambda frame: frame[working])
        again, _ = self.queries.compile(fields["rarg"], inner)
        is_all = bool(fields.get("all"))

        def run(frame: Frame) -> Iterator[Row]:
            seen: dict[Row, None] = {}
            rows = list(first.run(frame))
            while rows:
                fresh = []
                for row in rows:
                    if is_all or row not in seen:
                        seen[row] = None
                        fresh.append(row)
                yield from fresh
                frame[working] = fresh
                rows = list(again.run(frame)) if fresh else []
                frame[working] = fresh

        return Cte(columns, self._shared(run))

    # What queries ask of the statement ------------------------------------------------

    def target(self, fields: Fields, scope: Scope) -> list[tuple[str, Expression]]:
        """Return the columns of an item of a target list, with their names."""
        node = fields["val"]
        if "ColumnRef" in node and "A_Star" in node["ColumnRef"]["fields"][-1]:
            return self._star(node["ColumnRef"]["fields"][:-1], scope)
        name = fields.get("name") or names_of(node)
        return [(name, self.expressions.compile(node, scope))]

    def _star(self, names: list[Node], scope: Scope) -> list[tuple[str, Expression]]:
        wanted = string(names[-1]) if names else ""
        sources = [
            one
            for one in scope.sources
            if (one.name == wanted if wanted else one.is_visible)
        ]
        if not sources:
            what = f'missing FROM-clause entry for table "{wanted}"'
            raise SQLError("42P01" if wanted else "42601", what)
        found: list[tuple[str, Expression]] = []
        if not wanted:
            found.extend(scope.merged.items())
        for source in sources:
            for position, (name, kind) in enumerate(source.columns):
                if wanted or name not in scope.merged:
                    found.append((name, column_of(source, position, kind)))
        return found

    def row_functions(
        self, name: str, given: list[Expression], at: int
    ) -> tuple[Callable[[Frame], Iterable[Any]], str, str]:
        """Return a function that gives rows: them, their type and their column."""
        if name == "unnest" and len(given) == 1:
            rows, kind = array_rows(given[0])
            return rows, kind, "unnest"
        if name == "generate_series" and 2 <= len(given) <= 3:
            kinds = {one.kind for one in given}
            if not kinds <= {"int2", "int4", "int8", "unknown"}:
                others = sorted(kinds - {"unknown"})
                raise NotModelled(f"{name}() of {', '.join(others)}", at)
            kind = "int8" if "int8" in kinds else "int4"
            bounds = [coerced(one, kind).evaluate for one in given]

            def series(frame: Frame) -> Iterable[int]:
                low, high, *step = [one(frame) for one in bounds]
                by = step[0] if step else 1
                if None in (low, high, by):
                    return ()
                if not by:
                    raise SQLError("22023", "step size cannot equal zero")
                return range(low, high + (1 if by > 0 else -1), by)

            return series, kind, "generate_series"
        if name in ("jsonb_array_elements", "jsonb_array_elements_text"):
            import json

            text = coerced(given[0], "jsonb").evaluate
            shows = json_text if name.endswith("_text") else dump_json

            def elements(frame: Frame) -> Iterable[Any]:
                value = text(frame)
                return (
                    [] if value is None else [shows(one) for one in json.loads(value)]
                )

            return elements, "text" if shows is json_text else "jsonb", "value"
        raise NotModelled(f"the function {name}() in FROM", at)

    def subquery(self, fields: Fields, scope: Scope) -> Expression:
        """Return a subquery as a value."""
        only(
            fields, "subLinkType", "testexpr", "operName", "subselect", of="a subquery"
        )
        query, inner = self.queries.compile(fields["subselect"]["SelectStmt"], scope)
        if inner.outer_reads - _own_places(scope):
            scope.is_correlated = True
            scope.outer_reads |= inner.outer_reads - _own_places(scope)
        reads = frozenset({ROWS, *inner.outer_reads})
        rows = query.run if inner.is_correlated else self._shared(query.run)
        kind = fields["subLinkType"]
        is_volatile = inner.is_volatile
        if kind == "EXISTS_SUBLINK":
            return Expression(
                lambda frame: next(iter(rows(frame)), None) is not None,
                "bool",
                reads,
                is_volatile,
            )
        if kind == "EXPR_SUBLINK":
            self._check_one(query)
            return Expression(_single(rows), query.columns[0][1], reads, is_volatile)
        if kind == "ARRAY_SUBLINK":
            return Expression(
                lambda frame: tuple([row[0] for row in rows(frame)]),
                f"_{query.columns[0][1]}",
                reads,
                is_volatile,
            )
        if kind in ("ANY_SUBLINK", "ALL_SUBLINK"):
            found = self._quantified(fields, scope, query, rows, reads)
            return replace(found, is_volatile=found.is_volatile or is_volatile)
        raise NotModelled(kind, fields.get("location", -1))

    def _check_one(self, query: Query) -> None:
        if len(query.columns) != 1:
            raise SQLError("42601", "subquery must return only one column")

    def _quantified(
        self,
        fields: Fields,
        scope: Scope,
        query: Query,
        rows: Callable[[Frame], Iterable[Row]],
        reads: frozenset[int],
    ) -> Expression:
        tested = fields["testexpr"]
        is_all = fields["subLinkType"] == "ALL_SUBLINK"
        name = string(fields["operName"][-1]) if "operName" in fields else "="
        if "RowExpr" in tested:
            nodes = tested["RowExpr"]["args"]
            if name != "=" or is_all:
                raise NotModelled("rows compared with a subquery")
        else:
            nodes = [tested]
        if len(nodes) != len(query.columns):
            raise SQLError("42601", "subquery has too many columns")
        acts, values = [], []
        changes = []
        for node, (_, kind) in zip(nodes, query.columns, strict=True):
            value = self.expressions.compile(node, scope)
            mine = kind if value.kind == "unknown" else value.kind
            act, left_to, right_to, _ = binary(name, mine, kind)
            acts.append(act)
            values.append(coerced(coerced(value, mine), left_to))
            changes.append(_changed(kind, right_to))
        all_reads = reads.union(*(one.reads for one in values))

        def holds(frame: Frame) -> Any:
            mine = [one.evaluate(frame) for one in values]
            if len(mine) == 1:
                change = changes[0]
                items = (change(row[0]) for row in rows(frame))
                return any_of(acts[0], mine[0], items, is_all=is_all)
            has_unknown = False
            for row in rows(frame):
                found = [
                    None if a is None or b is None else act(a, change(b))
                    for act, a, b, change in zip(acts, mine, row, changes, strict=True)
                ]
                if all(found):
                    return True
                if None in found and False not in found:
                    has_unknown = True
            return None if has_unknown else False

        return Expression(
            holds, "bool", all_reads, any(one.is_volatile for one in values)
        )


def _own_places(scope: Scope) -> set[int]:
    return {one.place for one in scope.sources} | {scope.place, scope.place + 1}


def _changed(kind: str, to: str) -> Callable[[Any], Any]:
    items: list[Any] = [None]
    read = coerced(Expression(lambda frame: items[0], kind), to)
    if kind == to:
        return lambda value: value

    def change(value: Any) -> Any:
        items[0] = value
        return read.evaluate(None)  # type: ignore[arg-type]  # it reads no frame

    return change


def _single(rows: Callable[[Frame], Iterable[Row]]) -> Callable[[Frame], Any]:
    def value(frame: Frame) -> Any:
        found = iter(rows(frame))
        row = next(found, None)
        if row is None:
            return None
        if next(found, None) is not None:
            raise SQLError(
                "21000",
                "more than one row returned by a subquery used as an expression",
            )
        return row[0]

    return value


def _cascades(table: Any) -> bool:
    quiet = ("no action", "restrict")
    return any(
        one.on_delete not in quiet or one.on_update not in quiet
        for one in table.foreign_keys
    )


def _mentions(node: Any, name: str) -> bool:
    if isinstance(node, list):
        return any(_mentions(one, name) for one in node)
    if not isinstance(node, dict):
        return False
    table = node.get("RangeVar")
    if table is not None and table.get("relname") == name:
        return True
    return any(_mentions(one, name) for one in node.values())


@lru_cache(maxsize=4096)
def compiled(
    schema: Schema,
    sql: str,
    param_kinds: tuple[str, ...],
    is_heap: bool,
    counts: bool,
) -> Plan:
    """Return the plan of a statement.

    Raises:
        InvalidScenario: something in it is not modelled.
        SQLError: PostgreSQL would refuse it.
    """
    nodes = parse_all(sql)
    if len(nodes) != 1:
        raise refusal(NotModelled(f"{len(nodes)} statements in one text"), sql)
    compiler = Compiler(schema, sql, param_kinds, is_heap, counts)
    try:
        return compiler.plan(nodes[0])
    except NotModelled as problem:
        raise refusal(problem, sql) from None


__all__ = ["KEY", "Compiler", "Plan", "compiled"]

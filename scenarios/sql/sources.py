"""FROM and WHERE: which combinations of rows a query looks at, one after another.

Knows tables, joins and conditions. A condition is judged as soon as the rows that it
reads are there; what of it concerns one table alone chooses that table's rows, so that
the footprint of a statement is the rows that matter to it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from wavecheck.scenarios.sql.frame import Frame
from wavecheck.scenarios.sql.parsing import (
    Fields,
    Node,
    NotModelled,
    fields_of,
    function_name,
    only,
    strings,
    table_name,
)
from wavecheck.scenarios.sql.session import SQLError
from wavecheck.scenarios.sql.terms import (
    ROWS,
    Evaluate,
    Expression,
    Scope,
    Source,
    column_of,
    conjunction,
)
from wavecheck.scenarios.sql.values import element_of

if TYPE_CHECKING:
    from wavecheck.scenarios.sql.compiling import Compiler
    from wavecheck.scenarios.sql.queries import Query

HIDDEN: Final = 3
"""Columns of a row beside those that are declared: its own key, place, maker."""


class Lazy:
    """The rows of a query that is performed once, as far as somebody asks for them."""

    def __init__(self, rows: Iterator[tuple[Any, ...]]) -> None:
        self._rows = rows
        self._found: list[tuple[Any, ...]] = []

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        at = 0
        while True:
            if at == len(self._found):
                row = next(self._rows, None)
                if row is None:
                    return
                self._found.append(row)
            yield self._found[at]
            at += 1

    def finish(self) -> None:
        """Perform it to its end."""
        self._found.extend(self._rows)


@dataclass(slots=True, eq=False)
class Leaf:
    """A table, subquery or function in FROM.

    Attributes:
        source: its name and columns.
        rows: its rows; may depend on what stands before it. None: of a table.
        filters: conditions that are judged when its row is there.
        reads: places that its rows depend on.
    """

    source: Source
    rows: Callable[[Frame], Iterable[Any]] | None
    filters: list[Expression] = field(default_factory=list)
    reads: frozenset[int] = frozenset()
    text: str = ""
    is_heap: bool = False
    _plan: Any = None

    @property
    def places(self) -> list[int]:
        """Where its rows are put."""
        return [self.source.place]

    def prepare(self) -> None:
        """Decide how the rows are found, once all filters are known."""
        place = self.source.place
        fixed: list[tuple[int, Evaluate]] = []
        local: list[Evaluate] = []
        rest: list[Evaluate] = []
        own = frozenset({place})
        for one in self.filters:
            lookup = _lookup(one, place)
            if self.rows is None and lookup is not None:
                fixed.append(lookup)
            elif self.rows is None and one.reads <= own and not one.is_volatile:
                local.append(one.evaluate)
            else:
                rest.append(one.evaluate)
        self._plan = fixed, local, rest

    def iterate(self, frame: Frame) -> Iterator[None]:
        """Put one row after another into the frame."""
        fixed, local, rest = self._plan
        place = self.source.place
        rows = (
            self._table_rows(frame, fixed, local)
            if self.rows is None
            else (self.rows(frame))
        )
        for row in rows:
            frame[place] = row
            for one in rest:
                if one(frame) is not True:
                    break
            else:
                yield

    def _table_rows(
        self,
        frame: Frame,
        fixed: list[tuple[int, Evaluate]],
        local: list[Evaluate],
    ) -> list[Any]:
        place = self.source.place
        table = frame.tables[self.source.table]
        wanted = []
        for position, evaluate in fixed:
            value = evaluate(frame)
            if value is None:
                return []
            wanted.append((position, value))
        trouble: list[SQLError] = []

        def holds(row: Any) -> bool:
            for position, value in wanted:
                if row[position] != value:
                    return False
            if local:
                frame[place] = row
                try:
                    for one in local:
                        if one(frame) is not True:
                            return False
                except SQLError as error:
                    trouble.append(error)
            return True

        name: tuple[Any, ...] = (self.text, place, tuple(wanted))
        if local:
            name = (*name, frame.params, frame.facts.began)
        found: list[Any] = frame.step.where(table, name, holds)
        if trouble:
            raise trouble[0]
        if self.is_heap:
            found.sort(key=lambda row: row[-2])
        return found


def _lookup(one: Expression, place: int) -> tuple[int, Evaluate] | None:
    """Return column and value where a condition fixes a column of a source."""
    if one.equals is None:
        return None
    left, right = one.equals
    for mine, other in ((left, right), (right, left)):
        if mine.column is None or mine.column[0] != place or other.is_volatile:
            continue
        if place not in other.reads and ROWS not in other.reads:
            return mine.column[1], other.evaluate
    return None


@dataclass(slots=True, eq=False)
class Outer:
    """An outer join.

    Attributes:
        left: what stands on its left.
        right: what stands on its right.
        condition: of the join.
        keeps_left: rows of the left that match none are kept.
        keeps_right: likewise.
        filters: conditions that are judged on what it gives.
    """

    left: "From"
    right: "From"
    condition: Expression | None
    keeps_left: bool
    keeps_right: bool
    filters: list[Expression] = field(default_factory=list)
    reads: frozenset[int] = frozenset()

    @property
    def places(self) -> list[int]:
        """Where its rows are put."""
        return [*self.left.places, *self.right.places]

    def prepare(self) -> None:
        """Prepare both sides."""
        self.left.prepare()
        self.right.prepare()

    def iterate(self, frame: Frame) -> Iterator[None]:
        """Put one combination of rows after another into the frame."""
        filters = [one.evaluate for one in self.filters]
        for _ in self._all(frame):
            if all(one(frame) is True for one in filters):
                yield

    def _all(self, frame: Frame) -> Iterator[None]:
        matched: set[tuple[Any, ...]] = set()
        places = self.right.places
        for _ in self.left.iterate(frame):
            is_matched = False
            for _ in self.right.iterate(frame):
                if self.condition is None or self.condition.evaluate(frame) is True:
                    is_matched = True
                    if self.keeps_right:
                        matched.add(tuple([frame[place] for place in places]))
                    yield
            if not is_matched and self.keeps_left:
                self.right.blank(frame)
                yield
        if self.keeps_right:
            for _ in self.right.iterate(frame):
                if tuple([frame[place] for place in places]) not in matched:
                    self.left.blank(frame)
                    yield


@dataclass(slots=True, eq=False)
class From:
    """A list of sources that are combined with each other.

    Attributes:
        units: in order.
        conditions: all that combinations must meet.
    """

    units: list[Leaf | Outer] = field(default_factory=list)
    conditions: list[Expression] = field(default_factory=list)
    constants: list[Expression] = field(default_factory=list)

    @property
    def places(self) -> list[int]:
        """Where the rows are put."""
        return [place for unit in self.units for place in unit.places]

    @property
    def has_outer(self) -> bool:
        """Whether there is an outer join in it."""
        return any(isinstance(one, Outer) for one in self.units)

    def leaves(self) -> Iterator[tuple[Leaf, bool]]:
        """Yield the sources, and whether a row of each may be missing."""
        for unit in self.units:
            if isinstance(unit, Leaf):
                yield unit, False
            else:
                for leaf, is_null in unit.left.leaves():
                    yield leaf, is_null or unit.keeps_right
                for leaf, is_null in unit.right.leaves():
                    yield leaf, is_null or unit.keeps_left

    def prepare(self) -> None:
        """Give each condition to the first unit at which it can be judged."""
        bound: set[int] = set()
        waiting = sorted(self.conditions, key=lambda one: one.is_volatile)
        own = set(self.places)
        for unit in self.units:
            bound |= set(unit.places)
            for one in list(waiting):
                if one.reads & own and (one.reads & own) <= bound:
                    unit.filters.append(one)
                    waiting.remove(one)
            unit.prepare()
        last = [one for one in waiting if one.is_volatile]
        if self.units and last:
            self.units[-1].filters.extend(last)
            self.units[-1].prepare()
            waiting = [one for one in waiting if not one.is_volatile]
        self.constants = waiting

    def iterate(self, frame: Frame) -> Iterator[None]:
        """Put one combination of rows after another into the frame."""
        for one in self.constants:
            if one.evaluate(frame) is not True:
                return
        if len(self.units) == 1:
            yield from self.units[0].iterate(frame)
        else:
            yield from self._from(frame, 0)

    def _from(self, frame: Frame, index: int) -> Iterator[None]:
        if index == len(self.units):
            yield
            return
        for _ in self.units[index].iterate(frame):
            yield from self._from(frame, index + 1)

    def blank(self, frame: Frame) -> None:
        """Put rows of NULLs into the frame."""
        for leaf, _ in self.leaves():
            frame[leaf.source.place] = (None,) * (len(leaf.source.columns) + HIDDEN)

    def holds(self, frame: Frame) -> bool:
        """Return whether the rows in the frame meet all conditions."""
        return all(one.evaluate(frame) is True for one in self.conditions)


class Sources:
    """Compiles the FROM clauses of one statement."""

    def __init__(self, compiler: "Compiler") -> None:
        self._compiler = compiler

    def compile(self, nodes: list[Node], where: Node | None, scope: Scope) -> From:
        """Return what a FROM and a WHERE clause say; sources go into the scope."""
        made = From()
        for node in nodes:
            self._add(made, node, scope)
        self.restrict(made, where, scope)
        made.prepare()
        return made

    def restrict(self, made: From, where: Node | None, scope: Scope) -> None:
        """Add the conditions of a WHERE clause."""
        if where is not None:
            made.conditions.extend(self.conjuncts(where, scope, "WHERE"))

    def conjuncts(self, node: Node, scope: Scope, what: str) -> list[Expression]:
        """Return the conditions that a clause joins by AND."""
        if "BoolExpr" in node and node["BoolExpr"]["boolop"] == "AND_EXPR":
            return [
                one
                for part in node["BoolExpr"]["args"]
                for one in self.conjuncts(part, scope, what)
            ]
        return [self._compiler.expressions.condition(node, scope, what)]

    def _add(self, made: From, node: Node, scope: Scope) -> None:
        kind, fields = fields_of(node)
        if kind == "JoinExpr":
            self._join(made, fields, scope)
            return
        handler = getattr(self, f"_{kind}", None)
        if handler is None:
            raise NotModelled(f"{kind} in FROM", fields.get("location", -1))
        leaf: Leaf = handler(fields, scope)
        if any(one.name == leaf.source.name for one in scope.sources):
            raise SQLError(
                "42712", f'table name "{leaf.source.name}" specified more than once'
            )
        scope.sources.append(leaf.source)
        made.units.append(leaf)

    def table_leaf(self, fields: Fields, *, alias: str = "") -> Leaf:
        """Return a table as a source."""
        name = table_name(fields)
        if "inh" not in fields:
            raise NotModelled("ONLY", fields.get("location", -1))
        table = self._compiler.schema.table(name)
        if not alias:
            alias = fields.get("alias", {}).get("aliasname", fields["relname"])
        columns = [(one.name, one.kind) for one in table.columns]
        self._compiler.tables.add(name)
        source = Source(
            alias,
            self._compiler.place(),
            columns,
            hidden={"xmin": ("xid", len(columns) + 2)},
            table=name,
        )
        return Leaf(
            source,
            None,
            text=self._compiler.text,
            is_heap=self._compiler.is_heap,
        )

    def _RangeVar(self, fields: Fields, scope: Scope) -> Leaf:
        only(fields, "relname", "schemaname", "catalogname", "alias", of="a table")
        found = None
        if "schemaname" not in fields:
            found = self._compiler.find_cte(fields["relname"], scope)
        if found is None:
            leaf = self.table_leaf(fields)
            names = strings(fields.get("alias", {}).get("colnames", []))
            if names:
                raise NotModelled("other names for a table's columns")
            return leaf
        alias = fields.get("alias", {})
        name = alias.get("aliasname", fields["relname"])
        columns = _renamed(found.columns, strings(alias.get("colnames", [])))
        return Leaf(Source(name, self._compiler.place(), columns), found.rows)

    def _RangeSubselect(self, fields: Fields, scope: Scope) -> Leaf:
        only(fields, "subquery", "alias", "lateral", of="a subquery in FROM")
        is_lateral = bool(fields.get("lateral"))
        around = scope
        if not is_lateral:
            around = Scope(scope.parent, ctes=scope.ctes)
        query, inner = self._compiler.queries.compile(
            fields["subquery"]["SelectStmt"], around
        )
        alias = fields.get("alias", {})
        name = alias.get("aliasname", f"unnamed subquery {self._compiler.place()}")
        columns = _renamed(query.columns, strings(alias.get("colnames", [])))
        source = Source(name, self._compiler.place(), columns)
        if inner.is_correlated:
            scope.outer_reads |= inner.outer_reads
            reads = frozenset(inner.outer_reads)
            if scope.parent is not None and around is not scope:
                scope.is_correlated = True
            return Leaf(source, query.run, reads=reads)
        return Leaf(source, once(query, self._compiler.place()))

    def _RangeFunction(self, fields: Fields, scope: Scope) -> Leaf:
        only(fields, "functions", "alias", "lateral", "ordinality", of="a function")
        if len(fields["functions"]) != 1:
            raise NotModelled("ROWS FROM")
        call = fields["functions"][0]["List"]["items"][0]
        if "FuncCall" not in call:
            raise NotModelled(f"{fields_of(call)[0]} in FROM")
        body = call["FuncCall"]
        name = function_name(body)
        expressions = self._compiler.expressions
        given = [expressions.compile(one, scope) for one in body.get("args", [])]
        alias = fields.get("alias", {})
        alias_name = alias.get("aliasname", name)
        if name == "unnest" and len(given) > 1:
            several, columns = unnested(given)
        else:
            rows, kind, column = self._compiler.row_functions(
                name, given, body.get("location", -1)
            )
            column = alias_name if column == name else column
            columns = [(column, kind)]

            def several(frame: Frame) -> Iterable[tuple[Any, ...]]:
                return [(value,) for value in rows(frame)]

        if fields.get("ordinality"):
            columns.append(("ordinality", "int8"))
        columns = _renamed(columns, strings(alias.get("colnames", [])))
        is_numbered = bool(fields.get("ordinality"))

        def run(frame: Frame) -> Iterable[Any]:
            for number, row in enumerate(several(frame), start=1):
                yield (*row, number) if is_numbered else row

        reads = frozenset().union(*(one.reads for one in given))
        source = Source(alias_name, self._compiler.place(), columns)
        return Leaf(source, run, reads=reads)

    def _join(self, made: From, fields: Fields, scope: Scope) -> None:
        only(
            fields,
            "jointype",
            "larg",
            "rarg",
            "quals",
            "usingClause",
            "isNatural",
            "alias",
            "rtindex",
            of="a join",
        )
        if fields.get("isNatural") or "alias" in fields:
            raise NotModelled("a NATURAL join or the alias of a join")
        kind = fields["jointype"]
        if kind == "JOIN_INNER":
            before = len(scope.sources)
            self._add(made, fields["larg"], scope)
            middle = len(scope.sources)
            self._add(made, fields["rarg"], scope)
            made.conditions.extend(
                self._on(fields, scope, before, middle, keeps_left=True)
            )
            return
        if kind not in ("JOIN_LEFT", "JOIN_RIGHT", "JOIN_FULL"):
            raise NotModelled(kind)
        left, right = From(), From()
        before = len(scope.sources)
        self._add(left, fields["larg"], scope)
        middle = len(scope.sources)
        self._add(right, fields["rarg"], scope)
        conditions = self._on(
            fields, scope, before, middle, keeps_left=kind != "JOIN_RIGHT"
        )
        if kind == "JOIN_RIGHT":
            left, right = right, left
        keeps_right = kind == "JOIN_FULL"
        if not keeps_right:
            own = set(right.places)
            right.conditions.extend(one for one in conditions if one.reads & own)
            conditions = [one for one in conditions if not one.reads & own]
        left.prepare()
        right.prepare()
        made.units.append(
            Outer(
                left,
                right,
                conjunction(conditions) if conditions else None,
                keeps_left=True,
                keeps_right=keeps_right,
            )
        )

    def _on(
        self,
        fields: Fields,
        scope: Scope,
        before: int,
        middle: int,
        *,
        keeps_left: bool,
    ) -> list[Expression]:
        """Return the conditions of a join; columns of USING are merged in the scope."""
        if "quals" in fields:
            return self.conjuncts(fields["quals"], scope, "JOIN/ON")
        conditions = []
        for name in strings(fields.get("usingClause", [])):
            left = scope.merged.get(name) or self._named(
                scope.sources[before:middle], name
            )
            right = self._named(scope.sources[middle:], name)
            conditions.append(self._compiler.expressions.operator("=", left, right))
            scope.merged[name] = left if keeps_left else right
        return conditions

    def _named(self, sources: list[Source], name: str) -> Expression:
        for source in sources:
            for position, (column, kind) in enumerate(source.columns):
                if column == name:
                    return column_of(source, position, kind)
        raise SQLError(
            "42703", f'column "{name}" specified in USING clause does not exist'
        )


def once(query: "Query", place: int) -> Callable[[Frame], Iterable[Any]]:
    """Return the rows of a query that is performed once in a statement."""

    def rows(frame: Frame) -> Iterable[Any]:
        found = frame.results.get(place)
        if found is None:
            found = frame.results[place] = Lazy(iter(query.run(frame)))
        return found

    return rows


def _renamed(columns: list[tuple[str, str]], names: list[str]) -> list[tuple[str, str]]:
    if len(names) > len(columns):
        raise SQLError("42P10", "table has fewer columns available than specified")
    return [
        (names[index] if index < len(names) else name, kind)
        for index, (name, kind) in enumerate(columns)
    ]


def array_rows(given: Expression) -> tuple[Callable[[Frame], Iterable[Any]], str]:
    """Return the items of an array as rows, and their type."""
    element = element_of(given.kind)
    if not element:
        raise SQLError("42883", "function unnest does not exist")
    return lambda frame: given.evaluate(frame) or (), element


def unnested(
    given: list[Expression],
) -> tuple[Callable[[Frame], Iterable[tuple[Any, ...]]], list[tuple[str, str]]]:
    """Return the items of several arrays side by side, and a column for each.

    Where one array is shorter than another its items are NULL.
    """
    arrays = [array_rows(one) for one in given]

    def rows(frame: Frame) -> Iterable[tuple[Any, ...]]:
        return zip_longest(*[items(frame) for items, _ in arrays])

    return rows, [("unnest", kind) for _, kind in arrays]

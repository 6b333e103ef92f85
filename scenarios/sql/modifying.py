"""INSERT, UPDATE and DELETE: which rows they make of which, one row after another.

Knows queries and constraints. A row is locked, judged again if it has a newer version
than the statement sees (EvalPlanQual), changed, and then given to RETURNING.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from wavecheck.scenarios.sql.constraints import (
    Constraints,
    Index,
)
from wavecheck.scenarios.sql.frame import Frame
from wavecheck.scenarios.sql.operators import round_numeric
from wavecheck.scenarios.sql.parsing import (
    Fields,
    Node,
    NotModelled,
    only,
    table_name,
    without_places,
)
from wavecheck.scenarios.sql.queries import Query
from wavecheck.scenarios.sql.schema import TableColumn, TableSchema
from wavecheck.scenarios.sql.session import SQLError
from wavecheck.scenarios.sql.sources import From, Leaf
from wavecheck.scenarios.sql.terms import (
    Evaluate,
    Expression,
    Scope,
    Source,
    coerced,
    conjunction,
)
from wavecheck.scenarios.sql.values import STRINGS, shown_type
from wavecheck.scenarios.sql.writing import Existing, Writer, assigned_row
from wavecheck.sim.transactions.level import Strength

if TYPE_CHECKING:
    from wavecheck.scenarios.sql.compiling import Compiler

Row = tuple[Any, ...]


@dataclass(slots=True, eq=False)
class Modification:
    """A compiled statement that changes rows.

    Attributes:
        columns: that it returns; empty: none.
        run: performs it; gives a row for each row that it has changed, or inserted.
        is_linear: it is the same as if all of it happened when it locks its row.
    """

    columns: list[tuple[str, str]]
    run: Callable[[Frame], Iterator[Row]]
    is_linear: bool


class Modifications:
    """Compiles the statements that change rows."""

    def __init__(self, compiler: "Compiler") -> None:
        self._compiler = compiler

    # Common parts ---------------------------------------------------------------------

    def _target(self, fields: Fields, scope: Scope) -> tuple[TableSchema, Leaf]:
        leaf = self._compiler.sources.table_leaf(fields)
        scope.sources.append(leaf.source)
        return self._compiler.schema.table(table_name(fields)), leaf

    def _returning(
        self, fields: Fields, scope: Scope
    ) -> tuple[list[tuple[str, str]], list[Evaluate]]:
        columns, outputs = [], []
        for node in fields.get("returningList", []):
            for name, found in self._compiler.target(node["ResTarget"], scope):
                found = coerced(found, "text") if found.kind == "unknown" else found
                columns.append((name, found.kind))
                outputs.append(found.evaluate)
        return columns, outputs

    def assigned(self, column: TableColumn, found: Expression) -> Evaluate:
        """Return an expression brought to the type of a column that is assigned.

        Raises:
            SQLError: it does not fit.
        """
        kind = column.kind
        is_text = found.kind in STRINGS and kind not in STRINGS
        if is_text and found.text is None:
            raise SQLError(
                "42804",
                f'column "{column.name}" is of type {shown_type(kind)} but expression'
                f" is of type {shown_type(found.kind)}",
            )
        try:
            brought = coerced(found, kind, is_explicit=True)
        except SQLError as error:
            if error.sqlstate != "42846":
                raise
            raise SQLError(
                "42804",
                f'column "{column.name}" is of type {shown_type(kind)} but expression'
                f" is of type {shown_type(found.kind)}",
            ) from None
        evaluate = brought.evaluate
        labels = self._compiler.schema.enums.get(kind)
        if labels is not None:
            return _label(evaluate, kind, labels)
        if column.scale is not None:
            return _rounded(evaluate, column.scale, column.length)
        if column.length:
            return _bounded(evaluate, kind, column.length)
        return evaluate

    def default_of(self, column: TableColumn) -> Evaluate:
        """Return what a column is given if a statement does not say."""
        scope = Scope(None)
        if column.sequence:
            name = column.sequence
            self._compiler.note_act("nextval")
            return lambda frame: frame.around.call("nextval", frame, (name,))
        if column.default is None:
            return lambda frame: None
        found = self._compiler.expressions.compile(column.default, scope)
        return self.assigned(column, found)

    # INSERT ---------------------------------------------------------------------------

    def insert(self, fields: Fields, parent: Scope | None) -> Modification:
        """Return an INSERT."""
        only(
            fields,
            "relation",
            "cols",
            "selectStmt",
            "onConflictClause",
            "returningList",
            "override",
            "withClause",
            of="INSERT",
        )
        scope = Scope(parent)
        if "withClause" in fields:
            self._compiler.add_ctes(fields["withClause"], scope)
        inner = Scope(scope)
        table, leaf = self._target(fields["relation"], inner)
        positions = [
            table.position(one["ResTarget"]["name"]) for one in fields.get("cols", [])
        ] or list(range(len(table.columns)))
        rows, is_linear = self._source(fields, table, positions, scope)
        constraints = Constraints(self._compiler, table, leaf.source.place, inner)
        writer = Writer(table, leaf.source.place, constraints)
        on_conflict = None
        if "onConflictClause" in fields:
            on_conflict = self._on_conflict(
                fields["onConflictClause"], table, writer, inner, leaf
            )
        columns, outputs = self._returning(fields, inner)

        def run(frame: Frame) -> Iterator[Row]:
            for values in rows(frame):
                row = frame.around.make_row(table, values)
                constraints.check(frame, row)
                made = (
                    writer.insert(frame, row)
                    if on_conflict is None
                    else on_conflict(frame, row)
                )
                if made is None:
                    continue
                frame[leaf.source.place] = made
                yield tuple([one(frame) for one in outputs])

        return Modification(columns, run, is_linear)

    def _source(
        self, fields: Fields, table: TableSchema, positions: list[int], scope: Scope
    ) -> tuple[Callable[[Frame], Iterator[list[Any]]], bool]:
        """Return the rows that an INSERT is given, completed with defaults."""
        defaults = [self.default_of(one) for one in table.columns]
        select = fields.get("selectStmt", {}).get("SelectStmt")
        count = len(table.columns)
        if select is None:
            return (
                lambda frame: iter([[one(frame) for one in defaults]]),
                True,
            )
        if "valuesLists" in select and "withClause" not in select:
            lists = [one["List"]["items"] for one in select["valuesLists"]]
            rows = [
                self._given(
                    fields, table, positions, items, scope=scope, defaults=defaults
                )
                for items in lists
            ]

            def values(frame: Frame) -> Iterator[list[Any]]:
                for row in rows:
                    yield [one(frame) for one in row]

            return values, True
        query, _ = self._compiler.queries.compile(select, scope)
        self._check_count(len(query.columns), positions, fields)
        place = self._compiler.place()
        given = dict(
            zip(
                positions,
                self._from_query(query, table, positions, place),
                strict=False,
            )
        )

        def selected(frame: Frame) -> Iterator[list[Any]]:
            for row in (
                list(query.run(frame))
                if not self._compiler.locks
                else (query.run(frame))
            ):
                frame[place] = row
                yield [
                    given[one](frame) if one in given else defaults[one](frame)
                    for one in range(count)
                ]

        return selected, False

    def _check_count(self, given: int, positions: list[int], fields: Fields) -> None:
        if given > len(positions):
            raise SQLError("42601", "INSERT has more expressions than target columns")
        if given < len(positions) and "cols" in fields:
            raise SQLError("42601", "INSERT has more target columns than expressions")

    def _from_query(
        self, query: Query, table: TableSchema, positions: list[int], place: int
    ) -> list[Evaluate]:
        found = []
        for index, (_, kind) in enumerate(query.columns):

            def read(frame: Frame, index: int = index) -> Any:
                return frame[place][index]

            column = table.columns[positions[index]]
            found.append(self.assigned(column, Expression(read, kind)))
        return found

    def _given(
        self,
        fields: Fields,
        table: TableSchema,
        positions: list[int],
        items: list[Node],
        *,
        scope: Scope,
        defaults: list[Evaluate],
    ) -> list[Evaluate]:
        self._check_count(len(items), positions, fields)
        made = list(defaults)
        for position, node in zip(positions, items, strict=False):
            if "SetToDefault" in node:
                continue
            column = table.columns[position]
            if column.identity == "a" and fields.get("override") != (
                "OVERRIDING_SYSTEM_VALUE"
            ):
                raise SQLError(
                    "428C9",
                    f'cannot insert a non-DEFAULT value into column "{column.name}"',
                )
            found = self._compiler.expressions.compile(node, scope)
            made[position] = self.assigned(column, found)
        return made

    def _on_conflict(
        self,
        clause: Fields,
        table: TableSchema,
        writer: Writer,
        scope: Scope,
        leaf: Leaf,
    ) -> Callable[[Frame, Row], Row | None]:
        only(clause, "action", "infer", "targetList", "whereClause", of="ON CONFLICT")
        constraints = writer.constraints
        arbiters = self._arbiters(clause.get("infer"), table, constraints)
        others = [one for one in constraints.indexes if one not in arbiters]
        if clause["action"] == "ONCONFLICT_NOTHING":
            return lambda frame, row: writer.insert_or(frame, row, arbiters, others)
        if "infer" not in clause:
            raise SQLError(
                "42601",
                "ON CONFLICT DO UPDATE requires inference specification or constraint"
                " name",
            )
        columns = [(one.name, one.kind) for one in table.columns]
        excluded = Source("excluded", self._compiler.place(), columns)
        excluded.is_visible = False
        updating = Scope(scope.parent, sources=[leaf.source, excluded], ctes=scope.ctes)
        assign = self._assignments(clause["targetList"], table, updating)
        where = None
        if "whereClause" in clause:
            where = conjunction(
                self._compiler.sources.conjuncts(
                    clause["whereClause"], updating, "WHERE"
                )
            ).evaluate
        changed = {position for position, _ in assign}
        strength = (
            Strength.UPDATE
            if changed & set(table.key_columns)
            else Strength.NO_KEY_UPDATE
        )
        place = leaf.source.place

        def update(frame: Frame, row: Row) -> Row | None:
            found = writer.insert_or(frame, row, arbiters, others, strength)
            if not isinstance(found, Existing):
                made: Row | None = found
                return made
            frame[place], frame[excluded.place] = found.row, row
            if where is not None and where(frame) is not True:
                return None
            return writer.update(
                frame, found.row, assigned_row(found.row, assign, frame)
            )

        return update

    def _arbiters(
        self, infer: Fields | None, table: TableSchema, constraints: Constraints
    ) -> list[Index]:
        """Return the indexes whose conflicts are expected."""
        if infer is None:
            return list(constraints.indexes)
        only(infer, "indexElems", "whereClause", "conname", of="ON CONFLICT")
        if "conname" in infer:
            named = [
                one
                for one in constraints.indexes
                if one.name == infer["conname"] and one.unique.is_constraint
            ]
            if not named:
                raise SQLError(
                    "42704",
                    f'constraint "{infer["conname"]}" for table "{table.name}" does not'
                    " exist",
                )
            return named
        names, elements = set(), set()
        for node in infer["indexElems"]:
            body = node["IndexElem"]
            if "name" in body:
                names.add(table.position(body["name"]))
            else:
                elements.add(without_places(body["expr"]))
        found = [
            one
            for one in constraints.indexes
            if _is_inferred(one, names, elements, infer.get("whereClause"))
        ]
        if not found:
            raise SQLError(
                "42P10",
                "there is no unique or exclusion constraint matching the ON CONFLICT"
                " specification",
            )
        return found

    # UPDATE and DELETE ----------------------------------------------------------------

    def _assignments(
        self, nodes: list[Node], table: TableSchema, scope: Scope
    ) -> list[tuple[int, Evaluate]]:
        made: list[tuple[int, Evaluate]] = []
        for node in nodes:
            body = node["ResTarget"]
            only(body, "name", "val", of="SET")
            position = table.position(body["name"])
            column = table.columns[position]
            value = body["val"]
            if "MultiAssignRef" in value:
                source = value["MultiAssignRef"]
                if "RowExpr" not in source["source"]:
                    raise NotModelled("SET of several columns by a subquery")
                value = source["source"]["RowExpr"]["args"][source["colno"] - 1]
            if "SetToDefault" in value:
                made.append((position, self.default_of(column)))
                continue
            found = self._compiler.expressions.compile(value, scope)
            made.append((position, self.assigned(column, found)))
        return made

    def update(self, fields: Fields, parent: Scope | None) -> Modification:
        """Return an UPDATE."""
        only(
            fields,
            "relation",
            "targetList",
            "whereClause",
            "fromClause",
            "returningList",
            "withClause",
            of="UPDATE",
        )
        return self._change(fields, parent, "fromClause")

    def delete(self, fields: Fields, parent: Scope | None) -> Modification:
        """Return a DELETE."""
        only(
            fields,
            "relation",
            "whereClause",
            "usingClause",
            "returningList",
            "withClause",
            of="DELETE",
        )
        return self._change(fields, parent, "usingClause")

    def _change(
        self, fields: Fields, parent: Scope | None, others: str
    ) -> Modification:
        scope = Scope(parent)
        if "withClause" in fields:
            self._compiler.add_ctes(fields["withClause"], scope)
        table, leaf = self._target(fields["relation"], scope)
        source = self._compiler.sources.compile(fields.get(others, []), None, scope)
        source.units.insert(0, leaf)
        self._compiler.sources.restrict(source, fields.get("whereClause"), scope)
        for unit in source.units:
            unit.filters.clear()
        source.prepare()
        place = leaf.source.place
        bare = Scope(None, sources=[leaf.source])
        constraints = Constraints(self._compiler, table, place, bare)
        writer = Writer(table, place, constraints)
        assign = None
        if "targetList" in fields:
            assign = self._assignments(fields["targetList"], table, scope)
        columns, outputs = self._returning(fields, scope)

        def run(frame: Frame) -> Iterator[Row]:
            for _ in source.iterate(frame):
                combo = list(frame)
                made = writer.change(frame, source, assign)
                if made is not None:
                    frame[place] = made
                    yield tuple([one(frame) for one in outputs])
                frame[:] = combo

        return Modification(columns, run, _is_linear(source, table, leaf))


def _is_linear(source: From, table: TableSchema, leaf: Leaf) -> bool:
    """Return whether conditions fix a unique key and read nothing but its row."""
    own = frozenset({leaf.source.place})
    if len(source.units) != 1 or any(
        not one.reads <= own or one.is_volatile for one in source.conditions
    ):
        return False
    return is_one_row(source.conditions, table, leaf.source.place)


def is_one_row(conditions: list[Expression], table: TableSchema, place: int) -> bool:
    """Return whether conditions fix the columns of a unique key."""
    fixed = set()
    for one in conditions:
        for mine, other in () if one.equals is None else (one.equals, one.equals[::-1]):
            if mine.column is not None and mine.column[0] == place and not other.reads:
                fixed.add(mine.column[1])
    return any(
        one.columns and one.where is None and set(one.columns) <= fixed
        for one in table.uniques
    )


def _is_inferred(
    index: Index, names: set[int], elements: set[str], where: Node | None
) -> bool:
    unique = index.unique
    if unique.where is not None and (
        where is None or without_places(where) != without_places(unique.where)
    ):
        return False
    if unique.columns:
        return not elements and set(unique.columns) == names
    return {without_places(one) for one in unique.elements} == elements and not names


def _bounded(evaluate: Evaluate, kind: str, length: int) -> Evaluate:
    def bounded(frame: Frame) -> Any:
        text = evaluate(frame)
        if text is not None and len(text) > length:
            if text[length:].strip(" "):
                raise SQLError(
                    "22001", f"value too long for type {shown_type(kind)}({length})"
                )
            text = text[:length]
        return text.ljust(length) if kind == "bpchar" and text is not None else text

    return bounded


def _rounded(evaluate: Evaluate, scale: int, precision: int) -> Evaluate:
    limit = Decimal(10) ** (precision - scale)

    def rounded(frame: Frame) -> Any:
        value = evaluate(frame)
        if value is None or not value.is_finite():
            return value
        value = round_numeric(value, scale)
        if abs(value) >= limit:
            raise SQLError("22003", "numeric field overflow")
        return value

    return rounded


def _label(evaluate: Evaluate, kind: str, labels: tuple[str, ...]) -> Evaluate:
    def label(frame: Frame) -> Any:
        value = evaluate(frame)
        if value is not None and value not in labels:
            raise SQLError("22P02", f'invalid input value for enum {kind}: "{value}"')
        return value

    return label

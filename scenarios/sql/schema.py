"""The tables that a text of DDL declares: columns, keys, constraints, sequences.

Knows parse trees and no rows. What is declared and not modelled is refused by name:
a constraint that is not there could make a faulty program look right.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from wavecheck.scenarios.sql.parsing import (
    Fields,
    Node,
    NotModelled,
    fields_of,
    only,
    placed,
    refusal,
    string,
    strings,
    table_name,
)
from wavecheck.scenarios.sql.session import SQLError
from wavecheck.scenarios.sql.values import KNOWN, SERIALS, canonical
from wavecheck.sim.errors import InvalidScenario

ACTIONS: Final = {
    "a": "no action",
    "r": "restrict",
    "c": "cascade",
    "n": "set null",
    "d": "set default",
}


@dataclass(slots=True, kw_only=True, eq=False)
class TableColumn:
    """One column of a table.

    Attributes:
        name: of the column.
        kind: PostgreSQL's name of its type.
        length: characters, or digits of a numeric, at most; 0: as many as there are.
        scale: digits after the point of a numeric; None: as many as there are.
        is_not_null: it must have a value.
        default: the expression; None: there is none.
        identity: `a`: a value is always generated, `d`: by default; empty: not.
        sequence: that gives it values; empty: none.
    """

    name: str
    kind: str
    length: int = 0
    scale: int | None = None
    is_not_null: bool = False
    default: Node | None = None
    identity: str = ""
    sequence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unique:
    """A unique index or constraint.

    Attributes:
        name: of it.
        columns: positions of its columns; empty if it is on expressions.
        elements: an expression each; empty if it is on columns.
        where: the predicate of a partial one.
        is_primary: it is the primary key.
        is_nulls_equal: NULLS NOT DISTINCT.
        is_constraint: it can be named in ON CONFLICT ON CONSTRAINT.
    """

    name: str
    columns: tuple[int, ...] = ()
    elements: tuple[Node, ...] = ()
    where: Node | None = None
    is_primary: bool = False
    is_nulls_equal: bool = False
    is_constraint: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ForeignKey:
    """A foreign key.

    Attributes:
        name: of the constraint.
        columns: positions of the columns that refer.
        table: that they refer to.
        references: names of its columns; empty: its primary key.
        on_delete: what becomes of the rows: a value of `ACTIONS`.
        on_update: likewise.
        is_deferred: it is checked when the transaction commits.
    """

    name: str
    columns: tuple[int, ...]
    table: str
    references: tuple[str, ...]
    on_delete: str
    on_update: str
    is_deferred: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class TableSchema:
    """One table.

    Attributes:
        name: of the table.
        columns: in order.
        uniques: in order of declaration.
        foreign_keys: likewise.
        checks: name and condition of each.
    """

    name: str
    columns: list[TableColumn] = field(default_factory=list)
    uniques: list[Unique] = field(default_factory=list)
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    checks: list[tuple[str, Node]] = field(default_factory=list)

    def position(self, name: str) -> int:
        """Return the position of a column.

        Raises:
            SQLError: there is none of that name.
        """
        for index, one in enumerate(self.columns):
            if one.name == name:
                return index
        raise SQLError(
            "42703", f'column "{name}" of relation "{self.name}" does not exist'
        )

    @property
    def primary_key(self) -> tuple[int, ...]:
        """Positions of the columns of the primary key; empty: there is none."""
        return next((one.columns for one in self.uniques if one.is_primary), ())

    @property
    def key_columns(self) -> tuple[int, ...]:
        """Positions of the columns that a foreign key could refer to."""
        plain = [one for one in self.uniques if one.columns and one.where is None]
        return tuple(sorted({column for one in plain for column in one.columns}))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sequence_:
    """A sequence: its first value and its step."""

    start: int = 1
    step: int = 1


@dataclass(slots=True, kw_only=True, eq=False)
class Schema:
    """Everything that a text of DDL declares.

    Attributes:
        ddl: the text.
        tables: by name.
        sequences: by name.
        enums: labels of each, by name.
    """

    ddl: str
    tables: dict[str, TableSchema] = field(default_factory=dict)
    sequences: dict[str, Sequence_] = field(default_factory=dict)
    enums: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def table(self, name: str) -> TableSchema:
        """Return a table.

        Raises:
            SQLError: there is none of that name.
        """
        found = self.tables.get(name)
        if found is None:
            raise SQLError("42P01", f'relation "{name}" does not exist')
        return found


@lru_cache(maxsize=64)
def read_schema(ddl: str) -> Schema:
    """Return what a text of DDL declares; the same text gives the same object.

    Raises:
        InvalidScenario: it is no DDL, or declares what is not modelled.
    """
    made = Schema(ddl=ddl)
    try:
        for node, at, text in placed(ddl):
            try:
                _declare(made, node)
            except NotModelled as problem:
                where = problem.at if problem.at >= 0 else at
                raise refusal(NotModelled(problem.what, where), ddl, text) from None
        _check_references(made)
    except NotModelled as problem:
        raise refusal(problem, ddl) from None
    except SQLError as error:
        raise InvalidScenario(f"schema: {error.message}") from error
    return made


def _declare(made: Schema, node: Node) -> None:
    kind, fields = fields_of(node)
    if kind == "CreateStmt":
        _create_table(made, fields)
    elif kind == "IndexStmt":
        _create_index(made, fields)
    elif kind == "CreateSeqStmt":
        _create_sequence(made, fields)
    elif kind == "CreateEnumStmt":
        labels = tuple(strings(fields.get("vals", [])))
        made.enums[strings(fields["typeName"])[-1]] = labels
    elif kind == "AlterTableStmt":
        _alter_table(made, fields)
    elif kind not in ("CommentStmt", "CreateSchemaStmt"):
        raise NotModelled(f"the declaration {kind.removesuffix('Stmt')}")


def _create_table(made: Schema, fields: Fields) -> None:
    only(
        fields,
        "relation",
        "tableElts",
        "oncommit",
        "if_not_exists",
        "options",
        of="CREATE TABLE",
    )
    name = table_name(fields["relation"])
    if name in made.tables:
        if fields.get("if_not_exists"):
            return
        raise SQLError("42P07", f'relation "{name}" already exists')
    table = made.tables[name] = TableSchema(name=name)
    later: list[tuple[Fields, tuple[str, ...]]] = []
    for element in fields.get("tableElts", []):
        kind, body = fields_of(element)
        if kind == "ColumnDef":
            later.extend(_column(made, table, body))
        elif kind == "Constraint":
            later.append((body, ()))
        else:
            raise NotModelled(f"{kind} in CREATE TABLE")
    for body, columns in later:
        _constrain(table, body, columns)


def type_name(
    fields: Fields, enums: dict[str, tuple[str, ...]]
) -> tuple[str, list[int]]:
    """Return the name of a type and its modifiers.

    Raises:
        NotModelled: it is not known.
    """
    only(fields, "names", "typmods", "typemod", "arrayBounds", of="a type")
    names = strings(fields["names"])
    name = canonical(names[-1])
    if name not in KNOWN and name not in enums:
        raise NotModelled(f"the type {names[-1]}", fields.get("location", -1))
    modifiers = [
        int(one["A_Const"].get("ival", {}).get("ival", 0))
        for one in fields.get("typmods", [])
        if "ival" in one.get("A_Const", {})
    ]
    bounds = len(fields.get("arrayBounds", []))
    if bounds > 1:
        raise NotModelled("an array of arrays", fields.get("location", -1))
    return ("_" if bounds else "") + name, modifiers


def _column(
    made: Schema, table: TableSchema, fields: Fields
) -> list[tuple[Fields, tuple[str, ...]]]:
    """Add a column; return its constraints that belong to the table."""
    only(fields, "colname", "typeName", "constraints", "is_local", of="a column")
    name = str(fields["colname"])
    raw = strings(fields["typeName"]["names"])[-1]
    kind, modifiers = type_name(fields["typeName"], made.enums)
    column = TableColumn(name=name, kind=kind)
    if modifiers and kind in ("varchar", "bpchar"):
        column.length = modifiers[0]
    elif modifiers and kind == "numeric":
        column.length = modifiers[0]
        column.scale = modifiers[1] if len(modifiers) > 1 else 0
    elif kind == "bpchar":
        column.length = 1
    table.columns.append(column)
    if raw in SERIALS:
        _give_sequence(made, table, column)
    later: list[tuple[Fields, tuple[str, ...]]] = []
    for node in fields.get("constraints", []):
        body = node["Constraint"]
        kind_of = body["contype"]
        if kind_of == "CONSTR_NOTNULL":
            column.is_not_null = True
        elif kind_of == "CONSTR_DEFAULT":
            column.default = body["raw_expr"]
        elif kind_of == "CONSTR_IDENTITY":
            column.identity = body["generated_when"]
            _give_sequence(made, table, column)
        elif kind_of in (
            "CONSTR_PRIMARY",
            "CONSTR_UNIQUE",
            "CONSTR_CHECK",
            "CONSTR_FOREIGN",
        ):
            later.append((body, (name,)))
        elif kind_of in _DEFERRING and later:
            constraint, names = later.pop()
            later.append(({**constraint, **_DEFERRING[kind_of]}, names))
        elif kind_of != "CONSTR_NULL":
            raise NotModelled(_constraint_words(kind_of), body.get("location", -1))
    return later


_DEFERRING: Final[dict[str, Fields]] = {
    "CONSTR_ATTR_DEFERRABLE": {"deferrable": True},
    "CONSTR_ATTR_DEFERRED": {"deferrable": True, "initdeferred": True},
    "CONSTR_ATTR_NOT_DEFERRABLE": {},
    "CONSTR_ATTR_IMMEDIATE": {},
}
"""What follows a constraint of a column, as a constraint of a table says it."""


def _constraint_words(contype: str) -> str:
    words = contype.removeprefix("CONSTR_").replace("_", " ")
    return f"a {words} constraint"


def _give_sequence(made: Schema, table: TableSchema, column: TableColumn) -> None:
    column.sequence = f"{table.name}_{column.name}_seq"
    column.is_not_null = True
    made.sequences[column.sequence] = Sequence_()


def _constrain(table: TableSchema, fields: Fields, columns: Sequence[str]) -> None:
    """Add a constraint to a table."""
    kind = fields["contype"]
    is_deferrable = fields.get("deferrable") or fields.get("initdeferred")
    if is_deferrable and kind != "CONSTR_FOREIGN":
        raise NotModelled("a DEFERRABLE constraint", fields.get("location", -1))
    if kind in ("CONSTR_PRIMARY", "CONSTR_UNIQUE"):
        only(fields, "contype", "conname", "keys", "nulls_not_distinct", of="a key")
        names = tuple(strings(fields.get("keys", []))) or tuple(columns)
        positions = tuple([table.position(one) for one in names])
        is_primary = kind == "CONSTR_PRIMARY"
        if is_primary:
            for position in positions:
                table.columns[position].is_not_null = True
        made_up = (
            f"{table.name}_pkey"
            if is_primary
            else f"{table.name}_{'_'.join(names)}_key"
        )
        table.uniques.append(
            Unique(
                name=fields.get("conname", made_up),
                columns=positions,
                is_primary=is_primary,
                is_nulls_equal=bool(fields.get("nulls_not_distinct")),
            )
        )
    elif kind == "CONSTR_CHECK":
        only(fields, "contype", "conname", "raw_expr", "initially_valid", of="CHECK")
        made_up = "_".join([table.name, *columns, "check"])
        taken = [name for name, _ in table.checks]
        count = 1
        while made_up in taken:
            made_up = "_".join([table.name, *columns, f"check{count}"])
            count += 1
        table.checks.append((fields.get("conname", made_up), fields["raw_expr"]))
    elif kind == "CONSTR_FOREIGN":
        _refer(table, fields, columns)
    elif kind == "CONSTR_NOTNULL":
        for name in strings(fields.get("keys", [])):
            table.columns[table.position(name)].is_not_null = True
    else:
        raise NotModelled(_constraint_words(kind), fields.get("location", -1))


def _refer(table: TableSchema, fields: Fields, columns: Sequence[str]) -> None:
    only(
        fields,
        "contype",
        "conname",
        "pktable",
        "pk_attrs",
        "fk_attrs",
        "fk_matchtype",
        "fk_upd_action",
        "fk_del_action",
        "initially_valid",
        "skip_validation",
        "deferrable",
        "initdeferred",
        of="a foreign key",
    )
    if fields.get("fk_matchtype", "s") != "s":
        raise NotModelled("MATCH FULL", fields.get("location", -1))
    names = tuple(strings(fields.get("fk_attrs", []))) or tuple(columns)
    table.foreign_keys.append(
        ForeignKey(
            name=fields.get("conname", f"{table.name}_{'_'.join(names)}_fkey"),
            columns=tuple([table.position(one) for one in names]),
            table=table_name(fields["pktable"]),
            references=tuple(strings(fields.get("pk_attrs", []))),
            on_delete=ACTIONS[fields.get("fk_del_action", "a")],
            on_update=ACTIONS[fields.get("fk_upd_action", "a")],
            is_deferred=bool(fields.get("initdeferred")),
        )
    )


def _check_references(made: Schema) -> None:
    for table in made.tables.values():
        for key in table.foreign_keys:
            parent = made.table(key.table)
            referenced = referenced_columns(made, key)
            keys = [set(one.columns) for one in parent.uniques if one.where is None]
            if set(referenced) not in keys:
                raise SQLError(
                    "42830",
                    "there is no unique constraint matching given keys for referenced"
                    f' table "{parent.name}"',
                )


def referenced_columns(made: Schema, key: ForeignKey) -> tuple[int, ...]:
    """Return the positions of the columns that a foreign key refers to."""
    parent = made.table(key.table)
    if not key.references:
        return parent.primary_key
    return tuple([parent.position(one) for one in key.references])


def _create_index(made: Schema, fields: Fields) -> None:
    only(
        fields,
        "idxname",
        "relation",
        "accessMethod",
        "indexParams",
        "whereClause",
        "unique",
        "concurrent",
        "if_not_exists",
        "nulls_not_distinct",
        "indexIncludingParams",
        "options",
        of="CREATE INDEX",
    )
    table = made.table(table_name(fields["relation"]))
    if not fields.get("unique"):
        return  # it changes how rows are found, not which
    columns, elements = [], []
    for node in fields["indexParams"]:
        body = node["IndexElem"]
        only(body, "name", "expr", "ordering", "nulls_ordering", of="an index")
        if "name" in body:
            columns.append(table.position(body["name"]))
            elements.append(
                {"ColumnRef": {"fields": [{"String": {"sval": body["name"]}}]}}
            )
        else:
            elements.append(body["expr"])
    is_plain = len(columns) == len(elements)
    table.uniques.append(
        Unique(
            name=fields.get("idxname", f"{table.name}_idx"),
            columns=tuple(columns) if is_plain else (),
            elements=() if is_plain else tuple(elements),
            where=fields.get("whereClause"),
            is_nulls_equal=bool(fields.get("nulls_not_distinct")),
            is_constraint=False,
        )
    )


def _create_sequence(made: Schema, fields: Fields) -> None:
    only(fields, "sequence", "options", "if_not_exists", of="CREATE SEQUENCE")
    values = {"start": 1, "increment": 1}
    for node in fields.get("options", []):
        body = node["DefElem"]
        name = body["defname"]
        if name in values:
            values[name] = _number(body["arg"])
        elif name not in ("cache", "owned_by", "as", "minvalue", "maxvalue", "cycle"):
            raise NotModelled(f"a sequence with {name}")
    made.sequences[table_name(fields["sequence"])] = Sequence_(
        start=values["start"], step=values["increment"]
    )


def _number(node: Node) -> int:
    kind, body = fields_of(node)
    if kind == "Integer":
        return int(body.get("ival", 0))
    if kind == "Float":
        return int(body["fval"])
    raise NotModelled(f"{kind} where a number is expected")


def _alter_table(made: Schema, fields: Fields) -> None:
    only(fields, "relation", "cmds", "objtype", of="ALTER TABLE")
    table = made.table(table_name(fields["relation"]))
    for node in fields["cmds"]:
        body = node["AlterTableCmd"]
        what = body["subtype"]
        if what == "AT_AddConstraint":
            _constrain(table, body["def"]["Constraint"], ())
        elif what == "AT_AddColumn":
            for later in _column(made, table, body["def"]["ColumnDef"]):
                _constrain(table, *later)
        elif what == "AT_ColumnDefault" and "def" in body:
            table.columns[table.position(body["name"])].default = body["def"]
        elif what == "AT_SetNotNull":
            table.columns[table.position(body["name"])].is_not_null = True
        else:
            raise NotModelled(f"ALTER TABLE {what.removeprefix('AT_')}")


__all__ = [
    "ForeignKey",
    "Schema",
    "TableColumn",
    "TableSchema",
    "Unique",
    "read_schema",
    "referenced_columns",
    "string",
    "type_name",
]

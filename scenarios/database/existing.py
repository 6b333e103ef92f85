"""The schema of a database that is there, as DDL that a world can be made of.

Asks PostgreSQL's catalogs; what the model does not know is left out, and said.
"""

from collections.abc import Iterator
from typing import Any, Final

from wavecheck.scenarios.sql.parsing import NotModelled
from wavecheck.scenarios.sql.schema import read_schema
from wavecheck.scenarios.sql.session import SQLError
from wavecheck.sim.errors import InvalidScenario

_TABLES: Final = """
SELECT c.oid, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname"""
_ENUMS: Final = """
SELECT t.typname, array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid
JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname = current_schema() GROUP BY t.typname ORDER BY t.typname"""
_COLUMNS: Final = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       pg_get_expr(d.adbin, d.adrelid), a.attidentity::text, a.attgenerated::text
FROM pg_attribute a
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
_CONSTRAINTS: Final = """
SELECT conname, contype::text, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = %s AND contype IN ('p', 'u', 'c', 'f', 'x') ORDER BY conname"""
_INDEXES: Final = """
SELECT pg_get_indexdef(indexrelid) FROM pg_index i WHERE indrelid = %s AND NOT EXISTS
(SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype <> 'f')
ORDER BY 1"""
_SERIALS: Final = {
    "smallint": "smallserial",
    "integer": "serial",
    "bigint": "bigserial",
}


def schema_of_database(url: str) -> tuple[str, list[str]]:
    """Return the DDL of a PostgreSQL database's tables, and what was left out.

    Args:
        url: of the database; nothing in it is changed.

    Raises:
        InvalidScenario: it cannot be reached, or has no table.
    """
    try:
        import psycopg
    except ModuleNotFoundError:
        raise InvalidScenario(
            "a schema is read with psycopg, which is not installed\n"
            "next: pip install 'psycopg[binary]'"
        ) from None
    plain_url = url.replace("postgresql+psycopg://", "postgresql://")
    try:
        with psycopg.connect(plain_url, connect_timeout=10) as connection:
            connection.read_only = True
            statements = list(_statements(connection))
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise InvalidScenario(
            f"{url} cannot be read: {reason}\n"
            "  expected  postgresql://user@host/database, and leave to read its catalog"
        ) from error
    if not any(one.startswith("CREATE TABLE") for one in statements):
        raise InvalidScenario(
            f"{url} has no table in its first schema\n"
            "next: name another one, ...?options=-csearch_path=NAME"
        )
    return _modelled(statements)


def _statements(connection: Any) -> Iterator[str]:
    """Yield DDL: types, tables, then what refers to other tables, and indexes."""
    later: list[str] = []
    for name, labels in connection.execute(_ENUMS).fetchall():
        shown = ", ".join("'" + one.replace("'", "''") + "'" for one in labels)
        yield f'CREATE TYPE "{name}" AS ENUM ({shown})'
    for oid, table in connection.execute(_TABLES).fetchall():
        lines = [
            _column(one) for one in connection.execute(_COLUMNS, (oid,)).fetchall()
        ]
        for name, kind, said in connection.execute(_CONSTRAINTS, (oid,)).fetchall():
            if kind == "f":
                later.append(f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" {said}')
            else:
                lines.append(f'CONSTRAINT "{name}" {said}')
        yield f'CREATE TABLE "{table}" (\n    ' + ",\n    ".join(lines) + "\n)"
        for (said,) in connection.execute(_INDEXES, (oid,)).fetchall():
            later.append(said.replace(" USING btree ", " "))
    yield from later


def _column(row: tuple[str, str, bool, str | None, str, str]) -> str:
    name, kind, is_not_null, default, identity, generated = row
    if default is not None and default.startswith("nextval(") and kind in _SERIALS:
        return f'"{name}" {_SERIALS[kind]}'
    words = [f'"{name}" {kind}']
    if identity:
        words.append(f"GENERATED {'ALWAYS' if identity == 'a' else 'BY DEFAULT'}")
        words.append("AS IDENTITY")
    elif generated:
        words.append(f"GENERATED ALWAYS AS ({default}) STORED")
    elif default is not None:
        words.append(f"DEFAULT {default}")
    if is_not_null:
        words.append("NOT NULL")
    return " ".join(words)


def _modelled(statements: list[str]) -> tuple[str, list[str]]:
    """Return the statements that the model knows, and why it does not know the rest."""
    kept: list[str] = []
    left_out: list[str] = []
    for one in statements:
        try:
            read_schema(";\n".join([*kept, one]))
        except (InvalidScenario, SQLError, NotModelled) as problem:
            first = " ".join(one.split())[:70]
            left_out.append(f"{first}: {str(problem).splitlines()[0]}")
        else:
            kept.append(one)
    return "".join(f"{one};\n" for one in kept), left_out

"""Foreign keys that are checked when a transaction commits, as PostgreSQL asks them.

PostgreSQL queues a trigger for each row that refers, or is referred to and goes; at the
commit each looks whether its row is still as it was, and then asks by an ordinary
statement, which locks and waits like one. So it is done here.

Source: PostgreSQL, src/backend/utils/adt/ri_triggers.c (`RI_FKey_check`,
`RI_FKey_noaction_del`).
"""

from wavecheck.scenarios.sql.frame import Deferred
from wavecheck.scenarios.sql.schema import Schema, referenced_columns
from wavecheck.scenarios.sql.session import SQLError


def questions(schema: Schema, late: Deferred) -> tuple[str, str]:
    """Return what is asked at the commit, one query after the other.

    Returns:
        Whether the row is still as it was: for one that has come, a query that gives
        rows; for one that has left, a query that gives none. Then what must give rows
        for the former, and none for the latter.
    """
    child = schema.table(late.child)
    (key,) = [one for one in child.foreign_keys if one.name == late.constraint]
    parent = schema.table(key.table)
    refers = _where([child.columns[one].name for one in key.columns])
    referred = _where(
        [parent.columns[one].name for one in referenced_columns(schema, key)]
    )
    children = f'SELECT 1 FROM "{child.name}" WHERE {refers}'
    parents = f'SELECT 1 FROM "{parent.name}" WHERE {referred}'
    if late.is_left:
        return parents, f"{children} FOR KEY SHARE"
    return children, f"{parents} FOR KEY SHARE"


def _where(columns: list[str]) -> str:
    return " AND ".join(
        [f'"{one}" = ${number}' for number, one in enumerate(columns, start=1)]
    )


def violation(schema: Schema, late: Deferred) -> SQLError:
    """Return the error of a deferred foreign key."""
    child = schema.table(late.child)
    (key,) = [one for one in child.foreign_keys if one.name == late.constraint]
    names = ", ".join([child.columns[one].name for one in key.columns])
    shown = ", ".join([str(one) for one in late.values])
    if late.is_left:
        return SQLError(
            "23503",
            f'update or delete on table "{key.table}" violates foreign key constraint'
            f' "{key.name}" on table "{child.name}"',
            constraint=key.name,
        )
    return SQLError(
        "23503",
        f'insert or update on table "{child.name}" violates foreign key constraint'
        f' "{key.name}"',
        detail=f'Key ({names})=({shown}) is not present in table "{key.table}".',
        constraint=key.name,
    )

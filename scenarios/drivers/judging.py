"""Properties as SQL: the rows of a query are the violations."""

import re
from typing import Any

from wavecheck.scenarios.sql.database import Database
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.property import Moment, Property

_SHOWN = 3  # rows of a violation that its message names


def sql_property(
    name: str, sql: str, database: Database, moment: Moment = Moment.ALWAYS
) -> Property:
    """Return a property that no row of a query is ever there.

    It is at risk in an execution that changes a row of a table that the query names.

    Args:
        name: as on the command line, and in the words of the domain.
        sql: a query; the rows that it gives are the violations.
        database: what it is asked of, always on what is committed.
        moment: ALWAYS, after each commit, or AT_QUIESCENCE.

    Raises:
        InvalidScenario: the query changes something, is not known, or names no table.
    """
    try:
        database.query(sql)
    except InvalidScenario as error:
        raise InvalidScenario(f"property {name!r}: {error}") from error
    tables = [
        table for table in database.tables if re.search(rf"\b{re.escape(table)}\b", sql)
    ]
    if not tables:
        known = ", ".join(database.tables)
        raise InvalidScenario(
            f"property {name!r} asks of no table\n  query     {sql}\n"
            f"  expected  one of: {known}"
        )
    initial = {table: database.rows(table) for table in tables}

    def wrong() -> str | None:
        answer = database.query(sql)
        if not answer.rows:
            return None
        names = [column.name for column in answer.columns]
        shown = [
            ", ".join(f"{key} {value}" for key, value in zip(names, row, strict=True))
            for row in answer.rows[:_SHOWN]
        ]
        more = len(answer.rows) - len(shown)
        return f"{name}: {'; '.join(shown)}" + (f"; {more} more" if more else "")

    def is_at_risk(world: Any) -> bool:
        return any(database.rows(table) != initial[table] for table in tables)

    if moment is Moment.ALWAYS:

        def check(world: Any, key: Any, before: Any, after: Any) -> str | None:
            return wrong()

        return Property(
            name=name,
            meaning=f"no row of: {sql}",
            moment=moment,
            on_change=dict.fromkeys(tables, check),
            is_at_risk=is_at_risk,
        )
    return Property(
        name=name,
        meaning=f"no row of: {sql}",
        moment=moment,
        at_end=lambda world: wrong(),
        is_at_risk=is_at_risk,
    )

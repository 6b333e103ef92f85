"""A database of the user's own schema, whose tables are parts of a kernel."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from wavecheck.scenarios.sql.acting import Acting
from wavecheck.scenarios.sql.calls import NUMBERED
from wavecheck.scenarios.sql.frame import Frame, SessionFacts
from wavecheck.scenarios.sql.modelled import ModelSession
from wavecheck.scenarios.sql.row_types import row_type_of
from wavecheck.scenarios.sql.schema import Schema, read_schema
from wavecheck.scenarios.sql.session import Answer, SQLError
from wavecheck.scenarios.sql.steps import (
    Call,
    StepResult,
    commit_step,
    moment_of,
    plain,
    plan_of,
    statement_step,
)
from wavecheck.scenarios.sql.values import shown
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.parts import Counter, Table
from wavecheck.sim.transactions.level import Level
from wavecheck.sim.transactions.rowwise import RowTransactions
from wavecheck.sim.transactions.stepwise import Stepwise

LEVELS: Final = {
    "read uncommitted": Level.READ_COMMITTED,
    **{
        str(one): one
        for one in (Level.READ_COMMITTED, Level.REPEATABLE_READ, Level.SERIALIZABLE)
    },
}
"""PostgreSQL's levels of isolation by name."""


def level_of(name: str) -> Level:
    """Return a level of isolation.

    Raises:
        InvalidScenario: there is none of that name.
    """
    found = LEVELS.get(name.lower().replace("_", " "))
    if found is None:
        raise InvalidScenario(
            f"isolation {name!r}\n  expected  one of: {', '.join(LEVELS)}"
        )
    return found


class Database:
    """A PostgreSQL database, modelled.

    Args:
        kernel: whose parts the tables become.
        schema: DDL.
        rows: by table, each as a mapping from columns to values; in an order that
            foreign keys allow. Columns that are left out get their defaults.
        name: of its parts, beside the tables.
        clock: ticks that have passed, if time passes in the world; None: `EPOCH`, and
            in timed runs the kernel's clock.
        counts_transactions: give transactions numbers, which `xmin` and
            `pg_current_snapshot` show; None: if the schema asks for them.
        scan: `key`: without ORDER BY, rows come in the order of their keys; `heap`: in
            that in which their versions were made, as in a table without vacuum.

    Attributes:
        tables: a part each, by name.

    Raises:
        InvalidScenario: the schema is not modelled, or a row violates it.
    """

    def __init__(
        self,
        kernel: Kernel,
        schema: str,
        *,
        rows: Mapping[str, Iterable[Mapping[str, Any]]] | None = None,
        name: str = "database",
        clock: Counter | None = None,
        counts_transactions: bool | None = None,
        scan: str = "key",
    ) -> None:
        self.kernel = kernel
        self._ddl = schema
        self.is_heap = scan == "heap"
        self.counts = (
            any(one in schema for one in NUMBERED)
            if counts_transactions is None
            else counts_transactions
        )
        self._clock = clock
        self.transactions = RowTransactions(kernel, name, counts=self.counts)
        self.acting = Acting(self, name)
        self.tables: dict[str, Table[Any]] = {}
        for table in self.schema.tables.values():
            row_type = row_type_of(table)
            made = Table(kernel, table.name, row_type, key=(row_type._fields[-3],))
            made.hidden = row_type._fields[-3:]
            self.tables[table.name] = made
            is_plain = all(one.columns and not one.where for one in table.uniques)
            unique = table.key_columns if is_plain else range(len(table.columns))
            unique_of = _key_of(tuple(unique)) if table.uniques else None
            self.transactions.add(made, _key_of(table.key_columns), unique_of)
        for table_name, given in (rows or {}).items():
            self._fill(table_name, given)
        kernel.journal.clear()

    @property
    def schema(self) -> Schema:
        """What the DDL declares; it is the same for all databases of that text."""
        return read_schema(self._ddl)

    def session(self, *, isolation: str = "read committed") -> ModelSession:
        """Return a new session; it takes no step.

        Args:
            isolation: of its transactions, unless they say otherwise.
        """
        return ModelSession(self, level_of(isolation))

    def ticks(self) -> int:
        """Return how many ticks have passed."""
        if self._clock is not None:
            return self._clock.get()
        return int(self.kernel.now) if self.kernel.is_timed else 0

    def query(self, sql: str, parameters: Iterable[object] = ()) -> Answer:
        """Return what a query gives on what is committed; it takes no step.

        Raises:
            InvalidScenario: it would change something, or is not modelled.
        """
        params = plain(parameters)
        try:
            plan = plan_of(self, sql, params)
            if plan.is_transactional or plan.acts:
                raise InvalidScenario(
                    f"a query on the database would change it\n  query     {sql}\n"
                    "  expected  a SELECT that locks nothing and calls no function that"
                    " acts"
                )
            frame = Frame(
                plan.size,
                step=Stepwise(self.transactions, 0, None),
                params=params,
                facts=SessionFacts(0, moment_of(self.ticks())),
                around=self.acting,
                tables=self.tables,
            )
            rows, _ = plan.run(frame)
        except SQLError as error:
            raise InvalidScenario(
                f"a query on the database fails: {error.message}\n  query     {sql}"
            ) from error
        return answer_of("SELECT", plan.columns, rows, len(rows))

    def rows(self, table: str) -> list[Any]:
        """Return the committed rows of a table, with its columns as attributes."""
        return list(self.tables[table])

    def end_session(self, number: int, slot: int) -> None:
        """End a session here and now: it is rolled back, its locks are given back."""
        if slot and self.transactions.is_open(slot):
            self.transactions.roll_back(slot)
        if number in self.acting.listening:
            self.acting.unlock_all(number)
            self.acting.listening.delete(number)

    def _fill(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        if table not in self.tables:
            known = ", ".join(self.tables)
            raise InvalidScenario(
                f"rows of table {table!r}\n  expected  one of: {known}"
            )
        for number, row in enumerate(rows, start=1):
            try:
                self.insert(table, row)
            except SQLError as error:
                raise InvalidScenario(
                    f"row {number} of table {table!r}: {error.message}\n"
                    f"  row       {dict(row)!r}"
                ) from error

    def insert(self, table: str, row: Mapping[str, Any]) -> None:
        """Insert a committed row here and now, as a part of the step under way.

        Raises:
            SQLError: the row violates the schema.
        """
        names = ", ".join(f'"{one}"' for one in row)
        marks = ", ".join(f"${at}" for at in range(1, len(row) + 1))
        sql = f'INSERT INTO "{table}" ({names}) VALUES ({marks})'
        if not row:
            sql = f'INSERT INTO "{table}" DEFAULT VALUES'
        call = Call(sql, plain(row.values()), 0, Level.READ_COMMITTED, 0, 0, True, -1)
        while True:
            done = statement_step(self, call)
            if isinstance(done, StepResult):
                break
            call = call._replace(slot=done[0].slot, log=done[0].log)
        if done.error:
            raise SQLError(done.error[0], done.error[1])
        commit_step(self, done.slot)


def answer_of(
    command: str,
    columns: list[tuple[str, str]],
    rows: Iterable[tuple[Any, ...]],
    count: int,
) -> Answer:
    """Return an answer with values as a driver gives them."""
    from wavecheck.scenarios.sql.session import Column
    from wavecheck.scenarios.sql.values import public_type

    kinds = [kind for _, kind in columns]
    return Answer(
        command=command,
        columns=tuple(
            [Column(name=name, type_name=public_type(kind)) for name, kind in columns]
        ),
        rows=tuple(
            [
                tuple([shown(kind, one) for kind, one in zip(kinds, row, strict=True)])
                for row in rows
            ]
        )
        if columns
        else (),
        rows_count=count,
    )


def _key_of(columns: tuple[int, ...]) -> Any:
    return lambda row: tuple([row[one] for one in columns])

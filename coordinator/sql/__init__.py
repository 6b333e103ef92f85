"""The protocol on SQLite and PostgreSQL: what runs in production.

The only home of SQLAlchemy beside the tests. A store is made from an engine:

    engine = make_engine("postgresql://app@localhost/imports")
    store = SQLStore(engine, clock=..., wait=..., stale_after=..., lease=...)
    await Claiming(store).check_and_trigger_next_wave("job-1")
"""

from sqlalchemy.ext.asyncio import AsyncConnection as Connection

from wavecheck.coordinator.sql.engines import (
    REFUSALS,
    connected,
    make_engine,
    parse_url,
)
from wavecheck.coordinator.sql.errors import DatabaseUnusable, as_unusable
from wavecheck.coordinator.sql.foreign import Rows, TableNames, read_job
from wavecheck.coordinator.sql.retries import retrying
from wavecheck.coordinator.sql.rows import (
    add_rows,
    create_tables,
    read_batches,
    read_jobs,
    read_sends,
    read_waves,
    refuse_other_tables,
    remove_job,
)
from wavecheck.coordinator.sql.scripting import (
    removal_text,
    rows_text,
    statement_text,
    tables_text,
)
from wavecheck.coordinator.sql.store import Clock, SQLStore, Wait
from wavecheck.coordinator.sql.transactions import in_one_transaction

__all__ = [
    "REFUSALS",
    "Clock",
    "Connection",
    "DatabaseUnusable",
    "Rows",
    "SQLStore",
    "TableNames",
    "Wait",
    "add_rows",
    "as_unusable",
    "connected",
    "create_tables",
    "in_one_transaction",
    "make_engine",
    "parse_url",
    "read_batches",
    "read_job",
    "read_jobs",
    "read_sends",
    "read_waves",
    "refuse_other_tables",
    "removal_text",
    "remove_job",
    "retrying",
    "rows_text",
    "statement_text",
    "tables_text",
]

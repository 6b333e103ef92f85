"""The protocol on SQLite and PostgreSQL: what runs in production.

The only home of SQLAlchemy beside the tests. A store is made from an engine:

    engine = make_engine("postgresql://app@localhost/imports")
    store = SQLStore(engine, clock=..., wait=..., stale_after=..., lease=...)
    await Claiming(store).check_and_trigger_next_wave("job-1")
"""

from coordinator.sql.engines import connected, make_engine, parse_url
from coordinator.sql.errors import DatabaseUnusable
from coordinator.sql.rows import (
    add_rows,
    create_tables,
    read_batches,
    read_jobs,
    read_sends,
    read_waves,
)
from coordinator.sql.store import Clock, SQLStore, Wait
from coordinator.sql.transactions import in_one_transaction

__all__ = [
    "Clock",
    "DatabaseUnusable",
    "SQLStore",
    "Wait",
    "add_rows",
    "connected",
    "create_tables",
    "in_one_transaction",
    "make_engine",
    "parse_url",
    "read_batches",
    "read_jobs",
    "read_sends",
    "read_waves",
]

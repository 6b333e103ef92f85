"""What an ORM costs: a claim of jobs through SQLAlchemy, in search and in proof."""

import time
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import wavecheck as wc
from benchmarks.table import Bar, Table

COMMAND: Final = "python -m benchmarks orm"
EXECUTIONS_BAR: Final = 120
SECONDS_BAR: Final = 10.0
ENGINE: Final = create_engine("postgresql+psycopg://worker@db.example/jobs")


class Base(DeclarativeBase):
    """The models."""


class Batch(Base):
    """A piece of work, and how often it was sent."""

    __tablename__ = "batches"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(default="pending")
    sends: Mapped[int] = mapped_column(default=0)


def claim() -> None:
    """Send the next batch, without a lock."""
    _claim(select(Batch))


def claim_locked() -> None:
    """The same, FOR UPDATE SKIP LOCKED."""
    _claim(select(Batch).with_for_update(skip_locked=True))


def _claim(query: Any) -> None:
    with Session(ENGINE) as session:
        next_one = query.where(Batch.state == "pending").order_by(Batch.id).limit(1)
        batch = session.scalars(next_one).first()
        if batch is None:
            return
        batch.state, batch.sends = "sent", batch.sends + 1
        session.commit()


@wc.world(
    sizes={"workers": 2, "batches": 2}, code={"now": claim, "locked": claim_locked}
)
def workers(w: wc.WorldBuilder) -> None:
    """Workers that each send the next batch."""
    batches = [{"id": n} for n in range(w.batches)]
    w.postgresql(Base.metadata, rows={"batches": batches})
    for n in range(w.workers):
        w.task(f"worker-{n}", w.code)
    w.at_the_end("left", "SELECT id FROM batches WHERE state = 'pending'")


def tables(*, is_quick: bool) -> Iterator[Table]:
    """Yield executions a second, and the processor time of proofs."""
    executions = 200 if is_quick else 1_000
    rows, bars = [], []
    wc.check(workers, "locked", executions=5)  # its statements are compiled
    before = time.process_time()
    wc.check(workers, "locked", executions=executions)
    each = executions / (time.process_time() - before)
    rows.append(("search, two workers on SKIP LOCKED", f"{each:.0f} a second"))
    text = f"at least {EXECUTIONS_BAR} executions a second"
    bars.append(Bar(text=text, is_reached=each >= EXECUTIONS_BAR))
    before = time.process_time()
    found = wc.prove(workers, "locked", settings={"workers": 3})
    seconds = time.process_time() - before
    states = found.explored.exploration.states if found.explored else 0
    is_proved = all(one.outcome.name == "PROVED" for one in found.verdicts)
    rows.append((f"proof, three workers, {states:,} states", f"{seconds:.1f} s"))
    text = f"three workers on SKIP LOCKED proved within {SECONDS_BAR:.0f} s"
    bars.append(Bar(text=text, is_reached=is_proved and seconds <= SECONDS_BAR))
    yield Table(
        title="What an ORM costs",
        command=COMMAND,
        columns=("SQLAlchemy's ORM on psycopg", "processor time"),
        rows=rows,
        bars=bars,
        note="Processor time; the runs that accompany the proof are in it.",
    )

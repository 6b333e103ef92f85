"""The same claims by other drivers: psycopg2 and SQLAlchemy's ORM."""

import psycopg2
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import wavecheck as wc


class Base(DeclarativeBase):
    """The models."""


class Job(Base):
    """A job that a worker claims."""

    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    status: Mapped[str] = mapped_column(default="pending")
    claims: Mapped[int] = mapped_column(default=0)


def _by_orm(engine, *, locks):
    with Session(engine) as session:
        query = select(Job).where(Job.status == "pending").order_by(Job.id).limit(1)
        if locks:
            query = query.with_for_update(skip_locked=True)
        job = session.scalars(query).first()
        if job is not None:
            job.status, job.claims = "running", Job.claims + 1
        session.commit()


def orm_naive(engine):
    """Look, then write."""
    _by_orm(engine, locks=False)


def orm_locked(engine):
    """Pass over what another one has in hand."""
    _by_orm(engine, locks=True)


@wc.world(
    sizes={"workers": 2, "jobs": 2}, code={"naive": orm_naive, "locked": orm_locked}
)
def sqlalchemy_claim(w):
    """Workers that claim by SQLAlchemy's ORM."""
    db = w.postgresql(Base.metadata, rows={"jobs": [{"id": n} for n in range(w.jobs)]})
    engine = db.engine()
    for number in range(w.workers):
        w.task(f"worker-{number}", w.code, engine)
    w.never("claimed twice", "SELECT id FROM jobs WHERE claims > 1")


def _by_psycopg2(suffix):
    connection = psycopg2.connect("dbname=shop")
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM jobs WHERE status = 'pending' ORDER BY id LIMIT 1" + suffix
        )
        row = cursor.fetchone()
        if row is not None:
            cursor.execute(
                "UPDATE jobs SET status = 'running', claims = claims + 1 WHERE id = %s",
                row,
            )
    connection.close()


def psycopg2_naive():
    """Look, then write."""
    _by_psycopg2("")


def psycopg2_locked():
    """Pass over what another one has in hand."""
    _by_psycopg2(" FOR UPDATE SKIP LOCKED")


@wc.world(
    sizes={"workers": 2, "jobs": 2},
    code={"naive": psycopg2_naive, "locked": psycopg2_locked},
)
def psycopg2_claim(w):
    """Workers that claim by psycopg2."""
    w.postgresql(Base.metadata, rows={"jobs": [{"id": n} for n in range(w.jobs)]})
    for number in range(w.workers):
        w.task(f"worker-{number}", w.code)
    w.never("claimed twice", "SELECT id FROM jobs WHERE claims > 1")

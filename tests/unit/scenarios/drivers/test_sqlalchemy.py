"""SQLAlchemy in a world: the code's own engines, sessions and models."""

import pytest
from sqlalchemy import Integer, String, create_engine, event, exc, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    scoped_session,
    sessionmaker,
)

from wavecheck.scenarios.drivers import psycopg2, psycopg3, sqlalchemy, sqlite

PSYCOPG = "postgresql+psycopg://app@db.example/shop"
PSYCOPG2 = "postgresql+psycopg2://app@db.example/shop"


class Base(DeclarativeBase):
    pass


class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    state: Mapped[str] = mapped_column(String, default="new", index=True)


@pytest.fixture(autouse=True)
def installed():
    for driver in (psycopg2, psycopg3, sqlite, sqlalchemy):
        driver.install()


def claim(engine):
    with Session(engine) as session:
        job = session.scalars(
            select(Job).where(Job.state == "new").order_by(Job.id).with_for_update()
        ).first()
        job.state, found = "taken", job.id
        session.commit()
        return found


@pytest.mark.parametrize("url", [PSYCOPG, PSYCOPG2])
def test_an_engine_of_the_codes_own_is_the_worlds(perform, double, url):
    """An ordinary URL: begin, select, update, commit, and nothing else is asked."""
    engine = create_engine(url)
    assert perform(lambda: claim(engine), lambda: claim(engine)) == [1, 1]
    said = [sql.split()[0] for sql, _ in double.statements]
    assert sorted(said) == sorted(["BEGIN", "SELECT", "UPDATE", "COMMIT"] * 2)
    assert perform(lambda: claim(engine)) == [2]


def test_an_engine_of_sqlite(perform, double):
    """SQLite's own dialect begins with the first change."""
    engine = create_engine("sqlite:////var/lib/shop.db")

    def code():
        with Session(engine) as session:
            job = session.get(Job, 1)
            job.state = "taken"
            session.commit()

    perform(code, family="sqlite")
    said = [sql.split()[0] for sql, _ in double.statements]
    assert said == ["SELECT", "BEGIN", "UPDATE", "COMMIT"]


def test_savepoints_and_events_are_sqlalchemys(perform, double):
    """begin_nested is a savepoint; listeners hear what they hear in production."""
    engine = create_engine(PSYCOPG)
    heard = []
    event.listen(engine, "commit", lambda connection: heard.append("commit"))

    def code():
        with Session(engine) as session, session.begin():
            with session.begin_nested():
                session.execute(update(Job).values(state="x"))
            nested = session.begin_nested()
            session.execute(text("SELECT 1"))
            nested.rollback()

    perform(code)
    assert [sql.split(" sa_")[0] for sql, _ in double.statements][1:-1] == [
        "SAVEPOINT",
        "UPDATE jobs SET state=$1::VARCHAR",
        "RELEASE SAVEPOINT",
        "SAVEPOINT",
        "SELECT 1",
        "ROLLBACK TO SAVEPOINT",
    ]
    assert heard == ["commit"]


def test_a_connection_that_comes_back_is_rolled_back(perform, double):
    """A pool's checkin ends the transaction, and the connection is closed."""
    engine = create_engine(PSYCOPG, pool_size=1)

    def code():
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    perform(code)
    assert [sql for sql, _ in double.statements] == ["BEGIN", "SELECT 1", "ROLLBACK"]
    assert all(one.is_closed for one in double.sessions)


def test_errors_are_sqlalchemys_around_the_drivers(perform):
    """IntegrityError with psycopg's own error as its origin."""
    engine = create_engine(PSYCOPG)

    def code():
        with Session(engine) as session:
            session.add(Job(id=1))
            with pytest.raises(exc.IntegrityError) as caught:
                session.commit()
        return caught.value.orig.sqlstate

    assert perform(code) == ["23505"]


def test_each_task_has_its_own_scoped_session(perform):
    """scoped_session gives a session for each task, as for each thread."""
    sessions = scoped_session(sessionmaker(create_engine(PSYCOPG)))

    def code():
        sessions.get(Job, 1)
        mine = sessions()
        assert sessions.registry.has()
        sessions.remove()
        assert sessions() is not mine
        return mine

    first, second = perform(code, code)
    assert first is not second
    assert not sessions.registry.has()


def test_async_sessions(perform, double):
    """AsyncSession on psycopg's async connections, in a coroutine."""
    engine = create_async_engine(PSYCOPG)

    async def code():
        session = AsyncSession(engine)
        job = (await session.scalars(select(Job).order_by(Job.id))).first()
        job.state, found = "taken", job.id
        await session.commit()
        await session.close()
        return found

    assert perform(code) == [1]
    said = [sql.split()[0] for sql, _ in double.statements]
    assert said == ["BEGIN", "SELECT", "UPDATE", "COMMIT"]


@pytest.mark.parametrize("family", ["postgresql", "sqlite"])
def test_the_worlds_own_engine(perform, double, family):
    """An engine made for a database needs no address."""
    engine = sqlalchemy.engine_to(family, double)
    assert engine.url.drivername == f"{family}+wavecheck"
    assert perform(lambda: claim(engine)) == [1]


def test_schema_and_rows_come_from_models():
    """DDL with indexes in order; scalar defaults complete rows."""
    ddl = sqlalchemy.schema_of(Base.metadata, "postgresql")
    assert ddl.startswith("CREATE TABLE jobs (\n\tid SERIAL NOT NULL")
    assert ddl.endswith("CREATE INDEX ix_jobs_state ON jobs (state)")
    rows = sqlalchemy.rows_of(Base.metadata, {"jobs": [{"id": 1}]})
    assert rows == {"jobs": [{"state": "new", "id": 1}]}

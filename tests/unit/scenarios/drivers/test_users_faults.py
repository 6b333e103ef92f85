"""What users get wrong with an ORM: said as what it is, with their line."""

import pytest
from sqlalchemy import ForeignKey, create_engine, func, select
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
)

import wavecheck as wc
from wavecheck.scenarios.drivers.postgresql import PostgreSQL
from wavecheck.scenarios.drivers.running import run_code
from wavecheck.sim.errors import WavecheckError
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.verdict import Outcome

ENGINE = create_engine("postgresql+psycopg://app@db.example/shop")


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(default="new")
    lines: Mapped[list["Line"]] = relationship()


class Line(Base):
    __tablename__ = "lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))


SHARED = Session(ENGINE)


def reads_another_table():
    with Session(ENGINE) as session:
        session.get(Order, 1)


def uses_what_is_not_modelled():
    with Session(ENGINE) as session:
        session.execute(select(func.ts_rank(Order.status, "x")))


def shares_a_session():
    SHARED.get(Order, 1)
    SHARED.commit()


def loads_too_late():
    with Session(ENGINE) as session:
        order = session.get(Order, 1)
    return order.lines


FAULTS = {
    one.__name__: one
    for one in (
        *(reads_another_table, uses_what_is_not_modelled, shares_a_session),
        loads_too_late,
    )
}


@wc.world(code=FAULTS, parameters={"fits": True})
def shop(w):
    """Two tasks that do the same wrong thing."""
    schema = Base.metadata if w.fits else "CREATE TABLE orders (id int PRIMARY KEY)"
    w.postgresql(schema, rows={"orders": [{"id": 1}]})
    for n in range(2):
        w.task(f"task-{n}", w.code)
    w.at_the_end("gone", "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM orders)")


def error_of(name, **settings):
    """Return what was wrong in a search: the error that a task raised."""
    result = wc.check(shop, name, settings=settings, executions=3, shrinks=False)
    (found,) = [one for one in result.verdicts if one.property_name == "no_error"]
    assert found.outcome is Outcome.VIOLATED
    return found.violation.message


def test_models_that_do_not_fit_the_tables():
    """The database's own words, at the line that asked."""
    said = error_of("reads_another_table", fits=False)
    assert "column orders.status does not exist" in said
    assert "in reads_another_table: session.get(Order, 1)" in said


def test_sql_that_is_not_modelled():
    """Named, with the user's line and the way out."""
    with pytest.raises(WavecheckError) as caught:
        wc.check(shop, "uses_what_is_not_modelled", executions=1)
    said = str(caught.value)
    assert "ts_rank" in said
    assert "in uses_what_is_not_modelled" in said
    assert "--db URL" in said


def test_a_session_that_two_tasks_share():
    """Refused by the names of the tasks, with the line."""
    shared = r"tasks task-0 and task-1 use one (Session|connection)"
    with pytest.raises(WavecheckError, match=shared) as caught:
        wc.check(shop, "shares_a_session", executions=1)
    assert "in shares_a_session" in str(caught.value)


def test_a_session_that_one_task_uses_after_another():
    """Refused as well: what it remembers is no database."""
    kernel, shared = Kernel(timed=False), Session(ENGINE)
    PostgreSQL(kernel, Base.metadata)

    def code():
        shared.execute(select(1))
        shared.commit()

    kernel.spawn(run_code(code), "task-0")
    kernel.run_to_quiescence()
    with pytest.raises(WavecheckError, match="use one Session of SQLAlchemy's"):
        kernel.spawn(run_code(code), "task-1")


def test_lazy_loading_after_the_sessions_end():
    """The user's own error, shown as such."""
    said = error_of("loads_too_late")
    assert "DetachedInstanceError" in said
    assert "in loads_too_late: return order.lines" in said

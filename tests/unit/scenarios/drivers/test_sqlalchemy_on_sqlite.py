"""SQLAlchemy on SQLite: by the address that the code uses, or by the world's engine."""

from pathlib import Path

import pytest

import wavecheck as wc
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.verdict import Outcome

WORLD = """
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
import wavecheck as wc

class Base(DeclarativeBase): ...

class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    tries: Mapped[int] = mapped_column(default=0)

def plain(engine):
    with Session(engine) as session:
        session.get(Job, 1).tries += 1
        session.commit()

def added(engine):
    with Session(engine) as session:
        session.get(Job, 1).tries = Job.tries + 1
        session.commit()

def by_address(code, url):
    code(create_engine(url))

@wc.world(code={"plain": plain, "added": added}, parameters={"url": ""})
def tries(w):
    db = w.sqlite(SCHEMA, rows={"jobs": [{"id": 1}]})
    for n in range(2):
        if w.url:
            w.task(f"worker-{n}", by_address, w.code, w.url)
        else:
            w.task(f"worker-{n}", w.code, db.engine())
    w.at_the_end("a try is lost", "SELECT id FROM jobs WHERE tries <> 2")
"""


@pytest.mark.parametrize(
    "url", ["", "sqlite:///jobs.db", "sqlite+wavecheck:///jobs.db"]
)
@pytest.mark.parametrize(
    ("code", "outcome"), [("plain", Outcome.VIOLATED), ("added", Outcome.PROVED)]
)
def test_orm_code_is_judged(tmp_path, monkeypatch, url, code, outcome):
    """Read, add, write loses an update; an UPDATE that adds does not."""
    monkeypatch.chdir(tmp_path)
    Path("jobs.py").write_text(WORLD.replace("SCHEMA", "Base.metadata"))
    result = wc.prove("jobs.py", code, settings={"url": url})
    assert [one.outcome for one in result.verdicts] == [outcome]
    assert not Path("jobs.db").exists()


def test_a_schema_that_is_none_is_refused(tmp_path, monkeypatch):
    """Text or models are expected."""
    monkeypatch.chdir(tmp_path)
    Path("jobs.py").write_text(WORLD.replace("SCHEMA", "3"))
    with pytest.raises(InvalidScenario, match="SQLAlchemy's MetaData"):
        wc.prove("jobs.py")

"""State that is kept in what an ORM offers: refused or refuted, never proved.

Each place holds a number that two tasks share. Whoever finds it raised does what must
not happen, so some schedule, or the second execution, is bad.
"""

import itertools

import django
import pytest
from django.conf import settings

if not settings.configured:  # another test of this process has done it
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "x"}},
        USE_TZ=True,
        SECRET_KEY="none",
        RAISED=0,
    )
django.setup()

from django.core.cache import cache  # noqa: E402 - it needs the settings
from django.db import models  # noqa: E402 - likewise
from django.db.models.signals import post_init  # noqa: E402 - likewise
from sqlalchemy import create_engine, event, insert, select  # noqa: E402 - likewise
from sqlalchemy.orm import (  # noqa: E402 - likewise
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    sessionmaker,
)
from sqlalchemy.types import String, TypeDecorator  # noqa: E402 - likewise
from sqlalchemy.util import LRUCache  # noqa: E402 - likewise

import wavecheck as wc  # noqa: E402 - likewise
from wavecheck.sim.exhaustive import CannotLearn  # noqa: E402 - likewise
from wavecheck.sim.verdict import Outcome  # noqa: E402 - likewise

numbers = itertools.count()


class Noted(TypeDecorator):
    """A type that keeps what it has seen."""

    impl = String
    cache_ok = True
    seen = 0

    def process_bind_param(self, value, dialect):
        Noted.seen += 1
        return value


class Base(DeclarativeBase):
    pass


class Seen(Base):
    __tablename__ = "seen"
    id: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str] = mapped_column(Noted, default="")


class Raised(Base):
    __tablename__ = "raised"
    id: Mapped[int] = mapped_column(primary_key=True)


class Numbered(Base):
    __tablename__ = "numbered"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(default=lambda: next(numbers))


class Job(models.Model):
    number = models.IntegerField(default=lambda: next(numbers))

    class Meta:
        app_label = "corpus"
        db_table = "jobs"


class OwnManager(models.Manager):
    pass


class Alarm(models.Model):
    class Meta:
        app_label = "corpus"
        db_table = "alarms"


Job.own = OwnManager()
ENGINE = create_engine("postgresql+psycopg://x/x")
MAKER = sessionmaker(ENGINE)
STATEMENT = select(Seen)
CACHE = LRUCache(10)
JOBS = Job.objects.all()
LISTENED = create_engine("postgresql+psycopg://x/x")
HEARD = []


@event.listens_for(LISTENED, "begin")
def heard(connection):
    """Note in a list of the module that a transaction has begun."""
    HEARD.append(1)


def raise_attribute(owner, name="n"):
    """Add one to an attribute; return what it was."""
    before = getattr(owner, name, 0)  # other settings of this process may lack it
    setattr(owner, name, before + 1)
    return before


def raise_item(held, key="n"):
    """Add one to an item; return what it was."""
    before = held.get(key, 0)
    held[key] = before + 1
    return before


def listened():
    """Let a listener of the engine count."""
    before = len(HEARD)
    with Session(LISTENED) as session:
        session.execute(select(Seen.id))
    return before


def drawn():
    """Let a column's default draw from a counter of the module."""
    with Session(ENGINE) as session:
        session.add(row := Numbered())
        session.flush()
        return row.number


def bound():
    """Let a type of the user's own count what it binds."""
    before = Noted.seen
    with Session(ENGINE) as session:
        session.execute(select(Seen.id).where(Seen.note == "x"))
    return before


def added_listener():
    """Ask how many listeners there are, and add one."""
    before = len(list(ENGINE.dispatch.commit))
    event.listen(ENGINE, "commit", lambda connection: None)
    return before


IN_SQLALCHEMY = {
    "engine": lambda: raise_attribute(ENGINE),
    "pool": lambda: raise_attribute(ENGINE.pool),
    "dialect": lambda: raise_attribute(ENGINE.dialect),
    "options": lambda: (
        raise_attribute(ENGINE, "echoed")
        or ENGINE.update_execution_options(n=ENGINE.get_execution_options().get("n"))
    ),
    "model": lambda: raise_attribute(Seen),
    "base": lambda: raise_attribute(Base),
    "table": lambda: raise_attribute(Seen.__table__),
    "column": lambda: raise_attribute(Seen.__table__.c.note),
    "mapper": lambda: raise_attribute(Seen.__mapper__),
    "registry": lambda: raise_attribute(Base.registry),
    "metadata": lambda: raise_attribute(Base.metadata),
    "metadata-info": lambda: raise_item(Base.metadata.info),
    "table-info": lambda: raise_item(Seen.__table__.info),
    "column-info": lambda: raise_item(Seen.__table__.c.id.info),
    "attribute-info": lambda: raise_item(Seen.__mapper__.attrs.note.info),
    "own-container": lambda: raise_item(Base.metadata._fk_memos),
    "maker": lambda: raise_attribute(MAKER),
    "maker-options": lambda: raise_item(MAKER.kw.setdefault("info", {})),
    "statement": lambda: raise_attribute(STATEMENT),
    "cache": lambda: raise_item(CACHE),
    "compiled-cache": lambda: raise_item(ENGINE._compiled_cache),
    "default": drawn,
    "listener": listened,
    "added-listener": added_listener,
    "type": bound,
}


def evaluated():
    """Ask a query set of the module, which remembers its answer."""
    before = JOBS._result_cache is not None
    list(JOBS)
    return before


def django_default():
    """Let a field's default draw from a counter of the module."""
    return Job().number


def received():
    """Let a receiver of a signal count in what it closes over."""
    before = len(RECEIVED)
    Job()
    return before


def receiver_of(signal):
    """Connect a receiver that keeps its own list."""
    kept = []

    def receive(sender, **named):
        kept.append(1)

    signal.connect(receive, sender=Job, weak=False)
    return kept


RECEIVED = receiver_of(post_init)

IN_DJANGO = {
    "model": lambda: raise_attribute(Job),
    "options": lambda: raise_attribute(Job._meta),
    "field": lambda: raise_attribute(Job._meta.get_field("number")),
    "apps": lambda: raise_attribute(Job._meta.apps),
    "manager": lambda: raise_attribute(Job.own),
    "settings": lambda: raise_attribute(settings, "RAISED"),
    "query-set": evaluated,
    "cache": lambda: (cache.get_or_set("n", 0), cache.incr("n"))[1] - 1,
    "default": django_default,
    "receiver": received,
}


def nothing():
    """Keep nothing."""
    return 0


@wc.world(code={"nothing": nothing, **IN_SQLALCHEMY})
def in_sqlalchemy(w):
    """Two tasks that look at a place in SQLAlchemy."""
    place = w.code

    def work():
        with Session(ENGINE) as session:
            session.execute(select(Seen.id)).all()
            if place():
                session.execute(insert(Raised).values(id=1))
                session.commit()

    w.postgresql(Base.metadata)
    for number in range(2):
        w.task(f"task-{number}", work)
    w.never("raised", "SELECT id FROM raised", at_risk=lambda: True)


@wc.world(code={"nothing": nothing, **IN_DJANGO})
def in_django(w):
    """Two tasks that look at a place in Django."""
    place = w.code

    def work():
        list(Job.objects.filter(id=0))
        if place():
            Alarm.objects.bulk_create([Alarm(id=1)], ignore_conflicts=True)

    w.postgresql([Job, Alarm])
    for number in range(2):
        w.task(f"task-{number}", work)
    w.never("raised", "SELECT id FROM alarms", at_risk=lambda: True)


def verdict(world, name):
    """Return what a proof says: refused, or its outcome."""
    try:
        result = wc.prove(world, name)
    except CannotLearn:
        return "refused"
    (found,) = [one for one in result.verdicts if one.property_name == "raised"]
    return found.outcome


@pytest.mark.parametrize("name", IN_SQLALCHEMY)
def test_what_is_kept_in_sqlalchemy_is_never_proved(name):
    """Whatever the place in SQLAlchemy, nothing is proved that is not true."""
    assert verdict(in_sqlalchemy, name) in ("refused", Outcome.VIOLATED)


@pytest.mark.parametrize("name", IN_DJANGO)
def test_what_is_kept_in_django_is_never_proved(name):
    """Whatever the place in Django, nothing is proved that is not true."""
    assert verdict(in_django, name) in ("refused", Outcome.VIOLATED)


@pytest.mark.parametrize("world", [in_sqlalchemy, in_django])
def test_an_orms_own_state_is_none(world):
    """The same tasks that look at no such place are proved, in both worlds."""
    assert verdict(world, "nothing") is Outcome.PROVED

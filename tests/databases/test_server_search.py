"""Searches and proofs on a real server: what they find, count and leave behind."""

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from wavecheck import check, prove
from wavecheck.scenarios.server.asking import Exhaustive
from wavecheck.scenarios.server.exploring import ACCOMPANYING
from wavecheck.scenarios.server.serving import Server
from wavecheck.scenarios.subject import Subject
from wavecheck.sim.errors import CoordinatorError, InvalidScenario, NondeterminismError
from wavecheck.sim.search.session import Budget, Session
from wavecheck.sim.verdict import Outcome

pytestmark = pytest.mark.postgres

WORLDS = Path(__file__).with_name("claiming.py")
CLAIM = f"{WORLDS}:claim"
LEFT = (
    "SELECT (SELECT count(*) FROM pg_database WHERE datname LIKE 'wavecheck%')"
    " + (SELECT count(*) FROM pg_stat_activity"
    " WHERE application_name LIKE 'wavecheck%')"
)


def explored(url, world, code, settings=None, **options):
    """Explore a world; return its session and search."""
    server = Server(url)
    try:
        subject = replace(Subject.of(world, code, settings), server=server)
        made = subject.world()
        session = Session(
            made, subject.judged(made), Budget(executions=100_000), lambda: 0.0
        )
        search = Exhaustive(**options)
        search.run(session)
        return session, search
    finally:
        server.close()


def outcomes(result):
    """Return the outcome of each property."""
    return {one.property_name: one.outcome for one in result.verdicts}


@pytest.mark.parametrize("code", ["guarded", "skipping"])
def test_right_claims_are_proved(postgres_url, code):
    """Three workers never claim a job twice, in any order, on the server itself."""
    result = prove(CLAIM, code, db=postgres_url)
    assert outcomes(result) == {"claimed twice": Outcome.PROVED}
    assert "transactions overlapped in" in result.searched.note


@pytest.mark.parametrize("world", ["psycopg2_claim", "sqlalchemy_claim"])
@pytest.mark.parametrize(
    ("code", "outcome"), [("locked", Outcome.PROVED), ("naive", Outcome.VIOLATED)]
)
def test_other_drivers_give_the_same_verdicts(postgres_url, world, code, outcome):
    """psycopg2 and SQLAlchemy's ORM: right code is proved, wrong code refuted."""
    session, search = explored(
        postgres_url, f"{WORLDS.with_name('claiming_orms.py')}:{world}", code
    )
    is_found = set(session.found) == {"claimed twice"}
    assert (is_found, search.proved()) == (
        outcome is Outcome.VIOLATED,
        outcome is Outcome.PROVED,
    )


def test_a_naive_claim_is_refuted_and_shrunk(postgres_url):
    """It takes at most three executions, and six steps show it."""
    result = prove(CLAIM, "naive", db=postgres_url)
    assert outcomes(result) == {"claimed twice": Outcome.VIOLATED}
    assert result.searched.first_found["claimed twice"].execution <= 3
    assert len(result.schedules["claimed twice"].steps) == 6
    assert result.evidence("claimed twice").replayed.violations


def test_a_search_finds_it_too(postgres_url):
    """Random orders on the server show the same violation."""
    result = check(CLAIM, "naive", db=postgres_url, executions=40)
    assert outcomes(result) == {"claimed twice": Outcome.VIOLATED}


@pytest.mark.parametrize("code", ["naive", "guarded", "skipping"])
def test_cutting_and_exchanging_lose_nothing(postgres_url, code):
    """With and without reductions the verdict and the final states are the same."""
    sizes = {"workers": 2, "jobs": 2}
    seen = {}
    for option in ("cuts", "reduces", "exchanges", ""):
        options = {option: False} if option else {}
        session, search = explored(postgres_url, CLAIM, code, sizes, **options)
        assert search.proved() or session.found
        beside = ACCOMPANYING if search.proved() and option != "cuts" else 0
        seen[option] = set(session.found), session.executions_count - beside
    assert len({repr(sorted(found)) for found, _ in seen.values()}) == 1
    if code != "naive":  # a search that finds all it looks for ends early
        assert seen["cuts"][1] > seen[""][1]
        assert seen["exchanges"][1] > seen[""][1]


def test_a_deadlock_may_have_either_victim(postgres_url):
    """Who is the victim is a choice of the search, not of a timer."""
    session, search = explored(postgres_url, f"{WORLDS}:cross", "crossing")
    assert "deadlocks" in search.note
    assert set(session.found) == {"half done", "no_error"}
    result = prove(f"{WORLDS}:cross", "stubborn", db=postgres_url)
    assert outcomes(result) == {"half done": Outcome.PROVED}


@pytest.mark.parametrize(
    ("world", "level", "is_violated"),
    [
        ("counter", "read committed", True),
        ("counter", "repeatable read", False),
        ("counter", "serializable", False),
        ("duty", "read committed", True),
        ("duty", "repeatable read", True),
        ("duty", "serializable", False),
    ],
)
def test_each_level_prevents_what_it_is_documented_to(
    postgres_url, world, level, is_violated
):
    """Lost update and write skew, on the server and in the model, at three levels."""
    named = f"{WORLDS.with_name('anomalies.py')}:{world}"
    settings = {"isolation": level}
    session, search = explored(postgres_url, named, None, settings)
    assert (bool(session.found), search.proved()) == (is_violated, not is_violated)
    model = check(named, settings=settings, executions=200)
    assert model.has_violation() is is_violated


@pytest.mark.parametrize(
    ("code", "refused"),
    [
        ("several", "several statements in one text"),
        ("making", "CREATE is not searched on a server"),
        ("copying", "COPY is sent in many steps"),
    ],
)
def test_what_is_no_step_is_refused_with_its_line(postgres_url, code, refused):
    """What could not be one step is refused by name, and where it stands."""
    with pytest.raises(CoordinatorError, match=refused) as raised:
        prove(f"{WORLDS}:awkward", code, db=postgres_url)
    assert f"{WORLDS.name}:" in str(raised.value)


def test_state_beside_the_database_is_refused(postgres_url):
    """A module's counter that decides what is sent is found, never proved."""
    with pytest.raises(NondeterminismError):
        prove(f"{WORLDS}:awkward", "counting", db=postgres_url)


def test_a_server_that_is_not_there_is_told():
    """One sentence with what to do."""
    with pytest.raises(InvalidScenario, match="check that the server runs"):
        prove(CLAIM, "guarded", db="postgresql://ann:secret@127.0.0.1:1/x")


def test_nothing_is_left_behind(postgres_url):
    """The database and every connection are gone when the answer is there."""
    prove(CLAIM, "guarded", db=postgres_url)
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute(LEFT).fetchone() == (0,)


def test_a_world_without_a_database_is_refused():
    """A world of parts has nothing that could be on a server."""
    with pytest.raises(InvalidScenario, match="needs PostgreSQL"):
        prove(CLAIM, "guarded", db="sqlite://")

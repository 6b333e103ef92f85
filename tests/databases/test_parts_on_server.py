"""Worlds of parts on PostgreSQL itself: the same verdicts as in the model."""

from pathlib import Path

import pytest

import wavecheck as wc
from wavecheck.sim.errors import CoordinatorError, InvalidScenario
from wavecheck.sim.verdict import Outcome

pytestmark = pytest.mark.postgres

MODELS = Path(__file__).parents[1] / "unit/scenarios/worlds/models"
LOCKERS = """
import wavecheck as wc

async def deliver(w, parcel):
    free = await w.lockers.select(parcel="")
    if free:
        await w.lockers.update(free[0].number, parcel=parcel)
        await w.mail(parcel)

async def guarded(w, parcel):
    for one in await w.lockers.select(parcel=""):
        if await w.lockers.update({"number": one.number, "parcel": ""}, parcel=parcel):
            await w.mail(parcel)
            return

def blocking(w, parcel):
    for one in w.lockers.select(parcel=""):
        if w.lockers.update({"number": one.number, "parcel": ""}, parcel=parcel):
            w.mail(parcel)
            return

@wc.world(sizes={"couriers": 2},
          code={"now": deliver, "guarded": guarded, "blocking": blocking})
def lockers(w):
    rows = range(w.couriers)
    w.lockers = w.table("lockers", {"number": int, "parcel": ""}, rows=rows)
    w.mail = w.calls("mail")
    for n in range(w.couriers):
        w.task(f"courier-{n}", w.code, w, f"parcel-{n}")
    def gone():
        stored = {one.parcel for one in w.lockers.now}
        return [one for one, _ in w.mail.now.items() if one not in stored]
    w.never("gone", gone)
    w.at_the_end("no mail", lambda: len(w.mail.now.items()) < w.couriers)
"""
ORDER = """
import wavecheck as wc

async def put(w, text):
    await w.texts.put(text)

async def take(w):
    await w.both()
    await w.lines.insert(await w.texts.take())
    await w.lines.insert(await w.texts.take() + "2")

@wc.world
def order(w):
    w.lines = w.table("lines", {"text": str})
    w.texts = w.queue("texts")
    w.both = w.statement("both", when=lambda: len(w.texts.now) == 2)
    w.task("a", put, w, "a")
    w.task("b", put, w, "b")
    w.task("taker", take, w)
    w.task("beside", lambda: w.both())
    w.at_the_end("a first", lambda: w.lines.now.find("a"))
    w.at_the_end("b first", lambda: w.lines.now.find("b"))
"""


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Write a world into a file; return its name."""
    monkeypatch.chdir(tmp_path)

    def write(text):
        Path("it.py").write_text(text)
        return "it.py"

    return write


def outcomes(result):
    """Return the outcome of each property."""
    return {one.property_name: one.outcome for one in result.verdicts}


@pytest.mark.parametrize("code", ["guarded", "blocking"])
def test_right_code_is_proved(postgres_url, world, code):
    """Every order of the statements on the server was seen."""
    result = wc.prove(world(LOCKERS), code, db=postgres_url)
    assert set(outcomes(result).values()) == {Outcome.PROVED}


def test_wrong_code_is_refuted_and_explained(postgres_url, world):
    """By search and by proof, in five steps; its SQL is shown as it ran."""
    named = world(LOCKERS)
    found = wc.check(named, "now", db=postgres_url, executions=40)
    assert outcomes(found)["gone"] is Outcome.VIOLATED
    result = wc.prove(named, "now", db=postgres_url)
    assert outcomes(result)["gone"] is Outcome.VIOLATED
    schedule = result.schedules["gone"]
    assert [one.operation for one in schedule.steps] == [
        *("SELECT", "SELECT", "UPDATE", "mail.call", "UPDATE")
    ]
    assert result.evidence("gone").explanation is not None
    with pytest.raises(InvalidScenario, match="was recorded on a server"):
        wc.explain(schedule)


@pytest.mark.parametrize(
    ("model", "code", "is_violated"),
    [
        ("good_job_1113", "original", True),
        ("good_job_1113", "fixed", False),
        ("spring_batch_5397", "original", True),
        ("spring_batch_5397", "repeatable-read", True),
        ("spring_batch_5397", "fixed", False),
    ],
)
def test_public_models_have_their_verdicts_on_the_server(
    postgres_url, model, code, is_violated
):
    """Transactions at three levels, each on a connection of its own."""
    found = outcomes(wc.prove(f"{MODELS}/{model}.py", code, db=postgres_url))
    assert (Outcome.VIOLATED in found.values()) is is_violated
    if not is_violated:
        assert set(found.values()) == {Outcome.PROVED}


def test_parts_that_are_no_tables_are_part_of_a_state(postgres_url, world):
    """Two tasks were told the same in either order; the queue tells them apart."""
    result = wc.prove(world(ORDER), db=postgres_url)
    assert outcomes(result)["a first"] is Outcome.VIOLATED
    assert outcomes(result)["b first"] is Outcome.VIOLATED
    assert result.searched.note.startswith("5 states")


def test_a_unique_index_is_the_servers(postgres_url, world):
    """A second row with its value raises what it raises in the model."""
    text = ORDER.replace('{"text": str})', '{"text": str, "n": 1}, unique={"u": "n"})')
    named = world(text + "    w.expect(wc.UniqueViolation)\n")
    result = wc.prove(named, db=postgres_url)
    assert "unique violations" in result.searched.note


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("w.texts.put(text)", "w.act()", "changes lines by Python"),
        ('{"text": str}', '{"text": str, "n": None}', "column 'n' of table 'lines'"),
        ('{"text": str})', '{"text": str}, unique={"u": len})', "is a function"),
    ],
)
def test_what_has_no_sql_is_refused_by_name(postgres_url, world, old, new, said):
    """Python that changes a table, a column without a type, an index that is Python."""
    act = (
        "    w.act = w.statement(lambda: w.lines.now.insert(w.lines.row(('x',), {})))\n"
    )
    named = world(ORDER.replace(old, new) + act)
    with pytest.raises(InvalidScenario, match=said):
        wc.prove(named, db=postgres_url)


def test_python_in_a_transaction_is_refused_with_its_line(postgres_url):
    """`tx.do` has no SQL: file and line are said."""
    with pytest.raises(CoordinatorError, match=r"kamu_1398\.py:42"):
        wc.prove(f"{MODELS}/kamu_1398.py", db=postgres_url)

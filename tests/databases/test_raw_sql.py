"""One dispatcher as companies write it, in eight ways, byte for byte as it came."""

from pathlib import Path

import pytest

from wavecheck import check, find_scenario
from wavecheck.sim.verdict import Outcome

FOLDER = Path(__file__).parent / "data" / "raw_sql"
WAYS = sorted(path.stem for path in FOLDER.glob("*.txt"))


@pytest.fixture
def search(tmp_path):
    """Search a few executions of a file; return the outcome of each property."""

    def run(name, driver):
        path = tmp_path / f"{name}.py"
        path.write_bytes((FOLDER / f"{name}.txt").read_bytes())
        subject = "LocksAndCommits" if name == "lockfor" else "Dispatcher"
        result = check(
            find_scenario("own-sql"),
            f"{path}:{subject}",
            settings={"driver": driver},
            executions=12,
            shrinks=False,
        )
        return {one.property_name: one.outcome for one in result.verdicts}

    return run


@pytest.mark.parametrize("name", WAYS)
def test_it_runs_as_it_is_and_is_right(search, name):
    """Nothing is refused, nothing is found: the second session gets no row.

    `with conn:` is psycopg2's way here, because psycopg 3 closes at its end.
    """
    driver = "psycopg2" if name == "v4_with_conn" else "psycopg"
    found = search(name, driver)
    assert found["no_double_dispatch"] is Outcome.NOT_FOUND
    assert Outcome.VIOLATED not in found.values()


def test_psycopg_3_closes_what_psycopg2_keeps(search):
    """`with conn:` twice on one connection is an error of psycopg 3 itself."""
    assert search("v4_with_conn", "psycopg")["no_error"] is Outcome.VIOLATED

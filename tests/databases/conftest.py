"""Schedules and databases to replay them on, and the command line."""

import asyncio

import pytest
from sqlalchemy import text

from wavecheck import find_scenario
from wavecheck.coordinator.sql import connected, make_engine
from wavecheck.reports.cli import run_command
from wavecheck.scenarios.questions import check
from wavecheck.scenarios.schedule_files import schedule_text


@pytest.fixture(scope="session")
def doubled():
    """A schedule in which `progressive` dispatches a batch twice."""
    result = check(
        find_scenario("import-job"),
        "progressive",
        executions=300,
        properties=["no_double_dispatch"],
    )
    return result.schedules["no_double_dispatch"]


@pytest.fixture
def doubled_file(doubled, tmp_path):
    """The same schedule as a file."""
    path = tmp_path / "doubled.json"
    path.write_text(schedule_text(doubled))
    return path


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def any_url(request, tmp_path):
    """The address of an empty SQLite file, then that of a PostgreSQL database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/any.db"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def command(capsys):
    """Run one command line; return its status, its output and its errors."""

    def run(*arguments):
        capsys.readouterr()
        status = run_command([str(one) for one in arguments])
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return run


@pytest.fixture
def query():
    """Run SQL in a database; return the rows of each statement."""

    def run(url, *statements):
        async def ask():
            engine = make_engine(url)
            async with connected(engine) as connection:
                answers = []
                for one in statements:
                    result = await connection.execute(text(one))
                    answers.append(
                        [tuple(row) for row in result] if result.returns_rows else []
                    )
            await engine.dispose()
            return answers

        return asyncio.run(ask())

    return run

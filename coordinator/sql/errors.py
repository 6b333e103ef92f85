"""What a database can refuse, in sentences that say what to do.

    DatabaseUnusable     it cannot be used at all: unreachable, wrong password, ...
    StatementFailed      of the protocol: a statement had no effect; it may be retried

No message holds a password: addresses are shown without it, and a driver's own words
are searched for it.
"""

from typing import Final

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from wavecheck.coordinator.protocol import (
    Deadlock,
    SerializationFailure,
    StatementFailed,
)

# PostgreSQL's codes for what another process has caused, and what passes.
_PASSING: Final[dict[str, tuple[type[StatementFailed], str]]] = {
    "40001": (SerializationFailure, "could not serialize access"),
    "40P01": (Deadlock, "deadlock detected"),
    "55P03": (StatementFailed, "lock not available"),
    "57014": (StatementFailed, "the statement was cancelled"),
    "25P02": (StatementFailed, "the transaction has failed already"),
}
_BUSY: Final = (SerializationFailure, "database is locked")
_UNREACHABLE: Final = frozenset(
    {"OperationalError", "InterfaceError", "TimeoutError", "OSError"}
)
_NEXT: Final = {
    "28P01": "the password is wrong, or missing in the URL",
    "28000": "this user may not connect from here",
    "3D000": "there is no such database; createdb makes one",
    "42P01": "the table is not there; name it in the mapping, or make it first",
    "42703": "the column is not there; name it in the mapping",
    "42501": "this user lacks the right; GRANT it, or connect as another one",
    "25006": "the database is read-only; connect to one that can be written",
    "3F000": "there is no such schema",
}


class DatabaseUnusable(Exception):
    """The database cannot be used; the text says why and what to do."""


def sqlstate_of(error: BaseException) -> str:
    """Return PostgreSQL's five-character code of a driver's error, or ''."""
    original = getattr(error, "orig", None) or error
    return str(getattr(original, "sqlstate", None) or "")


def as_statement_failure(error: DBAPIError) -> StatementFailed | None:
    """Return the protocol's error if a retry may succeed, else None."""
    failure = _PASSING.get(sqlstate_of(error))
    text = str(error.orig)
    if failure is None and ("database is locked" in text or "table is locked" in text):
        failure = _BUSY
    if failure is None:
        return None
    kind, words = failure
    return kind(words)


def shown_url(url: URL) -> str:
    """Return an address for people: no password, no driver."""
    return url.set(drivername=url.get_backend_name()).render_as_string()


def as_unusable(error: Exception, url: URL) -> DatabaseUnusable:
    """Say in one sentence what a database refused, and what to do.

    Args:
        error: of SQLAlchemy, of the driver, or of the operating system.
        url: where; its password appears nowhere.
    """
    shown = shown_url(url)
    code = sqlstate_of(error)
    words = _first_line(error, url)
    advice = _NEXT.get(code) or _advice(words, error, url)
    return DatabaseUnusable(f"{shown}: {words}\nnext: {advice}")


def _advice(words: str, error: Exception, url: URL) -> str:
    if "password authentication failed" in words or "no password supplied" in words:
        return _NEXT["28P01"]
    if "role" in words and "does not exist" in words:
        return _NEXT["28000"]
    if "database" in words and "does not exist" in words:
        return _NEXT["3D000"]
    if "no such table" in words:
        return _NEXT["42P01"]
    if "no such column" in words:
        return _NEXT["42703"]
    if "readonly database" in words or "unable to open database file" in words:
        return "check the file, its folder, and the right to write there"
    if "not a database" in words:
        return "the file is no SQLite database; give another one"
    if "disk is full" in words or "disk I/O error" in words:
        return "make room on the disk that holds the file, or give another place"
    if url.get_backend_name() == "sqlite":
        return "check the file, its folder, and that no other program holds it"
    kinds = {kind.__name__ for kind in type(error).__mro__}  # of whichever driver
    if kinds & _UNREACHABLE:
        return "check that the server runs there and that host, port and user are right"
    return "check the address, and that user's rights"


def _first_line(error: Exception, url: URL) -> str:
    original = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(original).splitlines() if line.strip()]
    # Of several attempts (hosts, addresses) the last line says why the last failed.
    words = lines[0] if lines else type(original).__name__
    if words.endswith("failed:") or "Multiple connection attempts" in words:
        words = lines[-1]
    password = url.password
    return words.replace(str(password), "***") if password else words

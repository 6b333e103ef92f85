"""The results of a campaign: one SQLite file, written as it goes, never rewritten.

A file belongs to one campaign (scenario, points, settings, code); seeds can be added to
it at any time. Each finished piece is one transaction, so a crash at any moment loses
the pieces in flight and nothing else, and what is there is whole. Rows are only ever
added: triggers refuse to change or delete one. A run that is there already must be the
same again, or the code under test is not deterministic.

Without a file the same tables are in memory.
"""

import csv
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from io import StringIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from wavecheck.scenarios.campaign.columns import Row
from wavecheck.scenarios.campaign.integrity import (
    damaged,
    note_runs,
    run_checksum,
    tables_for,
    text_checksum,
    verify_runs,
    verify_structure,
)
from wavecheck.scenarios.campaign.plan import FORMAT_VERSION, Plan
from wavecheck.sim.errors import InvalidScenario, NondeterminismError
from wavecheck.sim.files import check_writable

APPLICATION_ID: Final = 0x57415645
"""Marks the file as ours in its header ("WAVE")."""

BUSY_SECONDS: Final = 30.0
_IN_MEMORY: Final = ":memory:"

Floats = npt.NDArray[np.float64]


class ResultsStore:
    """The runs of one campaign.

    Args:
        path: the file; None: in memory.
        identity: what the campaign is, as plain data; None: as the file says.

    Attributes:
        identity: of the campaign.
        columns: what each run measured, in the order of a row.
    """

    def __init__(
        self, path: Path | None, identity: dict[str, Any] | None = None
    ) -> None:
        self._path = path
        name = _IN_MEMORY if path is None else str(path)
        with _telling(path):
            self._database = sqlite3.connect(
                name, timeout=BUSY_SECONDS, isolation_level=None
            )
        try:
            with _telling(path):
                self.identity = self._open(identity)
        except BaseException:
            self._database.close()
            raise
        self.columns = tuple(self.identity["columns"])
        marks = ", ".join("?" * (2 + len(self.columns)))
        self._insert = f"INSERT OR IGNORE INTO runs VALUES ({marks})"

    def _open(self, identity: dict[str, Any] | None) -> dict[str, Any]:
        database = self._database
        (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (mark,) = database.execute("PRAGMA application_id").fetchone()
        if tables == 0 and mark == 0 and identity is not None:
            self._create(identity)
        elif mark != APPLICATION_ID or not tables:
            raise InvalidScenario(
                f"{self._path}: not the results of a campaign\n"
                "next: give the file that `wavecheck campaign --store` wrote, or a name"
                " that does not exist yet"
            )
        stored = self._verified()
        if identity is not None and stored != _plain(identity):
            raise InvalidScenario(_difference(self._path, stored, _plain(identity)))
        if self._path is not None:
            database.execute("PRAGMA journal_mode = WAL").fetchone()
            database.execute("PRAGMA synchronous = NORMAL")
        return dict(stored)

    def _create(self, identity: dict[str, Any]) -> None:
        text = json.dumps(identity, ensure_ascii=False)
        # One transaction: a crash leaves an empty file or a whole one.
        with self._transaction():
            execute = self._database.execute
            execute(f"PRAGMA application_id = {APPLICATION_ID}")
            for statement in tables_for(identity["columns"]).values():
                execute(statement)
            insert = "INSERT INTO campaign VALUES (?, ?)"
            execute(insert, ("identity", text))
            execute(insert, ("checksum", text_checksum(text)))

    def _verified(self) -> dict[str, Any]:
        """Return the identity of a file that holds what was put into it.

        One transaction: others may add runs meanwhile.

        Raises:
            InvalidScenario: it is damaged, or of another version.
        """
        execute = self._database.execute
        execute("BEGIN")
        try:
            found = dict(execute("SELECT key, value FROM campaign").fetchall())
            text = found.get("identity")
            if not isinstance(text, str) or found.get("checksum") != text_checksum(
                text
            ):
                raise damaged(self._path, "what it says of its campaign was changed")
            identity: dict[str, Any] = json.loads(text)
            if identity["format"] != FORMAT_VERSION:
                raise InvalidScenario(
                    f"{self._path}: results of another version of Wavecheck\n"
                    f"  expected  format {FORMAT_VERSION}\n"
                    f"  got       format {identity['format']}"
                )
            verify_structure(self._database, self._path, identity["columns"])
            verify_runs(self._database, self._path, len(identity["points"]))
        finally:
            if self._database.in_transaction:
                execute("ROLLBACK")
        return identity

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def add(self, point: int, rows: Sequence[tuple[int, Row]]) -> None:
        """Add the runs of one point, all or none.

        Raises:
            NondeterminismError: one of them is there already and differs.
            InvalidScenario: the file cannot be written.
        """
        added = []
        with _telling(self._path), self._transaction():
            for seed, row in rows:
                written = self._database.execute(self._insert, (point, seed, *row))
                if written.rowcount:
                    added.append(run_checksum(point, seed, row))
                else:
                    self._compare(point, seed, row)
            note_runs(self._database, point, added)

    def _compare(self, point: int, seed: int, row: Row) -> None:
        (stored,) = self._fetch(
            "SELECT * FROM runs WHERE point = ? AND seed = ?", point, seed
        )
        if stored[2:] != row:
            raise NondeterminismError(
                f"seed {seed} of point {point} ({self.point_label(point)}) is in the"
                " results already, with another outcome\n"
                f"  stored  {stored[2:]}\n"
                f"  got     {row}\n"
                "likely: a clock, a random source or hidden state in the coordinator"
            )

    def point_label(self, point: int) -> str:
        """Return a point in words."""
        described = self.identity["points"][point]
        values = [f"{name}={value}" for name, value in described["cell"].items()]
        return ", ".join([described["coordinator"], *values])

    def _fetch(self, query: str, *values: object) -> list[Any]:
        with _telling(self._path):
            return self._database.execute(query, values).fetchall()

    def seeds(self, point: int) -> set[int]:
        """Return the seeds that a point has runs of."""
        found = self._fetch("SELECT seed FROM runs WHERE point = ?", point)
        return {seed for (seed,) in found}

    def seeds_range(self) -> tuple[int, int]:
        """Return the lowest seed, and how many there are up to the highest."""
        ((low, high),) = self._fetch("SELECT min(seed), max(seed) FROM runs")
        return (0, 0) if low is None else (low, high - low + 1)

    def count(self) -> int:
        """Return how many runs there are."""
        ((count,),) = self._fetch("SELECT count(*) FROM runs")
        return int(count)

    def values(
        self, point: int, names: Sequence[str], *, seeds_max: int | None = None
    ) -> Floats:
        """Return columns of a point's runs; a missing value is NaN.

        Args:
            point: its index.
            names: of the columns, or `seed`.
            seeds_max: only the runs with the lowest seeds; None: all.

        Shape: (runs, names), ascending by seed.
        """
        known = ("seed", *self.columns)
        assert all(name in known for name in names)
        columns = ", ".join(f'"{name}"' for name in names)
        found = self._fetch(
            f"SELECT {columns} FROM runs WHERE point = ? ORDER BY seed LIMIT ?",
            point,
            -1 if seeds_max is None else seeds_max,
        )
        return np.array(found, dtype=np.float64).reshape(-1, len(names))

    def rows(self) -> Iterator[tuple[int, int, Row]]:
        """Yield (point, seed, row), ascending by point and then by seed."""
        found = self._fetch("SELECT * FROM runs ORDER BY point, seed")
        for point, seed, *row in found:
            yield point, seed, tuple(row)

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield every run with its coordinator, parameters and seed, by name."""
        points = self.identity["points"]
        for point, seed, row in self.rows():
            described = points[point]
            yield {
                "coordinator": described["coordinator"],
                **described["cell"],
                "seed": seed,
                **dict(zip(self.columns, row, strict=True)),
            }

    def export(self) -> str:
        """Return all runs as CSV; equal runs give equal text, byte for byte."""
        text = StringIO()
        cell = list(self.identity["points"][0]["cell"])
        names = ["coordinator", *cell, "seed", *self.columns]
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        for record in self.records():
            writer.writerow(
                {
                    name: no_formula(value) if isinstance(value, str) else value
                    for name, value in record.items()
                }
            )
        return text.getvalue()

    def close(self) -> None:
        """Close the file; what was added is in it."""
        self._database.close()

    def __enter__(self) -> "ResultsStore":
        return self

    def __exit__(self, *details: object) -> None:
        self.close()


def no_formula(text: str) -> str:
    """Return a cell of CSV that no spreadsheet takes for a formula."""
    if not text.startswith(("=", "+", "-", "@", "\t", "\r")):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def create_store(plan: Plan, path: Path | None, *, resumes: bool) -> ResultsStore:
    """Return the store of a campaign.

    Args:
        plan: the campaign.
        path: the file; None: in memory.
        resumes: the file may be there, with runs of the same campaign.

    Raises:
        InvalidScenario: the file is there and is not to be resumed, or it belongs to
            another campaign or version; it is left as it is.
    """
    if path is not None:
        check_writable(path)
        if path.exists() and not path.is_file():
            raise InvalidScenario(
                f"{path} is a device or a pipe; expected a file that keeps the runs"
            )
    if path is not None and path.exists() and not resumes and path.stat().st_size:
        raise InvalidScenario(
            f"{path} exists\n"
            "next: --resume goes on with it if it is this campaign's; or give another"
            " name"
        )
    return ResultsStore(path, dict(plan.identity))


def open_store(path: Path) -> ResultsStore:
    """Return the store in a file.

    Raises:
        InvalidScenario: there is none.
    """
    if not path.is_file():
        raise InvalidScenario(f"{path}: no such file")
    return ResultsStore(path)


def merge(paths: Sequence[Path], target: Path) -> int:
    """Put the runs of several stores of one campaign into a new one.

    Returns:
        How many runs it holds.

    Raises:
        InvalidScenario: the target exists, or the stores are not of one campaign.
        NondeterminismError: two stores have the same run with different outcomes.
    """
    check_writable(target)
    target = Path(os.path.realpath(target))  # a link stays a link
    if target.exists():
        raise InvalidScenario(f"{target} exists; a merge writes a new file")
    with open_store(paths[0]) as first:
        identity = first.identity
    for path in paths[1:]:
        ResultsStore(_existing(path), identity).close()
    partial = target.with_name(f".{target.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        with closing(ResultsStore(partial, identity)) as merged:
            for path in paths:
                with open_store(path) as part:
                    for point in range(len(identity["points"])):
                        _copy(part, merged, point)
            count = merged.count()
        partial.replace(target)
    finally:
        for suffix in ("", "-wal", "-shm"):
            partial.with_name(partial.name + suffix).unlink(missing_ok=True)
    return count


def _existing(path: Path) -> Path:
    open_store(path).close()
    return path


def _copy(part: ResultsStore, merged: ResultsStore, point: int) -> None:
    found = part._fetch("SELECT * FROM runs WHERE point = ? ORDER BY seed", point)
    merged.add(point, [(seed, tuple(row)) for _, seed, *row in found])


@contextmanager
def _telling(path: Path | None) -> Iterator[None]:
    """Say in words what SQLite cannot do with a file."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise InvalidScenario(
            f"{path}: {error}\n"
            "likely: not a file of results, a full disk, a folder that cannot be"
            " written, or another program that holds the file"
        ) from error


def _plain(identity: dict[str, Any]) -> dict[str, Any]:
    """Return an identity as JSON gives it back."""
    return dict(json.loads(json.dumps(identity, ensure_ascii=False)))


def _difference(
    path: Path | None, stored: dict[str, Any], asked: dict[str, Any]
) -> str:
    """Say in which respect a stored campaign is another one."""
    fact, was, now = "", "", ""
    if stored["format"] != asked["format"]:
        fact, was, now = "format", stored["format"], asked["format"]
    elif stored["scenario"] != asked["scenario"]:
        fact, was, now = "scenario", stored["scenario"], asked["scenario"]
    elif len(stored["points"]) != len(asked["points"]):
        fact = "points"
        was, now = (f"{len(one['points'])} of them" for one in (stored, asked))
    else:
        for mine, other in zip(stored["points"], asked["points"], strict=True):
            for key in ("coordinator", "cell", "settings", "files"):
                if mine[key] != other[key] and not fact:
                    fact, was, now = key, mine[key], other[key]
    if not fact and stored["code"] != asked["code"]:
        return (
            f"{path}: these results were made by another version of Wavecheck or of the"
            " coordinator\n"
            "next: give a new name, or go on with the version that began it"
        )
    return (
        f"{path}: these are the results of another campaign\n"
        f"  {fact or 'campaign'} there  {was}\n"
        f"  {fact or 'campaign'} now    {now}\n"
        "next: give a new name, or the options that the file was begun with"
    )

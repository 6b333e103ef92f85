"""What functions do to a database: sequences, advisory locks, notices, numbers.

Each is one act of its statement: logged, and done once however often the statement
goes on.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from wavecheck.scenarios.sql.constraints import KEY
from wavecheck.scenarios.sql.frame import Frame
from wavecheck.scenarios.sql.row_types import row_type_of
from wavecheck.scenarios.sql.session import SQLError
from wavecheck.sim.parts import Counter, Table
from wavecheck.sim.transactions.level import ADVISORY, Place, Strength, Waits
from wavecheck.sim.transactions.rows import Hold

if TYPE_CHECKING:
    from wavecheck.scenarios.sql.database import Database
    from wavecheck.scenarios.sql.schema import TableSchema


class Notice(NamedTuple):
    """What NOTIFY sends.

    Attributes:
        channel: name of it.
        payload: what is said; may be empty.
        sender: number of the session.
    """

    channel: str
    payload: str
    sender: int


class Listening(NamedTuple):
    """A session that has a number.

    Attributes:
        number: the smallest one free when it was given.
        channels: that it listens to.
        inbox: what it has been sent and has not taken.
    """

    number: int
    channels: tuple[str, ...] = ()
    inbox: tuple[Notice, ...] = ()


class Acting:
    """The functions of one database, as its statements call them.

    Attributes:
        sequences: how often each sequence was moved.
        listening: sessions that have a number.
        made: how many values were made up, such as UUIDs.
    """

    def __init__(self, database: "Database", name: str) -> None:
        kernel = database.kernel
        self._database = database
        self.sequences = Counter(kernel, f"{name}: sequences")
        self.listening = Table(kernel, f"{name}: sessions", Listening, key=("number",))
        self.made = Counter(kernel, f"{name}: made up")
        for part in (self.sequences, self.listening, self.made):
            part.is_bookkeeping = True

    def clock(self) -> datetime:
        """Return the time now."""
        from wavecheck.scenarios.sql.steps import moment_of

        return moment_of(self._database.ticks())

    def number(self) -> int:
        """Return the number of a new session."""
        number = 1
        while number in self.listening:
            number += 1
        self.listening.insert(Listening(number))
        return number

    def call(self, name: str, frame: Frame, arguments: tuple[Any, ...]) -> Any:
        """Call a function that acts on the database or asks it."""
        if name in ("pg_current_snapshot", "txid_current_snapshot"):
            return frame.snapshot
        if name == "pg_backend_pid":
            return frame.facts.number
        if name in ("currval", "lastval"):
            return self._current(name, frame, *arguments)
        if name in ("clock_timestamp", "statement_timestamp"):
            return frame.moment()
        if name in ("nextval", "setval"):
            sequence = arguments[0]
            move = self._move if name == "nextval" else self._set
            value = frame.step.do(lambda: move(*arguments), is_move=False)
            frame.currvals.pop(sequence, None)
            frame.currvals[sequence] = value
            return value
        if name in ("pg_current_xact_id", "txid_current"):
            step = frame.step
            return step.do(lambda: step.transactions.number(step.slot), is_move=False)
        if name == "pg_notify":
            return self._notify(frame, *arguments)
        if name.endswith("uuid") or name.startswith("uuid"):
            count = frame.step.do(lambda: self.made.add("uuid"), is_move=False)
            return UUID(int=count, version=4)
        return self._advisory(name, frame, arguments)

    # Sequences ------------------------------------------------------------------------

    def _move(self, sequence: str) -> int:
        declared = self._database.schema.sequences[sequence]
        moved = self.sequences.add(sequence)
        return declared.start + (moved - 1) * declared.step

    def _set(self, sequence: str, value: int, is_called: bool = True) -> int:
        declared = self._database.schema.sequences[sequence]
        moved = (value - declared.start) // declared.step + (1 if is_called else 0)
        self.sequences.set(moved, sequence)
        return value

    def _current(self, name: str, frame: Frame, sequence: str = "") -> int:
        values = {**dict(frame.facts.currvals), **frame.currvals}
        if name == "lastval":
            if not values:
                raise SQLError("55000", "lastval is not yet defined in this session")
            return list(values.values())[-1]
        if sequence not in values:
            raise SQLError(
                "55000",
                f'currval of sequence "{sequence}" is not yet defined in this session',
            )
        return values[sequence]

    # Notices --------------------------------------------------------------------------

    def _notify(self, frame: Frame, channel: str, payload: str) -> str:
        notice = Notice(channel, payload, frame.facts.number)
        step = frame.step
        step.do(lambda: step.transactions.defer(step.slot, notice), is_move=False)
        return ""

    def deliver(self, notices: tuple[Any, ...]) -> None:
        """Give the notices of a transaction that commits to who listens."""
        for notice in dict.fromkeys(notices):
            for one in list(self.listening):
                if notice.channel in one.channels:
                    self.listening.update(one.number, inbox=(*one.inbox, notice))

    # Advisory locks -------------------------------------------------------------------

    def _advisory(self, name: str, frame: Frame, arguments: tuple[Any, ...]) -> Any:
        strength = Strength.SHARE if name.endswith("shared") else Strength.UPDATE
        if name == "pg_advisory_unlock_all":
            frame.step.do(lambda: self.unlock_all(frame.facts.number))
            return ""
        key = (len(arguments), *arguments, *[0] * (2 - len(arguments)))
        place = (ADVISORY, key)
        number, slot = frame.facts.number, frame.step.slot
        if "unlock" in name:
            return frame.step.do(lambda: self._unlock(number, place, strength))
        owner = slot if "xact" in name else -number
        tries = name.startswith("pg_try")
        taken = frame.step.do(
            lambda: self._lock(frame, owner, place, strength, tries=tries)
        )
        return taken if tries else ""

    def _lock(
        self, frame: Frame, owner: int, place: Place, strength: Strength, *, tries: bool
    ) -> bool:
        transactions = frame.step.transactions
        locks, mine = transactions.locks, (frame.step.slot, -frame.facts.number)
        lock = locks.find(place)
        if lock is not None:
            others = [
                one
                for one in lock.in_the_way(owner, strength)
                if one not in mine or not one
            ]
            if others:
                if tries:
                    return False
                raise Waits(place, is_insert=False, strength=strength)
        depth = transactions.look(frame.step.slot).depth if owner > 0 else 0
        self._take(locks.rows, place, Hold(owner, strength, depth))
        return True

    def _take(self, rows: Table[Any], place: Place, hold: Hold) -> None:
        """Add a lock; one of a session is counted by how often it is there."""
        lock = rows.find(place)
        if lock is None:
            from wavecheck.sim.transactions.rows import RowLock

            rows.insert(RowLock(*place, (hold,)))
            return
        holds = lock.holds
        if hold.slot < 0 or hold not in holds:
            holds = (*holds, hold)
        queue = tuple([one for one in lock.queue if one.slot != hold.slot])
        rows.update(place, holds=holds, queue=queue)

    def _unlock(self, number: int, place: Place, strength: Strength) -> bool:
        rows = self._database.transactions.locks.rows
        lock = rows.find(place)
        hold = Hold(-number, strength)
        if lock is None or hold not in lock.holds:
            return False
        holds = list(lock.holds)
        holds.remove(hold)
        if holds or lock.queue:
            rows.update(place, holds=tuple(holds))
        else:
            rows.delete(place)
        return True

    def unlock_all(self, number: int) -> bool:
        """Give back all advisory locks of a session."""
        locks = self._database.transactions.locks
        for lock in locks.held(-number):
            locks.give_back(-number, (lock.table, lock.key))
        return True

    # Rows -----------------------------------------------------------------------------

    def make_row(self, table: "TableSchema", values: list[Any]) -> Any:
        """Return a row that is in no table yet."""
        return row_type_of(table)(*values, None, 0, 0)

    def new_key(self, table: "TableSchema", row: Any) -> Any:
        """Return a key that no row has: the primary key, and which of its rows."""
        transactions = self._database.transactions
        part = self._database.tables[table.name]
        start = tuple([row[one] for one in table.primary_key])
        number = 0
        while True:
            key = (*start, number)
            if (
                part.find(key) is None
                and transactions.locks.find((table.name, key)) is None
                and not transactions.is_key_used(table.name, key)
            ):
                return key
            number += 1

    def placed(self, frame: Frame, table: "TableSchema", row: Any, key: Any) -> Any:
        """Return a row as it is put into its table."""
        values = list(row)
        step = frame.step
        values[KEY] = key
        if self._database.is_heap:
            # In the middle of an act nothing else is logged; it is logged as a whole.
            values[KEY + 1] = step.transactions.next_position(table.name)
        if self._database.counts:
            values[KEY + 2] = step.transactions.look(step.slot).number
        return row_type_of(table)(*values)


Act = Callable[[], Any]

"""One connection of a task, what it is busy with, and the steps that it takes.

A driver asks for a *step*: a function that sends one statement and returns when its
answer is there. It runs in a greenlet of its own, so that a statement which the server
holds up can be left there while other tasks act; the task itself then waits for a step
of its own, `go_on`.

Knows greenlets, sockets and operations; neither drivers nor SQL.
"""

import select
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple, Protocol

from greenlet import getcurrent, greenlet

from wavecheck.scenarios.server.texts import leaves_nothing, reads_only
from wavecheck.sim.operation import Kind, Operation, Statement
from wavecheck.sim.parts import Part

GLANCE_SECONDS: Final = 0.0005
"""A statement that takes longer than this is asked about."""


class Sent(NamedTuple):
    """A statement as it is sent.

    Attributes:
        text: SQL, its parameters written as the driver sends them.
        values: of the parameters, as text.
    """

    text: str
    values: tuple[str | None, ...] = ()

    def __str__(self) -> str:
        values = ", ".join(repr(one) for one in self.values)
        return f"{self.text} [{values}]" if values else self.text

    def told(self) -> str:
        """Return the statement as people are told of it."""
        return str(self)


class Told(NamedTuple):
    """What a task is told by the server at the end of a step.

    Attributes:
        tag: the command tag; empty: there is none yet.
        rows: as text.
        error: SQLSTATE and message; empty: it did not fail.
        waits_for: the tasks that hold it up; empty: it has ended.
    """

    tag: str = ""
    rows: tuple[tuple[str | None, ...], ...] = ()
    error: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.waits_for:
            return f"waits for {', '.join(self.waits_for)}"
        if self.error:
            return f"{self.error[1]} ({self.error[0]})"
        if self.rows:
            return ", ".join(f"({', '.join(map(str, row))})" for row in self.rows)
        return self.tag

    def told(self) -> str:
        """Return the answer as people are told of it."""
        return str(self)


class Performing(Protocol):
    """The database whose connection a line is.

    Attributes:
        waiting: changes whenever a statement is held up or let go.
        place: takes connections back.
    """

    waiting: Any
    place: Any

    def perform(self, line: "Line") -> Told:
        """Send a statement and let the server come to rest."""
        ...

    def go_on(self, line: "Line") -> Told:
        """Take the answer to a statement that was held up, or fail as the victim."""
        ...

    def forget_line(self, line: "Line") -> None:
        """Let go of a connection that is closed."""
        ...


class Line:
    """One connection.

    Args:
        database: whose.
        pid: of the backend.
        fileno: of the socket.

    Attributes:
        task: name of the task that has it.
        sent: the statement that it is busy with, or was last.
        told: what came of that; None: nothing yet.
        is_idle: asks the driver whether no transaction is open.
        hang_up: lets the driver end the connection here and now.
        failed: lets the driver make of an error what the victim of a deadlock is told.
        in_circle: it waits in a circle, so the server would make it or another of the
            circle the victim.
        is_victim: it is the one that was chosen.
        may_have_written: its transaction has done more than read.
        leaves_nothing: so far the session is as it was, between transactions.
        aside: what was sent that is no step, such as BEGIN and SET.
        level: asks the driver for a level of isolation that it sets by itself.
    """

    def __init__(self, database: Performing, pid: int, fileno: int) -> None:
        self.database = database
        self.pid = pid
        self.task = ""
        self.sent = Sent("")
        self.told: Told | None = None
        self.is_idle: Callable[[], bool] = lambda: True
        self.hang_up: Callable[[], None] = lambda: None
        self.aside = ""
        self.level: Callable[[], str] = lambda: ""
        self.failed: Callable[[BaseException], BaseException] = lambda error: error
        self.in_circle = False
        self._fileno = fileno
        self._poll = select.poll()
        self._call: greenlet | None = None
        self._act: Callable[[], Any] = lambda: None
        self._outcome: Any = None
        self._error: BaseException | None = None
        self.is_victim = False
        self.may_have_written = False
        self.leaves_nothing = True

    @property
    def is_busy(self) -> bool:
        """Whether a statement is on its way."""
        return self._call is not None

    # In the greenlet of a step ------------------------------------------------------

    def wait(self, reads: bool, writes: bool) -> int:
        """Wait for the socket; the server may hold the statement up.

        Returns:
            What it is ready for, as `poll` says it.
        """
        mask = (select.POLLIN if reads else 0) | (select.POLLOUT if writes else 0)
        self._poll.register(self._fileno, mask)
        running = getcurrent()
        glance = GLANCE_SECONDS * 1000 if running is self._call else None
        found = self._poll.poll(glance)
        while not found:
            assert running.parent is not None
            running.parent.switch()
            found = self._poll.poll(0)
        return found[0][1]

    def _run(self) -> None:
        try:
            self._outcome = self._act()
        except Exception as error:
            self._error = error

    # In a step of the kernel --------------------------------------------------------

    def start(self) -> None:
        """Send the statement, and take its answer if it comes at once."""
        self.told = None
        self._outcome = self._error = None
        self.is_victim = False
        self._call = greenlet(self._run)
        self.glance()

    def glance(self) -> bool:
        """Go on as far as the server has answered; return whether that is the end."""
        call = self._call
        if call is None:
            return False
        call.parent = getcurrent()
        call.switch()
        if not call.dead:
            return False
        self._call, self.in_circle = None, False
        return True

    # In the task --------------------------------------------------------------------

    async def step(self, sent: Sent, act: Callable[[], Any]) -> Any:
        """Perform one statement as one step, or as two where it is held up.

        Args:
            sent: for traces.
            act: sends it, waits by `wait` and returns what the driver goes on with.

        Raises:
            Exception: whatever `act` raises.
        """
        self.sent, self._act = sent, act
        self.leaves_nothing &= leaves_nothing(sent.text)
        is_end = sent.text in ("COMMIT", "ROLLBACK")
        self.may_have_written |= not is_end and not reads_only(sent.text)
        told = await Operation[Told](_named(sent.text), self, (sent,))
        if told.waits_for:
            await Operation[Told](_GO_ON, self, ())
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._outcome

    def tell(self) -> Told:
        """Return what the task is told of a step that has ended."""
        error = self._error
        if error is not None:
            if self.is_victim:
                error = self._error = self.failed(error)
            self.told = Told(error=error_text(error))
        return self.told or Told(tag="done")

    def abandon(self) -> None:
        """Forget the step: its task has ended."""
        self._call = None


def error_text(error: BaseException) -> tuple[str, ...]:
    """Return SQLSTATE and message of a driver's error."""
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    words = str(error).strip().splitlines()
    return str(state or type(error).__name__), words[0] if words else ""


def _go_on(line: Line) -> Told:
    return line.database.go_on(line)


def _can_go_on(line: Line) -> bool:
    return not line.is_busy or line.in_circle


def _held_up(line: Line) -> Part:
    waiting: Part = line.database.waiting
    return waiting


@cache
def _step_named(word: str) -> Statement:
    def perform(line: Line, sent: Sent) -> Told:
        return line.database.perform(line)

    perform.__name__ = word
    made = Statement(perform, Kind.STATEMENT, None, None)
    made.acts_outside = True
    return made


def _named(text: str) -> Statement:
    """Return the step of a statement, called by its first word, as in the model."""
    words = text.split(None, 1)
    return _step_named(words[0].upper() if words else "nothing")


_go_on.__name__ = "go_on"
_GO_ON: Final = Statement(_go_on, Kind.EXTERNAL, _can_go_on, _held_up)
_GO_ON.acts_outside = True

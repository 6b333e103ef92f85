"""What must hold in a world: Python functions that look at its parts, or SQL.

A function takes no argument and returns what is wrong: a text, rows (wrong if there are
any), or True. SQL text selects the rows that are wrong, and needs a database of the
world's. Knows properties and parts; knows no task.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Protocol

from wavecheck.sim.blame import calling_at
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.handles import Handle
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.parts import Counter
from wavecheck.sim.property import Moment, Property

Wrong = Callable[[], object]
"""Looks at parts; returns a text, rows or True if something is wrong."""

_SHOWN_MAX = 3


class Database(Protocol):
    """What properties in SQL need of a database."""

    @property
    def tables(self) -> dict[str, Any]:
        """Its tables, as parts, by name."""
        ...

    def query(self, sql: str) -> Any:
        """Return the answer to a query on what is committed."""
        ...


class Judging:
    """The properties of a world.

    Attributes:
        kernel: whose parts are looked at.
        judged: the properties so far. A search judges several worlds of one
            declaration by the properties of one of them, so a property asks the world
            that it is given.
        looks: what each of them asks, by name.
        begins: where what must follow begins, by name; `begins_at_start`, whether it
            does so in the initial state.
        risks: whether each could have been violated at all, where that is said.
        databases: that properties in SQL can ask; a driver adds its own.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.judged: list[Property] = []
        self.databases: list[Database] = []
        self.looks: dict[str, Callable[..., object]] = {}
        self.risks: dict[str, Callable[[], bool]] = {}
        self.begins: dict[str, Callable[[], object]] = {}
        self.begins_at_start: dict[str, bool] = {}
        self._of_any_part: dict[str, dict[str, Any]] = {}

    def never(
        self,
        name: str,
        wrong: Wrong | str | Callable[[Any, Any, Any], object],
        *,
        on: Handle[Any] | None = None,
        meaning: str = "",
        at_risk: Callable[[], bool] | None = None,
    ) -> None:
        """Say what must never be so, after any step.

        Args:
            name: of the property.
            wrong: looks at parts and returns what is wrong; or SQL that selects it.
            on: a part; `wrong` is then called at each of its changes, with the key and
                the row or value before and after.
            meaning: what must hold, in one sentence; the name says it if not given.
            at_risk: whether an execution could have violated it at all; always, if not
                given.
        """
        if on is not None:
            assert callable(wrong)
            checks: dict[str, Any] = {on.name: partial(_change_message, name)}
            self._add(name, wrong, meaning, at_risk, on_change=checks)
            return
        checks = self._of_any_part[name] = {}
        self._add(name, self._look(name, wrong), meaning, at_risk, on_change=checks)

    def once(self, name: str, calls: Handle[Counter], *, meaning: str = "") -> None:
        """Say that nothing is counted a second time: calls, or keys of a counter."""
        self.never(
            name,
            lambda key, before, after: f"{key}: {after} times" if after > 1 else None,
            on=calls,
            meaning=meaning,
            at_risk=lambda: bool(calls._part.items()),
        )

    def always(self, name: str, holds: Callable[[], object], **options: Any) -> None:
        """Say what must be so after every step; as `never` the opposite."""
        self.never(name, lambda: not holds(), **options)

    def after_each_commit(self, name: str, wrong: Wrong | str, **options: Any) -> None:
        """Say what must never be committed.

        Tables with transactions show what is committed; so this is `never`, said of
        them.
        """
        self.never(name, wrong, **options)

    def at_the_end(
        self,
        name: str,
        wrong: Wrong | str,
        *,
        meaning: str = "",
        at_risk: Callable[[], bool] | None = None,
    ) -> None:
        """Say what must not be so when nothing can happen any more."""
        self._add(name, self._look(name, wrong), meaning, at_risk)

    def recoverable(self, name: str, wrong: Wrong | str, *, meaning: str = "") -> None:
        """Say what can always be put right: from every state some way leads to it.

        A search finds executions that end wrong; a proof finds every state from which
        no continuation comes to one in which nothing is wrong.

        Args:
            name: of the property.
            wrong: looks at parts and returns what is wrong; or SQL that selects it.
            meaning: what must hold, in one sentence; the name says it if not given.
        """
        self._add(
            name,
            self._look(name, wrong),
            meaning,
            None,
            moment=Moment.RECOVERABLE,
        )

    def leads_to(
        self,
        name: str,
        begins: Callable[[], object],
        then: Callable[[], object],
        *,
        meaning: str = "",
    ) -> None:
        """Say what follows: whenever `begins` holds, `then` holds at once or later.

        A search finds executions that end before it has followed; a proof finds those
        as well that go on for ever, if every task that can go on has its turn.

        Args:
            name: of the property.
            begins: looks at parts; whether something begins here.
            then: looks at parts; whether it has followed.
            meaning: what must hold, in one sentence; the name says it if not given.
        """
        self.begins[name] = begins
        self._add(
            name,
            lambda: None if then() else f"{name}: it has not followed",
            meaning,
            None,
            moment=Moment.LEADS_TO,
            begins=partial(_begins, name),
            begins_at_start=partial(_begins_at_start, name),
        )

    def adopt(self, database: Database) -> None:
        """Let properties in SQL ask a database."""
        self.databases.append(database)

    def judge_start(self) -> None:
        """Watch all parts; refuse what is violated before anything happens.

        Raises:
            InvalidScenario: it names the property.
        """
        for name, begins in self.begins.items():
            self.begins_at_start[name] = (
                bool(begins()) and message_of(name, self) is not None
            )
        for name, checks in self._of_any_part.items():
            checks.update(dict.fromkeys(self.kernel.parts, partial(message_of, name)))
            message = message_of(name, self)
            if message is not None:
                raise InvalidScenario(
                    f"property {name!r} is violated before the first step: {message}\n"
                    "next: start from rows that keep it, or judge it at_the_end"
                )

    def _look(self, name: str, wrong: object) -> Wrong:
        if callable(wrong):
            return wrong
        if not isinstance(wrong, str):
            raise InvalidScenario(
                f"property {name!r} is {wrong!r}\n  at  {calling_at()}\n"
                "  expected  a function that looks at parts, or a SELECT of what is"
                " wrong"
            )
        if not self.databases:
            raise InvalidScenario(
                f"property {name!r} is SQL, and the world has no database\n"
                f"  at  {calling_at()}\n"
                "  expected  a database before it, as w.postgresql(...) makes, or a"
                " function"
            )
        database = self.databases[-1]
        try:
            database.query(wrong)
        except InvalidScenario as error:  # it does not parse, or names no table
            raise InvalidScenario(
                f"property {name!r}: {error}\n  at  {calling_at()}"
            ) from error
        return lambda: database.query(wrong).rows

    def _add(
        self,
        name: str,
        look: Callable[..., object],
        meaning: str,
        at_risk: Callable[[], bool] | None,
        *,
        on_change: dict[str, Any] | None = None,
        moment: Moment = Moment.AT_QUIESCENCE,
        **options: Any,
    ) -> None:
        if name in self.looks:
            raise InvalidScenario(
                f"two properties are called {name!r}\n  at  {calling_at()}"
            )
        self.looks[name] = look
        if at_risk is not None:
            self.risks[name] = at_risk
            options["is_at_risk"] = partial(_is_at_risk, name)
        if on_change is None:
            options["at_end"] = partial(message_of, name)
        self.judged.append(
            Property(
                name=name,
                meaning=meaning or name,
                moment=moment if on_change is None else Moment.ALWAYS,
                on_change={} if on_change is None else on_change,
                **options,
            )
        )


def message_of(name: str, world: Judging, *_: object) -> str | None:
    """Return what is wrong in a world, in words; None: nothing is."""
    return told(name, world.looks[name]())


def _change_message(
    name: str, world: Judging, key: Any, before: Any, after: Any
) -> str | None:
    return told(name, world.looks[name](key, before, after))


def _begins(name: str, world: Judging) -> bool:
    return bool(world.begins[name]())


def _begins_at_start(name: str, world: Judging) -> bool:
    return world.begins_at_start[name]


def _is_at_risk(name: str, world: Judging) -> bool:
    return world.risks[name]()


def told(name: str, found: object) -> str | None:
    """Return what is wrong in words; None: nothing is."""
    if found is None or found is False:
        return None
    if found is True:
        return name
    if isinstance(found, str):
        return found or None
    if not isinstance(found, Iterable):
        raise InvalidScenario(
            f"property {name!r} returned {found!r}\n"
            "  expected  a text, rows or True if something is wrong; else None"
        )
    rows: Sequence[Any] = list(found)
    if not rows:
        return None
    shown = ", ".join(_text(row) for row in rows[:_SHOWN_MAX])
    more = f" and {len(rows) - _SHOWN_MAX} more" if len(rows) > _SHOWN_MAX else ""
    return f"{name}: {shown}{more}"


def _text(row: object) -> str:
    if isinstance(row, tuple):
        named = getattr(row, "_fields", None)
        if named is not None:
            return f"({', '.join(f'{n}={v}' for n, v in zip(named, row, strict=True))})"
        return f"({', '.join(map(str, row))})" if len(row) != 1 else str(row[0])
    return str(row)

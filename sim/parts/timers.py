"""Alarms of several owners, in a world that has no time."""

from collections.abc import Hashable
from typing import NamedTuple

from wavecheck.sim.parts.part import Part, PartOwner


class Timer(NamedTuple):
    """One alarm.

    Attributes:
        owner: who set it; the clocks of two owners say nothing about each other.
        name: what for; unique for an owner.
        due: ticks on the owner's own clock.
    """

    owner: str
    name: Hashable
    due: int


class Timers(Part):
    """Alarms that are set and have not gone off.

    Without time any of them may be next, but those of one owner go off in the order in
    which they are due: `next_timers` says which can. Whoever plays the clock lets the
    kernel choose among these in a step of its own.

    Units: ticks.
    """

    def __init__(self, kernel: PartOwner, name: str) -> None:
        super().__init__(kernel, name)
        self._due: dict[tuple[str, Hashable], Timer] = {}
        self._clocks: dict[str, int] = {}

    def arm(self, owner: str, name: Hashable, ticks: int) -> None:
        """Set an alarm; one of this name that was set before is put off.

        Args:
            owner: who sets it.
            name: what for.
            ticks: how long after the owner's last alarm that went off.
        """
        before = self._due.get((owner, name))
        after = Timer(owner, name, self._clocks.get(owner, 0) + ticks)
        self._due[owner, name] = after
        self._journal.append((self, (owner, name), before, after))

    def cancel(self, owner: str, name: Hashable) -> bool:
        """Take an alarm back; return whether it was set."""
        before = self._due.pop((owner, name), None)
        if before is not None:
            self._journal.append((self, (owner, name), before, None))
        return before is not None

    def next_timers(self) -> list[Timer]:
        """Return the alarms that may go off next, in order of owner, moment, name."""
        timers = sorted(self._due.values(), key=_order)
        first: dict[str, int] = {}
        for timer in timers:
            first.setdefault(timer.owner, timer.due)
        return [timer for timer in timers if timer.due == first[timer.owner]]

    def go_off(self, timer: Timer) -> None:
        """Let an alarm go off: its owner's clock shows that moment now.

        Raises:
            KeyError: it cannot be next.
        """
        if timer not in self.next_timers():
            raise KeyError(f"{self.name}: {timer!r} cannot go off next")
        del self._due[timer.owner, timer.name]
        self._clocks[timer.owner] = timer.due
        self._journal.append((self, (timer.owner, timer.name), timer, None))

    def snapshot(self) -> Hashable:
        """Return the alarms in order, due in ticks from now on their owner's clock."""
        now = self._clocks
        return tuple(
            [
                one._replace(due=one.due - now.get(one.owner, 0))
                for one in sorted(self._due.values(), key=_order)
            ]
        )

    def restore(self, state: tuple[Timer, ...]) -> None:
        """Set the alarms; every owner's clock begins again at zero."""
        self._due = {(one.owner, one.name): one for one in state}
        self._clocks = {}


def _order(timer: Timer) -> tuple[str, int, str]:
    return timer.owner, timer.due, repr(timer.name)

"""Locks, leases, caches, timers, and tables with unique indexes."""

from typing import NamedTuple

import pytest

from wavecheck.sim.exhaustive import explore
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import (
    Cache,
    Counter,
    Leases,
    Lock,
    Table,
    Timer,
    Timers,
    UniqueViolation,
)
from wavecheck.sim.verdict import Outcome


class Seat(NamedTuple):
    number: int
    guest: str
    state: str


@pytest.fixture
def kernel():
    return Kernel(timed=False)


@pytest.fixture
def seats(kernel):
    """Three seats; a guest may be seated once."""
    table = Table(
        kernel,
        "seats",
        Seat,
        key=("number",),
        indexes=(("state",),),
        unique={"one seat": lambda row: row.guest if row.state == "taken" else None},
    )
    for number, guest in enumerate(("ann", "ann", "bob")):
        table.insert(Seat(number, guest, "booked"))
    kernel.mark()
    return table


def test_a_lock_has_one_holder_for_each_key(kernel):
    """The second to come is refused, until the first has released it."""
    lock = Lock(kernel, "lock")
    assert lock.try_acquire("ann", "door")
    assert not lock.try_acquire("bob", "door")
    assert lock.try_acquire("bob", "window")
    assert (lock.holder("door"), lock.is_free("door")) == ("ann", False)
    assert lock.release("door") == "ann"
    assert lock.is_free("door")
    with pytest.raises(KeyError, match="nobody holds the lock of 'door'"):
        lock.release("door")


def test_a_lease_expires_behind_its_owners_back(kernel):
    """The old token is dead when the key is granted again, and ends nothing."""
    leases = Leases(kernel, "leases")
    first = leases.grant("job", "ann")
    assert leases.grant("job", "bob") is None
    assert leases.live_keys() == ["job"]
    assert leases.expire("job")
    assert not leases.expire("job")
    second = leases.grant("job", "bob")
    assert (first, second) == (1, 2)
    assert not leases.is_live("job", first)
    assert not leases.give_back("job", first)
    assert leases.holder("job") == "bob"
    assert leases.give_back("job", second)
    assert leases.holder("job") is None


def test_a_copy_stays_what_it_was(kernel):
    """A cache answers with what was put there, until it is evicted."""
    cache = Cache(kernel, "cache")
    cache.put(3, "size")
    assert ("size" in cache, cache.get("size"), cache.get("other")) == (True, 3, None)
    kernel.journal.clear()
    cache.put(3, "size")
    assert kernel.journal == []
    assert cache.evict("size")
    assert not cache.evict("size")


def test_timers_of_one_owner_keep_their_order(kernel):
    """Each owner's earliest may be next; the others wait for it."""
    timers = Timers(kernel, "timers")
    timers.arm("ann", "late", 20)
    timers.arm("ann", "soon", 10)
    timers.arm("bob", "any", 99)
    soon, bobs = timers.next_timers()
    assert (soon, bobs.owner) == (Timer("ann", "soon", 10), "bob")
    with pytest.raises(KeyError, match="cannot go off next"):
        timers.go_off(Timer("ann", "late", 20))
    timers.go_off(soon)
    timers.arm("ann", "later", 15)
    assert [one.name for one in timers.next_timers()] == ["late", "any"]
    assert timers.cancel("ann", "late")
    assert not timers.cancel("ann", "late")


def test_timers_in_states_are_relative():
    """Two states that differ in how much time has passed are one state."""
    states = []
    for ticks in (0, 7):
        kernel = Kernel(timed=False)
        timers = Timers(kernel, "timers")
        if ticks:
            timers.arm("ann", "first", ticks)
            timers.go_off(timers.next_timers()[0])
        timers.arm("ann", "second", 5)
        states.append(timers.snapshot())
    assert states[0] == states[1] == (Timer("ann", "second", 5),)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (Lock, lambda lock: lock.try_acquire("ann", "door")),
        (Leases, lambda leases: leases.grant("job", "ann")),
        (Cache, lambda cache: cache.put(3, "size")),
        (Timers, lambda timers: timers.arm("ann", "soon", 10)),
        (Counter, lambda counter: counter.set(5, "jobs")),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_part_is_rewound_and_journals(kernel, kind, change):
    """Every change is in the journal once; the mark brings the old state back."""
    part = kind(kernel, "part")
    kernel.mark()
    empty = part.snapshot()
    change(part)
    assert [one[0] for one in kernel.journal] == [part]
    changed = part.snapshot()
    assert changed != empty
    part.rewind()
    assert part.snapshot() == empty
    part.restore(changed)
    assert part.snapshot() == changed
    hash(changed)


def test_a_counter_can_jump(kernel):
    """Setting tells what was there, and an equal value is no change."""
    counter = Counter(kernel, "counter")
    counter.add("jobs", 2)
    kernel.journal.clear()
    assert counter.set(7, "jobs") == 2
    assert counter.set(7, "jobs") == 7
    assert kernel.journal == [(counter, "jobs", 2, 7)]


def test_a_unique_index_refuses_the_second(seats, kernel):
    """The row stays what it was, and the message names index, rows and value."""
    seats.update(0, state="taken")
    kernel.journal.clear()
    with pytest.raises(
        UniqueViolation, match="one seat of seats: rows 0 and 1 would both have 'ann'"
    ):
        seats.update(1, state="taken")
    with pytest.raises(UniqueViolation, match="rows 0 and 9"):
        seats.insert(Seat(9, "ann", "taken"))
    assert seats.get(1).state == "booked"
    assert kernel.journal == []


def test_a_bulk_update_fails_as_a_whole(seats, kernel):
    """One poisoned row, and no row is changed, nor is any index or the journal."""
    before = seats.snapshot()
    for keys, error in (((2, 0, 1), UniqueViolation), ((2, 77), KeyError)):
        with pytest.raises(error):
            seats.update_all(keys, state="taken")
        assert seats.snapshot() == before
        assert seats.count(state="booked") == 3
        assert kernel.journal == []
    seats.update_all((2, 0), state="taken")
    assert seats.count(state="taken") == 2


class Clerk:
    """Takes seats; the unique index lets one of two win."""

    def __init__(self, kernel):
        self.seats = Table(
            kernel,
            "seats",
            Seat,
            key=("number",),
            unique={"guest": lambda row: row.guest or None},
        )
        self.lost = Counter(kernel, "lost")
        self.seats.insert(Seat(0, "", "free"))
        self.seats.insert(Seat(1, "", "free"))

    @statement
    def seat(self, number, guest):
        """Seat a guest, unless it sits elsewhere."""
        try:
            self.seats.update(number, guest=guest)
        except UniqueViolation:
            self.lost.add(guest)


class ClerkWorld:
    """Two clerks seat the same guest on two seats."""

    def __init__(self):
        self.kernel = Kernel(timed=False)
        self.store = Clerk(self.kernel)
        self.properties = ()
        self.under_test = None
        self.kernel.mark()

    def start(self):
        async def seat(number):
            await self.store.seat(number, "ann")

        for number in (0, 1):
            self.kernel.spawn(seat(number), f"clerk-{number}")

    def heal(self):
        """Return False: there is nothing to recover."""
        return False


def test_the_engine_sees_what_a_unique_index_reads():
    """Exhaustively: in both orders the second clerk loses; 5 states, not 4."""
    result = explore(ClerkWorld())
    assert (result.states, result.transitions) == (5, 4)
    assert result.is_complete
    assert Outcome.VIOLATED not in [one.outcome for one in result.properties]

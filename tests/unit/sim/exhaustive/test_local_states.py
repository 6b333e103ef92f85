import sys
import types
from dataclasses import replace

import pytest

from wavecheck.sim.exhaustive import CannotLearn, Limits, explore
from wavecheck.sim.exhaustive import locals as locals_of_tasks
from wavecheck.sim.exhaustive.explore import Search
from wavecheck.sim.exhaustive.frames import stands_of
from wavecheck.sim.exhaustive.identity import Identity
from wavecheck.sim.exhaustive.learning import Learner
from wavecheck.sim.exhaustive.liveness import live_at


@types.coroutine
def step():
    return (yield)


def suspended(coroutine, times=1):
    for _ in range(times):
        coroutine.send(None)
    return coroutine


def names(coroutine):
    return [name for name, _ in stands_of(coroutine)[0].values if name is not None]


def key(coroutine):
    identity = Identity()
    found = [
        (one.code, one.offset, [(n, identity.key(v)) for n, v in one.values])
        for one in stands_of(coroutine)
    ]
    coroutine.close()
    return found


async def dead_after_use(first):
    second = first + 1
    await step()
    return second


def test_a_variable_that_is_not_read_again_is_dead():
    """`first` is used up before the await; `second` is still to be returned."""
    coroutine = suspended(dead_after_use(1))
    assert names(coroutine) == ["second"]
    coroutine.close()


async def in_a_handler(value):
    try:
        await step()
    except ValueError:
        return value
    return None


def test_a_variable_that_only_a_handler_reads_is_live():
    """An exception may be thrown in at the await."""
    coroutine = suspended(in_a_handler(1))
    assert names(coroutine) == ["value"]
    coroutine.close()


async def sees_locals(value):
    await step()
    return locals()


def test_locals_keeps_everything_alive():
    """Code that asks for its own variables reads all of them."""
    assert live_at(sees_locals.__code__, 0) == {"value"}


async def loop(items):
    for _ in items:
        await step()


def test_the_rest_of_an_iterator_is_what_counts():
    """Two loops that have the same items left stand at the same place."""
    assert key(suspended(loop((1, 2, 3)), 2)) == key(suspended(loop((9, 2, 3)), 2))
    assert key(suspended(loop((1, 2, 3)), 2)) != key(suspended(loop((1, 2, 3)), 1))


def test_the_numbers_that_a_range_has_left_are_what_counts():
    """How many, the first and the step, whatever was behind them."""
    assert key(suspended(loop(range(3)), 2)) == key(suspended(loop(range(1, 3)), 1))
    for other in (range(4), range(1, 4), range(0, 6, 2)):
        assert key(suspended(loop(range(3)))) != key(suspended(loop(other)))
    assert key(suspended(loop(range(3)), 2)) != key(suspended(loop(range(3)), 1))


async def half_built(value):
    return [value, await step()]


def test_values_on_the_stack_are_part_of_the_place():
    """A half built list holds its first item while the second is awaited."""
    assert key(suspended(half_built(1))) != key(suspended(half_built(2)))


async def catches_first():
    try:
        raise ValueError
    except ValueError:
        pass
    await step()


def test_an_exception_that_is_over_leaves_no_mark():
    """The collector shows a None where an exception was handled before the await."""
    stands = stands_of(suspended(catches_first()))
    assert stands[0].values == ()


def test_types_are_part_of_a_key():
    """1, True and 1.0 are equal and behave differently."""
    identity = Identity()
    assert len({identity.key(one) for one in (1, True, 1.0)}) == 3


def test_aliases_are_part_of_a_key():
    """Two names of one list differ from two equal lists."""
    identity = Identity()
    one = [1]
    assert identity.key((one, one)) != identity.key(([1], [1]))


def test_an_alias_says_of_what():
    """Which of two equal lists a third name means is part of the key."""
    identity = Identity()
    one, other = [1], [1]
    assert identity.key((one, other, one)) != identity.key((one, other, other))


def test_the_order_of_a_dictionary_is_part_of_a_key():
    """Code that iterates over it sees the order of insertion."""
    identity = Identity()
    assert identity.key({1: 2, 3: 4}) != identity.key({3: 4, 1: 2})


def test_defaults_of_functions_are_part_of_a_key():
    """Two functions of one code that differ in a default differ in what they do."""

    def made(number):
        def function(given=number, *, named=number):
            return given + named

        return function

    def changed(**defaults):
        function = made(1)
        for name, value in defaults.items():
            setattr(function, name, value)
        return function

    identity = Identity()
    keys = [
        identity.key(one)
        for one in (
            made(1),
            changed(__defaults__=(2,)),
            changed(__kwdefaults__={"named": 2}),
        )
    ]
    assert len(set(keys)) == 3
    assert identity.key(made(1)) == keys[0]


def test_an_exception_being_handled_is_part_of_the_place(toys):
    """After an await in a handler the code still sees which error it handles."""

    async def flow(store, shared):
        try:
            raise KeyError(await store.guess())
        except KeyError:
            await store.read("x")
            caught = sys.exc_info()[1].args[0]
        if caught == 2:
            await store.add("two")

    world = toys.World(flow, properties=(toys.at_most("two", 0),))
    assert explore(world).of("at_most").shortest == 3


def test_no_method_of_a_class_is_asked():
    """What a class says of itself may be anything, or an error."""

    class Trap:
        def __init__(self):
            self.number = 1

        def __getattribute__(self, name):
            raise AssertionError(name)

        __eq__ = __hash__ = __reduce__ = __repr__ = lambda *args: 1 / 0

    identity = Identity()
    assert identity.key(Trap()) == identity.key(Trap())


def test_a_second_history_of_a_local_state_is_compared(toys, monkeypatch):
    """Where two places are taken for one, the second goes on otherwise: refused."""

    async def flow(store, shared):
        value = await store.guess()
        await store.read("x")
        if value == 1:
            await store.add("x")

    def without_values(coroutine):
        return [replace(one, values=()) for one in stands_of(coroutine)]

    monkeypatch.setattr(locals_of_tasks, "stands_of", without_values)
    search = Search(Learner(toys.World(flow)), Limits())
    search.run()
    with pytest.raises(CannotLearn, match="differently from the same local state"):
        search.learner.recheck()

"""What the user is told when the code under test fails; the texts are golden."""

import asyncio
import json

import pytest

from wavecheck.sim.blame import call_text, repr_of
from wavecheck.sim.errors import (
    CoordinatorError,
    HarnessBug,
    InvalidScenario,
    NondeterminismError,
    ReplayMismatch,
    WavecheckError,
    unknown_name,
)
from wavecheck.sim.kernel import Kernel

HERE = "tests/unit/sim/test_blame.py"


def line_of(text):
    """The number of the line of this file that holds a text."""
    with open(__file__, encoding="utf-8") as file:
        return next(n for n, line in enumerate(file, start=1) if text in line)


@pytest.fixture
def failure_of(untimed, monkeypatch, request):
    """Run a task that fails; return what the user is told, line by line."""
    monkeypatch.chdir(request.config.rootpath)

    def run(coroutine_function):
        untimed.kernel.spawn(coroutine_function(untimed), "task-1")
        with pytest.raises(CoordinatorError) as failed:
            untimed.kernel.run_to_quiescence()
        return str(failed.value).splitlines()

    return run


async def raises(toy):
    await toy.note("first")
    raise ValueError("mine")  # here it raises


async def raises_at_once(toy):
    raise ValueError("at once")


class Foreign:
    def __await__(self):
        yield self  # here it is foreign


async def inner(toy):
    await toy.note("first")
    await Foreign()


async def awaits_foreign(toy):
    await inner(toy)


async def parses(toy):
    await toy.note("first")
    json.loads("{")  # here it parses


async def calls_wrongly(toy):
    await toy.note("first")
    await toy.add()  # here an argument is missing


def test_an_exception_is_told_with_file_line_and_statement(failure_of):
    """Task, error, step, place and the last statement: the whole text."""
    assert failure_of(raises) == [
        "task task-1 raised ValueError('mine') after step 1",
        f"  at     {HERE}:{line_of('# here it raises')} in raises:"
        ' raise ValueError("mine")  # here it raises',
        "  after  note('first')",
        "likely: a fault in the code under test; nothing after this step was run",
    ]


def test_an_exception_before_the_first_statement_says_so(untimed):
    """A task that fails at its start failed after its start, at step 0."""
    with pytest.raises(CoordinatorError) as failed:
        untimed.kernel.spawn(raises_at_once(untimed), "task-1")
    lines = str(failed.value).splitlines()
    assert lines[0] == "task task-1 raised ValueError('at once') after step 0"
    assert lines[2] == "  after  its start"


def test_a_foreign_await_is_told_with_the_innermost_place(failure_of):
    """The frame is the one that awaited, however deep; the whole text."""
    assert failure_of(awaits_foreign) == [
        "task task-1 awaited something foreign after step 1",
        f"  at        {HERE}:{line_of('# here it is foreign')} in __await__",
        "  expected  a statement of the database protocol",
        "  got       " + f"{Foreign.__module__}.Foreign",
        "likely: asyncio, a real driver or a bare generator in the code under test;",
        "time and input must come through the protocol",
    ]


def test_an_error_inside_the_standard_library_is_placed_at_its_caller(failure_of):
    """The user's line is named, not that of the library."""
    mark = line_of("# here it parses")
    assert f"{HERE}:{mark} in parses" in failure_of(parses)[1]


def test_a_statement_called_wrongly_is_placed_at_its_caller(failure_of):
    """A missing argument is a fault of the code under test, at its line."""
    lines = failure_of(calls_wrongly)
    assert "missing 1 required positional argument: 'key'" in lines[0]
    mark = line_of("# here an argument is missing")
    assert f"{HERE}:{mark} in calls_wrongly" in lines[1]


def test_an_object_that_is_no_operation_is_shown_by_type(untimed):
    """The type is shown and never the object, whose text may hold an address."""

    class Odd:
        def __await__(self):
            yield self

    async def task():
        await Odd()

    with pytest.raises(CoordinatorError) as failed:
        untimed.kernel.spawn(task(), "task-1")
    assert "  got       " in str(failed.value)
    assert ".Odd\n" in str(failed.value)
    assert "0x" not in str(failed.value)


def test_an_operation_of_a_real_driver_is_foreign(untimed):
    """A future of asyncio is refused, and the loop is not needed to say so."""
    loop = asyncio.new_event_loop()

    async def task():
        await loop.create_future()

    try:
        with pytest.raises(CoordinatorError, match="awaited something foreign"):
            untimed.kernel.spawn(task(), "task-1")
    finally:
        loop.close()


def test_a_call_is_written_with_its_arguments(untimed):
    """Text in quotes, the rest as Python shows it."""
    add, take = untimed.add("k", 2), untimed.take()
    assert call_text(add.statement, add.args) == "add('k', 2)"
    assert call_text(take.statement, take.args) == "take()"
    assert repr_of(None) == "None"


def test_an_error_of_ours_is_not_blamed_on_the_task(untimed):
    """A WavecheckError that passes through a task keeps its own text."""

    async def task():
        await untimed.note("x")
        raise InvalidScenario("mine")

    untimed.kernel.spawn(task(), "task")
    with pytest.raises(InvalidScenario, match=r"^mine$"):
        untimed.kernel.run_to_quiescence()


# Errors -----------------------------------------------------------------------


def test_every_error_is_a_wavecheck_error():
    """One base class, so that a caller can catch all that is raised on purpose."""
    for error in (
        InvalidScenario,
        CoordinatorError,
        NondeterminismError,
        ReplayMismatch,
        HarnessBug,
    ):
        assert issubclass(error, WavecheckError)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "stallin",
            "unknown rule 'stallin': did you mean 'stalling'? known: stalling, other",
        ),
        ("zzz", "unknown rule 'zzz': known: stalling, other"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, message):
    """The nearest name if one is near, and all known names in any case."""
    assert str(unknown_name("rule", name, ["stalling", "other"])) == message


def test_the_kernel_needs_no_time_for_this():
    """The texts above are the same in a timed run."""
    kernel = Kernel()

    async def task():
        raise ValueError("mine")

    with pytest.raises(CoordinatorError, match=r"raised ValueError\('mine'\) after"):
        kernel.spawn(task(), "task-1")

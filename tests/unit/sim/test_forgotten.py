"""What is made and never awaited is named with its line; what may be later is not."""

import pytest

from wavecheck.sim.errors import CoordinatorError
from wavecheck.sim.listening import listening

HERE = "tests/unit/sim/test_forgotten.py"


async def thrown_away(toy):
    await toy.note("first")
    toy.add("k")  # here it is thrown away


async def kept_in_a_variable(toy):
    added = toy.add("k")  # here it is kept
    await toy.note("first")
    del added
    await toy.note("second")


async def in_the_last_line(toy):
    await toy.note("first")
    return (lambda: toy.add("k"))()  # here it is returned


async def helper(toy):
    await toy.note("helped")


async def a_coroutine(toy):
    await toy.note("first")
    helper(toy)  # here a coroutine is forgotten
    await toy.note("second")


async def awaited_later(toy):
    later = [toy.add("k"), toy.add("k")]
    await toy.note("first")
    for one in later:
        await one


async def abandoned(toy):
    later = toy.add("k")
    await toy.note("first")
    await later


@pytest.mark.parametrize(
    ("flow", "mark", "what"),
    [
        (thrown_away, "# here it is thrown away", "add('k')"),
        (kept_in_a_variable, "# here it is kept", "add('k')"),
        (in_the_last_line, "# here it is returned", "add('k')"),
        (a_coroutine, "# here a coroutine is forgotten", "helper(...)"),
    ],
)
def test_what_nobody_awaits_is_named_with_its_line(
    untimed_listened, monkeypatch, request, flow, mark, what
):
    """Task, call, file and line, however it was lost."""
    monkeypatch.chdir(request.config.rootpath)
    with open(__file__, encoding="utf-8") as file:
        line = next(n for n, text in enumerate(file, start=1) if mark in text)
    with pytest.raises(CoordinatorError) as refused:
        untimed_listened(flow)
    lines = str(refused.value).splitlines()
    assert lines[0] == (
        f"task task-1 makes {what} and never awaits it, so nothing happens"
    )
    assert lines[1].startswith(f"  at        {HERE}:{line} in ")
    assert lines[2] == f"  expected  await ...{what}"


@pytest.fixture
def untimed_listened(untimed):
    """Runs a flow as a task whose making is listened to from its start."""

    def start(flow):
        with listening(untimed.kernel):
            untimed.kernel.spawn(flow(untimed), "task-1")
            untimed.kernel.run_to_quiescence()

    return start


def test_what_is_awaited_later_is_not_forgotten(untimed_listened, untimed):
    """Operations may be made first and awaited one by one."""
    untimed_listened(awaited_later)
    assert untimed.counter.get("k") == 2


def test_what_a_killed_task_leaves_behind_is_not_forgotten(untimed):
    """A process that dies awaits nothing any more."""
    kernel = untimed.kernel
    with listening(kernel):
        task = kernel.spawn(abandoned(untimed), "task-1")
        kernel.spawn(untimed.notes("a", 2), "other")
        kernel.step()
        kernel.kill(task)
        kernel.run_to_quiescence()
    assert untimed.counter.get("k") == 0

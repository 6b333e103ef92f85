"""Recorded choices and scripts: exactly, or as far as they fit."""

import pytest

from wavecheck.sim.errors import ReplayMismatch
from wavecheck.sim.search.random_walk import RandomWalk
from wavecheck.sim.search.recorded import Entry, RecordedChoices, Script


def run(world, rule, listener=None):
    """Run one execution; return the order of its steps."""
    kernel = world.kernel
    kernel.rule, kernel.on_step = rule, listener
    kernel.rewind()
    world.start()
    kernel.run_to_quiescence()
    kernel.on_step = None
    return world.order()


def test_recorded_choices_give_the_same_execution(order_world):
    """Fifty drawn executions of (3, 3, 2), each run again from its choices."""
    world, walk = order_world((3, 3, 2)), RandomWalk(0)
    for _ in range(50):
        order = run(world, walk)
        rule = RecordedChoices(world.kernel.choices)
        assert run(world, rule) == order
        assert rule.is_used_up()


def test_choices_that_end_early_are_refused(order_world):
    """The message says after how many, and who was waiting."""
    with pytest.raises(ReplayMismatch) as caught:
        run(order_world(), RecordedChoices([0]))
    assert str(caught.value) == (
        "the schedule ends after 1 choices, but the execution goes on\n"
        "  expected  one of 2 enabled tasks: b, a\n"
        "  got       no choice"
    )


@pytest.mark.parametrize("choice", [2, -1, 10**9])
def test_an_impossible_choice_is_refused(order_world, choice):
    """The message names the choice, its position and what would have been possible."""
    with pytest.raises(ReplayMismatch) as caught:
        run(order_world(), RecordedChoices([1, choice]))
    assert str(caught.value) == (
        "choice 1 is impossible\n"
        "  expected  one of 2 enabled tasks: a, b\n"
        f"  got       {choice}"
    )


def test_an_impossible_option_inside_a_step_is_refused(order_world):
    """Three options, and the schedule wants the fourth."""

    async def toss(store):
        await store.toss("x", 3)

    with pytest.raises(ReplayMismatch, match=r"expected  an option below 3\n  got +3"):
        run(order_world(programs={"a": toss}), RecordedChoices([3]))


def test_choices_that_are_left_over_are_seen(order_world):
    """The execution ended, the schedule did not."""
    rule = RecordedChoices([0, 0, 0, 0, 0, 0])
    run(order_world(), rule)
    assert not rule.is_used_up()


def scripted(world, text):
    """Follow a script of task names; return the order and the script."""
    script = Script(world.kernel, [Entry(name) for name in text.split()])
    return run(world, script, script.note), script


@pytest.mark.parametrize(
    ("text", "order", "preemptions"),
    [
        ("a b a b", "a1 b1 a2 b2", 2),
        ("a a b b", "a1 a2 b1 b2", 0),
        ("b a a b", "b1 a1 a2 b2", 1),
        ("", "a1 a2 b1 b2", 0),
        ("b", "b1 b2 a1 a2", 0),
        ("b a", "b1 a1 a2 b2", 1),
        ("z b z z b z", "b1 b2 a1 a2", 0),
    ],
)
def test_a_script_is_followed_as_far_as_it_fits(order_world, text, order, preemptions):
    """Unknown names are skipped; at the end the running task goes on."""
    found, script = scripted(order_world(), text)
    assert found == order
    assert script.preemptions_count == preemptions


def test_what_a_script_did_gives_the_same_execution(order_world):
    """`done` has one entry for each step, and following it changes nothing."""
    order, script = scripted(order_world((3, 2)), "b a z a b b b")
    again = Script(script._kernel, script.done)
    world = order_world((3, 2))
    again._kernel = world.kernel
    assert run(world, again, again.note) == order
    assert again.done == script.done
    assert len(script.done) == 5


def test_a_script_answers_choices_inside_steps(order_world):
    """The scripted option, bounded by what there is; the first where none is given."""

    async def toss(store):
        for _ in range(3):
            await store.toss("x", 3)

    world = order_world(programs={"a": toss})
    entries = [Entry("a", (2,)), Entry("a", (9,)), Entry("a")]
    script = Script(world.kernel, entries)
    assert run(world, script, script.note) == "x2 x2 x0"
    assert [one.options for one in script.done] == [(2,), (2,), (0,)]

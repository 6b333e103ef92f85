"""The kernel without time: order, guards, failures, schedules."""

from asyncio import CancelledError

import pytest

from wavecheck.sim.errors import CoordinatorError
from wavecheck.sim.kernel import Kernel


def names(tasks):
    return [task.name for task in tasks]


# Order ------------------------------------------------------------------------


def test_the_default_order_is_first_in_first_out(untimed):
    """Two tasks take turns, because the one that has waited longest goes first."""
    kernel = untimed.kernel
    kernel.spawn(untimed.notes("a", 3), "a")
    kernel.spawn(untimed.notes("b", 2), "b")
    kernel.run_to_quiescence()
    assert untimed.log == ["a1", "b1", "a2", "b2", "a3"]
    assert kernel.choices == [0, 0, 0, 0]


def test_the_rule_picks_the_next_task(toy_type, scripted_rule):
    """A rule that always names the second task lets it run first to its end."""
    rule = scripted_rule([1, 1])
    toy = toy_type(Kernel(timed=False, rule=rule))
    toy.kernel.spawn(toy.notes("a", 2), "a")
    toy.kernel.spawn(toy.notes("b", 2), "b")
    toy.kernel.run_to_quiescence()
    # After b1 the enabled tasks are (a, b): b went to the end.
    assert toy.log == ["b1", "b2", "a1", "a2"]
    assert toy.kernel.choices == [1, 1]


def test_the_rule_is_asked_only_where_there_is_a_choice(toy_type, scripted_rule):
    """One enabled task is no choice point: the rule is not asked."""
    rule = scripted_rule()
    toy = toy_type(Kernel(timed=False, rule=rule))
    toy.kernel.spawn(toy.notes("a", 5), "a")
    toy.kernel.run_to_quiescence()
    assert rule.widths == []
    assert toy.kernel.choices == []


@pytest.mark.parametrize(
    ("steps", "orders_count"), [((1, 1), 2), ((2, 2), 6), ((3, 2), 10), ((2, 1, 1), 12)]
)
def test_every_order_of_a_tiny_program_is_reached_once(
    toy_type, all_schedules, steps, orders_count
):
    """Tasks of n and m steps have (n + m)! / (n! m!) orders: each once, no other."""

    def execute(rule):
        toy = toy_type(Kernel(timed=False, rule=rule))
        for name, count in zip("abc", steps, strict=False):
            toy.kernel.spawn(toy.notes(name, count), name)
        toy.kernel.run_to_quiescence()
        return tuple(toy.log)

    orders = [log for _, log in all_schedules(execute)]
    assert len(orders) == len(set(orders)) == orders_count
    for log in orders:
        for name, count in zip("abc", steps, strict=False):
            own = [text for text in log if text[0] == name]
            assert own == [f"{name}{number}" for number in range(1, count + 1)]


def test_the_six_orders_of_two_tasks_of_two_steps(toy_type, all_schedules):
    """The choice lists and the orders that they give, one by one."""

    def execute(rule):
        toy = toy_type(Kernel(timed=False, rule=rule))
        toy.kernel.spawn(toy.notes("a", 2), "a")
        toy.kernel.spawn(toy.notes("b", 2), "b")
        toy.kernel.run_to_quiescence()
        return " ".join(toy.log)

    assert dict(all_schedules(execute)) == {
        (0, 0, 0): "a1 b1 a2 b2",
        (0, 0, 1): "a1 b1 b2 a2",
        (0, 1): "a1 a2 b1 b2",
        (1, 0, 0): "b1 a1 b2 a2",
        (1, 0, 1): "b1 a1 a2 b2",
        (1, 1): "b1 b2 a1 a2",
    }


def test_a_choice_inside_a_step_is_recorded(scripted_rule):
    """`choose` asks the rule, bounds its answer by the options, and is a choice."""
    rule = scripted_rule([2])
    kernel = Kernel(timed=False, rule=rule)
    assert kernel.choose(3) == 2
    assert kernel.choose(1) == 0
    assert rule.widths == [3]
    assert kernel.choices == [2]


def test_without_a_rule_a_choice_is_the_first_option(untimed):
    """First-in-first-out takes option 0."""
    assert untimed.kernel.choose(4) == 0
    assert untimed.kernel.choices == [0]


# Guards -----------------------------------------------------------------------


def test_a_guarded_step_waits_until_its_guard_is_true(untimed):
    """A task behind a closed gate is not enabled; setting the flag enables it."""
    kernel = untimed.kernel
    task = kernel.spawn(untimed.do(untimed.pass_gate("through")), "waiting")
    assert not task.is_enabled
    assert kernel.enabled == []
    kernel.run_to_quiescence()
    assert untimed.log == []
    kernel.spawn(untimed.do(untimed.switch(True)), "opening")
    kernel.run_to_quiescence()
    assert untimed.log == ["through"]
    assert untimed.flag.waiters == []


def test_a_guard_that_becomes_false_disables_the_step_again(untimed):
    """Open and close before the waiting task has its turn: it must not go through."""
    kernel = untimed.kernel

    async def open_and_close():
        await untimed.switch(True)
        await untimed.switch(False)

    rule_order = kernel.spawn(open_and_close(), "gate")
    waiting = kernel.spawn(untimed.do(untimed.pass_gate("through")), "waiting")
    kernel.enabled.remove(rule_order)
    kernel.enabled.insert(0, rule_order)
    kernel.step()
    assert names(kernel.enabled) == ["waiting", "gate"]
    assert waiting.is_enabled
    kernel.enabled.reverse()
    kernel.step()
    assert names(kernel.enabled) == []
    assert not waiting.is_enabled
    kernel.run_to_quiescence()
    assert untimed.log == []
    assert not waiting.is_finished


def test_all_waiters_of_one_change_are_enabled(untimed):
    """Setting the flag enables every task at the gate, in the order they came."""
    kernel = untimed.kernel
    for number in range(3):
        kernel.spawn(untimed.do(untimed.pass_gate(str(number))), f"waiting-{number}")
    kernel.spawn(untimed.do(untimed.switch(True)), "opening")
    kernel.step()
    assert names(kernel.enabled) == ["waiting-0", "waiting-1", "waiting-2"]
    kernel.run_to_quiescence()
    assert untimed.log == ["0", "1", "2"]


def test_one_item_serves_one_of_two_takers_in_every_schedule(toy_type, all_schedules):
    """Two takers and one item: either gets it, never both, and the other waits."""

    def execute(rule):
        toy = toy_type(Kernel(timed=False, rule=rule))
        takers = [toy.kernel.spawn(toy.do(toy.take()), f"taker-{n}") for n in range(2)]
        toy.kernel.spawn(toy.do(toy.put("x")), "putter")
        toy.kernel.run_to_quiescence()
        assert len(toy.queue) == 0
        assert names(toy.queue.waiters) == names(
            task for task in takers if not task.is_finished
        )
        return tuple(task.is_finished for task in takers)

    results = [result for _, result in all_schedules(execute)]
    assert sorted(results) == [(False, True), (True, False)]


def test_a_step_that_is_enabled_from_the_start_needs_no_change(untimed):
    """A guard that is true when the task arrives lets it go on at once."""
    untimed.flag.set()
    untimed.kernel.journal.clear()
    task = untimed.kernel.spawn(untimed.do(untimed.pass_gate("through")), "task")
    assert task.is_enabled
    untimed.kernel.run_to_quiescence()
    assert untimed.log == ["through"]


# Failures ---------------------------------------------------------------------


def test_a_failing_statement_raises_in_the_task_that_awaits_it(untimed):
    """The task can catch the failure and go on; the step counts as a statement."""

    async def careful():
        try:
            await untimed.fail(KeyError("gone"))
        except KeyError as error:
            await untimed.note(f"caught {error}")

    task = untimed.kernel.spawn(careful(), "careful")
    untimed.kernel.run_to_quiescence()
    assert untimed.log == ["caught 'gone'"]
    assert task.statements_count == 2
    assert task.is_finished


def test_a_failure_that_nobody_catches_blames_the_code_under_test(untimed):
    """The message has task, error, step and statement, and no traceback."""

    async def careless():
        await untimed.note("first")
        raise ValueError("broken")

    untimed.kernel.spawn(careless(), "careless")
    with pytest.raises(CoordinatorError) as failed:
        untimed.kernel.run_to_quiescence()
    lines = str(failed.value).splitlines()
    assert lines[0] == "task careless raised ValueError('broken') after step 1"
    assert lines[1].startswith("  at     ")
    assert "test_kernel.py" in lines[1]
    assert lines[1].endswith('in careless: raise ValueError("broken")')
    assert lines[2] == "  after  note('first')"


def test_a_statement_that_fails_must_change_nothing(untimed):
    """A statement that changed a part and then raised is named with the part."""
    untimed.kernel.spawn(untimed.do(untimed.spoil()), "wrong")
    with pytest.raises(CoordinatorError) as failed:
        untimed.kernel.run_to_quiescence()
    assert str(failed.value) == (
        "a statement of the world changed counter and then raised KeyError('late')\n"
        "  expected  a statement that fails to change nothing"
    )


def test_a_loop_without_end_meets_the_step_limit(toy_type):
    """The limit stops exactly after `steps_max` steps and says by whom."""
    toy = toy_type(Kernel(timed=False, steps_max=7))

    async def loop():
        while True:
            await toy.note("again")

    toy.kernel.spawn(loop(), "looping")
    with pytest.raises(CoordinatorError) as stopped:
        toy.kernel.run_to_quiescence()
    assert len(toy.log) == 7
    lines = str(stopped.value).splitlines()
    assert lines[0] == (
        "step limit reached: 7 steps, the last by task looping (7 statements)"
    )
    assert "test_kernel.py:" in lines[1]
    assert lines[1].endswith(" in loop")
    assert lines[2:] == [
        "likely: a loop in the coordinator that never ends",
        "next: smaller sizes, with --set, if an execution is really that long",
    ]


def test_exactly_as_many_steps_as_the_limit_are_fine(toy_type):
    """A run of `steps_max` steps is not stopped."""
    toy = toy_type(Kernel(timed=False, steps_max=4))
    toy.kernel.spawn(toy.notes("a", 4), "a")
    toy.kernel.run_to_quiescence()
    assert toy.kernel.steps_count == 4


@pytest.mark.parametrize("exception", [SystemExit, CancelledError])
def test_an_exit_raised_by_a_task_is_blamed_on_it(untimed, exception):
    """A task that raises SystemExit must not end the checker with its status."""

    async def leaving():
        await untimed.note("first")
        raise exception

    untimed.kernel.spawn(leaving(), "leaving")
    with pytest.raises(CoordinatorError, match=exception.__name__):
        untimed.kernel.run_to_quiescence()


# Tasks ------------------------------------------------------------------------


def test_a_killed_task_takes_no_further_step(untimed):
    """What a task did before its end stays done; nothing follows."""
    kernel = untimed.kernel
    task = kernel.spawn(untimed.notes("a", 3), "a")
    kernel.step()
    kernel.kill(task)
    kernel.run_to_quiescence()
    assert untimed.log == ["a1"]
    assert task.is_finished
    assert kernel.enabled == []


def test_a_killed_waiter_leaves_its_queue(untimed):
    """An item goes to the next taker when the first one was killed."""
    kernel = untimed.kernel
    first = kernel.spawn(untimed.do(untimed.take()), "first")
    second = kernel.spawn(untimed.do(untimed.take()), "second")
    kernel.kill(first)
    assert names(untimed.queue.waiters) == ["second"]
    kernel.spawn(untimed.do(untimed.put("x")), "putter")
    kernel.run_to_quiescence()
    assert second.is_finished
    assert len(untimed.queue) == 0


def test_a_killed_task_runs_its_finally_blocks(untimed):
    """A task ends like any closed coroutine: its clean-up runs."""

    async def tidy():
        try:
            await untimed.note("work")
        finally:
            untimed.log.append("cleaned")

    task = untimed.kernel.spawn(tidy(), "tidy")
    untimed.kernel.kill(task)
    assert untimed.log == ["cleaned"]


def test_tasks_are_listed_in_order_of_spawning(untimed):
    """Index, name and daemon flag are those of the call of `spawn`."""
    kernel = untimed.kernel
    kernel.spawn(untimed.do(untimed.note("x")), "one")
    kernel.spawn(untimed.do(untimed.take()), "two", is_daemon=True)
    assert [(task.index, task.name, task.is_daemon) for task in kernel.tasks] == [
        (0, "one", False),
        (1, "two", True),
    ]
    assert repr(kernel.tasks[1]) == "Task('two')"


def test_the_task_that_runs_is_the_current_one(untimed):
    """Inside a step and after it, `current_task` is the task whose step it is."""
    seen = []

    async def look():
        await untimed.note("x")
        seen.append(untimed.kernel.current_task().name)

    untimed.kernel.spawn(look(), "one")
    untimed.kernel.spawn(look(), "two")
    untimed.kernel.run_to_quiescence()
    assert seen == ["one", "two"]


def test_statements_are_counted_per_task(untimed):
    """Statements count, messages and sleeps do not."""

    async def mixed():
        await untimed.note("x")
        await untimed.put("item")
        await untimed.take()
        await untimed.kernel.sleep(5)
        await untimed.add("k")

    task = untimed.kernel.spawn(mixed(), "mixed")
    untimed.kernel.run_to_quiescence()
    assert task.statements_count == 2
    assert untimed.kernel.steps_count == 5


# Steps and executions ---------------------------------------------------------


def test_step_takes_exactly_one_step(untimed):
    """Each call of `step` performs one statement and leaves the kernel runnable."""
    kernel = untimed.kernel
    kernel.spawn(untimed.notes("a", 2), "a")
    kernel.spawn(untimed.notes("b", 1), "b")
    for expected in (["a1"], ["a1", "b1"], ["a1", "b1", "a2"]):
        kernel.step()
        assert untimed.log == expected
        assert kernel.steps_count == len(expected)
        assert not kernel.is_stopped


def test_step_keeps_the_step_listener(untimed):
    """A listener hears of single steps and is still there afterwards."""
    heard = []
    kernel = untimed.kernel

    def listen(task, operation, result, changes):
        heard.append((task.name, result))

    kernel.on_step = listen
    kernel.spawn(untimed.notes("a", 2), "a")
    kernel.step()
    assert heard == [("a", "a1")]
    kernel.run_to_quiescence()
    assert heard == [("a", "a1"), ("a", "a2")]
    assert kernel.on_step is listen


def test_is_stopped_ends_the_run_after_the_current_step(untimed):
    """A watcher can stop the run; the step that it saw is the last one."""
    kernel = untimed.kernel

    def stop(key, before, after):
        kernel.is_stopped = True

    async def adding():
        for _ in range(5):
            await untimed.add("k")

    untimed.counter.watchers.append(stop)
    kernel.spawn(adding(), "adding")
    kernel.run_to_quiescence()
    assert untimed.counter.get("k") == 1


def test_watchers_see_each_change_after_its_step_once(untimed):
    """Key, before and after of every change arrive in order; the journal is empty."""
    seen = []
    untimed.counter.watchers.append(lambda *change: seen.append(change))

    async def adding():
        await untimed.add("k")
        await untimed.add("k", 2)

    untimed.kernel.spawn(adding(), "adding")
    untimed.kernel.run_to_quiescence()
    assert seen == [("k", 0, 1), ("k", 1, 3)]
    assert untimed.kernel.journal == []


@pytest.mark.parametrize("is_timed", [True, False])
def test_a_rewound_kernel_repeats_the_execution(toy_type, scripted_rule, is_timed):
    """Rewind and start again: same log, choices, steps, time and state."""
    rule = scripted_rule()
    toy = toy_type(Kernel(timed=is_timed, rule=rule, latency=lambda operation: 3))
    kernel = toy.kernel
    toy.counter.add("k", 5)
    kernel.mark()

    def execute():
        rule.answers, rule.widths = [1, 0, 1, 1, 0], []
        toy.log.clear()

        async def worker(name):
            item = await toy.take()
            await toy.add(name)
            await toy.note(f"{name} {item}")

        for name in "ab":
            kernel.spawn(worker(name), name)
        for item in "xy":
            kernel.spawn(toy.do(toy.put(item)), f"put {item}")
        kernel.spawn(toy.do(toy.take()), "never served", is_daemon=True)
        kernel.run_to_quiescence()
        snapshots = {name: part.snapshot() for name, part in kernel.parts.items()}
        return (
            list(toy.log),
            kernel.choices,
            kernel.steps_count,
            kernel.now,
            snapshots,
        )

    first = execute()
    assert kernel.steps_count > 4
    for _ in range(2):
        kernel.rewind()
        assert kernel.tasks == []
        assert kernel.now == kernel.steps_count == 0
        assert toy.counter.snapshot() == (("k", 5),)
        assert execute() == first


def test_an_execution_that_was_cut_short_leaves_nothing_behind(untimed):
    """Rewinding in mid-run forgets enabled and waiting tasks and a stop."""
    kernel = untimed.kernel
    kernel.mark()
    kernel.spawn(untimed.notes("a", 3), "a")
    kernel.spawn(untimed.do(untimed.take()), "waiting")
    kernel.step()
    kernel.is_stopped = True
    kernel.rewind()
    assert kernel.enabled == []
    assert untimed.queue.waiters == []
    untimed.log.clear()
    kernel.spawn(untimed.notes("b", 1), "b")
    kernel.run_to_quiescence()
    assert untimed.log == ["b1"]

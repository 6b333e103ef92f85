"""The kernel with virtual time: latencies, sleeps, starts, SimPy's own events."""

import pytest
from simpy.core import EmptySchedule

from wavecheck.sim.kernel import TICKS_PER_MILLISECOND, TICKS_PER_SECOND, Kernel


def test_a_tick_is_a_microsecond():
    """A second has a million ticks and a millisecond has a thousand."""
    assert (TICKS_PER_SECOND, TICKS_PER_MILLISECOND) == (1_000_000, 1_000)


def test_a_statement_acts_after_its_latency(timed):
    """Three statements of 10 ticks act at ticks 10, 20 and 30."""
    moments = []

    async def task():
        for _ in range(3):
            await timed.note("x")
            moments.append(timed.kernel.now)

    timed.kernel.spawn(task(), "task")
    timed.kernel.run_to_quiescence()
    assert moments == [10, 20, 30]
    assert timed.kernel.now == 30


def test_an_external_event_takes_no_latency(timed):
    """Something external happens at its own moment."""
    timed.kernel.spawn(timed.do(timed.happen("rain")), "weather", at=7)
    timed.kernel.run_to_quiescence()
    assert timed.kernel.now == 7
    assert timed.log == ["rain"]


def test_a_sleep_takes_its_own_time_and_no_latency(timed):
    """A sleep of 25 ticks ends at tick 25; the statement after it at 35."""
    moments = []

    async def task():
        await timed.kernel.sleep(25)
        moments.append(timed.kernel.now)
        await timed.note("x")
        moments.append(timed.kernel.now)

    timed.kernel.spawn(task(), "task")
    timed.kernel.run_to_quiescence()
    assert moments == [25, 35]
    assert timed.kernel.steps_count == 2


def test_the_latency_may_depend_on_the_operation(toy_type):
    """The latency function is asked once for each operation, and gets it."""
    asked = []

    def latency(operation):
        asked.append((operation.statement.name, operation.args))
        return 100 if operation.statement.name == "add" else 1

    toy = toy_type(Kernel(latency=latency))

    async def task():
        await toy.note("x")
        await toy.add("k")

    toy.kernel.spawn(task(), "task")
    toy.kernel.run_to_quiescence()
    assert toy.kernel.now == 101
    assert asked == [("note", ("x",)), ("add", ("k",))]


def test_a_task_starts_at_its_tick(timed):
    """A task spawned for tick 100 makes its first statement at tick 110."""
    kernel = timed.kernel
    task = kernel.spawn(timed.do(timed.note("late")), "late", at=100)
    assert task.operation is None
    kernel.spawn(timed.do(timed.note("early")), "early")
    kernel.run_to_quiescence()
    assert timed.log == ["early", "late"]
    assert kernel.now == 110
    assert kernel.steps_count == 2


def test_steps_at_the_same_tick_are_first_in_first_out(timed):
    """Steps that fall due together act in the order in which they were scheduled."""
    kernel = timed.kernel
    for name in "abc":
        kernel.spawn(timed.notes(name, 2), name)
    kernel.run_to_quiescence()
    assert timed.log == ["a1", "b1", "c1", "a2", "b2", "c2"]
    assert kernel.choices == []


def test_a_rule_picks_among_the_steps_of_one_tick_only(toy_type, all_schedules):
    """In a timed run time comes first; the rule decides within a tick."""

    def execute(rule):
        toy = toy_type(Kernel(rule=rule, latency=lambda operation: 10))
        for name in "ab":
            toy.kernel.spawn(toy.notes(name, 2), name)
        toy.kernel.spawn(toy.do(toy.note("late")), "late", at=1)
        toy.kernel.run_to_quiescence()
        return " ".join(toy.log)

    orders = sorted(result for _, result in all_schedules(execute))
    assert orders == [
        "a1 b1 late a2 b2",
        "a1 b1 late b2 a2",
        "b1 a1 late a2 b2",
        "b1 a1 late b2 a2",
    ]


def test_the_default_rule_given_explicitly_changes_nothing(toy_type, scripted_rule):
    """Answering 0 everywhere is the same execution as no rule at all."""
    logs = []
    for rule in (None, scripted_rule()):
        toy = toy_type(Kernel(rule=rule, latency=lambda operation: 10))
        for name in "abc":
            toy.kernel.spawn(toy.notes(name, 3), name)
        toy.kernel.run_to_quiescence()
        logs.append(toy.log)
    assert logs[0] == logs[1]


def test_a_put_wakes_one_taker_and_the_latency_follows(timed):
    """The first of two takers gets the item one latency after it was put."""
    kernel = timed.kernel
    takers = [kernel.spawn(timed.do(timed.take()), f"taker-{n}") for n in range(2)]
    kernel.spawn(timed.do(timed.put("x")), "putter")
    kernel.run_to_quiescence()
    assert [task.is_finished for task in takers] == [True, False]
    assert kernel.now == 20
    assert timed.queue.waiters == [takers[1]]


def test_a_taker_that_came_too_late_keeps_its_place(toy_type):
    """Who was woken but found the queue empty waits again, before all others."""
    toy = toy_type(Kernel(latency=lambda operation: 10))
    kernel = toy.kernel

    async def taker(name):
        toy.log.append((name, await toy.take(), kernel.now))

    async def fast():
        # Arrives after the put, and its own latency is over before the sleeper's.
        item = toy.queue.take()
        kernel.journal.clear()
        toy.log.append(("fast", item, kernel.now))

    first = kernel.spawn(taker("first"), "first")
    second = kernel.spawn(taker("second"), "second")
    kernel.spawn(toy.do(toy.put("x")), "put x")
    kernel.spawn(fast(), "fast", at=15)
    kernel.spawn(toy.do(toy.put("y")), "put y", at=50)
    kernel.run_to_quiescence()
    assert toy.log == [("fast", "x", 15), ("first", "y", 70)]
    assert first.is_finished
    assert not second.is_finished


def test_two_puts_wake_two_takers(timed):
    """Each item wakes one taker; nobody is left waiting beside an item."""
    kernel = timed.kernel
    takers = [kernel.spawn(timed.do(timed.take()), f"taker-{n}") for n in range(3)]
    for item in "xy":
        kernel.spawn(timed.do(timed.put(item)), f"put {item}")
    kernel.run_to_quiescence()
    assert [task.is_finished for task in takers] == [True, True, False]


def test_killing_a_woken_taker_passes_the_item_on(timed):
    """An item whose taker was killed before it acted wakes the next taker."""
    kernel = timed.kernel
    first = kernel.spawn(timed.do(timed.take()), "first")
    second = kernel.spawn(timed.do(timed.take()), "second")
    kernel.spawn(timed.do(timed.put("x")), "putter")
    kernel.step()
    assert first.is_enabled
    kernel.kill(first)
    kernel.run_to_quiescence()
    assert second.is_finished
    assert len(timed.queue) == 0


def test_a_gate_that_closes_again_holds_the_woken_task(timed):
    """In a timed run the guard is asked again at the moment of the step."""
    kernel = timed.kernel

    async def gate():
        await timed.switch(True)
        timed.flag.set(False)
        kernel.journal.clear()

    task = kernel.spawn(timed.do(timed.pass_gate("through")), "waiting")
    kernel.spawn(gate(), "gate")
    kernel.run_to_quiescence()
    assert timed.log == []
    assert timed.flag.waiters == [task]
    kernel.spawn(timed.do(timed.switch(True)), "opening")
    kernel.run_to_quiescence()
    assert timed.log == ["through"]


def test_a_killed_task_that_was_due_is_skipped(timed):
    """A task killed before its moment takes no step then, nor starts."""
    kernel = timed.kernel
    running = kernel.spawn(timed.do(timed.note("x")), "running")
    late = kernel.spawn(timed.do(timed.note("y")), "late", at=50)
    kernel.kill(running)
    kernel.kill(late)
    kernel.run_to_quiescence()
    assert timed.log == []
    assert kernel.steps_count == 0


def test_step_takes_one_timed_step(timed):
    """A start is no step: `step` goes on to the first statement and stops there."""
    kernel = timed.kernel
    kernel.spawn(timed.notes("a", 2), "a", at=5)
    kernel.step()
    assert (timed.log, kernel.now) == (["a1"], 15)
    kernel.step()
    assert (timed.log, kernel.now) == (["a1", "a2"], 25)


def test_step_with_nothing_to_do_says_so_as_simpy_does(timed):
    """An empty schedule raises SimPy's EmptySchedule, timed or not."""
    with pytest.raises(EmptySchedule):
        timed.kernel.step()
    with pytest.raises(EmptySchedule):
        Kernel(timed=False).step()


# SimPy's own events -----------------------------------------------------------


def test_a_plain_simpy_timeout_runs_beside_tasks(timed):
    """A SimPy process and a task share one clock and one queue."""
    kernel = timed.kernel

    def process():
        yield kernel.timeout(15)
        timed.log.append(("process", kernel.now))

    kernel.process(process())
    kernel.spawn(timed.notes("a", 2), "a")
    kernel.run_to_quiescence()
    assert timed.log == ["a1", ("process", 15), "a2"]
    assert kernel.now == 20


def test_step_processes_one_plain_event_and_no_task(timed):
    """`step` stops after an event of SimPy's own, too."""
    kernel = timed.kernel
    kernel.timeout(1)
    kernel.spawn(timed.do(timed.note("x")), "task")
    kernel.step()
    assert kernel.now == 1
    assert timed.log == []
    kernel.step()
    assert timed.log == ["x"]


def test_simpy_processes_start_in_the_order_of_their_creation(timed):
    """Events of one tick keep SimPy's order: first created, first processed."""
    kernel, order = timed.kernel, []

    def process(name):
        order.append(name)
        yield kernel.timeout(5)
        order.append(name)

    for name in "abc":
        kernel.process(process(name))
    kernel.run_to_quiescence()
    assert order == list("abcabc")


def test_simpy_run_until_a_moment_stops_there(timed):
    """SimPy's own `run(until=...)` drives tasks and stops the clock at the moment."""
    kernel = timed.kernel
    kernel.spawn(timed.notes("a", 5), "a")
    kernel.run(until=25)
    assert timed.log == ["a1", "a2"]
    assert kernel.now == 25
    kernel.run()
    assert timed.log == ["a1", "a2", "a3", "a4", "a5"]


def test_a_flag_wakes_every_task_that_waits_for_it(timed):
    """A queue's item serves one taker; an open gate lets all of them through."""
    kernel = timed.kernel
    for number in range(3):
        kernel.spawn(timed.do(timed.pass_gate(f"{number}")), f"waiting-{number}")
    kernel.spawn(timed.do(timed.switch(True)), "opening")
    kernel.run_to_quiescence()
    assert timed.log == ["0", "1", "2"]
    assert kernel.now == 20

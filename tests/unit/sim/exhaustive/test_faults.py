"""Faults and healing in proofs, against every schedule run on the kernel."""

from fractions import Fraction
from functools import partial
from typing import NamedTuple

import pytest

from wavecheck.sim.exhaustive import CannotLearn
from wavecheck.sim.exhaustive.crowd import CrowdGrew
from wavecheck.sim.exhaustive.explore import Limits
from wavecheck.sim.exhaustive.graph import graph_of
from wavecheck.sim.exhaustive.learning import Learner
from wavecheck.sim.exhaustive.paths import count_schedules, odds
from wavecheck.sim.exhaustive.prove import conclude, explore, searched
from wavecheck.sim.exhaustive.sampling import Draw, Sampler, UniformPicks
from wavecheck.sim.faults import Adversary, Target
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import statement
from wavecheck.sim.parts import Counter, Queue, Table
from wavecheck.sim.property import Judge, Moment, Property
from wavecheck.sim.search.execution import execute
from wavecheck.sim.verdict import Outcome

HEALS_MAX = 2


class Failed(Exception):
    """A statement that fails."""


class Holder(NamedTuple):
    """Who holds a message."""

    name: str
    item: int


class FaultyStore:
    """Messages, who holds them, and how many were done."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.queue = Queue(kernel, "queue")
        self.done = Counter(kernel, "done")
        self.held = Table(kernel, "held", Holder, key=("name",))

    @statement(
        enabled=lambda self: len(self.queue) > 0, wakes_on=lambda self: self.queue
    )
    def take(self):
        """Take a message, and note who has it."""
        item = self.queue.take()
        name = self.kernel.current_task().name
        if name in self.held:
            self.held.delete(name)
        self.held.insert(Holder(name, item))
        return item

    @statement
    def finish(self, item):
        """Count a message as done."""
        self.done.add(item)


class FaultyWorld:
    """Workers that may die, fail, or lose their messages, and a healer."""

    properties = (
        Property(
            name="all_done",
            meaning="each message is done once",
            moment=Moment.AT_QUIESCENCE,
            at_end=lambda world: None if world.counts() == world.wanted else "not so",
        ),
        Property(
            name="not_twice",
            meaning="no message is done twice",
            moment=Moment.ALWAYS,
            on_change={"done": lambda w, key, b, after: "twice" if after > 1 else None},
        ),
    )

    def __init__(self, plan, *, workers=1, messages=1, heals=HEALS_MAX, catches=False):
        self.kernel = Kernel(timed=False)
        self.store = FaultyStore(self.kernel)
        self.workers, self.heals, self.catches = workers, heals, catches
        self.wanted = [1] * messages
        for item in range(messages):
            self.store.queue.put(item)
        self.under_test = None
        sources = {"crash": self.crashes, "fail": self.failures, "lose": self.losses}
        self.adversary = Adversary(self.kernel, sources, plan)
        self.kernel.survives = self.survive
        self.kernel.survived = (Failed,)
        self.rounds = 0
        self.kernel.mark()

    def counts(self):
        return [self.store.done.get(item) for item in range(len(self.wanted))]

    def start(self):
        self.rounds = 0
        for number in range(self.workers):
            self.kernel.spawn(self.work(), f"worker-{number}", is_daemon=True)
        self.adversary.start()

    async def work(self):
        while True:
            item = await self.store.take()
            try:
                await self.store.finish(item)
            except Failed:
                if not self.catches or item:
                    raise

    async def again(self):
        await self.store.finish(0)

    def processes(self):
        return [
            task
            for task in self.kernel.tasks
            if task.operation is not None
            and task.name.startswith("worker")
            and task.operation.statement.name == "finish"
        ]

    def crashes(self):
        return [
            Target(f"{task.name} dies", partial(self.crash, task, redelivers))
            for task in self.processes()
            for redelivers in (True, False)
        ]

    def crash(self, task, redelivers):
        self.kernel.kill(task)
        self.bury(task, redelivers)

    def bury(self, task, redelivers):
        if redelivers:
            self.store.queue.put(self.store.held.get(task.name)[1])
        self.store.held.delete(task.name)
        self.kernel.spawn(self.work(), task.name + "'", is_daemon=True)

    def failures(self):
        return [
            Target(f"{task.name} fails", partial(self.kernel.fail, task, Failed("x")))
            for task in self.processes()
        ]

    def losses(self):
        remove = self.store.queue.remove
        return [Target(f"{one} lost", partial(remove, one)) for one in self.store.queue]

    def survive(self, task, error):
        task.end()
        self.bury(task, bool(self.kernel.choose(2)))

    def heal(self):
        if self.rounds == self.heals or self.store.done.get(0):
            return False
        self.rounds += 1
        self.kernel.spawn(self.again(), f"healer-{self.rounds}")
        return True


class Weighed:
    """Walks all schedules, and knows how likely each is."""

    def __init__(self):
        self.path, self.depth = [], 0

    def next(self, count):
        if self.depth == len(self.path):
            self.path.append([0, count])
        self.depth += 1
        return self.path[self.depth - 1][0]

    def pick(self, enabled):
        return self.next(len(enabled))

    def choose(self, options_count):
        return self.next(options_count)

    def weight(self):
        weight = Fraction(1)
        for _, count in self.path[: self.depth]:
            weight /= count
        return weight

    def advance(self):
        self.depth = 0
        while self.path:
            self.path[-1][0] += 1
            if self.path[-1][0] < self.path[-1][1]:
                return True
            self.path.pop()
        return False


def enumerated(world):
    """Return how many schedules there are, the odds of each violation, the shortest."""
    rule, count = Weighed(), 0
    chances = dict.fromkeys([one.name for one in world.properties], Fraction(0))
    shortest = {}
    judge = Judge(world.kernel, world, world.properties)
    while True:
        judge.violations.clear()
        execute(world, rule)
        judge.judge_end()
        count += 1
        for name, violation in judge.violations.items():
            chances[name] += rule.weight()
            shortest[name] = min(shortest.get(name, 99), violation.step)
        if not rule.advance():
            return count, chances, shortest


CASES = [
    ({"lose": 1}, {}),
    ({"crash": 1}, {}),
    ({"crash": 2}, {}),
    ({"fail": 1}, {}),
    ({"fail": 1}, {"catches": True}),
    ({"crash": 1, "lose": 1}, {"messages": 2}),
    ({"crash": 1}, {"workers": 2, "messages": 2}),
    ({"fail": 1}, {"workers": 2, "messages": 2}),
    ({"fail": 1}, {"workers": 2, "messages": 2, "catches": True}),
    ({"crash": 2}, {"workers": 2, "messages": 2, "heals": 0}),
]


@pytest.mark.parametrize(("plan", "sizes"), CASES)
def test_schedules_and_odds_are_those_of_all_executions(plan, sizes):
    """Exactly: how many, how likely each violation is, and how short it can be."""
    count, chances, shortest = enumerated(FaultyWorld(plan, **sizes))
    search, stopped_by = searched(FaultyWorld(plan, **sizes))
    assert stopped_by == ""
    graph, result = graph_of(search), conclude(search, "")
    assert count_schedules(graph) == count
    for index, one in enumerate(search.learner.world.properties):
        assert odds(graph, index).exact == chances[one.name]
        assert result.of(one.name).shortest == shortest.get(one.name)


def test_reduction_and_faults_agree():
    """The same verdicts, lengths and odds with nothing left out and with reduction."""
    for plan, sizes in CASES[:7]:
        found = []
        for reduces in (False, True):
            search, _ = searched(FaultyWorld(plan, **sizes), reduces=reduces)
            graph = graph_of(search)
            found.append(
                [
                    (one.name, one.outcome, one.shortest, odds(graph, index).exact)
                    for index, one in enumerate(conclude(search, "").properties)
                ]
            )
        assert found[0] == found[1]


def test_a_sampled_fault_shows_its_violation():
    """Arrays draw faults as the kernel does: near the exact odds."""
    plan, sizes = {"crash": 1}, {"workers": 2, "messages": 2}
    chance = enumerated(FaultyWorld(plan, **sizes))[1]["all_done"]
    learner, sampler = Learner(FaultyWorld(plan, **sizes)), None
    while sampler is None or not sampler.executions:
        draw = Draw(5)
        sampler = Sampler(learner, UniformPicks(draw), draw)
        try:
            sampler.run(15_000)
        except CrowdGrew:
            sampler = None
    assert abs(sampler.violations[0] / sampler.executions - chance) < 0.03


def test_a_world_that_asks_more_of_a_task_is_refused():
    """How many statements a task has performed is no part of a state."""

    class Curious(FaultyWorld):
        def processes(self):
            return [one for one in super().processes() if one.statements_count < 9]

    with pytest.raises(CannotLearn, match="attribute 'statements_count' of a task"):
        searched(Curious({"crash": 1}), limits=Limits())


def test_rounds_of_healing_are_no_hidden_state_whichever_is_learned_last():
    """A world counts its rounds on itself, also where its last step is a round."""
    world = FaultyWorld({}, workers=0, heals=1)
    result = conclude(*searched(world))
    assert result.is_complete
    assert (result.states, result.transitions) == (3, 2)
    assert result.of("all_done").outcome is Outcome.PROVED


def test_an_error_while_healing_is_no_end_of_it():
    """A world whose `heal` raises has no verdict: the error comes out."""

    class Sick(FaultyWorld):
        def heal(self):
            raise ZeroDivisionError("while healing")

    with pytest.raises(ZeroDivisionError, match="while healing"):
        searched(Sick({}))


@pytest.mark.parametrize("states_max", [30, 60, 90])
def test_a_proof_with_faults_is_taken_up_again(tmp_path, states_max):
    """What made later tasks known is asked again: the same states and answers."""

    def world():
        return FaultyWorld({"crash": 1}, workers=2, messages=2)

    def kept(limits):
        return explore(world(), limits=limits, directory=tmp_path, checkpoints=True)

    cut, whole = kept(Limits(states_max=states_max)), explore(world())
    assert not cut.is_complete
    resumed = kept(Limits())
    assert (resumed.states, resumed.transitions) == (whole.states, whole.transitions)
    assert resumed.properties == whole.properties

"""What every listener policy promises, in every order of its statements.

Two parents of a wave finish at once, and all interleavings of their statements are
tried. An execution that comes to a known state, where both tasks have seen the same
results as before, is not followed further: what comes after it was tried already.
"""

import pytest

from wavecheck.coordinator import BatchState, ImportPlan, WaveKind
from wavecheck.coordinator.listener import LISTENERS
from wavecheck.scenarios.pipeline.store import PipelineStore
from wavecheck.sim.kernel import Kernel

PLAN = ImportPlan(
    job_id="job",
    parent_wave=1,
    derived_wave=2,
    parent_batches=2,
    parents_per_batch=2,
    threshold=0.5,
)


class Answers:
    """A rule that follows a list, then takes the first task, and stops where known."""

    def __init__(self, kernel, answers, known):
        self.kernel = kernel
        self.answers = answers
        self.known = known
        self.widths = []
        self.results = {}
        kernel.on_step = self.note

    def note(self, task, operation, result, changes):
        self.results.setdefault(task.index, []).append(result)

    def pick(self, enabled):
        number = len(self.widths)
        if number < len(self.answers):
            self.widths.append(len(enabled))
            return self.answers[number]
        state = (
            tuple(part.snapshot() for part in self.kernel.parts.values()),
            tuple(
                (index, tuple(self.results[index])) for index in sorted(self.results)
            ),
        )
        if state in self.known:
            self.kernel.is_stopped = True
            return 0
        self.known.add(state)
        self.widths.append(len(enabled))
        return 0

    def choose(self, options_count):
        raise AssertionError("no listener makes a choice")


def every_interleaving(kernel, start):
    """Run `start` under every schedule; yield after each that ran to its end."""
    answers, known = [], set()
    while True:
        kernel.rewind()
        kernel.rule = rule = Answers(kernel, answers, known)
        start()
        kernel.run_to_quiescence()
        if not kernel.is_stopped:
            yield
        taken = kernel.choices[: len(rule.widths)]
        while taken and taken[-1] + 1 == rule.widths[len(taken) - 1]:
            taken.pop()
        if not taken:
            return
        answers = [*taken[:-1], taken[-1] + 1]


@pytest.mark.parametrize("parents_per_batch", [1, 2])
@pytest.mark.parametrize("policy", LISTENERS)
def test_concurrent_last_parents_cover_each_id_once_and_seal(policy, parents_per_batch):
    """Whatever the order: each id in one batch, the wave sealed, the flag set."""
    kernel = Kernel(timed=False, steps_max=1_000)
    store = PipelineStore(kernel, stale_after=1, lease=1)
    store.add_job("job", 2)
    store.add_wave(
        "job", 1, WaveKind.MAIN, "SalesOrder", [("b1", ("p1",)), ("b2", ("p2",))]
    )
    store.add_wave("job", 2, WaveKind.DERIVED, "TransactionLine", [])
    kernel.mark()
    plan = ImportPlan(
        **{name: getattr(PLAN, name) for name in PLAN.__dataclass_fields__}
        | {"parents_per_batch": parents_per_batch}
    )

    async def finish(batch_id, parent_id):
        listener = LISTENERS[policy](store, plan)
        await store.finish_batch(batch_id)
        await listener.parent_completed((parent_id,))

    def start():
        kernel.spawn(finish("b1", "p1"), "one")
        kernel.spawn(finish("b2", "p2"), "two")

    count = 0
    for _ in every_interleaving(kernel, start):
        count += 1
        derived = store.batches.select(job_id="job", wave_number=2)
        covered = sorted(name for batch in derived for name in batch.parent_ids)
        assert covered == ["p1", "p2"], kernel.choices
        assert all(batch.status is BatchState.PENDING for batch in derived)
        assert all(len(one.parent_ids) <= parents_per_batch for one in derived)
        assert store.waves.get(("job", 2)).is_sealed, kernel.choices
        if policy != "durable":  # which needs no flag, and no cache
            assert store.cache("job").is_finished.is_set(), kernel.choices
    assert count > 10

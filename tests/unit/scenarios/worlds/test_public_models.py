"""Models of public faults in files of their own, with the verdicts that are stated."""

from pathlib import Path

import pytest

import wavecheck as wc
from wavecheck.reports.cli import run_command
from wavecheck.sim.verdict import Outcome

MODELS = Path(__file__).parent / "models"

TWICE = "each_firing_is_sent_once"
LIVE = "no_live_job_is_failed"
LOST = "every_message_is_delivered"
AT_ONCE = "two executions run at once"
AGAIN = "no_job_is_performed_twice"
BOTH = "no_workflow_runs_twice"

VERDICTS = [  # world, code, steps of the shortest violation by property, states
    ("redbeat_127", "original", {TWICE: 16}, None),
    ("redbeat_127", "owner-checked", {}, 541),
    ("redbeat_127", "claimed", {}, 541),
    ("rq_2061", "original", {LIVE: 7}, None),
    ("rq_2061", "first-seen", {LIVE: 24}, None),
    ("rq_2061", "forgets", {LIVE: 24}, None),
    ("rq_2061", "of-one-enqueuing", {}, 1366),
    ("kamu_1398", "original", {LOST: 17}, None),
    ("kamu_1398", "by-transaction", {LOST: 17}, None),
    ("kamu_1398", "fixed", {}, 1500),
    ("spring_batch_5397", "original", {AT_ONCE: 14}, None),
    ("spring_batch_5397", "repeatable-read", {AT_ONCE: 10}, None),
    ("spring_batch_5397", "fixed", {}, 136),
    ("good_job_1113", "original", {AGAIN: 8}, None),
    ("good_job_1113", "fixed", {}, 37),
    ("good_job_1113_sql", "one-statement", {AGAIN: 12}, None),
    ("good_job_1113_sql", "fixed", {}, 372),
    ("dbos_541_spin", "original", {BOTH: 12}, None),
    ("dbos_541_spin", "deferred", {}, 79),
    ("dbos_541_spin", "immediate", {}, 31),
    ("dbos_541_spin", "pg-plain", {BOTH: 12}, None),
    ("dbos_541_spin", "pg-repeatable", {}, 83),
    ("dbos_541_spin", "pg-skip-locked", {}, 73),
]


@pytest.fixture(autouse=True)
def _in_models(monkeypatch):
    monkeypatch.chdir(MODELS)


@pytest.mark.parametrize(("model", "code", "wrong", "states"), VERDICTS)
def test_each_model_has_its_verdicts(model, code, wrong, states):
    """What is violated, in how many steps; what is proved, in how many states."""
    result = wc.prove(f"{model}.py", code)
    assert {name: len(one.steps) for name, one in result.schedules.items()} == wrong
    for verdict in result.verdicts:
        is_wrong = verdict.property_name in wrong
        expected = Outcome.VIOLATED if is_wrong else Outcome.PROVED
        assert verdict.outcome is expected
    if states is not None:
        assert result.explored.exploration.states == states


@pytest.mark.parametrize(
    ("model", "code", "steps"),
    [
        ("redbeat_127", "original", 12),
        ("redbeat_127", "owner-checked", 12),
        ("redbeat_127", "claimed", None),
        ("rq_2061", "original", 5),
        ("rq_2061", "first-seen", 13),
        ("rq_2061", "of-one-enqueuing", 8),
    ],
)
def test_without_an_assumption_time_passes_at_any_moment(model, code, steps):
    """A lease that ends in the midst of a tick breaks what checks it at its start."""
    result = wc.prove(f"{model}.py", code, settings={"acts": False})
    lengths = [len(one.steps) for one in result.schedules.values()]
    assert lengths == ([] if steps is None else [steps])


def test_a_loop_that_may_spin_for_ever_is_searched_and_explained(capsys):
    """No step limit is reached, and the explanation is there."""
    words = ["check", "dbos_541_spin.py", "--executions", "60"]
    assert run_command([*words, "-c", "deferred"]) == 0
    assert run_command(words) == 1
    assert "Stale read: at step 2 runner-0 reads" in capsys.readouterr().out

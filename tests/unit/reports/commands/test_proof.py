"""`check --strategy exhaustive` and `sweep` on the command line."""

import json

import pytest

from wavecheck.reports.cli import run_command

OWN = '''
"""A rule of my own."""

from wavecheck.coordinator import Claiming


class Mine(Claiming):
    """Claims, and looks twice."""

    async def dispatch_wave(self, job_id, wave_number):
        sent = await super().dispatch_wave(job_id, wave_number)
        return sent or await super().dispatch_wave(job_id, wave_number)
'''

HIDDEN = '''
"""A rule that counts its calls on its instance, and leaves the third out."""

from wavecheck.coordinator import Claiming


class Remembers(Claiming):
    def __init__(self, db):
        super().__init__(db)
        self.calls = 0

    async def dispatch_wave(self, job_id, wave_number):
        self.calls += 1
        if self.calls == 3:
            return 0
        return await super().dispatch_wave(job_id, wave_number)
'''


def prove(*arguments):
    """Run `check` with the exhaustive strategy."""
    return run_command(["check", *arguments, "--strategy", "exhaustive"])


def test_the_document_holds_the_reference_numbers(capsys):
    """States, transitions, schedules, shortest violation; nothing else is printed."""
    sizes = ["--set", "retrigger=true", "--no-reduction"]
    assert prove("wd", "-c", "stalling", *sizes, "--json", "-") == 1
    document = json.loads(capsys.readouterr().out)
    numbers = [document[name] for name in ("states", "transitions", "schedules")]
    assert numbers == [2444, 5747, 53272034]
    assert [one["shortest"] for one in document["verdicts"]] == [None, 12]
    assert document["is_complete"]


def test_a_proof_says_so_and_a_counterexample_is_told(capsys):
    """PROVED with the states; VIOLATED with the explanation and the saved file."""
    assert prove("wd", "-c", "claiming") == 0
    assert "no state of 159 violates it" in capsys.readouterr().out
    assert prove("wd", "-c", "progressive") == 1
    out = capsys.readouterr().out
    assert "shortest: 10 steps" in out
    assert "acts on the old value" in " ".join(out.split())


def test_a_saved_counterexample_replays(tmp_path, monkeypatch, capsys):
    """The file that a proof saves is an ordinary schedule."""
    monkeypatch.chdir(tmp_path)
    assert prove("wd", "-c", "progressive", "--save", "kept") == 1
    assert run_command(["replay", "kept/wd-progressive-no_double_dispatch.json"]) == 1
    assert "10 steps replayed" in capsys.readouterr().out


def test_hidden_state_is_refused_with_its_name(tmp_path, monkeypatch, capsys):
    """A counter on the instance: status 3, never a proof."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "remembers.py").write_text(HIDDEN)
    sizes = [f"--set={one}=1" for one in ("parents", "parents_per_batch", "workers")]
    assert prove("import-job", "-c", "remembers.py:Remembers", *sizes) == 3
    captured = capsys.readouterr()
    assert "calls" in captured.err
    assert "PROVED" not in captured.out


def test_a_rule_given_by_path_is_proved_with_nothing_added(
    tmp_path, monkeypatch, capsys
):
    """Every property of the smallest job, and what one lost message does to it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OWN)
    sizes = [f"--set={one}=1" for one in ("parents", "parents_per_batch", "workers")]
    assert prove("import-job", "-c", "mine.py:Mine", *sizes) == 0
    assert capsys.readouterr().out.count("PROVED") == 6
    assert prove("import-job", "-c", "mine.py:Mine", *sizes, "--faults", "lose=1") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--faults", "crush=1"], "crash"),
        (["--memory", "much"], "expected a size"),
        (["--executions", "9"], "a proof has none"),
        (["--canary"], "another --strategy"),
        (["--property", "no_strnded"], "no_stranded_batch"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, said, capsys):
    """Status 2, and what to do."""
    assert prove("import-job", "-c", "claiming", *arguments) == 2
    assert said in capsys.readouterr().err


def test_a_proof_that_was_cut_short_goes_on_from_its_checkpoint(
    tmp_path, monkeypatch, capsys
):
    """The second command takes the levels up and proves what the first did not."""
    monkeypatch.chdir(tmp_path)
    command = ["wd", "-c", "claiming", "--set", "listeners=3", "--checkpoint", "kept"]
    assert prove(*command, "--memory", "100KB") == 0
    assert "nothing is proved" in capsys.readouterr().out
    assert prove(*command, "--threads", "2") == 0
    assert "no state of 7,519 violates it" in capsys.readouterr().out
    assert prove("wd", "-c", "claiming", "--checkpoint", "kept") == 2
    assert "of another scenario" in capsys.readouterr().err


def test_faults_are_part_of_what_is_proved(tmp_path, monkeypatch, capsys):
    """One lost message: `claiming` is refuted, and a cut proof goes on with faults."""
    monkeypatch.chdir(tmp_path)
    sizes = [f"--set={one}=1" for one in ("parents", "parents_per_batch", "workers")]
    command = ["import-job", *sizes, "--faults", "lose=1"]
    assert prove(*command, "-c", "leased", "--checkpoint", "d", "--memory", "9KB") == 0
    assert "nothing is proved" in capsys.readouterr().out
    assert prove(*command, "-c", "leased", "--checkpoint", "d") == 0
    assert "faults: lose=1" in capsys.readouterr().out
    assert prove(*command, "-c", "claiming", "--json", "-") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["faults"] == {"lose": 1}
    assert [one["shortest"] for one in document["verdicts"]].count(38) == 2


def test_a_checkpoint_needs_a_proof(capsys):
    """A search has no levels to keep."""
    assert run_command(["check", "wd", "-c", "claiming", "--checkpoint", "d"]) == 2
    assert "--strategy exhaustive" in capsys.readouterr().err


def test_the_point_of_no_return_is_exact_after_a_proof(capsys):
    """It is known from the graph, so no continuation has to be tried."""
    assert prove("wd", "-c", "progressive") == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "Point of no return: step 8 (listener-1: pending())" in out
    assert "all 198 states of this world were visited" in out


def test_a_sweep_prints_a_row_for_each_size(capsys):
    """`progressive` is refuted at the first size that has two listeners."""
    assert run_command(["sweep", "wd", "-c", "progressive", "--budget", "30s"]) == 1
    out = capsys.readouterr().out
    assert "batches_per_listener=2, listeners=2" in out
    assert "VIOLATED in 10" in out


def test_a_sweep_with_faults_proves_what_survives_them(capsys):
    """`claiming` loses a message for ever in the very first size."""
    command = ["sweep", "import-job", "-c", "claiming", "--faults", "lose=1"]
    assert run_command([*command, "--set", "parents_per_batch=1", "--budget=60s"]) == 1
    assert "VIOLATED" in capsys.readouterr().out


def test_a_sweep_as_data(capsys):
    """One document for each size, the last one refuted."""
    command = ["sweep", "wd", "-c", "progressive", "--budget", "30s", "--json", "-"]
    assert run_command(command) == 1
    proofs = json.loads(capsys.readouterr().out)["proofs"]
    assert [one["is_complete"] for one in proofs] == [True, True, True]
    assert proofs[-1]["verdicts"][1]["outcome"] == "violated"

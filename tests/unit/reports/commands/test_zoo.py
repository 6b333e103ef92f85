"""`wavecheck zoo`: what it shows, writes and refuses, and its exit status."""

import json
from dataclasses import replace

import pytest

from wavecheck import EXHIBITS
from wavecheck.reports.zoo.tables import COLUMNS, matrix_rows, steps_text, summary
from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.exhibit import Variant
from wavecheck.scenarios.verdicts.examination import examine
from wavecheck.scenarios.verdicts.proving import PROOF
from wavecheck.sim.verdict import Outcome

NAME = "zoo/solid-queue-689"


def examined(exhibit, **limits):
    """The examinations of one exhibit."""
    effort = Effort(executions=500, seed=0)
    return list(examine([exhibit], effort, replace(PROOF, **limits)))


def test_one_exhibit_is_examined(cli):
    """Each variant gets a row; exit 0 means that all is as its file says."""
    status, output, _ = cli("zoo", NAME)
    assert status == 0
    assert "nobody re-checks after leaving" in output
    rows = [line.split() for line in output.splitlines() if "PROVED" in line]
    assert rows[0][:2] == ["fixed", "PROVED"]
    assert "1 faulty variants, 1 refuted; 1 fixed ones, 1 proved" in output


def test_the_matrix_as_data(cli):
    """Finder, execution, steps, states and statements, for each variant."""
    status, output, _ = cli("zoo", NAME, "--json", "-")
    original, fixed = json.loads(output)["examinations"]
    assert status == 0
    assert original["findings"][0]["property"] == "no_job_is_blocked_for_ever"
    assert original["findings"][0]["steps"] == original["findings"][0]["shortest"] == 5
    assert original["refuted_by_proof"] == ["no_job_is_blocked_for_ever"]
    assert (fixed["verdict"], fixed["states"]) == ("PROVED", 189)
    assert fixed["is_as_expected"]
    assert fixed["statements"] > 0


def test_a_page_of_markdown(cli, tmp_path):
    """The page has the matrix and tells the exhibit in words."""
    cli("zoo", NAME, "--markdown", "page.md")
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "| `zoo/solid-queue-689` | original | VIOLATED |" in page
    assert "### `zoo/solid-queue-689`: a job is blocked" in page
    assert "- left out: The semaphore's expiry" in page


def test_the_same_words_every_time(cli, tmp_path):
    """Nothing on the page depends on the clock."""
    cli("zoo", NAME, "--markdown", "one.md")
    cli("zoo", NAME, "--markdown", "two.md")
    assert (tmp_path / "one.md").read_bytes() == (tmp_path / "two.md").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("zoo/solid-queue-698",), "did you mean 'zoo/solid-queue-689'?"),
        (("--budget", "soon"), "--budget 'soon': expected a time"),
        (("--budget", "0s"), "budget in seconds is 0.0: expected more than nothing"),
        (("--executions", "0"), "budget in executions is 0"),
        (("--markdown", "nowhere/page.md"), "there is no folder 'nowhere'"),
        ((NAME, "--guide", "guide.md"), "--guide tells all roots"),
    ],
)
def test_bad_input_is_refused_before_any_work(cli, files, arguments, told):
    """Exit 2, the reason, and no file."""
    status, output, errors = cli("zoo", *arguments)
    assert status == 2
    assert told in errors
    assert output == ""
    assert files() == []


def test_a_verdict_that_is_not_as_stated_is_told():
    """Expected and got are both named; such a row is no success."""
    exhibit = EXHIBITS[NAME]
    code = exhibit.variants["fixed"].code
    lying = Variant(code=code, violates=("no_job_is_blocked_for_ever",))
    one = examined(replace(exhibit, variants={"fixed": lying}))[0]
    assert not one.is_as_expected()
    told = summary([one])[1]
    assert "NOT AS EXPECTED: zoo/solid-queue-689, fixed" in told
    assert "expected  no_job_is_blocked_for_ever" in told
    assert "got       search: none; proof: none" in told


def test_a_fault_that_is_not_stated_is_told():
    """A variant that is said to be fixed and is not is searched, and found out."""
    exhibit = EXHIBITS[NAME]
    code = exhibit.variants["original"].code
    one = examined(replace(exhibit, variants={"original": Variant(code=code)}))[0]
    assert one.refuted == ("no_job_is_blocked_for_ever",)
    assert not one.is_as_expected()


def test_a_proof_that_does_not_end_is_replaced_by_executions(monkeypatch):
    """Without a proof a fix is sampled, and the row says so."""
    monkeypatch.setattr(
        "wavecheck.scenarios.verdicts.examination.SAMPLED_EXECUTIONS", 30
    )
    fixed = examined(EXHIBITS[NAME], seconds=1e-9)[1]
    assert fixed.states is None
    assert fixed.strength() is Outcome.NOT_FOUND
    assert fixed.is_as_expected()
    row = dict(zip(COLUMNS, matrix_rows(fixed)[0], strict=True))
    assert (row["verdict"], row["states"]) == ("NOT FOUND", "not all")
    assert row["executions"] == "30"


def test_a_shorter_counterexample_is_told():
    """Where the engine knows a shorter one, the number of steps says so."""
    assert steps_text(8, 8) == "8"
    assert steps_text(8, 6) == "8, 6 possible"
    assert steps_text(8, None) == "8"


def test_a_collection_by_its_name(cli):
    """`classic` means all classic programs."""
    status, output, _ = cli("zoo", "classic", "--json", "-")
    examinations = json.loads(output)["examinations"]
    assert status == 0
    assert {one["exhibit"].partition("/")[0] for one in examinations} == {"classic"}
    assert len(examinations) >= 16


def test_the_zoo_is_listed(cli):
    """`list zoo` has every exhibit; the other lists stay those of the pipeline."""
    output = cli("list", "zoo")[1]
    for name in EXHIBITS:
        assert name in output
    assert "zoo/" not in cli("list", "scenarios")[1]
    assert "fixed" not in cli("list", "coordinators")[1]


def test_an_exhibit_is_checked_like_any_scenario(cli, tmp_path):
    """Without a name its first coordinator is meant; schedules go into one folder."""
    status, output, _ = cli("check", NAME, "--executions", "200", "--save", "found")
    assert status == 1
    assert "original in zoo/solid-queue-689" in output
    saved = [path.name for path in (tmp_path / "found").iterdir()]
    assert saved == ["zoo-solid-queue-689-original-no_job_is_blocked_for_ever.json"]
    status, output, _ = cli("check", NAME, "-c", "fixed", "--strategy", "exhaustive")
    assert status == 0
    assert "no state of 189 violates it" in output
    status, output, _ = cli("replay", f"found/{saved[0]}")
    assert status == 1
    assert cli("run", NAME)[0] in (0, 1)

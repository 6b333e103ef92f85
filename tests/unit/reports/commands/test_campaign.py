"""The commands `campaign`, `results` and `merge` as a user types them."""

import json

import pytest

from wavecheck.reports.campaign.tables import measure_text, percent
from wavecheck.reports.progress import campaign_line
from wavecheck.scenarios.campaign.campaign import CampaignProgress
from wavecheck.scenarios.campaign.statistics import rate_interval

SMALL = (
    *("--set", "parents=4", "--set", "workers=2", "--set", "waves_before=0"),
    *("--set", "parents_per_batch=1", "--seeds", "20"),
)
TWO = ("-c", "stalling", "-c", "upfront")


def test_a_campaign_shows_rates_distributions_alerts_and_differences(cli):
    """What was violated is in the table with its interval; exit status 1."""
    status, output, errors = cli("campaign", "import-job", *TWO, *SMALL, "--verbose")
    assert (status, errors) == (1, "")
    assert output.startswith("import-job: of 2 points, no_stranded_batch in 1 (100 %")
    assert "40 runs: 2 points, seeds from 0, at most 20 each" in output
    # Every run of stalling strands: the exact interval of 20 of 20 begins at 83.2 %.
    assert "100 %" in output
    assert "83.2 to 100 %" in output
    assert "up to 16.8 %" in output
    assert "NOT FOUND in any run: no_double_dispatch" in output
    assert "found after" in output
    assert "for ever" in output
    assert "mean difference to stalling on the same seeds" in output


def test_many_points_are_a_table_of_those_that_violate_most(cli):
    """The sentence names the worst; the others are counted, not dropped in silence."""
    options = ("--grid", "workers=1,2", "--seeds", "1")
    _, output, _ = cli("campaign", "import-job", *options)
    assert "of 14 points, no_stranded_batch in 2" in output
    assert "most in original workers=2" in output
    assert "6 more points, none worse: --verbose" in output
    assert "found after" not in output
    _, output, _ = cli("campaign", "import-job", *options, "--verbose")
    assert "more points" not in output


def test_nothing_violated_is_exit_status_0(cli):
    """A rule without faults: said in words, with what it does not rule out."""
    status, output, _ = cli("campaign", "import-job", "-c", "claiming", *SMALL)
    assert status == 0
    assert "no property was violated in any run" in output
    assert "rates up to 16.8 % would be no surprise" in output


def test_the_data_is_the_same_again_and_complete(cli):
    """Equal campaigns give equal JSON, whatever ran them; every number is in it."""
    command = ("campaign", "import-job", *TWO, *SMALL, "--json", "-")
    _, first, _ = cli(*command)
    _, again, _ = cli(*command)
    assert first == again
    document = json.loads(first)
    assert document["kind"] == "campaign"
    assert document["runs"] == 40
    stalling, upfront = document["points"]
    rate = stalling["rates"][0]
    assert (rate["property"], rate["violated"], rate["rate"]) == (
        "no_stranded_batch",
        20,
        1.0,
    )
    assert rate["interval"]["method"] == "Clopper-Pearson"
    assert stalling["distributions"]["longest_pending_us"]["p50"] == "for ever"
    assert upfront["distributions"]["held_ids_max"]["max"] == 4
    assert {one["coordinator"] for one in document["differences"]} == {"upfront"}


def test_results_are_kept_resumed_shown_exported_and_merged(cli, files, tmp_path):
    """The whole life of a results file, and no temporary file is left."""
    campaign = ("campaign", "import-job", "-c", "stalling", *SMALL)
    assert cli(*campaign, "--store", "a.db")[0] == 1
    status, _, errors = cli(*campaign, "--store", "a.db")
    assert status == 2
    assert "--resume goes on" in errors
    _, output, _ = cli(*campaign, "--store", "a.db", "--resume")
    assert "20 runs: 1 points" in output
    assert "made now" not in output
    assert cli(*campaign, "--first-seed", "20", "--store", "b.db")[0] == 1
    status, output, _ = cli("merge", "a.db", "b.db", "--store", "c.db")
    assert (status, output.strip()) == (0, "c.db: 40 runs of 2 files")
    status, output, _ = cli("results", "c.db", "--export", "c.csv")
    assert status == 1
    assert "40 runs: 1 points, seeds from 0, at most 40 each" in output
    assert len((tmp_path / "c.csv").read_text().splitlines()) == 41
    assert files() == ["a.db", "b.db", "c.csv", "c.db"]


def test_pictures_are_drawn_and_the_same_again(cli, tmp_path):
    """Rates, distributions and the trade-off; equal results give equal bytes."""
    command = ("campaign", "import-job", *TWO, *SMALL, "--grid", "pollers=0,1")
    for folder in ("one", "two"):
        _, output, _ = cli(*command, "--pictures", folder)
        assert output.count("picture: ") == 3
    for name in ("rates", "distributions", "trade-off"):
        file = f"import-job-{name}.png"
        content = (tmp_path / "one" / file).read_bytes()
        assert content == (tmp_path / "two" / file).read_bytes()
        assert len(content) > 5_000


def test_odds_of_a_scenario_without_time(cli):
    """Uniform schedules, and schedules drawn towards a violation, say the same."""
    wd = ("campaign", "wd", "-c", "stalling", "--seeds", "300")
    status, output, _ = cli(*wd)
    assert status == 1
    assert "no double dispatch" in output
    status, output, _ = cli(*wd, "--rare", "no_stranded_batch")
    assert status == 1
    assert "a 95 % interval by betting" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("import-jb",), "did you mean 'import-job'"),
        (("import-job", "--grid", "wokers=1,2"), "did you mean 'workers'"),
        (("import-job", "--grid", "workers="), "no value for 'workers'"),
        (("import-job", "--grid", "workers"), "expected NAME=VALUE"),
        (("import-job", "--seeds", "0"), "at least one seed"),
        (("import-job", "--resume"), "give --store FILE too"),
        (("import-job", "--jobs", "2", "--cluster", "tcp://x:1"), "one of the two"),
        (("import-job", "--store", "none/a.db"), "there is no folder"),
        (("import-job", "--json", "none/a.json"), "there is no folder"),
        (("import-job", "--export", "none/a.csv"), "there is no folder"),
        (("import-job", "--set", "seed=1"), "--first-seed N"),
        (("incident", "--rare", "no_stranded_batch"), "has virtual time"),
        (("wd", "--batches", "x.csv"), "--batches does not fit"),
    ],
)
def test_bad_usage_is_refused_in_words(cli, files, arguments, message):
    """Exit status 2, one message, no file."""
    status, output, errors = cli("campaign", *arguments)
    assert (status, output) == (2, "")
    assert message in errors
    assert "Traceback" not in errors
    assert files() == []


@pytest.mark.parametrize("command", ["results", "merge"])
def test_a_file_that_is_none_is_refused(cli, tmp_path, command):
    """Missing, or no results: exit status 2, and the file is left as it is."""
    (tmp_path / "notes.txt").write_text("my notes")
    extra = ("--store", "new.db") if command == "merge" else ()
    for name, message in (("none.db", "no such file"), ("notes.txt", "not a data")):
        status, _, errors = cli(command, name, *extra)
        assert status == 2
        assert message in errors
    assert (tmp_path / "notes.txt").read_text() == "my notes"


def test_a_share_has_the_digits_it_deserves():
    """Percent with one decimal, two significant digits below one percent."""
    assert [percent(one) for one in (0, 1, 0.5, 0.01, 0.0042, 0.00001, 0.9995)] == [
        "0 %",
        "100 %",
        "50.0 %",
        "1.0 %",
        "0.42 %",
        "0.001 %",
        "99.95 %",
    ]


def test_a_measure_has_its_unit():
    """Microseconds become seconds; counts stay; what never ends is said."""
    assert measure_text("makespan_us", 1_500_000) == "1.5 s"
    assert measure_text("makespan_us", 1_234_567_890) == "1,235 s"
    assert measure_text("makespan_us", -45.4) == "-45.4 µs"
    assert measure_text("makespan_us", 0) == "0 s"
    assert measure_text("makespan_us", float("inf")) == "for ever"
    assert measure_text("statements", 12_345) == "12,345"
    assert measure_text("statements", 612.25) == "612.2"


def test_progress_is_one_line_with_the_highest_rates():
    """Runs, speed, time left, and the intervals so far."""
    now = CampaignProgress(
        runs=1_200,
        runs_max=8_000,
        runs_per_second=310.0,
        seconds_left=3_700.0,
        rates=(
            ("a", "low", 0.1, rate_interval(10, 100)),
            ("b", "high", 0.5, rate_interval(50, 100)),
            ("c", "lowest", 0.01, rate_interval(1, 100)),
        ),
    )
    assert campaign_line(now) == (
        "1,200 of 8,000 runs, 310/s, 1 h 1 min left;"
        " b: high 50.0% [40.4%, 59.6%]; a: low 10.0% [5.5%, 17.4%]"
    )


def test_a_sensitivity_analysis_is_shown_drawn_and_given_as_data(cli, tmp_path):
    """The strongest parameter first, with its direction; the same picture again."""
    command = (
        *("sensitivity", "import-job", "-c", "claiming", "--set", "parents=6"),
        *("--vary", "service_seconds=10:40", "--vary", "workers=1:6"),
        *("--seeds", "2", "--trajectories", "3"),
    )
    pictures = [tmp_path / name for name in ("one.png", "two.png")]
    for picture in pictures:
        status, output, _ = cli(*command, "--picture", picture)
        assert status == 0
        assert "lowers" in output
        assert "raises" in output
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    _, output, _ = cli(*command, "--json", "-")
    document = json.loads(output)
    strengths = [one["strength"] for one in document["effects"]]
    assert strengths == sorted(strengths, reverse=True)
    status, _, errors = cli("sensitivity", "wd", "--vary", "listeners=1:3")
    assert status == 2
    assert "no virtual time" in errors


def test_a_calibration_is_shown_and_used(cli):
    """The published record: gaps are known, service times are not, and it says so."""
    status, output, _ = cli("calibrate", "--fit", "best")
    assert status == 0
    assert "service_samples: not known" in output
    assert "creation_samples: no formula fitted" in output
    _, text, _ = cli("calibrate", "--json", "-")
    assert set(json.loads(text)["settings"]) == {"creation_samples", "call_samples"}
    command = ("campaign", "incident", "-c", "stalling", "--seeds", "3")
    _, output, _ = cli(*command, "--calibrate", "empirical")
    assert "3 runs" in output
    status, _, errors = cli("campaign", "import-job", "--calibrate", "empirical")
    assert status == 2
    assert "the files say nothing that scenario 'import-job' could use" in errors


def test_a_fit_is_shown_with_its_goodness(cli, tmp_path):
    """Every formula with distance and p-value; the one in use is marked."""
    lines = ["batch_id,job_id,wave_number,status,created_at,started_at,completed_at"]
    lines += [
        f"b{number},j,1,completed,2025-01-01T10:00:00,2025-01-01T10:00:00,"
        f"2025-01-01T10:00:{10 + number * 3:02d}"
        for number in range(12)
    ]
    (tmp_path / "b.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "c.csv").write_text(
        "call_number,job_id,wave_number,called_at,batches_dispatched\n"
        "1,j,1,2025-01-01T10:00:00,1\n"
    )
    files = ("--batches", "b.csv", "--calls", "c.csv")
    _, output, _ = cli("calibrate", *files, "--fit", "lognormal")
    assert "lognormal (used)" in output
    assert "p-value" in output
    status, output, _ = cli(
        *("campaign", "import-job", "-c", "claiming", "--seeds", "3"),
        *("--calibrate", "lognormal", *files),
    )
    assert status == 0
    assert "3 runs" in output


@pytest.mark.parametrize("first", ["-1", str(2**63 - 1), "9" * 30])
def test_seeds_that_no_file_can_hold_are_refused(cli, first):
    """Below zero, or beyond 64 bits before the last one: before anything runs."""
    status, output, errors = cli(
        "campaign", "import-job", "--seeds", "2", "--first-seed", first
    )
    assert (status, output) == (2, "")
    assert "none below zero or beyond 2^63 - 1" in errors

"""What the rows say comes first; what other people's rows lack is mapped, and said."""

import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest

from wavecheck.reports.cli import run_command
from wavecheck.scenarios.incident.evidence import evidence_of, spans
from wavecheck.scenarios.incident.files import read_files
from wavecheck.scenarios.incident.investigation import read_rows, try_rules
from wavecheck.scenarios.incident.mapping import read_mapping
from wavecheck.sim.deadline import Deadline
from wavecheck.sim.errors import InvalidScenario

START = datetime(2025, 1, 1, tzinfo=UTC)
TABLES = ("wave_batches", "waves", "jobs", "calls", "messages")


@pytest.fixture
def evidence(tmp_path):
    """Read a text as the CSV file of batches."""

    def read(text):
        path = tmp_path / "b.csv"
        path.write_text(text, encoding="utf-8")
        mapping = read_mapping(None)
        files = dict.fromkeys(TABLES) | {"wave_batches": path}
        job_id, rows = read_files(files, None, mapping)
        return evidence_of(rows, job_id, mapping)

    return read


def rows_of(count, status="completed"):
    lines = ["batch_id,job_id,wave_number,status,created_at"]
    for number in range(count):
        moment = (START + timedelta(seconds=number / 10)).isoformat()
        lines.append(f"b{number},j,{1 + number // 25},{status},{moment}")
    return "\n".join(lines) + "\n"


def test_fifty_thousand_rows_are_judged_at_once(evidence):
    """In 2,000 waves, within five seconds of computing."""
    text = rows_of(50_000).replace("b49999,j,2000,completed", "b49999,j,2000,pending")
    began = time.process_time()
    found = read_rows(evidence(text))
    assert time.process_time() - began < 5
    wrong = [one.property_name for one in found.findings if one.violation]
    assert wrong == ["no_stranded_batch"]
    assert found.wave_number == 2000


def test_a_healthy_job_of_many_waves_fits_on_a_screen(tmp_path, capsys, monkeypatch):
    """Three hundred waves, and fewer than sixty lines."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b.csv").write_text(rows_of(7_500))
    assert run_command(["incident", "--batches", "b.csv", "--budget", "2s"]) == 0
    output = capsys.readouterr().out
    assert "job j: nothing is violated" in output.splitlines()[0]
    assert "waves 1 to 300, processing: 25 completed" in output
    assert len(output.splitlines()) < 60


def test_the_budget_ends_the_trials_and_keeps_what_is_known(evidence):
    """The newest batches are tried first; what is not known stays open."""
    found = read_rows(evidence(rows_of(3_000).replace(",completed,", ",pending,")))
    now = [0.0]

    def clock():
        now[0] += 0.001
        return now[0]

    nothing = try_rules(found, ["claiming"], deadline=Deadline(0.0, clock))
    assert (nothing.trials[0].run, nothing.trials[0].reconstruction) == (None, None)
    whole = try_rules(found, ["claiming"], executions_max=1)
    assert whole.is_tried()
    assert whole.timeline == found.timeline


def test_a_big_wave_is_known_in_part_first(evidence, monkeypatch):
    """The deadline comes after the newest 250 batches of 600 were tried."""
    # The clock counts who looks at it, and the timer would look as well.
    monkeypatch.setattr(Deadline, "enforced", nullcontext)
    text = "\n".join(
        line.replace(f",{number // 25 + 1},", ",7,", 1) if number >= 0 else line
        for number, line in enumerate(rows_of(600).splitlines(), start=-1)
    )
    found = read_rows(evidence(text))
    assert len(found.timeline.batches) == 600

    def tried_within(looks_max):
        looks = [0]

        def clock():
            looks[0] += 1
            return 0.0 if looks[0] < looks_max else 10.0

        deadline = Deadline(5.0, clock)
        return try_rules(
            found, ["claiming"], executions_max=1, deadline=deadline
        ), looks[0]

    _, all_looks = tried_within(10**9)
    tried, _ = tried_within(all_looks * 6 // 10)
    assert tried.is_tried()
    assert len(tried.timeline.batches) == 250
    assert tried.timeline.batches == found.timeline.batches[-250:]
    assert tried.timeline.calls[0][0] >= tried.timeline.batches[0][0]


def test_other_statuses_are_mapped_and_said(evidence):
    """Failed and skipped batches wait for nobody; capital letters mean nothing."""
    found = evidence(
        "batch_id,job_id,wave_number,status,created_at\n"
        "a,j,1,FAILED,2025-01-01\nb,j,1,skipped,2025-01-01\nc,j,1,Running,2025-01-01\n"
    )
    assert [str(one.status) for one in found.batches] == [
        "completed",
        "completed",
        "processing",
    ]
    assert (
        "wave_batches: status 'FAILED' (1 rows) is taken for completed"
        in found.assumptions
    )


def test_a_status_of_several_meanings_is_refused(evidence):
    """'queued' may be pending or sent: its owner must say."""
    with pytest.raises(InvalidScenario, match=r"wave_batches\.values\.status"):
        evidence(rows_of(1, "queued"))


def test_missing_moments_and_waves_are_mapped_and_said(evidence):
    """An empty moment has the nearest known one; no wave column means one wave."""
    found = evidence(
        "batch_id,job_id,status,created_at,completed_at\n"
        "a,j,completed,,2025-01-01T00:00:09\nb,j,pending,2025-01-01T00:00:01,\n"
        "c,j,pending,,\n"
    )
    assert [one.created_at for one in found.batches] == [8_000_000, 0, 0]
    assert {one.wave_number for one in found.batches} == {1}
    told = " ".join(found.assumptions)
    assert "2 batches do not say when they were created" in told
    assert "all in wave 1" in told


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("a,j,1,pending,\n", "no batch says when"),
        ("a,j,1,pending,2025-01-01\na,j,1,pending,2025-01-01\n", "is in row 1 already"),
        ("a,j,1,pending,0001-01-01\n", "between the years 1970 and 2200"),
        ("a,j,1,pending,9999-12-31T23:59:59-14:00\n", "between the years"),
        ("a,j,-1,pending,2025-01-01\n", "greater than or equal to 0"),
        ("a,j,99999999999,pending,2025-01-01\n", "less than or equal to"),
    ],
)
def test_nonsense_is_refused_by_name(evidence, rows, expected):
    """Doubles, impossible moments and numbers; the message has table, row, column."""
    with pytest.raises(InvalidScenario, match=expected):
        evidence("batch_id,job_id,wave_number,status,created_at\n" + rows)


def test_a_byte_order_mark_is_no_part_of_a_name(evidence):
    """As spreadsheets write it."""
    assert len(evidence("\ufeff" + rows_of(2)).batches) == 2


def test_waves_are_told_in_spans():
    """Runs are folded, and what is too much is counted."""
    assert spans([3]) == "wave 3"
    assert spans([1, 2, 3, 4, 7]) == "waves 1 to 4, 7"
    assert spans(list(range(0, 40, 2))) == "waves 0, 2, 4, 6, 8, and 15 more"

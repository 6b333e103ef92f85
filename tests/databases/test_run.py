"""A timed run that leaves its rows behind, for the report's own SQL."""

import pytest

from wavecheck.coordinator.sql import SQLStore

# Word for word from the published report, "Validation Steps".
CREATION = """
-- Verify batches created over time
SELECT batch_id, status, created_at
FROM wave_batches
WHERE job_id LIKE 'import_68db0dddaa%'
  AND wave_number = 7
ORDER BY created_at;
"""
COMPLETION = """
-- All batches should be dispatched/completed
SELECT status, count(*)
FROM wave_batches
WHERE job_id LIKE 'import_68db0dddaa%'
  AND wave_number = 7
GROUP BY status;
"""
JOB = "import_68db0dddaa2441"
TABLES = (
    "wave_batches",
    "waves",
    "jobs",
    "dispatch_queue",
    "parent_cache",
    "creation_finished",
)


@pytest.fixture
def lasting_url(any_url, query):
    """An address whose tables of ours are gone afterwards."""
    yield any_url
    if any_url.startswith("postgres"):
        query(any_url, *[f"DROP TABLE IF EXISTS {name}" for name in TABLES])


@pytest.mark.parametrize(
    ("coordinator", "expected"),
    [
        ("stalling", {"completed": 10, "pending": 35}),
        ("progressive", {"completed": 45}),
    ],
)
def test_the_reports_sql_runs_unchanged(
    command, lasting_url, query, coordinator, expected
):
    """The published validation SQL shows the published counts, or the fixed ones."""
    run = ("run", "incident", "-c", coordinator, "--db", lasting_url)
    status, out, _ = command(*run)
    assert status == 1
    assert "statements, every answer is the model's" in out
    creation, completion = query(lasting_url, CREATION, COMPLETION)
    assert dict(completion) == expected
    assert len(creation) == 45
    assert str(creation[0][2]).startswith("2025-09-29 22:53:53")
    assert creation == sorted(creation, key=lambda row: row[2])


def test_a_whole_job_leaves_a_completed_one(command, lasting_url, query):
    """Main waves, parents and derived batches: every row is as the model has it."""
    settings = ["--set", "parents=6", "--set", "workers=3"]
    run = ("run", "import-job", "-c", "leased", *settings, "--db", lasting_url)
    assert command(*run)[0] == 0
    [jobs], [waves] = query(
        lasting_url,
        "SELECT status, parents_total FROM jobs",
        "SELECT count(*) FROM waves WHERE status = 'completed' AND is_sealed",
    )
    assert (jobs, waves) == (("completed", 6), (3,))


def test_a_job_is_not_overwritten_unasked(command, query, tmp_path):
    """A second run is refused and says how to replace the first."""
    url = f"sqlite:///{tmp_path}/run.db"
    run = ("run", "incident", "--db", url)
    assert command(*run)[0] == 1
    status, _, err = command(*run)
    assert status == 2
    assert f"has job '{JOB}' already\nnext: --replace" in err
    assert command(*run, "-c", "stalling", "--replace")[0] == 1
    assert dict(query(url, COMPLETION)[0]) == {"completed": 10, "pending": 35}


def test_another_table_is_refused(command, query, tmp_path):
    """A table of the same name without our columns stays as it is."""
    url = f"sqlite:///{tmp_path}/other.db"
    query(url, "CREATE TABLE waves (job_id text)")
    status, _, err = command("run", "incident", "--db", url)
    assert status == 2
    assert "a table 'waves' without a column 'wave_number'" in err


def test_rows_in_memory_are_refused(command):
    """A database that is gone at once is no place to leave rows."""
    status, _, err = command("run", "incident", "--db", "sqlite://")
    assert (status, "next: --db sqlite:///FILE" in err) == (2, True)


def test_a_read_only_database_is_told(command, query, tmp_path):
    """Where writing is needed, a database that cannot be written is refused."""
    query(f"sqlite:///{tmp_path}/r.db", "CREATE TABLE t (a int)")
    url = f"sqlite:///file:{tmp_path}/r.db?mode=ro&uri=true"
    status, _, err = command("run", "incident", "--db", url)
    assert status == 2
    assert "readonly database" in err
    assert "next: check the file, its folder, and the right to write there" in err


@pytest.mark.postgres
def test_a_read_only_server_is_told(command, postgres_url):
    """PostgreSQL that takes no writes: which setting is in the way."""
    separator = "&" if "?" in postgres_url else "?"
    url = f"{postgres_url}{separator}options=-c%20default_transaction_read_only%3Don"
    status, _, err = command("run", "incident", "--db", url)
    assert status == 2
    assert "read-only transaction" in err
    assert "next: the database is read-only" in err


def test_a_wrong_answer_ends_the_run(command, monkeypatch, tmp_path):
    """An answer of the database that is not the model's is our fault, and told."""

    async def lying(self, job_id, wave_number, *states):
        return 99

    monkeypatch.setattr(SQLStore, "count_batches", lying)
    url = f"sqlite:///{tmp_path}/run.db"
    status, _, err = command("run", "incident", "--db", url)
    assert status == 4
    assert "model     0\n  database  99" in err

"""`wavecheck incident`: other people's rows, read-only, and what they tell."""

import json
from importlib.resources import files
from pathlib import Path

import pytest

DATA = Path(files("wavecheck.scenarios.incident") / "data")
PUBLISHED = (
    *("--batches", DATA / "batches.csv"),
    *("--calls", DATA / "calls.csv"),
)
JOB = "import_68db0dddaa2441"
QUICK = ("-c", "stalling", "-c", "claiming", "--executions", "8")

THEIRS = """
CREATE TABLE "import batch" (
    "id""s" integer, run integer, "wave no" integer, state text,
    "born at" text, "sent at" text
)
"""
MAPPING = """
[wave_batches]
table = "import batch"

[wave_batches.columns]
batch_id = 'id"s'
job_id = "run"
wave_number = "wave no"
status = "state"
created_at = "born at"
dispatched_at = "sent at"

[wave_batches.values.status]
queued = "pending"
sent = "dispatched"
"""


@pytest.fixture
def theirs(query, tmp_path):
    """Somebody's database: other names, numbers as ids; and the mapping for it."""
    url = f"sqlite:///{tmp_path}/theirs.db"
    rows = [
        f"INSERT INTO \"import batch\" VALUES ({number}, {run}, 4, '{state}',"
        f" '2025-01-01 10:00:{number:02d}', {sent})"
        for run in (1, 2)
        for number, state, sent in (
            (2, "sent", "'2025-01-01 10:00:03'"),
            (9, "queued", "NULL"),
            (10, "queued", "NULL"),
        )
    ]
    query(url, THEIRS, *rows)
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(MAPPING)
    return url, mapping


def test_the_published_incident(command):
    """Rows, alerts, fixes and an interleaving: the published counts come out."""
    status, out, _ = command("incident", *PUBLISHED, *QUICK)
    assert status == 1
    assert "wave 7, processing: 35 pending, 10 dispatched" in out
    assert "VIOLATED   no_stranded_batch          pending for ever: 35 in wave 7" in out
    assert "pending_not_decreasing  wave 7, 60.990 s" in out
    lines = {line.split()[0]: line.split() for line in out.splitlines() if line.strip()}
    assert lines["stalling"][1:3] == ["35", "0"]
    assert lines["claiming"][1:3] == ["0", "0"]
    assert "yes, with these very batches, each call by itself" in out
    assert "not in 8 tries: 0 pending" in out
    assert "call-1, 2025-09-29 22:53:53.0" in out
    assert "347 calls send nothing: wave_status() = processing" in out
    assert "35 of the 35 pending batches were created after the last call" in out


def test_what_a_run_left_behind(command, query, any_url):
    """The rows of a run, read back from its database, tell the same story."""
    assert command("run", "incident", "-c", "stalling", "--db", any_url)[0] == 1
    try:
        read = ("incident", "--db", any_url, "--job", JOB, *QUICK)
        before = query(any_url, "SELECT * FROM wave_batches ORDER BY batch_id")
        status, out, _ = command(*read, "--json", "-")
        document = json.loads(out)
        assert query(any_url, "SELECT * FROM wave_batches ORDER BY batch_id") == before
    finally:
        names = "wave_batches waves jobs dispatch_queue parent_cache creation_finished"
        query(any_url, *[f"DROP TABLE {name}" for name in names.split()])
    assert status == 1
    assert document["waves"][0]["batches"] == {"pending": 35, "completed": 10}
    found = {one["property"]: one for one in document["properties"]}
    assert found["no_stranded_batch"]["violation"] == "pending for ever: 35 in wave 7"
    assert found["no_double_dispatch"] == {
        "property": "no_double_dispatch",
        "violation": None,
        "undecided": None,
    }
    trials = {one["coordinator"]: one for one in document["coordinators"]}
    assert trials["stalling"]["is_exact"]
    assert trials["claiming"]["pending_seen"] == [0]
    assert "one after each creation" in document["assumed"][0]


def test_a_call_log_beside_the_database(command, query, tmp_path):
    """Rows from a database and calls from a file go together."""
    url = f"sqlite:///{tmp_path}/run.db"
    command("run", "incident", "-c", "stalling", "--db", url)
    read = ("incident", "--db", url, "--job", JOB, "--calls", PUBLISHED[3], *QUICK)
    status, out, _ = command(*read)
    assert (status, "45 batches, 348 calls" in out) == (1, True)
    assert "many_dispatch_calls     wave 7, 10.350 s" in out


def test_a_doubled_dispatch_is_seen_in_the_rows(command, tmp_path):
    """Two messages of one batch are a violation that rows decide."""
    messages = tmp_path / "messages.jsonl"
    name = f"{JOB}-w7-001"
    messages.write_text(f'{{"batch_id": "{name}"}}\n' * 2)
    _, out, _ = command("incident", *PUBLISHED, "--messages", messages, *QUICK)
    assert (
        f"no_double_dispatch         batch {name} was put on the queue 2 times" in out
    )


def test_other_names_are_mapped_and_quoted(command, theirs):
    """Spaces, quotes, numbers as ids: the driver quotes, and ids keep their order."""
    url, mapping = theirs
    read = ("incident", "--db", url, "--job", "1", "--mapping", mapping, *QUICK)
    status, out, _ = command(*read, "--json", "-")
    document = json.loads(out)
    assert (status, document["job"]) == (1, "1")
    assert document["waves"] == [
        {
            "wave_number": 4,
            "status": "processing",
            "batches": {"pending": 2, "dispatched": 1},
        }
    ]


def test_a_name_is_never_pasted(command, query, theirs):
    """A column name that would be SQL is looked for as a name, and is not there."""
    url, mapping = theirs
    evil = 'state FROM x; DROP TABLE "import batch"; --'
    mapping.write_text(MAPPING.replace('"state"', f"'{evil}'"))
    read = ("incident", "--db", url, "--job", "1", "--mapping", mapping)
    status, _, err = command(*read)
    assert status == 2
    assert f"has no column {evil!r} for our 'status'" in err
    assert query(url, 'SELECT count(*) FROM "import batch"') == [[(6,)]]


def test_json_lines_and_csv_give_the_same(command, tmp_path):
    """The published files as JSON lines: the same answers."""
    files = []
    for option, path in (("--batches", PUBLISHED[1]), ("--calls", PUBLISHED[3])):
        header, *lines = path.read_text().splitlines()
        target = tmp_path / f"{option[2:]}.jsonl"
        names = header.split(",")
        target.write_text(
            "\n".join(
                json.dumps(dict(zip(names, line.split(","), strict=True)))
                for line in lines
            )
        )
        files += [option, target]
    assert command("incident", *files, *QUICK) == command(
        "incident", *PUBLISHED, *QUICK
    )


def test_the_timeline_is_written_for_compare(command, theirs, tmp_path):
    """`--save` writes the pair of files that `compare` and `run` take."""
    url, mapping = theirs
    folder = tmp_path / "saved"
    read = ("incident", "--db", url, "--job", "2", "--mapping", mapping)
    assert command(*read, *QUICK, "--save", folder)[0] == 1
    files = ("--batches", folder / "batches.csv", "--calls", folder / "calls.csv")
    _, out, _ = command("run", "incident", "-c", "claiming", *files)
    assert "3 sent of 3" in out


@pytest.mark.parametrize(
    ("arguments", "fact", "advice"),
    [
        ((), "nothing says what happened", "give --db URL --job ID, or --batches"),
        (("--db", "sqlite://"), "--db holds many jobs", "next: give --job ID"),
        (
            ("--db", "sqlite:///missing.db", "--job", "1"),
            "unable to open",
            "check the file",
        ),
        ((*PUBLISHED, "--job", "no-job"), "there is no job 'no-job'", JOB),
        ((*PUBLISHED, "--wave", "9"), "no batches in such a wave", "it has  waves 7"),
        ((*PUBLISHED, "--mapping", "none.toml"), "none.toml: cannot be read", ""),
        ((*PUBLISHED, "-c", "nobody"), "unknown coordinator 'nobody'", "known:"),
    ],
)
def test_bad_usage_is_told(command, monkeypatch, tmp_path, arguments, fact, advice):
    """One sentence, what to do, exit status 2."""
    monkeypatch.chdir(tmp_path)
    status, out, err = command("incident", *arguments)
    assert (status, out) == (2, "")
    assert fact in err
    assert advice in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "fact", "advice"),
    [
        (("[wave_batches]", "[batches]"), "batches", "next: the tables are"),
        (("status =", "state ="), "unknown column of wave_batches 'state'", "did you"),
        (('"import batch"', '"nothing"'), "no table 'nothing'", "[wave_batches]"),
        (('"born at"', '"age"'), "no column 'age' for our 'created_at'", "it has"),
        (("queued", "waiting"), "column status", "say what it means under"),
        (('"state"', "5"), "valid string", "docs/incidents.md"),
        (("= 'id\"s'", "="), "not TOML", ""),
    ],
)
def test_a_mapping_that_does_not_fit_is_told(command, theirs, change, fact, advice):
    """What is wrong with it, and what to do."""
    url, mapping = theirs
    assert change[0] in MAPPING
    mapping.write_text(MAPPING.replace(*change))
    status, _, err = command(
        "incident", "--db", url, "--job", "1", "--mapping", mapping
    )
    assert status == 2
    assert fact in err
    assert advice in err


def test_a_job_that_does_not_exist_is_told(command, theirs):
    """It is said which jobs there are."""
    url, mapping = theirs
    status, _, err = command(
        "incident", "--db", url, "--job", "7", "--mapping", mapping
    )
    assert status == 2
    assert "there is no job '7' in table 'import batch'\n  it has  1, 2" in err


def test_a_bad_row_is_told(command, tmp_path):
    """Table, row, column and value."""
    batches = tmp_path / "b.csv"
    batches.write_text(
        "batch_id,job_id,wave_number,status,created_at\n"
        "b1,j,1,pending,2025-01-01\nb2,j,one,pending,2025-01-01\n"
    )
    status, _, err = command("incident", "--batches", batches)
    assert status == 2
    assert "wave_batches, row 2, column wave_number" in err
    assert "got       'one'" in err


@pytest.mark.parametrize(
    ("name", "text", "fact"),
    [
        ("b.jsonl", '{"batch_id": 1}\n', "line 1: no 'job_id' for our 'job_id'"),
        ("b.jsonl", "[1]\n", "line 1: expected an object a line"),
        ("b.jsonl", "{\n", "line 1: not JSON"),
        ("b.csv", "batch_id,job_id\n1\n", "line 2: expected 2 cells"),
        ("b.csv", 'a,b\n"1,2\n', "not CSV"),
        ("b.csv", "", "no records"),
    ],
)
def test_a_malformed_file_is_told(command, tmp_path, name, text, fact):
    """File and line."""
    path = tmp_path / name
    path.write_text(text)
    status, _, err = command("incident", "--batches", path)
    assert (status, fact in err) == (2, True), err


@pytest.mark.postgres
def test_the_transaction_is_read_only(command, postgres_url, query, tmp_path):
    """A view that writes when it is read is refused by the server."""
    query(
        postgres_url,
        "CREATE TABLE notes (a int)",
        "CREATE FUNCTION note() RETURNS text LANGUAGE sql VOLATILE AS"
        " $$ INSERT INTO notes VALUES (1); SELECT 'pending' $$",
        "CREATE VIEW trap AS SELECT 'b' AS batch_id, 'j' AS job_id, 1 AS wave_number,"
        " note() AS status, now() AS created_at",
    )
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('[wave_batches]\ntable = "trap"\n')
    try:
        read = ("incident", "--db", postgres_url, "--job", "j", "--mapping", mapping)
        status, _, err = command(*read)
        assert status == 2
        assert "cannot execute INSERT in a read-only transaction" in err
        assert query(postgres_url, "SELECT count(*) FROM notes") == [[(0,)]]
    finally:
        query(
            postgres_url,
            "DROP VIEW trap",
            "DROP FUNCTION note",
            "DROP TABLE notes",
        )

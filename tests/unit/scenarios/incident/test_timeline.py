"""Reading an incident from two CSV files; every malformed file is refused."""

from importlib.resources import files

import pytest

from wavecheck.scenarios.incident.timeline import read_timeline
from wavecheck.sim.errors import InvalidScenario

BATCHES = """\
batch_id,job_id,wave_number,status,created_at
b1,j,7,dispatched,2025-09-29T22:53:53.000
b2,j,7,pending,2025-09-29T22:53:53.500
"""
CALLS = """\
call_number,job_id,wave_number,called_at,batches_dispatched
1,j,7,2025-09-29T22:53:53.005,1
2,j,7,2025-09-29T22:53:54.005,0
"""
NEXT = "next: fix that cell; scenarios/incident/data in the project shows the format"


@pytest.fixture
def read(tmp_path):
    """Write both files and read them."""

    def run(batches=BATCHES, calls=CALLS):
        paths = []
        for name, content in (("batches.csv", batches), ("calls.csv", calls)):
            path = tmp_path / name
            if isinstance(content, str):
                content = content.encode()
            if content is not None:
                path.write_bytes(content)
            paths.append(str(path))
        return read_timeline(*paths)

    return run


@pytest.fixture
def refusal(read, tmp_path):
    """Read files that must be refused; return the message without the folder."""

    def run(**contents):
        with pytest.raises(InvalidScenario) as refused:
            read(**contents)
        return str(refused.value).replace(f"{tmp_path}/", "")

    return run


def test_a_record_becomes_ticks_since_its_start(read):
    """The earliest moment of either file is tick zero."""
    timeline = read()
    assert (timeline.job_id, timeline.wave_number) == ("j", 7)
    assert timeline.batches == ((0, "b1"), (500_000, "b2"))
    assert timeline.calls == ((5_000, 1), (1_005_000, 2))


def test_lines_may_come_in_any_order(read):
    """The timeline is sorted by time, whatever the order of the lines."""
    header, first, second = BATCHES.splitlines()
    assert read(batches=f"{header}\n{second}\n{first}\n") == read()


def test_windows_line_ends_are_fine(read):
    """A file saved on another system reads the same."""
    assert read(batches=BATCHES.replace("\n", "\r\n")) == read()


def test_moments_with_different_zones_are_compared_as_moments(read):
    """A zone in every line is fine, and differing zones are converted."""
    zoned = BATCHES.replace("53.000", "53.000+00:00").replace(
        "22:53:53.500", "23:53:53.500+01:00"
    )
    calls = CALLS.replace(".005,", ".005Z,")
    assert read(batches=zoned, calls=calls) == read()


def test_the_published_incident_is_read_by_default():
    """45 batches and 348 calls; the folder of the package holds them."""
    timeline = read_timeline("", "")
    assert len(timeline.batches) == 45
    assert [number for _, number in timeline.calls] == list(range(1, 349))
    folder = files("wavecheck.scenarios.incident") / "data"
    assert (folder / "batches.csv").is_file()
    assert (folder / "calls.csv").is_file()


def cell(file, line, column, expected, got):
    """The message about one cell."""
    return (
        f"{file}, line {line}, column {column}\n"
        f"  expected  {expected}\n  got       {got!r}\n{NEXT}"
    )


BATCH_HEADER = "batch_id,job_id,wave_number,status,created_at"
CALL_HEADER = "call_number,job_id,wave_number,called_at,batches_dispatched"
MORE = ", and after them, if there are any: "
BATCH_COLUMNS = f"{BATCH_HEADER}{MORE}dispatched_at, started_at, completed_at"
CALL_COLUMNS = f"{CALL_HEADER}{MORE}ended_at, statements"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            BATCH_HEADER,
            "id,job,wave",
            cell("batches.csv", 1, "(header)", BATCH_COLUMNS, "id,job,wave"),
        ),
        (BATCHES, "", cell("batches.csv", 1, "(header)", BATCH_COLUMNS, "")),
        (
            "b2,j,7,pending,",
            "b2,j,7,",
            cell(
                "batches.csv",
                3,
                "(line)",
                "5 columns",
                "b2,j,7,2025-09-29T22:53:53.500",
            ),
        ),
        (
            "b2,j,7,pending,",
            "b2,j,7,pending,x,",
            cell(
                "batches.csv",
                3,
                "(line)",
                "5 columns",
                "b2,j,7,pending,x,2025-09-29T22:53:53.500",
            ),
        ),
        ("b2,", "\nb2,", cell("batches.csv", 3, "(line)", "5 columns", "")),
        ("b2,j,7", "b1,j,7", cell(
            "batches.csv", 3, "batch_id", "an id that is not in line 2 already", "b1"
        )),
        ("b2,j,7", "b2,k,7", cell(
            "batches.csv", 3, "job_id", "one job throughout: 'j'", "k"
        )),
        ("b2,j,7", "b2,j,8", cell(
            "batches.csv", 3, "wave_number", "one wave throughout: 7", "8"
        )),
        ("53.500", "53.500Z", cell(
            "batches.csv",
            3,
            "created_at",
            "no time zone",
            "2025-09-29T22:53:53.500000+00:00",
        )),
    ],
)  # fmt: skip
def test_a_malformed_batches_file_is_refused(refusal, old, new, message):
    """File, line, column, value and what was expected: the whole message."""
    assert refusal(batches=BATCHES.replace(old, new)) == message


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "expected", "got"),
    [
        ("b2,j,7", "b2,j,seven", 3, "wave_number", "valid integer", "seven"),
        ("b2,j,7", "b2,j,-1", 3, "wave_number", "greater than or equal to 0", "-1"),
        ("b2,j,7", ",j,7", 3, "batch_id", "at least 1 character", ""),
        ("b1,j,", "b1,,", 2, "job_id", "at least 1 character", ""),
        ("b2,", "b" * 201 + ",", 3, "batch_id", "at most 200 characters", "b" * 201),
        (
            "2025-09-29T22:53:53.500",
            "yesterday",
            3,
            "created_at",
            "valid datetime",
            "yesterday",
        ),
        (
            "2025-09-29T22:53:53.500",
            "2025-13-29T22:53:53",
            3,
            "created_at",
            "valid datetime",
            "2025-13-29T22:53:53",
        ),
    ],
)
def test_a_bad_cell_of_a_batch_is_refused(
    refusal, old, new, line, column, expected, got
):
    """The message names the cell and shows its value."""
    lines = refusal(batches=BATCHES.replace(old, new)).splitlines()
    assert lines[0] == f"batches.csv, line {line}, column {column}"
    assert expected in lines[1]
    assert lines[2] == f"  got       {got!r}"


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "expected", "got"),
    [
        (CALL_HEADER, "a,b", 1, "(header)", CALL_HEADER, "a,b"),
        ("2,j,7", "0,j,7", 3, "call_number", "greater than or equal to 1", "0"),
        ("2,j,7", "two,j,7", 3, "call_number", "valid integer", "two"),
        ("2,j,7", "1,j,7", 3, "call_number", "not in line 2 already", "1"),
        ("1,j,7", "1,k,7", 2, "job_id", "one job throughout: 'j'", "k"),
        ("1,j,7", "1,j,6", 2, "wave_number", "one wave throughout: 7", "6"),
        (",0\n", ",-3\n", 3, "batches_dispatched", "greater than or equal", "-3"),
        (",0\n", ",\n", 3, "batches_dispatched", "valid integer", ""),
        (
            "22:53:54.005",
            "22:53:54.005+02:00",
            3,
            "called_at",
            "no time zone",
            "2025-09-29T22:53:54.005000+02:00",
        ),
        ("22:53:54.005", "25:99", 3, "called_at", "valid datetime", "2025-09-29T25:99"),
    ],
)
def test_a_malformed_calls_file_is_refused(
    refusal, old, new, line, column, expected, got
):
    """The calls file is checked like the batches file."""
    lines = refusal(calls=CALLS.replace(old, new)).splitlines()
    assert lines[0] == f"calls.csv, line {line}, column {column}"
    assert expected in lines[1]
    assert lines[2] == f"  got       {got!r}"
    assert lines[3] == NEXT


def test_a_missing_zone_is_told_from_a_surplus_one(refusal):
    """If the first line has a zone, a line without one is refused."""
    message = refusal(batches=BATCHES.replace("53.000", "53.000Z"))
    assert message == cell(
        "batches.csv",
        3,
        "created_at",
        "a time zone, as in the first line",
        "2025-09-29T22:53:53.500000",
    )


@pytest.mark.parametrize("name", ["batches", "calls"])
def test_a_file_of_a_header_alone_is_refused(refusal, name):
    """There must be at least one record."""
    content = {"batches": BATCHES, "calls": CALLS}[name]
    header = content.splitlines()[0] + "\n"
    message = refusal(**{name: header})
    assert message == f"{name}.csv: no records, expected at least one"


@pytest.mark.parametrize("name", ["batches", "calls"])
def test_a_file_that_is_not_text_is_refused_with_its_line(refusal, name):
    """Bytes that are no UTF-8 are told with file and line."""
    content = {"batches": BATCHES, "calls": CALLS}[name].encode()
    message = refusal(**{name: content.replace(b",j,", b",\xff,")})
    assert message.startswith(f"{name}.csv, line 2")
    assert "UTF-8" in message
    assert "0xff" in message


def test_bytes_far_into_a_file_are_told_with_the_right_line(refusal):
    """The line is that of the file, not of a block that was read."""
    lines = [f"c{n},j,7,pending,2025-09-29T22:53:53.500" for n in range(5000)]
    content = (BATCHES + "\n".join(lines) + "\n").encode() + b"\xff\n"
    assert refusal(batches=content).startswith("batches.csv, line 5004")


def test_an_open_quote_is_refused_with_its_line(refusal):
    """A file that is no CSV is told with file and line."""
    message = refusal(batches=BATCHES.replace("b2,j", '"b2"x,j'))
    assert message.startswith("batches.csv, line 3")
    assert "CSV" in message


@pytest.mark.parametrize("name", ["batches", "calls"])
def test_a_missing_file_is_refused(tmp_path, name):
    """The message names the file and the reason."""
    paths = {}
    for one, content in (("batches", BATCHES), ("calls", CALLS)):
        paths[one] = tmp_path / f"{one}.csv"
        if one != name:
            paths[one].write_text(content)
    with pytest.raises(InvalidScenario) as refused:
        read_timeline(str(paths["batches"]), str(paths["calls"]))
    assert str(refused.value) == (
        f"{paths[name]}: cannot be read: No such file or directory"
    )


def test_a_folder_is_no_file(tmp_path):
    """A folder in place of a file is refused, not a crash."""
    with pytest.raises(InvalidScenario, match="cannot be read: Is a directory"):
        read_timeline(str(tmp_path), str(tmp_path))


@pytest.mark.parametrize(
    ("batches", "calls", "missing"),
    [("x.csv", "", "calls"), ("", "x.csv", "batches")],
)
def test_one_of_two_files_is_refused(batches, calls, missing):
    """An incident is a pair; the message names the option that is missing."""
    with pytest.raises(InvalidScenario) as refused:
        read_timeline(batches, calls)
    assert str(refused.value) == (
        f"a recorded incident is a pair of files, and {missing!r} is missing\n"
        "next: give both --batches FILE and --calls FILE"
    )

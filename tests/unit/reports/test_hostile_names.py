"""Names from other people's files: no escape sent, no markup, no formula, no file."""

import csv
import io
import json
from xml.etree import ElementTree

import pytest

from wavecheck.reports.cli import run_command
from wavecheck.reports.console import make_console
from wavecheck.reports.data import to_text
from wavecheck.reports.export.csv_table import csv_text
from wavecheck.reports.printable import printable
from wavecheck.scenarios.campaign.store import no_formula

HOSTILE = {
    "escape": "\x1b[2J\x1b]0;owned\x07",
    "C1": "\x9b2J\x90x\x9c",
    "backwards": "a\u202eb\u2066",
    "markup": "[bold red]x[/] [link=file:///etc/passwd]y[/link] :smile:",
    "HTML": "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>",
    "script": "</script><script>alert(1)</script><!--",
    "Markdown": "|x|`y`](javascript:alert(1)) <b> ![i](http://x)",
    "SQL": "'; DROP TABLE jobs; --",
    "formula": '=HYPERLINK("http://x","y")',
    "path": "../../../../tmp/owned",
    "rule": '"} or vector(1) # {{ template }}',
}
MODES = pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())


def obeyed(text):
    """The characters that a terminal would obey."""
    return [
        one
        for one in text
        if one not in "\n\t" and (ord(one) < 32 or 127 <= ord(one) < 160)
    ]


@pytest.fixture
def cli(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder; return status, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        status = run_command(list(arguments))
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def write_rows(folder, hostile):
    """Rows whose every text is hostile, as JSON lines."""
    rows = [
        {"batch_id": f"{hostile}{n}", "job_id": hostile, "wave_number": 1,
         "status": "pending", "created_at": f"2025-01-01T00:00:0{n}Z",
         "parent_ids": [hostile]}
        for n in range(3)
    ]  # fmt: skip
    lines = [json.dumps(one) for one in rows]
    (folder / "b.jsonl").write_text("\n".join(lines), encoding="utf-8")


@MODES
def test_an_incident_with_hostile_rows_is_told_in_plain_text(cli, tmp_path, hostile):
    """Job, batches and parents; on the screen, as data, and as saved files."""
    write_rows(tmp_path, hostile)
    read = ("incident", "--batches", "b.jsonl", "-c", "claiming", "--executions", "1")
    status, output, errors = cli(*read, "--save", "kept")
    assert status == 1
    assert not obeyed(output + errors)
    assert {one.name for one in tmp_path.iterdir()} == {"b.jsonl", "kept"}
    assert {one.name for one in (tmp_path / "kept").iterdir()} == {
        "batches.csv",
        "calls.csv",
    }
    _, output, _ = cli(*read, "--json", "-")
    assert not obeyed(output)
    assert json.loads(output)["job"] == hostile


@MODES
def test_a_refusal_shows_a_hostile_value_in_plain_text(cli, hostile):
    """Names of scenarios, properties, coordinators, settings, files and jobs."""
    for arguments in (
        ("check", hostile),
        ("check", "wd", "-c", hostile),
        ("check", "wd", "--property", hostile),
        ("check", "wd", "--set", f"{hostile}=1"),
        ("replay", hostile),
        ("incident", "--batches", hostile),
        ("run", "incident", "--batches", hostile, "--calls", hostile),
        ("new", hostile.replace("/", "|")),
    ):
        status, output, errors = cli(*arguments)
        assert status == 2, arguments
        assert not obeyed(output + errors)
        assert "Traceback" not in errors


@MODES
def test_a_schedule_with_a_hostile_message_is_told_in_plain_text(
    cli, tmp_path, hostile
):
    """Replayed, explained and exported in every format; in pages it is no markup."""
    cli("check", "wd", "-c", "stalling", "--executions", "60", "--save", "s")
    path = next(iter(sorted((tmp_path / "s").iterdir())))
    document = json.loads(path.read_text())
    document["message"] = document["steps"][0]["task"] = hostile
    (tmp_path / "m.json").write_text(json.dumps(document))
    _, output, errors = cli("replay", "m.json")
    assert not obeyed(output + errors)
    document = json.loads(path.read_text()) | {"message": hostile}
    (tmp_path / "m.json").write_text(json.dumps(document))
    _, output, errors = cli("explain", "m.json", "--html", "p.html", "--test", "t.py")
    assert not obeyed(output + errors)
    page = (tmp_path / "p.html").read_text()
    assert "<script>alert(1)" not in page
    assert "onerror=alert(1)>" not in page
    compile((tmp_path / "t.py").read_text(), "t.py", "exec")
    for form in ("mermaid", "shiviz", "graphml", "perfetto", "sql", "csv"):
        status, output, errors = cli("export", "m.json", "--format", form)
        assert (status, "Traceback" in errors) == (0, False) or status == 2
        assert not obeyed(output.replace("\r\n", "\n") + errors)
        if form == "graphml":
            ElementTree.fromstring(output)


@MODES
def test_a_cell_is_no_formula(hostile):
    """Texts that a spreadsheet would compute are marked as text; numbers are not."""
    read = csv.reader(io.StringIO(csv_text([{"name": hostile, "number": -5}])))
    (_, (cell, number)) = list(read)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert number == "-5"
    assert [no_formula(one) for one in ("-1.5", "+x", "@x", "x")] == [
        "-1.5",
        "'+x",
        "'@x",
        "x",
    ]


def test_a_console_styles_and_its_texts_do_not(capsys):
    """What rich sends itself is kept; what is in a name is shown as `?`."""
    console = make_console()
    console.file = io.StringIO()
    console._force_terminal = True
    console.print("a\x1b[2Jb", style="bold")
    sent = console.file.getvalue()
    assert "\x1b[2J" not in sent
    assert "a?[2Jb" in sent
    assert printable("é漢\n") == "é漢\n"


def test_data_holds_no_character_that_a_terminal_obeys():
    """Escaped by JSON's own rules, so that reading gives the same text."""
    text = to_text({"name": HOSTILE["C1"] + HOSTILE["escape"] + "\u2028"})
    assert not obeyed(text)
    assert json.loads(text)["name"] == HOSTILE["C1"] + HOSTILE["escape"] + "\u2028"

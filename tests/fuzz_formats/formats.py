"""What is damaged and read: one maker of cases for each format.

A maker takes a source of chance and the folder with the sound files; it writes a
damaged one into the working folder and returns a case.
"""

import json
import shutil
from pathlib import Path

from guarding import Case
from mutating import (
    damaged_bytes,
    damaged_database,
    damaged_json,
    damaged_text,
)

CORPUS = Path(__file__).parent / "corpus"
CAMPAIGN = (
    "campaign", "import-job", "-c", "stalling", "-c", "claiming", "--seeds", "4",
    "--set", "parents=2", "--grid", "workers=1,2", "--store", "runs.sqlite",
)  # fmt: skip
PROOF = ("check", "wd", "-c", "claiming", "--strategy", "exhaustive", "--checkpoint")
SOUND = (
    ("check", "wd", "-c", "stalling", "--executions", "50", "--save", "s"),
    ("check", "import-job", "-c", "stalling", "--executions", "10", "--save", "s"),
    ("check", "import-job", "-c", "leased", "--executions", "50", "--faults",
     "crash=1,lose=1", "--save", "s"),
    ("check", "zoo/good-job-832", "--executions", "20", "--save", "s"),
    ("check", "classic/account", "--executions", "20", "--save", "s"),
    CAMPAIGN,
    (*PROOF, "c"),
)  # fmt: skip
BATCHES = """\
batch_id,job_id,wave_number,status,created_at,dispatched_at,started_at,completed_at
b1,j,3,completed,2025-01-01T00:00:00,2025-01-01T00:00:01,2025-01-01T00:00:02,2025-01-01T00:00:05
b2,j,3,dispatched,2025-01-01T00:00:01,2025-01-01T00:00:01,,
b3,j,3,pending,2025-01-01T00:00:03,,,
"""
CALLS = """\
call_number,job_id,wave_number,called_at,batches_dispatched,ended_at,statements
1,j,3,2025-01-01T00:00:01,2,2025-01-01T00:00:02,5
2,j,3,2025-01-01T00:00:04,0,2025-01-01T00:00:04.5,4
"""
TABLES = {
    "batches": [
        {"batch_id": 1, "job_id": "j", "wave_number": 1, "status": "completed",
         "created_at": "2025-01-01T00:00:00Z", "completed_at": "2025-01-01T00:00:09Z",
         "parent_ids": [], "attempt": 1},
        {"batch_id": 2, "job_id": "j", "wave_number": 2, "status": "pending",
         "created_at": "2025-01-01T00:00:10Z", "parent_ids": ["1"]},
    ],
    "waves": [{"job_id": "j", "wave_number": 2, "status": "processing", "kind":
               "derived", "is_sealed": True, "updated_at": "2025-01-01T00:00:09Z"}],
    "jobs": [{"job_id": "j", "status": "processing", "parents_total": 1}],
    "calls": [{"job_id": "j", "wave_number": 2, "called_at": "2025-01-01T00:00:09Z",
               "batches_dispatched": 0, "call_number": 1}],
    "messages": [{"batch_id": 1, "attempt": 1, "sent_at": "2025-01-01T00:00:01Z"}],
}  # fmt: skip
MAPPING = """\
[wave_batches]
table = "import_batches"
schema = "app"

[wave_batches.columns]
batch_id = "id"
status = "state"

[wave_batches.values.status]
queued = "pending"
done = "completed"

[waves.columns]
kind = "type"
"""
MAPPED = """\
id,job_id,wave_number,state,created_at
7,j,1,queued,2025-01-01T00:00:00
8,j,1,done,2025-01-01T00:00:01
"""
WORLD = '''\
"""A rule."""


class Mine:
    """Sends a wave when it is called."""

    def __init__(self, db, dispatcher, log):
        self.db, self.dispatcher, self.log = db, dispatcher, log

    async def check_and_trigger_next_wave(self, job_id):
        """Send what waits."""
        for wave in await self.db.waves(job_id):
            for batch in await self.db.pending_batches(job_id, wave.wave_number):
                await self.dispatcher.dispatch(batch)
'''


def _kept(kind, draw, sound):
    """A kept finding now and then, else a sound file, by its content."""
    return draw.choice(sorted((*sound, *CORPUS.glob(f"{kind}*"))))


def schedules(draw, sound):
    """A schedule, replayed, explained or exported."""
    path = draw.choice(sorted((sound / "s").glob("*.json")))
    damage = draw.choice((damaged_bytes, damaged_json, damaged_json))
    Path("s.json").write_bytes(damage(path.read_bytes(), draw))
    forms = ("perfetto", "shiviz", "mermaid", "graphml", "csv", "isolation-spec", "sql")
    return Case(
        [
            draw.choice(
                (
                    ["replay", "s.json"],
                    ["replay", "s.json", "--json", "-"],
                    ["explain", "s.json"],
                    ["explain", "s.json", "--html", "p.html", "--test", "t.py"],
                    ["export", "s.json", "--format", draw.choice(forms)],
                )
            )
        ]
    )


def corpora(draw, sound):
    """A folder of worlds that disagreed once, which `conform` runs first."""
    step = {"kind": "update", "table": "a", "column": "key", "operand": 1, "value": 2}
    sound_world = {
        "format": "wavecheck conform",
        "version": 1,
        "database": "SQLite",
        "world": {
            "level": "serializable",
            "rows": {"a": {"1": 1, "2": 2}, "b": {"1": 0}},
            "programs": [[step, {"kind": "commit"}], [{"kind": "count"}, step]],
            "order": [0, 1, 0, 1],
        },
    }
    Path("kept").mkdir()
    for name in ("one", "two"):
        damage = draw.choice((damaged_bytes, damaged_json, damaged_json))
        content = damage(json.dumps(sound_world).encode(), draw)
        Path("kept", f"{name}.json").write_bytes(content)
    return Case(
        [["conform", "--db", "sqlite://", "--schedules", "1", "--keep", "kept"]]
    )


def csv(draw, sound):
    """The pair of files of an incident, run, read and measured."""
    texts = [BATCHES.encode(), CALLS.encode()]
    damaged = draw.randrange(2)
    if draw.random() < 0.3:
        texts[damaged] = damaged_bytes(texts[damaged], draw)
    else:
        texts[damaged] = damaged_text(texts[damaged], draw, "\n,")
    for name, content in zip(("b.csv", "c.csv"), texts, strict=True):
        Path(name).write_bytes(content)
    files = ["--batches", "b.csv", "--calls", "c.csv"]
    return Case(
        [
            draw.choice(
                (
                    ["run", "incident", *files],
                    ["incident", *files, "--executions", "5"],
                    ["calibrate", *files],
                    ["calibrate", *files, "--fit", "best"],
                    ["campaign", "incident", "-c", "stalling", "--seeds", "2", *files,
                     "--calibrate", "empirical"],
                )
            )
        ]
    )  # fmt: skip


def jsonl(draw, sound):
    """Tables of an incident as JSON lines."""
    damaged = draw.choice(list(TABLES))
    command = ["incident", "--executions", "5"]
    for name, rows in TABLES.items():
        content = "\n".join(map(json.dumps, rows)).encode()
        if name == damaged:
            kind = draw.randrange(3)
            if kind == 0:
                content = damaged_bytes(content, draw)
            else:
                rows = json.loads(damaged_json(json.dumps(rows).encode(), draw))
                content = "\n".join(map(json.dumps, rows)).encode()
        Path(f"{name}.jsonl").write_bytes(content)
        if name == "batches" or draw.random() < 0.7:
            command += [f"--{name}", f"{name}.jsonl"]
    return Case([command])


def toml(draw, sound):
    """The file that says how columns are called."""
    damage = draw.choice((damaged_bytes, damaged_text))
    content = MAPPING.encode()
    if damage is damaged_text:
        content = damaged_text(content, draw, '\n=.]"')
    else:
        content = damaged_bytes(content, draw)
    Path("m.toml").write_bytes(content)
    Path("b.csv").write_text(MAPPED)
    files = ["--mapping", "m.toml", "--batches", "b.csv"]
    return Case([["incident", *files, "--executions", "5"]])


def stores(draw, sound):
    """A results file: shown, resumed, merged; what is accepted must be unchanged."""
    shutil.copy(sound / "runs.sqlite", "runs.sqlite")
    path = Path("runs.sqlite")
    if draw.random() < 0.5:
        path.write_bytes(damaged_bytes(path.read_bytes(), draw))
    else:
        damaged_database(path, draw)
    told = (sound / "runs.csv").read_text()

    def judge(status, output, errors):
        export = Path("x.csv")
        if status in (0, 1) and export.exists() and export.read_text() != told:
            return f"accepted, with other runs (status {status})"
        return ""

    commands = (
        [["results", "runs.sqlite", "--export", "x.csv"]],
        [[*CAMPAIGN, "--resume", "--export", "x.csv"]],
        [
            ["merge", "runs.sqlite", "--store", "m.sqlite"],
            ["results", "m.sqlite", "--export", "x.csv"],
        ],
    )
    return Case(draw.choice(commands), judge)


def checkpoints(draw, sound):
    """A proof's folder, taken up again; what is accepted must have all states."""
    shutil.copytree(sound / "c", "c")
    for _ in range(draw.choice((1, 1, 2))):
        files = sorted(Path("c").iterdir())
        path = draw.choice(files)
        kind = draw.randrange(8)
        if kind == 0 and len(files) > 1:
            path.unlink()
        elif kind == 1:
            path.write_bytes(draw.choice(files).read_bytes())
        else:
            path.write_bytes(damaged_bytes(path.read_bytes(), draw))
    states = json.loads((sound / "proof.json").read_text())["states"]

    def judge(status, output, errors):
        if status in (0, 1) and json.loads(output)["states"] != states:
            return f"accepted, with {json.loads(output)['states']} states of {states}"
        return ""

    return Case([[*PROOF, "c", "--json", "-"]], judge)


def worlds(draw, sound):
    """A file with a rule, given by its path."""
    damage = draw.choice((damaged_bytes, damaged_text))
    content = WORLD.encode()
    content = (
        damage(content, draw)
        if damage is damaged_bytes
        else damage(content, draw, "\n (.,:")
    )
    Path("mine.py").write_bytes(content)
    command = ["check", "wd", "-c", "mine.py:Mine", "--executions", "5"]
    return Case([command])


FORMATS = {
    one.__name__: one
    for one in (
        schedules, corpora, csv, jsonl, toml, stores, checkpoints, worlds,
    )
}  # fmt: skip

"""Commands that are killed at any moment, by SIGKILL, SIGINT and SIGTERM in turn.

    python tests/fuzz_formats/kills.py --count 100 [check prove campaign sweep replay]

After each kill there is no process, no temporary file and nothing half-written; what
says that it can be resumed gives in the end what an undisturbed run gives. `replay`
needs --db postgresql://..., where no schema, database or session is left; without one
it is said to be left out.

Exit status 1: something was found.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
SCRIPT = "from wavecheck.reports.entry import main; main()"
PATIENCE_SECONDS = 60.0
SERVER_SECONDS = 20.0
"""Until a server has seen that a client is gone, and whoever cleans up has done it."""

COMMANDS = {
    "check": [
        "check", "import-job", "-c", "stalling", "--budget", "2s", "--save", "s",
        "--json", "r.json", "--html", "p.html",
    ],
    "prove": [
        "check", "wd", "-c", "claiming", "--set", "listeners=3", "--strategy",
        "exhaustive", "--checkpoint", "c", "--json", "r.json",
    ],
    "campaign": [
        "campaign", "import-job", "-c", "claiming", "--seeds", "300", "--jobs", "2",
        "--set", "parents=4", "--store", "runs.sqlite", "--resume", "--export", "x.csv",
    ],
    "sweep": [
        "sweep", "wd", "-c", "claiming", "--budget", "6s", "--jobs", "2",
        "--json", "r.json",
    ],
    "replay": ["replay", "kept.json", "--json", "r.json", "--db"],
}  # fmt: skip
RESUMED = {"prove": "r.json", "campaign": "x.csv"}
"""What can be resumed, and the file that must come out the same."""

VARYING = ("seconds", "peak_bytes", "python_calls")


def start(arguments, folder, scratch):
    """Start a command with a folder of its own for temporary files."""
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(scratch)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def killed(arguments, folder, scratch, *, number, after):
    """Run a command and kill it; return what is wrong afterwards."""
    process = start(arguments, folder, scratch)
    with suppress(subprocess.TimeoutExpired):
        process.wait(after)
    family = []
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    try:
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return [f"still there {PATIENCE_SECONDS:.0f} s after {number.name}"]
    found = []
    if b"Traceback" in errors:
        found.append(f"a traceback after {number.name}:\n{errors.decode()[-800:]}")
    _, alive = psutil.wait_procs(family, timeout=10)
    found += [f"a process is left after {number.name}: {one}" for one in alive]
    found += [f"left in the folder for temporary files: {one.name}"
              for one in scratch.iterdir()]  # fmt: skip
    return found + half_written(folder)


def half_written(folder):
    """Return what is in the folder and is not whole."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.name.endswith(".partial"):
            found.append(f"a temporary file is left: {path.name}")
        elif path.suffix == ".json":
            try:
                json.loads(path.read_text())
            except ValueError:
                found.append(f"half-written: {path.name}")
        elif path.suffix == ".html" and "</html>" not in path.read_text():
            found.append(f"half-written: {path.name}")
    return found


def on_server(url):
    """Return the schemas, databases and sessions of a server."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        return {
            *connection.execute("SELECT 'schema', nspname FROM pg_namespace"),
            *connection.execute("SELECT 'database', datname FROM pg_database"),
            *connection.execute(
                "SELECT 'session', pid::text || ' ' || query FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            ),
        }


def left_on_server(url, before):
    """Return what a server has that it had not, once it had time to notice."""
    ends = time.monotonic() + SERVER_SECONDS
    while (left := on_server(url) - before) and time.monotonic() < ends:
        time.sleep(0.2)
    return [f"left on the server: {' '.join(one)}" for one in sorted(left)]


def told(path):
    """Return what a result says, without what time and memory have made of it."""
    if path.suffix != ".json":
        return path.read_bytes()
    return {
        name: value
        for name, value in json.loads(path.read_text()).items()
        if name not in VARYING
    }


def kills(name, count, db, draw):
    """Kill one command so many times; return what was found."""
    arguments = list(COMMANDS[name]) + ([db] if name == "replay" else [])
    found = []
    with tempfile.TemporaryDirectory(prefix="wavecheck-kills-") as top:
        whole, folder, scratch = (Path(top, one) for one in ("whole", "killed", "tmp"))
        for one in (whole, folder, scratch):
            one.mkdir()
        if name == "replay":
            recorded = ["check", "import-job", "-c", "stalling", "--executions", "20"]
            start([*recorded, "--save", "s"], whole, scratch).communicate()
            content = min((whole / "s").iterdir()).read_bytes()
            for one in (whole, folder):
                (one / "kept.json").write_bytes(content)
        before = on_server(db) if name == "replay" else set()
        began = time.monotonic()
        start(arguments, whole, scratch).communicate()
        lasts = time.monotonic() - began
        for number in range(count):
            moment = draw.uniform(0.05, 1.05) * lasts
            how = SIGNALS[number % len(SIGNALS)]
            wrong = killed(arguments, folder, scratch, number=how, after=moment)
            if name == "replay":
                wrong += left_on_server(db, before)
            found += [f"{name} {number} ({how.name}): {one}" for one in wrong]
            for one in scratch.iterdir():
                subprocess.run(["rm", "-rf", str(one)], check=True)
        if name in RESUMED:
            start(arguments, folder, scratch).communicate()
            if told(folder / RESUMED[name]) != told(whole / RESUMED[name]):
                found.append(f"{name}: resumed, it gives something else")
    return found


def main():
    """Parse, kill, sum up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of: {', '.join(COMMANDS)}")
    parser.add_argument("--count", type=int, default=3, help="kills of each")
    parser.add_argument("--db", help="a PostgreSQL for replays")
    options = parser.parse_args()
    draw, found = random.Random(0), []
    for name in options.names or COMMANDS:
        if name == "replay" and options.db is None:
            print("replay: left out, it needs --db")
            continue
        began = time.monotonic()
        wrong = kills(name, options.count, options.db, draw)
        print(*wrong, sep="\n", end="\n" if wrong else "")
        seconds = time.monotonic() - began
        print(f"{name}: {options.count} kills, {len(wrong)} findings, {seconds:.0f} s")
        found += wrong
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())

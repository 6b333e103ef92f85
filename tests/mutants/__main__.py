"""Break the engine in one way after the other, and see that the tests notice.

python -m tests.mutants
"""

import argparse
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from tests.mutants.breaks import BREAKS, ROOT, Break

FOLDERS = ("src", "sim", "scenarios", "coordinator", "reports", "tests")
SECONDS_MAX = 120
"""Of processor time, so that a busy machine ends no test; what hangs takes ten times
as long on the wall."""


def fate(one: Break, copy: Path) -> str:
    """Run the tests of a break on a broken copy; return what became of it."""
    file = copy / "sim" / one.file
    sound = file.read_text(encoding="utf-8")
    file.write_text(one.applied(copy), encoding="utf-8")
    paths = os.pathsep.join([str(copy / "src"), str(copy)])
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        for tests in one.tests:
            path, *selected = tests.split(" ")
            if not (copy / path).exists():
                continue
            command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0"]
            command += ["-p", "no:cacheprovider", "-o", "faulthandler_timeout=0"]
            command += [path, *selected]
            try:
                ended = subprocess.run(
                    command,
                    cwd=copy,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=10 * SECONDS_MAX,
                    check=False,
                    preexec_fn=partial(
                        resource.setrlimit, resource.RLIMIT_CPU, (SECONDS_MAX,) * 2
                    ),
                )
            except subprocess.TimeoutExpired:
                return f"caught: {path} does not end"
            if ended.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
                return f"caught: {path} does not end"
            failed = _first_failure(ended.stdout)
            if ended.returncode == 1 and failed is not None:
                return f"caught by {failed}"
            if ended.returncode:
                return f"ERROR: pytest ends with {ended.returncode} on {path}"
        return "SURVIVED"
    finally:
        file.write_text(sound, encoding="utf-8")


def _first_failure(output: str) -> str | None:
    for line in output.splitlines():
        if line.startswith(("FAILED ", "ERROR ")):
            return line.split(" ")[1].rpartition("/")[2]
    return None


def main() -> int:
    """Try every break; print a table, and the number of those that survive."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument(
        "--only", default="", help="breaks with this text in their name"
    )
    parser.add_argument("--part", default="1/1", help="1/2: every second one")
    given = parser.parse_args()
    first, every = map(int, given.part.split("/"))
    chosen = [one for one in BREAKS if given.only in one.what][first - 1 :: every]
    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in FOLDERS:
            shutil.copytree(ROOT / name, copy / name, symlinks=True)
        shutil.copy(ROOT / "pyproject.toml", copy)
        for one in chosen:
            began = time.monotonic()
            found = fate(one, copy)
            survivors += not found.startswith("caught")
            seconds = time.monotonic() - began
            print(f"{one.what:58} {seconds:4.0f} s  {found}", flush=True)
    print(f"{len(chosen)} breaks, {len(chosen) - survivors} caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Damaged files, extreme options and outputs that fail, thousands of each.

    python tests/fuzz_formats/fuzz.py stores settings --count 10000
    python tests/fuzz_formats/fuzz.py stores --only 4711   # its files are kept

Exit status 1: something was found; each finding is printed with its number.
"""

import argparse
import contextlib
import io
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from formats import CAMPAIGN, FORMATS, PROOF, SOUND
from guarding import findings_of
from mutating import drawing
from options import OPTIONS, as_they_are, planted

KINDS = {**FORMATS, **OPTIONS}
OF_THE_FUZZER = {"as_they_are": as_they_are, "planted": planted}
"""Tests of the fuzzer itself, which are told the number of the case."""


def sound_files(folder):
    """Write what the makers damage: schedules, a results file, a proof's folder."""
    from wavecheck.reports.cli import run_command

    os.chdir(folder)
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        for command in SOUND:
            status = run_command(list(command))
            assert status in (0, 1), (command, told.getvalue())
        run_command(["results", "runs.sqlite", "--export", "runs.csv"])
        run_command([*PROOF, "again", "--json", "proof.json"])
    assert CAMPAIGN in SOUND


def fuzz(kind, numbers, deadline, sound):
    """Run cases of one kind; print and return what was found."""
    began, found = time.monotonic(), []

    def make(number):
        if kind in OF_THE_FUZZER:
            return OF_THE_FUZZER[kind](drawing(kind, number), sound, number)
        return KINDS[kind](drawing(kind, number), sound)

    for number, finding in findings_of(make, numbers, deadline):
        if number is None:
            seconds = time.monotonic() - began
            print(f"{kind}: {finding} cases, {len(found)} findings, {seconds:.0f} s")
        else:
            found.append(number)
            print(f"{kind} {number}: {finding}\n", flush=True)
    return found


def again(kind, number, sound):
    """Run one case in a folder that stays."""
    folder = Path(tempfile.mkdtemp(prefix=f"{kind}-{number}-"))
    os.chdir(folder)
    case = KINDS[kind](drawing(kind, number), sound)
    print(f"cd {folder}")
    from wavecheck.reports.cli import run_command

    for command in case.commands:
        print("wavecheck", " ".join(command))
        print("status", run_command(command))


def main():
    """Parse, run, sum up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", help=f"of: {', '.join(KINDS)}")
    parser.add_argument("--count", type=int, default=300, help="cases of each kind")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each kind")
    parser.add_argument("--only", type=int, help="this case, with its files kept")
    parser.add_argument("--sound", type=Path, help="sound files, made there and kept")
    options = parser.parse_args()
    made = tempfile.mkdtemp(prefix="wavecheck-fuzz-sound-")
    folder = (options.sound or Path(made)).resolve()
    home = Path.cwd()
    try:
        if options.kinds != ["planted"] and not any(folder.iterdir()):
            sound_files(folder)
        found = []
        for kind in options.kinds or KINDS:
            if options.only is not None:
                again(kind, options.only, folder)
                continue
            numbers = range(options.first, options.first + options.count)
            deadline = time.monotonic() + options.seconds
            found += fuzz(kind, numbers, deadline, folder)
    finally:
        os.chdir(home)
        shutil.rmtree(made)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())

"""Spin beside us: its own model of WD, compiled and run as its manual says."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from shutil import copy, which
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

MODEL: Final = Path(__file__).with_name("wd.pml")
VARIANTS: Final = ("stalling", "progressive", "claiming")
MODES: Final = {
    "all states": ["-DSAFETY", "-DNOREDUCE"],
    "its default reduction": ["-DSAFETY"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpinRun:
    """One run of Spin.

    Attributes:
        states: that it stored.
        seconds: generating, compiling and running together.
    """

    states: int
    seconds: float


def is_installed() -> bool:
    """Return whether spin and a C compiler are there."""
    return which("spin") is not None and which("gcc") is not None


def run_spin(
    *, listeners: int, batches: int, variant: str, retrigger: bool, flags: list[str]
) -> SpinRun:
    """Explore WD with Spin, start to verdict.

    Args:
        listeners: L.
        batches: K.
        variant: one of `VARIANTS`.
        retrigger: a completion calls dispatch again.
        flags: of the compiler, as in `MODES`.
    """
    sizes = [
        f"-DL={listeners}",
        f"-DK={batches}",
        f"-DVARIANT={VARIANTS.index(variant)}",
        f"-DRETRIGGER={int(retrigger)}",
    ]
    with TemporaryDirectory() as name:
        folder = Path(name)
        copy(MODEL, folder)
        began = perf_counter()
        _call(["spin", "-a", *sizes, "wd.pml"], folder)
        options = ["-O2", "-w", "-DNOFAIR", "-DMEMLIM=7800", *flags]
        _call(["gcc", *options, "-o", "pan", "pan.c"], folder)
        # -E and -A: go on after errors of either kind, so that every state is visited.
        text = _call(["./pan", "-m10000", "-w24", "-E", "-A", "-c0", "-n"], folder)
        seconds = perf_counter() - began
    found = re.findall(r"([\d.e+]+) states, stored", text)
    return SpinRun(states=int(float(found[-1])), seconds=seconds)


def _call(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{command[0]} failed: {done.stderr or done.stdout}")
    return done.stdout

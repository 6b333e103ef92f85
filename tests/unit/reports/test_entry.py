"""The script `wavecheck`: light for the processes that it starts."""

import subprocess
import sys

import pytest

SLOW = {
    "wavecheck.reports.cli",
    "scipy",
    "networkx",
    "sqlalchemy",
    "matplotlib",
    "pandas",
}
RUNS = ", ".join(
    f"wavecheck.{name}"
    for name in (
        "reports.entry",
        "scenarios.campaign.engines",
        "scenarios.campaign.runs",
    )
)


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [(RUNS, SLOW), ("wavecheck.reports.cli", {"scipy", "matplotlib"})],
)
def test_what_is_slow_to_load_is_loaded_where_it_is_needed(modules, unwanted):
    """What `--jobs` starts needs no command; few commands need pictures, statistics."""
    code = f"import sys, {modules}; print([*({unwanted!r} & sys.modules.keys())])"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert printed.stdout == "[]\n"

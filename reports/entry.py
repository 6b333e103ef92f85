"""The script `wavecheck`: loads the command line only where it is run.

A process that is started for `--jobs` imports the script of the process that starts it
once more; it makes runs and needs no commands.
"""

import sys


def main() -> None:
    """Run the command line and exit."""
    from wavecheck.reports.cli import run_command

    sys.exit(run_command(sys.argv[1:]))

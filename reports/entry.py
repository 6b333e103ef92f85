"""The script `wavecheck`: loads the command line only where it is run.

A process that is started for `--jobs` imports the script of the process that starts it
once more; it makes runs and needs no commands.
"""

import signal
import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit; SIGTERM ends it in order, as Ctrl-C does."""
    from wavecheck.reports.commands.interruption import interrupted_by_termination

    try:
        with interrupted_by_termination():
            from wavecheck.reports.cli import run_command

            status = run_command(sys.argv[1:])
    except KeyboardInterrupt:  # while it loaded, or a second time
        status = INTERRUPTED
    # What is left is Python's own waiting for threads, which tells of an interruption.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(status)

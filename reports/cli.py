"""The command line: parse, call, show, exit with the documented status.

Exit status: 0 nothing violated, 1 violated, 2 bad usage or bad input, 3 nondeterminism
in the code under test, 4 a fault of Wavecheck itself.
"""

import logging
import sys
from typing import Annotated, Final

import typer

from reports import (
    calibration_commands,
    campaign_commands,
    commands,
    conform_commands,
    export_commands,
    incident_commands,
    monitor_commands,
    project_commands,
    proof_commands,
    search_commands,
    sensitivity_commands,
    zoo_command,
)
from reports.tables import make_console
from sim.errors import HarnessBug, NondeterminismError, WavecheckError

EXIT_BAD_INPUT: Final = 2
EXIT_NONDETERMINISM: Final = 3
EXIT_OUR_FAULT: Final = 4
EXIT_INTERRUPTED: Final = 130

app = typer.Typer(
    name="wavecheck",
    help="Find the interleaving that strands a batch before production does.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("list")(commands.list_names)
app.command("run")(commands.run)
app.command("compare")(commands.compare)
app.command("check")(search_commands.check_command)
app.command("replay")(search_commands.replay_command)
app.command("explain")(search_commands.explain_command)
app.command("incident")(incident_commands.incident_command)
app.command("sweep")(proof_commands.sweep_command)
app.command("campaign")(campaign_commands.campaign_command)
app.command("results")(campaign_commands.results_command)
app.command("merge")(campaign_commands.merge_command)
app.command("sensitivity")(sensitivity_commands.sensitivity_command)
app.command("calibrate")(calibration_commands.calibrate_command)
app.command("export")(export_commands.export_command)
app.command("alerts")(monitor_commands.alerts_command)
app.command("new")(project_commands.new_command)
app.command("zoo")(zoo_command.zoo_command)
app.command("conform")(conform_commands.conform_command)


@app.callback(invoke_without_command=True)
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.")
    ] = False,
) -> None:
    if version:
        commands.show_version()
        raise typer.Exit


def main() -> None:
    """Run the command line and exit."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Run one command line; return its exit status. Never shows a traceback."""
    # The coordinators' log lines belong to the run that collects them.
    logging.getLogger("coordinator").propagate = False
    error_console = make_console(is_error=True)
    try:
        result = app(arguments, prog_name="wavecheck", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        result = EXIT_INTERRUPTED
    except (BrokenPipeError, SystemExit):
        # The reader of our output has gone, which typer answers with an exit of its
        # own; there is nobody to tell.
        sys.stdout = None
        return EXIT_BAD_INPUT
    except NondeterminismError as error:
        error_console.print(f"error: {error}", soft_wrap=True)
        return EXIT_NONDETERMINISM
    except HarnessBug as error:
        error_console.print(f"error: {error}", soft_wrap=True)
        return EXIT_OUR_FAULT
    except WavecheckError as error:
        error_console.print(f"error: {error}", soft_wrap=True)
        return EXIT_BAD_INPUT
    except Exception as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            error.show()  # a usage error of the command line library
            return EXIT_BAD_INPUT
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        place = (
            f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "?"
        )
        error_console.print(
            f"error: {type(error).__name__}: {error}\n  at  {place}\n"
            "this is a fault of Wavecheck: please report it with the command line",
            soft_wrap=True,
        )
        return EXIT_OUR_FAULT
    if result == EXIT_INTERRUPTED:  # typer turns Ctrl-C into this result
        error_console.print("interrupted")
    return result if isinstance(result, int) else 0

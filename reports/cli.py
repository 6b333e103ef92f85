"""The command line: parse, call, show, exit with the documented status.

Exit status: 0 nothing violated, 1 violated, 2 bad usage or bad input, 3 nondeterminism
in the code under test, 4 a fault of Wavecheck itself.
"""

import logging
import sys
from typing import Annotated, Final

import typer

from wavecheck.reports.commands import (
    alerts,
    calibrate,
    campaign,
    conform,
    export,
    incident,
    names,
    new,
    runs,
    search,
    sensitivity,
    sweep,
    zoo,
)
from wavecheck.reports.tables import make_console
from wavecheck.sim.errors import HarnessBug, NondeterminismError, WavecheckError

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
app.command("list")(names.list_names)
app.command("run")(runs.run)
app.command("compare")(runs.compare)
app.command("check")(search.check_command)
app.command("replay")(search.replay_command)
app.command("explain")(search.explain_command)
app.command("incident")(incident.incident_command)
app.command("sweep")(sweep.sweep_command)
app.command("campaign")(campaign.campaign_command)
app.command("results")(campaign.results_command)
app.command("merge")(campaign.merge_command)
app.command("sensitivity")(sensitivity.sensitivity_command)
app.command("calibrate")(calibrate.calibrate_command)
app.command("export")(export.export_command)
app.command("alerts")(alerts.alerts_command)
app.command("new")(new.new_command)
app.command("zoo")(zoo.zoo_command)
app.command("conform")(conform.conform_command)


@app.callback(invoke_without_command=True)
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.")
    ] = False,
) -> None:
    if version:
        names.show_version()
        raise typer.Exit


def run_command(arguments: list[str]) -> int:
    """Run one command line; return its exit status. Never shows a traceback."""
    # The coordinators' log lines belong to the run that collects them.
    logging.getLogger("wavecheck.coordinator").propagate = False
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

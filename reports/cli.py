"""The command line: parse, call, show, exit with the documented status.

Exit status: 0 nothing violated, 1 violated, 2 bad usage or bad input, 3 nondeterminism
in the code under test, 4 a fault of Wavecheck itself.
"""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from wavecheck import __version__
from wavecheck.reports.defaults import project_defaults, with_defaults
from wavecheck.sim.errors import (
    HarnessBug,
    NondeterminismError,
    OutOfTime,
    WavecheckError,
    unknown_name,
)

EXIT_BAD_INPUT: Final = 2
EXIT_NONDETERMINISM: Final = 3
EXIT_OUR_FAULT: Final = 4
EXIT_INTERRUPTED: Final = 130

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "list": (
        "names:list_names",
        "List coordinators, scenarios, strategies, properties, the zoo, or a file.",
    ),
    "run": (
        "runs:run",
        "Run one timed simulation of each code that is named.",
    ),
    "diff": (
        "diff:diff_command",
        "Compare codes: what each fixes, breaks and costs. Status 1: one got worse.",
    ),
    "compare": (
        "runs:compare",
        "Run several coordinators, same settings and seed, side by side.",
    ),
    "check": (
        "check:check_command",
        "Search the schedules of a scenario for violations.",
    ),
    "prove": (
        "check:prove_command",
        "Visit every reachable state: a proof within the sizes, or a counterexample.",
    ),
    "levels": (
        "levels:levels_command",
        "Prove or refute a world at each level of isolation, property by property.",
    ),
    "replay": (
        "schedules:replay_command",
        "Replay a recorded schedule and verify every step.",
    ),
    "explain": (
        "schedules:explain_command",
        "Tell a recorded schedule so that a person understands why it fails.",
    ),
    "incident": (
        "incident:incident_command",
        "Read a job that went wrong: what happened, and what would have helped.",
    ),
    "sweep": (
        "sweep:sweep_command",
        "Prove growing sizes of a scenario until the budget ends it.",
    ),
    "campaign": (
        "campaign:campaign_command",
        "Run coordinators over many seeds and a grid: how often, how long.",
    ),
    "results": (
        "campaign:results_command",
        "Show what a results file says, without running anything.",
    ),
    "merge": (
        "campaign:merge_command",
        "Put the runs of several files of one campaign into one.",
    ),
    "sensitivity": (
        "sensitivity:sensitivity_command",
        "Rank parameters by what they do to a measure (Morris's elementary effects).",
    ),
    "calibrate": (
        "calibrate:calibrate_command",
        "Measure service times, latencies and arrivals of an incident's files.",
    ),
    "export": (
        "export:export_command",
        "Write a schedule, a timed run or a state graph in another tool's format.",
    ),
    "alerts": (
        "alerts:alerts_command",
        "Write the monitors as Prometheus alert rules or as SQL probes.",
    ),
    "new": (
        "new:new_command",
        "Write a project, or a first world file for a project that is there.",
    ),
    "schema": (
        "schema:schema_command",
        "Write the schema of a database as DDL for w.postgresql(...).",
    ),
    "zoo": (
        "zoo:zoo_command",
        "Refute each faulty variant of the zoo and prove each fixed one.",
    ),
    "conform": (
        "conform:conform_command",
        "Run small worlds on the model and on a real database until they disagree.",
    ),
}
"""By name: the function below `reports.commands`, and what its docstring says first.

A command's module is loaded where the command is run: help, a version and a wrong name
need none of them.
"""


class _Commands(TyperGroup):
    """The commands, each loaded when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            raise unknown_name("command", cmd_name, list(COMMANDS))
        from wavecheck.reports.commands.effort_options import within_memory

        module, _, function = COMMANDS[cmd_name][0].partition(":")
        loaded = import_module(f"wavecheck.reports.commands.{module}")
        only = typer.Typer(
            add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
        )
        only.command(cmd_name)(within_memory(getattr(loaded, function)))
        return typer.main.get_command(only)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        load = partial(self.get_command, ctx)
        return name, command, with_defaults(str(name), rest, COMMANDS, load)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, said) for name, (_, said) in COMMANDS.items()])


app = typer.Typer(
    name="wavecheck",
    cls=_Commands,
    help="Find the order of statements that breaks your code, before production does.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.")
    ] = False,
) -> None:
    if version:
        typer.echo(f"wavecheck {__version__}")
        raise typer.Exit


@contextmanager
def _lost_limits_untold() -> Iterator[None]:
    """Say nothing of a limit that is raised where Python drops what is raised.

    In a callback of a weak reference, for instance; it is raised again a moment later.
    """
    before = sys.unraisablehook

    def tell(lost: "sys.UnraisableHookArgs") -> None:
        if not isinstance(lost.exc_value, OutOfTime):
            before(lost)

    sys.unraisablehook = tell
    try:
        yield
    finally:
        sys.unraisablehook = before


def run_command(arguments: list[str]) -> int:
    """Run one command line; return its exit status. Never shows a traceback."""
    # The coordinators' log lines belong to the run that collects them.
    logging.getLogger("wavecheck.coordinator").propagate = False
    if arguments == ["--version"]:  # typer would load pydantic to read this flag
        typer.echo(f"wavecheck {__version__}")
        return 0
    try:
        with _lost_limits_untold():
            result = app(arguments, prog_name="wavecheck", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        result = EXIT_INTERRUPTED
    except (BrokenPipeError, SystemExit) as error:
        if isinstance(error, SystemExit) and not error.code:
            return 0  # names were completed for a shell
        # The reader of our output has gone, which typer answers with an exit of its
        # own; there is nobody to tell.
        sys.stdout = None
        return EXIT_BAD_INPUT
    except (OutOfTime, MemoryError) as ended:
        _tell(
            f"error: {str(ended) or 'the memory that may be held'} was not enough\n"
            "next: smaller sizes (--set), or more (--budget TIME, --memory SIZE)"
        )
        return EXIT_BAD_INPUT
    except NondeterminismError as error:
        _tell(f"error: {error}")
        return EXIT_NONDETERMINISM
    except HarnessBug as error:
        _tell(f"error: {error}")
        return EXIT_OUR_FAULT
    except WavecheckError as error:
        _tell(f"error: {error}")
        return EXIT_BAD_INPUT
    except Exception as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):
            error.show()  # a usage error of the command line library
            path, table = project_defaults()
            if table:
                _tell(f"note: [tool.wavecheck] in {path} adds options to yours")
            return EXIT_BAD_INPUT
        if isinstance(error, OSError) and error.filename is not None:
            _tell(f"error: {error.filename}: {error.strerror}")  # a name, a permission
            return EXIT_BAD_INPUT
        from wavecheck.sim.blame import describe_users_error

        users = describe_users_error(error)
        if users is not None:
            _tell(f"error: {users}")
            return EXIT_BAD_INPUT
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        place = (
            f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "?"
        )
        _tell(
            f"error: {type(error).__name__}: {error}\n  at  {place}\n"
            "this is a fault of Wavecheck: please report it with the command line"
        )
        return EXIT_OUR_FAULT
    if result == EXIT_INTERRUPTED:  # typer turns Ctrl-C into this result
        _tell("interrupted")
    return result if isinstance(result, int) else 0


def _tell(text: str) -> None:
    from wavecheck.reports.printable import printable  # only where something is wrong

    typer.echo(printable(text), err=True)

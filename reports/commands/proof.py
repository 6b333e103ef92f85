"""Proving one subject: the options of `check --strategy exhaustive`, and its view."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from wavecheck.reports.commands.options import write_json
from wavecheck.reports.explanation.text import explanation_text
from wavecheck.reports.progress import showing_proof
from wavecheck.reports.regressions import save_schedules
from wavecheck.reports.tables import make_console
from wavecheck.reports.verdicts.proof import proof_data, proof_table
from wavecheck.scenarios.subject import Subject
from wavecheck.scenarios.verdicts.checking import Effort
from wavecheck.scenarios.verdicts.proving import ProofLimits, ProofResult, prove
from wavecheck.scenarios.verdicts.strategies import EXHAUSTIVE
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.files import check_folder, make_folder
from wavecheck.sim.search.explain import explain

MemoryText = Annotated[
    str, typer.Option(metavar="SIZE", help="Limit of a proof, such as 4GB.")
]
NoReduction = Annotated[
    bool, typer.Option("--no-reduction", help="A proof leaves nothing out.")
]
CheckpointFolder = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Keep a proof's levels here, and take it up."),
]
Threads = Annotated[
    int, typer.Option(min=1, max=64, help="Threads that look states up in a proof.")
]


def bytes_of(text: str) -> int:
    """Read a size such as 512MB or 4GB.

    Raises:
        InvalidScenario: it is none.
    """
    units = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
    number, unit = text[:-2], text[-2:].upper()
    try:
        size = round(float(number) * units[unit])
    except (ValueError, KeyError):
        size = 0
    if size <= 0:
        raise InvalidScenario(
            f"--memory {text!r}: expected a size such as 512MB or 4GB"
        )
    return size


def proof_limits(
    effort: Effort,
    memory: str,
    checkpoint: Path | None,
    *,
    threads: int,
    reduces: bool,
) -> ProofLimits:
    """Return what may end a proof, from the options of the command line.

    Raises:
        InvalidScenario: a size that is none, a checkpoint of what is no proof, or a
            number of executions for what is one.
    """
    if effort.strategy == EXHAUSTIVE and effort.executions is not None:
        raise InvalidScenario(
            "--executions counts executions, and a proof has none\n"
            "  expected  --budget TIME or --memory SIZE"
        )
    if checkpoint is not None:
        if effort.strategy != EXHAUSTIVE:
            raise InvalidScenario(
                f"--checkpoint keeps a proof, and strategy {effort.strategy!r} makes"
                f" none\n  expected  --strategy {EXHAUSTIVE}"
            )
        check_folder(checkpoint)
    return ProofLimits(
        seconds=effort.seconds,
        memory_bytes=bytes_of(memory),
        at_first_violation=effort.stops_at_first,
        reduces=reduces,
        checkpoint=checkpoint,
        threads=threads,
    )


def show_proof(
    subject: Subject,
    limits: ProofLimits,
    properties: Sequence[str],
    json_file: Path | None,
    save: Path | None,
) -> ProofResult:
    """Prove a subject and show the result."""
    if limits.checkpoint is not None:
        make_folder(limits.checkpoint)
    with showing_proof() as progress:
        result = prove(subject, properties, limits, progress)
    saved = {} if save is None else save_schedules(result.schedules, save)
    if not write_json(json_file, proof_data(result)):
        console = make_console()
        console.print(proof_table(result))
        shortest = min(
            result.schedules.values(), key=lambda one: len(one.steps), default=None
        )
        if shortest is not None:
            known = result.no_returns.get(shortest.property_name)
            told = explain(subject.world(), shortest, no_return=known)
            console.print(explanation_text(told))
        for name, path in saved.items():
            console.print(f"{name}: wavecheck explain {path}")
    return result

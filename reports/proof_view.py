"""Proving one subject and showing what came of it: `check --strategy exhaustive`."""

from collections.abc import Sequence
from pathlib import Path

from reports.commands import write_json
from reports.explanations import explanation_text
from reports.progress import showing_proof
from reports.proof_tables import proof_data, proof_table
from reports.regressions import save_schedules
from reports.tables import make_console
from scenarios.proving import ProofLimits, ProofResult, prove
from scenarios.subject import Subject
from sim.search.explain import explain


def show_proof(
    subject: Subject,
    limits: ProofLimits,
    properties: Sequence[str],
    json_file: Path | None,
    save: Path | None,
) -> ProofResult:
    """Prove a subject and show the result."""
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
            told = explain(subject.world(), shortest)
            console.print(explanation_text(told))
        for name, path in saved.items():
            console.print(f"{name}: wavecheck explain {path}")
    return result

"""The command `zoo`: examine the exhibits and say whether each is what it is said."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from wavecheck.reports.commands.effort_options import with_effort
from wavecheck.reports.commands.options import JSONFile, check_outputs, write_json
from wavecheck.reports.console import make_console
from wavecheck.reports.data import FORMAT_VERSION
from wavecheck.reports.progress import showing_exhibits
from wavecheck.reports.zoo.guide import pattern_guide
from wavecheck.reports.zoo.page import zoo_page
from wavecheck.reports.zoo.tables import examination_data, matrix
from wavecheck.scenarios.catalogue import EXHIBITS
from wavecheck.scenarios.effort import Effort
from wavecheck.scenarios.exhibit import Exhibit
from wavecheck.scenarios.verdicts.examination import EXECUTIONS, Examination, examine
from wavecheck.scenarios.verdicts.proving import PROOF
from wavecheck.sim.errors import InvalidScenario, unknown_name
from wavecheck.sim.files import check_writable, write_whole
from wavecheck.sim.surroundings import machine_seconds

PROOF_SECONDS: Final = 60.0
"""Of each proof: some worlds of the zoo are too large to be proved."""


@with_effort(
    "executions", "seconds", "seed", "memory_bytes", usual={"executions": EXECUTIONS}
)
def zoo_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="EXHIBIT",
            help="Names, or a whole collection: zoo, classic; all if not given.",
        ),
    ] = None,
    *,
    effort: Effort,
    markdown: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the matrix as a page of Markdown."),
    ] = None,
    guide: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the pattern guide as Markdown."),
    ] = None,
    json_file: JSONFile = None,
) -> int:
    """Refute each faulty variant of the zoo and prove each fixed one."""
    exhibits = exhibits_of(names or [])
    check_outputs(json_file)
    for file in (markdown, guide):
        if file is not None:
            check_writable(file)
    if guide is not None and len(exhibits) != len(EXHIBITS):
        raise InvalidScenario("--guide tells all roots: it goes with no EXHIBIT")
    effort.budget()  # one that makes no sense is told before anything else
    deadline = effort.deadline(machine_seconds)
    proof = replace(PROOF, seconds=PROOF_SECONDS, memory_bytes=effort.memory_bytes)
    found: list[Examination] = []
    with showing_exhibits(len(exhibits)) as progress:
        for one in examine(exhibits, replace(effort, seconds=None), proof, deadline):
            found.append(one)
            progress(one.exhibit.name)
    if markdown is not None:
        write_whole(markdown, zoo_page(found).encode())
    if guide is not None:
        write_whole(guide, pattern_guide(found).encode())
    document = {
        "format": FORMAT_VERSION,
        "kind": "zoo",
        "seed": effort.seed,
        "examinations": [examination_data(one) for one in found],
    }
    if not write_json(json_file, document):
        make_console().print(matrix(found))
    left_out = sum(len(one.variants) for one in exhibits) - len(found)
    if left_out:
        make_console(is_error=True).print(
            f"{deadline.reason()} ended it: {left_out} variants were not examined"
        )
    return int(left_out or not all(one.is_as_expected() for one in found))


def exhibits_of(names: Sequence[str]) -> list[Exhibit]:
    """Return the exhibits that are named, in the order of reports.

    Args:
        names: of exhibits, or of whole collections; all if empty.

    Raises:
        InvalidScenario: there is none of that name.
    """
    collections = {one.collection for one in EXHIBITS.values()}
    short = {one.short_name: one.name for one in EXHIBITS.values()}
    names = [short.get(name, name) for name in names]
    for name in names:
        if name not in EXHIBITS and name not in collections:
            raise unknown_name("exhibit", name, [*sorted(collections), *EXHIBITS])
    return [
        one
        for one in EXHIBITS.values()
        if not names or one.name in names or one.collection in names
    ]

"""The files that `check` writes for CI: JUnit, SARIF, a summary in Markdown."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from wavecheck.scenarios.verdicts.result import CheckResult
from wavecheck.sim.files import check_writable, write_whole

JUnitFile = Annotated[
    Path | None,
    typer.Option("--junit", metavar="FILE", help="Write the verdicts as JUnit XML."),
]
SARIFFile = Annotated[
    Path | None,
    typer.Option("--sarif", metavar="FILE", help="Write violations as SARIF 2.1.0."),
]
SummaryFile = Annotated[
    Path | None,
    typer.Option("--summary", metavar="FILE", help="Write a summary as Markdown."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CIFiles:
    """Which files are wanted.

    Attributes:
        junit: JUnit XML.
        sarif: SARIF 2.1.0.
        summary: Markdown.
        requires_risk: a property that was never at risk is a failure.
    """

    junit: Path | None
    sarif: Path | None
    summary: Path | None
    requires_risk: bool

    def are_wanted(self) -> bool:
        """Return whether any file is."""
        return any((self.junit, self.sarif, self.summary))

    def check(self) -> None:
        """Refuse what cannot be written, before any work is done.

        Raises:
            InvalidScenario: one cannot.
        """
        for path in (self.junit, self.sarif, self.summary):
            if path is not None:
                check_writable(path)

    def write(self, result: CheckResult) -> None:
        """Write the files that are wanted."""
        if not self.are_wanted():
            return
        from wavecheck.reports import (
            export,  # its graphs are slow to load, and few runs need it
        )

        if self.junit is not None:
            text = export.junit(result, requires_risk=self.requires_risk)
            write_whole(self.junit, text.encode())
        if self.sarif is not None:
            write_whole(self.sarif, export.sarif(result).encode())
        if self.summary is not None:
            write_whole(self.summary, export.summary(result).encode())

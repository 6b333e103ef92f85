"""Results in the formats of other tools, as text with the same bytes each time.

A schedule becomes a Perfetto trace, a ShiViz log, a Mermaid diagram, GraphML, CSV, SQL
or a specification for PostgreSQL's isolation tester; a timed run a Perfetto trace, CSV
or vidigi's event log; a state graph GraphML; the verdicts of a search or a proof JUnit,
SARIF or Markdown. Nothing here writes files. Names in results are other people's text:
each format escapes them by its own rules.
"""

from wavecheck.reports.export.csv_table import csv_text
from wavecheck.reports.export.events import statements_csv, vidigi_csv
from wavecheck.reports.export.graphml import graphml
from wavecheck.reports.export.isolation import isolation_spec, sql_text
from wavecheck.reports.export.junit import junit
from wavecheck.reports.export.mermaid import mermaid
from wavecheck.reports.export.perfetto import (
    perfetto,
    perfetto_of_run,
    perfetto_of_world,
)
from wavecheck.reports.export.sarif import sarif
from wavecheck.reports.export.shiviz import shiviz
from wavecheck.reports.export.summary import summary

__all__ = [
    "csv_text",
    "graphml",
    "isolation_spec",
    "junit",
    "mermaid",
    "perfetto",
    "perfetto_of_run",
    "perfetto_of_world",
    "sarif",
    "shiviz",
    "sql_text",
    "statements_csv",
    "summary",
    "vidigi_csv",
]

"""Every face that people see: command line, tables, pictures, data files.

Three faces: `cli` with its `commands`, `notebook`, and `pytest_plugin` with its
`regressions`. What they show has a package for each kind: `verdicts`, `explanation`,
`campaign`, `incident`, `zoo`; and so has what they write: `html`, `export`, `monitors`,
`project`.

The names below are for scripts and notebooks. They are loaded when they are asked for:
pytest loads this package for its plugin in every project.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from reports.explanation.text import (
        explanation_markdown,
        explanation_plain,
        reasons,
    )
    from reports.pictures import write_pictures

__all__ = ["explanation_markdown", "explanation_plain", "reasons", "write_pictures"]

_HOMES: Final = {
    "explanation_markdown": "reports.explanation.text",
    "explanation_plain": "reports.explanation.text",
    "reasons": "reports.explanation.text",
    "write_pictures": "reports.pictures",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)

"""A new project: a coordinator, its tests, a CI step and a notebook that work at once.

The files are templates in `files/`, rendered for a coordinator given as source text, so
that a project can start from any rule: ours, or one of the zoo. Those in `worlds/` are
for a world of parts or of SQL.
"""

from wavecheck.reports.project.project import (
    WORLD_KINDS,
    Starter,
    project_files,
    world_files,
    write_project,
)

__all__ = [
    "WORLD_KINDS",
    "Starter",
    "project_files",
    "world_files",
    "write_project",
]

"""A new project: a coordinator, its tests, a CI step and a notebook that work at once.

The files are templates in `files/`, rendered for a coordinator given as source text, so
that a project can start from any rule: ours, or one of the zoo.
"""

from wavecheck.reports.project.project import Starter, project_files, write_project

__all__ = ["Starter", "project_files", "write_project"]

"""What the tidy tests look at: the files of the repository, read once."""

import ast
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("coordinator", "sim", "scenarios", "reports")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One Python file: its path from the root, its text and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def folder(self) -> str:
        return self.path.split("/", 1)[0]


@pytest.fixture(scope="session")
def root():
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def tracked_paths():
    """Paths of all files that git tracks or would add, sorted, from the root."""
    if not (ROOT / ".git").exists():
        pytest.skip("only a git checkout tells which files belong to the project")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    paths = sorted(set(listing.stdout.decode().split("\0")) - {""})
    return [path for path in paths if (ROOT / path).is_file()]


@pytest.fixture(scope="session")
def python_files(tracked_paths):
    """All Python files of the project, parsed."""
    files = []
    for path in tracked_paths:
        if path.endswith(".py"):
            text = (ROOT / path).read_text(encoding="utf-8")
            files.append(SourceFile(path=path, text=text, tree=ast.parse(text, path)))
    return files


@pytest.fixture(scope="session")
def package_files(python_files):
    """The Python files of the four packages."""
    return [file for file in python_files if file.folder in PACKAGES]

"""Writing result files: all or nothing, and refused before any work is done."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from wavecheck.sim.errors import InvalidScenario


def check_writable(path: Path) -> None:
    """Refuse a file that cannot be written later.

    Raises:
        InvalidScenario: its folder does not exist or it is a folder itself.
    """
    if path.is_dir():
        raise InvalidScenario(f"{path} is a folder; expected the name of a file")
    folder = path.parent
    if not folder.is_dir():
        raise InvalidScenario(f"{path}: there is no folder {str(folder)!r}")
    if not os.access(folder, os.W_OK):
        raise InvalidScenario(f"{path}: the folder {str(folder)!r} is not writable")


def check_folder(path: Path) -> None:
    """Refuse a folder that cannot be made or written later.

    Raises:
        InvalidScenario: it is a file, it is not writable, or its parent does not exist.
    """
    if path.exists() and not path.is_dir():
        raise InvalidScenario(f"{path} is a file; expected a folder")
    if not path.exists():
        check_writable(path)
    elif not os.access(path, os.W_OK):
        raise InvalidScenario(f"the folder {str(path)!r} is not writable")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it, so it is never half there."""
    temporary: Path | None = None
    try:
        with NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(content)
        temporary.chmod(0o644)
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise InvalidScenario(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)

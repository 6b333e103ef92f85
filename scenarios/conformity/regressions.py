"""Worlds that disagreed once, as files: read, checked, and the text to write.

A file is data that people share; whatever does not fit is named with its place.
"""

from hashlib import blake2b
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from wavecheck.scenarios.conformity.world import TableWorld
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.files import read_bytes


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Literal["wavecheck conform"]
    version: Literal[1]
    database: str
    world: TableWorld


def world_file(world: TableWorld, database: str) -> tuple[str, bytes]:
    """Return the name and the content of the file that keeps a world."""
    kept = _File(format="wavecheck conform", version=1, database=database, world=world)
    text = kept.model_dump_json(indent=1, exclude_defaults=False) + "\n"
    digest = blake2b(text.encode(), digest_size=4).hexdigest()
    return f"{world.level.replace(' ', '-')}-{digest}.json", text.encode()


def read_worlds(folder: Path) -> list[TableWorld]:
    """Return the worlds that are kept in a folder, in order of their files' names.

    Raises:
        InvalidScenario: a file is not what it should be; it says which, where and what.
    """
    return [_read(path) for path in sorted(folder.glob("*.json"))]


def _read(path: Path) -> TableWorld:
    try:
        return _File.model_validate_json(read_bytes(path)).world
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InvalidScenario(
            f"{path}: {place}\n  expected  {first['msg']}\n"
            f"  got       {str(first['input'])[:60]!r}\n"
            "next: remove the file, or run wavecheck conform with another --keep"
        ) from error

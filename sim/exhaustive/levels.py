"""The breadth-first levels: which states were found at which distance.

Knows words and files. In memory a level is as narrow as its words allow. A level is
written once and read again only to walk back from a violation, so the levels are the
first thing to leave memory: into plain `.npy` files of a checkpoint, never pickled, or
into temporary files without a name, which nothing can leave behind. Both are mapped.
"""

from collections.abc import Iterator, Sequence
from hashlib import file_digest, sha256
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.exhaustive.layout import Layout, Words, empty, joined
from wavecheck.sim.files import whole_file

MAPS_MAX: Final = 64
"""Files without a name that are open at once; with more they become one."""


class Levels:
    """All levels so far.

    Args:
        words_count: words of a state.
        directory: of a checkpoint, where levels are written and spilled to; None: they
            are spilled to the system's folder for temporary files.

    Attributes:
        sizes: states of each level.
        generation: how often the layout has changed; part of the files' names, so that
            a checkpoint never meets files of a later layout.
        checksums: of the files that were written, by level.
    """

    def __init__(self, words_count: int, directory: Path | None = None) -> None:
        self.sizes: list[int] = []
        self.generation = 0
        self._words_count = words_count
        self._directory = directory
        self._held: list[list[npt.NDArray[Any]] | None] = []
        self._mapped: dict[int, Words] = {}
        self._maps_count = 0
        self.checksums: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def states_count(self) -> int:
        """States of all levels together."""
        return sum(self.sizes)

    @property
    def bytes_used(self) -> int:
        """Bytes in memory."""
        return sum(word.nbytes for one in self._held if one for word in one)

    def append(self, words: Words) -> None:
        """Add a level."""
        self.sizes.append(len(words[0]))
        self._held.append(_narrowed(words))

    def get(self, level: int) -> Words:
        """Return the states of a level."""
        held = self._held[level]
        if held is not None:
            return [word.astype(np.uint64, copy=False) for word in held]
        if level in self._mapped:
            return self._mapped[level]
        mapped = np.load(self._file(level), mmap_mode="r", allow_pickle=False)
        return [mapped[word] for word in range(self._words_count)]

    def __iter__(self) -> Iterator[Words]:
        return (self.get(level) for level in range(len(self.sizes)))

    def spill(self, *, but_last: int = 1) -> None:
        """Write levels to files and let go of them in memory."""
        held = [
            level
            for level in range(len(self.sizes) - but_last)
            if self._held[level] is not None
        ]
        if self._directory is not None:
            for level in held:
                self.write_once(level)
                self._held[level] = None
        elif held:
            self._map(held)

    def _map(self, levels: Sequence[int]) -> None:
        """Write levels to one file without a name, and map it."""
        shapes = []
        try:
            with TemporaryFile() as file:
                for level in levels:
                    words = np.stack(self.get(level))
                    shapes.append(words.shape)
                    file.write(words.data)
                file.flush()
                mapped = np.memmap(file, np.uint64, "r")
        except OSError as error:
            raise InvalidScenario(
                f"{gettempdir()}: levels of the proof cannot be written there:"
                f" {error.strerror or error}\n"
                "next: set TMPDIR to a folder with more room, or give a larger --memory"
            ) from error
        start = 0
        for level, (words_count, size) in zip(levels, shapes, strict=True):
            end = start + words_count * size
            self._mapped[level] = list(mapped[start:end].reshape(words_count, size))
            self._held[level] = None
            start = end
        self._maps_count += 1
        if self._maps_count > MAPS_MAX:
            self._maps_count = 0
            self._map(sorted(self._mapped))

    def write(self, level: int) -> None:
        """Write one level to its file."""
        held = self._held[level]
        if held is None:
            return
        with whole_file(self._file(level)) as file:
            noting = _Noting(file)
            np.save(noting, np.stack(self.get(level)), allow_pickle=False)
        self.checksums[level] = noting.checksum.hexdigest()

    def write_once(self, level: int) -> None:
        """Write one level to its file unless it is there already."""
        if level not in self.checksums:
            self.write(level)

    def adopt(
        self,
        sizes: list[int],
        words_count: int,
        generation: int,
        checksums: Sequence[str],
    ) -> None:
        """Take levels that another process has written.

        Raises:
            InvalidScenario: a file is missing, or is not what was written.
        """
        self.generation = generation
        self._words_count = words_count
        self.sizes = list(sizes)
        self._held = [None] * len(sizes)
        self.checksums = dict(enumerate(checksums))
        for level, checksum in self.checksums.items():
            _verify(self._file(level), checksum)

    def _file(self, level: int) -> Path:
        assert self._directory is not None
        return self._directory / f"level-{self.generation}-{level:05d}.npy"

    def convert(self, new: Layout, old: Layout) -> None:
        """Pack all states in another layout."""
        held, words_count = self._held, self._words_count
        self.checksums.clear()
        for level in range(len(self.sizes)):
            was_spilled = held[level] is None
            converted = new.converted(self.get(level), old)
            held[level] = _narrowed(converted)
            if was_spilled and self._directory is None:
                self._map([level])
            elif was_spilled:
                self.generation += 1
                self._words_count = new.words_count
                self.write(level)
                held[level] = None
                self.generation -= 1
                self._words_count = words_count
        self.generation += 1
        self._words_count = new.words_count

    def drop_old_files(self) -> None:
        """Delete the files of earlier layouts."""
        assert self._directory is not None
        for path in sorted(self._directory.glob("level-*-*.npy")):
            if not path.name.startswith(f"level-{self.generation}-"):
                path.unlink()

    def all_states(self) -> Words:
        """Return the states of all levels in one list."""
        if not self.sizes:
            return empty(self._words_count)
        return joined([self.get(level) for level in range(len(self.sizes))])


class _Noting:
    """A file that is written through, and the checksum of what was written."""

    def __init__(self, file: BinaryIO) -> None:
        self.checksum = sha256()
        self._file = file

    def write(self, data: bytes) -> int:
        self.checksum.update(data)
        return self._file.write(data)


def _verify(path: Path, checksum: str) -> None:
    """Refuse a file that is not the one that was written.

    Raises:
        InvalidScenario: it is missing, cannot be read, or holds something else.
    """
    try:
        with path.open("rb") as file:
            found = file_digest(file, sha256).hexdigest()
    except OSError as error:
        raise damaged(path, f"cannot be read: {error.strerror}") from error
    if found != checksum:
        raise damaged(path, "is not what was written: its checksum differs")


def damaged(path: Path, what: str) -> InvalidScenario:
    """Return the error for a file of a checkpoint that cannot be used."""
    return InvalidScenario(
        f"checkpoint file {str(path)!r} {what}\n"
        "next: delete the folder and prove again, or give another one"
    )


def _narrowed(words: Words) -> list[npt.NDArray[Any]]:
    """Return words as the narrowest integers that hold them, all but the first."""
    kinds = [np.min_scalar_type(int(word.max(initial=0))) for word in words[1:]]
    others = zip(words[1:], kinds, strict=True)
    return [words[0], *(word.astype(kind) for word, kind in others)]

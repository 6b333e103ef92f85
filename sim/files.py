"""Files: read within bounds, written whole or not at all, never over something else.

Knows the file system and nothing of what is in a file. A regular file of the same user,
or nothing, gives way to a complete file that takes its name in one step; permissions
and group stay. Anything else that has the name is written to and stays what it is: a
device, a pipe, a file of another user, a file with a second name. Links are followed.

Until it is complete, the new file has no name where the system can do that (Linux), so
that not even a killed process leaves one behind.
"""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO, FileIO
from pathlib import Path
from select import select
from typing import BinaryIO, Final

from wavecheck.sim.errors import InvalidScenario

READ_MAX: Final = 64 << 20
_LINKS_MAX: Final = 40
_DESCRIPTORS: Final = "/proc/self/fd"
_PIPE_LOOKS: Final = 20
_PIPE_SECONDS: Final = 0.1
"""Between two looks whether somebody reads."""

_UNNAMED: Final = getattr(os, "O_TMPFILE", None)


# Reading ------------------------------------------------------------------------


def read_bytes(path: Path) -> bytes:
    """Return what a file holds; a device without an end is refused like a huge file.

    Raises:
        InvalidScenario: it cannot be read, or holds more than 64 MB.
    """
    try:
        with path.open("rb") as file:
            content = file.read(READ_MAX + 1)
    except (OSError, ValueError) as error:  # a name with a zero in it is no OSError
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidScenario(f"{path}: cannot be read: {reason}") from error
    if len(content) > READ_MAX:
        raise InvalidScenario(
            f"{path}: more than {READ_MAX >> 20} MB\n"
            "next: check that it is the file that was meant"
        )
    return content


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, without a byte-order mark.

    Raises:
        InvalidScenario: it cannot be read, is too large, or a byte is no text; the
            message names the line.
    """
    content = read_bytes(path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + content.count(b"\n", 0, error.start)
        raise InvalidScenario(
            f"{path}, line {line}: byte {content[error.start]:#04x} is no text in UTF-8"
        ) from error


# Before the work ----------------------------------------------------------------


def check_writable(path: Path) -> None:
    """Refuse a file that cannot be written later.

    Raises:
        InvalidScenario: its folder does not exist, it is a folder itself, or writing
            it is not allowed.
    """
    with _telling(path):
        target = _target(path)
        if isinstance(target, int):
            os.fstat(target)
            return
        state = _state(target)
    if state is None:
        _check_parent(path, target.parent)
    elif stat.S_ISDIR(state.st_mode):
        raise InvalidScenario(f"{path} is a folder; expected the name of a file")
    elif not os.access(target, os.W_OK):
        raise InvalidScenario(f"{path}: the file is not writable")


def check_folder(path: Path) -> None:
    """Refuse a folder that cannot be made or written later.

    Raises:
        InvalidScenario: it is a file, it is not writable, or its parent does not exist.
    """
    with _telling(path):
        state = _state(path)
    if state is None:
        _check_parent(path, path.parent)
    elif not stat.S_ISDIR(state.st_mode):
        raise InvalidScenario(f"{path} is a file; expected a folder")
    elif not os.access(path, os.W_OK):
        raise InvalidScenario(f"the folder {str(path)!r} is not writable")


def _check_parent(path: Path, folder: Path) -> None:
    # As the user wrote it, where no link leads elsewhere.
    shown = path.parent if os.path.realpath(path.parent) == str(folder) else folder
    if not folder.is_dir():
        raise InvalidScenario(f"{path}: there is no folder {str(shown)!r}")
    if not os.access(folder, os.W_OK):
        raise InvalidScenario(f"{path}: the folder {str(shown)!r} is not writable")


# Writing ------------------------------------------------------------------------


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, unless it is there.

    Raises:
        InvalidScenario: it cannot be made.
    """
    with _telling(path):
        path.mkdir(parents=True, exist_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is never half there.

    Raises:
        InvalidScenario: it cannot be written; a file that was there is as it was.
    """
    with whole_file(path) as file:
        file.write(content)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write to, which gets its name when the block has ended well.

    Raises:
        InvalidScenario: it cannot be written; a file that was there is as it was.
    """
    with _telling(path):
        target = _target(path)
        if isinstance(target, int):
            for stream in (sys.stdout, sys.stderr):
                stream.flush()  # what was printed before stays before
            with os.fdopen(os.dup(target), "wb") as file:
                yield file
            return
        state = _state(target)
        if _gives_way(target, state):
            with _replacing(target, state) as file:
                yield file
        elif state is not None and stat.S_ISREG(state.st_mode):
            buffer = BytesIO()
            yield buffer
            _overwrite(target, buffer.getbuffer())
        else:
            with _opened(target, state) as file:
                yield file


def _opened(target: Path, state: os.stat_result | None) -> BinaryIO:
    """Return a device or a pipe to write to.

    Raises:
        OSError: nobody reads from the pipe, and whoever opens it would wait.
    """
    if state is None or not stat.S_ISFIFO(state.st_mode):
        return target.open("wb")
    for _ in range(_PIPE_LOOKS):
        with suppress(OSError):  # there is no reader yet
            number = os.open(target, os.O_WRONLY | os.O_NONBLOCK)
            os.set_blocking(number, True)
            return os.fdopen(number, "wb")
        select([], [], [], _PIPE_SECONDS)
    reason = "nobody reads from this pipe\nnext: start its reader first"
    raise OSError(errno.ENXIO, reason)


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # NumPy raises a short write without a number.
        reason = error.strerror or f"the disk may be full ({error})"
        raise InvalidScenario(f"{path}: cannot be written: {reason}") from error


def _target(path: Path) -> Path | int:
    """Follow links; return the file, or the number of an open one (/dev/stdout).

    Step by step: the system would look through /dev/stdout at a name that nobody can
    open, or at a file that the shell holds open under it.
    """
    if "\0" in str(path):
        raise InvalidScenario(f"{str(path)!r} is no name of a file")
    descriptors = Path(os.path.realpath(_DESCRIPTORS))
    for _ in range(_LINKS_MAX):
        folder = Path(os.path.realpath(path.parent))
        path = folder / path.name
        if folder == descriptors and path.name.isdecimal():
            return int(path.name)
        if not path.is_symlink():
            return path
        path = folder / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _state(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _gives_way(target: Path, state: os.stat_result | None) -> bool:
    """Return whether a new file may take the place of what is there."""
    if state is None:
        return True
    return (
        stat.S_ISREG(state.st_mode)
        and state.st_nlink == 1
        and state.st_uid == os.geteuid()
        and state.st_gid in {os.getegid(), *os.getgroups()}
        and os.access(target.parent, os.W_OK)
    )


@contextmanager
def _replacing(target: Path, state: os.stat_result | None) -> Iterator[BinaryIO]:
    """Yield a new file, and let it take the place of the target."""
    temporary = target.parent / f".{target.name[:40]}.{os.getpid()}.partial"
    temporary.unlink(missing_ok=True)  # of a killed process with the same number
    try:
        with _new_file(temporary) as file:
            yield file
            file.flush()
            number = file.fileno()
            if state is not None:
                os.chown(number, -1, state.st_gid)
                os.chmod(number, stat.S_IMODE(state.st_mode))
            os.fsync(number)
            if not temporary.exists():
                # With a descriptor given, the link is made to the file itself.
                os.link(f"{_DESCRIPTORS}/{number}", temporary, src_dir_fd=number)
        try:
            temporary.replace(target)
        except OSError as error:
            if error.errno != errno.EBUSY:  # as where the file is a mount of its own
                raise
            _overwrite(target, memoryview(temporary.read_bytes()))
    finally:
        temporary.unlink(missing_ok=True)


def _new_file(temporary: Path) -> BinaryIO:
    """Return a new file without a name, where the system can do that."""
    if _UNNAMED is not None and Path(_DESCRIPTORS).is_dir():
        with suppress(OSError):  # not every file system has them
            return os.fdopen(
                os.open(temporary.parent, _UNNAMED | os.O_WRONLY, 0o666), "wb"
            )
    return temporary.open("xb")


def _overwrite(target: Path, content: memoryview) -> None:
    """Write to a file that stays the same file; what it held comes back on failure."""
    with target.open("r+b", buffering=0) as file:
        before = memoryview(file.read())
        try:
            _fill(file, content)
        except BaseException:
            _fill(file, before)
            raise


def _fill(file: FileIO, content: memoryview) -> None:
    length = len(content)
    if length and hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, length)  # a full disk is told by now
    file.seek(0)
    while content:
        content = content[file.write(content) :]
    file.truncate(length)
    os.fsync(file.fileno())

import os
import stat
import subprocess
import sys
import threading

import pytest

from wavecheck.sim import files
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.files import check_folder, check_writable, make_folder, write_whole

NULL = os.makedev(1, 3)
FULL = os.makedev(1, 7)


@pytest.fixture(params=["unnamed until complete", "named from the start"])
def way(request, monkeypatch):
    """Both ways to hold a file that is not complete."""
    if request.param == "named from the start":
        monkeypatch.setattr(files, "_UNNAMED", None)


@pytest.fixture
def device(tmp_path):
    """Make a character device in the temporary folder: never the machine's own."""

    def make(number):
        path = tmp_path / "device"
        try:
            os.mknod(path, 0o666 | stat.S_IFCHR, number)
            path.open("wb").close()
        except PermissionError:
            pytest.skip("making devices is not allowed here")
        return path

    return make


def names(folder):
    """What a folder holds."""
    return sorted(one.name for one in folder.iterdir())


def test_nothing_becomes_a_file_with_the_permissions_of_the_mask(tmp_path, way):
    """As any program's new file; and no other file is left."""
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "r", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "r").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "r").stat().st_mode) == 0o640
    assert names(tmp_path) == ["r"]


def test_a_file_of_ones_own_gives_way_and_hands_on_its_permissions(tmp_path, way):
    """Another file has the name; whoever has the old one open reads that."""
    path = tmp_path / "r"
    path.write_bytes(b"old")
    path.chmod(0o604)
    with path.open("rb") as reader:
        write_whole(path, b"new")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    assert names(tmp_path) == ["r"]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_followed_and_stays(tmp_path, way, there):
    """Also a chain of links, a relative one, and one to a file that is to come."""
    (tmp_path / "far").mkdir()
    if there:
        (tmp_path / "far" / "target").write_bytes(b"old, and longer")
    (tmp_path / "far" / "second").symlink_to("target")
    (tmp_path / "first").symlink_to("far/second")
    check_writable(tmp_path / "first")
    write_whole(tmp_path / "first", b"new")
    assert (tmp_path / "far" / "target").read_bytes() == b"new"
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "far" / "second").is_symlink()
    assert names(tmp_path / "far") == ["second", "target"]


def test_a_file_with_a_second_name_stays_one_file(tmp_path):
    """Both names show the new content."""
    (tmp_path / "one").write_bytes(b"old, and longer")
    os.link(tmp_path / "one", tmp_path / "two")
    write_whole(tmp_path / "one", b"new")
    assert (tmp_path / "two").read_bytes() == b"new"
    assert (tmp_path / "one").samefile(tmp_path / "two")


def test_a_pipe_is_written_through(tmp_path):
    """Its reader gets the content, and it is a pipe still."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    check_writable(pipe)
    write_whole(pipe, b"new")
    reader.join(10)
    assert got == [b"new"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert names(tmp_path) == ["pipe"]


def test_a_pipe_that_nobody_reads_is_no_hang(tmp_path):
    """Whoever opens one waits for a reader; here that is told, and what to do."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InvalidScenario, match="nobody reads from this pipe\nnext: "):
        write_whole(pipe, b"new")
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_device_is_written_through(tmp_path, device):
    """The null device is a device afterwards, also behind a link."""
    path = device(NULL)
    (tmp_path / "link").symlink_to("device")
    for name in (path, tmp_path / "link"):
        check_writable(name)
        write_whole(name, b"new")
    assert path.stat().st_rdev == NULL
    assert stat.S_ISCHR(path.stat().st_mode)
    assert names(tmp_path) == ["device", "link"]


def test_a_full_device_is_told(device):
    """The reason of the system, not a traceback."""
    with pytest.raises(InvalidScenario, match="cannot be written: No space left"):
        write_whole(device(FULL), b"new")


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_the_output_itself_is_continued(tmp_path, name):
    """A file that the shell holds open is neither replaced nor cut off."""
    if not os.path.exists(name):
        pytest.skip(f"{name} is not there on this system")
    code = (
        "import sys; from pathlib import Path; from wavecheck.sim.files import"
        " check_writable, write_whole; print('before'); path = Path(sys.argv[1]);"
        " check_writable(path); write_whole(path, b'whole\\n'); print('after')"
    )
    (tmp_path / "out").write_bytes(b"first\n")
    with (tmp_path / "out").open("ab") as out:
        subprocess.run([sys.executable, "-c", code, name], stdout=out, check=True)
    assert (tmp_path / "out").read_bytes() == b"first\nbefore\nwhole\nafter\n"
    piped = subprocess.run(
        [sys.executable, "-c", code, name], stdout=subprocess.PIPE, check=True
    )
    assert piped.stdout == b"before\nwhole\nafter\n"
    assert names(tmp_path) == ["out"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root")
def test_a_file_of_another_user_stays_theirs(tmp_path):
    """As root, only the content changes; the same file, owner and permissions."""
    path = tmp_path / "r"
    path.write_bytes(b"old, and longer")
    os.chown(path, 1234, 1234)
    path.chmod(0o600)
    before = path.stat()
    write_whole(path, b"new")
    after = path.stat()
    assert path.read_bytes() == b"new"
    assert [before.st_ino, before.st_uid, before.st_gid, before.st_mode] == [
        after.st_ino,
        after.st_uid,
        after.st_gid,
        after.st_mode,
    ]


def test_a_file_that_is_a_mount_of_its_own_is_written_to(tmp_path, monkeypatch):
    """As in a container that was given one file: it cannot be renamed over."""
    path = tmp_path / "r"
    path.write_bytes(b"old")

    def busy(*arguments):
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(files.Path, "replace", busy)
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["r"]


def test_a_failure_in_the_same_file_gives_back_what_it_held(tmp_path, monkeypatch):
    """A full disk in the middle of a file that must stay the same file."""
    (tmp_path / "r").write_bytes(b"old, and longer")
    os.link(tmp_path / "r", tmp_path / "also")
    real, calls = os.fsync, []

    def full_once(number):
        calls.append(number)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")
        real(number)

    monkeypatch.setattr(os, "fsync", full_once)
    with pytest.raises(InvalidScenario, match="No space left"):
        write_whole(tmp_path / "r", b"new")
    assert (tmp_path / "r").read_bytes() == b"old, and longer"


@pytest.mark.parametrize("failure", [OSError(28, "No space left"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    tmp_path, monkeypatch, failure, way
):
    """A full disk or Ctrl-C: the old content is there and no temporary file."""
    path = tmp_path / "r"
    write_whole(path, b"old")

    def fail(*arguments):
        raise failure

    monkeypatch.setattr(files.Path, "replace", fail)
    with pytest.raises((InvalidScenario, KeyboardInterrupt)) as failed:
        write_whole(path, b"new")
    if isinstance(failure, OSError):
        assert str(failed.value) == f"{path}: cannot be written: No space left"
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["r"]


def test_a_killed_process_leaves_nothing(tmp_path):
    """Ended in the middle of writing, where the system has files without a name."""
    if files._UNNAMED is None:
        pytest.skip("this system has no files without a name")
    code = (
        "import os, signal; from pathlib import Path; from wavecheck.sim.files import"
        " whole_file\nwith whole_file(Path('r')) as file:\n file.write(b'x' * 99999);"
        " file.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path)
    assert ended.returncode == -9
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("no/r", "there is no folder"),
        (".", "is a folder; expected the name of a file"),
        ("loop", "cannot be written: Too many levels of symbolic links"),
        ("nowhere", "there is no folder"),
        ("file/r", "cannot be written: Not a directory"),
        ("n" * 300, "cannot be written: File name too long"),
        ("a\0b", "is no name of a file"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(tmp_path, name, expected):
    """In words, for each kind of reason, and again by the writing itself."""
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to("no/r")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InvalidScenario, match=expected):
        check_writable(tmp_path / name)
    with pytest.raises(InvalidScenario):
        write_whole(tmp_path / name, b"new")


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    """Below a file, or where the system makes none."""
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file" / "sub", tmp_path / "file"):
        with pytest.raises(InvalidScenario, match="cannot be written"):
            make_folder(path)
    with pytest.raises(InvalidScenario, match="is a file; expected a folder"):
        check_folder(tmp_path / "file")

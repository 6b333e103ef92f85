"""Code that leaves state outside of the process is refused with its line."""

import logging
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from wavecheck.sim.exhaustive import CannotLearn, explore
from wavecheck.sim.verdict import Outcome

HERE = Path(__file__).name


def writes_a_file(folder):
    (folder / "count").write_text("1")


def appends_and_catches(folder):
    try:
        with open(folder / "log", "a") as file:
            file.write("x")
    except BaseException:
        pass


def opens_by_flags(folder):
    os.close(os.open(folder / "lock", os.O_CREAT | os.O_WRONLY))


def renames(folder):
    os.rename(folder / "there", folder / "moved")


def removes(folder):
    (folder / "there").unlink()


def makes_a_folder(folder):
    os.mkdir(folder / "claimed")


def copies(folder):
    shutil.copyfile(folder / "there", folder / "copy")


def sets_the_environment(folder):
    os.environ["WAVECHECK_ESCAPE"] = "1"


def starts_a_program(folder):
    subprocess.run([sys.executable, "-c", ""], check=True)


def calls_a_shell(folder):
    os.system("true")


def opens_a_database(folder):
    sqlite3.connect(folder / "state.db").close()


def opens_a_socket(folder):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))


def makes_a_temporary_file(folder):
    with tempfile.TemporaryFile() as file:
        file.write(b"x")


ESCAPES = [
    *(writes_a_file, appends_and_catches, opens_by_flags, renames, removes),
    *(makes_a_folder, copies, sets_the_environment, starts_a_program, calls_a_shell),
    *(opens_a_database, opens_a_socket, makes_a_temporary_file),
]


def world_of(corpus, act, folder):
    """One task that looks at the store and does something to the system."""

    async def flow(store, shared):
        await store.read()
        act(folder)
        await store.read()

    (folder / "there").write_text("there")
    return corpus.World(flow, tasks=1)


@pytest.mark.parametrize("act", ESCAPES, ids=lambda act: act.__name__)
def test_what_escapes_the_process_is_refused_with_its_line(corpus, act, tmp_path):
    """Also where the code catches everything."""
    with pytest.raises(CannotLearn, match="the code under test") as refused:
        explore(world_of(corpus, act, tmp_path))
    line = act.__code__.co_firstlineno
    last = max(one for _, _, one in act.__code__.co_lines() if one)
    places = [f"{HERE}:{one} in {act.__name__}" for one in range(line, last + 1)]
    assert any(one in str(refused.value) for one in places)
    assert "next: hand it a stand-in" in str(refused.value)


def reads_a_file(folder):
    assert (folder / "there").read_text() == "there"


def imports_late(folder):
    import wave

    assert wave.Error


def lists_a_folder(folder):
    assert "there" in os.listdir(folder)


@pytest.mark.parametrize(
    "act", [reads_a_file, imports_late, lists_a_folder], ids=lambda act: act.__name__
)
def test_what_changes_nothing_is_let_pass(corpus, act, tmp_path):
    """A template, a late import and a configuration are no state."""
    explored = explore(world_of(corpus, act, tmp_path))
    assert explored.of("never_bad").outcome is Outcome.PROVED


def test_a_log_in_a_file_is_let_pass(corpus, tmp_path):
    """The handler opens its file at the first line; nothing reads it."""
    logger = logging.getLogger("wavecheck-corpus-escapes")
    handler = logging.FileHandler(tmp_path / "log", delay=True)
    logger.addHandler(handler)
    try:
        world = world_of(corpus, lambda folder: logger.error("x"), tmp_path)
        assert explore(world).of("never_bad").outcome is Outcome.PROVED
    finally:
        logger.removeHandler(handler)
        handler.close()


def test_outside_of_a_proof_nothing_is_refused(corpus, tmp_path):
    """The hook stays in the process and does nothing else."""
    with pytest.raises(CannotLearn):
        explore(world_of(corpus, writes_a_file, tmp_path))
    assert not corpus.is_violated(world_of(corpus, writes_a_file, tmp_path))
    writes_a_file(tmp_path)

"""Budgets and memory limits of whole commands, whatever phase they end in."""

import re
import sys

import pytest

from wavecheck.reports.cli import COMMANDS
from wavecheck.sim.surroundings import install

WORLD = '''\
"""A world whose task asks for more memory than there is."""

import wavecheck as wc


async def eat(w):
    await w.mail("first")
    bytearray(1 << 50)


@wc.world(code={"eat": eat})
def hungry(w):
    w.mail = w.calls("mail")
    w.task("eater", w.code, w)
    w.once("one_mail", w.mail)
'''


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_names_its_memory_limit(cli, name):
    """`--memory` stands in the help of each."""
    status, output, _ = cli(name, "--help")
    assert status == 0
    assert re.search(r"--memory SIZE +What may be held", output)


HOARDER = """\
import wavecheck as wc

held = []


async def hoard(w):
    held.append(bytearray(4 << 20))
    await w.mail("once")


@wc.world(code={"hoard": hoard})
def hoarders(w):
    w.mail = w.calls("mail")
    for n in range(2):
        w.task(f"hoarder-{n}", w.code, w)
    w.once("one_mail", w.mail)
    w.never("no_third_mail", lambda: [])
"""


def test_a_search_ends_with_what_it_found_when_memory_ends_it(cli, tmp_path):
    """Code that hoards 8 MB in each execution: what it violates, and which limit."""
    (tmp_path / "hoarders.py").write_text(HOARDER)
    status, output, errors = cli(
        "check", "hoarders.py", "--budget", "60s", "--memory", "80MB"
    )
    assert (status, errors) == (1, "")
    assert re.search("VIOLATED +one mail|one_mail +VIOLATED", output)
    assert "ended by the memory limit of 80 MB" in output


def test_processes_share_the_memory_limit(cli, tmp_path):
    """Two of them have half of it each, and the result names it."""
    (tmp_path / "hoarders.py").write_text(HOARDER)
    _, output, _ = cli(
        "check", "hoarders.py", "--jobs", "2", "--budget", "4s", "--memory", "40MB"
    )
    assert "ended by the memory limit of 20 MB" in output


@pytest.mark.parametrize(
    ("name", "size"), [("hoarders.py", "crowd"), ("own-sql", "batches")]
)
def test_a_size_that_no_world_can_be_made_in_is_refused(cli, tmp_path, name, size):
    """Before anything is built, with the bound."""
    (tmp_path / "hoarders.py").write_text(
        HOARDER.replace("@wc.world(", '@wc.world(sizes={"crowd": 2}, ')
    )
    for value in ("10001", "1" + "0" * 18):
        status, output, errors = cli("check", name, "--set", f"{size}={value}")
        assert (status, output) == (2, "")
        assert "less than or equal to 10000" in errors


def test_own_sql_says_how_many_rows_it_can_look_at(cli):
    """Its rows have no index: what would be quadratic is refused by name."""
    status, _, errors = cli("check", "own-sql", "--set", "batches=51")
    assert status == 2
    assert "batches=51 and callers=2" in errors
    assert "next: --set batches=10 --set callers=2" in errors


CROWDED = """\
import wavecheck as wc


async def come(w, number):
    await w.mail(number)


@wc.world(sizes={"people": 2}, code={"come": come})
def crowded(w):
    w.mail = w.calls("mail")
    for n in range(w.people):
        w.task(f"person-{n}", w.code, w, n)
    w.once("one_mail", w.mail)
"""


def test_a_proof_that_is_ended_while_it_begins_says_so(cli, tmp_path):
    """A proof with 4,000 tasks and a budget of a second: nothing is known."""
    (tmp_path / "crowded.py").write_text(CROWDED)
    status, output, errors = cli(
        "prove", "crowded.py", "--set", "people=4000", "--budget", "1s"
    )
    assert status == 0, errors
    assert "NOT FOUND" in output
    assert "ended by the budget of 1 s" in output
    assert errors == ""


SLOW = """\
import wavecheck as wc


async def work(w):
    await w.mail(1)


@wc.world(code={"plain": work})
def slow(w):
    while True:
        pass
"""


def test_a_world_that_takes_too_long_to_build_ends_with_its_budget(cli, tmp_path):
    """A builder that never ends: one sentence, whatever is asked.

    Also once the clock that code under test sees has taken the place of the machine's.
    """
    install()
    (tmp_path / "slow.py").write_text(SLOW)
    cli("prove", "wd")  # from here on code under test sees the world's clock
    for verb in ("check", "prove"):
        status, _, errors = cli(verb, "slow.py", "--budget", "0.5s")
        assert status == 2
        assert "error: the budget of 0.5 s was not enough" in errors
        assert "next: smaller sizes" in errors


def test_running_out_of_memory_is_no_verdict_about_the_code(cli, tmp_path):
    """A `MemoryError` in code under test says something of this machine only."""
    (tmp_path / "hungry.py").write_text(WORLD)
    for verb in ("check", "prove"):
        status, output, errors = cli(verb, "hungry.py", "--budget", "5s")
        assert (status, output) == (2, ""), errors
        assert "memory" in errors


@pytest.mark.parametrize("size", ["1e400GB", "1e300GB", "nanGB", "-1GB", "0MB", "4"])
def test_a_memory_limit_that_is_none_is_bad_input(cli, size):
    """Whatever cannot be a size, and what no system could be told."""
    status, output, errors = cli("list", "scenarios", "--memory", size)
    assert (status, output) == (2, "")
    assert "expected a size such as 512MB or 4GB" in errors


LOSING = """\
import weakref

import wavecheck as wc
from wavecheck.sim.errors import Overdue


class Held:
    pass


def lose(reference):
    raise Overdue("the budget")


async def work(w):
    held = Held()
    kept = weakref.ref(held, lose)
    del held
    await w.mail(kept is None)


@wc.world(code={"plain": work})
def losing(w):
    w.mail = w.calls("mail")
    w.task("one", w.code, w)
    w.once("one_mail", w.mail)
"""


def test_a_limit_that_python_drops_is_not_told(cli, tmp_path):
    """What is raised in a callback of a weak reference is raised again later."""
    (tmp_path / "losing.py").write_text(LOSING)
    hook = sys.unraisablehook
    status, _, errors = cli("check", "losing.py", "--executions", "3")
    assert (status, errors) == (0, "")
    assert sys.unraisablehook is hook

"""The list of breaks is sound; `python -m tests.mutants` sees that each is caught."""

import ast

import pytest

from tests.mutants.breaks import BREAKS, ROOT, Break


@pytest.mark.parametrize("one", BREAKS, ids=lambda one: one.what)
def test_a_break_applies(one):
    """Its place is there once, what it makes is Python, and its tests exist."""
    ast.parse(one.applied())
    assert all((ROOT / tests.split(" ")[0]).exists() for tests in one.tests)


def test_there_are_enough():
    """At least 40, each with a name of its own."""
    assert len({one.what for one in BREAKS}) == len(BREAKS) >= 40


@pytest.mark.parametrize(
    ("function", "before", "what"),
    [
        ("Kernel.gone", "pass", "no Kernel.gone"),
        ("Kernel.kill", "not there", "is 0 times"),
        ("Kernel.kill", "task", "expected once"),
    ],
)
def test_a_break_whose_place_has_changed_fails_loudly(function, before, what):
    """No function, no such text, or several of it."""
    with pytest.raises(ValueError, match=what):
        Break("x", "kernel.py", function, before, "", ()).applied()

"""Modules: each says what it is for, has a telling name, and exports what it says."""

import ast
import importlib
import re
from pathlib import PurePosixPath

import pytest

# A drawer for everything is where one word gets two meanings.
DRAWER_NAMES = ("utils", "util", "helpers", "helper", "common", "misc")


def module_name(path):
    """The dotted name under which the file at this path is imported."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def exported_names(tree):
    """The names a module lists in __all__, or None if it has no such list."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if any(isinstance(t, ast.Name) and t.id == "__all__" for t in targets):
            return list(ast.literal_eval(node.value))
    return None


def test_modules_say_what_they_are_for(package_files):
    """Every module of the four packages has a docstring."""
    offences = [
        f"{file.path}: no docstring; open it with one sentence: its purpose, and "
        "what it must not know"
        for file in package_files
        if not ast.get_docstring(file.tree)
    ]
    assert not offences, "\n".join(offences)


def test_file_names_name_a_subject(python_files):
    """No file is a drawer for whatever has no other place."""
    offences = [
        f"{file.path}: name the file after the one noun it is about, or move its "
        "functions to their only user"
        for file in python_files
        if PurePosixPath(file.path).stem in DRAWER_NAMES
    ]
    assert not offences, "\n".join(offences)


def test_exported_names_exist(package_files):
    """Every name in an __all__ exists in its module, and is listed once."""
    offences = []
    for file in package_files:
        names = exported_names(file.tree)
        if names is None:
            continue
        module = importlib.import_module(module_name(file.path))
        offences += [
            f"{file.path}: __all__ lists {name!r}, which the module does not have; "
            "remove it from the list or import it"
            for name in names
            if not hasattr(module, name)
        ]
        if len(names) != len(set(names)):
            offences.append(f"{file.path}: __all__ repeats a name; list each once")
    assert not offences, "\n".join(offences)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("__all__ = ['a', 'b']", ["a", "b"]),
        ("__all__: list[str] = ['a']", ["a"]),
        ("__all__ = ()", []),
        ("a = 1", None),
    ],
    ids=["plain", "annotated", "empty", "none"],
)
def test_exported_names_are_read_from_source(source, expected):
    """The reader of __all__ sees each way of writing it."""
    assert exported_names(ast.parse(source)) == expected


# What the ignored rule is called, and then a reason.
IGNORES = re.compile(r"#\s*(noqa|type:\s*ignore)\b(.*)$")
WITH_REASON = re.compile(
    r"^(: [A-Z]+[0-9]+(, [A-Z]+[0-9]+)*|\[[a-z, -]+\])(  #|,| -|  ) *\S"
)


def test_whatever_is_ignored_says_why(python_files):
    """A line that a checker must overlook names the rule and gives a reason."""
    offences = [
        f"{file.path}:{number}: {line.strip()}; say why at the end of the line"
        for file in python_files
        for number, line in enumerate(file.text.splitlines(), start=1)
        for found in [IGNORES.search(line)]
        if found and not WITH_REASON.match(found[2])
    ]
    assert not offences, "\n".join(offences)

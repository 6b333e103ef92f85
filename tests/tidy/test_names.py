"""One word, one meaning; and no module that needs whoever needs it."""

import ast
from collections import defaultdict

import grimp
import networkx as nx

EXHIBITS = ("scenarios/zoo/", "scenarios/classic/")
"""Each file here is a small world of its own, with its own `Store` and `Job`."""

OF_OTHERS = {"Connection", "Cursor"}
"""Names that PEP 249 gives to what a driver has."""

KNOWN = {
    # in scenarios/sql and scenarios/drivers
    *("Database", "Interval", "Plan", "Session", "Window"),
    # in sim/exhaustive
    *("Alternative", "Found", "Node", "Script", "Search", "Step", "Watch"),
}
"""Names that still stand for two things; take one out once it is free."""


def shared_names(files):
    """Yield a public class with the files that define it, where they are several."""
    places = defaultdict(list)
    for file in files:
        if file.path.startswith(EXHIBITS):
            continue
        for node in file.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(file.path)
    for name, paths in sorted(places.items()):
        if len(paths) > 1 and name not in OF_OTHERS | KNOWN:
            yield name, paths


def test_a_class_name_stands_for_one_thing(package_files):
    """No two public classes have the same name."""
    offences = [
        f"{name} is defined in {', '.join(paths)}; call one by what sets it apart"
        for name, paths in shared_names(package_files)
    ]
    assert not offences, "\n".join(offences)


KNOWN_CIRCLES = ("wavecheck.scenarios.sql.", "wavecheck.sim.exhaustive.")
"""Packages whose modules still import each other; take a name out once it is free."""


def circles():
    """Return the groups of modules that import each other, for types alone as well."""
    graph = grimp.build_graph("wavecheck", exclude_type_checking_imports=False)
    arrows = nx.DiGraph()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            arrows.add_edge(module, imported)
    return [
        sorted(group)
        for group in nx.strongly_connected_components(arrows)
        if len(group) > 1
    ]


def test_no_modules_import_each_other():
    """Not even under TYPE_CHECKING: what both need is a leaf that both import."""
    found = [group for group in circles() if not group[0].startswith(KNOWN_CIRCLES)]
    assert not found, "\n".join(", ".join(group) for group in found)

"""Bans that ruff cannot see: builtins, set order, directory order, finalizers.

Ruff's TID251 catches imports and attributes (see pyproject.toml). This walks the
syntax trees of coordinator, sim and scenarios for the rest.

A set expression is a set literal or comprehension, a call of set or frozenset, an
operation on one of these or on dictionary views, or a local name that is only ever
bound to such an expression or annotated as a set. Attributes are not followed: a
field that holds a set is seen by the determinism tests only, if it is iterated.
"""

import ast

import pytest

CHECKED_FOLDERS = ("coordinator", "sim", "scenarios")

# (path, kind) -> reason. An entry that is no longer needed fails a test.
ALLOWED: dict[tuple[str, str], str] = {
    ("sim/exhaustive/reach.py", "weakref"): "names the types of weak references, which"
    " code under test may hold: makes none",
    ("sim/exhaustive/libraries.py", "weakref"): "follows the weak references that a"
    " library holds for ever: makes none",
}

ADVICE = {
    "id": "id() differs between runs; take an id from a counter",
    "hash": "hash() differs between processes; compare or pack the values themselves",
    "set-order": "the order of a set differs between processes; wrap it in sorted(), "
    "or keep the items in a list or as the keys of a dict",
    "directory-order": "the order of a directory differs between machines; wrap the "
    "listing in sorted()",
    "del": "__del__ runs when the collector likes; close in a finally or a with block",
    "weakref": "weakref results depend on the collector; own the object explicitly",
}

SET_TYPES = ("set", "frozenset", "Set", "AbstractSet", "MutableSet")
SET_METHODS = ("union", "intersection", "difference", "symmetric_difference", "copy")
SET_OPERATORS = (ast.BitAnd, ast.BitOr, ast.Sub, ast.BitXor)
# Builtins that hand on the order of what they are given.
ORDER_KEEPERS = ("list", "tuple", "enumerate", "iter", "zip", "map", "filter", "dict")
KEEPING_METHODS = ("join", "fromkeys", "extend")
# Builtins whose result does not depend on the order of what they are given.
ORDER_REMOVERS = ("sorted", "set", "frozenset", "len", "any", "all")
LISTINGS = ("listdir", "scandir", "glob", "iglob", "rglob", "iterdir")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def called_name(node):
    """The plain name that a call calls, or the attribute of builtins, or None."""
    if not isinstance(node, ast.Call):
        return None
    return plain_name(node.func)


def plain_name(node):
    """The name of a bare or builtins-qualified reference, or None."""
    if isinstance(node, ast.Name):
        return node.id
    if (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "builtins"
    ):
        return node.attr
    return None


def own_nodes(scope):
    """The nodes of a module or function without those of inner scopes."""
    todo = list(ast.iter_child_nodes(scope))
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            todo.extend(ast.iter_child_nodes(node))


def is_set_annotation(node):
    """Whether an annotation is set, frozenset or an abstract set."""
    if isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Attribute):
        return node.attr in SET_TYPES
    return isinstance(node, ast.Name) and node.id in SET_TYPES


class BanFinder:
    """Walks one module and collects (line, kind) of everything that is banned."""

    def __init__(self, tree):
        self.found = []
        self.bound_names = {
            node.id if isinstance(node, ast.Name) else node.arg
            for node in ast.walk(tree)
            if isinstance(node, ast.arg)
            or (isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load))
        }
        self.visit_scope(tree, frozenset())

    def visit_scope(self, scope, outer_sets):
        """Visit a module or function with the names that hold sets in it."""
        sets, others = self.names_bound_in(scope, outer_sets)
        names = (outer_sets - others) | sets
        for child in ast.iter_child_nodes(scope):
            self.visit(child, names, is_order_free=False)

    def names_bound_in(self, scope, outer_sets):
        """The names a scope binds to sets only, and those it binds otherwise."""
        sets, others = set(), set()
        if isinstance(scope, FUNCTIONS):
            arguments = scope.args
            given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            for argument in given:
                is_set = is_set_annotation(argument.annotation)
                (sets if is_set else others).add(argument.arg)
        stores = {}  # name -> whether each binding is a set
        for node in sorted(
            (n for n in own_nodes(scope) if hasattr(n, "lineno")),
            key=lambda n: (n.lineno, n.col_offset),
        ):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                stores.setdefault(node.target, is_set_annotation(node.annotation))
            elif isinstance(node, ast.Assign):
                is_set = self.is_set(node.value, sets | outer_sets)
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        stores[target] = is_set
                        if is_set:
                            sets.add(target.id)
            elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                stores[node.target] = node.target.id in sets
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                stores.setdefault(node, False)
            if isinstance(node, ast.AnnAssign) and stores.get(node.target):
                sets.add(node.target.id)
        others |= {target.id for target, is_set in stores.items() if not is_set}
        return sets - others, others

    def is_set(self, node, names):
        """Whether an expression is certainly a set."""
        if isinstance(node, (ast.Set, ast.SetComp)):
            return True
        if isinstance(node, ast.Name):
            return node.id in names
        if isinstance(node, ast.Call):
            if called_name(node) in ("set", "frozenset"):
                return True
            return (
                isinstance(node.func, ast.Attribute)
                and node.func.attr in SET_METHODS
                and self.is_set(node.func.value, names)
            )
        if isinstance(node, ast.BinOp) and isinstance(node.op, SET_OPERATORS):
            return any(
                self.is_set(side, names) or self.is_view(side)
                for side in (node.left, node.right)
            )
        if isinstance(node, ast.IfExp):
            return self.is_set(node.body, names) or self.is_set(node.orelse, names)
        return False

    def is_view(self, node):
        """Whether an expression is a call of keys() or items()."""
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("keys", "items")
        )

    def visit(self, node, names, *, is_order_free):
        """Report a node's own offences, then visit its children."""
        if isinstance(node, FUNCTIONS):
            if getattr(node, "name", "") == "__del__":
                self.report(node, "del")
            self.visit_scope(node, names)
            return
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [alias.name for alias in node.names]
            modules.append(getattr(node, "module", None) or "")
            if any(module.split(".")[0] == "weakref" for module in modules):
                self.report(node, "weakref")
        if isinstance(node, ast.Call):
            self.visit_call(node, names, is_order_free=is_order_free)
        self.visit_iteration(node, names, is_order_free=is_order_free)
        for child in ast.iter_child_nodes(node):
            free = self.passes_on(node, child, is_order_free=is_order_free)
            self.visit(child, names, is_order_free=free)

    def passes_on(self, node, child, *, is_order_free):
        """Whether the order in which the child yields its items cannot matter."""
        if isinstance(node, ast.Call):
            name = called_name(node)
            return name in ORDER_REMOVERS or (is_order_free and name in ORDER_KEEPERS)
        if isinstance(node, COMPREHENSIONS):
            is_free = is_order_free or isinstance(node, ast.SetComp)
            return is_free and isinstance(child, ast.comprehension)
        if isinstance(node, ast.comprehension):
            return is_order_free and child is node.iter
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            is_free = is_order_free or isinstance(node, ast.Set)
            return is_free and isinstance(child, ast.Starred)
        return is_order_free and isinstance(node, ast.Starred)

    def visit_call(self, node, names, *, is_order_free):
        """Report calls of banned builtins, unsorted listings, and set.pop."""
        name = called_name(node)
        if name in ("id", "hash"):
            self.report(node, name)
        for value in (*node.args, *(keyword.value for keyword in node.keywords)):
            passed = plain_name(value)
            if passed in ("id", "hash") and passed not in self.bound_names:
                self.report(value, passed)
        is_attribute = isinstance(node.func, ast.Attribute)
        called = node.func.attr if is_attribute else name
        owner = node.func.value if is_attribute else None
        is_os_walk = called == "walk" and plain_name(owner) == "os"
        if (called in LISTINGS or is_os_walk) and not is_order_free:
            self.report(node, "directory-order")
        if called == "pop" and not node.args and self.is_set(owner, names):
            self.report(node, "set-order")
        is_keeper = name in ORDER_KEEPERS or (
            is_attribute and called in KEEPING_METHODS
        )
        if is_keeper and not is_order_free:
            for argument in node.args:
                if self.is_set(argument, names):
                    self.report(argument, "set-order")

    def visit_iteration(self, node, names, *, is_order_free):
        """Report loops, comprehensions and unpackings that iterate over a set."""
        if isinstance(node, (ast.For, ast.AsyncFor)) and self.is_set(node.iter, names):
            self.report(node.iter, "set-order")
        if isinstance(node, COMPREHENSIONS):
            is_free = is_order_free or isinstance(node, ast.SetComp)
            for generator in node.generators:
                if self.is_set(generator.iter, names) and not is_free:
                    self.report(generator.iter, "set-order")
        if isinstance(node, (ast.List, ast.Tuple, ast.Call)):
            items = node.args if isinstance(node, ast.Call) else node.elts
            for item in items:
                is_starred = isinstance(item, ast.Starred)
                if is_starred and self.is_set(item.value, names) and not is_order_free:
                    self.report(item, "set-order")

    def report(self, node, kind):
        """Remember an offence."""
        self.found.append((node.lineno, kind))


def bans_in(tree):
    """All banned constructs of a module as sorted (line, kind) pairs."""
    return sorted(set(BanFinder(tree).found))


def test_checked_code_keeps_the_bans(python_files):
    """Nothing in coordinator, sim and scenarios depends on hidden order or identity."""
    offences = [
        f"{file.path}:{line}: {ADVICE[kind]}"
        for file in python_files
        if file.folder in CHECKED_FOLDERS
        for line, kind in bans_in(file.tree)
        if (file.path, kind) not in ALLOWED
    ]
    assert not offences, "\n".join(offences)


def test_allow_list_is_needed(python_files):
    """Every entry of the allow-list names an offence that exists, and a reason."""
    existing = {
        (file.path, kind) for file in python_files for _, kind in bans_in(file.tree)
    }
    stale = sorted(set(ALLOWED) - existing)
    assert not stale, f"remove from ALLOWED, no longer needed: {stale!r}"
    assert all(ALLOWED.values()), "give each entry of ALLOWED a reason"


CULPRITS = {
    "id call": ("key = id(task)", "id"),
    "id as key": ("tasks.sort(key=id)", "id"),
    "id of builtins": ("import builtins\nkey = builtins.id(task)", "id"),
    "hash call": ("key = hash(state)", "hash"),
    "hash mapped": ("keys = list(map(hash, states))", "hash"),
    "for over literal": ("for x in {1, 2}: pass", "set-order"),
    "for over call": ("for x in set(items): pass", "set-order"),
    "for over frozenset": ("for x in frozenset(items): pass", "set-order"),
    "for over comprehension": ("for x in {y for y in items}: pass", "set-order"),
    "async for": ("async def f():\n async for x in {1}: pass", "set-order"),
    "list comprehension": ("a = [x for x in set(items)]", "set-order"),
    "dict comprehension": ("a = {x: 1 for x in set(items)}", "set-order"),
    "generator": ("a = tuple(x for x in {1, 2})", "set-order"),
    "inner generator": ("a = [x for y in items for x in {y}]", "set-order"),
    "union": ("for x in set(a) | b: pass", "set-order"),
    "difference method": ("for x in set(a).difference(b): pass", "set-order"),
    "dictionary views": ("for x in a.keys() & b.keys(): pass", "set-order"),
    "list of set": ("a = list({1, 2})", "set-order"),
    "enumerate": ("for i, x in enumerate(set(a)): pass", "set-order"),
    "first of set": ("a = next(iter(set(b)))", "set-order"),
    "unpacked": ("a = [*{1, 2}]", "set-order"),
    "unpacked into call": ("f(*set(a))", "set-order"),
    "joined": ("a = ','.join({'a', 'b'})", "set-order"),
    "dictionary from set": ("a = dict.fromkeys(set(b))", "set-order"),
    "extended": ("a.extend(set(b))", "set-order"),
    "inside a set": ("a = {tuple(set(x)) for x in items}", "set-order"),
    "inside sorted": ("a = sorted([tuple(set(x)) for x in items])", "set-order"),
    "popped": ("a = set(b)\nx = a.pop()", "set-order"),
    "local name": ("def f():\n a = set()\n for x in a: pass", "set-order"),
    "annotated name": ("a: set[int] = f()\nfor x in a: pass", "set-order"),
    "parameter": ("def f(a: frozenset[int]): return [x for x in a]", "set-order"),
    "outer name": ("A = {1}\ndef f():\n for x in A: pass", "set-order"),
    "grown name": ("a = set()\na |= b\nfor x in a: pass", "set-order"),
    "after sorted loop": ("for x in sorted(a):\n for y in {x}: pass", "set-order"),
    "listdir": ("import os\na = os.listdir('.')", "directory-order"),
    "imported listdir": ("from os import listdir\na = listdir()", "directory-order"),
    "walk": ("import os\nfor x in os.walk('.'): pass", "directory-order"),
    "glob module": ("import glob\na = glob.glob('*')", "directory-order"),
    "glob method": ("for x in path.glob('*'): pass", "directory-order"),
    "iterdir": ("a = [x for x in path.iterdir()]", "directory-order"),
    "finalizer": ("class A:\n def __del__(self): pass", "del"),
    "weakref": ("import weakref", "weakref"),
    "from weakref": ("from weakref import WeakSet", "weakref"),
}

INNOCENTS = {
    "attribute id": "key = task.id",
    "keyword id": "task = Task(id=1)",
    "local id": "def f(id): return g(id)",
    "hash method": "class A:\n def __hash__(self): return self.number",
    "sorted set": "for x in sorted(set(items)): pass",
    "sorted generator": "a = sorted(x.name for x in set(items))",
    "sorted list": "a = sorted([*map(str, set(items))])",
    "set of set": "a = {x + 1 for x in set(items)}",
    "set of generator": "a = frozenset(x + 1 for x in {1, 2})",
    "any of set": "a = any(x > 1 for x in set(items))",
    "set of unpacked": "a = {*set(items), 1}",
    "field of a class": "class A:\n items: set[int]\ndef f():\n for x in items: pass",
    "membership": "a = x in {1, 2}",
    "size": "a = len(set(items))",
    "rebound name": "a = set(b)\na = sorted(a)\nfor x in a: pass",
    "shadowing parameter": "a = {1}\ndef f(a):\n for x in a: pass",
    "dictionary": "for x in dict.fromkeys(items): pass",
    "list pop": "a = [1]\nx = a.pop()",
    "subtraction": "for x in a - b: pass",
    "sorted listing": "a = sorted(path.glob('*'))",
    "sorted listing, names": "a = sorted(x.name for x in path.iterdir())",
}


@pytest.mark.parametrize(("source", "kind"), CULPRITS.values(), ids=CULPRITS)
def test_planted_culprits_are_found(source, kind):
    """Each banned construct is found in a few lines that use it, and nothing else."""
    assert {found for _, found in bans_in(ast.parse(source))} == {kind}


@pytest.mark.parametrize("source", INNOCENTS.values(), ids=INNOCENTS)
def test_innocent_code_is_left_alone(source):
    """Code that looks alike but has one fixed order is not reported."""
    assert bans_in(ast.parse(source)) == []


def test_every_kind_has_a_culprit():
    """Each kind that can be reported is planted at least once."""
    assert {kind for _, kind in CULPRITS.values()} == set(ADVICE)

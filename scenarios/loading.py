"""Finding worlds and code under test: `package.module:NAME` or `path/to/file.py:NAME`.

What is given by path is code and runs with the user's rights. What is wrong with
it is said with file and line; a traceback is never the answer.
"""

import ast
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from inspect import (
    getsourcefile,
    getsourcelines,
    iscoroutinefunction,
    isfunction,
    signature,
)
from pathlib import Path
from textwrap import dedent
from traceback import extract_tb
from types import ModuleType
from typing import Any, Final

from wavecheck.scenarios.exhibit import Exhibit
from wavecheck.scenarios.pipeline.blocking import awaiting
from wavecheck.scenarios.scenario import Scenario
from wavecheck.sim.errors import (
    CoordinatorError,
    InvalidScenario,
    WavecheckError,
    unknown_name,
)
from wavecheck.sim.surroundings import Outside, install, made_outside


def load_world(name: str) -> Scenario:
    """Return a declared world of a file or a module.

    Args:
        name: path/to/file.py:WORLD, package.module:WORLD, or a file that has one world.

    Raises:
        InvalidScenario: there is no such world, or several and none is named.
        CoordinatorError: the file or module does not load.
    """
    where, _, world_name = name.rpartition(":")
    if name.endswith(".py"):
        where, world_name = name, ""
    module = load_file(Path(where)) if where.endswith(".py") else load_module(where)
    worlds = worlds_of(module)
    if not world_name and len(worlds) == 1:
        world_name = next(iter(worlds))
    if world_name not in worlds:
        declared = ", ".join(worlds)
        what = f"no world {world_name!r}" if world_name else "several worlds"
        if not worlds:
            raise InvalidScenario(
                f"{where} has no world\n"
                "  expected  a function that builds one, under @wavecheck.world\n"
                "next: docs/own-world.md shows one"
            )
        raise InvalidScenario(
            f"{where} has {what}; it has: {declared}\n"
            f"next: give {where}:{next(iter(worlds))}"
        )
    return replace(worlds[world_name], name=f"{where}:{world_name}")


def worlds_of(module: ModuleType) -> dict[str, Scenario]:
    """Return the worlds that a module declares, by name; an exhibit's is its own."""
    return {
        name: value.scenario if isinstance(value, Exhibit) else value
        for name, value in vars(module).items()
        if isinstance(value, Scenario | Exhibit)
    }


def named_world(scenario: Scenario) -> Scenario:
    """Return a declared world with the name by which any process can load it.

    Raises:
        InvalidScenario: it is not at the top level of a file.
    """
    build = scenario.declared_by
    assert build is not None
    module = sys.modules.get(build.__module__)
    held = {} if module is None else vars(module)
    for name, value in held.items():
        if value is scenario or getattr(value, "declared_by", None) is build:
            assert module is not None
            return replace(scenario, name=_reference(module, name))
    code = build.__code__
    raise InvalidScenario(
        f"{code.co_filename}:{code.co_firstlineno}: world {build.__name__!r} cannot be"
        " found by name, so no other process could replay what it does\n"
        "  expected  a function at the top level of its module\n"
        "next: move it out of the function or class it is in"
    )


def load_coordinator(scenario: Scenario, name: str) -> Any:
    """Return the code under test that a name stands for, as it fits a world.

    Args:
        scenario: whose built-in names are known, and whose methods it must have.
        name: NAME, package.module:Class or path/to/file.py:Class.

    Raises:
        InvalidScenario: no such name.
        CoordinatorError: the file does not load, or the class does not fit.
    """
    if name.endswith(".py"):
        module = load_file(Path(name))
        raise CoordinatorError(
            f"{name} names a file without a class; {_classes(module)}\n"
            f"next: give {name}:Class"
        )
    if ":" not in name:
        if name not in scenario.coordinators:
            known = list(scenario.coordinators)
            error = unknown_name("coordinator", name, known)
            error.args = (
                f"{error}\nyour own: package.module:Class or path/to/file.py:Class",
            )
            raise error
        return scenario.coordinators[name]
    where, _, class_name = name.rpartition(":")
    module = load_file(Path(where)) if where.endswith(".py") else load_module(where)
    found = getattr(module, class_name, None)
    if callable(found) and not scenario.methods:
        return found  # the world itself says what it does with it
    if not isinstance(found, type):
        raise CoordinatorError(
            f"{where} has no class {class_name!r}; {_classes(module)}"
        )
    _check_takes(found, name, scenario)
    if _is_blocking(found, scenario):
        if scenario.takes == "connection":
            return found
        found = awaiting(found, scenario.methods)
    _check(found, name, scenario)
    return found


def coordinator_name(coordinator: Any, scenario: Scenario | None = None) -> str:
    """Return the name by which code under test can be loaded in any process.

    What a package has goes by its module, what a file on its own has by the path.

    Args:
        coordinator: a class, a function, or a name.
        scenario: whose own code goes by the name that it has there.

    Raises:
        CoordinatorError: it is not at the top level of a file.
    """
    if isinstance(coordinator, str):
        return coordinator
    if scenario is not None and not scenario.methods:
        for own, known in scenario.coordinators.items():
            if known is coordinator:
                return own
    name = coordinator.__qualname__
    module = sys.modules.get(coordinator.__module__)
    if getattr(module, name, None) is not coordinator:
        raise CoordinatorError(
            f"{_place(coordinator)}: {name} cannot be found by name, so no other"
            " process could replay what it does\n"
            "  expected  a class at the top level of its module\n"
            "next: move it out of the function or class it is in"
        )
    assert module is not None
    return _reference(module, name)


def _reference(module: ModuleType, name: str) -> str:
    """Return the text by which a module's name can be loaded in any process."""
    file = getattr(module, "__file__", None)  # a notebook's module has none
    if module.__package__ or file is None:
        return f"{module.__name__}:{name}"
    path = Path(file)
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return f"{path.as_posix()}:{name}"


def _classes(module: ModuleType) -> str:
    names = [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    ]
    return f"it has: {', '.join(names)}" if names else "it has no class"


def load_file(path: Path) -> ModuleType:
    """Return the module of a file; one that has not changed is not run again.

    Raises:
        CoordinatorError: there is no such file, or it does not import.
    """
    if not path.is_file():
        raise CoordinatorError(f"{path}: no such file\nnext: check the path before ':'")
    # The name is the whole path, so that no other module has it. Registered, because
    # dataclasses and inspect look a class's module up.
    name, folder = str(path.resolve()), str(path.resolve().parent)
    source = path.read_bytes()
    known = _loaded(name, source)
    if known is not None:
        return known
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    # Its own imports see its folder, as when Python runs the file.
    sys.path.insert(0, folder)
    try:
        _in_a_world(spec.loader.exec_module, module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        if isinstance(error, WavecheckError):
            raise  # it says where
        raise CoordinatorError(_import_failure(str(path), error)) from error
    finally:
        sys.path.remove(folder)
    _SOURCES[name] = source
    return module


_SOURCES: Final[dict[str, bytes]] = {}
"""What each file held that was loaded from its path."""


def _loaded(file: str, source: bytes) -> ModuleType | None:
    """Return the module of a file, if it is there and the file is what it was.

    Loaded a second time its classes would be others: an error that one raises would
    not be the one that another catches.
    """
    if _SOURCES.get(file) == source:
        return sys.modules.get(file)
    if file in _SOURCES:
        return None
    modules = list(sys.modules.values())
    return next((one for one in modules if getattr(one, "__file__", "") == file), None)


def load_module(name: str) -> ModuleType:
    """Return a module by its name, which may be one of the current folder.

    Raises:
        CoordinatorError: it does not import; says in which line.
    """
    sys.path.insert(0, "")
    try:
        module: ModuleType = _in_a_world(import_module, name)
    except (Exception, SystemExit) as error:
        raise CoordinatorError(_import_failure(name, error)) from error
    finally:
        sys.path.remove("")
    return module


def _in_a_world(load: Callable[..., Any], *args: Any) -> Any:
    """Load; an id that the module makes at once is the same in every process."""
    install()
    return made_outside(Outside(0, of_user=True), load, *args)


def _import_failure(where: str, error: BaseException) -> str:
    """Say in which line of the user's code an import failed."""
    if isinstance(error, SyntaxError):
        place = f"{error.filename}:{error.lineno}: {(error.text or '').strip()}"
    else:
        import_machinery = getsourcefile(import_module)
        frames = [
            frame
            for frame in extract_tb(error.__traceback__)
            if not frame.filename.startswith("<frozen")
            and frame.filename not in (__file__, import_machinery)
        ]
        last = frames[-1] if frames else None
        place = f"{last.filename}:{last.lineno}: {last.line}" if last else where
    return (
        f"{where} does not import: {type(error).__name__}: {error}\n"
        f"  at  {place}\n"
        "next: python -c 'import ...' in the same environment shows the same error"
    )


def _is_blocking(found: type[Any], scenario: Scenario) -> bool:
    """Return whether every method is there, and an ordinary one."""
    methods = [getattr(found, name, None) for name in scenario.methods]
    return all(isfunction(one) and not iscoroutinefunction(one) for one in methods)


def _check_takes(found: type[Any], name: str, scenario: Scenario) -> None:
    """Refuse a class for SQL of its own where there is no SQL, and the reverse."""
    is_connection = [*signature(found).parameters][:1] == ["connection"]
    wants = "connection" if is_connection else "db"
    if wants == scenario.takes:
        return
    elsewhere = "own-sql" if wants == "connection" else "import-job"
    raise CoordinatorError(
        f"{_place(found)}: {name} is made with a {wants}; {scenario.name} has none\n"
        f"  expected  def __init__(self, {scenario.takes})\n"
        f"next: wavecheck check {elsewhere} -c {name}"
    )


def _check(found: type[Any], name: str, scenario: Scenario) -> None:
    for method in scenario.methods:
        function = getattr(found, method, None)
        if function is None:
            raise CoordinatorError(
                f"{_place(found)}: {name} has no method {method!r}\n"
                f"  expected  async methods: {', '.join(scenario.methods)}"
            )
        if not iscoroutinefunction(function):
            raise CoordinatorError(
                f"{_place(found)}: {name}.{method} is not a coroutine method\n"
                f"  expected  async def {method}(...)"
            )
    if not hasattr(found, "blocking"):
        _check_awaits(found, name, scenario)
    try:
        signature(found).bind(object())
    except TypeError as error:
        raise CoordinatorError(
            f"{_place(found)}: {name} cannot be made with the database alone: {error}\n"
            "  expected  def __init__(self, db)"
        ) from error


def _check_awaits(found: type[Any], name: str, scenario: Scenario) -> None:
    """Refuse a statement that is called and not awaited: it would do nothing."""
    try:
        lines, first_line = getsourcelines(found)
    except (OSError, TypeError):
        return
    statements = scenario.statements()
    for node in ast.walk(ast.parse(dedent("".join(lines)))):
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
            continue
        called = node.value.func
        if isinstance(called, ast.Attribute) and called.attr in statements:
            raise CoordinatorError(
                f"{getsourcefile(found)}:{first_line + node.lineno - 1}: {name} calls"
                f" {called.attr} and does not await it, so nothing happens\n"
                f"  expected  await ...{called.attr}(...)"
            )


def _place(found: type[Any]) -> str:
    try:
        return f"{getsourcefile(found)}:{getsourcelines(found)[1]}"
    except (OSError, TypeError):
        return found.__module__

"""Defaults of options from the `pyproject.toml` of the project one is in.

`[tool.wavecheck]` holds options by name, for every command that has them;
`[tool.wavecheck.COMMAND]` those of one command, which win. What is said on the command
line wins over both.
"""

import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from typer.core import TyperOption

from wavecheck.sim.errors import InvalidScenario, unknown_name

FILE: Final = "pyproject.toml"


def project_defaults() -> tuple[Path, Mapping[str, Any]]:
    """Return the nearest `pyproject.toml` at or above here, and its table for us.

    Raises:
        InvalidScenario: the file is no TOML, or the table is none.
    """
    here = Path.cwd()
    path = next(
        (one / FILE for one in (here, *here.parents) if (one / FILE).is_file()),
        here / FILE,
    )
    try:
        text = path.read_text(encoding="utf-8")
        found = tomllib.loads(text).get("tool", {}).get("wavecheck", {})
    except (OSError, UnicodeDecodeError):
        return path, {}  # not there, or not ours to judge
    except tomllib.TOMLDecodeError as error:
        raise InvalidScenario(f"{path}: no TOML: {error}") from None
    if not isinstance(found, dict):
        raise InvalidScenario(f"{path}: expected a table [tool.wavecheck]")
    return path, found


def with_defaults(
    name: str,
    arguments: Sequence[str],
    commands: Collection[str],
    load: Callable[[str], Any],
) -> list[str]:
    """Return a command's arguments with the project's defaults before them.

    Args:
        name: the command's.
        arguments: as given; an option that is said there is not added.
        commands: names of all commands.
        load: gives a command of the command line library.

    Raises:
        InvalidScenario: an option that does not exist, or no value for one.
    """
    path, table = project_defaults()
    options = _options(load(name))
    own = table.get(name, {})
    if not isinstance(own, dict):
        raise InvalidScenario(f"{path}: expected a table [tool.wavecheck.{name}]")
    for option in own:
        if option not in options:
            kind = f"option of `wavecheck {name}` in {path}:"
            raise unknown_name(kind, option, sorted(options))
    shared = {one: value for one, value in table.items() if one not in commands}
    if not shared.keys() <= options.keys():
        everywhere = {one for command in commands for one in _options(load(command))}
        for option in shared:
            if option not in everywhere:
                kind = f"option in [tool.wavecheck] of {path}:"
                raise unknown_name(kind, option, sorted(everywhere))
    said = {one.partition("=")[0] for one in arguments}
    said |= {one[:2] for one in arguments if not one.startswith("--")}
    return [
        text
        for option, value in (shared | own).items()
        if option in options and said.isdisjoint(options[option].opts)
        for text in _as_arguments(options[option], option, value, path)
    ] + list(arguments)


def _options(command: Any) -> dict[str, TyperOption]:
    return {
        flag.removeprefix("--"): one
        for one in command.params
        if isinstance(one, TyperOption)
        for flag in one.opts
        if flag.startswith("--")
    }


def _as_arguments(option: TyperOption, name: str, value: Any, path: Path) -> list[str]:
    values = value if isinstance(value, list) and option.multiple else [value]
    fits = bool if option.is_flag else str | int | float
    if any(
        not isinstance(one, fits) or isinstance(one, bool) is not option.is_flag
        for one in values
    ):
        expected = "true or false" if option.is_flag else "a text or a number"
        raise InvalidScenario(f"{path}: {name} = {value!r}: expected {expected}")
    if option.is_flag:
        return [f"--{name}"] if value else []
    return [f"--{name}={one}" for one in values]

"""The options that say how hard to try, made from the fields of `Effort`.

A command names the fields that it offers; each becomes one option, spelt, described and
read as the field's annotation says.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Annotated, Any, Final

import typer

from wavecheck.scenarios.effort import Effort, Spelling, spellings
from wavecheck.sim.deadline import Deadline
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.memory import Room


def seconds_of(text: str, option: str = "--budget") -> float:
    """Read a time such as 10s, 2m or 1.5 (seconds).

    Args:
        text: as given.
        option: by which it was given.

    Raises:
        InvalidScenario: it is none.
    """
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    number, unit = (text[:-1], text[-1]) if text[-1:] in units else (text, "s")
    try:
        return float(number) * units[unit]
    except ValueError:
        raise InvalidScenario(
            f"{option} {text!r}: expected a time such as 10s, 2m or 0.5h"
        ) from None


def bytes_of(text: str) -> int:
    """Read a size such as 512MB or 4GB.

    Raises:
        InvalidScenario: it is none.
    """
    units = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
    number, unit = text[:-2], text[-2:].upper()
    try:
        size = round(float(number) * units[unit])
    except (ValueError, KeyError, OverflowError):
        size = 0
    if not 0 < size <= MEMORY_MAX:
        raise InvalidScenario(
            f"--memory {text!r}: expected a size such as 512MB or 4GB"
        )
    return size


MEMORY_MAX: Final = 1 << 50
"""Bytes; more is no limit that a system could be told."""

_READERS: dict[str, Callable[[str], Any]] = {"TIME": seconds_of, "SIZE": bytes_of}
_DEFAULTS = {"memory_bytes": "8GB"}  # as a text: what the reader makes the default of


def with_effort(
    *fields: str, usual: Mapping[str, Any] = MappingProxyType({}), **fixed: Any
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command one option for each of some fields of an effort.

    Args:
        fields: names of what can be said; all that have a spelling if empty.
        usual: what an option of this command is without being said, where it differs,
            as the option's text or value.
        fixed: fields that this command decides.

    Returns:
        A decorator of a command with a keyword argument `effort`: it is called with an
        `Effort` instead of the options.
    """
    known = spellings()
    offered = fields or tuple(known)

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        @wraps(command)
        def run(*args: Any, **given: Any) -> int:
            said = {name: given.pop(name) for name in offered}
            for name, value in said.items():
                read = _READERS.get(known[name][2].metavar)
                if read is not None and value is not None:
                    said[name] = read(value)
                elif known[name][1] is True:
                    said[name] = not value
            return command(*args, effort=Effort(**said, **fixed), **given)

        parameters = []
        for one in inspect.signature(command).parameters.values():
            if one.name != "effort":
                parameters.append(one)
                continue
            parameters += [
                _option(name, known[name], usual.get(name)) for name in offered
            ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # no field of a function
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate


def within_memory(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the option `--memory`, if it has none, and hold it to the limit.

    What looks at its limits ends with what it has; what does not is ended.
    """
    signature = inspect.signature(command)
    is_known = "memory_bytes" in signature.parameters
    option = _option("memory_bytes", spellings()["memory_bytes"], None)

    @wraps(command)
    def run(*args: Any, **given: Any) -> int:
        room = Room(bytes_of(given["memory_bytes"]))
        with room.walled():
            if is_known:  # it ends itself, and then tells what it has with all it holds
                return command(*args, **given)
            del given["memory_bytes"]
            with Deadline(room=room).enforced():
                return command(*args, **given)

    if not is_known:
        parameters = [*signature.parameters.values(), option]
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # no field of a function
        run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def _option(
    name: str, known: tuple[Any, Any, Spelling], usual: Any
) -> inspect.Parameter:
    kind, default, spelling = known
    if spelling.metavar in _READERS:
        default = _DEFAULTS.get(name)
        kind = str if default is not None else str | None
    elif default is True:
        default = False  # the flag says no
    option = typer.Option(
        spelling.flag,
        metavar=spelling.metavar or None,
        help=spelling.meaning,
        min=spelling.least,
        max=spelling.most,
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default if usual is None else usual,
        annotation=Annotated[kind, option],
    )

"""Make docs/reference.md from the code: `make reference`.

Commands with their options, public names with their docstrings, scenarios with their
parameters, properties with their meaning. With --check it says whether the page is up
to date, which CI asks.
"""

import inspect
import sys
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any, Final, get_type_hints

import click
import typer

from wavecheck import SCENARIOS, Scenario
from wavecheck.reports.cli import app
from wavecheck.sim.files import write_whole

PAGE: Final = Path(__file__).with_name("reference.md")
PACKAGES: Final = (
    "wavecheck",
    "wavecheck.reports.export",
    "wavecheck.reports.monitors",
)


def reference() -> str:
    """Return the page."""
    lines = [
        "# Reference",
        "",
        "Made from the code by `make reference`: do not edit.",
        "",
        "[Commands](#commands), [public names](#public-names),"
        " [scenarios](#scenarios), [properties](#properties).",
        "",
        "## Commands",
        "",
        *_commands(),
        "## Public names",
        "",
        *_names(),
        "## Scenarios",
        "",
        *_scenarios(),
        "## Properties",
        "",
        *_properties(),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _commands() -> Iterator[str]:
    group: Any = typer.main.get_command(app)
    context = click.Context(group, info_name="wavecheck")
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        arguments = [
            one.metavar or one.name.upper()
            for one in command.params
            if one.param_type_name == "argument"
        ]
        yield f"### wavecheck {' '.join([name, *arguments])}"
        yield from ("", inspect.cleandoc(command.help or ""), "")
        options = [
            record
            for one in command.get_params(click.Context(command, parent=context))
            if (record := one.get_help_record(context)) and one.name != "help"
        ]
        if options:
            yield from ("| option | meaning |", "| --- | --- |")
            yield from (f"| `{_cell(one)}` | {_cell(told)} |" for one, told in options)
            yield ""


def _names() -> Iterator[str]:
    for package in PACKAGES:
        module = import_module(package)
        yield from (f"### {package}", "")
        for name in sorted(module.__all__, key=str.lower):
            value = getattr(module, name)
            yield from (f"**`{name}`**{_signature(value)}", "")
            if inspect.isclass(value) or inspect.isroutine(value):
                yield from ("```text", inspect.getdoc(value) or "", "```", "")


def _signature(value: Any) -> str:
    if not inspect.isfunction(value):
        return ""
    names = [
        one.name if one.default is one.empty else f"{one.name}={one.default!r}"
        for one in inspect.signature(value).parameters.values()
    ]
    return f" `({', '.join(names)})`"


def _scenarios() -> Iterator[str]:
    for name, scenario in SCENARIOS.items():
        yield from (f"### {name}", "", scenario.summary, "")
        rows = list(_settings(scenario))
        if rows:
            yield from ("| parameter | default | in a search | meaning |",)
            yield from ("| --- | --- | --- | --- |", *rows, "")


def _settings(scenario: Scenario) -> Iterator[str]:
    kind = scenario.settings_type
    meanings = _attributes(kind)
    usual, small = scenario.settings(), scenario.settings(is_small=True)
    bounds = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        name = field.name
        limits = ", ".join(
            f"{type(one).__name__.lower()} {next(iter(vars_of(one)))}"
            for one in getattr(bounds[name], "__metadata__", ())
        )
        told = meanings.get(name, "")
        yield (
            f"| `{name}` | {getattr(usual, name)!r} | {getattr(small, name)!r} |"
            f" {_cell(told)}{f' ({limits})' if limits else ''} |"
        )


def vars_of(bound: Any) -> Iterator[Any]:
    """Yield the values that a bound of annotated_types holds."""
    for field in fields(bound):
        yield getattr(bound, field.name)


def _attributes(kind: type[Any]) -> dict[str, str]:
    """Return what the docstrings of a class and its bases say of each attribute."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        _, _, text = inspect.cleandoc(one.__doc__ or "").partition("Attributes:\n")
        name = ""
        for line in text.splitlines():
            if line.startswith("    ") and not line.startswith("     "):
                name, _, told = line.strip().partition(": ")
                found[name] = told
            elif name and line.strip():
                found[name] += f" {line.strip()}"
    return found


def _properties() -> Iterator[str]:
    yield from ("| property | of | judged | meaning |", "| --- | --- | --- | --- |")
    known: dict[str, tuple[list[str], Any]] = {}
    for name, scenario in SCENARIOS.items():
        for one in scenario.properties():
            known.setdefault(one.name, ([], one))[0].append(name)
    for name, (where, one) in known.items():
        others = f" and {len(where) - 1} more" if where[1:] else ""
        told = _cell(one.meaning)
        yield f"| `{name}` | {where[0]}{others} | {one.moment.value} | {told} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main(arguments: list[str]) -> int:
    """Write the page; with --check only say whether it is up to date."""
    text = reference()
    if "--check" not in arguments:
        write_whole(PAGE, text.encode())
        sys.stdout.write(f"{PAGE.name}: written\n")
        return 0
    is_current = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
    state = "up to date" if is_current else "out of date: run `make reference`"
    sys.stdout.write(f"{PAGE.name}: {state}\n")
    return int(not is_current)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Run the benchmarks and print their tables: `python -m benchmarks [NAME ...]`.

A benchmark is a module of this package with a function `tables(*, is_quick)`; if it has
a `PAGE`, its tables are recorded there. The exit status is 1 when a bar was missed.
"""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from pkgutil import iter_modules

import benchmarks
from benchmarks.recording import recorded
from benchmarks.table import Table

Benchmark = Callable[..., Iterator[Table]]
PAGE = Path(__file__).parent / "README.md"


def find_benchmarks() -> dict[str, Benchmark]:
    """Return every benchmark by the name of its module, in alphabetical order."""
    names = sorted(module.name for module in iter_modules(benchmarks.__path__))
    modules = {
        name: import_module(f"benchmarks.{name}") for name in names if name[0] != "_"
    }
    return {
        name: module.tables
        for name, module in modules.items()
        if hasattr(module, "tables")
    }


def page_of(name: str) -> Path:
    """Return the page that a benchmark's tables are recorded in."""
    page: Path = getattr(import_module(f"benchmarks.{name}"), "PAGE", PAGE)
    return page


def main() -> int:
    """Run what was asked for; return the exit status."""
    found = find_benchmarks()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(found))
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds and smaller sizes"
    )
    parser.add_argument(
        "--record", action="store_true", help="put the tables into their pages"
    )
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in found]
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]!r}: known: {', '.join(found)}")
    machine = (
        f"Python {platform.python_version()}, SimPy {version('simpy')},"
        f" {platform.system()} on {platform.machine()}, {os.cpu_count()} cores\n"
    )
    print(machine)
    are_all_reached = True
    for name in options.names or found:
        texts = [machine]
        for table in found[name](is_quick=options.quick):
            print(table, flush=True)
            texts.append(str(table))
            are_all_reached &= all(bar.is_reached for bar in table.bars)
        if options.record:
            path = page_of(name)
            page = path.read_text(encoding="utf-8")
            page = recorded(page, name, "\n".join(texts))
            path.write_text(page, encoding="utf-8")
    return 0 if are_all_reached else 1


if __name__ == "__main__":
    sys.exit(main())

"""The terminal that results are printed on."""

from typing import Final

from rich.console import Console

PIPED_WIDTH: Final = 150


def make_console(*, is_error: bool = False) -> Console:
    """Return a console; its width is fixed when nobody looks, so output is stable."""
    console = Console(stderr=is_error, highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    return console

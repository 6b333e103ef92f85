"""The terminal that results are printed on."""

import re
from collections.abc import Iterator
from io import TextIOBase
from typing import IO, Final, cast

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.control import Control
from rich.segment import Segment

from wavecheck.reports.printable import printable

PIPED_WIDTH: Final = 150


class _Printable:
    """What is printed, with control characters of the text itself shown as `?`.

    Names come from other people's rows, files and classes, and a terminal obeys what
    is in them. What rich sends to style the text is no part of it.
    """

    def __init__(self, shown: ConsoleRenderable) -> None:
        self._shown = shown

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[Segment]:
        for one in console.render(self._shown, options):
            yield one if one.control else Segment(printable(one.text), one.style)


class _Unpadded(TextIOBase):
    """A file that gets the lines of a table without the spaces that fill them up."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(re.sub(r" +$", "", text, flags=re.MULTILINE))

    def flush(self) -> None:
        self._file.flush()


class _Cleaning(RenderHook):
    def process_renderables(
        self, renderables: list[ConsoleRenderable]
    ) -> list[ConsoleRenderable]:
        return [
            one if isinstance(one, Control) else _Printable(one) for one in renderables
        ]


def make_console(*, is_error: bool = False) -> Console:
    """Return a console; its width is fixed when nobody looks, so output is stable."""
    console = Console(stderr=is_error, highlight=False, emoji=False, markup=False)
    console.push_render_hook(_Cleaning())
    if not console.is_terminal:
        console.width = PIPED_WIDTH
        console.file = cast("IO[str]", _Unpadded(console.file))
    return console

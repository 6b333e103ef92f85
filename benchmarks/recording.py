"""Puts what a benchmark printed into the page of recorded runs."""

from typing import Final

HEADING: Final = "## The last recorded runs"
_END: Final = "<!-- end of the recorded runs -->"


def recorded(page: str, name: str, text: str) -> str:
    """Return the page with one benchmark's section replaced, or added.

    Args:
        page: Markdown with the heading above, sections `<!-- recorded: NAME -->` in
            alphabetical order, and a line that ends them.
        name: of the benchmark.
        text: what it printed.
    """
    head, rest = page.split(f"{HEADING}\n", 1)
    body, tail = rest.split(_END, 1)
    intro, *parts = body.split("<!-- recorded: ")
    sections = {}
    for part in parts:
        key, _, content = part.partition(" -->\n")
        sections[key] = content.strip("\n")
    sections[name] = text.strip("\n")
    shown = "".join(
        f"<!-- recorded: {key} -->\n\n{sections[key]}\n\n" for key in sorted(sections)
    )
    return f"{head}{HEADING}\n{intro}{shown}{_END}{tail}"

"""One self-contained page: templates, stylesheet and script in, bytes out.

Knows Jinja and nothing of what a section shows. Every value is escaped; data for the
script is JSON in which no character can end its element. The page forbids itself any
request and any script but its own, so that even a mistake here would do no harm.

Determinism: the same sections give the same bytes; no date, no path, no random name.
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

_SCRIPTS: Final = ("parts.js", "player.js", "explorer.js", "page.js")  # one, in order
_NEVER_IN_JSON: Final = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of a page.

    Attributes:
        template: name of its template, which sees the section's fields as `it`.
        title: its heading; empty for none.
        id: unique on the page, so that a link can name it.
        it: what it shows.
        is_open: shown from the start; else a reader opens it.
    """

    template: str
    title: str
    id: str
    it: Any
    is_open: bool = True


def render_page(title: str, summary: str, sections: Sequence[Section]) -> bytes:
    """Return a page.

    Args:
        title: the heading, and the name of the browser's tab.
        summary: one sentence under it; may be empty.
        sections: from top to bottom.
    """
    style, script = _asset("page.css"), "\n".join(map(_asset, _SCRIPTS))
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none';"
        f" style-src {_hash(style)}; script-src {_hash(script)}"
    )
    text = (
        _environment()
        .get_template("page.html")
        .render(
            title=title,
            summary=summary,
            sections=sections,
            policy=policy,
            style=Markup(style),  # our own file
            script=Markup(script),  # our own file
        )
    )
    return text.encode("utf-8", "replace")  # half of a surrogate pair has no bytes


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("wavecheck.reports.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data"] = json_in_html
    return environment


def json_in_html(data: Mapping[str, Any]) -> Markup:
    """Return data as JSON that can stand inside a script element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for character, escaped in _NEVER_IN_JSON.items():
        text = text.replace(character, escaped)
    return Markup(text)  # nothing in it can end the element


def _asset(name: str) -> str:
    return (
        files("wavecheck.reports.html").joinpath("templates", name).read_text("utf-8")
    )


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"

"""A schedule as a specification for PostgreSQL's isolation tester.

Source: PostgreSQL, src/test/isolation/README. A step is named after its session and its
number in the schedule; the one permutation is the order of the schedule.
"""

import json
import re
from typing import Final

from wavecheck.reports.export.sql_steps import SQLScript
from wavecheck.reports.printable import printable
from wavecheck.sim.errors import InvalidScenario
from wavecheck.sim.trace import plain

_QUOTED: Final = re.compile(r"""(?<!\w)('(?:[^']|'')*'|"(?:[^"]|"")*")""")
"""A literal or a name of SQL, with its quotes."""


def isolation_spec(script: SQLScript) -> str:
    """Return the specification."""
    names = {name: f"s{number}" for number, name in enumerate(script.sessions(), 1)}
    parts = [
        _comment(script.title),
        f"setup\n{{\n{_indented(script.setup)}}}\n",
        f"teardown\n{{\n{_indented(script.teardown)}}}\n",
    ]
    for session, short in names.items():
        steps = [
            f"step {short}_{step.number}\n{{\n{_indented(step.sql + ';')}}}\n"
            for step in script.steps
            if step.session == session
        ]
        parts.append(f"{_comment(session)}session {short}\n" + "".join(steps))
    order = " ".join(f"{names[one.session]}_{one.number}" for one in script.steps)
    parts.append(f"permutation {order}\n")
    return "\n".join(parts)


def sql_text(script: SQLScript) -> str:
    """Return plain SQL: a numbered statement for each step, with its session."""
    parts = [_sql_comment(script.title), _written(script.setup)]
    for step in script.steps:
        answer = (
            "waits" if step.is_blocked else f"answers {json.dumps(plain(step.result))}"
        )
        head = f"{step.number}. in session {step.session}; {answer}"
        parts.append(f"{_sql_comment(head)}{_written(step.sql)};\n")
    parts.append(_sql_comment("when done") + _written(script.teardown))
    return "\n".join(parts)


def _indented(text: str) -> str:
    # The tester takes the first closing brace for the end of a step.
    return "".join(f"  {line}\n" for line in _written(text, "}").splitlines())


def _written(text: str, special: str = "") -> str:
    """Return SQL with what a terminal obeys, and special characters, as escapes.

    Within its quotes a text may hold anything: the end of a line, an escape sequence.

    Raises:
        InvalidScenario: a text holds the one character that PostgreSQL has no text for.
    """

    def escaped(found: re.Match[str]) -> str:
        said = found[0]
        if said.isprintable() and not any(one in said for one in special):
            return said
        if "\0" in said:
            raise InvalidScenario(
                f"{said!r} holds a zero character, which no text of PostgreSQL has\n"
                "next: --format csv, or mermaid"
            )
        return "U&" + "".join(
            "\\\\"
            if one == "\\"
            else one
            if one.isprintable() and one not in special
            else f"\\+{ord(one):06X}"
            for one in said
        )

    return _QUOTED.sub(escaped, text)


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in printable(text).splitlines() or [""])


def _sql_comment(text: str) -> str:
    return "".join(f"-- {line}\n" for line in printable(text).splitlines() or [""])

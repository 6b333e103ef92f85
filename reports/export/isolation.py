"""A schedule as a specification for PostgreSQL's isolation tester.

Source: PostgreSQL, src/test/isolation/README. A step is named after its session and its
number in the schedule; the one permutation is the order of the schedule.
"""

import json

from wavecheck.reports.export.sql_steps import SQLScript
from wavecheck.sim.trace import plain


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
    parts = [_sql_comment(script.title), script.setup]
    for step in script.steps:
        answer = (
            "waits" if step.is_blocked else f"answers {json.dumps(plain(step.result))}"
        )
        head = f"{step.number}. in session {step.session}; {answer}"
        parts.append(f"{_sql_comment(head)}{step.sql};\n")
    parts.append(_sql_comment("when done") + script.teardown)
    return "\n".join(parts)


def _indented(text: str) -> str:
    # The tester takes the first closing brace for the end of a step.
    lines = text.replace("}", "' || chr(125) || '").splitlines()
    return "".join(f"  {line}\n" for line in lines)


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in text.splitlines() or [""])


def _sql_comment(text: str) -> str:
    return "".join(f"-- {line}\n" for line in text.splitlines() or [""])

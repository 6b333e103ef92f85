"""Parsed SQL: PostgreSQL's own grammar, and the refusal of what is not modelled.

A parse tree is what the server's parser makes, as plain dictionaries. Whoever reads a
node says which of its fields it knows; any other field is refused by name, so nothing
is passed over in silence.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import pgparse  # type: ignore[import-not-found]  # compiled, ships no types

from wavecheck.scenarios.sql.session import SQLError
from wavecheck.sim.errors import InvalidScenario

Node = dict[str, Any]
"""A node of a parse tree: one key, its kind, and its fields."""

Fields = dict[str, Any]

_SILENT: Final = frozenset(
    {"location", "inh", "relpersistence", "stmt_len", "stmt_location", "name_location"}
)
"""Fields that say nothing beyond the defaults that the parser fills in."""


class NotModelled(Exception):
    """A part of a statement is not modelled; ends its compilation.

    Args:
        what: its name.
        at: its offset in the statement, in bytes; -1: unknown.
    """

    def __init__(self, what: str, at: int = -1) -> None:
        super().__init__(what)
        self.what = what
        self.at = at


def refusal(problem: NotModelled, sql: str, shown: str = "") -> InvalidScenario:
    """Return the error that a person sees for what is not modelled.

    Args:
        problem: what, and where in the text.
        sql: the text.
        shown: the one statement of it; empty: there is no other.
    """
    before = sql.encode()[: max(problem.at, 0)].decode(errors="ignore")
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    place = f" at line {line}, column {column}" if problem.at >= 0 else ""
    text = " ".join((shown or sql).split())
    return InvalidScenario(
        f"SQL that is not modelled: {problem.what}{place}\n"
        f"  statement  {text if len(text) <= 200 else text[:197] + '...'}\n"
        "next: --db URL runs it on PostgreSQL itself"
    )


@lru_cache(maxsize=4096)
def placed(sql: str) -> tuple[tuple[Node, int, str], ...]:
    """Return the statements of a text, each with its first byte and its own text.

    Raises:
        SQLError: PostgreSQL's grammar does not allow it.
    """
    if "\x00" in sql:
        raise SQLError("42601", "a null character in a statement")
    try:
        found = pgparse.parse(sql)
    except pgparse.PGQueryError as error:
        raise SQLError("42601", str(error.message)) from None
    encoded = sql.encode()
    made = []
    for one in found:
        at = one.get("stmt_location", 0)
        text = encoded[at : at + one["stmt_len"]] if "stmt_len" in one else encoded[at:]
        at += len(text) - len(text.lstrip())
        made.append((one["stmt"], at, text.decode().strip()))
    return tuple(made)


@lru_cache(maxsize=4096)
def parse_all(sql: str) -> tuple[Node, ...]:
    """Return the statements of a text.

    Raises:
        SQLError: PostgreSQL's grammar does not allow it.
    """
    return tuple([node for node, _, _ in placed(sql)])


def kind_of(node: Node) -> str:
    """Return the kind of a node."""
    return next(iter(node))


def fields_of(node: Node) -> tuple[str, Fields]:
    """Return kind and fields of a node."""
    return next(iter(node.items()))


def only(fields: Mapping[str, Any], *known: str, of: str) -> None:
    """Refuse a node that has a field beside those that are known.

    Raises:
        NotModelled: it has one.
    """
    for name, value in fields.items():
        if name not in known and name not in _SILENT and value not in _DEFAULTS:
            raise NotModelled(f"{of} with {_words(name)}", fields.get("location", -1))


_DEFAULTS: Final = (
    *(None, False, "", "LIMIT_OPTION_DEFAULT", "SETOP_NONE", "OVERRIDING_NOT_SET"),
    *("COERCE_EXPLICIT_CALL", "COERCE_IMPLICIT_CAST", "COERCE_SQL_SYNTAX"),
    *("DEFELEM_UNSPEC", "ONCOMMIT_NOOP", "DROP_RESTRICT", -1),
)


def _words(name: str) -> str:
    """Return a field's name in words: `groupClause` as `group clause`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).lower()


def string(node: Node) -> str:
    """Return the text of a String node."""
    return str(node["String"].get("sval", ""))


def strings(nodes: list[Node]) -> list[str]:
    """Return the texts of String nodes."""
    return [string(one) for one in nodes]


def function_name(fields: Fields) -> str:
    """Return the name of a function that is called, without `pg_catalog`."""
    names = strings(fields["funcname"])
    if len(names) == 2 and names[0] == "pg_catalog":
        return names[1]
    return ".".join(names)


def table_name(fields: Fields) -> str:
    """Return the name of a table; of the schema `public` the bare one.

    Raises:
        NotModelled: it is in another database, or ONLY is asked for.
    """
    if "catalogname" in fields:
        raise NotModelled("a table of another database", fields.get("location", -1))
    schema = fields.get("schemaname", "public")
    name = str(fields["relname"])
    return name if schema == "public" else f"{schema}.{name}"


def truncated(identifier: str) -> str:
    """Return an identifier as the server keeps it: 63 bytes at most."""
    return identifier.encode()[:63].decode(errors="ignore")


def constant_text(node: Node) -> Any:
    """Return the text of a constant, or None."""
    body = node.get("A_Const", {})
    return body["sval"].get("sval", "") if "sval" in body else None


def without_places(node: Any) -> str:
    """Return a text that is the same for equal expressions, wherever they stand."""
    if isinstance(node, dict):
        items = [
            f"{name}:{without_places(value)}"
            for name, value in node.items()
            if name != "location"
        ]
        return "{" + ",".join(items) + "}"
    if isinstance(node, list):
        return "[" + ",".join(map(without_places, node)) + "]"
    return repr(node)

"""PostgreSQL's types and their values: literals in, what a driver shows out.

Knows no statement and no table. Values are plain and immutable, so that rows are part
of a state: an array is a tuple, JSON is its text, an interval is three numbers.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from wavecheck.scenarios.sql.session import SQLError

_MICROSECONDS: Final = {
    "microsecond": 1,
    "millisecond": 1_000,
    "second": 1_000_000,
    "sec": 1_000_000,
    "s": 1_000_000,
    "minute": 60_000_000,
    "min": 60_000_000,
    "m": 60_000_000,
    "hour": 3_600_000_000,
    "hr": 3_600_000_000,
    "h": 3_600_000_000,
}
_DAYS: Final = {"day": 1, "d": 1, "week": 7, "w": 7}
_MONTHS: Final = {"month": 1, "mon": 1, "year": 12, "yr": 12, "y": 12}
_DAY_MICROSECONDS: Final = 86_400_000_000


class Interval(NamedTuple):
    """An interval, as PostgreSQL keeps it."""

    months: int
    days: int
    microseconds: int

    def span(self) -> int:
        """Return how long it is for a comparison: months of 30 days of 24 hours."""
        days = self.months * 30 + self.days
        return days * _DAY_MICROSECONDS + self.microseconds


INTEGERS: Final = {"int2": 15, "int4": 31, "int8": 63}
"""Bits of the integer types."""

NUMBERS: Final = ("int2", "int4", "int8", "numeric", "float4", "float8")
"""In the order in which they are promoted."""

STRINGS: Final = frozenset({"text", "varchar", "bpchar", "name"})
KNOWN: Final = frozenset(
    {
        *INTEGERS,
        *NUMBERS,
        *STRINGS,
        *("bool", "timestamptz", "timestamp", "date", "time", "interval"),
        *("uuid", "json", "jsonb", "bytea", "xid8", "xid", "pg_snapshot", "oid"),
        *("txid_snapshot", "void", "record", "regclass"),
    }
)
_ALIASES: Final = {
    "serial": "int4",
    "serial4": "int4",
    "bigserial": "int8",
    "serial8": "int8",
    "smallserial": "int2",
    "serial2": "int2",
    "int": "int4",
    "integer": "int4",
    "bigint": "int8",
    "smallint": "int2",
    "boolean": "bool",
    "decimal": "numeric",
}
SERIALS: Final = frozenset(
    {"serial", "serial4", "bigserial", "serial8", "smallserial", "serial2"}
)


def canonical(name: str) -> str:
    """Return PostgreSQL's own name of a type."""
    return _ALIASES.get(name, name)


def element_of(kind: str) -> str:
    """Return the type of an array's elements; empty if it is no array."""
    return kind[1:] if kind.startswith("_") else ""


def bad_literal(kind: str, text: str) -> SQLError:
    """Return the error for a text that is no value of a type."""
    shown = _SHOWN.get(kind, kind)
    state = "22007" if kind in ("timestamptz", "timestamp", "date", "time") else "22P02"
    if kind == "interval":
        state = "22007"
    return SQLError(state, f'invalid input syntax for type {shown}: "{text}"')


_SHOWN: Final = {
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "bool": "boolean",
    "float8": "double precision",
    "float4": "real",
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone",
    "time": "time without time zone",
    "varchar": "character varying",
    "bpchar": "character",
}


def shown_type(kind: str) -> str:
    """Return a type as the server's messages call it."""
    if element := element_of(kind):
        return f"{shown_type(element)}[]"
    return _SHOWN.get(kind, kind)


def check_integer(kind: str, value: int) -> int:
    """Return an integer that its type can hold.

    Raises:
        SQLError: it cannot.
    """
    bits = INTEGERS[kind]
    if not -(1 << bits) <= value < 1 << bits:
        raise SQLError("22003", f"{shown_type(kind)} out of range")
    return value


def _parse_bool(text: str) -> bool:
    word = text.strip().lower()
    if word and any(one.startswith(word) for one in ("true", "yes", "on", "1")):
        return word != "o"
    if word and any(one.startswith(word) for one in ("false", "no", "off", "0")):
        return False
    raise bad_literal("bool", text)


def _parse_integer(kind: str) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\s*[+-]?\d+\s*", text):
            raise bad_literal(kind, text)
        value, bits = int(text), INTEGERS[kind]
        if not -(1 << bits) <= value < 1 << bits:
            raise SQLError(
                "22003",
                f'value "{text}" is out of range for type {shown_type(kind)}',
            )
        return value

    return parse


def _parse_numeric(text: str) -> Decimal:
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        raise bad_literal("numeric", text) from None


def _parse_float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise bad_literal("float8", text) from None


def _parse_moment(kind: str) -> Callable[[str], datetime]:
    def parse(text: str) -> datetime:
        try:
            found = datetime.fromisoformat(text.strip())
        except ValueError:
            raise bad_literal(kind, text) from None
        if kind == "timestamp":
            return found.replace(tzinfo=None)
        zone = found.tzinfo or UTC
        return found.replace(tzinfo=zone).astimezone(UTC)

    return parse


def _parse_date(text: str) -> date:
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError:
        raise bad_literal("date", text) from None


def _parse_time(text: str) -> time:
    try:
        return time.fromisoformat(text.strip())
    except ValueError:
        raise bad_literal("time", text) from None


def _parse_uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise bad_literal("uuid", text) from None


@lru_cache(maxsize=512)
def parse_interval(text: str) -> Interval:
    """Return the interval that a text such as `1 day 02:03:04` stands for."""
    months = days = microseconds = 0
    rest = text.strip().lower()
    sign = -1 if rest.endswith(" ago") else 1
    rest = rest.removesuffix(" ago")
    pattern = re.compile(
        r"\s*(?:([+-]?)(\d+):(\d+)(?::(\d+(?:\.\d+)?))?|([+-]?\d+(?:\.\d+)?)\s*([a-z]*))\s*"
    )
    at = 0
    while at < len(rest):
        found = pattern.match(rest, at)
        if found is None or found.end() == at:
            raise bad_literal("interval", text)
        at = found.end()
        if found[2] is not None:
            seconds = Decimal(found[4] or 0)
            amount = int(
                (int(found[2]) * 3600 + int(found[3]) * 60 + seconds) * 1_000_000
            )
            microseconds += -amount if found[1] == "-" else amount
            continue
        unit, number = (found[6] or "second"), Decimal(found[5])
        unit = unit.removesuffix("s") if len(unit) > 1 else unit
        if unit in _MICROSECONDS:
            microseconds += int(number * _MICROSECONDS[unit])
        elif unit in _DAYS:
            whole = number * _DAYS[unit]
            days += int(whole)
            microseconds += int((whole - int(whole)) * _DAY_MICROSECONDS)
        elif unit in _MONTHS:
            if number != int(number):
                raise bad_literal("interval", text)
            months += int(number) * _MONTHS[unit]
        else:
            raise bad_literal("interval", text)
    return Interval(sign * months, sign * days, sign * microseconds)


def normal_json(kind: str, text: str) -> str:
    """Return a text of JSON as the type keeps it.

    Raises:
        SQLError: it is none.
    """
    try:
        value = json.loads(text)
    except ValueError:
        raise SQLError("22P02", f"invalid input syntax for type {kind}") from None
    return dump_json(value) if kind == "jsonb" else text


def dump_json(value: Any) -> str:
    """Return JSON as `jsonb` keeps it: keys by length, then by text."""
    return json.dumps(_sorted(value), ensure_ascii=False)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: (len(name.encode()), name))
        return {name: _sorted(value[name]) for name in names}
    if isinstance(value, list):
        return [_sorted(one) for one in value]
    return value


def _parse_bytes(text: str) -> bytes:
    if not text.startswith("\\x"):
        return text.encode()
    try:
        return bytes.fromhex(text[2:])
    except ValueError:
        raise SQLError("22023", "invalid hexadecimal data") from None


def _parse_array(element: str, text: str) -> tuple[Any, ...]:
    inside = text.strip()
    if not (inside.startswith("{") and inside.endswith("}")):
        raise SQLError("22P02", f'malformed array literal: "{text}"')
    items: list[Any] = []
    pattern = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,"{}\\]*))\s*(,|$)')
    at, body = 0, inside[1:-1]
    while body.strip():
        found = pattern.match(body, at)
        if found is None:
            raise SQLError("22P02", f'malformed array literal: "{text}"')
        if found[1] is not None:
            items.append(parse_text(element, re.sub(r"\\(.)", r"\1", found[1])))
        elif found[2].strip().upper() == "NULL":
            items.append(None)
        else:
            items.append(parse_text(element, found[2].strip()))
        at = found.end()
        if not found[3]:
            break
    return tuple(items)


_PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    "bool": _parse_bool,
    "int2": _parse_integer("int2"),
    "int4": _parse_integer("int4"),
    "int8": _parse_integer("int8"),
    "xid8": _parse_integer("int8"),
    "oid": _parse_integer("int8"),
    "numeric": _parse_numeric,
    "float4": _parse_float,
    "float8": _parse_float,
    "timestamptz": _parse_moment("timestamptz"),
    "timestamp": _parse_moment("timestamp"),
    "date": _parse_date,
    "time": _parse_time,
    "interval": parse_interval,
    "uuid": _parse_uuid,
    "bytea": _parse_bytes,
}


def parse_text(kind: str, text: str) -> Any:
    """Return the value of a type that a text stands for.

    Raises:
        SQLError: it stands for none.
    """
    if element := element_of(kind):
        return _parse_array(element, text)
    if kind in ("json", "jsonb"):
        return normal_json(kind, text)
    parser = _PARSERS.get(kind)
    return text if parser is None else parser(text)


def to_text(kind: str, value: Any) -> str:
    """Return a value as PostgreSQL writes it."""
    if element := element_of(kind):
        return "{" + ",".join(_array_item(element, one) for one in value) + "}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        text = value.isoformat(sep=" ")
        return text.removesuffix(":00") if value.tzinfo else text
    if isinstance(value, Interval):
        return _interval_text(value)
    if isinstance(value, float):
        return repr(int(value)) if value == int(value) else repr(value)
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)


def _array_item(element: str, value: Any) -> str:
    if value is None:
        return "NULL"
    text = to_text(element, value)
    if isinstance(value, bool):
        return text[0]
    if not text or re.search(r'[\s,"{}\\]', text) or text.upper() == "NULL":
        return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
    return text


def _interval_text(value: Interval) -> str:
    years, months = divmod(abs(value.months), 12)
    parts = []
    sign = "-" if value.months < 0 else ""
    if years:
        parts.append(f"{sign}{years} year{'s' if years != 1 else ''}")
    if months:
        parts.append(f"{sign}{months} mon{'s' if months != 1 else ''}")
    if value.days:
        parts.append(f"{value.days} day{'s' if value.days != 1 else ''}")
    if value.microseconds or not parts:
        seconds, left = divmod(abs(value.microseconds), 1_000_000)
        clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        clock += f".{left:06}".rstrip("0") if left else ""
        parts.append(("-" if value.microseconds < 0 else "") + clock)
    return " ".join(parts)


def shown(kind: str, value: Any) -> Any:
    """Return a value as a driver gives it to a program."""
    if value is None:
        return None
    if element := element_of(kind):
        return [shown(element, one) for one in value]
    if kind == "interval":
        years, months = divmod(abs(value.months), 12)
        days = (years * 365 + months * 30) * (1 if value.months > 0 else -1)
        return timedelta(days=days + value.days, microseconds=value.microseconds)
    return value


def type_of(value: Any) -> str:
    """Return the type that a driver sends a parameter as; a text's is unknown."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        for kind in ("int2", "int4", "int8"):
            if -(1 << INTEGERS[kind]) <= value < 1 << INTEGERS[kind]:
                return kind
        return "numeric"
    if isinstance(value, datetime):
        return "timestamptz" if value.tzinfo else "timestamp"
    for kind_of, name in _PYTHON.items():
        if isinstance(value, kind_of):
            return name
    if isinstance(value, list | tuple):
        inner = next((type_of(one) for one in value if one is not None), "unknown")
        kinds = {type_of(one) for one in value if one is not None}
        if len(kinds) > 1 and kinds <= set(NUMBERS):
            inner = max(kinds, key=NUMBERS.index)
        return "unknown" if inner == "unknown" and not value else f"_{inner}"
    return "unknown"


_PYTHON: Final[dict[type, str]] = {
    float: "float8",
    Decimal: "numeric",
    date: "date",
    time: "time",
    timedelta: "interval",
    UUID: "uuid",
    bytes: "bytea",
}


def kept(value: Any) -> Any:
    """Return a parameter as a plain, immutable value."""
    if isinstance(value, timedelta):
        whole = value.seconds * 1_000_000 + value.microseconds
        return Interval(0, value.days, whole)
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC)
    if isinstance(value, list | tuple):
        return tuple([kept(one) for one in value])
    return value


def public_type(kind: str) -> str:
    """Return the name of a type as an `Answer` has it."""
    if element := element_of(kind):
        return f"{element}[]"
    return kind

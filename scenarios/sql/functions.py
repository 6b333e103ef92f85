"""PostgreSQL's functions on plain values, by name and types of their arguments.

Knows no statement. What is not in these tables is refused by name.
"""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from hashlib import md5
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wavecheck.scenarios.sql.operators import (
    divide_numerics,
    json_text,
    round_numeric,
    wider,
)
from wavecheck.scenarios.sql.parsing import NotModelled
from wavecheck.scenarios.sql.session import SQLError
from wavecheck.scenarios.sql.values import (
    INTEGERS,
    Interval,
    dump_json,
    element_of,
    to_text,
)

if TYPE_CHECKING:
    from wavecheck.scenarios.sql.terms import Expression


class Overload(NamedTuple):
    """A function for arguments of some types.

    Attributes:
        takes: types of the arguments; `any` for any; the last one may repeat after
            `...`.
        kind: type of the result; `first` that of the first argument, `element` that of
            its elements.
        act: gives the result; not called if an argument is NULL, unless it is lenient.
        is_lenient: it is called with NULL as well.
        needs_kinds: it is called with the types of the arguments first.
    """

    takes: tuple[str, ...]
    kind: str
    act: Callable[..., Any]
    is_lenient: bool = False
    needs_kinds: bool = False


def _trim(text: str, characters: str = " ") -> str:
    return text.strip(characters)


def _substring(text: str, start: int, length: int | None = None) -> str:
    if length is not None and length < 0:
        raise SQLError("22011", "negative substring length not allowed")
    end = None if length is None else max(start - 1 + length, 0)
    return text[max(start - 1, 0) : end]


def _split_part(text: str, by: str, number: int) -> str:
    parts = text.split(by) if by else [text]
    if not number:
        raise SQLError("22023", "field position must not be zero")
    index = number - 1 if number > 0 else len(parts) + number
    return parts[index] if 0 <= index < len(parts) else ""


def _left(text: str, count: int) -> str:
    return text[:count]


def _right(text: str, count: int) -> str:
    if count >= 0:
        return text[max(len(text) - count, 0) :]
    return text[-count:]


def _concat(kinds: list[str], *values: Any) -> str:
    return "".join(
        to_text(kind, value)
        for kind, value in zip(kinds, values, strict=True)
        if value is not None
    )


def _round(value: Decimal, scale: int = 0) -> Decimal:
    if scale < 0:
        unit = Decimal(1).scaleb(-scale)
        return round_numeric(value / unit, 0) * unit
    return round_numeric(value, scale)


def _round_even(value: float) -> float:
    return float(round(value))


_TRUNCATED: Final = (
    *("microseconds", "milliseconds", "second", "minute", "hour"),
    *("day", "month", "year"),
)


def _date_trunc(unit: str, moment: datetime) -> datetime:
    unit = unit.lower()
    if unit == "week":
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        return day - timedelta(days=day.weekday())
    if unit not in _TRUNCATED or unit.endswith("s"):
        raise NotModelled(f"date_trunc of {unit!r}")
    zeros = {
        "microsecond": 0,
        "second": 0,
        "minute": 0,
        "hour": 0,
        "day": 1,
        "month": 1,
    }
    names = list(zeros)
    place = names.index(unit) if unit in names else len(names)
    return moment.replace(**{name: zeros[name] for name in names[:place]})  # type: ignore[arg-type]  # all are numbers


def _extract(part: str, value: Any) -> Decimal:
    part = part.lower()
    if isinstance(value, Interval):
        if part == "epoch":
            seconds = Decimal(value.microseconds) / 1_000_000
            days = value.days + (value.months % 12) * 30
            years = Decimal(value.months // 12) * Decimal("365.25")
            return round_numeric(seconds + 86400 * (days + years), 6)
        raise NotModelled(f"extract of {part!r} from an interval")
    if part == "epoch":
        zone = (
            value
            if isinstance(value, datetime)
            else datetime.combine(value, datetime.min.time())
        )
        span = zone.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        whole = (span.days * 86400 + span.seconds) * 1_000_000 + span.microseconds
        return Decimal(whole).scaleb(-6)
    simple = {"year", "month", "day", "hour", "minute"}
    if part in simple:
        return Decimal(getattr(value, part))
    if part == "second":
        return Decimal(value.second * 1_000_000 + value.microsecond).scaleb(-6)
    if part == "dow":
        return Decimal(value.isoweekday() % 7)
    raise NotModelled(f"extract of {part!r}")


def _json_value(kind: str, value: Any) -> Any:
    """Return a value as a piece of JSON."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if kind in ("json", "jsonb"):
        return json.loads(value)
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    if element := element_of(kind):
        return [_json_value(element, one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return to_text(kind, value)


def _to_json(kinds: list[str], value: Any) -> str:
    return dump_json(_json_value(kinds[0], value))


def _build_object(kinds: list[str], *values: Any) -> str:
    if len(values) % 2:
        raise SQLError("22023", "argument list must have even number of elements")
    pairs = list(zip(kinds, values, strict=True))
    made = {}
    for (kind, name), (value_kind, value) in zip(pairs[::2], pairs[1::2], strict=True):
        if name is None:
            raise SQLError("22023", "argument 1: key must not be null")
        made[to_text(kind, name)] = _json_value(value_kind, value)
    return dump_json(made)


def _build_array(kinds: list[str], *values: Any) -> str:
    items = zip(kinds, values, strict=True)
    return dump_json([_json_value(kind, value) for kind, value in items])


def _jsonb_set(
    text: str,
    path: tuple[str, ...],
    new: str,
    creates: bool = True,
) -> str:
    value = json.loads(text)
    at = value
    for index, name in enumerate(path):
        is_last = index == len(path) - 1
        if isinstance(at, dict):
            if is_last and (creates or name in at):
                at[name] = json.loads(new)
            if name not in at:
                break
            at = at[name]
        elif isinstance(at, list) and name.lstrip("-").isdigit():
            place = int(name)
            if not -len(at) <= place < len(at):
                break
            if is_last:
                at[place] = json.loads(new)
            at = at[place]
        else:
            break
    return dump_json(value)


def _typeof(text: str) -> str:
    value = json.loads(text)
    if value is None:
        return "null"
    for kind, name in (
        (bool, "boolean"),
        (str, "string"),
        (dict, "object"),
        (list, "array"),
    ):
        if isinstance(value, kind):
            return name
    return "number"


def _array_length(text: str) -> int:
    value = json.loads(text)
    if not isinstance(value, list):
        raise SQLError("22023", "cannot get array length of a non-array")
    return len(value)


def _path_text(text: str, *path: str) -> str | None:
    value = json.loads(text)
    for name in path:
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return json_text(value)


NAMED_ARGUMENTS: Final = {
    "make_interval": ("years", "months", "weeks", "days", "hours", "mins", "secs")
}
"""Functions whose arguments may be given by name, and are 0 if they are not given."""


def _make_interval(*parts: int) -> Interval:
    years, months, weeks, days, hours, minutes, seconds = [
        *parts,
        *[0] * (7 - len(parts)),
    ]
    whole = (hours * 3600 + minutes * 60) * 1_000_000 + round(seconds * 1_000_000)
    return Interval(years * 12 + months, weeks * 7 + days, whole)


def _position(items: tuple[Any, ...], item: Any) -> int | None:
    return items.index(item) + 1 if item in items else None


def _array_to_text(kinds: list[str], items: tuple[Any, ...], by: str) -> str:
    kind = element_of(kinds[0])
    return by.join(to_text(kind, one) for one in items if one is not None)


def _at_zone(zone: str, moment: datetime) -> datetime:
    if zone.upper() not in ("UTC", "GMT", "ETC/UTC", "Z"):
        raise NotModelled(f"the time zone {zone!r}")
    return moment.replace(tzinfo=None if moment.tzinfo else UTC)


_TEXT: Final = ("text",)
SCALARS: Final[dict[str, tuple[Overload, ...]]] = {
    "lower": (Overload(_TEXT, "text", str.lower),),
    "upper": (Overload(_TEXT, "text", str.upper),),
    "length": (Overload(_TEXT, "int4", len),),
    "char_length": (Overload(_TEXT, "int4", len),),
    "btrim": (
        Overload(_TEXT, "text", _trim),
        Overload(("text", "text"), "text", _trim),
    ),
    "substring": (
        Overload(("text", "int4"), "text", _substring),
        Overload(("text", "int4", "int4"), "text", _substring),
    ),
    "replace": (Overload(("text",) * 3, "text", str.replace),),
    "split_part": (Overload(("text", "text", "int4"), "text", _split_part),),
    "left": (Overload(("text", "int4"), "text", _left),),
    "right": (Overload(("text", "int4"), "text", _right),),
    "strpos": (Overload(("text", "text"), "int4", lambda a, b: a.find(b) + 1),),
    "starts_with": (Overload(("text", "text"), "bool", str.startswith),),
    "md5": (
        Overload(
            _TEXT,
            "text",
            lambda text: md5(text.encode(), usedforsecurity=False).hexdigest(),
        ),
    ),
    "concat": (
        Overload(("any", "..."), "text", _concat, is_lenient=True, needs_kinds=True),
    ),
    "abs": (
        Overload(("int4",), "int4", abs),
        Overload(("int8",), "int8", abs),
        Overload(("numeric",), "numeric", abs),
        Overload(("float8",), "float8", abs),
    ),
    "mod": (
        Overload(("int4", "int4"), "int4", lambda a, b: int(math.fmod(a, b))),
        Overload(("int8", "int8"), "int8", lambda a, b: a - b * int(a / b)),
    ),
    "ceil": (
        Overload(("numeric",), "numeric", lambda a: a.to_integral_value(ROUND_CEILING)),
        Overload(("float8",), "float8", lambda a: float(math.ceil(a))),
    ),
    "floor": (
        Overload(("numeric",), "numeric", lambda a: a.to_integral_value(ROUND_FLOOR)),
        Overload(("float8",), "float8", lambda a: float(math.floor(a))),
    ),
    "round": (
        Overload(("numeric",), "numeric", _round),
        Overload(("numeric", "int4"), "numeric", _round),
        Overload(("float8",), "float8", _round_even),
    ),
    "date_trunc": (
        Overload(("text", "timestamptz"), "timestamptz", _date_trunc),
        Overload(("text", "timestamp"), "timestamp", _date_trunc),
    ),
    "extract": (
        Overload(("text", "timestamptz"), "numeric", _extract),
        Overload(("text", "timestamp"), "numeric", _extract),
        Overload(("text", "date"), "numeric", _extract),
        Overload(("text", "interval"), "numeric", _extract),
    ),
    "to_timestamp": (
        Overload(
            ("float8",),
            "timestamptz",
            lambda seconds: (
                datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
            ),
        ),
    ),
    "timezone": (
        Overload(("text", "timestamptz"), "timestamp", _at_zone),
        Overload(("text", "timestamp"), "timestamptz", _at_zone),
    ),
    "make_interval": (
        *[Overload(("int4",) * n, "interval", _make_interval) for n in range(7)],
        Overload((*("int4",) * 6, "float8"), "interval", _make_interval),
    ),
    "array_length": (
        Overload(
            ("array", "int4"),
            "int4",
            lambda items, of: len(items) if items and of == 1 else None,
        ),
    ),
    "cardinality": (Overload(("array",), "int4", len),),
    "array_append": (
        Overload(
            ("array", "element"),
            "first",
            lambda items, one: (*(items or ()), one),
            is_lenient=True,
        ),
    ),
    "array_remove": (
        Overload(
            ("array", "element"),
            "first",
            lambda items, one: tuple([item for item in items if item != one]),
        ),
    ),
    "array_position": (Overload(("array", "element"), "int4", _position),),
    "array_to_string": (
        Overload(("array", "text"), "text", _array_to_text, needs_kinds=True),
    ),
    "string_to_array": (
        Overload(
            ("text", "text"),
            "_text",
            lambda text, by: tuple(text.split(by)) if text else (),
        ),
    ),
    "to_jsonb": (Overload(("any",), "jsonb", _to_json, needs_kinds=True),),
    "to_json": (Overload(("any",), "json", _to_json, needs_kinds=True),),
    "jsonb_build_object": (
        Overload((), "jsonb", lambda: "{}"),
        Overload(
            ("any", "..."), "jsonb", _build_object, is_lenient=True, needs_kinds=True
        ),
    ),
    "jsonb_build_array": (
        Overload((), "jsonb", lambda: "[]"),
        Overload(
            ("any", "..."), "jsonb", _build_array, is_lenient=True, needs_kinds=True
        ),
    ),
    "jsonb_set": (
        Overload(("jsonb", "_text", "jsonb"), "jsonb", _jsonb_set),
        Overload(("jsonb", "_text", "jsonb", "bool"), "jsonb", _jsonb_set),
    ),
    "jsonb_typeof": (Overload(("jsonb",), "text", _typeof),),
    "jsonb_array_length": (Overload(("jsonb",), "int4", _array_length),),
    "jsonb_extract_path_text": (
        Overload(("jsonb", "text", "..."), "text", _path_text),
    ),
    "pg_snapshot_xmin": (
        Overload(("pg_snapshot",), "xid8", lambda text: int(text.split(":")[0])),
    ),
    "pg_snapshot_xmax": (
        Overload(("pg_snapshot",), "xid8", lambda text: int(text.split(":")[1])),
    ),
    "pg_visible_in_snapshot": (
        Overload(
            ("xid8", "pg_snapshot"), "bool", lambda xid, text: _is_visible(xid, text)
        ),
    ),
}
_SAME: Final = {
    "char_length": "length",
    "character_length": "length",
    "substr": "substring",
    "ceiling": "ceil",
    "date_part": "",
    "position": "",
    "txid_snapshot_xmin": "pg_snapshot_xmin",
    "txid_snapshot_xmax": "pg_snapshot_xmax",
    "txid_visible_in_snapshot": "pg_visible_in_snapshot",
    "json_build_object": "",
}


def _is_visible(number: int, snapshot: str) -> bool:
    low, high, running = snapshot.split(":")
    if number < int(low):
        return True
    others = [int(one) for one in running.split(",") if one]
    return number < int(high) and number not in others


def overload(name: str, kinds: list[str]) -> Overload | None:
    """Return the function of a name for arguments of some types; None: unknown name.

    Raises:
        SQLError: there is none for such arguments.
    """
    found = SCALARS.get(_SAME.get(name, name) or name)
    if found is None:
        return None
    for suits in (_is_exact, _is_near):
        for one in found:
            takes = expanded(one.takes, len(kinds))
            if takes is not None and all(map(suits, takes, kinds)):
                return one
    return _none_such(name, kinds)


def _none_such(name: str, kinds: list[str]) -> Overload:
    shown = ", ".join(kinds)
    raise SQLError("42883", f"function {name}({shown}) does not exist")


def expanded(takes: tuple[str, ...], count: int) -> tuple[str, ...] | None:
    """Return the types that so many arguments are brought to; None: a wrong number."""
    if takes and takes[-1] == "...":
        fixed = takes[:-1]
        if count < len(fixed):
            return None
        return fixed + (fixed[-1],) * (count - len(fixed))
    return takes if len(takes) == count else None


def _is_exact(takes: str, kind: str) -> bool:
    if takes in ("any", "element"):
        return True
    if takes == "array":
        return bool(element_of(kind))
    return kind == takes or (takes == "text" and kind in ("varchar", "bpchar", "name"))


def _is_near(takes: str, kind: str) -> bool:
    if kind == "unknown" or _is_exact(takes, kind):
        return takes != "array" or kind != "unknown"
    return bool(wider(takes, kind)) and (
        wider(takes, kind) == takes
        or (takes in ("int4", "numeric") and kind in INTEGERS)
    )


def moment_function(name: str, at: int) -> "Expression":
    """Return CURRENT_TIMESTAMP and its like: the begin of the transaction."""
    from wavecheck.scenarios.sql.terms import Expression

    if name in ("current_timestamp", "now", "transaction_timestamp"):
        return Expression(lambda frame: frame.facts.began, "timestamptz")
    if name == "localtimestamp":
        return Expression(
            lambda frame: frame.facts.began.replace(tzinfo=None), "timestamp"
        )
    if name == "current_date":
        return Expression(lambda frame: frame.facts.began.date(), "date")
    raise NotModelled(name.upper(), at)


# Aggregates ---------------------------------------------------------------------------


def _sum_kind(kind: str) -> str:
    return {"int2": "int8", "int4": "int8", "int8": "numeric"}.get(kind, kind)


def _sum(kind: str) -> Callable[[list[Any]], Any]:
    if kind == "int8":
        return lambda values: Decimal(sum(values)) if values else None
    if kind == "interval":
        return lambda values: (
            Interval(*map(sum, zip(*values, strict=True))) if values else None
        )
    return lambda values: sum(values[1:], values[0]) if values else None


def _average(values: list[Any]) -> Any:
    if not values:
        return None
    if isinstance(values[0], float):
        return sum(values) / len(values)
    total = sum((Decimal(one) for one in values), Decimal(0))
    return divide_numerics(total, Decimal(len(values)))


def _extreme(pick: Callable[..., Any], kind: str) -> Callable[[list[Any]], Any]:
    key = Interval.span if kind == "interval" else None
    return lambda values: pick(values, key=key) if values else None


def aggregate(name: str, kind: str) -> tuple[Callable[[list[Any]], Any], str] | None:
    """Return an aggregate over values that are not NULL, and the type of its result.

    None: there is none of that name. Those that keep NULLs are not made here.
    """
    if name == "count":
        return len, "int8"
    if name == "sum":
        return _sum(kind), _sum_kind(kind)
    if name == "avg":
        return _average, "float8" if kind.startswith("float") else "numeric"
    if name in ("min", "max"):
        return _extreme(min if name == "min" else max, kind), kind
    if name in ("bool_and", "every"):
        return lambda values: all(values) if values else None, "bool"
    if name == "bool_or":
        return lambda values: any(values) if values else None, "bool"
    return None


def json_list(kind: str, values: list[Any]) -> str | None:
    """Return the array of JSON that `jsonb_agg` makes."""
    return dump_json([_json_value(kind, one) for one in values]) if values else None

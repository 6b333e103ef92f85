"""PostgreSQL's operators and casts on plain values, chosen by the types on both sides.

Knows types and values, no parse trees. What PostgreSQL has no operator for is its error
42883 here, too; what it has and is not modelled is refused.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from operator import add, eq, ge, gt, le, lt, mul, ne, sub
from typing import Any, Final

from wavecheck.scenarios.sql.parsing import NotModelled
from wavecheck.scenarios.sql.session import SQLError
from wavecheck.scenarios.sql.values import (
    INTEGERS,
    NUMBERS,
    STRINGS,
    Interval,
    bad_literal,
    check_integer,
    dump_json,
    element_of,
    parse_text,
    shown_type,
    to_text,
)

Binary = Callable[[Any, Any], Any]
_EXACT: Final = Context(prec=400, rounding=ROUND_HALF_UP)
_COMPARISONS: Final[dict[str, Binary]] = {
    "=": eq,
    "<>": ne,
    "!=": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}
_MOMENTS: Final = ("date", "timestamp", "timestamptz")


def common_type(kinds: list[str], what: str) -> str:
    """Return the type that several expressions are brought to.

    Raises:
        SQLError: there is none.
    """
    known = [kind for kind in kinds if kind != "unknown"]
    if not known:
        return "text"
    found = known[0]
    for kind in known[1:]:
        if kind == found:
            continue
        both = wider(found, kind)
        if not both:
            raise SQLError(
                "42804",
                f"{what} types {shown_type(found)} and {shown_type(kind)} cannot be"
                " matched",
            )
        found = both
    return found


def wider(one: str, other: str) -> str:
    """Return the type that values of two types are compared as; empty: none."""
    if one == other:
        return one
    if one in NUMBERS and other in NUMBERS:
        kind = max(one, other, key=NUMBERS.index)
        return "float8" if kind == "float4" else kind
    if one in STRINGS and other in STRINGS:
        return "text"
    if one in _MOMENTS and other in _MOMENTS:
        return max(one, other, key=_MOMENTS.index)
    pair = {one, other}
    if pair <= {"oid", *INTEGERS} or pair <= {"xid", "int4"}:
        return "int8"
    if element_of(one) and element_of(other):
        inner = wider(element_of(one), element_of(other))
        return f"_{inner}" if inner else ""
    return ""


def no_operator(name: str, left: str, right: str) -> Exception:
    """Return PostgreSQL's error where it has no such operator, else the refusal.

    Only for arithmetic and comparisons of plain types it is known what there is not.
    """
    shown = f"{shown_type(left)} {name} {shown_type(right)}".strip()
    if name in _COMPLETE and {left, right} <= _PLAIN:
        return SQLError("42883", f"operator does not exist: {shown}")
    return NotModelled(f"the operator {shown}")


_COMPLETE: Final = frozenset({*"+-*/%=<>", "<>", "<=", ">=", "||"})
_PLAIN: Final = frozenset({"", "unknown", "bool", "uuid", *NUMBERS, *STRINGS})


def comparison(name: str, kind: str) -> Binary:
    """Return a comparison of two values of one type."""
    compare = _COMPARISONS[name]
    if kind == "interval":
        return lambda one, other: compare(one.span(), other.span())
    if kind == "jsonb" and name in ("=", "<>", "!="):
        return lambda one, other: compare(json.loads(one), json.loads(other))
    if kind in ("json", "pg_snapshot", "jsonb"):
        raise no_operator(name, kind, kind)
    if kind == "bpchar":
        return lambda one, other: compare(one.rstrip(" "), other.rstrip(" "))
    if element_of(kind):
        return lambda one, other: compare(
            [(item is None, item) for item in one],
            [(item is None, item) for item in other],
        )
    return compare


def binary(name: str, left: str, right: str) -> tuple[Binary, str, str, str]:
    """Return an operator for two types.

    Returns:
        What it does, the types that both sides are brought to, and that of its result.

    Raises:
        SQLError: there is no such operator.
    """
    if name in _COMPARISONS:
        kind = wider(left, right)
        if not kind:
            raise no_operator(name, left, right)
        return comparison(name, kind), kind, kind, "bool"
    for choose in (_arithmetic, _moment, _text, _json, _array):
        found = choose(name, left, right)
        if found is not None:
            return found
    raise no_operator(name, left, right)


Found = tuple[Binary, str, str, str] | None


def _arithmetic(name: str, left: str, right: str) -> Found:
    if left not in NUMBERS or right not in NUMBERS:
        return None
    kind = wider(left, right)
    if kind in INTEGERS:
        whole = _INTEGER.get(name)
        if whole is None:
            return None
        return lambda a, b: check_integer(kind, whole(a, b)), kind, kind, kind
    if kind == "numeric":
        exact = _NUMERIC.get(name)
        return None if exact is None else (exact, kind, kind, kind)
    rough = _FLOAT.get(name)
    return None if rough is None else (rough, kind, kind, kind)


def _zero() -> SQLError:
    return SQLError("22012", "division by zero")


def _divide_integers(one: int, other: int) -> int:
    if not other:
        raise _zero()
    result = abs(one) // abs(other)
    return result if (one < 0) == (other < 0) else -result


def _modulo_integers(one: int, other: int) -> int:
    if not other:
        raise _zero()
    return one - other * _divide_integers(one, other)


def _weight(value: Decimal) -> tuple[int, int]:
    """Return the weight of a number in digits of base 10,000, and its first one."""
    if not value:
        return 0, 0
    exponent = value.adjusted() // 4
    first = int(abs(value).scaleb(-4 * exponent, _EXACT))
    return exponent, first


def divide_numerics(one: Decimal, other: Decimal) -> Decimal:
    """Divide as `select_div_scale` of PostgreSQL's numeric.c rounds it."""
    if not other:
        raise _zero()
    weight, first = _weight(one)
    other_weight, other_first = _weight(other)
    quotient = weight - other_weight - (first <= other_first)
    scale = max(16 - quotient * 4, scale_of(one), scale_of(other), 0)
    return round_numeric(_EXACT.divide(one, other), min(scale, 1000))


def scale_of(value: Decimal) -> int:
    """Return how many digits a number has after its point."""
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def round_numeric(value: Decimal, scale: int) -> Decimal:
    """Round half away from zero to so many digits after the point."""
    return value.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, _EXACT)


def _divide_floats(one: float, other: float) -> float:
    if not other:
        raise _zero()
    return one / other


_INTEGER: Final[dict[str, Binary]] = {
    "+": add,
    "-": sub,
    "*": mul,
    "/": _divide_integers,
    "%": _modulo_integers,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
}
_NUMERIC: Final[dict[str, Binary]] = {
    "+": _EXACT.add,
    "-": _EXACT.subtract,
    "*": _EXACT.multiply,
    "/": divide_numerics,
}
_FLOAT: Final[dict[str, Binary]] = {"+": add, "-": sub, "*": mul, "/": _divide_floats}


def shift(moment: Any, by: Interval, sign: int = 1) -> Any:
    """Add an interval to a moment: months first, then days, then time."""
    months = sign * by.months
    if months:
        whole = moment.year * 12 + moment.month - 1 + months
        year, month = divmod(whole, 12)
        day = moment.day
        while True:
            try:
                moment = moment.replace(year=year, month=month + 1, day=day)
                break
            except ValueError:
                day -= 1
    step = timedelta(days=by.days, microseconds=by.microseconds)
    return moment + step if sign > 0 else moment - step


def _between(one: datetime, other: datetime) -> Interval:
    span = one - other
    whole = span.seconds * 1_000_000 + span.microseconds
    days = span.days
    if days < 0 and whole:
        days, whole = days + 1, whole - 86_400_000_000
    return Interval(0, days, whole)


def _add_intervals(one: Interval, other: Interval) -> Interval:
    return Interval(*map(add, one, other))


def _scale_interval(value: Interval, by: Any) -> Interval:
    factor = Decimal(str(by))
    months = value.months * factor
    days = value.days * factor + (months - int(months)) * 30
    micro = value.microseconds * factor + (days - int(days)) * 86_400_000_000
    return Interval(int(months), int(days), int(micro.to_integral_value()))


def _moment(name: str, left: str, right: str) -> Found:
    if left == "interval" and right == "interval" and name in "+-":
        if name == "+":
            return _add_intervals, left, right, left
        return (
            lambda a, b: Interval(*map(sub, a, b)),
            left,
            right,
            left,
        )
    if left == "interval" and right in NUMBERS and name == "*":
        return _scale_interval, left, right, left
    if left in NUMBERS and right == "interval" and name == "*":
        return lambda a, b: _scale_interval(b, a), left, right, right
    if left == "interval" and right in NUMBERS and name == "/":
        return (
            lambda a, b: _scale_interval(a, 1 / Decimal(str(b))),
            left,
            right,
            left,
        )
    if right == "interval" and left in _MOMENTS and name in "+-":
        sign = 1 if name == "+" else -1
        kind = "timestamp" if left == "date" else left
        return lambda a, b: shift(a, b, sign), kind, right, kind
    if left == "interval" and right in _MOMENTS and name == "+":
        kind = "timestamp" if right == "date" else right
        return lambda a, b: shift(b, a), left, kind, kind
    if left == right and left in ("timestamp", "timestamptz") and name == "-":
        return _between, left, right, "interval"
    if left == right == "date" and name == "-":
        return lambda a, b: (a - b).days, left, right, "int4"
    if left == "date" and right in ("int2", "int4") and name in "+-":
        sign = 1 if name == "+" else -1
        return lambda a, b: a + timedelta(days=sign * b), left, right, left
    return None


@lru_cache(maxsize=512)
def like_pattern(pattern: str, *, ignores_case: bool) -> re.Pattern[str]:
    """Return the regular expression of a LIKE pattern."""
    parts, escaped = [], False
    for one in pattern:
        if escaped:
            parts.append(re.escape(one))
            escaped = False
        elif one == "\\":
            escaped = True
        else:
            parts.append({"%": ".*", "_": "."}.get(one, re.escape(one)))
    flags = re.DOTALL | (re.IGNORECASE if ignores_case else 0)
    return re.compile("".join(parts), flags)


def _like(*, ignores_case: bool, is_not: bool) -> Binary:
    def like(text: str, pattern: str) -> bool:
        found = like_pattern(pattern, ignores_case=ignores_case).fullmatch(text)
        return (found is None) is is_not

    return like


_LIKES: Final = {
    "~~": _like(ignores_case=False, is_not=False),
    "!~~": _like(ignores_case=False, is_not=True),
    "~~*": _like(ignores_case=True, is_not=False),
    "!~~*": _like(ignores_case=True, is_not=True),
}


def _text(name: str, left: str, right: str) -> Found:
    if name in _LIKES and left in STRINGS and right in STRINGS:
        return _LIKES[name], "text", "text", "bool"
    if name != "||":
        return None
    if left in STRINGS and right in STRINGS:
        return add, "text", "text", "text"
    if left in STRINGS and not element_of(right) and right not in ("json", "jsonb"):
        return lambda a, b: a + to_text(right, b), left, right, "text"
    if right in STRINGS and not element_of(left) and left not in ("json", "jsonb"):
        return lambda a, b: to_text(left, a) + b, left, right, "text"
    return None


def _member(value: Any, name: Any) -> Any:
    """Return a member of JSON; `_ABSENT` if there is none."""
    if isinstance(value, dict) and isinstance(name, str):
        return value.get(name, _ABSENT)
    if isinstance(value, list) and isinstance(name, int):
        if -len(value) <= name < len(value):
            return value[name]
        return _ABSENT
    return _ABSENT


_ABSENT: Final = object()


def json_text(value: Any) -> str | None:
    """Return a piece of JSON as text: `->>`."""
    if value is None:
        return None
    return value if isinstance(value, str) else dump_json(value)


def _json(name: str, left: str, right: str) -> Found:
    if left not in ("json", "jsonb"):
        return None
    if name in ("->", "->>") and (right in STRINGS or right in ("int4", "int2")):

        def member(text: str, key: Any) -> Any:
            found = _member(json.loads(text), key)
            if found is _ABSENT:
                return None
            return json_text(found) if name == "->>" else dump_json(found)

        return member, left, right, "text" if name == "->>" else left
    if name in ("#>", "#>>") and right == "_text":

        def path(text: str, keys: tuple[str, ...]) -> Any:
            found = json.loads(text)
            for key in keys:
                is_index = isinstance(found, list) and re.fullmatch(r"-?\d+", key)
                found = _member(found, int(key) if is_index else key)
            if found is _ABSENT:
                return None
            return json_text(found) if name == "#>>" else dump_json(found)

        return path, left, right, "text" if name == "#>>" else left
    if left == "jsonb":
        return _jsonb(name, right)
    return None


def _jsonb(name: str, right: str) -> Found:
    if name == "||" and right == "jsonb":
        return _concatenate_json, "jsonb", "jsonb", "jsonb"
    if name == "-" and right in STRINGS:

        def without(text: str, key: str) -> str:
            value = json.loads(text)
            if isinstance(value, dict):
                return dump_json({k: v for k, v in value.items() if k != key})
            if isinstance(value, list):
                return dump_json([one for one in value if one != key])
            raise SQLError("22023", "cannot delete from scalar")

        return without, "jsonb", "text", "jsonb"
    if name == "@>" and right == "jsonb":
        return (
            lambda a, b: _contains(json.loads(a), json.loads(b)),
            "jsonb",
            "jsonb",
            "bool",
        )
    if name == "?" and right in STRINGS:

        def has(text: str, key: str) -> bool:
            value = json.loads(text)
            return key in value if isinstance(value, dict | list) else value == key

        return has, "jsonb", "text", "bool"
    return None


def _concatenate_json(one: str, other: str) -> str:
    left, right = json.loads(one), json.loads(other)
    if isinstance(left, dict) and isinstance(right, dict):
        return dump_json({**left, **right})
    lists = [part if isinstance(part, list) else [part] for part in (left, right)]
    return dump_json(lists[0] + lists[1])


def _contains(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return all(
            name in one and _contains(one[name], value) for name, value in other.items()
        )
    if isinstance(one, list):
        wanted = other if isinstance(other, list) else [other]
        return all(any(_contains(item, want) for item in one) for want in wanted)
    return type(one) is type(other) and bool(one == other)


def _array(name: str, left: str, right: str) -> Found:
    one, other = element_of(left), element_of(right)
    if name == "||" and one and other:
        return add, left, left, left
    if name == "||" and one:
        return lambda a, b: (*a, b), left, one, left
    if name == "||" and other:
        return lambda a, b: (a, *b), other, right, right
    if not (one and other):
        return None
    if name == "@>":
        return lambda a, b: all(item in a for item in b), left, left, "bool"
    if name == "<@":
        return lambda a, b: all(item in b for item in a), left, left, "bool"
    if name == "&&":
        return lambda a, b: any(item in a for item in b), left, left, "bool"
    return None


# Casts --------------------------------------------------------------------------------


def cast(kind: str, to: str) -> Callable[[Any], Any] | None:
    """Return what makes a value of one type one of another; None: nothing is needed.

    Raises:
        SQLError: there is no such cast.
    """
    if kind == to or {kind, to} <= {"text", "varchar", "name", "bpchar"}:
        return None
    if to in STRINGS:
        return lambda value: to_text(kind, value)
    if kind in STRINGS or kind == "unknown":
        return lambda value: parse_text(to, value) if isinstance(value, str) else value
    found = _CASTS.get((kind, to))
    if found is not None:
        return found
    if kind in NUMBERS and to in NUMBERS:
        return _number_cast(to)
    one, other = element_of(kind), element_of(to)
    if one and other:
        inner = cast(one, other)
        if inner is None:
            return None
        return lambda value: tuple(
            [None if item is None else inner(item) for item in value]
        )
    if kind in INTEGERS and to in ("oid", "xid8", "xid"):
        return None
    if kind in ("xid8", "xid", "oid") and to in ("int8", "xid", "int4"):
        return None
    raise SQLError("42846", f"cannot cast type {shown_type(kind)} to {shown_type(to)}")


def _number_cast(to: str) -> Callable[[Any], Any]:
    if to in INTEGERS:

        def whole(value: Any) -> int:
            if isinstance(value, Decimal):
                value = int(round_numeric(value, 0))
            elif isinstance(value, float):
                value = round(value)
            return check_integer(to, int(value))

        return whole
    if to == "numeric":
        return lambda value: (
            Decimal(str(value)) if isinstance(value, float) else Decimal(value)
        )
    return float


def _to_json(text: str) -> str:
    return dump_json(json.loads(text))


def _json_number(to: str) -> Callable[[str], Any]:
    def number(text: str) -> Any:
        value = json.loads(text)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SQLError("22023", f"cannot cast jsonb {_shape(value)} to type {to}")
        return _number_cast(to)(value)

    return number


def _shape(value: Any) -> str:
    if value is None:
        return "null"
    for kind, name in ((bool, "boolean"), (str, "string"), (dict, "object")):
        if isinstance(value, kind):
            return name
    return "array" if isinstance(value, list) else "numeric"


def _json_bool(text: str) -> bool:
    value = json.loads(text)
    if not isinstance(value, bool):
        raise SQLError("22023", f"cannot cast jsonb {_shape(value)} to type boolean")
    return value


_CASTS: Final[dict[tuple[str, str], Callable[[Any], Any]]] = {
    ("json", "jsonb"): _to_json,
    ("jsonb", "json"): lambda text: text,
    ("jsonb", "int4"): _json_number("int4"),
    ("jsonb", "int8"): _json_number("int8"),
    ("jsonb", "numeric"): _json_number("numeric"),
    ("jsonb", "bool"): _json_bool,
    ("bool", "int4"): int,
    ("int4", "bool"): bool,
    ("date", "timestamp"): lambda day: datetime(day.year, day.month, day.day),  # noqa: DTZ001 - a timestamp without a zone
    ("date", "timestamptz"): lambda day: datetime(
        day.year, day.month, day.day, tzinfo=UTC
    ),
    ("timestamp", "timestamptz"): lambda moment: moment.replace(tzinfo=UTC),
    ("timestamptz", "timestamp"): lambda moment: moment.replace(tzinfo=None),
    ("timestamp", "date"): lambda moment: moment.date(),
    ("timestamptz", "date"): lambda moment: moment.date(),
    ("timestamp", "time"): lambda moment: moment.time(),
    ("timestamptz", "time"): lambda moment: moment.time().replace(tzinfo=None),
    ("interval", "time"): lambda value: (
        datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=value.microseconds)
    ).time(),
    ("time", "interval"): lambda value: Interval(
        0,
        0,
        (value.hour * 3600 + value.minute * 60 + value.second) * 1_000_000
        + value.microsecond,
    ),
}

__all__ = [
    "Binary",
    "bad_literal",
    "binary",
    "cast",
    "common_type",
    "comparison",
    "date",
    "divide_numerics",
    "time",
    "wider",
]

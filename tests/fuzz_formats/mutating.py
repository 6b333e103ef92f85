"""Ways to damage an input: bytes, text, JSON, SQLite cells; all from one number.

Knows no command: equal numbers give equal inputs, on any machine.
"""

import json
import random
import sqlite3
from contextlib import closing, suppress

NUMBERS = (
    0, -1, 1, 2, 255, 256, 10**4, 10**6, 10**9, 2**31, 2**63, 2**64, 10**30, -(10**18),
    0.5, 1e308, float("nan"), float("inf"), -0.0,
)  # fmt: skip
TEXTS = (
    "", " ", "\0", "\n", "\ufeff", "é", "\ud800", "\x1b[2J", "NULL", "nan", "1e999",
    "-1", "0x10", "1_000", "٣", "x" * 10_000, "9" * 5_000, "2025-13-45T99:99:99",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "../../etc/passwd",
    "/dev/zero", "a,b\n\"c", "{", "[" * 50, "true",
)  # fmt: skip


def extreme(draw):
    """A value that somebody did not think of."""
    kind = draw.randrange(6)
    if kind == 0:
        return draw.choice(TEXTS)
    if kind == 1:
        return draw.choice((None, True, False, [], {}, [[]], {"": None}))
    if kind == 2:
        return [draw.choice(NUMBERS)] * draw.choice((1, 3, 1000))
    return draw.choice(NUMBERS)


def damaged_bytes(content, draw):
    """Some bytes changed, doubled, dropped or put in, or the end cut off."""
    data = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 5, 30))):
        place = draw.randrange(len(data) + 1)
        kind = draw.randrange(6)
        if kind == 0 and place < len(data):
            data[place] ^= 1 << draw.randrange(8)
        elif kind == 1:
            data[place:place] = draw.randbytes(draw.choice((1, 4, 100)))
        elif kind == 2:
            del data[place : place + draw.choice((1, 2, 10, 1000))]
        elif kind == 3:
            end = place + draw.choice((1, 10, 200))
            data[place:place] = data[place:end] * draw.choice((1, 2, 50))
        elif kind == 4 and draw.random() < 0.3:
            del data[place:]
        else:
            text = draw.choice(TEXTS).encode(errors="surrogatepass")
            data[place : place + draw.choice((0, 1, 5))] = text
    return bytes(data)


def damaged_text(content, draw, separators="\n"):
    """Lines and cells exchanged, doubled, dropped, or set to extremes."""
    lines = content.decode(errors="replace").split("\n")
    for _ in range(draw.choice((1, 1, 2, 6))):
        place = draw.randrange(len(lines))
        kind = draw.randrange(5)
        if kind == 0:
            lines.insert(place, draw.choice(lines))
        elif kind == 1 and len(lines) > 1:
            del lines[place]
        else:
            mark = draw.choice(separators)
            cells = lines[place].split(mark)
            cells[draw.randrange(len(cells))] = str(extreme(draw))
            lines[place] = mark.join(cells)
    return "\n".join(lines).encode(errors="surrogatepass")


def damaged_json(content, draw):
    """One or more values of a document set to extremes, dropped or exchanged."""
    document = json.loads(content)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        places = list(_places(document))
        if not places:
            break
        holder, key = draw.choice(places)
        kind = draw.randrange(8)
        if kind == 0:
            del holder[key]
        elif kind == 1 and isinstance(holder, dict):
            holder[draw.choice(TEXTS)] = extreme(draw)
        elif kind == 2:
            other, there = draw.choice(places)
            with suppress(KeyError, IndexError):
                holder[key] = json.loads(json.dumps(other[there]))
        elif kind == 3 and isinstance(holder, list):
            holder[key:key] = holder[key : key + 1] * draw.choice((1, 10, 1000))
        elif isinstance(holder[key], int) and not isinstance(holder[key], bool):
            holder[key] = draw.choice((holder[key] + 1, *NUMBERS))
        else:
            holder[key] = extreme(draw)
    return json.dumps(document).encode(errors="surrogatepass")


def _places(value):
    pairs = ()
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    for key, inner in pairs:
        yield value, key
        yield from _places(inner)


def damaged_database(path, draw):
    """One cell, row or table of an SQLite file changed, by SQLite itself."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        execute = database.execute
        found = execute("SELECT type, name FROM sqlite_master").fetchall()
        for kind, name in found:
            if kind == "trigger":
                execute(f'DROP TRIGGER "{name}"')
        tables = [name for kind, name in found if kind == "table"]
        table = draw.choice(tables)
        columns = [row[1] for row in execute(f'PRAGMA table_info("{table}")')]
        column = draw.choice(columns)
        rows = execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]
        value = extreme(draw)
        if isinstance(value, list | dict):
            value = json.dumps(value).encode()
        if isinstance(value, int) and abs(value) > 2**62:
            value = str(value)
        if isinstance(value, str):
            value = value.encode(errors="replace").decode()
        key = columns[-1] if table == "campaign" else columns[min(1, len(columns) - 1)]
        chosen = (
            f'"{key}" = (SELECT "{key}" FROM "{table}"'
            f" LIMIT 1 OFFSET {draw.randrange(max(rows, 1))})"
        )
        statement = draw.choice(
            (
                f'UPDATE OR REPLACE "{table}" SET "{column}" = ? WHERE {chosen}',
                f'UPDATE OR REPLACE "{table}" SET "{column}" = ? WHERE {chosen}',
                f'UPDATE OR REPLACE "{table}" SET "{column}" = ?',
                f'DELETE FROM "{table}" WHERE {chosen}',
                f'DELETE FROM "{table}"',
                f'DROP TABLE "{table}"',
                f'ALTER TABLE "{table}" RENAME COLUMN "{column}" TO "other"',
                f'ALTER TABLE "{table}" ADD COLUMN "further"',
                f"PRAGMA application_id = {draw.randrange(9)}",
            )
        )
        with suppress(sqlite3.Error, OverflowError, UnicodeEncodeError):
            execute(statement, (value,) if "?" in statement else ())
            execute("PRAGMA wal_checkpoint(TRUNCATE)")


def drawing(kind, number):
    """The source of one input."""
    return random.Random(f"{kind} {number}")

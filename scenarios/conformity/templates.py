"""The SQL that is drawn beside the simplest statements: joins, keys, locks, CTEs.

`{k}` and `{m}` stand for keys, `{v}` and `{w}` for values, `{n}` for a limit, `{lock}`
for how rows are locked. What PostgreSQL leaves open is not asked: where several rows
could match a changed one, or a plan decides who is locked first.
"""

from typing import Final

LOCKS: Final = (
    "FOR UPDATE",
    "FOR NO KEY UPDATE",
    "FOR SHARE",
    "FOR KEY SHARE",
    "FOR UPDATE SKIP LOCKED",
    "FOR UPDATE NOWAIT",
    "FOR NO KEY UPDATE SKIP LOCKED",
    "FOR SHARE SKIP LOCKED",
)

TEMPLATES: Final = (
    # Reading: joins, subqueries, aggregates, windows, CTEs.
    "SELECT a.key, b.value FROM a JOIN b ON b.key = a.value WHERE a.key >= {k}",
    "SELECT a.key, b.key FROM a LEFT JOIN b ON b.key = a.value ORDER BY a.key, b.key",
    "SELECT key FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.value = a.value)",
    "SELECT key FROM a WHERE value NOT IN (SELECT value FROM b WHERE key < {k})",
    "SELECT value, count(*), max(key) FROM a GROUP BY value HAVING count(*) >= 1",
    "SELECT sum(value), min(key) FROM b WHERE key <> {k}",
    "SELECT DISTINCT value FROM a ORDER BY value DESC LIMIT {n}",
    "SELECT key, row_number() OVER (ORDER BY value, key) FROM a ORDER BY key",
    "WITH x AS (SELECT key, value FROM a WHERE value < {v})"
    " SELECT count(*), sum(x.value) FROM x",
    "SELECT key, (SELECT max(value) FROM b WHERE b.key <= a.key) FROM a ORDER BY key",
    "SELECT key FROM a UNION SELECT key FROM b ORDER BY key LIMIT {n} OFFSET 1",
    "SELECT key, u, value FROM d ORDER BY u DESC NULLS LAST, key",
    "SELECT key, a FROM c ORDER BY key",
    "SELECT key FROM a WHERE key = ANY (ARRAY[{k}, {m}]) ORDER BY key",
    "SELECT count(*) FILTER (WHERE value = {v}), coalesce(max(value), 0) FROM b"
    " WHERE key <> {k}",
    "SELECT key, CASE WHEN value = {v} THEN 'v' ELSE 'w' END FROM a ORDER BY 2, 1",
    "SELECT key FROM a WHERE value = ANY (SELECT value FROM b WHERE key >= {k})",
    "SELECT d.key, c.key FROM d JOIN c ON c.a = d.b ORDER BY d.value, d.key, c.key",
    # Row locks.
    "SELECT key, value FROM a WHERE value >= {v} ORDER BY value, key LIMIT {n} {lock}",
    "SELECT key, value FROM a ORDER BY value DESC, key LIMIT {n} {lock}",
    "SELECT key, value FROM a WHERE key = {k} {lock}",
    "SELECT key, value FROM b WHERE key = {k} {lock}",
    "SELECT a.key, b.key FROM a JOIN b ON b.key = a.value ORDER BY a.key {lock}",
    # With no key to join by PostgreSQL looks at `b` first; at `a` if it finds a row.
    "SELECT a.key, b.value FROM b, a WHERE b.key = {k} AND a.value >= b.value"
    " ORDER BY a.key FOR UPDATE OF a",
    "SELECT key, u FROM d WHERE u IS NOT NULL ORDER BY u LIMIT {n} {lock}",
    "SELECT key, a FROM c ORDER BY key LIMIT {n} {lock}",
    # Updates.
    "UPDATE a SET value = value + 1",
    "UPDATE a SET value = value + {w} WHERE value = {v}",
    "UPDATE a SET key = key + 4 WHERE key = {k}",
    "UPDATE b SET key = {m} WHERE key = {k}",
    "UPDATE b SET value = (SELECT max(value) FROM a) WHERE key = {k}",
    "UPDATE b SET value = b.value + a.value FROM a WHERE a.key = b.key",
    "UPDATE a SET value = {v} WHERE value < (SELECT count(*) FROM b)",
    "UPDATE a SET value = {v} WHERE key = (SELECT key FROM a WHERE value = {w}"
    " ORDER BY key LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING key, value",
    "UPDATE a SET value = value + 1 WHERE key IN (SELECT key FROM a WHERE value >= {v}"
    " ORDER BY value, key LIMIT {n} FOR UPDATE SKIP LOCKED) RETURNING key",
    "UPDATE a SET value = value + 1 WHERE key IN (SELECT key FROM a WHERE value >= {v}"
    " ORDER BY value, key LIMIT {n} FOR UPDATE) RETURNING key",
    "UPDATE a SET value = nextval('c_key_seq') WHERE key = {k}",
    "UPDATE d SET u = {v} WHERE key = {k}",
    "UPDATE d SET b = {m} WHERE key = {k} RETURNING key, b",
    "UPDATE d SET value = {v}, u = NULL WHERE key = {k}",
    "UPDATE c SET a = {m} WHERE a = {k}",
    "UPDATE a SET (value) = ROW({v}) WHERE key = {k} RETURNING *",
    # Inserts.
    "INSERT INTO a VALUES ({k}, {v}), ({m}, {w})",
    "INSERT INTO b SELECT key + 1, value FROM a WHERE key >= {k}",
    "INSERT INTO a VALUES ({k}, {v}) ON CONFLICT DO NOTHING RETURNING key",
    "INSERT INTO a VALUES ({k}, {v}) ON CONFLICT (key) DO UPDATE"
    " SET value = a.value + excluded.value RETURNING key, value",
    "INSERT INTO a VALUES ({k}, {v}) ON CONFLICT (key) DO UPDATE SET value = {w}"
    " WHERE a.value < {w} RETURNING key, value",
    "INSERT INTO b VALUES ({k}, {v}), ({m}, {w}) ON CONFLICT (key) DO UPDATE"
    " SET value = excluded.value",
    "INSERT INTO c (a) VALUES ({k}) RETURNING key",
    "INSERT INTO c (a, value) VALUES ({k}, {v}), ({m}, {w}) RETURNING key, a",
    "INSERT INTO c (value) SELECT value FROM a WHERE value >= {v} RETURNING value",
    "INSERT INTO d (key, b, u) VALUES ({k}, {m}, {v})",
    "INSERT INTO d (key, u) VALUES ({k}, {v}) ON CONFLICT (u) DO UPDATE"
    " SET value = d.value + 1 RETURNING key, value",
    "INSERT INTO d (key, u) VALUES ({k}, {v}) ON CONFLICT (u) DO NOTHING",
    "INSERT INTO d (key, value) VALUES ({k}, {v})",
    "INSERT INTO d (key, value) VALUES ({k}, {v}) ON CONFLICT (value) WHERE u IS NULL"
    " DO NOTHING RETURNING key",
    # Deletes.
    "DELETE FROM a WHERE key = {k} RETURNING key, value",
    "DELETE FROM a WHERE value >= {v}",
    "DELETE FROM b WHERE key = {k}",
    "DELETE FROM b USING a WHERE a.key = b.key AND a.value = {v}",
    "DELETE FROM c WHERE a = {k}",
    "DELETE FROM d WHERE key IN (SELECT key FROM d ORDER BY key LIMIT {n}"
    " FOR UPDATE SKIP LOCKED) RETURNING key",
    # Data-modifying CTEs.
    "WITH x AS (UPDATE a SET value = {v} WHERE key = {k} RETURNING key, value)"
    " SELECT x.key, b.value FROM x LEFT JOIN b ON b.key = x.key",
    "WITH x AS (DELETE FROM a WHERE key = {k} RETURNING key, value)"
    " INSERT INTO b SELECT key, value FROM x ON CONFLICT DO NOTHING",
    "WITH x AS (SELECT key FROM a WHERE value = {v} ORDER BY key LIMIT {n}"
    " FOR UPDATE SKIP LOCKED) UPDATE a SET value = {w} FROM x WHERE a.key = x.key"
    " RETURNING a.key",
    "WITH x AS (INSERT INTO a VALUES ({k}, {v}) ON CONFLICT DO NOTHING RETURNING key)"
    " SELECT count(*), (SELECT count(*) FROM a) FROM x",
    # Sequences, advisory locks, savepoints.
    "WITH x AS (DELETE FROM a WHERE key IN (SELECT key FROM a ORDER BY value, key"
    " LIMIT {n} FOR UPDATE SKIP LOCKED) RETURNING value)"
    " INSERT INTO c (value) SELECT value FROM x RETURNING value",
    "SELECT nextval('c_key_seq')",
    "SELECT pg_try_advisory_lock({k})",
    "SELECT pg_advisory_lock({k})",
    "SELECT pg_advisory_unlock({k})",
    "SELECT pg_try_advisory_lock_shared({k})",
    "SELECT pg_advisory_unlock_shared({k})",
    "SELECT pg_try_advisory_lock({k}, {m})",
    "SELECT pg_advisory_unlock_all()",
    "SELECT pg_try_advisory_xact_lock({k})",
    "SELECT pg_advisory_xact_lock({k})",
    "SELECT pg_try_advisory_xact_lock_shared({k})",
    "SELECT pg_advisory_xact_lock_shared({k})",
    "WITH x AS MATERIALIZED (SELECT key FROM a WHERE value >= {v} ORDER BY key)"
    " SELECT key FROM x WHERE pg_try_advisory_xact_lock(key) LIMIT {n}",
    "SAVEPOINT s",
    "SAVEPOINT t",
    "ROLLBACK TO s",
    "ROLLBACK TO t",
    "RELEASE s",
)

_NOT_SQLITE: Final = (
    *(
        "{lock}",
        "FOR UPDATE",
        "pg_",
        "ARRAY",
        "ANY",
        "nextval",
        "ROW(",
        "USING",
        "NULLS",
    ),
    *(" c ", " c(", " d ", "(UPDATE", "(DELETE", "(INSERT"),
)

SQLITE_TEMPLATES: Final = (
    *[one for one in TEMPLATES if not any(word in one for word in _NOT_SQLITE)],
    *[
        statement.replace("OR", f"OR {clause}", 1)
        for clause in ("ABORT", "FAIL", "IGNORE", "REPLACE", "ROLLBACK")
        for statement in (
            "INSERT OR INTO a VALUES ({k}, {v}), ({m}, {w})",
            "INSERT OR INTO b SELECT key + 1, value - {v} * 40 FROM a WHERE key >= {k}",
            "UPDATE OR a SET key = key + 1 WHERE value >= {v}",
            "UPDATE OR b SET value = value - {w} * 40, key = {m} WHERE key >= {k}",
        )
    ],
)
"""What of it SQLite has as well, and what it does where a statement fails midway."""

KINDS: Final = {
    "joins": r"\bJOIN\b|FROM b, a|USING a|SET .* FROM",
    "subqueries": r"\(SELECT",
    "aggregates": r"count\(|max\(|min\(|sum\(",
    "DISTINCT, windows, set operations": r"DISTINCT|OVER|UNION",
    "ORDER BY other columns than the key": r"ORDER BY (?!key|a\.key)",
    "LIMIT": r"LIMIT",
    "row locks": r"FOR (NO KEY )?UPDATE|FOR (KEY )?SHARE",
    "SKIP LOCKED": r"SKIP LOCKED",
    "NOWAIT": r"NOWAIT",
    "ON CONFLICT": r"ON CONFLICT",
    "unique keys beside the primary key": r"INTO d|UPDATE d",
    "foreign keys": r"INTO [cd] |UPDATE [cd]|DELETE FROM [ab]|SET key",
    "sequences": r"INTO c |val\('",
    "savepoints": r"SAVEPOINT|RELEASE|ROLLBACK TO",
    "advisory locks": r"advisory",
    "updates and deletes of several rows": r"^(UPDATE|DELETE)(?!.* key = )",
    "CTEs": r"^WITH",
    "CTEs that change something": r"AS \((UPDATE|DELETE|INSERT)",
    "RETURNING": r"RETURNING",
    "OR ABORT, FAIL, IGNORE, REPLACE, ROLLBACK": r"^(INSERT|UPDATE) OR",
}
"""What the SQL that is compared is made of, each with a pattern that finds it."""

COMMON: Final = (
    "SAVEPOINT s",
    "ROLLBACK TO s",
    "UPDATE a SET value = value + 1",
    "SELECT key, value FROM a ORDER BY value DESC, key LIMIT {n} {lock}",
    "SELECT key, value FROM a WHERE key = {k} {lock}",
    "INSERT INTO d (key, b, u) VALUES ({k}, {m}, {v})",
    "DELETE FROM b WHERE key = {k}",
    "INSERT INTO c (a) VALUES ({k}) RETURNING key",
)
"""Drawn more often: they meet each other, and much follows from them."""

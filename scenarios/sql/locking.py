"""FOR UPDATE and its like: which rows of a query are locked, and how.

Source: PostgreSQL, src/backend/executor/nodeLockRows.c.
"""

from typing import Final, NamedTuple

from wavecheck.scenarios.sql.frame import Frame
from wavecheck.scenarios.sql.parsing import Fields, NotModelled, only
from wavecheck.scenarios.sql.session import SQLError
from wavecheck.scenarios.sql.sources import From, Leaf
from wavecheck.sim.transactions.level import Strength
from wavecheck.sim.transactions.manager import Policy


class Mark(NamedTuple):
    """How the rows of one source are locked."""

    table: str
    place: int
    strength: Strength
    policy: Policy


_STRENGTHS: Final = {
    "LCS_FORKEYSHARE": Strength.KEY_SHARE,
    "LCS_FORSHARE": Strength.SHARE,
    "LCS_FORNOKEYUPDATE": Strength.NO_KEY_UPDATE,
    "LCS_FORUPDATE": Strength.UPDATE,
}
_POLICIES: Final = {
    "LockWaitBlock": Policy.WAIT,
    "LockWaitSkip": Policy.SKIP_LOCKED,
    "LockWaitError": Policy.NOWAIT,
}


def marks_of(fields: Fields, source: From, *, is_grouped: bool) -> list[Mark]:
    """Return which sources of a query are locked, and how."""
    clauses = fields.get("lockingClause", [])
    if not clauses:
        return []
    for name in ("distinctClause", "groupClause", "havingClause"):
        if name in fields:
            words = name.removesuffix("Clause").upper()
            raise SQLError("0A000", f"FOR UPDATE is not allowed with {words} clause")
    if is_grouped:
        raise SQLError("0A000", "FOR UPDATE is not allowed with aggregate functions")
    found: dict[int, Mark] = {}
    for node in clauses:
        body = node["LockingClause"]
        only(body, "lockedRels", "strength", "waitPolicy", of="FOR UPDATE")
        names = [one["RangeVar"]["relname"] for one in body.get("lockedRels", [])]
        _mark(source, found, names, body)
    return [found[place] for place in sorted(found)]


def _mark(
    sources: From, found: dict[int, Mark], names: list[str], body: Fields
) -> None:
    """Add what one clause locks."""
    known = {leaf.source.name: (leaf, is_null) for leaf, is_null in sources.leaves()}
    for name in names:
        if name not in known:
            raise SQLError(
                "42P01",
                f'relation "{name}" in FOR UPDATE clause not found in FROM clause',
            )
    for leaf, is_null in known.values():
        source = leaf.source
        if names and source.name not in names:
            continue
        if not source.table:
            if names:
                raise NotModelled("FOR UPDATE OF a subquery")
            if leaf.rows is not None and not _is_cte(leaf):
                raise NotModelled("FOR UPDATE of a subquery in FROM")
            continue
        if is_null:
            raise SQLError(
                "0A000",
                "FOR UPDATE cannot be applied to the nullable side of an outer join",
            )
        strength = _STRENGTHS[body["strength"]]
        policy = _POLICIES[body["waitPolicy"]]
        mark = Mark(source.table, source.place, strength, policy)
        before = found.get(source.place)
        if before is not None:
            strict = max(before.policy, policy, key=_STRICTNESS.index)
            mark = mark._replace(strength=max(before.strength, strength), policy=strict)
        found[source.place] = mark


_STRICTNESS: Final = (Policy.WAIT, Policy.SKIP_LOCKED, Policy.NOWAIT)


def _is_cte(leaf: Leaf) -> bool:
    return bool(getattr(leaf.rows, "is_cte", False))


def are_locked(frame: Frame, marks: list[Mark], source: From) -> bool:
    """Lock the rows in the frame; return whether the combination is still to be given.

    As ExecLockRows: rows that have a newer version are judged again.
    """
    is_newer = False
    for mark in marks:
        table = frame.tables[mark.table]
        row = frame[mark.place]
        got = frame.step.lock(table, row[-3], mark.strength, mark.policy)
        if got.is_skipped:
            return False
        if got.is_newer:
            if got.row is None:
                return False
            frame[mark.place] = got.row
            is_newer = True
    if is_newer and source.has_outer:
        raise NotModelled("a row behind an outer join that changes while it is locked")
    return not is_newer or source.holds(frame)

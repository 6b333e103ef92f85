"""The names that PostgreSQL gives columns without one."""

from typing import Final

from wavecheck.scenarios.sql.parsing import Fields, fields_of, string, strings


def names_of(fields: Fields) -> str:
    """Return the name that PostgreSQL gives a column without one."""
    kind, body = fields_of(fields)
    if kind == "ColumnRef":
        return string(body["fields"][-1])
    if kind == "FuncCall":
        return strings(body["funcname"])[-1]
    if kind == "TypeCast":
        inner = names_of(body["arg"])
        if inner != "?column?":
            return inner
        return strings(body["typeName"]["names"])[-1]
    if kind == "SubLink":
        kind_of = body["subLinkType"]
        if kind_of == "EXISTS_SUBLINK":
            return "exists"
        if kind_of == "ARRAY_SUBLINK":
            return "array"
        if kind_of == "EXPR_SUBLINK":
            first = body["subselect"]["SelectStmt"].get("targetList", [])
            if first:
                target = first[0]["ResTarget"]
                return str(target.get("name") or names_of(target["val"]))
        return "?column?"
    if kind == "SQLValueFunction":
        return str(body["op"].removeprefix("SVFOP_").lower())
    if kind == "MinMaxExpr":
        return "greatest" if body["op"] == "IS_GREATEST" else "least"
    if kind == "CaseExpr":
        inner = names_of(body["defresult"]) if "defresult" in body else "?column?"
        return "case" if inner == "?column?" else inner
    if kind == "A_Expr" and body.get("kind") == "AEXPR_NULLIF":
        return "nullif"
    return _NAMES.get(kind, "?column?")


_NAMES: Final = {"CoalesceExpr": "coalesce", "A_ArrayExpr": "array", "RowExpr": "row"}

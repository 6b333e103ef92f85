"""Expressions: from parse trees to functions of a frame.

Knows types, names and operators; of queries only that they can be compiled. An
expression is compiled once and evaluated in the three-valued logic of SQL, where None
is NULL.
"""

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from wavecheck.scenarios.sql import functions
from wavecheck.scenarios.sql.frame import Frame
from wavecheck.scenarios.sql.operators import (
    binary,
    common_type,
    comparison,
    no_operator,
    round_numeric,
)
from wavecheck.scenarios.sql.parsing import (
    Fields,
    Node,
    NotModelled,
    fields_of,
    only,
    string,
    strings,
    without_places,
)
from wavecheck.scenarios.sql.schema import type_name
from wavecheck.scenarios.sql.session import SQLError
from wavecheck.scenarios.sql.terms import (
    Expression,
    Scope,
    any_of,
    applied,
    coerced,
    column_of,
    conjunction,
    constant,
    disjunction,
    negation,
    reads_of,
    truth,
)
from wavecheck.scenarios.sql.values import (
    element_of,
    shown_type,
)

if TYPE_CHECKING:
    from wavecheck.scenarios.sql.compiling import Compiler

_SYSTEM_COLUMNS: Final = frozenset({"ctid", "xmax", "cmin", "cmax", "tableoid", "oid"})
"""Columns that each of PostgreSQL's tables has, beside `xmin`."""


class Expressions:
    """Compiles the expressions of one statement.

    Args:
        compiler: of the statement.
    """

    def __init__(self, compiler: "Compiler") -> None:
        self._compiler = compiler

    def compile(self, node: Node, scope: Scope) -> Expression:
        """Return an expression.

        Raises:
            NotModelled: something in it is not known.
            SQLError: PostgreSQL would refuse it.
        """
        if scope.grouped is not None and not scope.in_aggregate:
            known = scope.grouped.get(without_places(node))
            if known is not None:
                return known
        kind, fields = fields_of(node)
        handler = getattr(self, f"_{kind}", None)
        if handler is None:
            raise NotModelled(kind, fields.get("location", -1))
        found: Expression = handler(fields, scope)
        if found.is_volatile:
            scope.is_volatile = True
        return found

    def condition(self, node: Node, scope: Scope, what: str) -> Expression:
        """Return a condition."""
        return truth(self.compile(node, scope), what)

    def _A_Const(self, fields: Fields, scope: Scope) -> Expression:
        if fields.get("isnull"):
            return Expression(lambda frame: None, "unknown")
        if "ival" in fields:
            return constant(int(fields["ival"].get("ival", 0)), "int4")
        if "sval" in fields:
            text = str(fields["sval"].get("sval", ""))
            return Expression(lambda frame: text, "unknown", text=text)
        if "boolval" in fields:
            return constant(bool(fields["boolval"].get("boolval", False)), "bool")
        if "fval" in fields:
            number = fields["fval"]["fval"]
            if number.lstrip("-").isdigit() and abs(int(number)) < 1 << 63:
                return constant(int(number), "int8")
            return constant(Decimal(number), "numeric")
        raise NotModelled("a bit string", fields.get("location", -1))

    def _ParamRef(self, fields: Fields, scope: Scope) -> Expression:
        number = int(fields["number"])
        kinds = self._compiler.param_kinds
        if number > len(kinds):
            raise SQLError("42P02", f"there is no parameter ${number}")
        return Expression(lambda frame: frame.params[number - 1], kinds[number - 1])

    def _ColumnRef(self, fields: Fields, scope: Scope) -> Expression:
        nodes = fields["fields"]
        if "A_Star" in nodes[-1]:
            raise NotModelled("a row as a value", fields.get("location", -1))
        names = strings(nodes)
        if len(names) > 2:
            names = names[-2:]
        found = self._resolve(names, scope)
        if found is None:
            raise self._unknown_column(names, scope)
        return found

    def _resolve(self, names: list[str], scope: Scope) -> Expression | None:
        level: Scope | None = scope
        crossed: list[Scope] = []
        while level is not None:
            found = self._find(names, level)
            if found is not None:
                for one in crossed:
                    one.is_correlated = True
                    one.outer_reads |= found.reads
                if not crossed:
                    self._check_grouped(found, names, level)
                return found
            crossed.append(level)
            level = level.parent
        return None

    def _find(self, names: list[str], scope: Scope) -> Expression | None:
        if len(names) == 1 and names[0] in scope.merged:
            return scope.merged[names[0]]
        matches = []
        for source in scope.sources:
            if len(names) == 2 and source.name != names[0]:
                continue
            if not source.is_visible and len(names) == 1:
                continue
            for position, (name, kind) in enumerate(source.columns):
                if name == names[-1]:
                    matches.append((source, position, kind))
        if len(matches) > 1:
            raise SQLError("42702", f'column reference "{names[-1]}" is ambiguous')
        if matches:
            return column_of(*matches[0])
        for source in scope.sources:
            if names[-1] in source.hidden and (
                len(names) == 1 or source.name == names[0]
            ):
                kind, position = source.hidden[names[-1]]
                self._compiler.note_hidden(names[-1])
                return column_of(source, position, kind)
        return None

    def _check_grouped(self, found: Expression, names: list[str], scope: Scope) -> None:
        """Refuse a column that is neither grouped by nor in an aggregate."""
        if scope.grouped is None or scope.in_aggregate or found.column is None:
            return
        by = {one.column for one in scope.grouped.values()}
        if found.column in by:
            return
        place = found.column[0]
        for source in scope.sources:
            if source.place == place and source.table:
                key = self._compiler.schema.table(source.table).primary_key
                if key and all((place, one) in by for one in key):
                    return
        raise SQLError(
            "42803",
            f'column "{".".join(names)}" must appear in the GROUP BY clause or be used'
            " in an aggregate function",
        )

    def _unknown_column(self, names: list[str], scope: Scope) -> SQLError:
        if len(names) == 2:
            if names[1] in _SYSTEM_COLUMNS:
                raise NotModelled(f"the column {names[1]}")
            level: Scope | None = scope
            while level is not None:
                if any(one.name == names[0] for one in level.sources):
                    name = ".".join(names)
                    return SQLError("42703", f"column {name} does not exist")
                level = level.parent
            return SQLError(
                "42P01", f'missing FROM-clause entry for table "{names[0]}"'
            )
        if names[0] in _SYSTEM_COLUMNS:
            raise NotModelled(f"the column {names[0]}")
        outer: Scope | None = scope
        while outer is not None:
            if any(one.name == names[0] for one in outer.sources):
                raise NotModelled(f"a whole row as a value, {names[0]}")
            outer = outer.parent
        return SQLError("42703", f'column "{names[0]}" does not exist')

    # Operators ------------------------------------------------------------------------

    def _A_Expr(self, fields: Fields, scope: Scope) -> Expression:
        only(fields, "kind", "name", "lexpr", "rexpr", of="an operator")
        kind = fields["kind"]
        name = string(fields["name"][-1])
        if kind in ("AEXPR_OP", "AEXPR_LIKE", "AEXPR_ILIKE"):
            if "lexpr" not in fields:
                return self._unary(name, fields["rexpr"], scope)
            left, right = fields["lexpr"], fields["rexpr"]
            if "RowExpr" in left and "RowExpr" in right:
                return self._rows(name, left["RowExpr"], right["RowExpr"], scope)
            return self.operator(
                name, self.compile(left, scope), self.compile(right, scope)
            )
        if kind in ("AEXPR_OP_ANY", "AEXPR_OP_ALL"):
            return self._any(name, fields, scope, is_all=kind == "AEXPR_OP_ALL")
        if kind == "AEXPR_IN":
            return self._in(fields, scope, is_not=name == "<>")
        if kind in ("AEXPR_DISTINCT", "AEXPR_NOT_DISTINCT"):
            return self._distinct(fields, scope, is_not=kind != "AEXPR_DISTINCT")
        if kind in ("AEXPR_BETWEEN", "AEXPR_NOT_BETWEEN"):
            return self._is_between(fields, scope, is_not=kind != "AEXPR_BETWEEN")
        if kind == "AEXPR_NULLIF":
            left = self.compile(fields["lexpr"], scope)
            right = self.compile(fields["rexpr"], scope)
            same = self.operator("=", left, right)
            reads, is_volatile = reads_of(left, right)
            return Expression(
                lambda frame: None if same.evaluate(frame) else left.evaluate(frame),
                left.kind if left.kind != "unknown" else "text",
                reads,
                is_volatile,
            )
        raise NotModelled(kind, fields.get("location", -1))

    def operator(self, name: str, left: Expression, right: Expression) -> Expression:
        """Return an operator on two expressions."""
        left_kind, right_kind = left.kind, right.kind
        if left_kind == "unknown" and right_kind == "unknown":
            left_kind = right_kind = "text"
        elif left_kind == "unknown":
            left_kind = self._guess(name, right_kind, is_left=True)
        elif right_kind == "unknown":
            right_kind = self._guess(name, left_kind, is_left=False)
        act, left_to, right_to, kind = binary(name, left_kind, right_kind)
        left = coerced(coerced(left, left_kind), left_to)
        right = coerced(coerced(right, right_kind), right_to)
        found = applied(act, [left, right], kind)
        if name == "=" and left_to not in ("interval", "json", "jsonb", "bpchar"):
            found = replace(found, equals=(left, right))
        return found

    def _guess(self, name: str, other: str, *, is_left: bool) -> str:
        """Return the type of an operand without one, given that of the other."""
        if name in ("->", "->>", "?") and other in ("json", "jsonb"):
            return "text"
        if name in ("#>", "#>>"):
            return "_text"
        if name in ("+", "-") and other in ("timestamptz", "timestamp", "date"):
            return "interval" if not is_left or name == "+" else other
        if name == "*" and other == "interval":
            return "float8"
        if name == "-" and other == "jsonb":
            return "text"
        is_plain = not element_of(other) and other not in ("json", "jsonb")
        if name.endswith(("~~", "~~*")) or (name == "||" and is_plain):
            return "text"
        return other

    def _unary(self, name: str, node: Node, scope: Scope) -> Expression:
        operand = self.compile(node, scope)
        if name == "-" and operand.kind == "interval":
            return applied(
                lambda a: type(a)(*[-one for one in a]), [operand], "interval"
            )
        if name not in "+-" or operand.kind in ("bool", "text"):
            raise no_operator(name, "", operand.kind)
        if name == "+":
            return operand
        return applied(lambda a: -a, [operand], operand.kind)

    def _rows(self, name: str, left: Fields, right: Fields, scope: Scope) -> Expression:
        ones = [self.compile(one, scope) for one in left.get("args", [])]
        others = [self.compile(one, scope) for one in right.get("args", [])]
        if len(ones) != len(others):
            raise SQLError("42601", "unequal number of entries in row expressions")
        pairs = list(zip(ones, others, strict=True))
        equal = [self.operator("=", a, b) for a, b in pairs]
        if name in ("=", "<>", "!="):
            every = conjunction(equal)
            return every if name == "=" else negation(every)
        if name not in ("<", "<=", ">", ">="):
            raise NotModelled(f"rows with {name}")
        strict = [self.operator(name[0], a, b) for a, b in pairs]
        last = self.operator(name, *pairs[-1])
        reads, is_volatile = reads_of(*ones, *others)

        def compare(frame: Frame) -> Any:
            for index, same in enumerate(equal[:-1]):
                found = same.evaluate(frame)
                if not found:
                    return None if found is None else strict[index].evaluate(frame)
            return last.evaluate(frame)

        return Expression(compare, "bool", reads, is_volatile)

    def _any(
        self, name: str, fields: Fields, scope: Scope, *, is_all: bool
    ) -> Expression:
        left = self.compile(fields["lexpr"], scope)
        right = self.compile(fields["rexpr"], scope)
        if right.kind == "unknown":
            right = coerced(right, f"_{left.kind}")
        element = element_of(right.kind)
        if not element:
            raise SQLError("42809", "op ANY/ALL (array) requires array on right side")
        kind = element if left.kind == "unknown" else left.kind
        act, left_to, right_to, _ = binary(name, kind, element)
        left = coerced(coerced(left, kind), left_to)
        right = coerced(right, f"_{right_to}")
        reads, is_volatile = reads_of(left, right)

        def quantified(frame: Frame) -> Any:
            value, items = left.evaluate(frame), right.evaluate(frame)
            if items is None:
                return None
            return any_of(act, value, items, is_all=is_all)

        return Expression(quantified, "bool", reads, is_volatile)

    def _in(self, fields: Fields, scope: Scope, *, is_not: bool) -> Expression:
        left = fields["lexpr"]
        items = fields["rexpr"]["List"]["items"]
        if "RowExpr" in left:
            found = disjunction(
                [
                    self._rows("=", left["RowExpr"], one["RowExpr"], scope)
                    for one in items
                ]
            )
            return negation(found) if is_not else found
        value = self.compile(left, scope)
        options = [self.compile(one, scope) for one in items]
        kind = common_type([value.kind, *[one.kind for one in options]], "IN")
        equal = comparison("=", kind)
        value = coerced(value, kind)
        options = [coerced(one, kind) for one in options]
        reads, is_volatile = reads_of(value, *options)

        def is_in(frame: Frame) -> Any:
            mine = value.evaluate(frame)
            items = [one.evaluate(frame) for one in options]
            found = any_of(equal, mine, items, is_all=False)
            return found if not is_not or found is None else not found

        return Expression(is_in, "bool", reads, is_volatile)

    def _distinct(self, fields: Fields, scope: Scope, *, is_not: bool) -> Expression:
        left = self.compile(fields["lexpr"], scope)
        right = self.compile(fields["rexpr"], scope)
        kind = common_type([left.kind, right.kind], "IS DISTINCT FROM")
        equal = comparison("=", kind)
        left, right = coerced(left, kind), coerced(right, kind)
        reads, is_volatile = reads_of(left, right)

        def differ(frame: Frame) -> bool:
            a, b = left.evaluate(frame), right.evaluate(frame)
            same = a is b if a is None or b is None else equal(a, b)
            return bool(same) is is_not

        return Expression(differ, "bool", reads, is_volatile)

    def _is_between(self, fields: Fields, scope: Scope, *, is_not: bool) -> Expression:
        value = self.compile(fields["lexpr"], scope)
        low, high = [
            self.compile(one, scope) for one in fields["rexpr"]["List"]["items"]
        ]
        found = conjunction(
            [self.operator(">=", value, low), self.operator("<=", value, high)]
        )
        return negation(found) if is_not else found

    def _BoolExpr(self, fields: Fields, scope: Scope) -> Expression:
        name = fields["boolop"].removesuffix("_EXPR")
        parts = [self.condition(one, scope, name) for one in fields["args"]]
        if name == "NOT":
            return negation(parts[0])
        return conjunction(parts) if name == "AND" else disjunction(parts)

    def _NullTest(self, fields: Fields, scope: Scope) -> Expression:
        tested = self.compile(fields["arg"], scope)
        is_null = fields["nulltesttype"] == "IS_NULL"
        return Expression(
            lambda frame: (tested.evaluate(frame) is None) is is_null,
            "bool",
            tested.reads,
            tested.is_volatile,
        )

    def _BooleanTest(self, fields: Fields, scope: Scope) -> Expression:
        tested = self.condition(fields["arg"], scope, "IS")
        wanted, is_not = _TESTS[fields["booltesttype"]]
        return Expression(
            lambda frame: (tested.evaluate(frame) is wanted) is not is_not,
            "bool",
            tested.reads,
            tested.is_volatile,
        )

    # Other ----------------------------------------------------------------------------

    def _TypeCast(self, fields: Fields, scope: Scope) -> Expression:
        kind, modifiers = type_name(fields["typeName"], self._compiler.schema.enums)
        inner = fields["arg"]
        if "A_ArrayExpr" in inner and not inner["A_ArrayExpr"].get("elements"):
            return constant((), kind)
        if kind == "regclass":
            raise NotModelled("regclass", fields.get("location", -1))
        found = coerced(self.compile(inner, scope), kind, is_explicit=True)
        if modifiers and kind in ("varchar", "bpchar"):
            return applied(lambda text: text[: modifiers[0]], [found], kind)
        if modifiers and kind == "numeric":
            scale = modifiers[1] if len(modifiers) > 1 else 0
            return applied(lambda value: round_numeric(value, scale), [found], kind)
        return found

    def _CaseExpr(self, fields: Fields, scope: Scope) -> Expression:
        only(fields, "arg", "args", "defresult", of="CASE")
        tested = self.compile(fields["arg"], scope) if "arg" in fields else None
        conditions, results = [], []
        for one in fields["args"]:
            when = one["CaseWhen"]
            if tested is None:
                condition = self.condition(when["expr"], scope, "CASE/WHEN")
            else:
                other = self.compile(when["expr"], scope)
                condition = self.operator("=", tested, other)
            conditions.append(condition)
            results.append(self.compile(when["result"], scope))
        has_default = "defresult" in fields
        if has_default:
            results.append(self.compile(fields["defresult"], scope))
        kind = common_type([one.kind for one in results], "CASE")
        results = [coerced(one, kind) for one in results]
        reads, is_volatile = reads_of(*conditions, *results)
        pairs = [
            (condition.evaluate, result.evaluate)
            for condition, result in zip(conditions, results, strict=False)
        ]
        default = results[-1].evaluate if has_default else None

        def choose(frame: Frame) -> Any:
            for condition, result in pairs:
                if condition(frame):
                    return result(frame)
            return None if default is None else default(frame)

        return Expression(choose, kind, reads, is_volatile)

    def _CoalesceExpr(self, fields: Fields, scope: Scope) -> Expression:
        parts = [self.compile(one, scope) for one in fields["args"]]
        kind = common_type([one.kind for one in parts], "COALESCE")
        parts = [coerced(one, kind) for one in parts]
        reads, is_volatile = reads_of(*parts)

        def first(frame: Frame) -> Any:
            for one in parts:
                value = one.evaluate(frame)
                if value is not None:
                    return value
            return None

        return Expression(first, kind, reads, is_volatile)

    def _MinMaxExpr(self, fields: Fields, scope: Scope) -> Expression:
        name = "LEAST" if fields["op"] == "IS_LEAST" else "GREATEST"
        parts = [self.compile(one, scope) for one in fields["args"]]
        kind = common_type([one.kind for one in parts], name)
        parts = [coerced(one, kind) for one in parts]
        less = comparison("<", kind)
        reads, is_volatile = reads_of(*parts)

        def extreme(frame: Frame) -> Any:
            found = None
            for one in parts:
                value = one.evaluate(frame)
                if value is None:
                    continue
                if found is None or less(value, found) == (name == "LEAST"):
                    found = value
            return found

        return Expression(extreme, kind, reads, is_volatile)

    def _A_ArrayExpr(self, fields: Fields, scope: Scope) -> Expression:
        parts = [self.compile(one, scope) for one in fields.get("elements", [])]
        if not parts:
            raise SQLError("42P18", "cannot determine type of empty array")
        kind = common_type([one.kind for one in parts], "ARRAY")
        parts = [coerced(one, kind) for one in parts]
        reads, is_volatile = reads_of(*parts)
        return Expression(
            lambda frame: tuple([one.evaluate(frame) for one in parts]),
            f"_{kind}",
            reads,
            is_volatile,
        )

    def _A_Indirection(self, fields: Fields, scope: Scope) -> Expression:
        steps = fields["indirection"]
        if len(steps) != 1 or "A_Indices" not in steps[0]:
            raise NotModelled("a field of a row", fields.get("location", -1))
        only(steps[0]["A_Indices"], "uidx", of="a slice of an array")
        array = self.compile(fields["arg"], scope)
        index = coerced(self.compile(steps[0]["A_Indices"]["uidx"], scope), "int4")
        element = element_of(array.kind)
        if not element:
            raise SQLError("42804", f"cannot subscript type {shown_type(array.kind)}")

        def item(items: tuple[Any, ...], at: int) -> Any:
            return items[at - 1] if 1 <= at <= len(items) else None

        return applied(item, [array, index], element)

    def _SQLValueFunction(self, fields: Fields, scope: Scope) -> Expression:
        name = fields["op"].removeprefix("SVFOP_").lower()
        return functions.moment_function(name, fields.get("location", -1))

    def _CollateClause(self, fields: Fields, scope: Scope) -> Expression:
        if strings(fields["collname"])[-1] not in ("C", "POSIX"):
            raise NotModelled("a collation other than C", fields.get("location", -1))
        return self.compile(fields["arg"], scope)

    def _FuncCall(self, fields: Fields, scope: Scope) -> Expression:
        return self._compiler.calls.compile(fields, scope)

    def _SubLink(self, fields: Fields, scope: Scope) -> Expression:
        return self._compiler.subquery(fields, scope)

    def _SetToDefault(self, fields: Fields, scope: Scope) -> Expression:
        raise SQLError("42601", "DEFAULT is not allowed in this context")


_TESTS: Final = {
    "IS_TRUE": (True, False),
    "IS_NOT_TRUE": (True, True),
    "IS_FALSE": (False, False),
    "IS_NOT_FALSE": (False, True),
    "IS_UNKNOWN": (None, False),
    "IS_NOT_UNKNOWN": (None, True),
}

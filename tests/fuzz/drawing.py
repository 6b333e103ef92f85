"""Draws cases: one seed, one case, on any machine."""

import random
from typing import Any

from tests.fuzz.programs import (
    COUNTERS,
    KEYS,
    UNBOUNDED,
    Always,
    AtEnd,
    Body,
    Case,
    Expr,
    Op,
    Program,
)

KINDS = ("plain", "choices", "cycles", "symmetric", "faults", "healing", "reduced")
GUARDS = {
    "flag": [("is set",), ("not", ("is set",))],
    "queue": [("<", ("n", 0), ("queued",)), ("<", ("queued",), ("n", 2))],
    "lock": [("not", ("holder",))],
    "counters": [("<", ("count", "a"), ("n", 2)), ("<", ("n", 0), ("count", "b"))],
    "rows": [("<", ("n", 0), ("rows", 1)), ("<", ("all rows",), ("n", 2))],
}
LOCALS = ("x", "y", "z")


def draw(kind: str, seed: int) -> Case:
    """Return the case of a kind and a seed."""
    return _Drawing(kind, seed).case()


class _Drawing:
    """One case under way."""

    def __init__(self, kind: str, seed: int) -> None:
        self.kind, self.seed = kind, seed
        self.rng = random.Random(f"{kind} {seed}")
        self.has_cycles = kind == "cycles"
        self.unbounded = kind == "reduced"
        self.ops: dict[str, Op] = {}
        self.helpers: dict[str, Program] = {}
        self.list_helpers: list[str] = []
        self.failing: set[str] = set()
        self.depth = 0

    def case(self) -> Case:
        rng, kind = self.rng, self.kind
        for number in range(rng.randint(3, 6)):
            self._op(f"op_{number}")
        for number in range(rng.choice((0, 0, 1, 2))):
            self._helper(f"helper_{number}")
        count = rng.randint(1 if kind in ("faults", "healing") else 2, 3)
        programs = {f"flow_{n}": self._flow(f"flow_{n}") for n in range(count)}
        tasks = [(name, name.replace("flow", "owner"), 0) for name in programs]
        tasks = [(name, me, rng.randint(0, 2)) for name, me, _ in tasks]
        groups, faults, heals = [], {}, None
        if kind == "symmetric":
            tasks, groups = self._alike(list(programs))
        if kind in ("faults", "healing"):
            kinds = rng.sample(("crash", "fail", "lose"), rng.choice((1, 1, 2)))
            faults = {one: rng.choice((1, 1, 1, 2)) for one in kinds}
        if kind == "healing":
            programs["heal"] = Program(name="heal", body=self._guarded(self._body(1)))
            heals = (rng.randint(1, 2), "heal")
        return Case(
            kind=kind,
            seed=self.seed,
            ops=self.ops,
            helpers=self.helpers,
            programs=programs,
            tasks=tasks,
            properties=self._properties(),
            initial=self._initial(),
            groups=groups,
            faults=faults,
            requeues=bool(faults) and rng.random() < 0.4,
            respawns=rng.choice((0, 0, 1)) if faults else 0,
            heals=heals,
            has_cycles=self.has_cycles,
        )

    def _alike(self, names: list[str]) -> tuple[list[tuple[str, Any, Any]], Any]:
        """Tasks of one program, and sometimes one that differs after all."""
        rng = self.rng
        tasks = [(names[0], "owner", 0) for _ in range(rng.randint(2, 3))]
        group = list(range(len(tasks)))
        if rng.random() < 0.3:
            tasks[-1] = (names[0], "owner", 1)
        elif rng.random() < 0.2:
            tasks[-1] = (names[0], "another", 0)
        if rng.random() < 0.5:
            tasks.append((names[-1], "owner_z", 2))
        return tasks, [group]

    # Statements -------------------------------------------------------------------

    def _op(self, name: str) -> None:
        rng = self.rng
        guard, part = None, ""
        if rng.random() < 0.25:
            part = rng.choice(list(GUARDS))
            guard = rng.choice(GUARDS[part])
        body: Body = []
        names = ["p"]
        if rng.random() < 0.2:
            body.append(("fail if", self._condition([], shared=True), "Oops"))
            self.failing.add(name)
        body += self._op_body(names, rng.randint(1, 3))
        if rng.random() < 0.8:
            body.append(("return", self._shared(names)))
        self.ops[name] = Op(name=name, body=body, guard=guard, wakes_on=part)

    def _op_body(self, names: list[str], size: int) -> Body:
        rng, body = self.rng, []
        for _ in range(size):
            draw = rng.random()
            if draw < (0.4 if self.kind == "choices" else 0.1):
                x = f"c{len(names)}"
                body.append(("choose", x, rng.randint(2, 3)))
                names.append(x)
            elif draw < 0.5 and size > 1:
                condition = self._condition(names, shared=True)
                yes = self._op_body(list(names), 1)
                no = self._op_body(list(names), 1) if rng.random() < 0.5 else []
                body.append(("if", condition, yes, no))
            elif draw < 0.6:
                x = f"v{len(names)}"
                body.append(("let", x, self._shared(names)))
                names.append(x)
            else:
                body.append(self._action(names))
        return body

    def _action(self, names: list[str]) -> tuple[Any, ...]:
        rng = self.rng
        value = ("+", self._shared(names), ("n", rng.randint(0, 2)))
        key, row = rng.choice(COUNTERS), rng.choice(KEYS)
        choices: list[tuple[Any, ...]] = [
            ("add", key),
            ("add", key),
            ("set count", key, value),
            ("set flag", rng.random() < 0.6),
            ("put", value),
            ("take", self._new(names, "t")),
            ("acquire", self._new(names, "l")),
            ("release",),
            ("expire",),
            ("keep", value),
            ("evict",),
            ("insert", row, value),
            ("update", row, value),
            ("delete", row),
        ]
        if self.unbounded:
            choices += [("log", "c"), ("log", key), ("append", value)] * 2
        if not self.has_cycles:
            choices.append(("grant", self._new(names, "g")))
        action = rng.choice(choices)
        assert self.unbounded or action[0] not in ("log", "append")
        assert not (self.has_cycles and action[0] in UNBOUNDED)
        if action[0] in ("take", "acquire", "grant"):
            names.append(action[1])
        return ("do", *action)

    def _new(self, names: list[str], letter: str) -> str:
        return f"{letter}{len(names)}"

    def _shared(self, names: list[str], depth: int = 2) -> Expr:
        """An expression with reads of shared state."""
        rng = self.rng
        if depth and rng.random() < 0.3:
            operator = rng.choice(("+", "==", "<"))
            one, other = (self._shared(names, depth - 1) for _ in range(2))
            return (operator, one, other)
        if names and rng.random() < 0.4:
            return ("v", rng.choice(names))
        return self._read()

    def _read(self) -> Expr:
        rng = self.rng
        return rng.choice(
            [
                ("count", rng.choice(COUNTERS)),
                ("count", rng.choice(COUNTERS)),
                ("is set",),
                ("queued",),
                ("oldest",),
                ("copy",),
                ("row", rng.choice(KEYS)),
                ("rows", rng.randint(0, 2)),
                ("all rows",),
            ]
        )

    def _condition(self, names: list[str], *, shared: bool) -> Expr:
        value = self._shared(names, 1) if shared else self._local(names, 1)
        if self.rng.random() < 0.5:
            return ("==", value, ("n", self.rng.randint(0, 2)))
        return ("<", value, ("n", self.rng.randint(1, 2)))

    # Flows ------------------------------------------------------------------------

    def _flow(self, name: str) -> Program:
        size = self.rng.randint(1, 3 if self.kind in ("faults", "healing") else 5)
        return Program(name=name, body=self._guarded(self._body(size)))

    def _helper(self, name: str) -> None:
        rng = self.rng
        body: Body = self._body(rng.randint(1, 2), in_helper=True)
        if rng.random() < 0.5:
            self.list_helpers.append(name)
            at = rng.randint(len(LOCALS), len(body))
            body[at:at] = [("push", "p", ("v", rng.choice(LOCALS)))]
            body.append(("return", ("last", "p")))
        elif rng.random() < 0.7:
            body.append(("return", self._local(list(LOCALS))))
        self.helpers[name] = Program(name=name, body=body)
        if _may_fail(body, self.failing):
            self.failing.add(name)

    def _body(self, size: int, *, in_helper: bool = False) -> Body:
        rng = self.rng
        start: Body = [("let", x, ("n", rng.randint(0, 1))) for x in LOCALS]
        names = list(LOCALS)
        self.lists, self.boxes = [], []
        self.in_helper = in_helper
        if rng.random() < 0.3:
            start += [("new list", "xs"), ("alias", "ys", "xs")]
            if rng.random() < 0.5:
                start[-1] = ("new list", "ys")
            self.lists = ["xs", "ys"]
        if rng.random() < 0.3:
            start += [("new box", "bx", ("n", 0)), ("alias", "by", "bx")]
            if rng.random() < 0.5:
                start[-1] = ("new box", "by", ("n", 0))
            self.boxes = ["bx", "by"]
        if self.has_cycles and not in_helper and rng.random() < 0.7:
            return [*start, *self._poller(names, size)]
        return [*start, *self._statements(names, size)]

    def _poller(self, names: list[str], size: int) -> Body:
        self.depth += 1
        body = self._statements(names, max(1, size - 1))
        self.depth -= 1
        if not any(one[0] in ("await", "call") for one in body):
            body.append(self._await(names))
        if self.rng.random() < 0.5:
            leave: Body = [("break",)]
            body.append(("if", self._condition(names, shared=False), leave, []))
        # An instruction that awaits must be on every way round.
        body.insert(0, self._await(names))
        if self.rng.random() < 0.4:
            return [("while", self._condition(names, shared=False), body)]
        return [("loop", body)]

    def _statements(self, names: list[str], size: int, in_for: bool = False) -> Body:
        rng, body = self.rng, []
        for _ in range(size):
            draw = rng.random()
            if draw < 0.42 or self.depth > 2:
                body.append(self._await(names))
            elif draw < 0.5:
                body.append(self._sum(names))
            elif draw < 0.6 and self.helpers and not self.in_helper:
                body.append(self._call(names))
            elif draw < 0.72:
                body.append(self._branch(names, in_for))
            elif draw < 0.8:
                body.append(self._for(names))
            elif draw < 0.9:
                body.append(self._try(names))
            else:
                body += self._plain(names)
        return body

    def _await(self, names: list[str]) -> tuple[Any, ...]:
        x = self.rng.choice((*LOCALS, None))
        return ("await", x, self.rng.choice(list(self.ops)), self._local(names))

    def _sum(self, names: list[str]) -> tuple[Any, ...]:
        one, other = (self.rng.choice(list(self.ops)) for _ in range(2))
        x = self.rng.choice(LOCALS)
        return ("sum", x, one, self._local(names), other, self._local(names))

    def _call(self, names: list[str]) -> tuple[Any, ...]:
        helper = self.rng.choice(list(self.helpers))
        if helper in self.list_helpers:
            if not self.lists:
                return self._await(names)
            return ("call", self.rng.choice(LOCALS), helper, ("v", self.lists[0]))
        x = self.rng.choice((*LOCALS, None))
        return ("call", x, helper, self._local(names))

    def _nested(self, names: list[str], size: int, in_for: bool = False) -> Body:
        self.depth += 1
        body = self._statements(names, size, in_for)
        self.depth -= 1
        return body

    def _branch(self, names: list[str], in_for: bool) -> tuple[Any, ...]:
        rng = self.rng
        yes = self._nested(names, 1, in_for)
        if in_for and rng.random() < 0.3:
            yes.append(("break",))
        elif rng.random() < 0.15 and not self.has_cycles:
            yes.append(("return", self._local(names)))
        no = self._nested(names, 1, in_for) if rng.random() < 0.5 else []
        return ("if", self._condition(names, shared=False), yes, no)

    def _for(self, names: list[str]) -> tuple[Any, ...]:
        i = f"i{self.depth}"
        body = self._nested([*names, i], self.rng.randint(1, 2), in_for=True)
        return ("for", i, self.rng.randint(1, 2), body)

    def _try(self, names: list[str]) -> tuple[Any, ...]:
        rng = self.rng
        body = self._nested(names, rng.randint(1, 2))
        if rng.random() < 0.3:
            raising: Body = [("raise", "Oops")]
            body.append(("if", self._condition(names, shared=False), raising, []))
        handler: Body = [("let", rng.choice(LOCALS), ("n", 2))]
        if rng.random() < 0.4:
            handler += self._nested(names, 1)
        error = "Failed" if rng.random() < 0.4 and self.kind == "faults" else "Oops"
        return ("try", body, error, handler)

    def _plain(self, names: list[str]) -> Body:
        rng = self.rng
        draw = rng.random()
        if draw < 0.3 and self.lists and not self.has_cycles:
            return [("push", rng.choice(self.lists), self._local(names))]
        if draw < 0.5 and self.boxes:
            return [("put", rng.choice(self.boxes), self._local(names))]
        return [("let", rng.choice(LOCALS), self._local(names))]

    def _local(self, names: list[str], depth: int = 2) -> Expr:
        """An expression of local variables, a number."""
        rng = self.rng
        if depth and rng.random() < 0.3:
            operator = rng.choice(("+", "==", "<"))
            return (operator, self._local(names, depth - 1), ("n", rng.randint(0, 2)))
        draw = rng.random()
        if draw < 0.15 and self.lists:
            return (rng.choice(("len", "last")), rng.choice(self.lists))
        if draw < 0.3 and self.boxes:
            return ("field", rng.choice(self.boxes))
        return ("v", rng.choice(names))

    def _guarded(self, body: Body) -> Body:
        """Catch at the outside what a flow may raise; let some end by an error."""
        if self.rng.random() < 0.3 or not _may_fail(body, self.failing):
            return body
        return [("try", body, "Oops", [("return", ("n", None))])]

    # What is judged, and where it begins ------------------------------------------

    def _properties(self) -> dict[str, Always | AtEnd]:
        rng = self.rng
        found: dict[str, Always | AtEnd] = {}
        for number in range(rng.randint(1, 2)):
            wrong = ("==", self._read(), ("n", rng.randint(0, 2)))
            at_risk = ("==", self._read(), ("n", rng.randint(0, 2)))
            found[f"at_end_{number}"] = AtEnd(
                wrong=wrong, at_risk=at_risk if rng.random() < 0.5 else ("n", 1)
            )
        for number in range(rng.randint(0, 2)):
            is_row = rng.random() < 0.4
            found[f"always_{number}"] = Always(
                part="rows" if is_row else "counters",
                key=rng.choice(KEYS if is_row else COUNTERS),
                value=rng.randint(0, 2),
                only_if=("is set",) if rng.random() < 0.3 else None,
            )
        return found

    def _initial(self) -> dict[str, Any]:
        rng = self.rng
        return {
            "counters": {"a": 1} if rng.random() < 0.3 else {},
            "queue": [rng.randint(0, 2)] if rng.random() < 0.4 else [],
            "rows": {0: rng.randint(0, 2)} if rng.random() < 0.6 else {},
        }


def _may_fail(body: Body, failing: set[str]) -> bool:
    """Return whether an `Oops` may leave a body."""
    for one in body:
        match one:
            case ("raise", _):
                return True
            case ("await" | "call", _, called, _):
                if called in failing:
                    return True
            case ("sum", _, one, _, other, _):
                if failing & {one, other}:
                    return True
            case ("try", inner, "Oops", handler):
                if _may_fail(handler, failing):
                    return True
                del inner  # what it raises is caught
            case ("try", inner, _, handler):
                if _may_fail(inner, failing) or _may_fail(handler, failing):
                    return True
            case ("if", _, yes, no):
                if _may_fail(yes, failing) or _may_fail(no, failing):
                    return True
            case ("for" | "while" | "loop", *_, inner):
                if _may_fail(inner, failing):
                    return True
    return False

"""From a case to the Python text of its store and its coroutines."""

from typing import Any

from tests.fuzz.programs import Body, Case, Expr, Op, Program

HEAD = '''"""A case of the fuzzer, rendered."""

from tests.fuzz.world import (
    COUNT_MAX, QUEUE_MAX, Box, Failed, FuzzStore, Oops, less, plus, statement
)
'''


def render(case: Case) -> str:
    """Return the text of a module with `Store` and one coroutine for each program."""
    lines = [HEAD, "", "class Store(FuzzStore):"]
    for op in case.ops.values():
        lines += _op(op)
    for program in (*case.helpers.values(), *case.programs.values()):
        lines += ["", *_program(program)]
    return "\n".join(lines) + "\n"


def _op(op: Op) -> list[str]:
    decorator = "    @statement"
    if op.guard is not None:
        decorator += (
            f"(enabled=lambda self, p, me: bool({text(op.guard)}),"
            f" wakes_on=lambda self, p, me: self.{op.wakes_on})"
        )
    body = _statements(op.body, 2, _op_line)
    return ["", decorator, f"    def {op.name}(self, p, me):", *body]


def _program(program: Program) -> list[str]:
    lines = [f"async def {program.name}(store, me, p):"]
    return [*lines, *_statements(program.body, 1, _task_line)]


def _statements(body: Body, depth: int, line: Any) -> list[str]:
    pad, found = "    " * depth, []
    for one in body:
        if one[0] == "if":
            found.append(f"{pad}if {text(one[1])}:")
            found += _statements(one[2], depth + 1, line)
            if one[3]:
                found.append(f"{pad}else:")
                found += _statements(one[3], depth + 1, line)
        elif one[0] == "for":
            found.append(f"{pad}for {one[1]} in range({one[2]}):")
            found += _statements(one[3], depth + 1, line)
        elif one[0] in ("loop", "while"):
            condition = "True" if one[0] == "loop" else text(one[1])
            found.append(f"{pad}while {condition}:")
            found += _statements(one[-1], depth + 1, line)
        elif one[0] == "try":
            found.append(f"{pad}try:")
            found += _statements(one[1], depth + 1, line)
            found.append(f"{pad}except {one[2]}:")
            found += _statements(one[3], depth + 1, line)
        else:
            found += [f"{pad}{text_}" for text_ in line(one)]
    return found or [f"{pad}pass"]


def _task_line(one: tuple[Any, ...]) -> list[str]:
    match one:
        case ("let", x, e):
            return [f"{x} = {text(e)}"]
        case ("await", x, op, e):
            call = f"await store.{op}({text(e)}, me)"
            return [call if x is None else f"{x} = {call}"]
        case ("call", x, helper, e):
            call = f"await {helper}(store, me, {text(e)})"
            return [call if x is None else f"{x} = {call}"]
        case ("sum", x, op, e, other, f):
            one, two = (
                f"await store.{o}({text(v)}, me)" for o, v in ((op, e), (other, f))
            )
            return [f"{x} = plus({one}, {two})"]
        case ("raise", error):
            return [f"raise {error}()"]
        case ("break",):
            return ["break"]
        case ("return", e):
            return [f"return {text(e)}"]
        case ("new list", x):
            return [f"{x} = []"]
        case ("push", x, e):
            return [f"{x}.append({text(e)})"]
        case ("new box", x, e):
            return [f"{x} = Box({text(e)})"]
        case ("put", x, e):
            return [f"{x}.value = {text(e)}"]
        case ("alias", x, y):
            return [f"{x} = {y}"]
    raise ValueError(one)


def _op_line(one: tuple[Any, ...]) -> list[str]:
    match one:
        case ("let", x, e):
            return [f"{x} = {text(e)}"]
        case ("choose", x, n):
            return [f"{x} = self.kernel.choose({n})"]
        case ("return", e):
            return [f"return {text(e)}"]
        case ("fail if", e, error):
            return [f"if {text(e)}:", f"    raise {error}()"]
        case ("do", *action):
            return _action(*action)
    raise ValueError(one)


def _action(name: str, *rest: Any) -> list[str]:
    match name, rest:
        case "add", (key,):
            return [
                f"if self.counters.get({key!r}) < COUNT_MAX:",
                f"    self.counters.add({key!r})",
            ]
        case "log", (key,):
            return [f"self.counters.add({key!r})"]
        case "set count", (key, e):
            value = f"{text(e)} - self.counters.get({key!r})"
            return [f"self.counters.add({key!r}, {value})"]
        case "set flag", (value,):
            return [f"self.flag.set({value})"]
        case "put", (e,):
            put = f"    self.queue.put({text(e)})"
            return ["if len(self.queue) < QUEUE_MAX:", put]
        case "append", (e,):
            return [f"self.queue.put({text(e)})"]
        case "take", (x,):
            return [f"{x} = self.queue.take() if len(self.queue) else None"]
        case "acquire", (x,):
            return [f"{x} = int(self.lock.try_acquire(me))"]
        case "release", ():
            return ["if not self.lock.is_free():", "    self.lock.release()"]
        case "grant", (x,):
            return [f"{x} = self.leases.grant('k', me)"]
        case "expire", ():
            return ["self.leases.expire('k')"]
        case "keep", (e,):
            return [f"self.cache.put({text(e)})"]
        case "evict", ():
            return ["self.cache.evict()"]
        case "insert", (key, e):
            return [
                f"if {key} not in self.rows:",
                f"    self.rows.insert(self.Row({key}, {text(e)}))",
            ]
        case "update", (key, e):
            update = f"    self.rows.update({key}, value={text(e)})"
            return [f"if {key} in self.rows:", update]
        case "delete", (key,):
            return [f"if {key} in self.rows:", f"    self.rows.delete({key})"]
    raise ValueError((name, rest))


def text(e: Expr) -> str:
    """Return the Python text of an expression."""
    match e:
        case ("n", value):
            return repr(value)
        case ("v", x):
            return str(x)
        case ("+", a, b):
            return f"plus({text(a)}, {text(b)})"
        case ("==", a, b):
            return f"int({text(a)} == {text(b)})"
        case ("<", a, b):
            return f"less({text(a)}, {text(b)})"
        case ("not", a):
            return f"int(not {text(a)})"
        case ("len", x):
            return f"len({x})"
        case ("last", x):
            return f"({x}[-1] if {x} else None)"
        case ("field", x):
            return f"{x}.value"
        case ("count", key):
            return f"self.counters.get({key!r})"
        case ("is set",):
            return "int(self.flag.is_set())"
        case ("queued",):
            return "len(self.queue)"
        case ("oldest",):
            return "next(iter(self.queue), None)"
        case ("holder",):
            return "self.lock.holder()"
        case ("leased",):
            return "self.leases.holder('k')"
        case ("copy",):
            return "self.cache.get()"
        case ("row", key):
            return f"self.value_of({key})"
        case ("rows", value):
            return f"self.rows.count(value={value})"
        case ("all rows",):
            return "len(self.rows)"
    raise ValueError(e)

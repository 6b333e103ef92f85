"""An interpreter of cases that shares nothing with Wavecheck: states and their steps.

Programs are flattened into instructions; a task stands at an `await` with the variables
that may still be read, which is found by data flow over the instructions. A state is a
plain tuple. `successors` gives every step of every task with every answer to its
choices.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.fuzz.programs import (
    COUNT_MAX,
    COUNTERS,
    NO_ERROR,
    QUEUE_MAX,
    Always,
    AtEnd,
    Body,
    Case,
    Expr,
    Program,
)

ENDED, ABSENT, FAULT = "ended", "absent", "fault"


class Raised(Exception):
    """An error of the interpreted program."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


@dataclass
class Code:
    """A program as instructions.

    Attributes:
        instructions: tuples; jumps name an index.
        handler: for each instruction, where its errors go; None: out of the program.
        handled: for each, the error that is being handled there.
        loops: for each, the `for` loops it is inside of.
        live: for each, the variables that may be read while it is awaited.
    """

    instructions: list[tuple[Any, ...]] = field(default_factory=list)
    handler: list[int | None] = field(default_factory=list)
    handled: list[str] = field(default_factory=list)
    loops: list[tuple[int, ...]] = field(default_factory=list)
    live: list[frozenset[str]] = field(default_factory=list)


class _Flattener:
    """Makes instructions of a body."""

    def __init__(self) -> None:
        self.code = Code()
        self._handlers: list[list[Any]] = []
        self._handled: list[str] = []
        self._for_loops: list[int] = []
        self._breaks: list[list[int]] = []
        self._handler_of: list[list[Any] | None] = []

    def flatten(self, program: Program) -> Code:
        self.body(program.body)
        self.emit("return", ("n", None))
        self.code.handler = [
            None if one is None else one[0] for one in self._handler_of
        ]
        self.code.live = _live(self.code)
        return self.code

    def emit(self, *instruction: Any) -> int:
        code = self.code
        code.instructions.append(instruction)
        self._handler_of.append(self._handlers[-1] if self._handlers else None)
        code.handled.append(self._handled[-1] if self._handled else "")
        code.loops.append(tuple(self._for_loops))
        return len(code.instructions) - 1

    def patch(self, place: int, *instruction: Any) -> None:
        self.code.instructions[place] = instruction

    @property
    def here(self) -> int:
        return len(self.code.instructions)

    def body(self, body: Body) -> None:
        for one in body:
            getattr(self, "_" + one[0].replace(" ", "_"), self._plain)(*one)

    def _plain(self, *one: Any) -> None:
        self.emit(*one)

    def _sum(self, _: str, x: str, op: str, e: Expr, other: str, f: Expr) -> None:
        self.emit("await", "(one)", op, e)
        self.emit("await", "(two)", other, f)
        self.emit("let", x, ("+", ("v", "(one)"), ("v", "(two)")))

    def _if(self, _: str, e: Expr, yes: Body, no: Body) -> None:
        test = self.emit("unless")
        self.body(yes)
        leave = self.emit("jump")
        self.patch(test, "unless", e, self.here)
        self.body(no)
        self.patch(leave, "jump", self.here)

    def _loop(self, _: str, body: Body) -> None:
        self._breaks.append([])
        start = self.here
        self.body(body)
        self.emit("jump", start)
        self._leave_loop()

    def _while(self, _: str, e: Expr, body: Body) -> None:
        self._breaks.append([])
        test = self.emit("unless")
        self.body(body)
        self.emit("jump", test)
        self.patch(test, "unless", e, self.here)
        self._leave_loop()

    def _for(self, _: str, x: str, n: int, body: Body) -> None:
        number = self.emit("iter")
        self.patch(number, "iter", number, n)
        self._for_loops.append(number)
        self._breaks.append([])
        top = self.emit("next")
        self.body(body)
        self.emit("jump", top)
        self._for_loops.pop()
        self.patch(top, "next", number, x, self.here)
        self._leave_loop()

    def _leave_loop(self) -> None:
        for place in self._breaks.pop():
            self.patch(place, "jump", self.here)

    def _break(self, _: str) -> None:
        self._breaks[-1].append(self.emit("jump"))

    def _try(self, _: str, body: Body, error: str, handler: Body) -> None:
        target: list[Any] = [None]
        self._handlers.append(target)
        self.body(body)
        self._handlers.pop()
        leave = self.emit("jump")
        target[0] = self.here
        match = self.emit("match")
        self._handled.append(error)
        self.body(handler)
        self._handled.pop()
        after = self.emit("jump")
        self.patch(match, "match", error, self.here)
        self.emit("reraise")
        self.patch(leave, "jump", self.here)
        self.patch(after, "jump", self.here)


def _reads(e: Any) -> frozenset[str]:
    if e[0] in ("v", "len", "last", "field"):
        return frozenset(e[1:])
    return frozenset().union(*(_reads(one) for one in e[1:] if isinstance(one, tuple)))


def _uses(one: tuple[Any, ...]) -> tuple[frozenset[str], str | None]:
    """Return the variables that an instruction reads, and the one that it sets."""
    match one:
        case ("let", x, e) | ("new box", x, e) | ("await" | "call", x, _, e):
            return _reads(e), x
        case ("new list", x):
            return frozenset(), x
        case ("push" | "put", x, e):
            return _reads(e) | {x}, None
        case ("alias", x, y):
            return frozenset({y}), x
        case ("unless", e, _) | ("return", e):
            return _reads(e), None
        case ("next", _, x, _):
            return frozenset(), x
    return frozenset(), None


def _followers(one: tuple[Any, ...], here: int) -> list[int]:
    match one:
        case ("jump", target):
            return [target]
        case ("return" | "raise" | "reraise", *_):
            return []
        case ("unless" | "match", _, target) | ("next", _, _, target):
            return [here + 1, target]
    return [here + 1]


def _live(code: Code) -> list[frozenset[str]]:
    """Return what may be read after each instruction has been suspended."""
    instructions = code.instructions
    if any(one[0] == "await" or one[0] == "call" for one in instructions):
        instructions = [
            (*one[:3], _with_self(one[3])) if one[0] in ("await", "call") else one
            for one in instructions
        ]
    before = [frozenset[str]()] * len(instructions)
    while True:
        changed = False
        for here in range(len(instructions) - 1, -1, -1):
            one = instructions[here]
            reads, sets = _uses(one)
            live = reads | (_after(code, before, here, one) - {sets})
            live |= _caught(code, before, here)
            if live != before[here]:
                before[here], changed = live, True
        if not changed:
            break
    return [
        (_after(code, before, here, one) - {_uses(one)[1]})
        | _caught(code, before, here)
        for here, one in enumerate(instructions)
    ]


def _with_self(e: Expr) -> Expr:
    """Return an expression that also reads what every call is given."""
    return ("all", e, ("v", "me"))


def _after(
    code: Code, before: list[frozenset[str]], here: int, one: tuple[Any, ...]
) -> frozenset[str]:
    return frozenset().union(*(before[place] for place in _followers(one, here)))


def _caught(code: Code, before: list[frozenset[str]], here: int) -> frozenset[str]:
    target = code.handler[here]
    return frozenset() if target is None else before[target]


class Reference:
    """The transition system of a case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.names = [case.task_name(index) for index in range(len(case.tasks))]
        self.first_fault = len(self.names)
        for kind in sorted(case.faults):
            for number in range(1, case.faults[kind] + 1):
                self.names.append(f"fault {kind}-{number}")
        self.first_later = len(self.names)
        for index in range(len(case.tasks)):
            for number in range(1, case.respawns + 1):
                self.names.append(f"{case.task_name(index)}'{number}")
        self.first_healer = len(self.names)
        rounds = case.heals[0] if case.heals else 0
        self.names += [f"healer-{number + 1}" for number in range(rounds)]
        self._programs = {**case.helpers, **case.programs}
        self._code = cache(lambda name: _Flattener().flatten(self._programs[name]))

    def initial(self) -> Any:
        """Return the state at the start: tasks, shared state, births, rounds."""
        tasks: list[Any] = [
            self._begin(program, me, p) for program, me, p in self.case.tasks
        ]
        tasks += [FAULT] * (self.first_later - self.first_fault)
        tasks += [ABSENT] * (len(self.names) - self.first_later)
        shared: dict[Any, Any] = {}
        for name, value in self.case.initial.get("counters", {}).items():
            shared["counters", name] = value
        if self.case.initial.get("queue"):
            shared["queue"] = tuple(self.case.initial["queue"])
        for key, value in self.case.initial.get("rows", {}).items():
            shared["rows", key] = value
        return tuple(tasks), _frozen(shared), (), 0

    # Flows ------------------------------------------------------------------------

    def _begin(self, program: str, me: Any, p: Any) -> Any:
        frame = [program, 0, {"me": me, "p": p}, {}]
        return self._run([frame], {}, None)

    def _resume(self, task: Any, value: Any, error: str | None) -> Any:
        frames = [
            [name, place, dict(env), dict(iters)] for name, place, env, iters in task[0]
        ]
        heap = {number: [kind, *held] for number, (kind, *held) in enumerate(task[1])}
        heap = {number: [one[0], list(one[1])] for number, one in heap.items()}
        return self._run(frames, heap, (value, error))

    def _run(self, frames: Any, heap: Any, given: Any) -> Any:
        """Run a flow to its next `await`; return where it stands.

        Raises:
            Raised: an error that it did not catch.
        """
        if given is not None:
            value, error = given
            if error is not None:
                self._unwind(frames, error)
            else:
                self._give(frames[-1], value)
        while frames:
            frame = frames[-1]
            code = self._code(frame[0])
            one = code.instructions[frame[1]]
            if one[0] == "await":
                return self._stand(frames, heap, one)
            if one[0] == "call":
                env = {"me": frame[2]["me"], "p": _value(one[3], frame[2], heap)}
                frames.append([one[2], 0, env, {}])
            elif one[0] == "return":
                value = _value(one[1], frame[2], heap)
                frames.pop()
                if frames:
                    self._give(frames[-1], value)
            elif one[0] == "raise":
                self._unwind(frames, one[1])
            elif one[0] == "reraise":
                self._unwind(frames, frame[2]["(error)"], at=frame[1])
            else:
                _plain_step(frame, one, heap)
        return ENDED

    def _give(self, frame: Any, value: Any) -> None:
        one = self._code(frame[0]).instructions[frame[1]]
        if one[1] is not None:
            frame[2][one[1]] = value
        frame[1] += 1

    def _unwind(self, frames: Any, error: str, at: int | None = None) -> None:
        while frames:
            frame = frames[-1]
            code = self._code(frame[0])
            target = code.handler[frame[1] if at is None else at]
            at = None
            if target is not None:
                frame[1] = target
                frame[2]["(error)"] = error
                for number in list(frame[3]):
                    if number not in code.loops[target]:
                        del frame[3][number]
                return
            frames.pop()
        raise Raised(error)

    def _stand(self, frames: Any, heap: Any, one: tuple[Any, ...]) -> Any:
        """Return a task at an `await` as a tuple, without what is never read again."""
        argument = _value(one[3], frames[-1][2], heap)
        numbers: dict[int, int] = {}
        held: list[Any] = []

        def kept(value: Any) -> Any:
            if not isinstance(value, tuple):
                return value
            number = value[1]
            if number not in numbers:
                numbers[number] = len(numbers)
                held.append(None)
                kind, items = heap[number]
                held[numbers[number]] = (kind, tuple(kept(item) for item in items))
            return ("ref", numbers[number])

        kept_frames = []
        for name, place, env, iters in frames:
            code = self._code(name)
            live = set(code.live[place])
            if code.handled[place]:
                live.add("(error)")
            variables = [(x, kept(env[x])) for x in sorted(live) if x in env]
            going = [(n, iters[n]) for n in code.loops[place]]
            kept_frames.append((name, place, tuple(variables), tuple(going)))
        me = frames[-1][2]["me"]
        return tuple(kept_frames), tuple(held), (one[2], argument, me)

    # Steps ------------------------------------------------------------------------

    def is_enabled(self, state: Any, index: int) -> bool:
        """Return whether a task can take a step."""
        task = state[0][index]
        if isinstance(task, str):
            return task == FAULT
        guard = self.case.ops[task[2][0]].guard
        return guard is None or bool(_shared_value(guard, {}, dict(state[1])))

    def enabled(self, state: Any) -> list[int]:
        """Return the tasks that can take a step."""
        return [n for n in range(len(self.names)) if self.is_enabled(state, n)]

    def steps(self, state: Any, index: int) -> Iterator["Step"]:
        """Yield what the next step of an enabled task may do, for every answer."""
        answers: list[int] = []
        while True:
            script = _Script(answers)
            if state[0][index] == FAULT:
                yield self._strike(state, index, script)
            else:
                yield self._perform(state, index, script)
            taken, options = script.taken, script.options
            while taken and taken[-1] + 1 == options[len(taken) - 1]:
                taken.pop()
            if not taken:
                return
            answers = [*taken[:-1], taken[-1] + 1]

    def _perform(self, state: Any, index: int, script: "_Script") -> "Step":
        tasks, shared, births, rounds = state
        op, p, me = tasks[index][2]
        held, changes = dict(shared), []
        result, error = None, None
        try:
            result = _act(
                self.case.ops[op].body, {"p": p, "me": me}, held, changes, script
            )
        except Raised as raised:
            error = raised.error
        after, violated = list(tasks), self._violated(changes, held)
        try:
            after[index] = self._resume(tasks[index], result, error)
        except Raised as raised:
            after[index] = f"{ENDED} by {raised.error}"
            violated |= {NO_ERROR}
        return Step(
            state=(tuple(after), _frozen(held), births, rounds),
            choices=tuple(script.taken),
            one_in=script.one_in,
            violated=violated,
            result=error or result,
        )

    def _violated(self, changes: list[Any], held: dict[Any, Any]) -> frozenset[str]:
        return frozenset(
            name
            for name, one in self.case.properties.items()
            if isinstance(one, Always)
            for part, key, after in changes
            if (part, key, after) == (one.part, one.key, one.value)
            and (one.only_if is None or _shared_value(one.only_if, {}, held))
        )

    def _strike(self, state: Any, index: int, script: "_Script") -> "Step":
        tasks, shared, births, rounds = state
        after, held, born = list(tasks), dict(shared), list(births)
        after[index], violated = ENDED, frozenset[str]()
        kind = self.names[index].split()[1].partition("-")[0]
        targets = list(self._targets(kind, tasks, held, births))
        if targets:
            who, again = targets[script.choose(len(targets))]
            if kind == "lose":
                items = list(held["queue"])
                items.remove(items[who])
                held["queue"] = tuple(items)
            elif kind == "crash":
                after[who] = ENDED
                self._bury(after, held, born, who, again)
            else:
                try:
                    after[who] = self._resume(tasks[who], None, "Failed")
                except Raised as raised:
                    if raised.error == "Failed":
                        after[who] = ENDED
                        again = self.case.requeues and script.choose(2) == 0
                        self._bury(after, held, born, who, again)
                    else:
                        after[who] = f"{ENDED} by {raised.error}"
                        violated = frozenset({NO_ERROR})
        return Step(
            state=(tuple(after), _frozen(held), tuple(born), rounds),
            choices=tuple(script.taken),
            one_in=script.one_in,
            violated=violated,
            result=None,
        )

    def _targets(self, kind: str, tasks: Any, held: Any, births: Any) -> Iterator[Any]:
        if kind == "lose":
            for place in range(len(held.get("queue", ()))):
                yield place, False
            return
        for who in (*range(self.first_fault), *births):
            if not isinstance(tasks[who], str):
                if kind == "crash" and self.case.requeues:
                    yield who, True
                yield who, False

    def _bury(self, tasks: Any, held: Any, born: Any, who: int, again: bool) -> None:
        if again and len(held.get("queue", ())) < QUEUE_MAX:
            held["queue"] = (*held.get("queue", ()), 0)
        name, _, number = self.names[who].partition("'")
        place = int(number or 0)
        if name.startswith("task-") and place < self.case.respawns:
            successor = self.names.index(f"{name}'{place + 1}")
            program, me, p = self.case.tasks[int(name.removeprefix("task-"))]
            tasks[successor] = self._begin(program, me, p)
            born.append(successor)

    def healed(self, state: Any) -> Any:
        """Return the state after healing one without enabled tasks; None: it stays."""
        tasks, shared, births, rounds = state
        if self.case.heals is None or rounds == self.case.heals[0]:
            return None
        if dict(shared).get("flag"):
            return None
        after = list(tasks)
        healer = self.first_healer + rounds
        after[healer] = self._begin(self.case.heals[1], "healer", 0)
        return tuple(after), shared, (*births, healer), rounds + 1

    def is_wrong_at_end(self, state: Any, name: str) -> bool:
        """Return whether a property of final states does not hold in a state."""
        one = self.case.properties[name]
        assert isinstance(one, AtEnd)
        return bool(_shared_value(one.wrong, {}, dict(state[1])))

    def is_at_risk(self, state: Any, name: str) -> bool:
        """Return whether a final state could have violated a property."""
        one = self.case.properties[name]
        if isinstance(one, Always):
            return True
        return bool(_shared_value(one.at_risk, {}, dict(state[1])))


@dataclass(frozen=True)
class Step:
    """One thing that a task's next step may do.

    Attributes:
        state: after it.
        choices: answers inside it.
        one_in: one over the odds of these answers.
        violated: properties that it violates.
        result: what the statement returned, or the name of the error it raised.
    """

    state: Any
    choices: tuple[int, ...]
    one_in: int
    violated: frozenset[str]
    result: Any


class _Script:
    """Answers choices from a list, then with 0."""

    def __init__(self, answers: list[int]) -> None:
        self.taken: list[int] = []
        self.options: list[int] = []
        self.one_in = 1
        self._answers = answers

    def choose(self, count: int) -> int:
        if count < 2:
            return 0
        place = len(self.taken)
        answer = self._answers[place] if place < len(self._answers) else 0
        self.taken.append(answer)
        self.options.append(count)
        self.one_in *= count
        return answer


def _frozen(shared: dict[Any, Any]) -> tuple[Any, ...]:
    """Return shared state without what is as if it had never been."""
    kept = [
        (key, value)
        for key, value in shared.items()
        if value is not None
        and value != ()
        and value is not False
        and not (key[0] == "counters" and value == 0)
    ]
    return tuple(sorted(kept, key=repr))


def _plain_step(frame: Any, one: tuple[Any, ...], heap: Any) -> None:
    """Take one instruction that stays inside its program."""
    env = frame[2]
    frame[1] += 1
    match one:
        case ("let", x, e):
            env[x] = _value(e, env, heap)
        case ("unless", e, target):
            if not _value(e, env, heap):
                frame[1] = target
        case ("jump", target):
            frame[1] = target
        case ("iter", number, n):
            frame[3][number] = (0, n)
        case ("next", number, x, target):
            done, n = frame[3][number]
            if done == n:
                del frame[3][number]
                frame[1] = target
            else:
                env[x] = done
                frame[3][number] = (done + 1, n)
        case ("match", error, target):
            if env["(error)"] != error:
                frame[1] = target
        case ("new list", x):
            number = max(heap, default=-1) + 1
            heap[number] = ["list", []]
            env[x] = ("ref", number)
        case ("new box", x, e):
            number = max(heap, default=-1) + 1
            heap[number] = ["box", [_value(e, env, heap)]]
            env[x] = ("ref", number)
        case ("push", x, e):
            heap[env[x][1]][1].append(_value(e, env, heap))
        case ("put", x, e):
            heap[env[x][1]][1] = [_value(e, env, heap)]
        case ("alias", x, y):
            env[x] = env[y]
        case _:
            raise ValueError(one)


def _value(e: Expr, env: Any, heap: Any) -> Any:
    """Return the value of an expression of local variables."""
    match e:
        case ("len", x):
            return len(heap[env[x][1]][1])
        case ("last", x):
            items = heap[env[x][1]][1]
            return items[-1] if items else None
        case ("field", x):
            return heap[env[x][1]][1][0]
    return _combined(e, env, lambda one: _value(one, env, heap))


def _combined(e: Expr, env: Any, value: Any) -> Any:
    match e:
        case ("n", n):
            return n
        case ("v", x):
            return env[x]
        case ("+", one, other):
            return (int(value(one) or 0) + int(value(other) or 0)) % 3
        case ("==", one, other):
            return int(value(one) == value(other))
        case ("<", one, other):
            return int(int(value(one) or 0) < int(value(other) or 0))
        case ("not", one):
            return int(not value(one))
    raise ValueError(e)


def _shared_value(e: Expr, env: Any, held: dict[Any, Any]) -> Any:
    """Return the value of an expression that may read shared state."""
    match e:
        case ("count", key):
            return held.get(("counters", key), 0)
        case ("is set",):
            return int(held.get("flag", False))
        case ("queued",):
            return len(held.get("queue", ()))
        case ("oldest",):
            return held["queue"][0] if held.get("queue") else None
        case ("holder",):
            return held["lock"][0] if held.get("lock") else None
        case ("leased",):
            lease = held.get("lease")
            return lease[0] if lease and lease[2] else None
        case ("copy",):
            return held.get("cache")
        case ("row", key):
            return held.get(("rows", key))
        case ("rows", wanted):
            return sum(
                key[0] == "rows" and value is not None and value == wanted
                for key, value in held.items()
            )
        case ("all rows",):
            return sum(
                key[0] == "rows" and value is not None for key, value in held.items()
            )
    return _combined(e, env, lambda one: _shared_value(one, env, held))


class _Returned(Exception):
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


def _act(body: Body, env: Any, held: Any, changes: Any, script: _Script) -> Any:
    """Perform a statement; return its result."""
    try:
        _act_all(body, env, held, changes, script)
    except _Returned as returned:
        return returned.value
    return None


def _act_all(body: Body, env: Any, held: Any, changes: Any, script: _Script) -> None:
    for one in body:
        match one:
            case ("let", x, e):
                env[x] = _shared_value(e, env, held)
            case ("choose", x, n):
                env[x] = script.choose(n)
            case ("if", e, yes, no):
                branch = yes if _shared_value(e, env, held) else no
                _act_all(branch, env, held, changes, script)
            case ("return", e):
                raise _Returned(_shared_value(e, env, held))
            case ("fail if", e, error):
                if _shared_value(e, env, held):
                    raise Raised(error)
            case ("do", name, *rest):
                _ACTIONS[name](held, changes, env, *rest)


def _counted(held: Any, changes: Any, key: str, value: int) -> None:
    held["counters", key] = value
    changes.append(("counters", key, value))


def _add(held: Any, changes: Any, env: Any, key: str) -> None:
    now = held.get(("counters", key), 0)
    if now < COUNT_MAX:
        _counted(held, changes, key, now + 1)


def _log(held: Any, changes: Any, env: Any, key: str) -> None:
    _counted(held, changes, key, held.get(("counters", key), 0) + 1)


def _set_count(held: Any, changes: Any, env: Any, key: str, e: Expr) -> None:
    value = _shared_value(e, env, held)
    assert key in COUNTERS
    _counted(held, changes, key, value)


def _set_flag(held: Any, changes: Any, env: Any, value: bool) -> None:
    held["flag"] = value


def _put(held: Any, changes: Any, env: Any, e: Expr) -> None:
    if len(held.get("queue", ())) < QUEUE_MAX:
        _append(held, changes, env, e)


def _append(held: Any, changes: Any, env: Any, e: Expr) -> None:
    held["queue"] = (*held.get("queue", ()), _shared_value(e, env, held))


def _take(held: Any, changes: Any, env: Any, x: str) -> None:
    items = held.get("queue", ())
    env[x] = items[0] if items else None
    held["queue"] = items[1:]


def _acquire(held: Any, changes: Any, env: Any, x: str) -> None:
    env[x] = int(not held.get("lock"))
    if env[x]:
        held["lock"] = (env["me"],)


def _release(held: Any, changes: Any, env: Any) -> None:
    held["lock"] = None


def _grant(held: Any, changes: Any, env: Any, x: str) -> None:
    lease = held.get("lease")
    env[x] = None
    if lease is None or not lease[2]:
        env[x] = 1 if lease is None else lease[1] + 1
        held["lease"] = (env["me"], env[x], True)


def _expire(held: Any, changes: Any, env: Any) -> None:
    lease = held.get("lease")
    if lease is not None:
        held["lease"] = (lease[0], lease[1], False)


def _keep(held: Any, changes: Any, env: Any, e: Expr) -> None:
    held["cache"] = _shared_value(e, env, held)


def _evict(held: Any, changes: Any, env: Any) -> None:
    held["cache"] = None


def _insert(held: Any, changes: Any, env: Any, key: int, e: Expr) -> None:
    if held.get(("rows", key)) is None:
        _row(held, changes, key, _shared_value(e, env, held))


def _update(held: Any, changes: Any, env: Any, key: int, e: Expr) -> None:
    before = held.get(("rows", key))
    if before is not None:
        value = _shared_value(e, env, held)
        if value != before:
            _row(held, changes, key, value)


def _delete(held: Any, changes: Any, env: Any, key: int) -> None:
    if held.get(("rows", key)) is not None:
        _row(held, changes, key, None)


def _row(held: Any, changes: Any, key: int, value: Any) -> None:
    held["rows", key] = value
    changes.append(("rows", key, value))


_ACTIONS = {
    "add": _add,
    "log": _log,
    "set count": _set_count,
    "set flag": _set_flag,
    "put": _put,
    "append": _append,
    "take": _take,
    "acquire": _acquire,
    "release": _release,
    "grant": _grant,
    "expire": _expire,
    "keep": _keep,
    "evict": _evict,
    "insert": _insert,
    "update": _update,
    "delete": _delete,
}

"""Which local variables of a suspended coroutine can still be read: by its bytecode.

Knows code objects only. Two coroutines that stand at the same place and differ in a
variable that is never read again behave alike, so that variable is no state.

Theory of operation: classic backward data flow over the instructions. A variable is
live before an instruction that reads it, or that does not overwrite it and has a
successor before which it is live; an instruction inside a `try` also has the handler
as a successor. Whatever is not understood counts as a read of every variable, which
costs states and never an answer.

Source: A. Aho, M. Lam, R. Sethi, J. Ullman, "Compilers", 2nd edition, section 9.2.5;
the exception table as in CPython's Objects/exception_handling_notes.txt.
"""

import dis
from collections.abc import Iterator
from functools import cache
from types import CodeType, CoroutineType, GeneratorType
from typing import Any, Final

_NO_FALL_THROUGH: Final = frozenset(
    {
        "JUMP_FORWARD",
        "JUMP_BACKWARD",
        "JUMP_BACKWARD_NO_INTERRUPT",
        "JUMP_ABSOLUTE",
        "RETURN_VALUE",
        "RETURN_CONST",
        "RAISE_VARARGS",
        "RERAISE",
        "INTERPRETER_EXIT",
    }
)
_READS: Final = frozenset(
    {
        "LOAD_FAST",
        "LOAD_FAST_CHECK",
        "LOAD_FAST_BORROW",
        "LOAD_FAST_AND_CLEAR",
        "LOAD_FAST_LOAD_FAST",
        "LOAD_FAST_BORROW_LOAD_FAST_BORROW",
        "DELETE_FAST",
    }
)
_WRITES: Final = frozenset({"STORE_FAST", "STORE_FAST_STORE_FAST"})
_SEES_ALL_LOCALS: Final = frozenset({"locals", "vars", "dir", "eval", "exec"})


@cache
def live_at(code: CodeType, offset: int) -> frozenset[str]:
    """Return the plain local variables that may be read after a suspension.

    Args:
        code: of the suspended frame.
        offset: of the instruction that suspended it (`frame.f_lasti`).
    """
    return _live_after(code).get(offset, frozenset(code.co_varnames))


@cache
def _live_after(code: CodeType) -> dict[int, frozenset[str]]:
    """Return, by offset, what is live after the instruction there."""
    everything = frozenset(code.co_varnames)
    instructions = list(dis.get_instructions(code))
    if _SEES_ALL_LOCALS.intersection(code.co_names):
        return {one.offset: everything for one in instructions}
    position = {one.offset: index for index, one in enumerate(instructions)}
    handlers = list(_exception_ranges(code.co_exceptiontable))
    successors = [
        _successors(instructions, index, position, handlers)
        for index in range(len(instructions))
    ]
    effects = [_reads_and_writes(one, everything) for one in instructions]
    before = [frozenset[str]()] * len(instructions)
    has_changed = True
    while has_changed:
        has_changed = False
        for index in range(len(instructions) - 1, -1, -1):
            reads, writes = effects[index]
            after = frozenset[str]().union(*(before[one] for one in successors[index]))
            # A handler sees the variables as they were, so a write kills nothing there.
            caught = frozenset[str]().union(
                *(
                    before[one]
                    for one in successors[index]
                    if _is_handler(instructions[one].offset, handlers)
                )
            )
            live = reads | (after - writes) | caught
            if live != before[index]:
                before[index] = live
                has_changed = True
    return {
        one.offset: frozenset[str]().union(
            *(before[other] for other in successors[index])
        )
        for index, one in enumerate(instructions)
    }


def _is_handler(offset: int, handlers: list[tuple[int, int, int]]) -> bool:
    return any(target == offset for _, _, target in handlers)


def _successors(
    instructions: list[dis.Instruction],
    index: int,
    position: dict[int, int],
    handlers: list[tuple[int, int, int]],
) -> list[int]:
    one = instructions[index]
    found = []
    if one.opname not in _NO_FALL_THROUGH and index + 1 < len(instructions):
        found.append(index + 1)
    if one.opcode in dis.hasjrel or one.opcode in dis.hasjabs:
        found.append(position[one.argval])
    found.extend(
        position[target] for start, end, target in handlers if start <= one.offset < end
    )
    return found


def _reads_and_writes(
    one: dis.Instruction, everything: frozenset[str]
) -> tuple[frozenset[str], frozenset[str]]:
    names = one.argval if isinstance(one.argval, tuple) else (one.argval,)
    nothing = frozenset[str]()
    if one.opname in _READS:
        return frozenset(names), nothing
    if one.opname in _WRITES:
        return nothing, frozenset(names)
    if one.opname == "STORE_FAST_LOAD_FAST":
        return frozenset(names[1:]) - {names[0]}, frozenset(names[:1])
    if "FAST" in one.opname:
        return everything, nothing
    return nothing, nothing


def stands_guarded(coroutine: Any) -> bool:
    """Return whether a suspended coroutine stands inside of a `try` or a `with`.

    If not, to end it runs nothing. What it awaits counts as well; where that cannot be
    followed, it is taken to be guarded.
    """
    current = coroutine
    while isinstance(current, CoroutineType | GeneratorType):
        frame = getattr(current, "cr_frame", None) or getattr(current, "gi_frame", None)
        if frame is None:
            return False
        for start, end, _ in _exception_ranges(frame.f_code.co_exceptiontable):
            if start <= frame.f_lasti < end:
                return True
        current = getattr(current, "cr_await", None) or getattr(
            current, "gi_yieldfrom", None
        )
    return not (current is None or isinstance(current, Iterator))


def _exception_ranges(table: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (start, end, handler) offsets in bytes."""
    numbers = _varints(table)
    for start in numbers:
        length, target, _ = next(numbers), next(numbers), next(numbers)
        yield start * 2, (start + length) * 2, target * 2


def _varints(table: bytes) -> Iterator[int]:
    source = iter(table)
    for byte in source:
        value = byte & 63
        while byte & 64:
            byte = next(source)
            value = value << 6 | byte & 63
        yield value

"""What a statement would answer here and now, without any effect."""

from collections.abc import Hashable
from typing import Any

from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import Operation
from wavecheck.sim.task import Task


class _CannotAskError(Exception):
    pass


class _Refusing:
    """A rule for asking: whoever makes a choice cannot be asked."""

    def pick(self, enabled: list[Task]) -> int:
        raise _CannotAskError

    def choose(self, options_count: int) -> int:
        raise _CannotAskError


def ask_again(kernel: Kernel, operation: Operation[Any]) -> Any:
    """Return what an operation would give now; whatever it does is undone.

    An error that it would raise is an answer, as text. None is the answer of one that
    would have to choose.
    """
    rule, kernel.rule = kernel.rule, _Refusing()
    length = len(kernel.journal)
    before: dict[str, Hashable] = {
        name: part.snapshot() for name, part in kernel.parts.items()
    }
    try:
        return operation.statement.function(operation.owner, *operation.args)
    except _CannotAskError:
        return None
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        kernel.rule = rule
        if len(kernel.journal) > length:
            del kernel.journal[length:]
            for name, part in kernel.parts.items():
                part.restore(before[name])

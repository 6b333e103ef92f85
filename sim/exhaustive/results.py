"""What statements return or raise, by number; and answers to the choices inside them.

Knows values and choices; nothing of parts and tasks.
"""

from collections.abc import Callable
from typing import Any

from wavecheck.sim.exhaustive.identity import Identity, Key
from wavecheck.sim.task import Task


class Results:
    """The distinct results of statements, numbered; an error raised is one as well.

    Attributes:
        values: by number: what was returned, the error, and what that was raised from.
    """

    def __init__(self, identity: Callable[[], Identity]) -> None:
        self.values: list[tuple[Any, Exception | None, BaseException | None]] = []
        self._numbers: dict[Key, int] = {}
        self._identity = identity

    def number(self, value: Any, error: Exception | None) -> int:
        """Return the number of a result."""
        if error is None:
            key = self._identity().key(value)
        else:
            key = ("raised", type(error), self._identity().key(error.args))
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.values)
            context = None if error is None else error.__context__
            self.values.append((value, error, context))
        return number

    def after(self, number: int, moment: int) -> int:
        """Return the number of a result that is given at a moment of handoffs."""
        key = ("after", moment, number)
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.values)
            self.values.append(self.values[number])
        return found


class Script:
    """A rule that answers from a list, then with 0, and notes how many options were."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.options: list[int] = []

    def pick(self, enabled: list[Task]) -> int:
        """Return 0; nobody asks."""
        return 0

    def choose(self, options_count: int) -> int:
        """Return the next answer."""
        self.options.append(options_count)
        if len(self.answers) < len(self.options):
            self.answers.append(0)
        return self.answers[len(self.options) - 1]

    def restart(self) -> None:
        """Begin to answer from the start of the list."""
        self.options = []

    def advance(self) -> bool:
        """Go to the next list of answers; return whether there is one."""
        while self.answers:
            if self.answers[-1] + 1 < self.options[len(self.answers) - 1]:
                self.answers[-1] += 1
                return True
            self.answers.pop()
        return False

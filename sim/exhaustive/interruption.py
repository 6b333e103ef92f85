"""Ctrl-C at a safe moment: noted when it is pressed, acted upon between two chunks.

Knows signals only. An interrupt in the middle of learning would leave half a state
numbered; so the first one only sets a mark. A second one does not wait any more.
"""

import signal
from types import FrameType, TracebackType
from typing import Any


class Interruption:
    """Holds Ctrl-C back while it is entered.

    Takes the place of Python's own handler only: who has set another one, or runs in
    another thread, keeps what is there.
    """

    def __init__(self) -> None:
        self._is_asked = False
        self._before: Any = None

    def __enter__(self) -> "Interruption":
        """Begin to hold Ctrl-C back."""
        self._is_asked = False
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            try:
                self._before = signal.signal(signal.SIGINT, self._note)
            except ValueError:  # not in the main thread: it is not asked anyway
                self._before = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put the handler back that was there."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._is_asked:
            raise KeyboardInterrupt
        self._is_asked = True

    def check(self) -> None:
        """Let an interrupt through that came since.

        Raises:
            KeyboardInterrupt: there was one.
        """
        if self._is_asked:
            raise KeyboardInterrupt

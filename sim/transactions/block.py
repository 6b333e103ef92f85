"""`async with`: a transaction that is committed at the end, or rolled back on error.

Knows how a transaction begins and ends, and nothing of what is done in between.
"""

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from wavecheck.sim.transactions.level import Failed, Level

T = TypeVar("T")


class Ends(Protocol):
    """How a transaction ends, and what becomes of a failure."""

    def begin(self, level: Level) -> Awaitable[Any]:
        """Begin; the result is the transaction's slot, or `Failed`."""
        ...

    def commit(self, slot: Any) -> Awaitable[Any]:
        """Commit; the result may be `Failed`."""
        ...

    def roll_back(self, slot: Any) -> Awaitable[None]:
        """Roll back."""
        ...

    def cut_off(self, slot: Any) -> None:
        """Roll back here and now, not as a step: the process has died."""
        ...

    def error(self, failed: Failed) -> Exception:
        """Return what the code under test sees of a failure."""
        ...


class TransactionBlock(Generic[T]):
    """The context manager.

    Args:
        ends: of the database.
        bind: makes of a slot what the block gets.
        level: of isolation.
    """

    def __init__(self, ends: Ends, bind: Callable[[int], T], level: Level) -> None:
        self._ends = ends
        self._bind = bind
        self._level = level
        self._slot = 0

    async def __aenter__(self) -> T:
        begun = await self._ends.begin(self._level)
        if isinstance(begun, Failed):
            raise self._ends.error(begun)
        self._slot = begun
        return self._bind(begun)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        ends, slot, self._slot = self._ends, self._slot, 0
        if kind is None:
            await self._commit(ends, slot)
        elif issubclass(kind, Exception):
            await self._roll_back(ends, slot)
        else:
            ends.cut_off(slot)

    async def _commit(self, ends: Ends, slot: int) -> None:
        try:
            result = await ends.commit(slot)
        except Exception:
            await self._roll_back(ends, slot)
            raise
        except BaseException:
            ends.cut_off(slot)
            raise
        if isinstance(result, Failed):
            raise ends.error(result)

    async def _roll_back(self, ends: Ends, slot: int) -> None:
        """Roll back, if need be again: a failure that a fault has caused passes by."""
        failure: Exception | None = None
        while True:
            try:
                await ends.roll_back(slot)
            except Exception as error:
                failure = error
            except BaseException:
                ends.cut_off(slot)
                raise
            else:
                break
        if failure is not None:
            raise failure

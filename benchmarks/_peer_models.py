"""WD as other checkers want it: asyncio code, and a next-state function over tuples."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

ABSENT, PENDING, DISPATCHED, DONE = range(4)


class Doubled(AssertionError):
    """A batch was put on the queue twice."""


class Stranded(AssertionError):
    """A batch is pending when all tasks have ended."""


class AsyncioWave:
    """One wave as ordinary asyncio code: each step lies between two `sleep(0)`.

    Args:
        listeners: of one batch each.
        variant: the dispatch rule.
        spawn: starts a task.
        is_checked: raise when a batch goes twice or is left.
    """

    def __init__(
        self,
        listeners: int,
        variant: str,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        *,
        is_checked: bool,
    ) -> None:
        self.variant = variant
        self.is_processing = False
        self.batches = [ABSENT] * listeners
        self.sent = [0] * listeners
        self._spawn = spawn
        self._is_checked = is_checked

    async def listener(self, number: int) -> None:
        """Create a batch, and dispatch."""
        self.batches[number] = PENDING
        await self.dispatch()

    async def completion(self, number: int) -> None:
        """End a batch."""
        self.batches[number] = DONE

    async def dispatch(self) -> None:
        """Dispatch what can be dispatched."""
        await asyncio.sleep(0)
        if self.is_processing:
            takes = False
            if self.variant != "stalling":
                await asyncio.sleep(0)
                takes = PENDING in self.batches
            if not takes:
                await asyncio.sleep(0)
                if DISPATCHED in self.batches:
                    return
                await asyncio.sleep(0)
                self.is_processing = False
                if not await self.take():
                    return
        elif not await self.take():
            return
        await asyncio.sleep(0)
        for number in [n for n, one in enumerate(self.batches) if one == PENDING]:
            await asyncio.sleep(0)
            if self.variant != "claiming" or self.batches[number] == PENDING:
                self.send(number)

    async def take(self) -> bool:
        """Set the wave to processing if it is pending; say whether it was."""
        await asyncio.sleep(0)
        if self.is_processing:
            return False
        self.is_processing = True
        return True

    def send(self, number: int) -> None:
        """Put a batch on the queue."""
        self.batches[number] = DISPATCHED
        self.sent[number] += 1
        if self.sent[number] == 1:
            self._spawn(self.completion(number))
        elif self._is_checked and self.variant != "stalling":
            raise Doubled


async def asyncio_wave(listeners: int, variant: str, *, is_checked: bool) -> None:
    """Run one execution: listeners, completions, and the final check."""
    async with asyncio.TaskGroup() as group:
        wave = AsyncioWave(listeners, variant, group.create_task, is_checked=is_checked)
        for number in range(listeners):
            group.create_task(wave.listener(number))
    if is_checked and PENDING in wave.batches:
        raise Stranded


State = tuple[bool, tuple[int, ...], tuple[int, ...], tuple[Any, ...]]
"""Wave is processing; batches; how often each was sent; where each task stands."""

FIELDS: Final = ("wave", "batch", "sent", "tasks")


def initial_state(listeners: int) -> State:
    """Return where L listeners of one batch each, and L completions, begin."""
    tasks = (("start", ()),) * (2 * listeners)
    return False, (ABSENT,) * listeners, (0,) * listeners, tasks


def next_states(state: State, variant: str) -> list[tuple[str, State]]:
    """Return the steps that are enabled, without calls after completions."""
    wave, batches, sent, tasks = state
    listeners = len(batches)
    found = []
    for index, (place, rest) in enumerate(tasks):
        now, stands, counts = wave, batches, sent
        then: tuple[str, tuple[int, ...]] = ("end", ())
        if place == "end":
            continue
        if place == "start" and index >= listeners:
            number = index - listeners
            if batches[number] != DISPATCHED:
                continue
            stands = _with(batches, number, DONE)
        elif place == "start":
            stands, then = _with(batches, index, PENDING), ("read", ())
        elif place == "read":
            then = (_after_read(wave, variant), ())
        elif place == "pending":
            then = ("select" if PENDING in batches else "active", ())
        elif place == "active":
            then = then if DISPATCHED in batches else ("demote", ())
        elif place == "demote":
            now, then = False, ("take", ())
        elif place == "take":
            if not wave:
                now, then = True, ("select", ())
        elif place == "select":
            todo = tuple(n for n, one in enumerate(batches) if one == PENDING)
            then = ("send", todo) if todo else then
        else:
            number = rest[0]
            if variant != "claiming" or batches[number] == PENDING:
                stands = _with(batches, number, DISPATCHED)
                counts = _with(sent, number, min(2, sent[number] + 1))
            then = ("send", rest[1:]) if len(rest) > 1 else then
        moved = (now, stands, counts, (*tasks[:index], then, *tasks[index + 1 :]))
        found.append((f"{index}.{place}", moved))
    return found


def _after_read(is_processing: bool, variant: str) -> str:
    if not is_processing:
        return "take"
    return "active" if variant == "stalling" else "pending"


def _with(values: tuple[int, ...], number: int, value: int) -> tuple[int, ...]:
    return (*values[:number], value, *values[number + 1 :])

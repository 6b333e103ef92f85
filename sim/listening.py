"""What is looked at more closely while an execution is recorded or compared."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from wavecheck.sim.forgotten import Forgotten
from wavecheck.sim.guards import ask
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.trace import listen


@contextmanager
def listening(kernel: Kernel) -> Iterator[None]:
    """Run an execution, and see that no await was forgotten and that no guard lies.

    Raises:
        CoordinatorError: an operation or a coroutine was made and never awaited.
        InvalidScenario: a guard reads a part that does not wake its task.
    """
    kernel.asks = partial(ask, kernel.parts)
    forgotten, before = Forgotten(kernel.tasks, lambda: kernel.current), kernel.on_step
    listen(kernel, lambda *details: forgotten.check())
    try:
        with forgotten:
            yield
            forgotten.check()
    finally:
        kernel.on_step, kernel.asks = before, None

"""A coordinator's statements in a transaction: the same functions on views of the rows.

Implements `Transaction` of the protocol. What a statement does is said once, in
`DispatchStatements`; here it is only told where its rows are.
"""

from collections.abc import Callable
from typing import Any, Final

from wavecheck.coordinator import (
    Batch,
    BatchState,
    Deadlock,
    Job,
    SerializationFailure,
    StatementFailed,
    Wave,
    WaveState,
)
from wavecheck.scenarios.pipeline.dispatch_statements import DispatchStatements
from wavecheck.sim.kernel import Kernel
from wavecheck.sim.operation import statement, statements_of
from wavecheck.sim.transactions import (
    Failed,
    Failure,
    Level,
    TableView,
    Transactions,
    perform,
)

_ERRORS: dict[Failure, type[StatementFailed]] = {
    Failure.DEADLOCK: Deadlock,
    Failure.SERIALIZATION: SerializationFailure,
    Failure.BUSY: SerializationFailure,
}


def failure_error(failed: Failed) -> StatementFailed:
    """Return what a coordinator sees of a failure."""
    return _ERRORS.get(failed.failure, StatementFailed)(failed.failure.value)


class TransactionEnds:
    """How the pipeline's transactions begin and end.

    Args:
        kernel: whose steps these are.
        transactions: of the store.
        send: puts a message on the queue.
    """

    def __init__(
        self,
        kernel: Kernel,
        transactions: Transactions,
        send: Callable[[str, int], None],
    ) -> None:
        self._kernel = kernel
        self._transactions = transactions
        self._send = send

    @statement
    def begin(self, level: Level) -> int | Failed:
        """Begin; return the slot of the transaction."""
        return self._transactions.begin(level)

    @statement
    def commit(self, slot: int) -> Failed | None:
        """Commit, and send the messages of the transaction."""
        result = self._transactions.commit(slot)
        if isinstance(result, Failed):
            return result
        for batch_id, attempt in result:
            self._send(batch_id, attempt)
        return None

    @statement
    def roll_back(self, slot: int) -> None:
        """Roll back."""
        self._transactions.roll_back(slot)

    def cut_off(self, slot: int) -> None:
        """Roll back here and now: the process has died, or the execution is over."""
        if self._transactions.is_open(slot):
            self._transactions.roll_back(slot)

    def error(self, failed: Failed) -> Exception:
        """Return what the code under test sees of a failure."""
        return failure_error(failed)


class PipelineTransaction(DispatchStatements):
    """The statements of one transaction.

    Args:
        store: whose rows it works on.
        slot: of the transaction.
    """

    def __init__(self, store: Any, transactions: Transactions, slot: int) -> None:
        for name in ("_kernel", "_stale_after", "_lease"):
            setattr(self, name, getattr(store, name))
        self._store = store
        self.transactions = transactions
        self.slot = slot

    @property
    def jobs(self) -> TableView[Job]:  # type: ignore[override]  # a view of the table
        """Rows of `jobs`."""
        return TableView(self.transactions, self.slot, self._store.jobs)

    @property
    def waves(self) -> TableView[Wave]:  # type: ignore[override]  # a view of the table
        """Rows of `waves`."""
        return TableView(self.transactions, self.slot, self._store.waves)

    @property
    def batches(self) -> TableView[Batch]:  # type: ignore[override]  # a view of the table
        """Rows of `wave_batches`."""
        return TableView(self.transactions, self.slot, self._store.batches)

    def _send(self, batch_id: str, attempt: int) -> None:
        """Keep a message for the commit."""
        self.transactions.defer(self.slot, (batch_id, attempt))

    @statement
    def lock_wave(self, job_id: str, wave_number: int) -> WaveState:
        """Select the status of one wave FOR UPDATE."""
        self.waves.lock((job_id, wave_number))
        return self.waves.get((job_id, wave_number)).status

    @statement
    def lock_pending_batches(
        self,
        job_id: str,
        wave_number: int,
        limit: int | None = None,
        skip_locked: bool = False,
    ) -> tuple[str, ...]:
        """Select the ids of pending batches of one wave FOR UPDATE, ascending."""
        batches = self.batches
        found: list[str] = []
        for batch in batches.select(
            job_id=job_id, wave_number=wave_number, status=BatchState.PENDING
        ):
            if len(found) == limit:
                break
            if skip_locked and batches.is_locked(batch.batch_id):
                continue
            batches.lock(batch.batch_id)
            found.append(batch.batch_id)
        return tuple(found)


_STATEMENTS: Final = {
    name: getattr(PipelineTransaction, name)
    for name in statements_of(PipelineTransaction.__new__(PipelineTransaction))
}
"""What makes an operation of each statement, by name."""


def _in_transaction(name: str) -> Callable[..., Any]:
    """Return the method that performs a statement in the transaction."""

    async def method(self: PipelineTransaction, *args: Any, **keywords: Any) -> Any:
        operation = _STATEMENTS[name](self, *args, **keywords)
        result = await perform(self, operation.statement.function, *operation.args)
        if isinstance(result, Failed):
            raise failure_error(result)
        return result

    return method


for _name in _STATEMENTS:
    setattr(PipelineTransaction, _name, _in_transaction(_name))

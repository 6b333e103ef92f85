"""Pieces on a Dask cluster: the one home of `distributed`.

Knows how to reach a scheduler and what its failures mean; `engines.run_pieces` does the
rest. Dask itself runs a piece again when its process dies, up to three times.
"""

import gc
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import Any, Final

from wavecheck.scenarios.campaign.code_version import own_digest
from wavecheck.scenarios.campaign.engines import Engine, local_engine
from wavecheck.sim.errors import InvalidScenario

PATIENCE_SECONDS: Final = 10.0
_NOT_INSTALLED: Final = (
    "a cluster needs Dask, which is not installed\nnext: pip install distributed"
)


def engine_of(jobs: int, cluster: Any) -> Engine:
    """Return what runs pieces: this machine, or a cluster; the caller closes it.

    Args:
        jobs: processes of this machine; 0: one for each core. One: this process.
        cluster: address of a Dask scheduler, or a Client, instead; None: this machine.

    Raises:
        InvalidScenario: both are given, or the cluster cannot be used.
    """
    if cluster is None:
        return local_engine(jobs or None)
    if jobs != 1:
        raise InvalidScenario("--jobs and --cluster: expected one of the two")
    return cluster_engine(cluster)


def cluster_engine(cluster: Any) -> Engine:
    """Return the engine that runs pieces on a Dask cluster.

    Args:
        cluster: address of a scheduler, such as tcp://scheduler:8786, or a Client.

    Raises:
        InvalidScenario: Dask is not installed, the scheduler does not answer, it has
            no processes, or one of them has another version of Wavecheck.
    """
    try:
        from distributed import Client
        from distributed.client import FutureCancelledError
        from distributed.comm.core import CommClosedError
        from distributed.scheduler import KilledWorker
    except ImportError as error:
        raise InvalidScenario(_NOT_INSTALLED) from error
    owned = not isinstance(cluster, Client)
    client = _connected(Client, str(cluster)) if owned else cluster
    try:
        processes = _checked(client)
    except BaseException:
        if owned:
            _close(client)
        raise
    return Engine(
        name=f"the cluster at {client.scheduler.address}",
        processes=processes,
        open=lambda: client.get_executor(pure=False),
        # Dask has tried it on several processes already: to try again is no help.
        deaths=(),
        losses=(CancelledError, FutureCancelledError, CommClosedError, KilledWorker),
        close=(lambda: _close(client)) if owned else _nothing,
        shares_memory=False,
    )


def _connected(make: Callable[..., Any], address: str) -> Any:
    from distributed.comm.addressing import get_address_host_port

    try:
        # A client that cannot connect is never closed, and waits when it is collected:
        # so none is made before somebody answers.
        host, port = get_address_host_port(address, strict=True)
        socket.create_connection((host, port), PATIENCE_SECONDS).close()
        with not_collecting():
            return make(address, timeout=PATIENCE_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InvalidScenario(
            f"the cluster at {address!r} does not answer within"
            f" {PATIENCE_SECONDS:g} s\n"
            "next: check the address (tcp://HOST:8786) and that the scheduler runs"
        ) from error


@contextmanager
def not_collecting() -> Iterator[None]:
    """Collect garbage before, and none while, Dask starts a loop.

    A client that was lost closes itself when it is collected, and waits for the very
    lock that Dask holds while it starts a loop: for ever.
    """
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _checked(client: Any) -> int:
    """Return how many pieces run at once; refuse processes with other code."""
    found = client.run(own_digest, on_error="return")
    if not found:
        raise InvalidScenario(
            f"the cluster at {client.scheduler.address} has no processes yet\n"
            "next: start some (dask worker ADDRESS), and try again"
        )
    mine = own_digest()
    for address, digest in found.items():
        if digest != mine:
            raise InvalidScenario(
                f"the process {address} has another version of Wavecheck than this"
                " one, or none\n"
                "next: install the same version everywhere, and restart the cluster's"
                " processes"
            )
    return max(1, int(sum(client.nthreads().values())))


def _close(client: Any) -> None:
    with suppress(Exception):  # the scheduler may be gone: there is nothing to tell
        client.close(timeout=1)
    client.status = "closed"  # also where that failed: it must not try once more


def _nothing() -> None:
    """Leave a client alone that the caller made."""

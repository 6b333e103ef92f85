"""The options that say where runs are made and kept: `--jobs`, `--store`, ..."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from wavecheck.scenarios.campaign.cluster import cluster_engine
from wavecheck.scenarios.campaign.engines import Engine, local_engine
from wavecheck.sim.errors import InvalidScenario

Jobs = Annotated[
    int,
    typer.Option("--jobs", metavar="N", help="Processes; 0: one for each core.", min=0),
]
Cluster = Annotated[
    str | None,
    typer.Option("--cluster", metavar="URL", help="A Dask scheduler: tcp://HOST:8786."),
]
StoreFile = Annotated[
    Path | None, typer.Option("--store", metavar="FILE", help="Keep the runs there.")
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the file of --store.")
]


@contextmanager
def engine_of(jobs: int, cluster: str | None) -> Iterator[Engine]:
    """Yield the engine that the options ask for, and close it in the end.

    Raises:
        InvalidScenario: both are given, or the cluster cannot be used.
    """
    if cluster is not None and jobs != 1:
        raise InvalidScenario("--jobs and --cluster: expected one of the two")
    if cluster is not None:
        engine = cluster_engine(cluster)
    else:
        engine = local_engine(jobs or None)
    try:
        yield engine
    finally:
        engine.close()

"""A campaign's runs as a data frame: the one home of pandas."""

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from wavecheck.scenarios.campaign.store import ResultsStore, open_store
from wavecheck.sim.errors import InvalidScenario

if TYPE_CHECKING:
    import pandas as pd

    Frame: TypeAlias = pd.DataFrame


def read_frame(path: str | Path) -> "Frame":
    """Return the runs of a results file; see `wavecheck.read_results`.

    Raises:
        InvalidScenario: there is no such file, or pandas is not installed.
    """
    with open_store(Path(path)) as store:
        return frame_of(store)


def frame_of(store: ResultsStore) -> "Frame":
    """Return the runs of an open store; see `wavecheck.read_results`."""
    try:
        import pandas as pd
    except ImportError as error:
        raise InvalidScenario(
            "a data frame needs pandas, which is not installed\n"
            "next: pip install pandas"
        ) from error
    frame = pd.DataFrame.from_records(list(store.records()))
    for name in store.identity["points"][0]["cell"]:
        # As numbers where all of them are: a plot over a parameter needs an axis.
        numbers = pd.to_numeric(frame[name], errors="coerce")
        if not numbers.isna().any():
            frame[name] = numbers
    return frame.convert_dtypes()

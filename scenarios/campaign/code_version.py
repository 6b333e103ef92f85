"""Which code a run was made by: a fingerprint of the sources.

Results of two versions must not be mixed, on one machine or between the processes of a
cluster. A version number does not tell two checkouts apart; the sources do.
"""

from functools import cache
from hashlib import blake2b
from importlib.util import find_spec
from inspect import getsourcefile
from pathlib import Path
from typing import Final

from wavecheck import __version__
from wavecheck.scenarios.loading import load_coordinator
from wavecheck.scenarios.scenario import Scenario
from wavecheck.sim.errors import InvalidScenario

PACKAGES: Final = ("wavecheck.coordinator", "wavecheck.sim", "wavecheck.scenarios")
"""What a run's numbers depend on; `reports` only shows them."""


def code_digest(scenario: Scenario, coordinator: str) -> str:
    """Return a fingerprint of Wavecheck and of a coordinator's own file.

    Raises:
        CoordinatorError: the coordinator does not load.
    """
    digest = blake2b(own_digest().encode(), digest_size=16)
    source = getsourcefile(load_coordinator(scenario, coordinator))
    if source is not None:
        digest.update(Path(source).read_bytes())
    return digest.hexdigest()


def file_digest(path: str) -> str:
    """Return a fingerprint of what a file holds.

    Raises:
        InvalidScenario: it cannot be read.
    """
    try:
        return blake2b(Path(path).read_bytes(), digest_size=16).hexdigest()
    except OSError as error:
        raise InvalidScenario(f"{path}: cannot be read: {error.strerror}") from error


@cache
def own_digest() -> str:
    """Return a fingerprint of Wavecheck's own sources and version."""
    digest = blake2b(__version__.encode(), digest_size=16)
    for package in PACKAGES:
        found = find_spec(package)
        assert found is not None
        assert found.submodule_search_locations is not None
        root = Path(found.submodule_search_locations[0])
        for path in sorted(root.rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()

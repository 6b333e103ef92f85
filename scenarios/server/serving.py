"""The server of a question, opened when a world needs it and closed afterwards."""

import atexit
from contextlib import suppress
from typing import TYPE_CHECKING

from wavecheck.coordinator.sql import REFUSALS, DatabaseUnusable, as_unusable, parse_url
from wavecheck.sim.errors import InvalidScenario

if TYPE_CHECKING:
    from wavecheck.scenarios.server.place_of_worlds import WorldPlace


class Server:
    """A server by its address, and the place on it while one is needed.

    Args:
        url: `postgresql://...`.

    Raises:
        InvalidScenario: the address is none of PostgreSQL's.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = parse_url(url)
        except DatabaseUnusable as error:
            raise InvalidScenario(str(error)) from error
        if parsed.get_backend_name() != "postgresql":
            raise InvalidScenario(
                "a search on a database needs PostgreSQL\n"
                "  expected  --db postgresql://USER@HOST/DATABASE"
            )
        self._url = url
        self._parsed = parsed
        self._place: WorldPlace | None = None

    def place(self) -> "WorldPlace":
        """Return the place on the server; it is made at the first call.

        Raises:
            InvalidScenario: the server cannot be used; says why and what next.
        """
        if self._place is None:
            # Imported here: psycopg is an extra, and most questions need no server.
            try:
                from wavecheck.scenarios.server.place_of_worlds import WorldPlace
            except ModuleNotFoundError as error:
                raise InvalidScenario(
                    "the driver for PostgreSQL is not installed\n"
                    "next: pip install 'psycopg[binary]'"
                ) from error
            try:
                self._place = WorldPlace(self._url)
            except DatabaseUnusable as error:
                raise InvalidScenario(str(error)) from error
            except REFUSALS as error:
                told = as_unusable(error, self._parsed)
                raise InvalidScenario(str(told)) from error
            atexit.register(self.close)
        return self._place

    def close(self) -> None:
        """Disconnect and leave nothing behind; a later question opens it again."""
        place, self._place = self._place, None
        if place is not None:
            atexit.unregister(self.close)
            with suppress(DatabaseUnusable):  # it has gone, and what was ours with it
                place.close()

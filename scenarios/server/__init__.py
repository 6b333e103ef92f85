"""Real servers as worlds: a place of one's own, sessions, and who waits for whom.

Replays, `conform` and searches on a server share what is here. Only `place`,
`watching` and the drivers that stand on them talk to PostgreSQL.
"""

from typing import Final

SERVER: Final = "server"
"""The service of a kernel whose worlds are on a server."""

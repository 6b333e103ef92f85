"""psycopg's pools in a world."""

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from wavecheck.scenarios.drivers import psycopg3, psycopg_pool

URL = "postgresql://app@db.example/shop"


@pytest.fixture(autouse=True)
def installed():
    psycopg3.install()
    psycopg_pool.install()


def test_a_pool_lends_connections_and_rolls_back(perform, double):
    """`with pool.connection()` commits; what putconn gets back is rolled back."""

    def code():
        with ConnectionPool(URL, kwargs={"autocommit": False}, open=True) as pool:
            with pool.connection() as conn:
                conn.execute("SELECT 1")
            conn = pool.getconn()
            assert isinstance(conn, psycopg.Connection)
            conn.execute("SELECT 2")
            pool.putconn(conn)

    perform(code)
    assert [sql for sql, _ in double.statements] == [
        *("BEGIN", "SELECT 1", "COMMIT", "BEGIN", "SELECT 2", "ROLLBACK")
    ]
    assert all(one.is_closed for one in double.sessions)


def test_a_pool_of_asyncio(perform, double):
    """The same in coroutines."""

    async def code():
        pool = AsyncConnectionPool(URL, open=False)
        async with pool, pool.connection() as conn:
            await conn.execute("SELECT 1")

    perform(code)
    assert [sql for sql, _ in double.statements] == ["BEGIN", "SELECT 1", "COMMIT"]

"""The server that the tests use."""

import psycopg
import pytest


@pytest.mark.postgres
def test_the_server_answers(postgres_url):
    """The shared server takes connections and is PostgreSQL."""
    with psycopg.connect(postgres_url) as connection:
        answer = connection.execute("select version()").fetchone()
    assert answer[0].startswith("PostgreSQL")

"""`metrics --slow-queries` where PostgreSQL counts its statements."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from friren.errors import ConfigurationError
from tests.servers import ThrowAwayServer, throw_away_server


@pytest.fixture
def counting() -> Iterator[ThrowAwayServer]:
    """A migrated server that counts its statements."""
    for server in throw_away_server(migrated=True):
        server.stop()
        try:
            server.start(shared_preload_libraries="pg_stat_statements")
        except ConfigurationError as exc:
            if "pg_stat_statements" not in str(exc):
                raise
            pytest.skip("this PostgreSQL comes without pg_stat_statements")
        yield server


def test_names_the_statements_that_cost_most(counting) -> None:
    with counting.connect() as connection:
        connection.execute("CREATE SCHEMA counted")
        connection.execute("CREATE EXTENSION pg_stat_statements SCHEMA counted")
        connection.execute("SELECT pg_sleep(0.2)")
    queries = json.loads(counting.manage("metrics", "--slow-queries", "--json").stdout)["queries"]
    assert queries["hint"] is None
    first = queries["statements"][0]
    assert (first["query"], first["calls"]) == ("SELECT pg_sleep($1)", 1)
    assert first["max_ms"] >= 200

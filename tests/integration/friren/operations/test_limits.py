"""Time limits hold for bots, and are lifted for an operator's work alone."""

from __future__ import annotations

import pytest
from django.db import OperationalError, connection

from friren.operations.limits import without_time_limits

# As tests/postgres.py configures them.
STATEMENT, LOCK, IDLE = "2min", "1s", "5min"


def limit(name: str = "statement_timeout") -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return cursor.fetchone()[0]


def test_are_those_of_the_configuration() -> None:
    assert (limit(), limit("lock_timeout"), limit("idle_in_transaction_session_timeout")) == (STATEMENT, LOCK, IDLE)


def test_are_lifted_for_a_while_and_then_back() -> None:
    limit()
    with without_time_limits():
        assert (limit(), limit("idle_in_transaction_session_timeout"), limit("lock_timeout")) == ("0", "0", "30s")
    assert (limit(), limit("idle_in_transaction_session_timeout"), limit("lock_timeout")) == (STATEMENT, IDLE, LOCK)


def test_are_lifted_on_a_connection_opened_meanwhile() -> None:
    connection.close()
    with without_time_limits():
        assert limit() == "0"
        connection.close()
        assert limit() == "0"
    connection.close()
    assert limit() == STATEMENT


def test_end_a_statement_that_hangs() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '20ms'")
        with pytest.raises(OperationalError, match="statement timeout"):
            cursor.execute("SELECT pg_sleep(5)")
        cursor.execute("RESET statement_timeout")

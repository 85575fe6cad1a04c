"""Several statements go to the server together, and what it says comes back in their order."""

from __future__ import annotations

import datetime as dt
import time
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import Error, connections

from friren.persistence.deadline import bounded_wrapper
from friren.persistence.roundtrip import exchange

KEY = UUID("00000000-0000-0000-0000-000000000007")
NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))


@pytest.fixture
def connection():
    wrapper = bounded_wrapper("default", "exchange", deadline=5)
    wrapper.connect()
    wrapper.connection.execute("CREATE TEMPORARY TABLE seen (id integer PRIMARY KEY, note text)")
    yield wrapper
    wrapper.close()


def insert(number: int, note: str | None = None):
    return "INSERT INTO seen VALUES (%s, %s)", (number, note)


COUNT = ("SELECT count(*) FROM seen", ())


def test_rows_come_in_the_order_of_the_statements(connection) -> None:
    assert exchange(connection, insert(1), COUNT, insert(2), COUNT) == [[], [(1,)], [], [(2,)]]


def test_values_of_every_type_arrive_as_they_are(connection) -> None:
    given = {"d": Decimal("-1.50"), "u": KEY, "t": NOON, "b": b"\x00\xff", "l": ["a", 'b"'], "n": None, "i": 7}
    text = (
        "SELECT %(d)s::numeric, %(u)s::uuid, %(t)s::timestamptz, %(b)s::bytea, %(l)s::text[], %(n)s::text, "
        "%(i)s::bigint, %(i)s::bigint + 1, 7 %% 4"
    )
    ((row,),) = exchange(connection, (text, given))
    assert row == (Decimal("-1.50"), KEY, NOON, b"\x00\xff", ["a", 'b"'], None, 7, 8, 3)


def test_statements_are_prepared_once_whatever_the_size_of_their_values(connection) -> None:
    for number in (1, 40_000, 2_000_000_000):
        exchange(connection, insert(number), COUNT)
    asked = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE %s"
    assert exchange(connection, (asked, ("%seen%",))) == [[(2,)]]


def test_the_first_error_is_raised_and_nothing_before_or_after_it_happens(connection) -> None:
    exchange(connection, insert(1))
    with pytest.raises(Error, match="seen_pkey"):
        exchange(connection, insert(2), insert(1), insert(3), ("SELECT 1/%s", (0,)))
    assert exchange(connection, COUNT) == [[(1,)]]


def test_a_transaction_goes_over_several_exchanges(connection) -> None:
    exchange(connection, ("BEGIN", ()), insert(1))
    exchange(connection, insert(2), ("ROLLBACK", ()))
    assert exchange(connection, COUNT) == [[(0,)]]
    exchange(connection, ("BEGIN", ()), insert(1))
    exchange(connection, insert(2), ("COMMIT", ()))
    assert exchange(connection, COUNT) == [[(2,)]]


def test_a_value_that_is_none_of_the_servers_sends_nothing(connection) -> None:
    with pytest.raises(Error, match="NUL"):
        exchange(connection, insert(1), insert(2, "a\x00b"))
    assert exchange(connection, COUNT) == [[(0,)]]


def test_what_the_server_let_go_of_is_prepared_again(connection) -> None:
    exchange(connection, insert(1), COUNT)
    connection.connection.execute("DEALLOCATE ALL")
    with pytest.raises(Error, match="does not exist"):
        exchange(connection, COUNT)
    assert exchange(connection, insert(2), COUNT) == [[], [(2,)]]


def test_after_a_rollback_by_django_everything_is_prepared_again(connection) -> None:
    exchange(connection, COUNT)
    for _ in range(7):
        connection.connection.execute("SELECT 1", prepare=True)
    connection.connection.execute("BEGIN")
    connection.connection.rollback()
    assert exchange(connection, COUNT) == [[(0,)]]


def test_a_plan_that_no_longer_holds_is_made_anew(connection) -> None:
    everything = ("SELECT * FROM seen", ())
    exchange(connection, insert(1, "x"), everything)
    connection.connection.execute("ALTER TABLE seen ADD COLUMN more integer")
    with pytest.raises(Error, match="cached plan"):
        exchange(connection, everything)
    assert exchange(connection, everything) == [[(1, "x", None)]]


def test_the_deadline_of_the_connection_holds(connection) -> None:
    connection.connection.deadline_at = time.monotonic() + 0.05
    with pytest.raises(Error, match="within the deadline"):
        exchange(connection, ("SELECT pg_sleep(%s)", (30,)))
    assert connection.connection.closed


def test_djangos_own_connection_will_do(connection) -> None:
    assert exchange(connections["default"], ("SELECT %s::text", ("x",))) == [[("x",)]]

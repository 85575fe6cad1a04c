"""Months of a series are made ahead, by whoever comes first."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import DatabaseError, connection, connections

from friren.core.partitions import ensure_months
from tests.factories import PriceFactory
from trading_engine.models import Price

TABLE = Price._meta.db_table


def partitions() -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i "
            "JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass",
            [TABLE],
        )
        return dict(cursor.fetchall())


def partition_of(row: Price) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT tableoid::regclass::text FROM {TABLE} WHERE id = %s", [row.id])
        return cursor.fetchone()[0]


@pytest.fixture(autouse=True)
def before(_database):
    """The partitions that other tests left; those of this test go, since tables outlive the emptying of rows."""
    found = partitions()
    yield found
    with connection.cursor() as cursor:
        for name in partitions().keys() - found.keys():
            cursor.execute(f"DROP TABLE {name}")


def test_makes_the_months_that_are_missing(before) -> None:
    days = [dt.date(1887, 10, 19), dt.date(1887, 10, 20), dt.date(1887, 12, 31), dt.date(1888, 1, 1)]

    assert [ensure_months(TABLE, days), ensure_months(TABLE, days), ensure_months(TABLE, [])] == [3, 0, 0]

    made = partitions()
    assert made.keys() - before.keys() == {f"{TABLE}_y1887m10", f"{TABLE}_y1887m12", f"{TABLE}_y1888m01"}
    assert made[f"{TABLE}_y1887m12"] == "FOR VALUES FROM ('1887-12-01 00:00:00+00') TO ('1888-01-01 00:00:00+00')"


def test_rows_go_to_the_month_of_their_utc_time() -> None:
    ensure_months(TABLE, [dt.date(1887, 10, 1), dt.date(1887, 11, 1)])
    last = PriceFactory(timestamp=dt.datetime(1887, 10, 31, tzinfo=dt.UTC))
    first = PriceFactory(timestamp=dt.datetime(1887, 11, 1, tzinfo=dt.UTC))

    assert (partition_of(last), partition_of(first)) == (f"{TABLE}_y1887m10", f"{TABLE}_y1887m11")


def test_months_are_those_of_utc_whatever_the_session_says() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TimeZone = 'Asia/Tokyo'")
    try:
        ensure_months(TABLE, [dt.date(1887, 10, 1)])
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET TimeZone = 'UTC'")

    assert (
        partitions()[f"{TABLE}_y1887m10"] == "FOR VALUES FROM ('1887-10-01 00:00:00+00') TO ('1887-11-01 00:00:00+00')"
    )


def test_rows_that_lie_in_the_default_partition_stay_there() -> None:
    with connection.cursor() as cursor:
        row = PriceFactory(timestamp=dt.datetime(1887, 10, 19, tzinfo=dt.UTC))
        own = partition_of(row)
        if own != f"{TABLE}_default":  # its writer made the month
            cursor.execute(f"ALTER TABLE {TABLE} DETACH PARTITION {own}")
            cursor.execute(f"INSERT INTO {TABLE} SELECT * FROM {own}")
            cursor.execute(f"DROP TABLE {own}")

    assert ensure_months(TABLE, [dt.date(1887, 10, 1)]) == 0
    assert partition_of(row) == f"{TABLE}_default"


def test_many_writers_may_ask_for_the_same_months(before) -> None:
    days = [dt.date(1887, month, 1) for month in range(1, 13)]

    def ask(_number: int) -> int:
        try:
            return ensure_months(TABLE, days)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(ask, range(6)))

    assert sum(made) == 12
    assert len(partitions()) == len(before) + 12


@pytest.mark.parametrize("table", ["trading_engine_trade", "no_such_table", "pg_class; DROP TABLE core_account"])
def test_nothing_but_a_month_of_a_partitioned_table_is_made(table) -> None:
    with pytest.raises(DatabaseError, match="is not a partitioned table"):
        ensure_months(table, [dt.date(1887, 10, 1)])

"""The quick way to read leaf hashes gives what the careful one gives, whatever the numbers of the rows are."""

from __future__ import annotations

import pytest
from django.db import connection

from friren.operations.audit.hashes import read_hashes
from friren.operations.audit.layout import Layout
from friren.operations.audit.rows import one_snapshot, read_rows
from tests.factories import TradeFactory
from trading_engine.models import Trade

pytestmark = pytest.mark.usefixtures("database")


def both(first: int = 0, last: int = 2**62) -> tuple[tuple[list[int], list[bytes]], tuple[list[int], list[bytes]]]:
    layout = Layout.of(Trade)
    with one_snapshot("default"):
        rows = read_rows(layout, first, last, using="default")
        return read_hashes(layout, first, last, using="default"), ([r.seq for r in rows], [r.leaf for r in rows])


def renumber(trade: Trade, number: str) -> None:
    """As only somebody can who rules the database; where the row lies on disk changes with it."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(f"UPDATE trading_engine_trade SET recorded_seq = {number} WHERE id = %s", [trade.pk])
        cursor.execute("RESET session_replication_role")


def test_in_order() -> None:
    TradeFactory.create_batch(5)
    quick, careful = both()

    assert quick == careful
    assert len(quick[0]) == 5


@pytest.mark.parametrize("number", ["-1", "recorded_seq + 1000", "9223372036854775807"])
def test_where_rows_do_not_lie_in_the_order_of_their_numbers(number) -> None:
    trades = TradeFactory.create_batch(5)
    renumber(trades[1], number)
    quick, careful = both(first=-(2**62), last=2**63 - 1)

    assert quick == careful
    assert quick[0] == sorted(quick[0])
    assert len(quick[0]) == 5


def test_where_two_rows_were_given_one_number() -> None:
    trades = TradeFactory.create_batch(3)
    renumber(trades[2], f"(SELECT recorded_seq FROM trading_engine_trade WHERE id = '{trades[0].pk}')")
    quick, careful = both()

    assert quick == careful
    assert len(set(quick[0])) == 2


def test_of_no_row() -> None:
    assert both() == (([], []), ([], []))

"""The INSERT of a fact below psycopg's cursors: the same row by either way, on connections of any history."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection, connections, transaction

from friren.core.ids import new_id
from friren.errors import RejectedRecordError
from friren.persistence.engines import engine_for
from friren.persistence.facts import Fact, make_fact, spec_of
from friren.persistence.handlers import insert
from friren.persistence.receipts import WriteOutcome
from trading_engine.models import Signal, Trade
from trading_engine.services import TradeLogger
from trading_engine.trade_facts import trade_fact

AT = dt.datetime(2026, 3, 2, 15, 0, 0, 123456, tzinfo=dt.timezone(dt.timedelta(hours=-5)))
FILL = {"symbol": "AAPL", "action": "buy", "quantity": Decimal(10), "price": Decimal("187.32"), "timestamp": AT}
FULL = {
    **FILL,
    "price": Decimal("-37.630000000000000001"),
    "commission": Decimal("1E-18"),
    "venue": "Börse Zürich",
    "tags": ['a "quoted" one', "back\\slash", "{braces, comma}", "", "NULL"],
    "extra": {"deep": [{"x": None}, 1.5, "ü", 2**70]},
    "confidence_score": 0.71,
    "reasoning": "line\nline\ttab 'quote' \\ 🚀",
    "leverage": Decimal("2.5"),
}  # fmt: skip


def stored(fact: Fact) -> dict[str, object]:
    row = Trade.objects.filter(id=fact.id).values(*(field.column for field in spec_of(Trade).fields.values())).get()
    return {**row, "digest": bytes(Trade.objects.get(id=fact.id).digest)}


@pytest.mark.parametrize("told", [FILL, FULL], ids=["least", "all sorts"])
def test_a_row_is_the_same_in_a_transaction_and_outside(book, told) -> None:
    outside, inside = (trade_fact(book, **told) for _ in range(2))

    insert(outside, using="default")
    with transaction.atomic():
        insert(inside, using="default")

    assert stored(outside) == stored(inside)


def test_values_arrive_as_they_were_told(book) -> None:
    fact = trade_fact(book, **FULL)

    insert(fact, using="default")

    row = Trade.objects.get(id=fact.id)
    assert (row.price, row.commission, row.leverage) == (FULL["price"], FULL["commission"], FULL["leverage"])
    assert (row.tags, row.extra, row.reasoning) == (FULL["tags"], FULL["extra"], FULL["reasoning"])
    assert row.executed_at == AT


def test_a_statement_that_was_dropped_is_prepared_again(book) -> None:
    insert(trade_fact(book, **FILL), using="default")
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")  # as psycopg does after a ROLLBACK

    receipt = insert(trade_fact(book, **FILL), using="default")

    assert receipt.outcome is WriteOutcome.STORED
    assert Trade.objects.count() == 2


def test_statements_are_prepared_again_each_in_its_turn(book) -> None:
    signal = partial(make_fact, Signal, account=book.id, symbol="AAPL", signal_type="buy", timestamp=AT)
    insert(trade_fact(book, **FILL), using="default")
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")

    insert(signal(), using="default")
    insert(trade_fact(book, **FILL), using="default")
    insert(signal(), using="default")

    assert (Trade.objects.count(), Signal.objects.count()) == (2, 2)


def test_rows_are_inserted_without_prepared_statements_behind_a_pooler(book) -> None:
    connection.ensure_connection()
    threshold, connection.connection.prepare_threshold = connection.connection.prepare_threshold, None
    try:
        insert(trade_fact(book, **FULL), using="default")
    finally:
        connection.connection.prepare_threshold = threshold

    assert Trade.objects.count() == 1


@pytest.mark.parametrize("within", [True, False], ids=["in a transaction", "outside"])
def test_a_nul_that_no_check_has_seen_is_refused_and_not_cut_off(book, within) -> None:
    known = trade_fact(book, **FILL)
    fact = Fact(kind="trade", id=new_id(), values={**known.values, "reasoning": "whole\x00or not at all"})

    with pytest.raises(RejectedRecordError), transaction.atomic() if within else connections["default"].cursor():
        insert(fact, using="default")

    assert not Trade.objects.exists()


def test_a_change_of_a_column_costs_one_call_at_most(book) -> None:
    trades = TradeLogger(book)
    trades.log_trade(**FILL)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE trading_engine_trade ADD COLUMN added_later integer")
    try:
        outcomes = [trades.log_trade(**FILL).outcome for _ in range(3)]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE trading_engine_trade DROP COLUMN added_later")

    assert outcomes == [WriteOutcome.STORED] * 3


def test_rows_name_the_process_that_wrote_them_directly_or_by_its_journal(book) -> None:
    direct = TradeLogger(book).log_trade(**FILL)
    assert TradeLogger(book).bulk_log([FILL]).stored == 1
    with TradeLogger(book, mode="journal") as journaling:
        journaled = journaling.log_trade(**FILL)

    assert [receipt.outcome for receipt in (direct, journaled)] == [WriteOutcome.STORED, WriteOutcome.JOURNALED]
    assert list(Trade.objects.values_list("producer", flat=True)) == [engine_for().producer] * 3

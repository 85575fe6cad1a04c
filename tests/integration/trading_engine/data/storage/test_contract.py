"""One contract for storages of every make: what one of them does the others do."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from friren.errors import ConfigurationError, KeyReusedError, RejectedRecordError
from trading_engine.data.storage import Side

TABLES = ["trades", "portfolio_history", "signal_archives", "signals", "raw_events", "events", "markets"]


@pytest.fixture(params=["files", "rows", "hybrid"])
def storage(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def records(tree):
    archives = [batch for batches in tree.archives.values() for batch in batches]
    return {
        "trades": tree.trades,
        "portfolio_history": tree.history,
        "signal_archives": archives,
        "signals": tree.signals,
        **{name: getattr(tree, name) for name in ("raw_events", "events", "markets")},
    }


@pytest.mark.parametrize("table", TABLES)
def test_what_is_saved_is_loaded(storage, records, agreed, table):
    assert storage.load(table) == []

    storage.save(table, records[table])

    assert agreed(table, storage.load(table)) == agreed(table, records[table])
    assert len(list(storage.iterate(table))) == len(records[table])


@pytest.mark.parametrize("table", ["trades", "portfolio_history", "signal_archives"])
def test_what_is_saved_again_is_there_once(storage, records, agreed, table):
    storage.save(table, records[table])

    again = storage.save(table, records[table])

    assert {again.file, again.database} <= {Side.DUPLICATE, Side.OFF}
    assert agreed(table, storage.load(table)) == agreed(table, records[table])


def test_trades_come_one_by_one_and_stand_in_the_order_of_their_keys(storage, tree, agreed):
    for trade in reversed(tree.trades):
        storage.save("trades", [trade])

    assert agreed("trades", storage.load("trades")) == agreed("trades", tree.trades)


def test_a_portfolio_is_what_was_saved_last_with_its_positions(storage, tree, agreed):
    storage.save("trades", tree.trades)
    storage.save("portfolio", [tree.portfolio])
    tree.next_day()

    storage.save("portfolio", [tree.portfolio])

    (held,) = storage.load("portfolio")
    assert agreed("portfolio", [held]) == agreed("portfolio", [tree.portfolio])
    by_id = sorted(held["positions"], key=lambda position: position["trade_id"])
    assert agreed("positions", by_id) == agreed("positions", tree.positions)
    assert agreed("positions", storage.load("positions")) == agreed("positions", tree.positions)


def test_signals_are_those_that_were_saved_last_even_none(storage, tree, agreed):
    storage.save("signals", tree.signals)
    later = [{**signal, "timestamp": "2025-10-21T17:00:00"} for signal in tree.signals[:2]]

    storage.save("signals", later)
    held = storage.load("signals")
    storage.save("signals", [])

    assert agreed("signals", held) == agreed("signals", later)
    assert storage.load("signals") == []


def test_markets_are_those_that_were_saved_last(storage, tree, agreed):
    storage.save("markets", tree.markets)
    moved = [{**market, "volume24hr": 7, "outcomePrices": '["0.5", "0.5"]'} for market in tree.markets[2:]]

    storage.save("markets", moved)
    held = storage.load("markets")
    storage.save("markets", [])

    assert agreed("markets", held) == agreed("markets", moved)
    assert held[0]["market_data"]["conditionId"] == tree.markets[2]["conditionId"]
    assert storage.load("markets") == []


def test_an_executed_signal_names_its_trade(storage, tree, agreed):
    storage.save("signals", tree.signals)
    storage.save("trades", tree.trades)
    tree.next_day()

    storage.save("signals", tree.signals)

    held = storage.load("signals")
    assert agreed("signals", held) == agreed("signals", tree.signals)
    assert [signal["trade_id"] for signal in held if signal["executed"]] == [tree.trades[0]["trade_id"]]


def test_of_a_day_the_newer_reading_stays(storage, tree):
    (day,) = tree.history
    storage.save("portfolio_history", [{**day, "balance": 1}])
    storage.save("portfolio_history", [{**day, "balance": 2, "timestamp": "2025-10-20T23:00:00"}])
    storage.save("portfolio_history", [{**day, "balance": 3, "timestamp": "2025-10-20T22:00:00"}])

    assert [one["balance"] for one in storage.load("portfolio_history")] == [2]


def test_the_key_of_a_trade_holds_one_content_for_good(storage, tree, agreed):
    storage.save("trades", tree.trades)

    with pytest.raises(KeyReusedError):
        storage.save("trades", [{**tree.trades[0], "amount": 101}])

    assert agreed("trades", storage.load("trades")) == agreed("trades", tree.trades)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"trade_id": None}, "trade_id"),
        ({"amount": "1_000"}, "amount"),
        ({"timestamp": dt.datetime(2025, 10, 20)}, "timestamp"),  # noqa: DTZ001 - it is what is refused
        ({"confidence": 1.5}, "confidence"),
        ({"amount": Decimal("NaN")}, "amount"),
    ],
)
def test_a_broken_record_is_refused_by_name_and_nothing_is_saved(storage, tree, change, field):
    with pytest.raises(RejectedRecordError) as caught:
        storage.save("trades", [tree.trades[0], {**tree.trades[1], **change}])

    assert caught.value.field == field
    assert storage.load("trades") == []


def test_numbers_keep_all_their_digits(storage, tree):
    exact = {"amount": Decimal("12345678901234567890.123456789012345678"), "entry_price": Decimal(1)}

    storage.save("trades", [{**tree.trades[0], **exact}])

    (held,) = storage.load("trades")
    assert {name: held[name] for name in exact} == exact


def test_a_table_of_another_name_is_refused(storage):
    with pytest.raises(ConfigurationError, match="must be one of"):
        storage.save("nothing", [])
    with pytest.raises(ConfigurationError, match="must be one of"):
        storage.load("nothing")

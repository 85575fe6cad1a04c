"""The daily risk snapshot, against figures worked out by hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from friren.core.ids import new_id
from portfolio_manager.accounting import Cash, Fill, Instrument
from portfolio_manager.daily_risk import DailyRisk
from portfolio_manager.trading_book import TradingBook

START = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
CASH = Decimal(1000)


def buy(symbol, quantity, price):
    return Fill(
        id=new_id(), executed_at=START, instrument=Instrument(type="EQUITY", key=symbol), action="buy",
        quantity=Decimal(quantity), price=Decimal(price),
    )  # fmt: skip


def marked(*fills):
    book = TradingBook()
    book.apply(Cash(id=new_id(), at=START, kind="DEPOSIT", currency="USD", amount=CASH))
    for fill in fills:
        book.apply(fill)
    return book


def days(book, series):
    """Measure the book on each day of {symbol: closes}."""
    measure, snapshots = DailyRisk(starting_value=CASH), []
    for index in range(len(next(iter(series.values())))):
        closes = {symbol: Decimal(str(values[index])) for symbol, values in series.items()}
        for symbol, close in closes.items():
            book.take_close(symbol, close)
        snapshots.append(measure.measure(book, closes, START + index * DAY))
    return snapshots


def test_a_book_of_cash_has_value_and_no_exposure():
    (snapshot,) = days(marked(), {"AAA": [10]})

    assert (snapshot.portfolio_value, snapshot.total_exposure, snapshot.max_position_size) == (1000, 0, 0)
    assert snapshot.correlation_risk is snapshot.var_estimate is None
    assert snapshot.timestamp == START


def test_exposure_is_what_is_held_at_the_close():
    (snapshot,) = days(marked(buy("AAA", 10, 10), buy("BBB", 4, 50)), {"AAA": [12], "BBB": [60]})

    # 1000 - 100 - 200 + 120 + 240
    assert snapshot.portfolio_value == 1060
    assert (snapshot.total_exposure, snapshot.max_position_size) == (360, 240)


def test_value_at_risk_begins_after_twenty_days_and_is_a_loss_of_the_book():
    closes = [10, *([9, 10] * 12)]
    snapshots = days(marked(buy("AAA", 100, 10)), {"AAA": closes})

    assert [snapshot.var_estimate is None for snapshot in snapshots[:20]] == [True] * 19 + [False]
    # Every other day the whole book, all in AAA, loses 10 %.
    assert snapshots[-1].var_estimate == 100


def test_correlation_is_of_the_symbols_that_are_held():
    up_and_down = [10 + (index % 3) for index in range(30)]
    against = [10 - (index % 3) * 0.5 for index in range(30)]
    series = {"AAA": up_and_down, "BBB": up_and_down, "CCC": against}

    both = days(marked(buy("AAA", 1, 10), buy("BBB", 1, 10)), series)
    one = days(marked(buy("AAA", 1, 10)), series)

    assert both[-1].correlation_risk == pytest.approx(1)
    assert both[5].correlation_risk is None
    assert one[-1].correlation_risk is None

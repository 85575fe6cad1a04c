"""Pages by remembered queries: the rows, the order and the refusals of those that the ORM puts together each time."""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal

import pytest

from friren.errors import RejectedRecordError
from friren.persistence.pages import newest_page
from friren.persistence.reads import newest_first
from trading_engine.models import Trade
from trading_engine.services import TradeLogger

START = dt.datetime(2026, 3, 2, 15, tzinfo=dt.UTC)
SYMBOLS, STRATEGIES = ("AAPL", ("BTC-USD", "coinbase")), ("sma_cross", "AAPL")


@pytest.fixture
def trades(book):
    trades = TradeLogger(book)
    combined = itertools.cycle(itertools.product(SYMBOLS, STRATEGIES))
    told = [
        {
            "symbol": symbol, "strategy_used": strategy, "action": "buy", "quantity": 1, "price": Decimal("1.50"),
            "timestamp": START + dt.timedelta(minutes=number // 3), "extra": {"number": number, "half": 0.5},
        }
        for number, (symbol, strategy) in zip(range(40), combined, strict=False)
    ]  # fmt: skip
    assert trades.bulk_log(told).stored == 40
    trades.bust_trade(trades.get_trade_history(limit=1)[0], reason="never happened")
    return trades


def by_orm(trades, *, symbol=None, strategy=None, status=None, **bounds):
    rows = Trade.objects.filter(account=trades.account.id)
    if symbol is not None:
        ticker, venue = symbol if isinstance(symbol, tuple) else (symbol, "")
        rows = rows.filter(symbol__ticker=ticker, symbol__venue=venue)
    if strategy is not None:
        rows = rows.filter(strategy_used=strategy)
    if status is not None:
        rows = rows.filter(status=status)
    return newest_first(rows, time="executed_at", **bounds)


@pytest.mark.parametrize("after", [False, True], ids=["first page", "second page"])
@pytest.mark.parametrize("start", [None, START + dt.timedelta(minutes=2)], ids=["", "start"])
@pytest.mark.parametrize("end", [None, START + dt.timedelta(minutes=11)], ids=["", "end"])
def test_they_are_those_of_the_orm_whatever_is_asked_by(trades, start, end, after) -> None:
    for symbol, strategy, status in itertools.product(
        (None, *SYMBOLS), (None, *STRATEGIES), (None, "filled", "busted")
    ):
        asked = {"symbol": symbol, "strategy": strategy, "status": status, "start": start, "end": end, "limit": 3}
        if after:
            asked["after"] = trades.get_trade_history(**asked).next
        ours, theirs = trades.get_trade_history(**asked), by_orm(trades, **asked)
        assert (list(ours), ours.next) == (list(theirs), theirs.next)


def test_values_that_look_alike_are_not_mixed_up(trades) -> None:
    assert {row.symbol for row in trades.get_trade_history("AAPL", strategy="AAPL")} == {"AAPL"}
    assert {row.strategy_used for row in trades.get_trade_history("AAPL", strategy="AAPL")} == {"AAPL"}
    assert not trades.get_trade_history("sma_cross", strategy="AAPL")


def test_a_row_holds_values_of_their_types(trades) -> None:
    first = {"strategy": "sma_cross", "start": START, "end": START + dt.timedelta(seconds=1)}
    (row,) = trades.get_trade_history("AAPL", **first, limit=1)

    assert (row.price, row.executed_at, row.executed_at.tzinfo) == (Decimal("1.5"), START, dt.UTC)
    assert row.extra == {"number": 0, "half": 0.5}
    assert row.shap_values == {}


def test_a_condition_that_changes_its_value_is_found_out(book) -> None:
    def upper(rows, text):
        return rows.filter(strategy_used=text.upper())

    with pytest.raises(TypeError, match="as it is"):
        newest_page(Trade, (upper, ("sma",)), using="default", time="executed_at")


@pytest.mark.parametrize(
    "asked",
    [{"limit": 0}, {"after": "x"}, {"start": START.replace(tzinfo=None)}, {"status": "lost"}, {"symbol": ""}],
    ids=str,
)
def test_what_is_wrong_is_refused(book, asked) -> None:
    with pytest.raises(RejectedRecordError):
        TradeLogger(book).get_trade_history(**asked)

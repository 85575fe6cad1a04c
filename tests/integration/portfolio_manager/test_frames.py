"""What is stored as frames: exact on request, times aware, floats stated."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from friren import frames
from friren.accounts import open_account
from friren.errors import ConfigurationError, RejectedRecordError
from portfolio_manager.data_logger import PortfolioSnapshotter, PortfolioTracker
from tests.factories import MONDAY, PriceFactory

pl = pytest.importorskip("polars", reason="the frames of polars are its own, group data")
pa = pytest.importorskip("pyarrow", reason="Arrow is pyarrow's, group data")

pytestmark = pytest.mark.usefixtures("database")
D = Decimal
PRICE = D("187.123456789012345678")


@pytest.fixture
def book():
    """Books that bought at a price of 18 decimals, and sold half an hour later under another strategy."""
    account = open_account("book", environment="PAPER", starting_cash=D(100000))
    with PortfolioTracker(account) as tracker:
        tracker.record_trade(
            symbol="AAPL", action="buy", quantity=10, price=PRICE, timestamp=MONDAY, commission=D("0.1")
        )
        later = MONDAY + dt.timedelta(minutes=30, microseconds=1)
        tracker.record_trade(symbol="MSFT", action="short", quantity=1, price=400, timestamp=later, strategy_used="b",
                             shap_values={"rsi": 0.5})  # fmt: skip
    return account


def test_trades_are_floats_and_utc_unless_asked(book):
    found = frames.trades(account="book")

    assert list(found["symbol"]) == ["AAPL", "MSFT"]
    assert found["price"].dtype == np.float64
    assert found["price"].iloc[0] == float(PRICE)
    assert str(found["executed_at"].dt.tz) == "UTC"
    assert found["executed_at"].iloc[1] == pd.Timestamp(MONDAY) + pd.Timedelta(minutes=30, microseconds=1)
    assert found["commission"].isna().tolist() == [False, True]
    assert found["shap_values"].iloc[1] == '{"rsi": 0.5}'


def test_decimals_are_exact_on_request_in_every_library(book):
    assert frames.trades(exact=True)["price"].iloc[0] == PRICE
    polars = frames.trades(exact=True, library="polars")
    assert polars["price"].dtype == pl.Decimal(38, 18)
    assert polars["price"][0] == PRICE
    assert polars["executed_at"].dtype == pl.Datetime("us", "UTC")
    arrow = frames.trades(exact=True, library="arrow")
    assert arrow.schema.field("quantity").type == pa.decimal128(38, 18)


def test_trades_are_narrowed(book):
    assert len(frames.trades(symbol="AAPL")) == 1
    assert len(frames.trades(strategy="b", account=book)) == 1
    assert len(frames.trades(start=MONDAY + dt.timedelta(minutes=1))) == 1
    assert len(frames.trades(end=MONDAY + dt.timedelta(minutes=1))) == 1
    assert frames.trades(symbol="NVDA").columns.tolist() == frames.trades().columns.tolist()


def test_positions_and_equity(book):
    found = frames.positions(account=book, status="open", exact=True)
    held = zip(found["symbol"], found["side"], found["quantity"], strict=True)
    assert list(held) == [("AAPL", "LONG", D(10)), ("MSFT", "SHORT", D(1))]
    with PortfolioSnapshotter(book) as snapshots:
        snapshots.snapshot(MONDAY + dt.timedelta(days=1))
    curve = frames.equity(account="book", exact=True)
    assert curve["balance"].tolist() == [D(100000) - 10 * PRICE - D("0.1") + 400]


def test_prices():
    bar = PriceFactory(close=D("187.32"))
    found = frames.prices(symbol=bar.symbol, timeframe=bar.timeframe, library="polars", exact=True)
    assert (found["close"].to_list(), found["timestamp"].to_list()) == ([D("187.32")], [bar.timestamp])
    assert len(frames.prices(source="nowhere")) == 0


def test_wrong_questions_are_refused(book):
    with pytest.raises(RejectedRecordError, match="aware datetime"):
        frames.trades(start=MONDAY.replace(tzinfo=None))
    with pytest.raises(RejectedRecordError, match="pandas, polars, arrow"):
        frames.trades(library="excel")
    with pytest.raises(ConfigurationError):
        frames.trades(account="nobody")

"""Portfolios of the real vectorbt: the example of its page, and what its simulator can do."""

from __future__ import annotations

import pytest

from friren.errors import RejectedRecordError
from portfolio_manager.engine_runs import record_run
from portfolio_manager.models import Position
from tests import engines
from trading_engine.backtesting.adapters import from_vectorbt

pytestmark = [
    pytest.mark.usefixtures("database"),
    pytest.mark.skipif(not engines.installed("vectorbt"), reason="vectorbt is not installed: group engines"),
]


def orders_match(account, orders, symbol=None) -> None:
    """Hold the stored fills against the engine's own readable table."""
    ours = engines.fills(account)
    with engines.engines_own_warnings():
        table = orders.records_readable.sort_values(["Timestamp", "Order Id"]).to_dict("records")
    assert len(ours) == len(table) > 0
    for fill, row in zip(ours, table, strict=True):
        assert fill.symbol.ticker == (symbol or row["Column"])
        assert (engines.signed(fill) > 0) == (row["Side"] == "Buy")
        assert float(fill.quantity) == pytest.approx(row["Size"], rel=1e-14)
        assert float(fill.price) == pytest.approx(row["Price"], rel=1e-14)
        assert float(fill.commission) == pytest.approx(row["Fees"], rel=1e-13)
        assert fill.executed_at.replace(tzinfo=None) == row["Timestamp"].to_pydatetime()


def test_the_example_of_the_page_matches_the_engine_to_the_cent() -> None:
    found = engines.example("record-vectorbt.md")
    portfolio, account = found["portfolio"], found["report"].account

    orders_match(account, portfolio.orders)
    assert engines.differences(account, portfolio.value()) == []
    assert engines.same(engines.cash(account), portfolio.cash().iloc[-1])
    assert engines.same(found["report"].final_equity, portfolio.value().iloc[-1])
    assert engines.hooks_up_in_ten_lines("record-vectorbt.md")


def test_shorts_reversals_and_fixed_fees_of_one_column_of_many_match() -> None:
    with engines.engines_own_warnings():
        import vectorbt as vbt
        from arch.data import nasdaq, sp500

        close = sp500.load()["Close"].loc["2018":].to_frame("SP500").assign(NASDAQ=nasdaq.load()["Close"])
        size = close.copy() * float("nan")
        size.iloc[::20], size.iloc[10::20] = 0.8, -0.4
        portfolio = vbt.Portfolio.from_orders(
            close, size, size_type="targetpercent", fees=0.001, fixed_fees=1.0, slippage=0.002, init_cash=50_000
        )
    with pytest.raises(RejectedRecordError, match="columns that share no cash are books of their own"):
        from_vectorbt(portfolio, strategy="flip")

    report = record_run(from_vectorbt(portfolio, strategy="flip", column="NASDAQ", symbol="COMP"), mode="direct")

    orders_match(report.account, portfolio["NASDAQ"].orders, "COMP")
    assert engines.differences(report.account, portfolio["NASDAQ"].value()) == []
    assert engines.same(engines.cash(report.account), portfolio["NASDAQ"].cash().iloc[-1])
    sides = Position.objects.filter(account__name=report.account).values_list("side", flat=True)
    assert set(sides) == {"LONG", "SHORT"}

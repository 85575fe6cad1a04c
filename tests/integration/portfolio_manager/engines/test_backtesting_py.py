"""Runs of the real backtesting.py: the example of its page, and everything its broker can do."""

from __future__ import annotations

from decimal import Decimal

import pytest

from portfolio_manager.engine_runs import record_run
from portfolio_manager.models import Position
from tests import engines
from trading_engine.backtesting.adapters import from_backtesting

pytestmark = [
    pytest.mark.usefixtures("database"),
    pytest.mark.skipif(not engines.installed("backtesting"), reason="backtesting is not installed: group engines"),
]


@pytest.fixture(scope="module")
def backtesting():
    with engines.engines_own_warnings():
        import backtesting
        import backtesting.lib
        import backtesting.test
    return backtesting


def strategy_of(backtesting, steps):
    """A strategy that does what `steps` says at the bar of that number."""

    class Steps(backtesting.Strategy):
        def init(self):
            self.number = 0

        def next(self):
            self.number += 1
            if self.number in steps:
                steps[self.number](self)

    return Steps


def test_the_example_of_the_page_matches_the_engine_to_the_cent() -> None:
    ran = engines.example("record-backtesting.md")
    stats, report = ran["stats"], ran["report"]

    table, account = stats["_trades"], report.account
    closed = Position.objects.filter(account__name=account, status="closed").order_by("opened_at", "closed_at")
    engines_own = sorted(
        (row.EntryTime.date(), row.ExitTime.date(), int(row.Size), float(row.EntryPrice), float(row.ExitPrice))
        for row in table.itertuples()
    )
    ours = sorted(
        (
            each.opened_at.date(),
            each.closed_at.date(),
            int(each.opened_quantity) * (1 if each.side == "LONG" else -1),
            float(each.opened_cost / each.opened_quantity),
            float(each.closed_proceeds / each.opened_quantity),
        )
        for each in closed
    )
    assert len(ours) == len(table) == 93
    for mine, theirs in zip(ours, engines_own, strict=True):
        assert mine[:3] == theirs[:3]
        assert mine[3:] == pytest.approx(theirs[3:], abs=1e-9)
    assert engines.differences(account, stats["_equity_curve"]["Equity"]) == []
    assert engines.same(report.final_equity, stats["Equity Final [$]"])
    # One trade is open at the end; without it the book's cash is the engine's.
    broker = stats["_strategy"]._broker
    open_cost = sum(trade.size * trade.entry_price for trade in broker.trades)
    assert engines.same(engines.cash(account), broker._cash - open_cost)
    assert engines.run_of(account).status == "COMPLETED"
    assert engines.result_of(account).trade_count == 93
    assert engines.hooks_up_in_ten_lines("record-backtesting.md")


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"commission": (5, 0.001), "hedging": True}, id="hedging"),
        pytest.param({"commission": (5, 0.001), "spread": 0.002, "trade_on_close": True}, id="on close"),
        pytest.param({"commission": lambda size, price: 1 + abs(size) * 0.01, "margin": 0.1}, id="margin"),
    ],
)
def test_shorts_parts_and_what_stays_open_match(backtesting, how) -> None:
    steps = {
        2: lambda it: it.buy(size=40),
        5: lambda it: it.buy(size=20, tag="second"),
        9: lambda it: it.trades[0].close(0.3),
        14: lambda it: it.sell(size=100),
        20: lambda it: it.position.close(),
        25: lambda it: it.sell(size=30, sl=it.data.Close[-1] * 1.03, tp=it.data.Close[-1] * 0.97),
        40: lambda it: it.buy(size=15),
        41: lambda it: it.sell(size=6),
    }
    data = backtesting.test.GOOG.iloc[:60]
    with engines.engines_own_warnings():
        stats = backtesting.Backtest(data, strategy_of(backtesting, steps), cash=20_000, **how).run()

    report = record_run(from_backtesting(stats, symbol="GOOG", strategy="steps"))

    broker = stats["_strategy"]._broker
    assert broker.trades, "something has to stay open"
    assert engines.differences(report.account, stats["_equity_curve"]["Equity"]) == []
    assert Position.objects.filter(account__name=report.account, status="open").exists()
    if how.get("margin"):
        assert engines.same(engines.cash(report.account), broker._cash)


def test_fractions_are_told_in_whole_units(backtesting) -> None:
    steps = {3: lambda it: it.buy(size=123_456), 30: lambda it: it.position.close(0.5)}
    with engines.engines_own_warnings():
        made = backtesting.lib.FractionalBacktest(
            backtesting.test.BTCUSD.iloc[-40:], strategy_of(backtesting, steps), cash=10_000, commission=0.002,
            fractional_unit=1e-6,
        )  # fmt: skip
        stats = made.run()

    report = record_run(from_backtesting(stats, symbol="BTC"))

    bought, sold = engines.fills(report.account)
    assert (bought.quantity, sold.quantity) == (Decimal("0.123456"), Decimal("0.061728"))
    assert float(bought.price) == pytest.approx(stats["_trades"]["EntryPrice"].iloc[0], rel=1e-12)
    assert engines.differences(report.account, stats["_equity_curve"]["Equity"]) == []

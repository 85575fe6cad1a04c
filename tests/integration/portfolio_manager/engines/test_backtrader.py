"""Runs of the real backtrader: the example of its page, and what its broker can do."""

from __future__ import annotations

from decimal import Decimal

import pytest

from friren.core.models import Account
from friren.errors import FrirenError, RejectedRecordError
from portfolio_manager.engine_runs import record_run
from portfolio_manager.models import CashMovement
from tests import engines
from trading_engine.backtesting.adapters import friren_analyzer

pytestmark = [
    pytest.mark.usefixtures("database"),
    pytest.mark.skipif(not engines.installed("backtrader"), reason="backtrader is not installed: group engines"),
]


@pytest.fixture(scope="module")
def bt():
    with engines.engines_own_warnings():
        import backtrader
    return backtrader


@pytest.fixture(scope="module")
def bars():
    with engines.engines_own_warnings():
        from arch.data import nasdaq, sp500

        return {"SP500": sp500.load().loc["2018-06":], "NASDAQ": nasdaq.load().loc["2018-06":]}


def ran(bt, bars, steps, *, symbols=("SP500",), cash=1_000_000, values=None, **commission):
    """Run a strategy that does what `steps` says at the bar of that number; return it."""

    class Steps(bt.Strategy):
        params = (("size", 7),)

        def prenext(self):
            self.next()

        def next(self):
            if values is not None:
                values.append(self.broker.getvalue())
            if len(self) in steps:
                steps[len(self)](self)

    cerebro = bt.Cerebro(stdstats=False)
    for symbol in symbols:
        cerebro.adddata(bt.feeds.PandasData(dataname=bars[symbol]), name=symbol)
    cerebro.addstrategy(Steps)
    cerebro.broker.setcash(cash)
    cerebro.broker.setcommission(**{"commission": 0.001, **commission})
    cerebro.addanalyzer(friren_analyzer(bt), _name="friren")
    with engines.engines_own_warnings():
        return cerebro.run()[0]


def test_the_example_of_the_page_matches_the_engine_to_the_cent() -> None:
    found = engines.example("record-backtrader.md")
    broker, account, strategy = found["cerebro"].broker, found["report"].account, found["strategy"]

    executed = [order for order in broker.orders if order.executed.size]
    ours = engines.fills(account)
    assert len(ours) == len(executed) > 20
    for fill, order in zip(ours, executed, strict=True):
        assert float(engines.signed(fill)) == pytest.approx(order.executed.size, rel=1e-14)
        assert float(fill.price) == pytest.approx(order.executed.price, rel=1e-14)
        assert float(fill.commission) == pytest.approx(order.executed.comm, rel=1e-14)
        assert fill.executed_at.date() == strategy.data.num2date(order.executed.dt).date()
    assert engines.same(found["report"].final_equity, broker.getvalue())
    assert engines.same(engines.cash(account), broker.getcash())
    # The engine's own observer of value, bar by bar.
    assert engines.differences(account, strategy.observers.broker.lines.value.get(size=len(strategy))) == []
    assert engines.hooks_up_in_ten_lines("record-backtrader.md")


def test_two_feeds_shorts_reversals_parts_and_added_cash_match(bt, bars) -> None:
    values: list[float] = []
    steps = {
        2: lambda it: it.buy(it.data0, size=10.5),
        4: lambda it: it.sell(it.data1, size=3),
        8: lambda it: it.sell(it.data0, size=4.25),
        12: lambda it: it.sell(it.data0, size=20),
        20: lambda it: it.broker.add_cash(2_500.25),
        24: lambda it: it.buy(it.data1, size=5, exectype=bt.Order.Limit, price=it.data1.close[0] * 0.99),
        30: lambda it: it.broker.add_cash(-100),
    }
    strategy = ran(bt, bars, steps, symbols=("SP500", "NASDAQ"), values=values, interest=0.03)

    report = record_run(strategy.analyzers.friren.engine_run())

    assert engines.differences(report.account, values) == []
    assert engines.same(engines.cash(report.account), strategy.broker.getcash())
    moved = CashMovement.objects.filter(account__name=report.account)
    added = moved.filter(reason="add_cash").order_by("occurred_at").values_list("kind", "amount")
    assert list(added) == [("DEPOSIT", Decimal("2500.25")), ("WITHDRAWAL", Decimal(-100))]
    assert moved.filter(kind="INTEREST", amount__lt=0).count() > 50
    assert {fill.action for fill in engines.fills(report.account)} >= {"buy", "sell", "short"}
    assert engines.run_of(report.account).parameters["strategies"] == {"Steps": {"size": 7}}


def test_an_order_that_is_filled_in_parts_is_as_many_fills(bt, bars) -> None:
    class Filled(bt.Strategy):
        def next(self):
            if len(self) == 2:
                self.buy(size=70)

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(bt.feeds.PandasData(dataname=bars["SP500"].iloc[:20].assign(Volume=250)), name="SP500")
    cerebro.addstrategy(Filled)
    cerebro.broker.setcash(1_000_000)
    cerebro.broker.set_filler(bt.fillers.FixedBarPerc(perc=10))
    cerebro.addanalyzer(friren_analyzer(bt), _name="friren")

    report = record_run(cerebro.run()[0].analyzers.friren.engine_run())

    assert [fill.quantity for fill in engines.fills(report.account)] == [25, 25, 20]
    assert engines.same(report.final_equity, cerebro.broker.getvalue())


def test_futures_are_leveraged_and_a_multiplier_has_to_be_the_symbols(bt, bars) -> None:
    values: list[float] = []
    steps = {2: lambda it: it.buy(size=3), 9: lambda it: it.sell(size=5), 30: lambda it: it.buy(size=1)}
    plain = ran(bt, bars, steps, values=values, commission=2.0, margin=5_000.0)
    fivefold = ran(bt, bars, steps, commission=2.0, margin=5_000.0, mult=5.0)

    report = record_run(plain.analyzers.friren.engine_run())

    assert engines.differences(report.account, values) == []
    assert {fill.instrument_type for fill in engines.fills(report.account)} == {"LEVERAGED"}
    with pytest.raises(RejectedRecordError, match="multiplier"):
        record_run(fivefold.analyzers.friren.engine_run(), account="fivefold")
    assert not Account.objects.filter(name="fivefold").exists()


def test_what_the_broker_does_not_tell_fails_the_run_and_says_where(bt, bars) -> None:
    def take(it) -> None:
        it.broker.cash -= 12.5

    strategy = ran(bt, bars, {2: lambda it: it.buy(size=1), 5: take})

    with pytest.raises(FrirenError, match="does not tell all that it did: at 2018-06-0"):
        record_run(strategy.analyzers.friren.engine_run(), account="robbed")

    run = engines.run_of("robbed")
    assert run.status == "FAILED"
    assert "its cash is" in (run.status_message or "")
    assert len(engines.fills("robbed")) == 1

"""The trading cycle on a real database: what is stored, in which order, and what a failure leaves behind."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import psycopg
import pytest
from django.db import connection

from friren.core.models import Account
from friren.errors import FrirenError, RejectedRecordError
from portfolio_manager.accounting import Cash, Fill, Instrument, fold
from portfolio_manager.backtests import BacktestPlan, run_backtest
from portfolio_manager.models import LedgerEntry, Position, RiskMetrics
from portfolio_manager.stored_equity import stored_equity
from trading_engine.backtesting import NextOpenVenue
from trading_engine.data.bars import Bar
from trading_engine.models import (
    BacktestResult,
    BacktestRun,
    MarketRegime,
    Order,
    OrderStatusEvent,
    RegimeHistory,
    Signal,
    Trade,
)

pytestmark = pytest.mark.usefixtures("database")

START = dt.datetime(2015, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def wave(symbol="AAA", *, days=420, level=100, gap=Decimal(0)):
    """Return bars that rise and fall by a fifth every eighty days, each opening `gap` above the last close."""
    bars, close = [], Decimal(level)
    for index in range(days):
        opened = close + (gap if index else 0)
        close += Decimal("0.5") if (index // 40) % 2 == 0 else Decimal("-0.5")
        close += Decimal(index % 3 - 1) / 10
        high, low = max(opened, close), min(opened, close)
        bars.append(Bar(symbol, START + index * DAY, "1d", opened, high, low, close, Decimal(1000)))
    return bars


def run(*, strategies=("donchian_breakout",), series=None, **plan):
    series = series or {"AAA": wave()}
    return run_backtest(BacktestPlan(series=series, strategies=strategies, **plan))


class Deaf(NextOpenVenue):
    """A venue that cannot be reached."""

    def submit(self, ticket):
        raise ConnectionError("no line to the venue")


def cut_all_connections():
    """End every session of Friren's in this database, from another one."""
    settings = connection.get_connection_params()
    settings = {name: settings[name] for name in ("dbname", "user", "host", "port") if settings.get(name)}
    with psycopg.connect(**settings, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'friren'"
        )


class TestWhatIsStored:
    def test_every_step_from_signal_to_position_is_there_and_linked(self):
        report = run()

        assert report.trades >= 4
        trade = Trade.objects.order_by("executed_at").first()
        assert trade.order.signal.trade == trade
        assert trade.order.status == "filled"
        assert trade.order.signal.executed
        assert trade.position.trade == trade
        assert trade.strategy_used == trade.order.strategy_used == trade.order.signal.strategy_name
        assert trade.reasoning == trade.order.signal.reasoning != ""
        assert trade.confidence_score == trade.order.signal.confidence_score
        assert trade.regime_at_entry == "UNKNOWN"
        assert trade.commission == 1
        assert (Signal.objects.count(), Trade.objects.count()) == (report.signals, report.trades)

    def test_an_order_goes_through_its_states(self):
        run()

        moves = OrderStatusEvent.objects.filter(order=Order.objects.order_by("requested_at").first())
        assert list(moves.order_by("recorded_seq").values_list("from_status", "to_status")) == [
            ("pending", "submitted"),
            ("submitted", "filled"),
        ]

    def test_orders_are_filled_at_the_next_open_and_not_at_the_close(self):
        bars = wave(gap=Decimal("0.37"))
        run(series={"AAA": bars})

        opens = {bar.timestamp: bar.open for bar in bars}
        closes = {bar.timestamp: bar.close for bar in bars}
        for trade in Trade.objects.select_related("order"):
            assert trade.executed_at == trade.order.requested_at + DAY
            assert trade.price == opens[trade.executed_at]
            assert trade.expected_price == closes[trade.order.requested_at]

    def test_regimes_are_the_account_s_own_and_trades_bear_them(self):
        run(strategies=("donchian_breakout", "mean_reversion"))

        account = Account.objects.get(environment="BACKTEST")
        assert RegimeHistory.objects.exclude(account=account).count() == 0
        intervals = list(MarketRegime.objects.order_by("started_at"))
        assert intervals
        for interval in intervals:
            until = interval.ended_at or START + 1000 * DAY
            inside = Signal.objects.filter(timestamp__gte=interval.started_at, timestamp__lt=until)
            assert set(inside.values_list("regime", flat=True)) <= {interval.id}
            for trade in Trade.objects.filter(order__signal__in=inside):
                assert trade.regime_at_entry == interval.regime_type

    def test_every_day_has_its_risk_snapshot(self):
        report = run()

        days = RiskMetrics.objects.order_by("as_of_date")
        assert days.count() == report.risk_days == 420
        assert [day.portfolio_value for day in days] == [value for _, value in report.equity]
        held = days.filter(total_exposure__gt=0)
        assert held.exists()
        assert all(day.max_position_size == day.total_exposure for day in held)

    def test_the_run_is_completed_with_its_figures(self):
        report = run()

        row = BacktestRun.objects.get()
        assert (row.id, row.status, row.engine) == (report.run_id, "COMPLETED", "reference")
        assert (row.starts_at, row.ends_at) == (START, START + 419 * DAY)
        assert row.account.name == f"donchian_breakout-AAA-{row.id}" == report.account
        assert row.parameters["strategies"] == {"donchian_breakout": {"entry_bars": 20, "exit_bars": 10}}
        assert len(row.data_digest) == 64
        result = BacktestResult.objects.get()
        assert result.total_return == report.performance.total_return
        assert result.trade_count == report.performance.trade_count == Position.objects.filter(status="closed").count()
        assert result.detailed_metrics["final_equity"] == report.as_json()["final_equity"]


class TestFinalEquity:
    def test_is_the_ledger_and_what_is_held_at_the_last_close(self):
        bars = wave(days=35)
        report = run(series={"AAA": bars})

        ledger = sum(LedgerEntry.objects.values_list("amount", flat=True))
        held = sum(Position.objects.filter(status="open").values_list("quantity", flat=True))
        assert held > 0
        assert report.final_equity == ledger + held * bars[-1].close

    def test_equals_a_fold_of_the_stored_facts(self):
        series = {"AAA": wave(), "BBB": wave("BBB", level=37, days=300)}
        report = run(strategies=("donchian_breakout", "mean_reversion"), series=series)

        facts = [Cash(id=report.run_id, at=START, kind="DEPOSIT", currency="USD", amount=Decimal(100_000))]
        facts += [
            Fill(
                id=trade.id, executed_at=trade.executed_at,
                instrument=Instrument(type="EQUITY", key=trade.symbol.ticker), action=trade.action,
                quantity=trade.quantity, price=trade.price, strategy=trade.strategy_used, commission=trade.commission,
            )
            for trade in Trade.objects.select_related("symbol")
        ]  # fmt: skip
        books = fold(facts)
        held = sum(p.quantity * series[p.instrument.key][-1].close for p in books.positions if p.quantity)
        assert report.final_equity == books.balances["USD"] + held

    def test_is_the_start_and_the_profit_of_all_round_trips(self):
        series = {"AAA": wave(), "BBB": wave("BBB", level=37, days=300)}
        report = run(strategies=("donchian_breakout", "mean_reversion", "sma_cross"), series=series)

        assert report.final_equity == report.starting_cash + sum(trip.net_pnl for trip in report.trips)
        assert report.equity[-1][1] == report.final_equity

    def test_uses_the_multiplier_of_the_symbol(self):
        from trading_engine.models import Symbol

        Symbol.objects.create(ticker="ES", currency="USD", multiplier=Decimal(5))
        report = run(series={"ES": wave("ES")})

        assert report.trades >= 4
        cost = LedgerEntry.objects.filter(kind="FILL").order_by("occurred_at").first()
        trade = Trade.objects.order_by("executed_at").first()
        assert cost.amount == -trade.quantity * trade.price * 5
        assert trade.quantity * trade.price * 5 <= 100_000

    def test_is_in_the_currency_of_the_symbols(self):
        from trading_engine.models import Symbol

        Symbol.objects.create(ticker="SAP", currency="EUR")
        assert run(series={"SAP": wave("SAP")}).currency == "EUR"
        with pytest.raises(RejectedRecordError, match="quoted in one currency"):
            run(series={"SAP": wave("SAP"), "AAA": wave()})

    def test_stored_equity_asks_for_a_close_of_everything_held(self):
        report = run(series={"AAA": wave(days=35)})

        with pytest.raises(RejectedRecordError, match="a close of every symbol that is held"):
            stored_equity(Account.objects.get(name=report.account), {})


class TestDeterminism:
    def test_the_same_bars_give_the_same_figures(self):
        first, second = run().as_json(), run().as_json()

        different = {name for name in first if first[name] != second[name]}
        assert different <= {"run_id", "account", "seconds"}
        digests = set(BacktestRun.objects.values_list("data_digest", flat=True))
        assert len(digests) == 1

    def test_other_bars_have_another_digest(self):
        run()
        run(series={"AAA": wave(gap=Decimal("0.01"))})

        assert len(set(BacktestRun.objects.values_list("data_digest", flat=True))) == 2


class TestFailure:
    def test_a_venue_that_raises_leaves_the_order_stored_and_no_trade(self):
        with pytest.raises(ConnectionError):
            run(venue=Deaf())

        assert Order.objects.get().status == "pending"
        assert Signal.objects.get().executed is False
        assert Trade.objects.count() == 0
        row = BacktestRun.objects.get()
        assert (row.status, row.status_message) == ("FAILED", "ConnectionError: no line to the venue")
        assert row.finished_at is not None
        assert not BacktestResult.objects.exists()

    def test_a_run_that_was_interrupted_is_not_left_running(self):
        def stop(bars):
            raise KeyboardInterrupt

        plan = BacktestPlan(series={"AAA": wave()}, strategies=("sma_cross",))
        with pytest.raises(KeyboardInterrupt):
            run_backtest(plan, progress=stop)
        assert BacktestRun.objects.values_list("status", "status_message").get() == ("FAILED", "KeyboardInterrupt")

    def test_connections_that_break_do_a_run_no_harm(self):
        bars, done = wave(), []

        def cut(steps):
            done.append(steps)
            if len(done) % 50 == 0:
                cut_all_connections()

        report = run_backtest(BacktestPlan(series={"AAA": bars}, strategies=("donchian_breakout",)), progress=cut)
        connection.close()  # the test's own may have been cut too

        assert (report.journaled, BacktestRun.objects.get().status) == (0, "COMPLETED")
        assert Trade.objects.count() == report.trades > 0
        assert stored_equity(Account.objects.get(name=report.account), {"AAA": bars[-1].close}) == report.final_equity
        assert Order.objects.filter(status="filled").count() == Signal.objects.filter(executed=True).count()

    def test_books_that_differ_from_what_was_traded_fail_the_run(self, monkeypatch):
        monkeypatch.setattr("portfolio_manager.stored_books.stored_equity", lambda *_: Decimal(1))

        with pytest.raises(FrirenError, match="are worth 1, those that were traded on"):
            run()
        assert BacktestRun.objects.get().status == "FAILED"

    def test_an_account_that_has_a_run_is_refused_and_left_alone(self):
        run(account="mine")
        before = set(Trade.objects.values_list("id", flat=True))

        with pytest.raises(RejectedRecordError, match="another run has this account"):
            run(account="mine")
        assert set(Trade.objects.values_list("id", flat=True)) == before
        assert BacktestRun.objects.count() == 1

    @pytest.mark.parametrize(
        ("plan", "field"),
        [
            ({"strategies": ("macd",)}, "strategy"),
            ({"strategies": ()}, "strategies"),
            ({"strategies": ("sma_cross", "sma_cross")}, "strategies"),
            ({"series": {"AAA": []}}, "series"),
        ],
    )
    def test_a_plan_that_cannot_run_stores_nothing(self, plan, field):
        with pytest.raises(RejectedRecordError) as refused:
            run(**plan)
        assert refused.value.field == field
        assert not Account.objects.filter(environment="BACKTEST").exists()


class TestTheLastBar:
    def test_expires_what_it_left_unfilled_and_keeps_positions_open(self):
        bars = wave()
        run(series={"AAA": bars})
        last = Trade.objects.filter(action="buy").order_by("executed_at").last()
        until = [bar for bar in bars if bar.timestamp < last.executed_at]
        report = run(series={"AAA": until}, account="cut")

        assert report.refusals == {"no_next_bar": 1}
        order = Order.objects.get(account__name="cut", status="expired")
        assert order.requested_at == until[-1].timestamp
        assert order.status_events.get(to_status="expired").reason == "the bars ended before the next open"
        assert not Order.objects.filter(account__name="cut").exclude(status__in=("filled", "expired")).exists()

    def test_leaves_positions_open_and_marked_at_its_close(self):
        bars = wave(days=35)
        run(series={"AAA": bars})

        position = Position.objects.get()
        assert (position.status, position.current_price) == ("open", bars[-1].close)
        assert position.current_value == position.quantity * bars[-1].close


class TestRiskGate:
    def test_a_buy_that_the_open_made_too_dear_is_rejected_by_name(self):
        report = run(strategies=("mean_reversion",), series={"AAA": wave(gap=Decimal(20))})

        rejected = Order.objects.filter(status="rejected")
        assert report.refusals["no_cash_at_open"] == rejected.count() > 0
        event = OrderStatusEvent.objects.filter(to_status="rejected").first()
        assert "costs more than the cash there is" in event.reason
        assert not Trade.objects.filter(order__in=rejected).exists()
        assert not Signal.objects.filter(orders__in=rejected, executed=True).exists()
        assert Signal.objects.filter(orders__in=rejected, processed=False).count() == 0

    def test_cash_is_never_negative(self):
        for gap in (0, 3, 20):
            run(strategies=("donchian_breakout", "mean_reversion"), series={"AAA": wave(gap=Decimal(gap))})

        for account in Account.objects.filter(environment="BACKTEST"):
            cash = 0
            for line in LedgerEntry.objects.filter(account=account).order_by("occurred_at", "-amount"):
                cash += line.amount
                assert cash >= 0

    def test_a_refused_signal_is_processed_and_not_executed(self):
        report = run(strategies=("sma_cross",), series={"AAA": wave(days=700)})

        refused = Signal.objects.filter(executed=False, orders__isnull=True)
        assert sum(report.refusals.values()) >= refused.count()
        assert all(signal.processed for signal in refused)

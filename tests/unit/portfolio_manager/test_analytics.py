"""How a book traded, against figures worked out by hand."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from portfolio_manager.analytics import RoundTrip, average_holding_days, performance, pnl_by, profit_factor, win_rate

START = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


def trip(pnl, *, days=4, strategy="sma_cross", regime="BULL", commission=2, unrealized=0):
    return RoundTrip(
        symbol="AAA",
        strategy=strategy,
        regime=regime,
        opened_at=START,
        closed_at=None if days is None else START + dt.timedelta(days=days),
        realized_pnl=Decimal(pnl),
        unrealized_pnl=Decimal(unrealized),
        commission=Decimal(commission),
    )


class TestWinRate:
    def test_is_the_share_of_gains(self):
        assert win_rate([Decimal(5), Decimal(-1), Decimal(0), Decimal(3)]) == 0.5

    def test_is_none_without_trades(self):
        assert win_rate([]) is None


class TestProfitFactor:
    def test_is_gains_over_losses(self):
        assert profit_factor([Decimal(30), Decimal(-10), Decimal(0), Decimal(-10)]) == 1.5
        assert profit_factor([Decimal(-10)]) == 0.0

    def test_is_none_where_nothing_was_lost(self):
        assert profit_factor([Decimal(3)]) is None
        assert profit_factor([]) is None


class TestHoldingPeriod:
    def test_is_the_mean_of_closed_trips_in_days(self):
        assert average_holding_days([trip(1, days=2), trip(1, days=5), trip(1, days=None)]) == 3.5
        assert average_holding_days([trip(1, days=None)]) is None


class TestPnlBy:
    def test_sums_after_commission_and_counts_wins_of_closed_trips(self):
        trips = [trip(10), trip(1), trip(0, days=None, unrealized=7, commission=1), trip(-5, regime="BEAR")]
        bear, bull = pnl_by(trips, lambda each: each.regime)

        assert (bear.key, bear.trips, bear.closed, bear.net_pnl, bear.win_rate) == ("BEAR", 1, 1, Decimal(-7), 0.0)
        # 10 - 2, 1 - 2 and 7 - 1.
        assert (bull.key, bull.trips, bull.closed, bull.net_pnl, bull.win_rate) == ("BULL", 3, 2, Decimal(13), 0.5)
        assert bull.commission == Decimal(5)

    @given(st.lists(st.tuples(st.decimals(-1000, 1000, places=4), st.sampled_from(["A", "B", ""])), max_size=30))
    def test_parts_sum_to_the_whole(self, rows):
        trips = [trip(pnl, strategy=name) for pnl, name in rows]
        parts = pnl_by(trips, lambda each: each.strategy)

        assert sum(part.net_pnl for part in parts) == sum(each.net_pnl for each in trips)
        assert sum(part.trips for part in parts) == len(trips)


class TestPerformance:
    def test_puts_the_figures_of_a_run_together(self):
        equity = [Decimal(value) for value in (100000, 101000, 99990, 102000)]
        figures = performance(equity, [trip(12), trip(-8), trip(0, days=None, unrealized=50)])

        assert figures.total_return == 0.02
        assert figures.max_drawdown == -0.01
        assert figures.trade_count == 2
        assert figures.win_rate == 0.5
        assert figures.profit_factor == 1.0
        assert figures.avg_holding_days == 4.0
        assert figures.sharpe_ratio is not None
        assert figures.value_at_risk is None

    def test_of_a_book_that_never_traded_has_no_undefined_figure_but_none(self):
        figures = performance([Decimal(100000)] * 3, [])

        assert (figures.total_return, figures.max_drawdown, figures.trade_count) == (0.0, 0.0, 0)
        assert figures.sharpe_ratio is figures.win_rate is figures.profit_factor is figures.avg_holding_days is None

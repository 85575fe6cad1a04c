"""Risk figures, against figures worked out by hand and by the statistics module."""

from __future__ import annotations

import math
import statistics
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from friren.errors import RejectedRecordError
from portfolio_manager import risk

RETURNS = [0.01, -0.02, 0.03, 0.0, -0.01]


def decimals(*values):
    return [Decimal(str(value)) for value in values]


class TestReturns:
    def test_are_simple_and_one_fewer_than_the_values(self):
        assert risk.returns_of(decimals(100, 110, 99)) == pytest.approx([0.1, -0.1])
        assert risk.returns_of(decimals(100)) == []
        assert risk.returns_of([]) == []

    def test_end_where_a_book_was_worth_nothing(self):
        assert risk.returns_of(decimals(100, 0, 50)) == []
        assert risk.returns_of(decimals(100, 0)) == [-1.0]

    def test_total_return_is_last_over_first(self):
        assert risk.total_return(decimals(100000, 90000, 125000)) == 0.25
        assert risk.total_return(decimals(100000)) is None
        assert risk.total_return(decimals(0, 5)) is None


class TestRatios:
    def test_sharpe_is_mean_over_sample_deviation_times_the_root_of_252(self):
        expected = statistics.mean(RETURNS) / statistics.stdev(RETURNS) * math.sqrt(252)
        assert risk.sharpe_ratio(RETURNS) == pytest.approx(expected)

    def test_volatility_is_the_sample_deviation_times_the_root_of_252(self):
        assert risk.annualized_volatility(RETURNS) == pytest.approx(statistics.stdev(RETURNS) * math.sqrt(252))

    def test_sortino_divides_by_the_deviation_of_losses_alone(self):
        downside = math.sqrt(sum(min(value, 0) ** 2 for value in RETURNS) / len(RETURNS)) * math.sqrt(252)
        assert risk.sortino_ratio(RETURNS) == pytest.approx(statistics.mean(RETURNS) * 252 / downside)

    def test_annualized_return_compounds_over_252_days(self):
        assert risk.annualized_return([0.001] * 252) == pytest.approx(1.001**252 - 1)
        assert risk.annualized_return([0.001] * 126) == pytest.approx(1.001**252 - 1)

    @pytest.mark.parametrize("returns", [[], [0.01], [0.01, 0.01, 0.01], [0.0, 0.0]])
    def test_are_none_and_not_nan_where_they_are_undefined(self, returns):
        assert risk.sharpe_ratio(returns) is None
        assert risk.sortino_ratio(returns) is None
        if len(returns) < 2:
            assert risk.annualized_volatility(returns) is None
        assert risk.annualized_return([]) is None
        assert risk.annualized_return([0.1, -1.0]) is None

    @given(st.lists(st.floats(-0.5, 0.5), max_size=30))
    def test_are_never_nan_and_never_infinite(self, returns):
        figures = [
            risk.sharpe_ratio(returns),
            risk.sortino_ratio(returns),
            risk.annualized_return(returns),
            risk.annualized_volatility(returns),
            risk.value_at_risk(returns),
        ]
        assert all(figure is None or math.isfinite(figure) for figure in figures)


class TestDrawdown:
    def test_is_the_deepest_fall_from_a_high(self):
        assert risk.max_drawdown(decimals(100, 120, 90, 130, 104)) == -0.25

    def test_counts_the_start_as_a_high(self):
        assert risk.max_drawdown(decimals(100, 80, 90)) == -0.2

    def test_is_0_when_nothing_was_lost_and_none_without_a_book(self):
        assert risk.max_drawdown(decimals(100, 101)) == 0
        assert risk.max_drawdown([]) is None
        assert risk.max_drawdown(decimals(0, 5)) is None

    def test_is_defined_after_a_total_loss(self):
        assert risk.max_drawdown(decimals(100, 0)) == -1

    @given(st.lists(st.decimals("1", "1000000", places=2), min_size=2, max_size=40))
    def test_agrees_with_empyrical(self, equity):
        import empyrical
        import numpy as np

        theirs = empyrical.max_drawdown(np.asarray(risk.returns_of(equity)))
        assert risk.max_drawdown(equity) == pytest.approx(theirs, abs=1e-9)


class TestValueAtRisk:
    def test_is_the_loss_that_one_day_in_twenty_exceeded(self):
        # -10 %, -9 %, … +9 %, +10 %: 21 returns, the quantile of 5 % is the second smallest.
        returns = [percent / 100 for percent in range(-10, 11)]
        assert risk.value_at_risk(returns) == pytest.approx(0.09)

    @given(returns=st.lists(st.floats(-0.9, 0.9), min_size=20, max_size=60), tail=st.floats(0.001, 0.999))
    def test_agrees_with_empyrical(self, returns, tail):
        import empyrical
        import numpy as np

        theirs = max(0.0, -empyrical.value_at_risk(np.asarray(returns), cutoff=tail))
        assert risk.value_at_risk(returns, tail=tail) == pytest.approx(theirs, abs=1e-12)

    def test_is_0_when_even_the_tail_gained(self):
        assert risk.value_at_risk([0.01] * 20) == 0

    def test_is_none_below_20_returns(self):
        assert risk.value_at_risk([-0.01] * 19) is None
        assert risk.value_at_risk_amount([-0.01] * 19, Decimal(1000)) is None

    def test_as_money_is_a_share_of_the_book(self):
        returns = [percent / 100 for percent in range(-10, 11)]
        assert risk.value_at_risk_amount(returns, Decimal(50000)) == Decimal(4500)

    @pytest.mark.parametrize("tail", [0, 1, -0.1, math.nan])
    def test_refuses_a_tail_that_is_no_share(self, tail):
        with pytest.raises(RejectedRecordError) as refused:
            risk.value_at_risk(RETURNS, tail=tail)
        assert refused.value.field == "tail"


class TestExposure:
    def test_adds_long_and_short(self):
        assert risk.gross_exposure(decimals(100, -30)) == Decimal(130)
        assert risk.largest_position(decimals(100, -300)) == Decimal(300)
        assert risk.gross_exposure([]) == 0
        assert risk.largest_position([]) == 0


class TestCorrelation:
    def test_is_1_together_and_minus_1_against(self):
        wave = [math.sin(step) for step in range(40)]
        assert risk.correlation_risk({"A": wave, "B": [2 * value for value in wave]}) == pytest.approx(1)
        assert risk.correlation_risk({"A": wave, "B": [-value for value in wave]}) == pytest.approx(-1)

    def test_is_the_mean_over_pairs_aligned_at_their_end(self):
        wave = [math.sin(step) for step in range(40)]
        against = [-value for value in wave]
        # A~B = 1, A~C = -1, B~C = -1.
        assert risk.correlation_risk({"A": [9.0, *wave], "B": wave, "C": against}) == pytest.approx(-1 / 3)

    def test_agrees_with_the_statistics_module(self):
        one, other = [math.sin(step) for step in range(40)], [math.cos(step * 1.3) for step in range(40)]
        assert risk.correlation_risk({"A": one, "B": other}) == pytest.approx(statistics.correlation(one, other))

    def test_is_none_without_two_series_that_vary(self):
        wave = [math.sin(step) for step in range(40)]
        assert risk.correlation_risk({}) is None
        assert risk.correlation_risk({"A": wave}) is None
        assert risk.correlation_risk({"A": wave, "B": wave[:19]}) is None
        assert risk.correlation_risk({"A": wave, "B": [0.0] * 40}) is None

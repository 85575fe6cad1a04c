"""The three strategies, against figures worked out by hand."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from friren.errors import RejectedRecordError
from trading_engine.models.choices import SignalType
from trading_engine.strategies import STRATEGIES, create_strategy
from trading_engine.strategies.base import ENTRY_LONG, EXIT_LONG, efficiency_ratio


def advice_of(strategy, bars):
    """Return (index, kind) of each advice."""
    return [(index, advice.kind) for index, bar in enumerate(bars) if (advice := strategy.on_bar(bar))]


class TestSmaCross:
    def test_follows_the_crosses_worked_out_by_hand(self, make_bars):
        # SMA 2 / SMA 3 from bar 2 on: 11/12 below, 10.5/10.67 below, 13/12 above, 14.5/13 above, 11/12.67 below.
        bars = make_bars([14, 12, 10, 11, 15, 14, 8])

        assert advice_of(create_strategy("sma_cross", fast=2, slow=3), bars) == [(4, ENTRY_LONG), (6, EXIT_LONG)]

    def test_needs_a_cross_and_not_only_a_state(self, make_bars):
        assert advice_of(create_strategy("sma_cross", fast=2, slow=3), make_bars([1, 2, 3, 4, 5])) == []

    def test_takes_equal_averages_as_no_change(self, make_bars):
        # 2/2 equal at bar 2, then above at bar 3: the first reading with a side is no cross.
        assert advice_of(create_strategy("sma_cross", fast=1, slow=3), make_bars([1, 3, 2, 4, 5])) == []

    def test_compares_exactly_where_floats_would_not(self, make_bars):
        # Close and average are equal on bars 2 and 3; in floats (0.1 + 0.3 + 0.2) / 3 > 0.2, and bar 4 would cross.
        assert (0.1 + 0.3 + 0.2) / 3 > 0.2
        bars = make_bars(["0.5", "0.1", "0.3", "0.2", "0.4"])

        assert advice_of(create_strategy("sma_cross", fast=1, slow=3), bars) == []

    def test_says_with_which_figures(self, make_bars):
        strategy = create_strategy("sma_cross", fast=2, slow=3)
        advice = next(advice for bar in make_bars([14, 12, 10, 11, 15]) if (advice := strategy.on_bar(bar)))

        assert advice.reasoning == "SMA 2 (13.0000) crossed above SMA 3 (12.0000) at close 15.0000"
        assert advice.indicators == {"sma_fast": 13.0, "sma_slow": 12.0}
        assert advice.confidence == 1.0

    @given(
        closes=st.lists(st.decimals("0.01", "9999", places=2), min_size=1, max_size=60),
        fast=st.integers(1, 6),
        extra=st.integers(1, 6),
    )
    def test_running_sums_equal_sums_made_anew(self, closes, fast, extra, make_bars_plain):
        slow = fast + extra
        strategy = create_strategy("sma_cross", fast=fast, slow=slow)
        above = None
        for index, bar in enumerate(make_bars_plain(closes)):
            advice = strategy.on_bar(bar)
            if index + 1 < slow:
                assert advice is None
                continue
            window = closes[: index + 1]
            difference = sum(window[-fast:]) * slow - sum(window[-slow:]) * fast
            crossed = difference != 0 and above is not None and above != (difference > 0)
            assert (advice is not None) == crossed
            above = difference > 0 if difference else above


class TestDonchianBreakout:
    def test_buys_a_new_high_and_sells_a_new_low(self, make_bars):
        closes = [10, 11, 10, 12, 13, 12, 11, 10]
        bars = make_bars(closes, highs=[c + 1 for c in closes], lows=[c - 1 for c in closes])
        # High of the 3 bars before bar 3 is 12: a close of 12 is no breakout, bar 4 (13 = high 13) is none either.
        strategy = create_strategy("donchian_breakout", entry_bars=3, exit_bars=2)
        assert advice_of(strategy, bars) == []

        bars = make_bars([10, 11, 10, 12, 13, 12, 11, 10])
        strategy = create_strategy("donchian_breakout", entry_bars=3, exit_bars=2)
        # Bar 3 closes at 12 above 11; lows of the two bars before bar 5 are 12 and 13, before bar 6 13 and 12.
        assert advice_of(strategy, bars) == [(3, ENTRY_LONG), (6, EXIT_LONG)]

    def test_leaves_the_bar_itself_out_of_its_channel(self, make_bars):
        strategy = create_strategy("donchian_breakout", entry_bars=2, exit_bars=1)
        bars = make_bars([10, 10, 11], highs=[10, 10, 50])

        assert advice_of(strategy, bars) == [(2, ENTRY_LONG)]


class TestMeanReversion:
    def test_buys_below_the_threshold_and_sells_back_at_the_mean(self, make_bars):
        # Bar 4: closes 10, 10, 10, 10, 5: mean 9, deviation sqrt(20 / 5) = 2, z = -2 exactly.
        strategy = create_strategy("mean_reversion", window=5, entry_z=-1.9, exit_z=0.0)
        bars = make_bars([10, 10, 10, 10, 5, 6, 12])

        assert advice_of(strategy, bars) == [(4, ENTRY_LONG), (6, EXIT_LONG)]

    def test_reports_z_and_what_share_of_a_normal_it_covers(self, make_bars):
        strategy = create_strategy("mean_reversion", window=5, entry_z=-1.9)
        advice = next(advice for bar in make_bars([10, 10, 10, 10, 5]) if (advice := strategy.on_bar(bar)))

        assert advice.indicators == {"z_score": -2.0, "mean": 9.0}
        assert advice.confidence == pytest.approx(0.9545, abs=1e-4)
        assert "-2.00 deviations from its mean 9.0000 of 5 bars" in advice.reasoning

    def test_says_nothing_where_the_closes_do_not_vary(self, make_bars):
        strategy = create_strategy("mean_reversion", window=3, entry_z=-1.0)
        # Seven times 0.1 has a mean of 0.09999999999999999: rounding must not pass for a deviation.
        assert advice_of(strategy, make_bars(["0.1"] * 7)) == []


class TestRegistry:
    def test_knows_the_three_by_name(self):
        assert sorted(STRATEGIES) == ["donchian_breakout", "mean_reversion", "sma_cross"]
        assert all(create_strategy(name).name == name for name in STRATEGIES)

    def test_names_the_known_ones_when_asked_for_another(self):
        with pytest.raises(RejectedRecordError, match="strategy='macd': one of sma_cross, donchian_breakout"):
            create_strategy("macd")

    @pytest.mark.parametrize(
        ("name", "parameters", "field"),
        [
            ("sma_cross", {"fast": 0}, "fast"),
            ("sma_cross", {"fast": 200}, "fast"),
            ("sma_cross", {"slow": 2.5}, "slow"),
            ("sma_cross", {"fast": True}, "fast"),
            ("sma_cross", {"speed": 3}, "parameters"),
            ("donchian_breakout", {"entry_bars": 1}, "entry_bars"),
            ("donchian_breakout", {"exit_bars": 1_000_001}, "exit_bars"),
            ("mean_reversion", {"window": 2}, "window"),
            ("mean_reversion", {"entry_z": 0.5}, "entry_z"),
            ("mean_reversion", {"entry_z": -5.0}, "entry_z"),
            ("mean_reversion", {"entry_z": math.nan}, "entry_z"),
            ("mean_reversion", {"exit_z": -2.0}, "exit_z"),
        ],
    )
    def test_refuses_parameters_out_of_range(self, name, parameters, field):
        with pytest.raises(RejectedRecordError) as refused:
            create_strategy(name, **parameters)
        assert refused.value.field == field

    def test_uses_the_texts_that_are_stored(self):
        assert {ENTRY_LONG, EXIT_LONG} <= set(SignalType.values)

    @pytest.mark.parametrize("name", sorted(STRATEGIES))
    def test_keeps_its_confidence_between_0_and_1_and_its_figures_finite(self, name, make_bars):
        wave = [100 + 20 * math.sin(index / 9) + (index % 5) for index in range(900)]
        advices = [
            advice
            for strategy in [create_strategy(name)]
            for bar in make_bars(wave)
            if (advice := strategy.on_bar(bar))
        ]

        assert len(advices) >= 4
        assert all(0 <= advice.confidence <= 1 for advice in advices)
        assert all(math.isfinite(value) for advice in advices for value in advice.indicators.values())
        kinds = [advice.kind for advice in advices]
        assert all(kind != following for kind, following in itertools.pairwise(kinds))


class TestEfficiencyRatio:
    def test_is_1_for_a_straight_way_and_less_for_a_detour(self):
        assert efficiency_ratio([Decimal(1), Decimal(2), Decimal(4)]) == 1.0
        assert efficiency_ratio([Decimal(1), Decimal(3), Decimal(2)]) == pytest.approx(1 / 3)
        assert efficiency_ratio([Decimal(1), Decimal(1)]) == 0.0

"""The regime detector on made-up markets whose regime is beyond doubt, and on its own rules."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import random

import pytest

from friren.errors import RejectedRecordError
from trading_engine.models.choices import RegimeType
from trading_engine.regime import (
    BEAR,
    BULL,
    CRISIS,
    HIGH_VOLATILITY,
    SIDEWAYS,
    UNKNOWN,
    TrendVolatilityDetector,
    TrendVolatilityParameters,
    VixCloses,
)


def walk(*legs, seed=7):
    """Return closes from legs of (bars, drift per bar, deviation per bar)."""
    noise = random.Random(seed)
    closes, level = [], math.log(100)
    for bars, drift, deviation in legs:
        for _ in range(bars):
            level += drift + noise.gauss(0, deviation)
            closes.append(round(math.exp(level), 6))
    return closes


def readings(bars, **kwargs):
    detector = TrendVolatilityDetector(**kwargs)
    return [detector.on_bar(bar) for bar in bars]


class TestRegimes:
    @pytest.mark.parametrize(
        ("legs", "expected"),
        [
            ([(400, 0.002, 0.005)], BULL),
            ([(400, -0.002, 0.005)], BEAR),
            ([(400, 0.001, 0.005), (25, 0.0, 0.03)], HIGH_VOLATILITY),
            ([(400, 0.001, 0.005), (25, -0.03, 0.02)], CRISIS),
        ],
    )
    def test_recognises_what_is_beyond_doubt(self, legs, expected, make_bars):
        assert readings(make_bars(walk(*legs)))[-1].regime_type == expected

    def test_calls_a_wave_around_one_level_sideways(self, make_bars):
        # Four bars up, four down: the close is never far from its mean of 200 bars.
        wave = [100 + (0, 1, 2, 1, 0, -1, -2, -1)[index % 8] for index in range(300)]

        assert {reading.regime_type for reading in readings(make_bars(wave))[260:]} == {SIDEWAYS}

    def test_says_nothing_before_it_has_a_year_of_returns(self, make_bars):
        seen = readings(make_bars(walk((255, 0.001, 0.01))))

        assert seen[:252] == [None] * 252
        assert seen[252] is not None
        assert seen[252].regime_type == UNKNOWN
        assert seen[252].confidence == 0.0

    def test_measures_the_figures_it_reports(self, make_bars):
        closes = walk((260, 0.0005, 0.01))
        figures = readings(make_bars(closes))[-1].indicators
        logs = [math.log(close) for close in closes[-253:]]
        returns = [later - earlier for earlier, later in itertools.pairwise(logs)]

        def deviation(values):
            mean = sum(values) / len(values)
            return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))

        assert figures["volatility"] == pytest.approx(deviation(returns[-21:]) * math.sqrt(252))
        assert figures["stress"] == pytest.approx(deviation(returns[-21:]) / deviation(returns))
        assert figures["drawdown"] == pytest.approx(closes[-1] / max(closes[-253:]) - 1)
        away = logs[-1] - sum(logs[-200:]) / 200
        assert figures["trend_score"] == pytest.approx(away / (deviation(returns) * math.sqrt(200 / 3)))
        assert "vix" not in figures

    def test_survives_a_market_that_does_not_move(self, make_bars):
        last = readings(make_bars([100] * 260))[-1]

        assert last.regime_type == SIDEWAYS
        assert last.confidence == 1.0
        assert all(math.isfinite(figure) for figure in last.indicators.values())

    def test_leaves_out_closes_that_have_no_logarithm(self, make_bars):
        closes = walk((260, 0.001, 0.01))
        closes[100] = -37.63

        seen = readings(make_bars(closes, highs=[abs(c) for c in closes]))
        assert seen[100] is None
        assert seen[252] is None
        assert seen[253] is not None


class TestHysteresis:
    def test_changes_only_after_the_confirmation(self, make_bars):
        bars = make_bars(walk((300, 0.002, 0.005), (40, -0.03, 0.03)))
        slow = readings(bars, parameters=TrendVolatilityParameters(confirmation=3))
        quick = readings(bars, parameters=TrendVolatilityParameters(confirmation=1))

        def first_change(seen):
            return next(
                index for index, reading in enumerate(seen) if reading and reading.regime_type != BULL and index > 260
            )

        assert first_change(slow) >= first_change(quick) + 2

    def test_changes_less_often_with_two_thresholds_than_with_one(self, make_bars):
        bars = make_bars(walk((2000, 0.0002, 0.01), seed=3))
        one = TrendVolatilityParameters(leave_trend=0.5, leave_stress=1.5, confirmation=1)
        two = TrendVolatilityParameters(confirmation=1)

        def changes(parameters):
            return sum(reading.changed for reading in readings(bars, parameters=parameters) if reading)

        assert changes(two) < changes(one)

    def test_gives_less_than_one_half_where_only_the_easier_threshold_keeps_it(self, make_bars):
        seen = [reading for reading in readings(make_bars(walk((1500, 0.0004, 0.01)))) if reading]
        bull = [reading for reading in seen if reading.regime_type == BULL and reading.indicators["trend_score"] > 0]

        assert any(reading.confidence < 0.5 for reading in bull)
        assert all((reading.confidence >= 0.5) == (reading.indicators["trend_score"] >= 0.5) for reading in bull)

    def test_gives_a_reason_exactly_when_it_changes(self, make_bars):
        seen = [reading for reading in readings(make_bars(walk((400, 0.002, 0.01), (200, -0.01, 0.03)))) if reading]

        assert sum(reading.changed for reading in seen) >= 2
        assert all(bool(reading.transition_reason) == reading.changed for reading in seen)
        changed = next(reading for reading in seen if reading.changed)
        assert changed.transition_reason.startswith(f"{changed.previous_regime_type} to {changed.regime_type}: trend ")


class TestVix:
    def test_makes_a_quiet_market_one_of_high_volatility(self, make_bars):
        bars = make_bars(walk((300, 0.001, 0.005)))
        vix = VixCloses({bar.timestamp.date(): 35.0 for bar in bars[280:]})
        seen = readings(bars, vix=vix)

        assert seen[281].regime_type == BULL
        assert seen[282].regime_type == HIGH_VOLATILITY
        assert seen[282].indicators["vix"] == 35.0
        assert ", VIX 35.00" in seen[282].transition_reason

    def test_is_read_without_looking_ahead_and_not_when_stale(self):
        vix = VixCloses({dt.date(2020, 1, 10): 12.0, dt.date(2020, 1, 13): 80.0})

        assert vix.at(dt.date(2020, 1, 9)) is None
        assert vix.at(dt.date(2020, 1, 12)) == 12.0
        assert vix.at(dt.date(2020, 1, 13)) == 80.0
        assert vix.at(dt.date(2020, 1, 20)) == 80.0
        assert vix.at(dt.date(2020, 1, 21)) is None


class TestNoLookAhead:
    def test_reads_the_past_the_same_whatever_follows(self, make_bars):
        closes = walk((700, 0.0003, 0.012))
        whole = readings(make_bars(closes))
        other_future = readings(make_bars(closes[:500] + [1.0] * 200))

        assert whole[:500] == readings(make_bars(closes[:500]))
        assert whole[:500] == other_future[:500]


class TestParameters:
    def test_uses_the_texts_that_are_stored(self):
        assert {BULL, BEAR, SIDEWAYS, HIGH_VOLATILITY, CRISIS, UNKNOWN} <= set(RegimeType.values)

    @pytest.mark.parametrize(
        ("field", "value"), [("short_bars", 1), ("short_bars", 252), ("trend_bars", 253), ("confirmation", 0)]
    )
    def test_refuses_windows_out_of_range(self, field, value):
        with pytest.raises(RejectedRecordError) as refused:
            TrendVolatilityParameters(**{field: value})
        assert refused.value.field == field

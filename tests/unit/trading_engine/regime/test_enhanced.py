"""The ENHANCED detector: its models against arch and statsmodels, its rules, and that it never looks ahead."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from friren.errors import ConfigurationError, RejectedRecordError
from trading_engine.backtesting.sample_bars import sample_series
from trading_engine.regime import (
    CRISIS,
    HIGH_VOLATILITY,
    EnhancedDetector,
    EnhancedParameters,
    EntropyDetector,
    VixCloses,
    create_detector,
)
from trading_engine.regime.volatility_models import GarchVolatility, TurbulenceFilter

arch = pytest.importorskip("arch", reason="the extra friren[regime] is not installed")

SMALL = EnhancedParameters(first_fit_bars=100, fit_bars=120, refit_bars=30, trend_bars=40, high_bars=60, confirmation=2)


def readings(bars, **kwargs):
    detector = EnhancedDetector(**kwargs)
    return [detector.on_bar(bar) for bar in bars]


def returns_of(*legs, seed=11):
    noise = random.Random(seed)
    return [noise.gauss(drift, deviation) for bars, drift, deviation in legs for _ in range(bars)]


def closes_of(returns):
    return [round(100 * math.exp(level), 6) for level in itertools.accumulate(returns, initial=0.0)]


@pytest.fixture(scope="module")
def crisis_years():
    """The S&P 500 from December 2001 to April 2009: two years of warming up, and what the two spans below need."""
    first, last = dt.datetime(2001, 12, 1, tzinfo=dt.UTC), dt.datetime(2009, 4, 1, tzinfo=dt.UTC)
    return [bar for bar in sample_series()["SP500"] if first <= bar.timestamp < last]


class TestRealMarket:
    @pytest.mark.parametrize("name", [EnhancedDetector.name, EntropyDetector.name])
    def test_the_crisis_of_2008_is_one_and_the_years_before_are_none(self, crisis_years, name):
        detector = create_detector(name)
        seen = [reading for bar in crisis_years if (reading := detector.on_bar(bar)) is not None]

        def share(first, last):
            inside = Counter(each.regime_type for each in seen if first <= each.timestamp.date() <= last)
            assert inside.total() > 100
            return inside[CRISIS] / inside.total()

        assert share(dt.date(2008, 9, 15), dt.date(2009, 3, 31)) >= 0.6
        assert share(dt.date(2004, 1, 1), dt.date(2006, 12, 31)) <= 0.1
        for reading in seen:
            assert bool(reading.transition_reason) == reading.changed
            assert 0 <= reading.confidence <= 1


class TestModels:
    def test_garch_carries_forward_what_arch_would_forecast(self):
        returns = returns_of((300, 0.0, 0.01), (200, 0.0, 0.02))
        model = GarchVolatility()
        model.refit(returns)

        percent = [100 * value for value in returns]
        fitted = arch.arch_model(percent, vol="GARCH", p=1, q=1, rescale=False).fit(disp="off")
        forecast = fitted.forecast(horizon=1).variance.iloc[-1, 0]
        assert model.deviation == pytest.approx(math.sqrt(forecast) / 100, rel=1e-6)
        mean, omega, alpha, beta = fitted.params
        model.update(0.05)
        assert model.deviation**2 * 10_000 == pytest.approx(omega + alpha * (5 - mean) ** 2 + beta * forecast, rel=1e-6)

    def test_turbulence_is_the_filtered_chance_of_statsmodels(self):
        from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

        returns = returns_of((300, 0.0, 0.005), (60, 0.0, 0.03), (140, 0.0, 0.005), (20, 0.0, 0.03))
        model = TurbulenceFilter()
        model.refit(returns)

        percent = [100 * value for value in returns]
        fitted = MarkovRegression(percent, k_regimes=2, trend="n", switching_variance=True).fit(disp=False)
        turbulent = max((0, 1), key=lambda state: fitted.params[2 + state])
        assert model.probability == pytest.approx(fitted.filtered_marginal_probabilities[-1][turbulent], abs=1e-6)
        assert model.probability > 0.9
        for _ in range(20):
            model.update(0.0)
        assert model.probability < 0.1
        # Ten deviations in a day: both likelihoods are zero in a float.
        model.update(-0.6)
        assert model.probability == pytest.approx(1.0)


class TestRules:
    def test_calls_a_fall_in_turbulence_a_crisis_and_turbulence_alone_none(self, make_bars):
        # A storm to learn from, then calm.
        known = ((60, 0.001, 0.005), (15, 0.0, 0.02), (100, 0.001, 0.005))
        falling = readings(make_bars(closes_of(returns_of(*known, (15, -0.02, 0.02)))), parameters=SMALL)[-1]
        rising = readings(make_bars(closes_of(returns_of(*known, (15, 0.02, 0.02)))), parameters=SMALL)[-1]

        assert (falling.regime_type, rising.regime_type) == (CRISIS, HIGH_VOLATILITY)
        assert falling.confidence > 0.5
        assert falling.indicators["turbulence"] > 0.5
        assert falling.indicators["stress"] > 1.5

    def test_reads_vix_as_a_third_witness(self, make_bars):
        bars = make_bars(closes_of(returns_of((140, 0.001, 0.005))))
        vix = VixCloses({bar.timestamp.date(): 45.0 for bar in bars})

        assert readings(bars, parameters=SMALL, vix=vix)[-1].indicators["vix"] == 45.0
        assert "vix" not in readings(bars, parameters=SMALL)[-1].indicators

    def test_survives_a_market_that_does_not_move(self, make_bars):
        last = readings(make_bars([100] * 140), parameters=SMALL)[-1]

        assert all(math.isfinite(figure) for figure in last.indicators.values())

    def test_leaves_out_closes_that_have_no_logarithm(self, make_bars):
        closes = closes_of(returns_of((104, 0.0, 0.01)))
        closes[50] = -37.63
        seen = readings(make_bars(closes, highs=[abs(close) for close in closes]), parameters=SMALL)

        assert [reading is None for reading in seen[99:103]] == [True, True, False, False]

    @pytest.mark.parametrize(
        ("field", "value"),
        [("first_fit_bars", 99), ("fit_bars", 400), ("trend_bars", 1), ("high_bars", 505), ("refit_bars", 0)],
    )
    def test_refuses_windows_out_of_range(self, field, value):
        with pytest.raises(RejectedRecordError):
            EnhancedParameters(**{field: value})


class TestNoLookAhead:
    @given(
        seed=st.integers(0, 10_000),
        cut=st.integers(120, 160),
        other=st.lists(st.floats(-0.3, 0.3), min_size=1, max_size=50),
    )
    @settings(max_examples=3)
    def test_reads_the_past_the_same_whatever_follows(self, seed, cut, other, make_bars_plain):
        """Over more than one refit: neither a fit nor what is carried between fits knows a later bar."""
        moves = returns_of((100, 0.0, 0.01), (90, -0.002, 0.03), seed=seed)

        def read(returns):
            return readings(make_bars_plain([f"{close:.6f}" for close in closes_of(returns)]), parameters=SMALL)

        whole = read(moves)
        assert whole[:cut] == read([*moves[: cut - 1], *other])[:cut]


class TestChoice:
    def test_a_detector_is_found_by_its_name_in_any_case(self):
        assert create_detector("entropy").name == "ENTROPY"

    def test_an_unknown_name_is_refused_with_those_there_are(self):
        with pytest.raises(RejectedRecordError, match="TREND_VOLATILITY, ENHANCED, ENTROPY"):
            create_detector("ORACLE")

    def test_without_its_libraries_one_line_says_what_to_install(self, monkeypatch):
        import sys

        monkeypatch.setitem(sys.modules, "arch.univariate", None)
        with pytest.raises(ConfigurationError, match=r"install the extra friren\[regime\]"):
            create_detector("ENHANCED")

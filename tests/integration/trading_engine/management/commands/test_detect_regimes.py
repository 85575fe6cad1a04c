"""`manage.py detect_regimes`: changes of regime recorded with what they were judged by, once each."""

from __future__ import annotations

import datetime as dt
import io
import json
import math
import random

import pytest
from django.core.management import CommandError, call_command

import friren
from trading_engine.backtesting.sample_bars import sample_series
from trading_engine.management.bar_arguments import vix_closes
from trading_engine.models import MarketRegime, RegimeHistory
from trading_engine.regime import EnhancedDetector, EnhancedParameters
from trading_engine.services import RegimeLogger
from trading_engine.services.regime_detection import detect_regimes


@pytest.fixture
def prices(tmp_path):
    """A file of two calm years that end in a crash."""
    noise, level = random.Random(3), math.log(100)
    lines = ["Date,Open,High,Low,Close"]
    for index in range(620):
        crash = index >= 540
        level += noise.gauss(-0.008 if crash else 0.0006, 0.03 if crash else 0.006)
        close = f"{math.exp(level):.4f}"
        lines.append(f"{dt.date(2018, 1, 1) + dt.timedelta(days=index)},{close},{close},{close},{close}")
    path = tmp_path / "AAA.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def detect(*arguments):
    screen = io.StringIO()
    call_command("detect_regimes", *map(str, arguments), "--json", stdout=screen)
    return json.loads(screen.getvalue())


@pytest.mark.parametrize("detector", ["ENTROPY", "trend_volatility"])
def test_every_change_is_stored_once_with_confidence_indicators_and_reason(prices, detector):
    first = detect("--csv", prices, "--detector", detector)
    second = detect("--symbols", "AAA", "--detector", detector)

    rows = list(RegimeHistory.objects.order_by("timestamp"))
    assert first["stored"] == len(rows) >= 2
    assert (second["stored"], second["duplicates"]) == (0, len(rows))
    for row in rows:
        assert row.account is None
        assert row.symbol.ticker == "AAA"
        assert row.detector == detector.upper()
        assert 0 <= row.confidence_score <= 1
        assert row.indicators_used["drawdown"] <= 0
        assert f" to {row.regime_type}: " in row.transition_reason
    assert "CRISIS" in {row.regime_type for row in rows}
    assert MarketRegime.objects.get(ended_at=None).regime_type == rows[-1].regime_type == first["symbols"][0]["regime"]


def test_later_bars_add_later_changes_and_change_nothing(prices, tmp_path):
    lines = prices.read_text().splitlines(keepends=True)
    (tmp_path / "part").mkdir()
    (part := tmp_path / "part" / "AAA.csv").write_text("".join(lines[:556]))
    before = detect("--csv", part, "--detector", "ENTROPY")["stored"]
    after = detect("--csv", prices, "--detector", "ENTROPY")

    assert (after["duplicates"], after["conflicts"]) == (before, [])
    assert after["stored"] > 0


def test_a_change_that_is_stored_otherwise_is_named_and_fails(prices):
    detect("--csv", prices, "--detector", "trend_volatility")
    vix = prices.with_name("vix.csv")
    vix.write_text(
        "Date,Open,High,Low,Close\n"
        + "".join(f"2018-{m:02}-{d:02},9,9,9,9\n" for m in (9, 10, 11, 12) for d in range(1, 30))
    )
    screen = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("detect_regimes", "--symbols", "AAA", "--vix", str(vix), "--json", stdout=screen)

    report = json.loads(screen.getvalue())
    assert len(report["conflicts"]) + report["duplicates"] + report["stored"] >= len(report["conflicts"]) > 0


def test_regimes_of_an_account_leave_those_of_the_market_alone(prices):
    friren.open_account("paper", environment="PAPER")
    detect("--csv", prices, "--detector", "ENTROPY", "--account", "paper")

    assert RegimeLogger(detector="ENTROPY").current_regime("AAA") is None
    assert RegimeLogger("paper", detector="ENTROPY").current_regime("AAA").regime_type == "CRISIS"


def test_the_enhanced_detector_logs_as_well():
    pytest.importorskip("arch", reason="the extra friren[regime] is not installed")
    small = EnhancedParameters(first_fit_bars=100, fit_bars=120, refit_bars=50, trend_bars=40, high_bars=60)
    bars = sample_series()["SP500"][:260]
    with RegimeLogger() as logger:
        seen = detect_regimes("SP500", bars, detector=EnhancedDetector(parameters=small), logger=logger)

    assert seen.stored == RegimeHistory.objects.filter(detector="ENHANCED").count() > 0
    row = RegimeHistory.objects.order_by("timestamp").last()
    assert {"turbulence", "stress", "volatility", "trend_score", "drawdown"} == row.indicators_used.keys()


def test_an_unknown_detector_is_wrong_usage(prices):
    with pytest.raises(CommandError, match="one of TREND_VOLATILITY, ENHANCED, ENTROPY"):
        detect("--csv", prices, "--detector", "oracle")


def test_vix_closes_are_read_from_the_exchange_s_own_file(shared_data):
    closes = vix_closes(shared_data / "regime" / "vix_daily_1990_2026.csv")

    assert closes.at(dt.date(2008, 11, 20)) == 80.86
    assert closes.at(dt.date(1989, 12, 29)) is None

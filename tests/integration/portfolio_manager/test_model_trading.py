"""A model from bars to profit: trained, its predictions and outcomes stored, traded on, and every trade explained."""

from __future__ import annotations

import dataclasses
import io
import json
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.models import Position
from trading_engine.backtesting.sample_bars import sample_series
from trading_engine.models import ModelPerformance, ModelPrediction, Trade
from trading_engine.services import ModelTracker, PriceRecorder

pytest.importorskip("xgboost", reason="the extra friren[ml] is not installed")
pytest.importorskip("arch", reason="the sample bars come with arch, the extra friren[demo]")

TRAIN = ("train_model", "sp", "--symbols", "SP500", "--first-bars", "300", "--step-bars", "250")


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    """Models lie in a folder of the test."""
    monkeypatch.setenv("FRIREN_HOME", str(tmp_path))


def told(*arguments):
    screen = io.StringIO()
    call_command(*arguments, "--json", stdout=screen)
    return json.loads(screen.getvalue())


def test_predictions_outcomes_and_shap_values_are_stored_once_and_joined_to_profit():
    bars = sample_series()["SP500"][:1100]
    with PriceRecorder() as prices:
        prices.record_bars(bars[:1000])
        early = told(*TRAIN)
        prices.record_bars(bars)

    report = told(*TRAIN)
    again = told(*TRAIN)
    # Later bars add predictions, and outcomes of those that were open; nothing that was there is told otherwise.
    assert (early["stored"], early["resolved"]) == (1000 - 199 - 300, 1000 - 199 - 300 - 6)
    assert (report["stored"], report["duplicates"], report["resolved"]) == (100, early["stored"], 100)
    assert (again["stored"], again["duplicates"], again["resolved"]) == (0, early["stored"] + 100, 0)
    assert report["rejected"] == again["rejected"] == []
    check_what_was_learnt(report)

    run = told("backtest", "--symbols", "SP500", "--strategy", "model_signals", "--model", "sp")
    assert run["trades"] == Trade.objects.count() > 10
    check_every_trade()
    check_the_profit(run)


def check_what_was_learnt(report):
    predictions = ModelPrediction.objects.count()
    assert predictions == sum(each["predictions"] for each in report["versions"]) == 1100 - 199 - 300
    assert ModelPrediction.objects.filter(is_correct__isnull=False).count() == predictions - 6
    assert len(report["versions"]) == 3
    # Of the last one some outcomes are open: how it did is not known yet.
    performances = ModelPerformance.objects.order_by("timestamp")
    assert [row.model_version for row in performances] == [each["version"] for each in report["versions"][:2]]
    metrics = ModelTracker().get_model_metrics("sp", every="year")
    assert metrics.accuracy == pytest.approx(report["accuracy"])
    judged = sum(each["judged"] for each in report["versions"])
    brier = sum(each["brier"] * each["judged"] for each in report["versions"]) / judged
    assert metrics.brier == pytest.approx(brier, abs=1e-3)
    assert sum(period.predictions for period in metrics.periods) == predictions
    for each in report["versions"]:
        assert each["additivity_error"] < 1e-4
        assert all(value >= 0 for value in each["shap_summary"].values())


def check_every_trade():
    """Its SHAP values add up to the margin of the prediction of the bar before it, whose outcome is stored."""
    for trade in Trade.objects.select_related("order"):
        prediction = ModelPrediction.objects.get(id=trade.extra["prediction"])
        assert (prediction.timestamp, prediction.symbol_id) == (trade.order.requested_at, trade.symbol_id)
        assert (trade.model_id, trade.extra["model_version"]) == ("sp", prediction.model_version)
        margin = prediction.predicted["margin"]
        assert trade.extra["margin"] == pytest.approx(margin, abs=1e-6)
        assert sum(trade.shap_values.values()) + trade.extra["base_value"] == pytest.approx(margin, abs=1e-4)
        assert prediction.features.keys() == trade.shap_values.keys()


def check_the_profit(run):
    """By model, and by whether the prediction that opened the position came true: both add up to the same."""
    profit = PortfolioTracker(run["account"]).calculate_pnl(by="model")
    assert profit.keys() == {"sp"}
    assert profit["sp"].net == Decimal(run["final_equity"]) - 100_000
    sums = dict.fromkeys((True, False, None), Decimal(0))
    for position in Position.objects.select_related("trade"):
        outcome = ModelPrediction.objects.get(id=position.trade.extra["prediction"]).is_correct
        sums[outcome] += position.realized_pnl + (position.unrealized_pnl or 0)
    assert sum(sums.values()) == profit["sp"].total
    assert sums[True] > sums[False]


def test_what_revised_bars_contradict_is_named_and_what_was_told_stands():
    bars = sample_series()["SP500"][:900]
    with PriceRecorder() as prices:
        prices.record_bars(bars)
        first = told(*TRAIN)
        before = list(ModelPerformance.objects.values())
        # A price that the first version was asked about, and had not learnt from.
        wrong = bars[620]
        prices.record_bars([dataclasses.replace(wrong, close=wrong.low, open=wrong.low)], revise=True)

    screen = io.StringIO()
    with pytest.raises(SystemExit):
        call_command(*TRAIN, "--json", stdout=screen)
    report = json.loads(screen.getvalue())
    assert report["rejected"]
    assert report["versions"][0]["version"] == first["versions"][0]["version"]
    assert list(ModelPerformance.objects.filter(id__in=[row["id"] for row in before]).values()) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("train_model", "../up", "--symbols", "SP500"), "letters"),
        (("train_model", "sp", "--symbols", "NONE"), "NONE"),
        (("backtest", "--symbols", "SP500", "--strategy", "model_signals"), "model"),
        (("backtest", "--symbols", "SP500", "--strategy", "model_signals", "--model", "none"), "train_model makes one"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments, says):
    with pytest.raises(CommandError, match=says) as error:
        told(*arguments)
    assert "\n" not in str(error.value)

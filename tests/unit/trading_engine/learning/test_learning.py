"""Learning from bars: nothing later is known, what is foretold is explained to the last digit, and models keep."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from friren.errors import ConfigurationError, RejectedRecordError
from trading_engine.learning import (
    FEATURES,
    WARM_UP_BARS,
    Booster,
    FeatureMaker,
    ModelVersion,
    TrainedModel,
    TrainingPlan,
    folds,
    load_model,
    samples_of,
    save_model,
    version_name,
)
from trading_engine.model_drift import stability_index
from trading_engine.strategies import create_strategy

pytest.importorskip("xgboost", reason="the extra friren[ml] is not installed")

PLAN = TrainingPlan(horizon=3, first_bars=120, step_bars=60, rounds=10, leaf_weight=2.0)


def walk(bars, *, seed=1, drift=0.0, deviation=0.01):
    noise = random.Random(seed)
    moves = (noise.gauss(drift, deviation) for _ in range(bars))
    return [round(100 * math.exp(level), 4) for level in itertools.accumulate(moves)]


def trained(bars, *, plan=PLAN, model_id="test"):
    versions = []
    for fold in folds(samples_of("AAA", bars, horizon=plan.horizon), plan=plan):
        booster = Booster.fit([each.features for each in fold.train], [each.up for each in fold.train], plan=plan)
        versions.append(ModelVersion(version_name(fold.fitted_at, booster.content), fold.fitted_at, booster))
    return TrainedModel(model_id, plan.horizon, versions)


@pytest.fixture(scope="module")
def noise():
    """Bars of a walk in which there is nothing to foretell."""
    closes = walk(1100, seed=42)
    first = dt.datetime(2010, 1, 1, tzinfo=dt.UTC)
    from decimal import Decimal

    from trading_engine.data.bars import Bar

    prices = [Decimal(str(close)) for close in closes]
    return [
        Bar("AAA", first + dt.timedelta(days=index), "1d", price, price, price, price, Decimal(1000 + index % 7))
        for index, price in enumerate(prices)
    ]


@pytest.fixture(scope="module")
def model(noise):
    return trained(noise)


class TestFeatures:
    def test_are_the_figures_they_say(self, make_bars):
        closes = walk(260)
        (last,) = [FeatureMaker.on_bar(maker, bar) for maker in [FeatureMaker()] for bar in make_bars(closes)][-1:]
        figures = dict(zip(FEATURES, last, strict=True))
        logs = [math.log(close) for close in closes]
        returns = [later - earlier for earlier, later in itertools.pairwise(logs)]

        for bars in (1, 5, 21, 63):
            assert figures[f"return_{bars}"] == pytest.approx(logs[-1] - logs[-1 - bars])
        assert figures["volatility_21"] == pytest.approx(math.sqrt(sum(r * r for r in returns[-21:]) / 21))
        assert figures["rsi_14"] == pytest.approx(
            sum(r for r in returns[-14:] if r > 0) / sum(abs(r) for r in returns[-14:])
        )
        assert figures["distance_50"] == pytest.approx(logs[-1] - sum(logs[-50:]) / 50)
        assert figures["drawdown_200"] == pytest.approx(logs[-1] - max(logs[-200:]))
        assert (figures["range_1"], figures["volume_ratio_21"]) == (0.0, 1.0)

    @settings(max_examples=15)
    @given(cut=st.integers(WARM_UP_BARS, 230), other=st.lists(st.integers(1, 10_000), min_size=1, max_size=40))
    def test_know_nothing_later(self, cut, other, make_bars_plain):
        closes = [100 + index % 17 for index in range(240)]
        maker, other_maker = FeatureMaker(), FeatureMaker()
        here = [maker.on_bar(bar) for bar in make_bars_plain(closes)]
        there = [other_maker.on_bar(bar) for bar in make_bars_plain([*closes[:cut], *other])]

        assert here[:cut] == there[:cut]

    def test_leave_out_bars_that_have_no_logarithm_and_survive_a_market_that_does_not_move(self, make_bars):
        bars = make_bars([100] * 210, lows=[-1 if index == 5 else 100 for index in range(210)])
        maker = FeatureMaker()
        seen = [maker.on_bar(bar) for bar in bars]

        assert [row is None for row in seen[198:202]] == [True, True, False, False]
        assert all(map(math.isfinite, seen[-1]))


class TestSamples:
    def test_a_gain_is_what_the_trading_cycle_would_get(self, make_bars):
        closes = walk(230)
        opens = [round(close * 1.001, 4) for close in closes]
        bars = make_bars(closes, opens=opens, highs=[close * 2 for close in closes], lows=[1] * 230)
        samples = samples_of("AAA", bars, horizon=3)

        assert samples[0].timestamp == bars[199].timestamp
        assert samples[0].gain == pytest.approx(opens[203] / opens[200] - 1)
        assert samples[0].due_at == bars[203].timestamp
        assert [sample.gain for sample in samples[-4:]] == [None] * 4
        assert samples[-5].gain is not None


class TestWalkForward:
    def test_learns_only_from_outcomes_that_were_known_and_asks_only_later(self, noise):
        samples = samples_of("AAA", noise, horizon=3)
        made = list(folds(samples, plan=PLAN))

        assert len(made) > 10
        asked = [sample for fold in made for sample in fold.test]
        assert asked == samples[PLAN.first_bars :]
        for fold in made:
            assert max(sample.due_at for sample in fold.train) <= fold.fitted_at <= fold.test[0].timestamp
            # At the fit, the outcomes of the last bars are still open: horizon and entry apart.
            assert max(sample.timestamp for sample in fold.train) == fold.fitted_at - dt.timedelta(
                days=PLAN.horizon + 1
            )

    def test_needs_enough_bars(self, make_bars):
        with pytest.raises(RejectedRecordError, match="more than first_bars"):
            list(folds(samples_of("AAA", make_bars(walk(250)), horizon=3), plan=PLAN))

    def test_versions_are_the_same_whatever_follows(self, noise, model):
        before = trained(noise[:620])
        names = [version.version for version in before.versions]

        assert len(names) >= 4
        assert names == [version.version for version in model.versions][: len(names)]

    def test_finds_nothing_where_there_is_nothing(self, noise, model):
        """A leak of what comes later would show as foresight in a random walk."""
        made = list(folds(samples_of("AAA", noise, horizon=3), plan=PLAN))
        hits = []
        for fold, version in zip(made, model.versions, strict=True):
            chances = version.booster.probabilities([sample.features for sample in fold.test])
            hits += [(p >= 0.5) == s.up for p, s in zip(chances, fold.test, strict=True) if s.due_at]

        assert len(hits) > 700
        # Outcomes overlap by three bars: some 240 independent ones, of deviation 0.032.
        assert abs(sum(hits) / len(hits) - 0.5) < 0.1

    @pytest.mark.parametrize("field", ["horizon", "first_bars", "step_bars", "rounds", "depth", "rate", "subsample"])
    def test_refuses_settings_out_of_range(self, field):
        with pytest.raises(RejectedRecordError) as refused:
            TrainingPlan(**{field: 0})
        assert refused.value.field == field


class TestBooster:
    def test_shap_values_and_the_base_value_add_up_to_the_margin(self, noise, model):
        rows = [sample.features for sample in samples_of("AAA", noise, horizon=3)][-200:]
        told = model.versions[-1].booster.forecasts(rows)

        for forecast in told:
            assert sum(forecast.shap_values.values()) + forecast.base_value == pytest.approx(forecast.margin, abs=1e-4)
            assert forecast.probability == pytest.approx(1 / (1 + math.exp(-forecast.margin)))
        assert model.versions[-1].booster.probabilities(rows) == pytest.approx(
            [each.probability for each in told], abs=1e-6
        )
        assert len({forecast.margin for forecast in told}) > 10

    def test_learns_what_there_is_to_learn_and_says_by_what(self):
        rng = random.Random(3)
        rows = [[rng.gauss(0, 1) for _ in FEATURES] for _ in range(400)]
        place = FEATURES.index("rsi_14")
        booster = Booster.fit(rows, [row[place] > 0 for row in rows], plan=PLAN)
        told = booster.forecasts(rows[:50])

        assert [forecast.probability > 0.5 for forecast in told] == [row[place] > 0 for row in rows[:50]]
        for forecast in told:
            assert max(forecast.shap_values, key=lambda name: abs(forecast.shap_values[name])) == "rsi_14"

    def test_has_nothing_to_learn_where_all_went_the_same_way(self):
        with pytest.raises(RejectedRecordError, match="some that did not"):
            Booster.fit([[0.0] * len(FEATURES)] * 5, [True] * 5, plan=PLAN)

    def test_refuses_what_is_no_model(self):
        with pytest.raises(RejectedRecordError, match="a model of XGBoost"):
            Booster(b"nothing of the kind")

    def test_without_its_extra_one_line_says_what_to_install(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "xgboost", None)
        with pytest.raises(ConfigurationError, match=r"install the extra friren\[ml\]"):
            Booster(b"")


class TestShelf:
    def test_gives_back_what_was_put_on_it(self, tmp_path, model, noise):
        save_model(tmp_path, model)
        found = load_model(tmp_path, "test")

        assert [(each.version, each.fitted_at) for each in found.versions] == [
            (each.version, each.fitted_at) for each in model.versions
        ]
        row = [samples_of("AAA", noise, horizon=3)[-1].features]
        assert found.versions[-1].booster.forecasts(row) == model.versions[-1].booster.forecasts(row)

    def test_names_a_model_that_is_not_there_or_is_damaged(self, tmp_path, model):
        with pytest.raises(ConfigurationError, match="no model test"):
            load_model(tmp_path, "test")
        folder = save_model(tmp_path, model)
        next(folder.glob("*.ubj")).write_bytes(b"other")
        with pytest.raises(ConfigurationError, match="is not what was saved"):
            load_model(tmp_path, "test")

    @pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 51])
    def test_takes_no_name_that_is_a_way(self, tmp_path, name):
        with pytest.raises(RejectedRecordError):
            load_model(tmp_path, name)

    def test_answers_with_the_newest_version_of_the_time(self, model):
        first, second = model.versions[:2]

        assert model.version_at(first.fitted_at - dt.timedelta(days=1)) is None
        assert model.version_at(second.fitted_at - dt.timedelta(days=1)) is first
        assert model.version_at(second.fitted_at) is second


class TestModelSignals:
    def test_advises_alternately_with_the_evidence_of_the_version_of_the_time(self, noise, model):
        strategy = create_strategy("model_signals", model=model, enter=0.5, leave=0.5)
        advices = [(bar, advice) for bar in noise if (advice := strategy.on_bar(bar))]

        assert len(advices) > 10
        assert [advice.kind for _, advice in advices[:4]] == ["ENTRY_LONG", "EXIT_LONG"] * 2
        for bar, advice in advices:
            assert advice.evidence.model_version == model.version_at(bar.timestamp).version
            assert advice.evidence.shap_values.keys() == set(FEATURES)
            assert 0.5 <= advice.confidence <= 1
        assert strategy.parameters == {"model": "test", "enter": 0.5, "leave": 0.5}

    def test_advises_the_same_whatever_follows(self, noise, model):
        short = create_strategy("model_signals", model=trained(noise[:620]), enter=0.5, leave=0.5)
        whole = create_strategy("model_signals", model=model, enter=0.5, leave=0.5)

        assert [short.on_bar(bar) for bar in noise[:620]] == [whole.on_bar(bar) for bar in noise][:620]

    def test_refuses_thresholds_that_cross_and_a_missing_model(self, model):
        with pytest.raises(RejectedRecordError):
            create_strategy("model_signals", model=model, enter=0.4, leave=0.5)
        with pytest.raises(RejectedRecordError, match="model"):
            create_strategy("model_signals")


class TestDrift:
    def test_is_nothing_for_equal_shares_and_the_formula_for_others(self):
        assert stability_index([5] * 10, [5] * 10) == 0
        # Half a case to each part: shares 20.5/62, 40.5/62+… by hand for two parts.
        p, q = (20.5 / 61, 40.5 / 61), (40.5 / 61, 20.5 / 61)
        expected = sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))
        assert stability_index([20, 40], [40, 20]) == pytest.approx(expected)

    def test_is_finite_where_a_part_is_empty(self):
        assert 1 < stability_index([10] * 10, [100, *[0] * 9]) < 10

"""Sentiments, and what models foretold and achieved."""

from __future__ import annotations

import factory
from factory.django import DjangoModelFactory

from tests.factories.ground import FactFactory, later
from tests.factories.trading import SymbolFactory, TradeFactory
from trading_engine.models import ModelPerformance, ModelPrediction, SentimentData, TradeSentiment


class SentimentDataFactory(FactFactory):
    class Meta:
        model = SentimentData

    timestamp = factory.Sequence(later)
    symbol = factory.SubFactory(SymbolFactory)
    news_source = "Reuters"
    headline = factory.Sequence("Headline {}".format)
    sentiment_score = 0.42
    confidence = 0.9
    finbert_scores = {"positive": 0.9, "neutral": 0.08, "negative": 0.02}
    model_id = "finbert"


class TradeSentimentFactory(DjangoModelFactory):
    class Meta:
        model = TradeSentiment

    trade = factory.SubFactory(TradeFactory)
    account = factory.SelfAttribute("trade.account")
    sentiment = factory.SubFactory(SentimentDataFactory, symbol=factory.SelfAttribute("..trade.symbol"))


class ModelPerformanceFactory(FactFactory):
    class Meta:
        model = ModelPerformance

    model_id = "xgboost"
    model_version = "7"
    timestamp = factory.Sequence(later)
    accuracy_score = 0.61
    total_trades = 40
    profitable_trades = 23
    features_used = ["rsi", "vix"]
    shap_summary = {"rsi": 0.31}


class ModelPredictionFactory(FactFactory):
    class Meta:
        model = ModelPrediction

    model_id = "xgboost"
    model_version = "7"
    timestamp = factory.Sequence(later)
    symbol = factory.SubFactory(SymbolFactory)
    predicted = {"direction": "up"}
    confidence = 0.7
    features = {"rsi": 61.2}

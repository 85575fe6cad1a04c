"""Sentiment, and models that learn."""

from __future__ import annotations

from django.contrib import admin

from friren.operations.admin.bases import ReadOnlyAdmin
from friren.operations.admin.columns import key_column
from friren.operations.admin.filters import AccountFilter, exact_filter, time_filter
from friren.operations.admin.panels import register_panel, related
from trading_engine.admin.shared import MODELS, SYMBOL_FILTER
from trading_engine.models import ModelPerformance, ModelPrediction, SentimentData, Symbol, Trade, TradeSentiment

__all__ = ["ModelPerformanceAdmin", "ModelPredictionAdmin", "SentimentDataAdmin", "TradeSentimentAdmin"]

MODEL_FILTER = exact_filter("model_id", label="Model", parameter="model")
VERSION_FILTER = exact_filter("model_version", label="Version", parameter="version")


@admin.register(SentimentData)
class SentimentDataAdmin(ReadOnlyAdmin):
    group = MODELS
    place = 1
    list_display = ("timestamp", "symbol", "sentiment_score", "confidence", "news_source", "headline", "model_id", "id")
    list_filter = (SYMBOL_FILTER, MODEL_FILTER, exact_filter("news_source", label="Source", parameter="source"),
                   time_filter("timestamp"))  # fmt: skip
    search_fields = ("symbol__ticker", "id")
    search_help_text = "A ticker or an id, written in full."
    ordering = ("-timestamp", "-id")
    sortable_by = ("timestamp",)
    page_groups = (
        ("", ("symbol", "timestamp", "news_source", "headline", "sentiment_score", "confidence")),
        ("Model", ("model_id", "finbert_scores", "extra")),
    )


@admin.register(TradeSentiment)
class TradeSentimentAdmin(ReadOnlyAdmin):
    group = MODELS
    place = 4
    list_display = ("id", "account", key_column("trade"), key_column("sentiment"))
    list_filter = (AccountFilter,)
    search_fields = ("trade", "sentiment")
    ordering = ("-id",)
    sortable_by = ("id",)


@admin.register(ModelPerformance)
class ModelPerformanceAdmin(ReadOnlyAdmin):
    group = MODELS
    place = 2
    list_display = ("timestamp", "model_id", "model_version", "accuracy_score", "total_trades", "profitable_trades")
    list_filter = (MODEL_FILTER, VERSION_FILTER, time_filter("timestamp"))
    search_fields = ("model_id", "id")
    ordering = ("-timestamp", "-id")
    sortable_by = ("timestamp",)


@admin.register(ModelPrediction)
class ModelPredictionAdmin(ReadOnlyAdmin):
    group = MODELS
    place = 3
    list_display = ("timestamp", "model_id", "model_version", "symbol", "predicted", "confidence", "due_at",
                    "is_correct", "resolved_at", "id")  # fmt: skip
    list_filter = (MODEL_FILTER, VERSION_FILTER, SYMBOL_FILTER, time_filter("timestamp"))
    search_fields = ("symbol__ticker", "model_id", "id")
    search_help_text = "A ticker, a model or an id, written in full."
    ordering = ("-timestamp", "-id")
    sortable_by = ("timestamp",)
    page_groups = (
        ("", ("model_id", "model_version", "timestamp", "symbol", "predicted", "confidence", "due_at")),
        ("Outcome", ("actual", "is_correct", "resolved_at")),
        ("Evidence", ("features",)),
    )


register_panel(Trade, related(TradeSentiment, "trade", "id", "sentiment", order=("id",), title="Sentiments"))
register_panel(SentimentData, related(TradeSentiment, "sentiment", "id", "trade", "account", order=("id",),
                                      title="Trades made on it"))  # fmt: skip
register_panel(
    Symbol,
    related(SentimentData, "symbol", "timestamp", "sentiment_score", "news_source", "headline",
            order=("-timestamp", "-id"), title="Latest sentiments"),
)  # fmt: skip

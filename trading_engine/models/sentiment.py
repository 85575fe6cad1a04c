"""Sentiment: what a model reads out of the news, and the trades that were made on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models

from friren.core.fields import RatioField, ScoreField
from friren.core.models import FactModel
from friren.core.triggers import fact_triggers
from trading_engine.models.relations import fact_key

if TYPE_CHECKING:
    from trading_engine.models.trades import Trade

__all__ = ["SentimentData", "TradeSentiment"]


class SentimentQuerySet(models.QuerySet[Any, Any]):
    """Sentiments, by what they are about."""

    def for_trade(self, trade: Trade) -> SentimentQuerySet:
        """Return every sentiment of the trade's symbol, whatever its time; none for a trade of a market."""
        return self.none() if trade.symbol_id is None else self.filter(symbol=trade.symbol_id)


class SentimentData(FactModel):
    """
    How one model judges one headline about one symbol.

    `sentiment_score` is -1 (bad) to 1 (good); `finbert_scores` are the shares of each class. Unless the caller gives
    one, the id is the UUIDv5 of (symbol, news_source, headline, timestamp, model_id): news fetched again is one row.
    """

    timestamp = models.DateTimeField()
    symbol = fact_key("trading_engine.Symbol", related_name="sentiments")
    news_source = models.CharField(max_length=255)
    headline = models.TextField()
    sentiment_score = ScoreField()
    confidence = RatioField(null=True, blank=True)
    finbert_scores = models.JSONField(default=dict, blank=True)
    model_id = models.CharField(max_length=50, blank=True)
    extra = models.JSONField(default=dict, blank=True)

    objects = SentimentQuerySet.as_manager()

    class Meta(FactModel.Meta):
        verbose_name = "Sentiment"
        verbose_name_plural = "Sentiments"
        indexes: ClassVar = [
            *FactModel.Meta.indexes,
            models.Index(fields=["symbol", "-timestamp"], name="sentiment_by_symbol"),
            models.Index(fields=["-timestamp"], name="sentiment_by_time"),
        ]
        triggers: ClassVar = fact_triggers()

    def __str__(self) -> str:
        return f"{self.sentiment_score.normalize():f} from {self.news_source} at {self.timestamp:%Y-%m-%d %H:%M}"


class TradeSentiment(models.Model):
    """A sentiment that a trade was made on; its account is the trade's."""

    account = fact_key("core.Account")
    trade = fact_key("trading_engine.Trade", related_name="sentiment_links")
    sentiment = fact_key("trading_engine.SentimentData", related_name="trade_links")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["trade", "sentiment"], name="trade_sentiment")]
        indexes: ClassVar = [models.Index(fields=["sentiment"], name="tradesentiment_by_sentiment")]
        triggers: ClassVar = fact_triggers()

    def __str__(self) -> str:
        return f"{self.trade_id} on {self.sentiment_id}"

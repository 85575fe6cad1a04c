"""Record what the news sound like."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypedDict, Unpack
from uuid import UUID

import msgspec

from friren.core.ids import natural_id
from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.facts import Fact, make_fact, spec_of
from friren.persistence.reads import newest_first
from friren.persistence.receipts import BulkReceipt, Receipt, Rows
from trading_engine.models import SentimentData, TradeSentiment
from trading_engine.sentiment_links import link_fact
from trading_engine.services.base import Service
from trading_engine.symbols import rows_of_symbol

__all__ = ["SentimentDetails", "SentimentLogger"]


class SentimentDetails(TypedDict, total=False):
    """What may be told of a sentiment beside symbol, source, headline, score and time."""

    confidence: float | Decimal | None  # 0 to 1
    finbert_scores: dict[str, Any] | None  # share of each class, e.g. {"positive": 0.9, "neutral": 0.08, …}
    model_id: str | None  # which model judged; two models may judge one headline
    extra: dict[str, Any] | None


REQUIRED: Final = ("symbol", "news_source", "headline", "sentiment_score", "timestamp")
SENTIMENT_KEYWORDS: Final = frozenset(SentimentDetails.__annotations__) | {*REQUIRED, "sentiment_id"}
# What callers call this column.
SENTIMENT_PARAMETERS: Final = {"id": "sentiment_id"}


class SentimentLogger(Service):
    """Records how models judge the news. News belong to no account."""

    def log_sentiment(
        self,
        *,
        symbol: Any,
        news_source: str,
        headline: str,
        sentiment_score: float | Decimal,
        timestamp: dt.datetime,
        sentiment_id: UUID | str | None = None,
        **details: Unpack[SentimentDetails],
    ) -> Receipt:
        """
        Store how a model judges a headline.

        Args:
            symbol: ticker, (ticker, venue) or Symbol.
            news_source: who published it.
            sentiment_score: -1 (bad) to 1 (good), six decimals.
            timestamp: when it was published, aware.
            sentiment_id: a UUID; derived from symbol, source, headline, time and model when None, so that news
                fetched again are a DUPLICATE.
            details: what SentimentDetails lists.

        Raises:
            RejectedRecordError: a value breaks a rule; nothing was stored.
            KeyReusedError: the same model judged the same news otherwise before.
        """
        fact = sentiment_fact(
            symbol=symbol, news_source=news_source, headline=headline, sentiment_score=sentiment_score,
            timestamp=timestamp, sentiment_id=sentiment_id, **details,
        )  # fmt: skip
        try:
            return self.recorder.record(fact)
        except RejectedRecordError as exc:
            raise exc.named(SENTIMENT_PARAMETERS) from exc

    def bulk_insert_news(self, news: Iterable[Mapping[str, Any]]) -> BulkReceipt:
        """
        Store many judged headlines, each given as the keywords of `log_sentiment`.

        Returns:
            How many were stored and were there already, and (index, error) of those refused.
        """
        return self.recorder.record_many(news, _told_fact, parameters=SENTIMENT_PARAMETERS)

    def link_trade(self, trade: Any, sentiments: Iterable[Any]) -> BulkReceipt:
        """
        Note which sentiments a trade was made on.

        Args:
            trade: id, receipt or row.
            sentiments: ids, receipts or rows.

        Returns:
            How many links were stored and were there already, and (index, error) of sentiments that are not stored.

        Raises:
            RejectedRecordError: the trade is not stored, or something is no id.
        """
        links = spec_of(TradeSentiment).fields
        trade_id = _required("trade", links["trade"].check, trade)
        if isinstance(sentiments, str | Mapping) or not isinstance(sentiments, Iterable):
            raise RejectedRecordError("sentiments", sentiments, "a list of sentiments is wanted")
        keys = [_required(f"sentiments[{n}]", links["sentiment"].check, item) for n, item in enumerate(sentiments)]
        receipt = self.recorder.record_many(keys, partial(link_fact, trade_id))
        for _index, error in receipt.rejected:
            if error.field == "trade":
                raise error
        return receipt

    def get_sentiment_history(
        self,
        symbol: Any = None,
        *,
        news_source: str | None = None,
        model_id: str | None = None,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        limit: int = 100,
        after: Any = None,
        include_archive: bool = False,
    ) -> Rows[Any]:
        """
        Return sentiments, newest first.

        Args:
            symbol: ticker or (ticker, venue); all when None.
            news_source, model_id: exact; all when None.
            start, end: bounds of the time, aware; start included, end not.
            limit: rows at most, 1 to 100000.
            after: `next` of the page before.
            include_archive: also what was archived.

        Raises:
            RejectedRecordError: an argument breaks a rule.
        """
        fields = spec_of(SentimentData).fields
        rows = SentimentData.objects.using(self.using).all()
        if symbol is not None:
            rows = rows_of_symbol(rows, symbol)
        if news_source is not None:
            rows = rows.filter(news_source=fields["news_source"].check("news_source", news_source))
        if model_id is not None:
            rows = rows.filter(model_id=fields["model_id"].check("model_id", model_id))
        return newest_first(
            rows, time="timestamp", start=start, end=end, limit=limit, after=after, include_archive=include_archive
        )


def sentiment_fact(*, sentiment_id: UUID | str | None = None, **values: Any) -> Fact:
    """Return the fact of a judged headline. Parameters and errors as for `SentimentLogger.log_sentiment`."""
    checks.refuse_unknown(values, known=SENTIMENT_KEYWORDS, of="log_sentiment")
    key = None if sentiment_id is None else checks.check_uuid("sentiment_id", sentiment_id)
    fact = make_fact(SentimentData, id=key, **values)
    if key is not None:
        return fact
    told = fact.values
    parts = (*told["symbol"], told["news_source"], told["headline"], told["timestamp"], told.get("model_id", ""))
    return msgspec.structs.replace(fact, id=natural_id(fact.kind, *parts))


def _told_fact(item: Mapping[str, Any]) -> Fact:
    told = checks.check_record("news", item, known=SENTIMENT_KEYWORDS, of="log_sentiment")
    # What lacks is given as None, so that its absence is a refusal and no TypeError.
    return sentiment_fact(**{**dict.fromkeys(REQUIRED), **told})


def _required(name: str, check: checks.Check, value: Any) -> Any:
    if value is None:
        raise RejectedRecordError(name, None, "is required")
    return check(name, value)

"""Which sentiments a trade was made on: rows of two keys, whose account is the trade's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from friren.core.ids import natural_id
from friren.errors import PeriodClosedError
from friren.persistence.archived_reads import with_archive
from friren.persistence.codec import register_record
from friren.persistence.facts import Fact
from friren.persistence.handlers import MissingRowError, Verdict, one_by_batch, register_handler
from friren.persistence.receipts import WriteOutcome
from trading_engine.archived_rows import archived_rows
from trading_engine.models import SentimentData, Trade, TradeSentiment

__all__ = ["link_fact", "register"]

KIND: Final = "trade_sentiment"


def register() -> None:
    """Register the kind `trade_sentiment`."""
    register_record(KIND, {"trade": UUID, "sentiment": UUID})
    register_handler(KIND, one_by_batch(_store_all), batch=_store_all, after=(Trade, SentimentData))


def link_fact(trade: UUID, sentiment: UUID) -> Fact:
    """Return the record of a link; the same link is the same record."""
    return Fact(kind=KIND, id=natural_id(KIND, trade, sentiment), values={"trade": trade, "sentiment": sentiment})


def _store_all(facts: Sequence[Fact], *, using: str, producer: UUID | None) -> list[Verdict]:
    del producer  # the table names none
    links = [(fact.values["trade"], fact.values["sentiment"]) for fact in facts]
    trades, sentiments = ({link[place] for link in links} for place in (0, 1))
    # Locked, so that of two who link the same the second finds it linked.
    held = Trade.objects.using(using).filter(id__in=trades).order_by("id").select_for_update(no_key=True)
    accounts = dict(held.values_list("id", "account_id"))
    known = set(SentimentData.objects.using(using).filter(id__in=sentiments).values_list("id", flat=True))
    archived = archived_rows(Trade, trades - accounts.keys(), using)
    stored = with_archive(TradeSentiment.objects.using(using)).filter(trade__in=trades, sentiment__in=sentiments)
    linked = set(stored.values_list("trade_id", "sentiment_id"))
    verdicts: list[Verdict] = []
    for trade, sentiment in links:
        if trade in archived:
            told = PeriodClosedError("trade", trade, "is archived, and is linked to nothing more")
            verdicts.append(WriteOutcome.DUPLICATE if (trade, sentiment) in linked else told)
        elif trade not in accounts:
            verdicts.append(MissingRowError("trade", trade, "is not stored"))
        elif sentiment not in known:
            verdicts.append(MissingRowError("sentiments", sentiment, "is not stored"))
        else:
            new = (trade, sentiment) not in linked
            verdicts.append(WriteOutcome.STORED if new else WriteOutcome.DUPLICATE)
            linked.add((trade, sentiment))
    TradeSentiment.objects.using(using).bulk_create(
        TradeSentiment(account_id=accounts[trade], trade_id=trade, sentiment_id=sentiment)
        for (trade, sentiment), verdict in zip(links, verdicts, strict=True)
        if verdict is WriteOutcome.STORED
    )
    return verdicts

"""What models read out of the news is stored once, found by symbol and time, and linked to trades."""

from __future__ import annotations

import ast
import csv
import datetime as dt
import json
import re
import uuid
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, connection

import friren
from friren.errors import KeyReusedError, RejectedRecordError
from friren.persistence.receipts import WriteOutcome
from trading_engine.models import SentimentData, Symbol, Trade, TradeSentiment
from trading_engine.services import SentimentLogger, TradeLogger
from trading_engine.symbols import rows_of_symbol

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
SCORES = {"positive": 0.91, "neutral": 0.07, "negative": 0.02}
SCORE_OF_LABEL = {"positive": 1, "neutral": 0, "negative": -1}


@pytest.fixture
def logger():
    return SentimentLogger()


def news(**more):
    return {
        "symbol": "AAPL", "news_source": "Reuters", "headline": "Apple beats estimates", "sentiment_score": 0.89,
        "timestamp": NOON, **more,
    }  # fmt: skip


def test_every_field_comes_back_as_it_was_given(logger):
    key = uuid.uuid4()

    receipt = logger.log_sentiment(
        **news(sentiment_id=key, confidence=0.91, finbert_scores=SCORES, model_id="finbert", extra={"lang": "en"})
    )

    assert receipt.id == key
    assert receipt.outcome is WriteOutcome.STORED
    (row,) = logger.get_sentiment_history("AAPL")
    assert (row.id, row.timestamp, row.symbol, row.news_source) == (key, NOON, "AAPL", "Reuters")
    assert (row.headline, row.sentiment_score) == ("Apple beats estimates", Decimal("0.89"))
    assert (row.confidence, row.finbert_scores) == (Decimal("0.91"), SCORES)
    assert (row.model_id, row.extra) == ("finbert", {"lang": "en"})


def test_the_same_news_is_one_row_whatever_zone_and_digits_it_is_written_in(logger):
    first = logger.log_sentiment(**news())
    in_tokyo = NOON.astimezone(dt.timezone(dt.timedelta(hours=9)))
    again = logger.log_sentiment(**news(timestamp=in_tokyo, sentiment_score=Decimal("0.8900")))

    assert again.id == first.id
    assert again.outcome is WriteOutcome.DUPLICATE
    assert SentimentData.objects.count() == 1


@pytest.mark.parametrize(
    "other",
    [
        {"symbol": "MSFT"},
        {"symbol": ("AAPL", "xetra")},
        {"news_source": "AP"},
        {"headline": "Apple misses estimates"},
        {"timestamp": NOON + dt.timedelta(microseconds=1)},
        {"model_id": "vader"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_differs_in_one_part_of_the_key_is_another_row(logger, other):
    logger.log_sentiment(**news())

    assert logger.log_sentiment(**news(**other)).outcome is WriteOutcome.STORED
    assert SentimentData.objects.count() == 2


def test_the_same_model_cannot_judge_the_same_news_twice_with_another_result(logger):
    logger.log_sentiment(**news())

    with pytest.raises(KeyReusedError) as refusal:
        logger.log_sentiment(**news(sentiment_score=-0.5))

    assert refusal.value.field == "sentiment_id"
    assert SentimentData.objects.get().sentiment_score == Decimal("0.89")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("symbol", None), ("news_source", ""), ("news_source", "x" * 256), ("headline", None), ("headline", "a\0b"),
        ("sentiment_score", 1.01), ("sentiment_score", float("nan")), ("sentiment_score", None),
        ("confidence", -0.1), ("timestamp", NOON.replace(tzinfo=None)), ("timestamp", None),
        ("finbert_scores", {"positive": float("inf")}), ("model_id", "x" * 51), ("sentiment_id", "no uuid"),
    ],
)  # fmt: skip
def test_bad_values_are_refused_by_name_and_nothing_is_stored(logger, field, value):
    with pytest.raises(RejectedRecordError) as refusal:
        logger.log_sentiment(**news(**{field: value}))

    assert refusal.value.field.startswith(field)
    assert SentimentData.objects.count() == 0
    assert Symbol.objects.count() == 0


def test_a_keyword_nobody_knows_is_a_programming_error(logger):
    with pytest.raises(TypeError, match="digest"):
        logger.log_sentiment(**news(digest=b"x"))


def test_history_is_filtered_newest_first_and_paged(logger):
    for hour in range(6):
        symbol, source = ("AAPL", "MSFT")[hour % 2], ("AP", "Reuters")[hour // 3]
        at = NOON + dt.timedelta(hours=hour)
        logger.log_sentiment(**news(symbol=symbol, news_source=source, timestamp=at, model_id=f"m{hour % 2}"))

    def hours(rows):
        return [row.timestamp.hour - NOON.hour for row in rows]

    assert hours(logger.get_sentiment_history()) == [5, 4, 3, 2, 1, 0]
    assert hours(logger.get_sentiment_history("MSFT")) == [5, 3, 1]
    assert hours(logger.get_sentiment_history(news_source="AP")) == [2, 1, 0]
    assert hours(logger.get_sentiment_history(model_id="m0")) == [4, 2, 0]
    later = NOON + dt.timedelta(hours=1)
    assert hours(logger.get_sentiment_history("AAPL", start=later, end=later + dt.timedelta(hours=3))) == [2]
    first = logger.get_sentiment_history(limit=4)
    assert hours(first) == [5, 4, 3, 2]
    assert hours(logger.get_sentiment_history(limit=4, after=first.next)) == [1, 0]
    assert logger.get_sentiment_history("nobody") == []


def test_a_symbol_and_a_window_are_found_by_index(logger):
    judged = [news(symbol=f"S{n % 300}", timestamp=NOON + dt.timedelta(minutes=n)) for n in range(3000)]
    assert logger.bulk_insert_news(judged).stored == 3000
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE trading_engine_sentimentdata")
    rows = rows_of_symbol(SentimentData.objects.all(), "S7").filter(timestamp__gte=NOON + dt.timedelta(minutes=1500))

    plan = rows.order_by("-timestamp")[:10].explain()

    assert "sentiment_by_symbol" in plan
    assert re.search(r"Index Cond: .*symbol_id = .*timestamp.* >= ", plan)


def test_a_batch_says_which_items_were_wrong_and_stores_the_rest(logger):
    batch = [
        news(headline="one"), news(headline="two", sentiment_score=2), news(headline="three"), news(headline="one"),
        {"symbol": "AAPL"}, "no mapping", news(headline="four", colour="red"),
    ]  # fmt: skip

    receipt = logger.bulk_insert_news(batch)

    assert (receipt.stored, receipt.duplicates) == (2, 1)
    assert [(index, error.field) for index, error in receipt.rejected] == [
        (1, "sentiment_score"), (4, "timestamp"), (5, "news"), (6, "colour"),
    ]  # fmt: skip
    assert sorted(SentimentData.objects.values_list("headline", flat=True)) == ["one", "three"]


def test_trades_and_sentiments_find_each_other(logger):
    book = friren.open_account("book", starting_cash=1000)
    trades = TradeLogger(book)
    bought, sold = (
        trades.log_trade(symbol="AAPL", action=action, quantity=1, price=10, timestamp=NOON)
        for action in ("buy", "sell")
    )
    good, bad = (logger.log_sentiment(**news(headline=headline)) for headline in ("good", "bad"))
    other = logger.log_sentiment(**news(symbol="MSFT"))

    linked = logger.link_trade(bought, [good, bad.id])
    again = logger.link_trade(sold, [good, good])

    assert (linked.stored, linked.duplicates) == (2, 0)
    assert (again.stored, again.duplicates) == (1, 1)
    trade, sentiment = Trade.objects.get(id=bought.id), SentimentData.objects.get(id=good.id)
    assert {one.headline for one in trade.sentiments.all()} == {"good", "bad"}
    assert {one.action for one in sentiment.trades.all()} == {"buy", "sell"}
    assert {link.account_id for link in TradeSentiment.objects.all()} == {book.id}
    assert {one.id for one in SentimentData.objects.for_trade(trade)} == {good.id, bad.id}
    assert other.id not in {one.id for one in SentimentData.objects.for_trade(trade)}


def test_links_to_what_is_not_stored_are_refused(logger):
    friren.open_account("book", starting_cash=1000)
    trade = TradeLogger("book").log_trade(symbol="AAPL", action="buy", quantity=1, price=10, timestamp=NOON)
    stored, unknown = logger.log_sentiment(**news()).id, uuid.uuid4()

    receipt = logger.link_trade(trade, [unknown, stored])

    assert receipt.stored == 1
    assert [(index, error.value) for index, error in receipt.rejected] == [(0, unknown)]
    with pytest.raises(RejectedRecordError, match="trade"):
        logger.link_trade(uuid.uuid4(), [stored])
    with pytest.raises(RejectedRecordError, match="sentiments"):
        logger.link_trade(trade, ["no uuid"])


def test_links_and_sentiments_cannot_be_changed_or_removed(logger):
    friren.open_account("book", starting_cash=1000)
    trade = TradeLogger("book").log_trade(symbol="AAPL", action="buy", quantity=1, price=10, timestamp=NOON)
    logger.link_trade(trade, [logger.log_sentiment(**news())])

    with pytest.raises(DatabaseError, match="Cannot update"):
        SentimentData.objects.update(sentiment_score=0)
    for model in (TradeSentiment, SentimentData):
        with pytest.raises(DatabaseError, match="Cannot delete"):
            model.objects.all()._raw_delete("default")
    link = TradeSentiment.objects.get()
    with pytest.raises(IntegrityError):
        TradeSentiment.objects.create(account=link.account, trade=link.trade, sentiment=link.sentiment)


def sentfin(folder, limit):
    """Headlines with a label for each company they name; the file has no times, so a row's number gives one."""
    with (folder / "news" / "SEntFiN.csv").open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            if number == limit:
                return
            for company, label in ast.literal_eval(row["Decisions"]).items():
                yield news(
                    symbol=company, news_source="SEntFiN", headline=row["Title"], model_id="label",
                    sentiment_score=SCORE_OF_LABEL[label], timestamp=NOON + dt.timedelta(seconds=number),
                )  # fmt: skip


def yahoo_news(folder, ticker):
    answer = json.loads((folder / "news" / f"yahoo_search_{ticker}.json").read_text())
    for item in answer["response"]["bodyJson"]["news"]:
        yield news(
            symbol=ticker, news_source=item["publisher"], headline=item["title"], sentiment_score=0, model_id="none",
            timestamp=dt.datetime.fromtimestamp(item["providerPublishTime"], dt.UTC), extra={"link": item["link"]},
        )  # fmt: skip


def test_real_headlines_are_stored_once_however_often_they_are_read(logger, shared_data):
    judged = list(sentfin(shared_data, 1500))

    first, second = logger.bulk_insert_news(judged), logger.bulk_insert_news(judged)

    assert (first.stored + first.duplicates, first.rejected) == (len(judged), [])
    assert (second.stored, second.duplicates, second.rejected) == (0, len(judged), [])
    assert SentimentData.objects.count() == first.stored
    titles = {item["headline"] for item in judged}
    assert set(SentimentData.objects.values_list("headline", flat=True)) == titles
    assert set(SentimentData.objects.values_list("sentiment_score", flat=True)) == {Decimal(-1), Decimal(0), Decimal(1)}


@pytest.mark.parametrize("ticker", ["AAPL", "GOOG", "BTC-USD"])
def test_news_of_a_real_search_are_stored_once(logger, shared_data, ticker):
    found = list(yahoo_news(shared_data, ticker))
    assert len(found) == 4

    first, second = logger.bulk_insert_news(found), logger.bulk_insert_news(found)

    assert (first.stored, first.rejected) == (4, [])
    assert (second.stored, second.duplicates) == (0, 4)
    assert {row.headline for row in logger.get_sentiment_history(ticker)} == {item["headline"] for item in found}

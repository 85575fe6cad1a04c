"""What becomes of signals, predictions, links and runs: made together as one by one, and once, in whatever order."""

from __future__ import annotations

import datetime as dt
import random
from uuid import uuid4

import pytest

from friren.accounts import open_account
from friren.core.ids import new_id
from friren.core.models import AuditLog
from friren.errors import RejectedRecordError
from friren.persistence import handlers
from friren.persistence.batches import apply_batch, apply_each
from friren.persistence.facts import Fact, make_fact
from trading_engine.models import (
    BacktestResult,
    BacktestRun,
    MarketRegime,
    ModelPrediction,
    RegimeHistory,
    SentimentData,
    Signal,
    TradeSentiment,
)
from trading_engine.regime_intervals import interval_id
from trading_engine.sentiment_links import link_fact
from trading_engine.trade_facts import order_fact, trade_fact

AT = dt.datetime(2024, 1, 8, 14, 30, tzinfo=dt.UTC)


@pytest.fixture
def book():
    return open_account("momentum")


def together(facts):
    with handlers.one_commit("default"):
        return apply_batch(facts, using="default")


def said(verdicts):
    return [(type(v).__name__, v.field) if isinstance(v, RejectedRecordError) else v for v in verdicts]


def signal(book):
    return make_fact(Signal, account=book.id, symbol="AAPL", signal_type="BUY", timestamp=AT)


def fill(book):
    return trade_fact(book, symbol="AAPL", action="buy", quantity=1, price=1, timestamp=AT)


def signal_move(book, key, minute=0, **moved):
    return Fact(
        kind="signal_move", id=key, values={"account": book.id, "at": AT + dt.timedelta(minutes=minute), **moved}
    )


def run(book):
    values = {"account": book.id, "name": book.name, "starts_at": AT, "ends_at": AT}
    return Fact(kind="backtest_run", id=new_id(), values=values)


def step(key, status, **figures):
    return Fact(kind="backtest_step", id=key, values={"status": status, "at": AT, **figures})


FIGURES = {"total_return": 0.1, "max_drawdown": -0.2, "trade_count": 3}


def ends_of(signals):
    columns = ("processed", "processed_at", "executed", "executed_at")
    rows = {row["id"]: row for row in Signal.objects.values("id", "trade_id", *columns)}
    return [[rows[key][name] for name in columns] + [rows[key]["trade_id"] is not None] for key in signals]


@pytest.mark.parametrize("seed", range(4))
def test_random_moves_of_signals_end_alike_together_and_one_by_one(book, seed) -> None:
    chance = random.Random(seed)
    other = open_account("shadow")
    told = {one.id: ([signal(one) for _ in range(6)], [fill(one) for _ in range(4)]) for one in (book, other)}
    for facts in told.values():
        assert set(together([*facts[0], *facts[1]])) == {"STORED"}
    plan = [
        (chance.randrange(6), chance.random() < 0.5, chance.choice([None, 0, 1, 2, 3]), minute) for minute in range(40)
    ]

    def moves(of):
        signals, fills = told[of.id]
        return [
            signal_move(
                of,
                signals[place].id,
                minute,
                **({"executed": True} | ({} if trade is None else {"trade": fills[trade].id}) if executed else {}),
            )
            for place, executed, trade, minute in plan
        ]

    mine, theirs = moves(book), moves(other)
    strangers = [signal_move(book, uuid4()), signal_move(book, told[book.id][0][0].id, executed=True, trade=uuid4())]
    strangers.append(signal_move(book, told[other.id][0][0].id))
    with handlers.one_commit("default"):
        one_by_one = said(apply_each(theirs, using="default"))

    assert said(together([*mine, *strangers])) == [
        *one_by_one, ("MissingRowError", "signal"), ("MissingRowError", "trade"), ("MissingRowError", "signal"),
    ]  # fmt: skip
    assert ends_of([one.id for one in told[book.id][0]]) == ends_of([one.id for one in told[other.id][0]])
    entries = AuditLog.objects.filter(account=book.id)
    assert entries.count() == one_by_one.count("STORED") == AuditLog.objects.filter(account=other.id).count()
    again = said(together(mine))
    assert "STORED" not in again


def test_a_move_stands_in_one_batch_with_all_that_it_needs_in_any_order_of_kinds(book) -> None:
    one, trade = signal(book), fill(book)
    move = signal_move(book, one.id, executed=True, trade=trade.id)

    assert together([move, trade, one]) == ["STORED"] * 3
    assert Signal.objects.get().trade_id == trade.id


def test_a_batch_is_stored_parents_first_whatever_stands_first_in_it(book) -> None:
    regime = make_fact(RegimeHistory, account=book.id, symbol="AAPL", regime_type="BULL", timestamp=AT)
    begun = interval_id(book.id, "MANUAL", ["AAPL", ""], AT)
    advice = make_fact(Signal, account=book.id, symbol="AAPL", signal_type="BUY", timestamp=AT, regime=begun)
    order = order_fact(book, symbol="AAPL", action="buy", quantity=1, timestamp=AT, signal=advice.id)
    trade = trade_fact(book, symbol="AAPL", action="buy", quantity=1, price=1, timestamp=AT, order=order.id)
    move = signal_move(book, advice.id, executed=True, trade=trade.id)

    assert together([move, trade, order, advice, regime]) == ["STORED"] * 5
    assert MarketRegime.objects.get().id == begun


def test_of_two_signals_of_a_batch_the_first_gets_the_trade(book) -> None:
    first, second, trade = signal(book), signal(book), fill(book)
    moves = [signal_move(book, one.id, executed=True, trade=trade.id) for one in (first, second)]

    assert said(together([first, second, trade, *moves]))[3:] == ["STORED", ("InvalidTransitionError", "trade")]
    assert AuditLog.objects.count() == 1


def test_outcomes_of_predictions_end_alike_together_and_one_by_one() -> None:
    values = {"model_id": "m", "model_version": "1", "timestamp": AT}
    sets = [[make_fact(ModelPrediction, **values) for _ in range(3)] for _ in range(2)]
    told = [(0, True), (1, False), (0, True), (0, False), (2, None), (1, False)]

    def outcomes(predictions):
        return [
            Fact(
                kind="prediction_outcome",
                id=predictions[place].id,
                values={"resolved_at": AT, "actual": [1.5]} | ({} if right is None else {"is_correct": right}),
            )
            for place, right in told
        ]

    assert set(together([*sets[0], *sets[1]])) == {"STORED"}
    with handlers.one_commit("default"):
        one_by_one = said(apply_each(outcomes(sets[0]), using="default"))

    assert said(together(outcomes(sets[1]))) == one_by_one
    assert one_by_one == [
        "STORED", "STORED", "DUPLICATE", ("InvalidTransitionError", "prediction"), "STORED", "DUPLICATE",
    ]  # fmt: skip
    assert set(ModelPrediction.objects.values_list("resolved_at", flat=True)) == {AT}


def test_links_are_stored_once_and_name_what_is_missing(book) -> None:
    trade = fill(book)
    told = {"symbol": "AAPL", "news_source": "R", "headline": "h", "sentiment_score": 0, "timestamp": AT}
    sentiment = make_fact(SentimentData, **told)
    link = link_fact(trade.id, sentiment.id)

    verdicts = said(
        together([link, trade, sentiment, link, link_fact(uuid4(), sentiment.id), link_fact(trade.id, uuid4())])
    )

    missing = [("MissingRowError", "trade"), ("MissingRowError", "sentiments")]
    assert verdicts == ["STORED", "STORED", "STORED", "DUPLICATE", *missing]
    assert said(together([link])) == ["DUPLICATE"]
    assert TradeSentiment.objects.get().account_id == book.id


def test_the_lives_of_runs_in_one_batch_keep_their_order() -> None:
    books = [open_account(name, environment="BACKTEST") for name in ("one", "two")]
    one, two = map(run, books)
    facts = [
        one, step(one.id, "RUNNING"), step(one.id, "COMPLETED", **FIGURES),
        two, step(two.id, "RUNNING"), step(two.id, "FAILED"), step(two.id, "COMPLETED", **FIGURES),
        step(one.id, "COMPLETED", **FIGURES), step(one.id, "COMPLETED", **{**FIGURES, "trade_count": 4}),
    ]  # fmt: skip

    assert said(together(facts)) == [
        "STORED", "STORED", "STORED",
        "STORED", "STORED", "STORED", ("InvalidTransitionError", "status"),
        "DUPLICATE", ("KeyReusedError", "run"),
    ]  # fmt: skip
    assert set(BacktestRun.objects.values_list("id", "status")) == {(one.id, "COMPLETED"), (two.id, "FAILED")}
    assert BacktestResult.objects.get().trade_count == 3


def test_a_run_whose_account_is_not_stored_waits_and_one_whose_user_is_not_is_refused() -> None:
    book = open_account("one", environment="BACKTEST")
    orphan, strange = run(book), run(book)
    orphan.values["account"] = uuid4()
    strange.values["user"] = 999_999_999

    assert said(together([orphan, strange])) == [("MissingRowError", "account"), ("RejectedRecordError", "user")]

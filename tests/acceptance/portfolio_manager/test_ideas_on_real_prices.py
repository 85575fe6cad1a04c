"""Ideas on the real prices of SPY in 2008: every path of their life, what was seen, a halt, and what was missed."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.core.management import call_command

import friren
from friren.errors import InvalidTransitionError
from portfolio_manager.collecting import collect_snapshots
from portfolio_manager.data_logger import PortfolioSnapshotter, PortfolioTracker, TradeIdeaService
from portfolio_manager.ideas.counterfactuals import evaluate_rejected
from portfolio_manager.ideas.lifecycle import IDEA_MOVES
from portfolio_manager.models import DecisionHistory, IdeaOutcome, RiskConfig, TradeIdea
from portfolio_manager.strategy_ideas import evaluate_strategies
from tests.factories import StrategyFactory, UserFactory
from trading_engine.models import Price
from trading_engine.services import SentimentLogger

pytestmark = pytest.mark.usefixtures("database")
D = Decimal
FRIDAY = dt.datetime(2008, 9, 12, 20, tzinfo=dt.UTC)  # the last session before Lehman Brothers


@pytest.fixture
def closes(shared_data):
    """SPY as Yahoo has it, imported by the command that a user would call; closes by day."""
    path = shared_data / "ohlcv/spy_daily_2008_2017.yahoo.csv"
    call_command("import_prices", str(path), "--symbol", "SPY")
    bars = Price.objects.filter(symbol__ticker="SPY", timestamp__year=2008)
    return {bar.timestamp.date(): bar.close for bar in bars}


@pytest.fixture
def book():
    return friren.open_account("real", starting_cash=D(100_000))


@pytest.fixture
def ideas(book):
    RiskConfig.load()
    RiskConfig.objects.update(
        ai_trading_enabled=True, max_lot_size=100, max_concurrent_trades=9, max_drawdown_amount=D(900),
        daily_profit_target=D(5000), stop_after_target=True,
    )  # fmt: skip
    return TradeIdeaService(book)


def long(close: Decimal, **more):
    """A proposal to buy at the close and sell 3 % above it, or 3 % below."""
    told = {
        "symbol": "SPY", "direction": "long", "entry_price": close, "quantity": 50, "confidence_score": 0.9,
        "stop_loss": round(close * D("0.97"), 2), "take_profit": round(close * D("1.03"), 2),
        "timestamp": FRIDAY, "expected_hold": "2w",
    }  # fmt: skip
    return told | more


@pytest.mark.usefixtures("shared_data")
def test_an_idea_goes_every_way_there_is_on_real_prices(book, ideas, closes) -> None:  # noqa: PLR0915 - one story
    ada, close = UserFactory(username="ada"), closes[FRIDAY.date()]
    news = {"symbol": "SPY", "timestamp": FRIDAY, "news_source": "Reuters", "headline": "Lehman seeks a buyer"}
    SentimentLogger().log_sentiment(**news, sentiment_score=-0.8)
    event = {"event_time": FRIDAY + dt.timedelta(days=4), "currency": "USD", "impact_level": "high", "title": "FOMC"}

    # What the clock collects is what a strategy proposes on; the calendar is told with an idea of our own.
    collect_snapshots(book, at=FRIDAY, symbols=["SPY"])
    StrategyFactory(
        name="fear", allowed_symbols=["SPY"], session_windows=[], rr_expectation=None,
        entry_conditions={"when": ["close < sma_50", "rsi_14 < 60"], "confidence": 0.9},
        exit_rules={"stop_atr": 3, "target_atr": 3, "hold": "2w"}, risk_caps={},
    )  # fmt: skip
    by_strategy = evaluate_strategies(book, at=FRIDAY)
    assert by_strategy.passed_over == {}
    assert (by_strategy.proposed, by_strategy.statuses) == (1, {"auto_executed": 1})
    approved = TradeIdea.objects.get()
    seen = ideas.replay(approved)
    assert [len(rows) for rows in (seen.candles, seen.indicators, seen.calendar, seen.news, seen.accounts)] == [
        1, 1, 0, 1, 1,
    ]  # fmt: skip
    assert (seen.candles[0].close, seen.news[0].headline) == (close, "Lehman seeks a buyer")

    shown = {"symbol": "SPY", "timeframe": "1d"}
    told = {
        "candles": [{**shown, "open": close, "high": close, "low": close, "close": close}],
        "indicators": [{**shown, "rsi_14": 44.1}],
        "calendar": [event],
        "news": [{"headline": "Lehman seeks a buyer", "source": "Reuters", "published_at": FRIDAY}],
    }
    doubtful, turned_down, halted_too = (
        ideas.propose(**long(close, confidence_score=0.5, quantity=size), seen=told) for size in (1, 50, 3)
    )
    too_big = ideas.propose(**long(close, quantity=101), seen=told)
    waiting = ideas.propose(**long(close, quantity=2), seen=told)
    for idea, status in ((doubtful, "needs_approval"), (turned_down, "needs_approval"),
                         (halted_too, "needs_approval"), (too_big, "rejected")):  # fmt: skip
        assert ideas.evaluate(idea, timestamp=FRIDAY).status == status
    ideas.approve(doubtful, reviewer=ada, reason="small enough", timestamp=FRIDAY)
    ideas.reject(turned_down, reviewer=ada, reason="not before the weekend", timestamp=FRIDAY)

    # Lehman fails: what was bought falls by more than is allowed, and everything stops.
    order = ideas.execute(approved, quantity=100, timestamp=FRIDAY)
    tracker = PortfolioTracker(book)
    fill = tracker.record_trade(
        symbol="SPY", action="buy", quantity=100, price=close, timestamp=FRIDAY, order=order.id, strategy_used="fear",
        commission=1,
    )  # fmt: skip
    ideas.mark_filled(approved, fill)
    wednesday = dt.datetime(2008, 9, 17, 20, tzinfo=dt.UTC)
    tracker.mark_to_market({"SPY": closes[wednesday.date()]}, wednesday)
    PortfolioSnapshotter(book).create_daily_portfolio_snapshot(wednesday)
    lost = 100 * (close - closes[wednesday.date()]) + 1
    assert lost > 900
    assert ideas.evaluate(waiting, timestamp=wednesday).breaches == ("max_drawdown_amount",)
    assert {TradeIdea.objects.get(pk=one.id).status for one in (waiting, halted_too)} == {"halted_by_risk"}
    assert f"{lost.normalize():f}" in RiskConfig.load().last_halt_reason
    with pytest.raises(InvalidTransitionError, match="trading is halted"):
        ideas.execute(doubtful, timestamp=wednesday)
    RiskConfig.objects.update(max_drawdown_amount=None)
    ideas.resume(actor=ada, timestamp=wednesday)
    assert ideas.evaluate(waiting, timestamp=wednesday).status == "auto_executed"
    assert ideas.evaluate(halted_too, timestamp=wednesday).status == "needs_approval"

    moves = DecisionHistory.objects.exclude(from_status="").values_list("from_status", "to_status", "action")
    assert set(moves) == {(*edge, action) for edge, action in IDEA_MOVES.items()}
    for idea in (doubtful, turned_down, too_big, waiting):
        seen = ideas.replay(idea)
        assert [len(rows) for rows in (seen.candles, seen.indicators, seen.calendar, seen.news, seen.accounts)] == [
            1
        ] * 5

    # What was turned down is judged once its two weeks are over. The market came back to 126.09 only on the 19th, for
    # a day: on Monday the 22nd it fell through the stop at 122.31.
    assert evaluate_rejected(now=FRIDAY + dt.timedelta(days=5)).pending == 2
    assert evaluate_rejected(now=FRIDAY + dt.timedelta(days=60)).evaluated == 2
    assert evaluate_rejected(now=FRIDAY + dt.timedelta(days=60)).evaluated == 0
    outcome = IdeaOutcome.objects.get(trade_idea=turned_down.id)
    assert (outcome.entered_at.date(), outcome.exited_at.date()) == (dt.date(2008, 9, 19), dt.date(2008, 9, 22))
    assert (outcome.exit_reason, outcome.entry_price, outcome.exit_price) == ("STOP", close, D("122.31"))
    assert outcome.pnl == 50 * (D("122.31") - close)
    assert outcome.price_after == closes[dt.date(2008, 9, 29)]  # the first session after 26 September, 20:00

    # The trade is sold at the end, and explained from what was seen to what it lost.
    friday = dt.datetime(2008, 9, 19, 20, tzinfo=dt.UTC)
    tracker.record_trade(symbol="SPY", action="sell", quantity=100, price=closes[friday.date()], timestamp=friday,
                         strategy_used="fear")  # fmt: skip
    found = tracker.explain(fill)
    assert (found.idea.id, found.order.id, len(found.decisions)) == (approved.id, order.id, 2)
    assert found.positions[0].realized_pnl == 100 * (closes[friday.date()] - close)
    assert found.seen.candles[0].close == close
    by_idea = tracker.calculate_pnl(by="idea")
    assert {key: pnl.realized for key, pnl in by_idea.items()} == {str(approved.id): found.positions[0].realized_pnl}

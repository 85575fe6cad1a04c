"""A trade with everything that can be told of one."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

from portfolio_manager.data_logger import PortfolioTracker, TradeIdeaService
from portfolio_manager.models import RiskConfig
from tests.factories import MONDAY, UserFactory
from trading_engine.services import RegimeLogger, SentimentLogger, SignalLogger, TradeLogger

__all__ = ["HOUR", "trade_with_everything"]

HOUR = dt.timedelta(hours=1)
SEEN = {"candles": [{"symbol": "AAPL", "timeframe": "1h", "open": 185, "high": 189, "low": 184, "close": 187}]}


def trade_with_everything(book: Any) -> dict[str, UUID]:
    """Make a trade seen, advised, proposed, escalated, approved, ordered in two fills and closed; return all ids."""
    tracker = PortfolioTracker(book)
    RiskConfig.load()
    RiskConfig.objects.update(ai_trading_enabled=True, max_lot_size=20)
    RegimeLogger().log_regime_change(regime_type="BEAR", timestamp=MONDAY - 30 * HOUR, detector="ENHANCED")
    RegimeLogger().log_regime_change(
        regime_type="BULL", timestamp=MONDAY - HOUR, detector="ENHANCED", confidence_score=0.8,
        transition_reason="trend up",
    )  # fmt: skip
    RegimeLogger().log_regime_change(regime_type="CRISIS", timestamp=MONDAY + 9 * HOUR, detector="ENHANCED")
    news = SentimentLogger().log_sentiment(
        symbol="AAPL", timestamp=MONDAY - HOUR, news_source="Reuters", headline="Apple rises", sentiment_score=0.6
    )
    signal = SignalLogger(book).log_signal(
        symbol="AAPL", signal_type="BUY", timestamp=MONDAY, strategy_name="dip", confidence_score=0.6
    )
    ideas = TradeIdeaService(book)
    idea = ideas.propose(
        symbol="AAPL", direction="long", entry_price=187, quantity=10, confidence_score=0.5, timestamp=MONDAY, seen=SEEN
    )
    ideas.evaluate(idea, timestamp=MONDAY)
    ideas.approve(idea, reviewer=UserFactory(username="ada"), reason="seen before", timestamp=MONDAY)
    order = ideas.execute(idea, timestamp=MONDAY)
    trades = TradeLogger(book)
    first, _second = (
        tracker.record_trade(
            symbol="AAPL", action="buy", quantity=5, price=price, timestamp=MONDAY + minutes * HOUR / 60,
            order=order.id, commission=1, shap_values={"rsi": 0.4}, regime_at_entry="BULL",
            sentiment_score=Decimal("0.6"),
        )
        for price, minutes in ((187, 1), (188, 2))
    )  # fmt: skip
    trades.update_order_status(order.id, "submitted", timestamp=MONDAY)
    trades.update_order_status(order.id, "filled", timestamp=MONDAY + HOUR)
    ideas.mark_filled(idea, first)
    SignalLogger(book).mark_executed(signal, first)
    SentimentLogger().link_trade(first, [news])
    tracker.record_trade(symbol="AAPL", action="sell", quantity=10, price=190, timestamp=MONDAY + 5 * HOUR)
    return {"trade": first.id, "idea": idea.id, "order": order.id, "signal": signal.id, "news": news.id}

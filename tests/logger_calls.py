"""
Every public method of the loggers, with a call that succeeds and the kind of each of its parameters.

A kind is a list of bad values in tests/bad_values.py; "!" before it says that None is one of them.
"""

from __future__ import annotations

import datetime as dt
import inspect
import typing
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import friren
from friren.core.models import User
from friren.errors import RejectedRecordError
from portfolio_manager.data_logger import (
    DecisionLogger,
    PortfolioSnapshotter,
    PortfolioTracker,
    PredictionTracker,
    RiskLogger,
    TradeIdeaService,
)
from portfolio_manager.models import RiskConfig
from trading_engine.services import (
    BacktestRecorder,
    MarketRecorder,
    ModelTracker,
    PairRecorder,
    RegimeLogger,
    SentimentLogger,
    SignalLogger,
    SnapshotLogger,
    TradeLogger,
)

__all__ = ["CALLS", "MAPPINGS", "NOON", "ROUND_TRIP", "TRADE", "Call", "World", "parameters_of"]

NOON: Final = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
LATER: Final = NOON + dt.timedelta(hours=1)


class World:
    """One account with an order, a fill, a signal and a run, and its loggers."""

    def __init__(self) -> None:
        self.book = friren.open_account("book", starting_cash=1000)
        self.trades, self.signals = TradeLogger(self.book), SignalLogger(self.book)
        self.regimes, self.risk = RegimeLogger(self.book), RiskLogger(self.book)
        self.tracker, self.runs = PortfolioTracker(self.book), BacktestRecorder()
        self.sentiments, self.models = SentimentLogger(), ModelTracker()
        self.markets, self.bets = MarketRecorder(), PredictionTracker(self.book)
        self.seen, self.decisions = SnapshotLogger(), DecisionLogger(self.book)
        self.ideas, self.snapshots = TradeIdeaService(self.book), PortfolioSnapshotter(self.book)
        self.pairs = PairRecorder()
        self.pairs.record_pair(**PAIR)
        self.run_book = friren.open_account("run", environment="BACKTEST")
        self.order = self.trades.log_order(**ORDER).id
        self.trade = self.trades.log_trade(**TRADE).id
        self.tracker.mark_to_market({"AAPL": 188}, NOON)
        self.signal = self.signals.log_signal(**SIGNAL).id
        RiskConfig.load()
        RiskConfig.objects.update(ai_trading_enabled=True)
        self.person = User.objects.get(username="system").pk
        self.idea, self.doubtful, self.approved = (
            self.ideas.propose(**{**IDEA, "confidence_score": score}).id for score in (0.5, 0.5, 0.9)
        )
        for idea in (self.doubtful, self.approved):
            self.ideas.evaluate(idea)
        self.sentiment = self.sentiments.log_sentiment(**SENTIMENT).id
        self.linked = [self.sentiment]
        self.models.track_predictions([{**PREDICTION, "prediction_id": PREDICTION_ID}])
        self.run = self.runs.start_run(self.run_book, name="run", starts_at=NOON, ends_at=LATER).id
        self.runs.update_run_status(self.run, "RUNNING")


@dataclass(frozen=True)
class Call:
    """A method: who has it, what it takes, and what it takes gladly (parts of the world by name)."""

    owner: Any  # a logger class, or a module of functions
    method: str
    kinds: Mapping[str, str]
    good: Mapping[str, Any] = field(default_factory=dict)
    from_world: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.owner.__name__}.{self.method}"

    def bind(self, world: World) -> tuple[Callable[..., Any], dict[str, Any]]:
        """Return the method itself and the keywords of a call that succeeds."""
        keywords = {**self.good, **{name: getattr(world, part) for name, part in self.from_world.items()}}
        if self.method == "__init__" or not inspect.isclass(self.owner):
            return self.owner if self.method == "__init__" else getattr(self.owner, self.method), keywords
        service = next(one for one in vars(world).values() if type(one) is self.owner)
        return getattr(service, self.method), keywords


@dataclass(frozen=True)
class MappingOf:
    """A parameter that is a mapping of another method's keywords, one or many."""

    method: str
    name: str  # in a refusal of the mapping as such
    kinds: Mapping[str, str]
    good: Mapping[str, Any]
    bulk: Callable[[World], Callable[..., Any]] | None = None

    def __str__(self) -> str:
        return self.method

    def refused(self, world: World, records: list[Any]) -> list[tuple[int, RejectedRecordError]]:
        """Return (index, error) of the records that are refused."""
        if self.bulk is not None:
            return self.bulk(world)(records).rejected
        found = []
        for index, record in enumerate(records):
            try:
                world.trades.correct_trade(world.trade, reason="error", corrected=record)
            except RejectedRecordError as exc:
                found.append((index, exc))
        return found


def parameters_of(function: Callable[..., Any]) -> set[str]:
    """Return the names of all parameters, those of an unpacked TypedDict included."""
    names: set[str] = set()
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            (details,) = typing.get_args(typing.get_type_hints(function)[name])
            names |= details.__annotations__.keys()
        elif name != "self":
            names.add(name)
    return names


ORDER: Final = {"symbol": "AAPL", "action": "buy", "quantity": 10, "timestamp": NOON}
TRADE: Final = {**ORDER, "price": Decimal("187.32")}
SIGNAL: Final = {"symbol": "AAPL", "signal_type": "BUY", "timestamp": NOON}
SENTIMENT: Final = {
    "symbol": "AAPL", "news_source": "Reuters", "headline": "Apple rises", "sentiment_score": 0.5, "timestamp": NOON,
}  # fmt: skip
IDEA: Final = {
    "symbol": "AAPL", "direction": "long", "entry_price": 187, "timestamp": NOON, "confidence_score": 0.5,
    "quantity": 1,
}  # fmt: skip
PERFORMANCE: Final = {"model_id": "xgboost", "model_version": "7", "timestamp": NOON, "accuracy_score": 0.6}
PREDICTION: Final = {"model_id": "xgboost", "model_version": "7", "timestamp": NOON}
PREDICTION_ID: Final = uuid.UUID("0199a5a0-0000-7000-8000-000000000001")
OUTCOME: Final = {"prediction": PREDICTION_ID, "actual": {"direction": "up"}}
RISK: Final = {"timestamp": NOON, "portfolio_value": 1000, "total_exposure": 500}
PAIR: Final = {
    "symbol_1": "AAPL", "symbol_2": "MSFT", "cointegration_pvalue": 0.01, "hedge_ratio": 1.5, "correlation": 0.9,
}  # fmt: skip
BAR: Final = {"start": "time", "end": "time", "limit": "limit", "after": "page"}

ORDER_KINDS: Final = {
    "action": "!choice", "quantity": "!quantity", "timestamp": "!time", "order_id": "key", "symbol": "!symbol",
    "pair": "pair", "market": "soft reference", "signal": "reference", "type": "choice", "time_in_force": "choice",
    "limit_price": "price", "stop_price": "price", "stop_loss_price": "price", "target_price": "price",
    "leverage": "leverage", "strategy_used": "text(255)", "round_trip": "uuid", "reasoning": "text",
    "expires_at": "time", "venue": "text(50)", "external_id": "text(255)", "tags": "texts(64)", "extra": "json",
}  # fmt: skip
TRADE_KINDS: Final = {
    "action": "!choice", "quantity": "!quantity", "price": "!price", "timestamp": "!time", "trade_id": "key",
    "pair": "pair", "symbol": "!symbol", "market": "soft reference", "instrument_type": "choice", "order": "reference",
    "amount": "money above 0", "received_at": "time", "commission": "money", "commission_currency": "text(10)",
    "venue": "text(50)", "external_id": "text(255)", "liquidity": "choice or empty", "expected_price": "price",
    "stop_loss_price": "price", "target_price": "price", "leverage": "leverage", "exit_reason": "choice or empty",
    "tags": "texts(64)", "extra": "json", "round_trip": "uuid", "source_pnl": "money", "strategy_used": "text(255)",
    "model_id": "text(50)", "regime_at_entry": "choice or empty", "sentiment_score": "score",
    "confidence_score": "ratio", "reasoning": "text", "shap_values": "json", "market_question": "text",
    "event": "soft reference", "event_title": "text", "event_ends_at": "time",
}  # fmt: skip
SIGNAL_KINDS: Final = {
    "signal_type": "!choice", "timestamp": "!time", "signal_id": "uuid", "symbol": "!symbol",
    "pair": "pair", "market": "soft reference", "kind": "choice", "strategy_name": "text(255)",
    "confidence_score": "ratio",
    "reasoning": "text", "regime": "reference", "target_price": "price", "amount": "money", "yes_price": "price",
    "no_price": "price", "market_liquidity": "money", "market_volume": "money", "market_question": "text",
    "event": "soft reference", "event_title": "text", "event_ends_at": "time", "z_score": "stat",
    "spread_value": "stat", "batch_id": "uuid", "extra": "json",
}  # fmt: skip
SENTIMENT_KINDS: Final = {
    "symbol": "!symbol", "news_source": "!name(255)", "headline": "!reason", "sentiment_score": "!score",
    "timestamp": "!time", "sentiment_id": "uuid", "confidence": "ratio", "finbert_scores": "json",
    "model_id": "text(50)", "extra": "json",
}  # fmt: skip
PERFORMANCE_KINDS: Final = {
    "model_id": "!name(50)", "model_version": "!name(50)", "timestamp": "!time", "accuracy_score": "!ratio",
    "total_trades": "count", "profitable_trades": "count", "features_used": "json list", "shap_summary": "json",
}  # fmt: skip
PREDICTION_KINDS: Final = {
    "model_id": "!name(50)", "model_version": "!name(50)", "timestamp": "!time", "symbol": "symbol",
    "predicted": "json", "confidence": "ratio", "features": "json", "due_at": "time", "prediction_id": "uuid",
}  # fmt: skip
OUTCOME_KINDS: Final = {
    "prediction": "!reference", "actual": "json value", "is_correct": "boolean", "timestamp": "time",
}  # fmt: skip
EVENT: Final = {"event_id": "7", "title": "Weather"}
MARKET: Final = {"market_id": "71", "question": "Does it rain?"}
STOOD: Final = {"market": "71", "timestamp": NOON}
BET: Final = {"market": "71", "price": Decimal("0.4"), "timestamp": NOON, "amount": 10}
EVENT_KINDS: Final = {
    "event_id": "!name(255)", "title": "reason", "slug": "text(500)", "liquidity": "money", "volume": "money",
    "volume24hr": "money", "starts_at": "time", "ends_at": "time", "days_until_end": "bigint", "event_data": "json",
    "is_filtered": "boolean", "told_at": "time",
}  # fmt: skip
FIGURES: Final = {
    "yes_price": "payout", "no_price": "payout", "liquidity": "money", "volume": "money", "volume24hr": "money",
    "market_conviction": "price",
}  # fmt: skip
MARKET_KINDS: Final = {
    "market_id": "!name(255)", "question": "reason", "event": "soft reference", "event_title": "text",
    "event_ends_at": "time", "condition_id": "text(100)", "yes_token_id": "text(100)", "no_token_id": "text(100)",
    "resolved_outcome": "choice or empty", "resolved_at": "time", "market_data": "json", "is_filtered": "boolean",
    "told_at": "time", **FIGURES,
}  # fmt: skip
STOOD_KINDS: Final = {"market": "!soft reference", "timestamp": "!time", **FIGURES}
BET_KINDS: Final = {
    "market": "!soft reference", "price": "!payout", "timestamp": "!time", "amount": "!money above 0",
    "quantity": "quantity", "trade_id": "key", "order": "reference", "market_question": "text",
    "event": "soft reference", "event_title": "text", "event_ends_at": "time", "strategy_used": "text(255)",
    "model_id": "text(50)", "confidence_score": "ratio", "reasoning": "text", "expected_price": "price",
    "commission": "money", "commission_currency": "text(10)", "venue": "text(50)", "external_id": "text(255)",
    "exit_reason": "choice or empty", "source_pnl": "money", "tags": "texts(64)", "extra": "json",
}  # fmt: skip
RISK_KINDS: Final = {
    "timestamp": "!time", "portfolio_value": "!money", "total_exposure": "!money", "max_position_size": "money",
    "correlation_risk": "correlation", "var_estimate": "money",
}  # fmt: skip
LEG_KINDS: Final = {"price": "!price", "timestamp": "!time", "commission": "money"}
FIGURE_KINDS: Final = {
    "total_return": "!stat", "annualized_return": "stat", "sharpe_ratio": "stat", "sortino_ratio": "stat",
    "max_drawdown": "!stat", "win_rate": "stat", "profit_factor": "stat", "trade_count": "!count",
    "avg_holding_period": "stat", "detailed_metrics": "json",
}  # fmt: skip

ROUND_TRIP: Final = {
    "symbol": "AAPL", "action": "buy", "quantity": 10, "entry_price": 10, "entry_timestamp": NOON, "exit_price": 11,
    "exit_timestamp": LATER,
}  # fmt: skip

CALLS: Final = [
    Call(TradeLogger, "__init__", {"account": "account"}),
    Call(TradeLogger, "log_order", ORDER_KINDS, ORDER),
    Call(
        TradeLogger, "update_order_status",
        {
            "order": "!reference", "status": "!choice", "timestamp": "time", "reason": "text", "venue": "text(50)",
            "external_id": "text(255)", "payload": "json",
        },
        {"status": "submitted"}, {"order": "order"},
    ),
    Call(TradeLogger, "open_orders", {"limit": "limit", "after": "page"}),
    Call(TradeLogger, "log_trade", TRADE_KINDS, TRADE),
    Call(
        TradeLogger, "log_round_trip",
        {
            **{name: kind for name, kind in TRADE_KINDS.items() if name not in {*LEG_KINDS, "trade_id"}},
            **{f"{leg}_{name}": kind for leg in ("entry", "exit") for name, kind in LEG_KINDS.items()},
            "commission": "any",
        },
        ROUND_TRIP,
    ),
    Call(TradeLogger, "bulk_log", {"trades": "records"}),
    Call(
        TradeLogger, "update_trade_status",
        {"trade": "!reference", "status": "!choice", "timestamp": "time", "reason": "text"},
        {"status": "settled"}, {"trade": "trade"},
    ),
    Call(
        TradeLogger, "bust_trade", {"trade": "!reference", "reason": "!reason", "timestamp": "time"},
        {"reason": "error"}, {"trade": "trade"},
    ),
    Call(
        TradeLogger, "correct_trade", {"trade": "!reference", "reason": "!reason", "corrected": "record"},
        {"reason": "error", "corrected": TRADE}, {"trade": "trade"},
    ),
    Call(TradeLogger, "get_trade_history",
         {
             "symbol": "symbol", "pair": "pair", "strategy": "text(255)", "status": "choice",
             "include_archive": "boolean", **BAR,
         }),
    Call(TradeLogger, "latest_trades", {"symbols": "symbols"}),
    Call(TradeLogger, "flush", {"timeout": "!stat"}),
    Call(SignalLogger, "__init__", {"account": "account"}),
    Call(SignalLogger, "log_signal", SIGNAL_KINDS, SIGNAL),
    Call(SignalLogger, "bulk_log", {"signals": "records"}),
    Call(
        SignalLogger, "log_batch", {"signals": "records", "at": "!time", "batch_id": "uuid"},
        {"signals": [], "at": NOON},
    ),
    Call(SignalLogger, "current_signals", {"limit": "limit"}),
    Call(SignalLogger, "archive_current_signals", {"at": "!time"}, {"at": NOON}),
    Call(SignalLogger, "mark_processed", {"signal": "!reference", "timestamp": "time"}, {}, {"signal": "signal"}),
    Call(
        SignalLogger, "mark_executed", {"signal": "!reference", "trade": "reference", "timestamp": "time"},
        {}, {"signal": "signal", "trade": "trade"},
    ),
    Call(
        SignalLogger, "get_signal_history",
        {
            "symbol": "symbol", "pair": "pair", "strategy": "text(255)", "signal_type": "choice", "executed": "boolean",
            "include_archive": "boolean", **BAR,
        },
    ),
    Call(SignalLogger, "flush", {"timeout": "!stat"}),
    Call(RegimeLogger, "__init__", {"account": "account", "detector": "!name(50)"}),
    Call(
        RegimeLogger, "log_regime_change",
        {
            "regime_type": "!choice", "timestamp": "!time", "regime_id": "uuid", "symbol": "symbol",
            "detector": "name(50)", "confidence_score": "ratio", "indicators_used": "json",
            "transition_reason": "text", "vix_average": "stat", "volatility_score": "stat", "macro_score": "stat",
        },
        {"regime_type": "BULL", "timestamp": NOON},
    ),
    Call(
        RegimeLogger, "get_regime_history",
        {"symbol": "symbol", "detector": "name(50)", "regime_type": "choice", **BAR},
    ),
    Call(RegimeLogger, "current_regime", {"symbol": "symbol", "detector": "name(50)"}),
    Call(
        RegimeLogger, "regime_at", {"timestamp": "!time", "symbol": "symbol", "detector": "name(50)"},
        {"timestamp": NOON},
    ),
    Call(RegimeLogger, "flush", {"timeout": "!stat"}),
    Call(
        BacktestRecorder, "start_run",
        {
            "account": "account", "name": "!name(255)", "starts_at": "!time", "ends_at": "!time", "run_id": "uuid",
            "strategy_name": "text(255)", "parameters": "json", "engine": "name(50)", "engine_version": "text(50)",
            "code_version": "text(64)", "data_digest": "text(64)", "seed": "bigint", "user": "user",
            "pairs": "pairs",
        },
        {"name": "again", "starts_at": NOON, "ends_at": LATER}, {"account": "free_book"},
    ),
    Call(
        BacktestRecorder, "update_run_status",
        {"run": "!reference", "status": "!choice", "message": "text", "timestamp": "time"},
        {"status": "FAILED"}, {"run": "run"},
    ),
    Call(
        BacktestRecorder, "finish_run", {"run": "!reference", "timestamp": "time", **FIGURE_KINDS},
        {"total_return": 0.1, "max_drawdown": -0.2, "trade_count": 3}, {"run": "run"},
    ),
    Call(BacktestRecorder, "flush", {"timeout": "!stat"}),
    Call(
        PairRecorder, "record_pair",
        {
            "symbol_1": "!symbol", "symbol_2": "!symbol", "timestamp": "time", "cointegration_pvalue": "!share",
            "hedge_ratio": "!stat", "correlation": "!share of both signs", "half_life": "stat",
            "stability_score": "stat", "lookback_days": "count", "is_active": "boolean",
        },
        PAIR,
    ),
    Call(PairRecorder, "deactivate_pair", {"pair": "!pair", "timestamp": "time"}, {"pair": ("AAPL", "MSFT")}),
    Call(PairRecorder, "flush", {"timeout": "!stat"}),
    Call(SentimentLogger, "log_sentiment", SENTIMENT_KINDS, {**SENTIMENT, "headline": "Apple falls"}),
    Call(SentimentLogger, "bulk_insert_news", {"news": "records"}),
    Call(
        SentimentLogger, "link_trade", {"trade": "!reference", "sentiments": "!references"},
        {}, {"trade": "trade", "sentiments": "linked"},
    ),
    Call(
        SentimentLogger, "get_sentiment_history",
        {
            "symbol": "symbol", "news_source": "name(255)", "model_id": "text(50)", "include_archive": "boolean",
            **BAR,
        },
    ),
    Call(SentimentLogger, "flush", {"timeout": "!stat"}),
    Call(ModelTracker, "log_model_performance", PERFORMANCE_KINDS, PERFORMANCE),
    Call(ModelTracker, "track_predictions", {"predictions": "records"}),
    Call(ModelTracker, "resolve_predictions", {"outcomes": "records"}),
    Call(
        ModelTracker, "get_model_metrics",
        {
            "model_id": "!name(50)", "model_version": "name(50)", "start": "time", "end": "time", "buckets": "limit",
            "every": "choice", "drift_until": "time",
        },
        {"model_id": "xgboost", "every": "week"},
    ),
    Call(ModelTracker, "flush", {"timeout": "!stat"}),
    Call(MarketRecorder, "record_event", EVENT_KINDS, EVENT),
    Call(MarketRecorder, "record_market", MARKET_KINDS, MARKET),
    Call(MarketRecorder, "log_market_snapshot", STOOD_KINDS, STOOD),
    Call(MarketRecorder, "record_events", {"events": "records", "at": "!time"}, {"events": [], "at": NOON}),
    Call(MarketRecorder, "record_markets", {"markets": "records", "at": "!time"}, {"markets": [], "at": NOON}),
    Call(MarketRecorder, "bulk_log_snapshots", {"snapshots": "records"}),
    Call(MarketRecorder, "get_snapshot_history",
         {"market": "soft reference", "include_archive": "boolean", **BAR}),
    Call(MarketRecorder, "flush", {"timeout": "!stat"}),
    Call(PredictionTracker, "buy_yes", BET_KINDS, BET),
    Call(PredictionTracker, "mark_from_snapshots", {"at": "!time"}, {"at": NOON}),
    Call(
        SnapshotLogger, "log_candle",
        {
            "symbol": "!name(100)", "timeframe": "!name(8)", "open": "!price", "high": "!price", "low": "!price",
            "close": "!price", "captured_at": "!time", "volume": "quantity or 0", "snapshot_ref": "uuid",
        },
        {"symbol": "AAPL", "timeframe": "1h", "open": 1, "high": 3, "low": 1, "close": 2, "captured_at": NOON},
    ),
    Call(
        SnapshotLogger, "log_indicators",
        {
            "symbol": "!name(100)", "timeframe": "!name(8)", "captured_at": "!time", "rsi_14": "percent",
            "sma_50": "price", "sma_200": "price", "macd": "price", "atr": "price", "snapshot_ref": "uuid",
        },
        {"symbol": "AAPL", "timeframe": "1h", "captured_at": NOON},
    ),
    Call(
        SnapshotLogger, "log_calendar",
        {
            "event_time": "!time", "currency": "!name(10)", "impact_level": "!choice", "title": "!name(500)",
            "captured_at": "!time", "previous_value": "text(64)", "forecast_value": "text(64)",
            "actual_value": "text(64)", "snapshot_ref": "uuid",
        },
        {"event_time": NOON, "currency": "USD", "impact_level": "low", "title": "CPI", "captured_at": NOON},
    ),
    Call(
        SnapshotLogger, "log_news",
        {
            "headline": "!reason", "source": "!name(255)", "published_at": "!time", "captured_at": "!time",
            "symbols": "texts(100)", "snapshot_ref": "uuid",
        },
        {"headline": "Apple rises", "source": "Reuters", "published_at": NOON, "captured_at": NOON},
    ),
    Call(SnapshotLogger, "flush", {"timeout": "!stat"}),
    Call(DecisionLogger, "__init__", {"account": "account"}),
    Call(
        DecisionLogger, "log_decision",
        {
            "action": "!choice", "timestamp": "!time", "symbol": "symbol", "rationale": "text",
            "confidence_score": "ratio", "risk_check_result": "json", "strategy": "reference", "idea": "reference",
            "snapshot_ref": "uuid", "human_override": "boolean", "actor": "user", "decision_id": "uuid",
        },
        {"action": "ai_proposed", "timestamp": NOON},
    ),
    Call(
        DecisionLogger, "get_decision_history",
        {
            "symbol": "symbol", "action": "choice", "strategy": "uuid", "idea": "uuid", "include_archive": "boolean",
            **BAR,
        },
    ),
    Call(DecisionLogger, "flush", {"timeout": "!stat"}),
    Call(PortfolioSnapshotter, "__init__", {"account": "account"}),
    Call(PortfolioSnapshotter, "snapshot", {"at": "!time"}, {"at": NOON}),
    Call(PortfolioSnapshotter, "create_daily_portfolio_snapshot", {"at": "!time"}, {"at": NOON}),
    Call(
        PortfolioSnapshotter, "log_account_snapshot",
        {
            "captured_at": "!time", "balance": "!money", "equity": "!money", "margin_used": "money",
            "margin_free": "money", "open_pl": "money", "open_positions": "count", "snapshot_ref": "uuid",
        },
        {"captured_at": NOON, "balance": 1000, "equity": 1000},
    ),
    Call(PortfolioSnapshotter, "get_snapshot_history", {"kind": "choice", **BAR}),
    Call(PortfolioSnapshotter, "flush", {"timeout": "!stat"}),
    Call(TradeIdeaService, "__init__", {"account": "account"}),
    Call(
        TradeIdeaService, "propose",
        {
            "symbol": "!symbol", "direction": "!choice", "confidence_score": "!ratio", "timestamp": "!time",
            "entry_price": "price", "entry_range": "prices of a range", "stop_loss": "price", "take_profit": "price",
            "quantity": "quantity", "expected_hold": "text(64)", "rationale": "text", "strategy": "reference",
            "snapshot_ref": "uuid", "seen": "record", "idea_id": "uuid",
        },
        IDEA,
    ),
    Call(TradeIdeaService, "evaluate", {"idea": "!reference", "timestamp": "time"}, {}, {"idea": "idea"}),
    Call(
        TradeIdeaService, "approve",
        {"idea": "!reference", "reviewer": "!user", "reason": "text", "timestamp": "time"},
        {}, {"idea": "doubtful", "reviewer": "person"},
    ),
    Call(
        TradeIdeaService, "reject",
        {"idea": "!reference", "reviewer": "!user", "reason": "!reason", "timestamp": "time"},
        {"reason": "no"}, {"idea": "doubtful", "reviewer": "person"},
    ),
    Call(TradeIdeaService, "halt", {"reason": "!reason", "actor": "user", "timestamp": "time"}, {"reason": "lunch"}),
    # Nothing is halted, so nobody is looked up.
    Call(TradeIdeaService, "resume", {"reason": "!text", "actor": "any", "timestamp": "time"}, {"reason": "back"}),
    Call(
        TradeIdeaService, "execute",
        {
            "idea": "!reference", "quantity": "quantity", "type": "choice", "limit_price": "price",
            "time_in_force": "choice", "timestamp": "time",
        },
        {}, {"idea": "approved"},
    ),
    Call(
        TradeIdeaService, "mark_filled", {"idea": "!reference", "trade": "!reference", "timestamp": "time"},
        {}, {"idea": "approved", "trade": "trade"},
    ),
    Call(TradeIdeaService, "replay", {"idea": "!uuid"}, {}, {"idea": "idea"}),
    Call(TradeIdeaService, "get_active_ideas", {"limit": "limit", "after": "page"}),
    Call(
        TradeIdeaService, "get_idea_history",
        {"symbol": "symbol", "status": "choice", "include_archive": "boolean", **BAR},
    ),
    Call(TradeIdeaService, "flush", {"timeout": "!stat"}),
    Call(RiskLogger, "__init__", {"account": "account"}),
    Call(
        RiskLogger, "log_risk_metrics", RISK_KINDS, RISK,
    ),
    Call(RiskLogger, "bulk_log", {"days": "records"}),
    Call(RiskLogger, "compute", {"at": "!time"}, {"at": NOON}),
    Call(RiskLogger, "get_risk_history", BAR),
    Call(RiskLogger, "flush", {"timeout": "!stat"}),
    Call(PortfolioTracker, "__init__", {"account": "account"}),
    Call(PortfolioTracker, "record_trade", TRADE_KINDS, TRADE),
    Call(PortfolioTracker, "update_position", {"trade": "!reference"}, {}, {"trade": "trade"}),
    Call(
        PortfolioTracker, "record_cash",
        {
            "kind": "!choice", "amount": "!money other than 0", "at": "!time", "currency": "name(10)",
            "symbol": "symbol", "counter_account": "reference", "venue": "text(50)", "external_id": "text(255)",
            "movement_id": "key", "corrects": "reference", "reason": "text", "extra": "json", "received_at": "time",
        },
        {"kind": "TRANSFER", "amount": 5, "at": NOON},
    ),
    Call(
        PortfolioTracker, "apply_corporate_action",
        {
            "symbol": "!symbol", "kind": "!choice", "effective_at": "!time", "ratio": "quantity", "amount": "money",
            "currency": "text(10)", "source": "text(50)", "received_at": "time",
        },
        {"symbol": "AAPL", "kind": "SPLIT", "effective_at": LATER, "ratio": 2},
    ),
    Call(
        PortfolioTracker, "resolve_market",
        {
            "market": "!soft reference", "outcome": "!choice", "resolved_at": "!time", "yes_payout": "!payout",
            "source": "text(50)", "received_at": "time",
        },
        {"market": "fed-june", "outcome": "INVALID", "resolved_at": NOON, "yes_payout": Decimal("0.5")},
    ),
    Call(
        PortfolioTracker, "mark_to_market", {"prices": "prices", "at": "!time"}, {"prices": {"AAPL": 190}, "at": LATER}
    ),
    Call(PortfolioTracker, "calculate_pnl", {"start": "time", "end": "time", "by": "choice"}),
    Call(PortfolioTracker, "explain", {"trade": "!uuid"}, {}, {"trade": "trade"}),
    Call(PortfolioTracker, "close_period", {"at": "!time", "closed_by": "user"}, {"at": LATER}),
    Call(PortfolioTracker, "rebuild", {"check": "boolean"}),
    Call(PortfolioTracker, "flush", {"timeout": "!stat"}),
    Call(
        friren, "open_account",
        {
            "name": "!name(100)", "environment": "!choice", "starting_cash": "cash", "base_currency": "!name(10)",
            "cost_basis": "!choice", "position_mode": "!choice", "timezone": "!zone", "owner": "!name(150)",
        },
        {"name": "another"},
    ),
]  # fmt: skip

MAPPINGS: Final = [
    MappingOf("TradeLogger.bulk_log", "trade", TRADE_KINDS, TRADE, lambda world: world.trades.bulk_log),
    MappingOf("TradeLogger.correct_trade", "corrected", TRADE_KINDS, TRADE),
    MappingOf("SignalLogger.bulk_log", "signal", SIGNAL_KINDS, SIGNAL, lambda world: world.signals.bulk_log),
    MappingOf(
        "SentimentLogger.bulk_insert_news",
        "news",
        SENTIMENT_KINDS,
        {**SENTIMENT, "headline": "Apple falls"},
        lambda world: world.sentiments.bulk_insert_news,
    ),
    MappingOf(
        "ModelTracker.track_predictions",
        "prediction",
        PREDICTION_KINDS,
        PREDICTION,
        lambda world: world.models.track_predictions,
    ),
    MappingOf(
        "ModelTracker.resolve_predictions",
        "outcome",
        OUTCOME_KINDS,
        OUTCOME,
        lambda world: world.models.resolve_predictions,
    ),
    MappingOf(
        "MarketRecorder.bulk_log_snapshots",
        "snapshot",
        STOOD_KINDS,
        STOOD,
        lambda world: world.markets.bulk_log_snapshots,
    ),
    MappingOf("RiskLogger.bulk_log", "day", RISK_KINDS, RISK, lambda world: world.risk.bulk_log),
]

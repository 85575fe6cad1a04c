"""
Every public method of every service, with a call that is told the same way whenever it is told.

Ids and times are worked out from a name, so a call of another process, or after an outage, is the same call.
"""

from __future__ import annotations

import collections
import datetime as dt
import inspect
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from friren.persistence.receipts import BulkReceipt, Receipt

__all__ = ["STEPS", "World", "missing_steps", "outcomes_of", "say_all"]

NOON: Final = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
LATER: Final = NOON + dt.timedelta(hours=1)
# Steps of people, which wait for the database: test_books_in_an_outage.py tells what they raise without it.
ADMINISTRATIVE: Final = frozenset({"PortfolioTracker.close_period", "PortfolioTracker.rebuild"})
# Calls on a verdict that only the database gives: tests/integration/portfolio_manager/ideas tells how they end.
AFTER_A_VERDICT: Final = frozenset(f"TradeIdeaService.{name}" for name in ("approve", "reject", "mark_filled", "halt"))
WITHOUT_DATA: Final = frozenset({"close", "flush"})


class World:
    """The services of one account, and the ids of what is told under one name."""

    def __init__(self, name: str) -> None:
        import friren
        from portfolio_manager import data_logger as books
        from trading_engine import services

        self.name = name
        self.account = friren.open_account(f"book-{name}", starting_cash=1000)
        self.run_books = [friren.open_account(f"run-{name}-{n}", environment="BACKTEST") for n in range(3)]
        of_account = (
            services.TradeLogger, services.SignalLogger, services.RegimeLogger, books.PortfolioTracker,
            books.PredictionTracker, books.RiskLogger, books.DecisionLogger, books.PortfolioSnapshotter,
            books.TradeIdeaService,
        )  # fmt: skip
        of_none = (
            services.SentimentLogger, services.ModelTracker, services.PriceRecorder, services.BacktestRecorder,
            services.SnapshotLogger, services.PairRecorder, services.MarketRecorder,
        )  # fmt: skip
        made = [*(cls(account=self.account) for cls in of_account), *(cls() for cls in of_none)]
        self.services = {type(service).__name__: service for service in made}

    def id(self, what: str) -> uuid.UUID:
        """Return the id of `what` in this world."""
        return uuid.uuid5(uuid.NAMESPACE_URL, f"{self.name}/{what}")

    def at(self, minutes: int) -> dt.datetime:
        """Return a moment of this world, later than those before it."""
        return NOON + dt.timedelta(minutes=minutes)


@dataclass(frozen=True)
class Step:
    """
    A call.

    Attributes:
        method: as "Service.method".
        told: its keywords.
        again: telling it again is a DUPLICATE; False where another call has moved its row on since.
    """

    method: str
    told: Callable[[World], Mapping[str, Any]]
    again: bool = True

    def call(self, world: World) -> Any:
        service, _, name = self.method.partition(".")
        return getattr(world.services[service], name)(**self.told(world))


def _fill(world: World, what: str, **more: Any) -> dict[str, Any]:
    return {
        "trade_id": world.id(what), "symbol": "AAPL", "action": "buy", "quantity": 10, "price": Decimal("187.32"),
        "timestamp": NOON, **more,
    }  # fmt: skip


def _order(world: World, what: str) -> dict[str, Any]:
    return {"order_id": world.id(what), "symbol": "AAPL", "action": "buy", "quantity": 10, "timestamp": NOON}


def _signal(world: World, what: str) -> dict[str, Any]:
    return {"signal_id": world.id(what), "symbol": "AAPL", "signal_type": "BUY", "timestamp": NOON}


def _news(world: World, headline: str) -> dict[str, Any]:
    return {
        "symbol": "AAPL", "news_source": "Reuters", "headline": f"{headline} of {world.name}", "sentiment_score": 0.5,
        "timestamp": NOON, "sentiment_id": world.id(headline),
    }  # fmt: skip


def _prediction(world: World, what: str) -> dict[str, Any]:
    return {"model_id": world.name, "model_version": "7", "timestamp": NOON, "prediction_id": world.id(what)}


def _event(world: World, what: str) -> dict[str, Any]:
    return {"event_id": f"{what} of {world.name}", "title": what, "told_at": NOON}


def _market(world: World, what: str) -> dict[str, Any]:
    return {"market_id": f"{what} of {world.name}", "question": what, "yes_price": Decimal("0.4"), "told_at": NOON}


def _stood(world: World, minutes: int) -> dict[str, Any]:
    return {"market": f"rain of {world.name}", "timestamp": world.at(minutes), "yes_price": Decimal("0.4")}


def _bet(world: World, what: str, **more: Any) -> dict[str, Any]:
    return {
        "trade_id": world.id(f"bet on {what}"), "market": f"rain of {world.name}", "price": Decimal("0.4"), **more,
    }  # fmt: skip


def _run(world: World, number: int) -> dict[str, Any]:
    book = world.run_books[number]
    return {
        "account": book,
        "name": book.name,
        "starts_at": NOON,
        "ends_at": LATER,
        "run_id": world.id(f"run {number}"),
    }


def _idea(world: World, what: str) -> dict[str, Any]:
    return {
        "idea_id": world.id(what), "symbol": "AAPL", "direction": "long", "entry_price": 187, "timestamp": NOON,
        "confidence_score": 0.9, "quantity": 1,
    }  # fmt: skip


def _shown(world: World) -> dict[str, Any]:
    return {"symbol": world.name, "timeframe": "1h", "captured_at": NOON}


def _risk(_world: World, days: int) -> dict[str, Any]:
    return {"timestamp": NOON + dt.timedelta(days=days), "portfolio_value": 1000, "total_exposure": 500}


def _pair(world: World) -> dict[str, Any]:
    return {
        "symbol_1": world.name, "symbol_2": "AAPL", "timestamp": NOON, "cointegration_pvalue": 0.01,
        "hedge_ratio": 1.5, "correlation": 0.9,
    }  # fmt: skip


def _bars(world: World) -> list[Any]:
    from trading_engine.data.bars import Bar

    prices = {"open": Decimal(1), "high": Decimal(3), "low": Decimal(1), "close": Decimal(2)}
    return [Bar(symbol=world.name, timestamp=world.at(n), timeframe="1m", source="test", **prices) for n in range(3)]


def _load(world: World) -> dict[str, Any]:
    from trading_engine.services.price_loading import PriceLoader

    return {"bars": enumerate(_bars(world)[:2]), "loader": PriceLoader(), "venue": "XNAS"}


STEPS: Final = [
    Step("TradeLogger.log_order", lambda w: _order(w, "order")),
    Step("TradeLogger.update_order_status", lambda w: {"order": w.id("order"), "status": "filled", "timestamp": LATER}),
    Step("TradeLogger.log_trade", lambda w: _fill(w, "trade", order=w.id("order"))),
    Step("TradeLogger.log_trade", lambda w: _fill(w, "wrong")),
    Step("TradeLogger.log_trade", lambda w: _fill(w, "worse")),
    Step("TradeLogger.bulk_log", lambda w: {"trades": [_fill(w, f"of many {n}") for n in range(3)]}),
    Step(
        "TradeLogger.log_round_trip",
        lambda w: {
            "symbol": "MSFT", "action": "buy", "quantity": 10, "entry_price": 10, "entry_timestamp": NOON,
            "exit_price": 11, "exit_timestamp": LATER, "external_id": f"trip of {w.name}",
        },
    ),
    Step("TradeLogger.update_trade_status", lambda w: {"trade": w.id("trade"), "status": "settled"}),
    Step("TradeLogger.bust_trade", lambda w: {"trade": w.id("wrong"), "reason": "error"}),
    Step(
        "TradeLogger.correct_trade",
        lambda w: {"trade": w.id("worse"), "reason": "error", "corrected": {**_fill(w, ""), "trade_id": None}},
    ),
    Step("TradeLogger.open_orders", lambda _w: {}),
    Step("TradeLogger.get_trade_history", lambda _w: {}),
    Step("TradeLogger.latest_trades", lambda _w: {}),
    Step("SignalLogger.log_signal", lambda w: _signal(w, "signal")),
    Step("SignalLogger.bulk_log", lambda w: {"signals": [_signal(w, f"signal {n}") for n in range(3)]}),
    Step("SignalLogger.mark_processed", lambda w: {"signal": w.id("signal 0"), "timestamp": LATER}),
    Step(
        "SignalLogger.mark_executed",
        lambda w: {"signal": w.id("signal"), "trade": w.id("trade"), "timestamp": LATER},
    ),
    Step(
        "SignalLogger.log_batch",
        lambda w: {"signals": [_signal(w, f"signal {n} of a batch") for n in range(3)], "at": NOON},
    ),
    Step("SignalLogger.current_signals", lambda _w: {}),
    Step("SignalLogger.archive_current_signals", lambda _w: {"at": LATER}),
    Step("SignalLogger.get_signal_history", lambda _w: {}),
    Step(
        "RegimeLogger.log_regime_change",
        lambda w: {"regime_type": "BULL", "timestamp": NOON, "regime_id": w.id("regime")},
    ),
    Step("RegimeLogger.get_regime_history", lambda _w: {}),
    Step("RegimeLogger.current_regime", lambda _w: {}),
    Step("RegimeLogger.regime_at", lambda _w: {"timestamp": LATER}),
    Step("SentimentLogger.log_sentiment", lambda w: _news(w, "rise")),
    Step("SentimentLogger.bulk_insert_news", lambda w: {"news": [_news(w, f"rise {n}") for n in range(3)]}),
    Step(
        "SentimentLogger.link_trade",
        lambda w: {"trade": w.id("trade"), "sentiments": [w.id("rise"), w.id("rise 1")]},
    ),
    Step("SentimentLogger.get_sentiment_history", lambda _w: {"symbol": "AAPL"}),
    Step(
        "ModelTracker.log_model_performance",
        lambda w: {"model_id": w.name, "model_version": "7", "timestamp": NOON, "accuracy_score": 0.6},
    ),
    Step("ModelTracker.track_predictions", lambda w: {"predictions": [_prediction(w, f"up {n}") for n in range(3)]}),
    Step(
        "ModelTracker.resolve_predictions",
        lambda w: {"outcomes": [{"prediction": w.id(f"up {n}"), "is_correct": n == 0} for n in range(2)]},
    ),
    Step("ModelTracker.get_model_metrics", lambda w: {"model_id": w.name}),
    Step("PriceRecorder.record_bars", lambda w: {"rows": _bars(w)}),
    Step("PriceRecorder.load", _load),
    Step("PriceRecorder.latest", lambda w: {"symbol": w.name, "timeframe": "1m"}),
    Step("PriceRecorder.bars", lambda w: {"symbol": w.name, "timeframe": "1m"}),
    Step("PairRecorder.record_pair", _pair, again=False),
    Step("PairRecorder.deactivate_pair", lambda w: {"pair": (w.name, "AAPL"), "timestamp": LATER}),
    Step("MarketRecorder.record_event", lambda w: _event(w, "decision")),
    Step("MarketRecorder.record_market", lambda w: _market(w, "fed")),
    Step("MarketRecorder.log_market_snapshot", lambda w: _stood(w, 1)),
    Step("MarketRecorder.record_events", lambda w: {"events": [_event(w, f"event {n}") for n in range(3)], "at": NOON}),
    Step(
        "MarketRecorder.record_markets",
        lambda w: {"markets": [_market(w, f"market {n}") for n in range(3)], "at": NOON},
    ),
    Step("MarketRecorder.bulk_log_snapshots", lambda w: {"snapshots": [_stood(w, n) for n in (2, 3)]}),
    Step("MarketRecorder.get_snapshot_history", lambda _w: {}),
    Step("BacktestRecorder.start_run", lambda w: _run(w, 0)),
    Step("BacktestRecorder.start_run", lambda w: _run(w, 1)),
    Step("BacktestRecorder.update_run_status", lambda w: {"run": w.id("run 0"), "status": "FAILED"}),
    Step("BacktestRecorder.update_run_status", lambda w: {"run": w.id("run 1"), "status": "RUNNING"}, again=False),
    Step(
        "BacktestRecorder.finish_run",
        lambda w: {"run": w.id("run 1"), "total_return": 0.1, "max_drawdown": -0.2, "trade_count": 3},
    ),
    Step("PortfolioTracker.record_trade", lambda w: _fill(w, "booked")),
    Step(
        "PortfolioTracker.record_cash",
        lambda w: {"kind": "FEE", "amount": -1, "at": NOON, "movement_id": w.id("fee")},
    ),
    Step(
        "PortfolioTracker.apply_corporate_action",
        lambda _w: {"symbol": "AAPL", "kind": "SPLIT", "effective_at": LATER, "ratio": 2},
    ),
    Step(
        "PortfolioTracker.resolve_market",
        lambda w: {"market": f"fed of {w.name}", "outcome": "YES", "resolved_at": NOON},
    ),
    Step("PortfolioTracker.update_position", lambda w: {"trade": w.id("trade")}),
    Step("PortfolioTracker.mark_to_market", lambda _w: {"prices": {"AAPL": 190}, "at": LATER}),
    Step("PredictionTracker.buy_yes", lambda w: _bet(w, "yes", amount=Decimal("12.5"), timestamp=w.at(1))),
    Step("PredictionTracker.buy_no", lambda w: _bet(w, "no", amount=10, timestamp=w.at(2))),
    Step("PredictionTracker.sell_yes", lambda w: _bet(w, "yes again", quantity=1, timestamp=w.at(3))),
    Step("PredictionTracker.sell_no", lambda w: _bet(w, "no again", quantity=1, timestamp=w.at(4))),
    Step("PredictionTracker.mark_from_snapshots", lambda _w: {"at": LATER}),
    Step("PredictionTracker.resolve_decided_markets", lambda _w: {}),
    Step("PortfolioTracker.get_portfolio_state", lambda _w: {}),
    Step("PortfolioTracker.explain", lambda w: {"trade": w.id("trade")}),
    Step("PortfolioTracker.get_current_positions", lambda _w: {}),
    Step("PortfolioTracker.calculate_pnl", lambda _w: {}),
    Step("SnapshotLogger.log_candle", lambda w: {**_shown(w), "open": 1, "high": 3, "low": 1, "close": 2}),
    Step("SnapshotLogger.log_indicators", lambda w: {**_shown(w), "rsi_14": 61.2}),
    Step(
        "SnapshotLogger.log_calendar",
        lambda w: {
            "event_time": LATER, "currency": "USD", "impact_level": "high", "title": w.name, "captured_at": NOON,
        },
    ),
    Step(
        "SnapshotLogger.log_news",
        lambda w: {"headline": w.name, "source": "Reuters", "published_at": NOON, "captured_at": NOON},
    ),
    Step(
        "PortfolioSnapshotter.log_account_snapshot", lambda _w: {"captured_at": NOON, "balance": 1000, "equity": 1000}
    ),
    Step("PortfolioSnapshotter.snapshot", lambda _w: {"at": LATER}),
    Step("PortfolioSnapshotter.create_daily_portfolio_snapshot", lambda _w: {"at": LATER}),
    Step("PortfolioSnapshotter.get_snapshot_history", lambda _w: {}),
    Step("TradeIdeaService.resume", lambda _w: {"reason": "the first day"}, again=False),
    Step("TradeIdeaService.propose", lambda w: _idea(w, "idea")),
    Step("TradeIdeaService.evaluate", lambda w: {"idea": w.id("idea"), "timestamp": NOON}),
    Step("TradeIdeaService.execute", lambda w: {"idea": w.id("idea"), "timestamp": NOON}),
    Step("TradeIdeaService.replay", lambda w: {"idea": w.id("idea")}),
    Step("TradeIdeaService.get_active_ideas", lambda _w: {}),
    Step("TradeIdeaService.get_idea_history", lambda _w: {}),
    Step(
        "DecisionLogger.log_decision",
        lambda w: {"action": "ai_halted", "timestamp": NOON, "decision_id": w.id("decision")},
    ),
    Step("DecisionLogger.get_decision_history", lambda _w: {}),
    Step("RiskLogger.log_risk_metrics", lambda w: _risk(w, 0)),
    Step("RiskLogger.bulk_log", lambda w: {"days": [_risk(w, number) for number in (1, 2)]}),
    Step("RiskLogger.compute", lambda _w: {"at": NOON + dt.timedelta(days=9)}),
    Step("RiskLogger.get_risk_history", lambda _w: {}),
]  # fmt: skip


def missing_steps() -> set[str]:
    """Return the public methods of all services that no step calls."""
    from portfolio_manager import data_logger
    from trading_engine import services
    from trading_engine.services.base import Service

    found = set()
    for module in (services, data_logger):
        for service in vars(module).values():
            if inspect.isclass(service) and issubclass(service, Service) and service is not Service:
                # Async twins are the methods themselves on another thread.
                found |= {
                    f"{service.__name__}.{name}"
                    for name, method in inspect.getmembers(service, inspect.isfunction)
                    if not name.startswith("_") and not inspect.iscoroutinefunction(method)
                    and name not in WITHOUT_DATA
                }  # fmt: skip
    return found - {step.method for step in STEPS} - ADMINISTRATIVE - AFTER_A_VERDICT


def outcomes_of(answer: Any) -> dict[str, int] | str:
    """Return how many records ended how; of a read, or a mark, whether it is "fresh", "stale" or "unknown"."""
    from portfolio_manager.booking.marking import Marked

    if isinstance(answer, Receipt):
        return {answer.outcome.value: 1}
    if isinstance(answer, tuple):
        return dict(collections.Counter(receipt.outcome.value for receipt in answer))
    if isinstance(answer, BulkReceipt) or hasattr(answer, "conflicts"):
        assert not answer.rejected, answer.rejected
        counts = {
            "STORED": answer.stored, "DUPLICATE": answer.duplicates, "JOURNALED": answer.journaled,
            "BUFFERED": answer.buffered, "LOST": answer.lost, "conflicts": getattr(answer, "conflicts", 0),
        }  # fmt: skip
        return {name: count for name, count in counts.items() if count}
    if isinstance(answer, Marked):
        return "unknown" if answer.positions is None else "fresh"
    if answer is None or not answer.stale:
        return "fresh"  # None is what the database itself said
    return "unknown" if answer.as_of is None else "stale"


def say_all(name: str, *, again: bool = False) -> tuple[dict[str, Any], float]:
    """Tell everything under `name`; return what came of each call, errors included, and the seconds of the slowest."""
    world, said, slowest = World(name), {}, 0.0
    for number, step in enumerate(STEPS):
        if again and not step.again:
            continue
        began = time.perf_counter()
        try:
            said[f"{number} {step.method}"] = outcomes_of(step.call(world))
        except Exception as exc:  # noqa: BLE001 - no exception at all may leave a logger: they are told
            said[f"{number} {step.method}"] = f"{type(exc).__name__}: {exc}"
        slowest = max(slowest, time.perf_counter() - began)
    return said, slowest

"""Books of many kinds, what they tell, and all that is asked of them before and after they were archived."""

from __future__ import annotations

import dataclasses
import datetime as dt
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

import friren
from friren.core.ids import new_id
from friren.errors import FrirenError
from friren.operations import audit
from portfolio_manager.booking.figures import book_figures
from portfolio_manager.booking.health import check_books
from portfolio_manager.booking.periods import standing
from portfolio_manager.booking.pnl import PNL_KEYS
from portfolio_manager.booking.profit_curve import advance_curve, read_curve
from portfolio_manager.booking.state import last_seq, open_books
from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.explaining import explain_trade
from portfolio_manager.models import AccountState, ProfitPeak
from portfolio_manager.stored_equity import stored_equity
from tests.books import at, uid
from trading_engine.services import SentimentLogger, SignalLogger, TradeLogger

__all__ = ["SHAPES", "Book", "readings", "told_again"]

D = Decimal
SHAPES = [
    ("FIFO", "NETTING"), ("AVERAGE", "HEDGING"), ("LIFO", "NETTING"), ("AVERAGE", "NETTING"), ("FIFO", "HEDGING"),
]  # fmt: skip


class Book:
    """
    A book of one account, told by episodes: of each instrument something is built up, now and then turned over, and
    mostly sold again; with orders, signals, sentiments, corrections, busts, splits, dividends and resolutions.

    Attributes:
        told: (method of `loggers`, keywords) in the order in which they were told.
        closed: up to when a period is closed once it has lived.
    """

    def __init__(self, name: str, shape: tuple[str, str], rng: random.Random, *, episodes: int) -> None:
        basis, mode = shape
        self._episodes = episodes
        # Some episodes are over by then, some begin later, and some are cut by it.
        self.closed = at(episodes * 10 * 2 / 3)
        self.account = friren.open_account(name, starting_cash=D(1000), cost_basis=basis, position_mode=mode)
        self.name, self.shape, self._rng = name, shape, rng
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.busted: list[UUID] = []
        self._held: dict[Any, Decimal] = {}
        self._number = rng.randrange(10**9) * 10_000
        self.loggers = {
            "books": PortfolioTracker(self.account), "trades": TradeLogger(self.account),
            "signals": SignalLogger(self.account), "sentiments": SentimentLogger(),
        }  # fmt: skip

    def tell(self, method: str, **keywords: Any) -> Any:
        """Call a method of a logger, named as `books.record_cash`, and remember it."""
        self.told.append((method, keywords))
        return self.call(method, keywords)

    def call(self, method: str, keywords: dict[str, Any]) -> Any:
        """Call a method of a logger."""
        logger, _, name = method.partition(".")
        return getattr(self.loggers[logger], name)(**keywords)

    def live_through(self) -> None:
        """Tell a book's whole life, and close a period of it."""
        for number in range(self._episodes):
            self._market(number * 10) if self._rng.random() < 0.2 else self._shares(number * 10)
        self.loggers["books"].close_period(self.closed)

    def _id(self) -> UUID:
        self._number += 1
        return uid(self._number)

    def _shares(self, minute: int) -> None:
        rng = self._rng
        symbol, strategy = rng.choice(["AAPL", "MSFT", "SAP"]), rng.choice(["", "a", "b"])
        leveraged = symbol != "SAP" and rng.random() < 0.3
        trip = self._id() if rng.random() < 0.3 else None
        common = {
            "symbol": symbol, "strategy_used": strategy, "leverage": D(3) if leveraged else None, "round_trip": trip,
            "regime_at_entry": rng.choice(["BULL", "BEAR", None]), "model_id": rng.choice(["m1", None]),
        }  # fmt: skip
        # Under HEDGING what shares a round trip is a position of its own.
        key = (symbol, strategy, leveraged, trip if self.shape[1] == "HEDGING" else None)
        for step in range(rng.randint(1, 4)):
            held, moment = self._held.get(key, D(0)), minute + step * 2
            quantity = D(rng.randint(1, 12)) / rng.choice([1, 4])
            if held > 0 and rng.random() < 0.3:
                quantity += held  # turned over
                self._fill(key, "sell", quantity, moment, common)
            else:
                self._fill(key, rng.choice(["buy", "sell"]) if held >= 0 else "buy", quantity, moment, common)
        self._events(symbol, minute + 8)
        if rng.random() < 0.75 and (held := self._held.get(key, D(0))):
            self._fill(key, "sell" if held > 0 else "cover", abs(held), minute + 9, common)

    def _fill(self, key: Any, action: str, quantity: Decimal, minute: float, common: dict[str, Any]) -> None:
        rng = self._rng
        mode = self.shape[1]
        held = self._held.get(key, D(0))
        if mode == "HEDGING" and common["round_trip"] is None and held < 0 and action == "buy":
            action = "cover"  # with the sides held apart, a purchase only adds
        self._held[key] = held + (quantity if action in {"buy", "cover"} else -quantity)
        trade, order, signal = self._id(), None, None
        if rng.random() < 0.4:
            signal = self._id() if rng.random() < 0.7 else None
            order = self._order(action, quantity, minute, common, signal)
        told = {
            **common, "action": action, "quantity": quantity, "price": D(rng.randint(100, 20000)) / 100,
            "timestamp": at(minute), "commission": rng.choice([None, D("0.35"), D("-0.1")]),
            "commission_currency": rng.choice([None, None, "BNB"]), "order": order,
        }  # fmt: skip
        if rng.random() < 0.3:
            told |= {"venue": "IBKR", "external_id": str(trade)}
        if rng.random() < 0.1:
            wrong = self._id()
            self.tell("trades.log_trade", **{**told, "external_id": None, "order": None}, trade_id=wrong)
            self.tell("trades.correct_trade", trade=wrong, reason="wrong", corrected={**told, "trade_id": trade})
            self.busted.append(wrong)
        else:
            self.tell(rng.choice(["books.record_trade", "trades.log_trade"]), **told, trade_id=trade)
        if signal is not None:
            self.tell("signals.mark_executed", signal=signal, trade=trade, timestamp=at(minute))
        if rng.random() < 0.2:
            self._sentiment(trade, minute)

    def _order(
        self, action: str, quantity: Decimal, minute: float, common: dict[str, Any], signal: UUID | None
    ) -> UUID:
        order, about = self._id(), {name: common[name] for name in ("symbol", "strategy_used", "round_trip")}
        if signal is not None:
            told = {"symbol": about["symbol"], "signal_type": "BUY", "timestamp": at(minute), "signal_id": signal}
            self.tell("signals.log_signal", **told)
        self.tell(
            "trades.log_order", **about, action=action, quantity=quantity, timestamp=at(minute), order_id=order,
            signal=signal,
        )  # fmt: skip
        if self._rng.random() < 0.9:
            for status in ("submitted", "filled"):
                self.tell("trades.update_order_status", order=order, status=status, timestamp=at(minute))
        return order

    def _sentiment(self, trade: UUID, minute: float) -> None:
        key = self._id()
        self.tell(
            "sentiments.log_sentiment", symbol="AAPL", news_source="wire", headline="up", sentiment_score=0.5,
            timestamp=at(minute), sentiment_id=key,
        )  # fmt: skip
        self.tell("sentiments.link_trade", trade=trade, sentiments=[key])

    def _events(self, symbol: str, minute: float) -> None:
        rng = self._rng
        if rng.random() < 0.2:
            ratio = D(rng.choice([2, 3]))
            self.tell("books.apply_corporate_action", symbol=symbol, kind="SPLIT", effective_at=at(minute), ratio=ratio)
            self._held = {key: held * (ratio if key[0] == symbol else 1) for key, held in self._held.items()}
        elif rng.random() < 0.2:
            told = {"symbol": symbol, "kind": "DIVIDEND", "effective_at": at(minute), "amount": D("0.3")}
            self.tell("books.apply_corporate_action", **told)
        if rng.random() < 0.3:
            kind, currency = rng.choice(["FUNDING", "FEE"]), rng.choice([None, "EUR"])
            self.tell(
                "books.record_cash", kind=kind, amount=D("-1.25"), at=at(minute), currency=currency,
                movement_id=self._id(),
            )  # fmt: skip

    def _market(self, minute: int) -> None:
        rng, market = self._rng, f"market-{self._number}"
        for step in range(rng.randint(1, 3)):
            action = rng.choice(["buy_yes", "buy_no", "sell_yes", "sell_no"])
            told = {"market": market, "action": action, "quantity": D(rng.randint(1, 9)), "price": D("0.37")}
            self.tell("books.record_trade", **told, timestamp=at(minute + step), trade_id=self._id())
        if rng.random() < 0.7:
            self.tell("books.resolve_market", market=market, outcome="YES", resolved_at=at(minute + 5))


def readings(book: Book) -> dict[str, Any]:
    """Return all that is asked of a book, by what is asked; the same books answer the same."""
    tracker, trades = book.loggers["books"], book.loggers["trades"]
    rebuilt = tracker.rebuild(check=True)
    found = {"rebuild": (rebuilt.positions, rebuilt.differences), "health": check_books(), "audit": audit.verify().ok}
    state = AccountState.objects.filter(account=book.account.id)
    found["state"] = state.values("balance", "balances", "total_invested", "total_profit_loss", "trade_count").get()
    for key in PNL_KEYS:
        for start, end in ((None, None), (None, book.closed), (at(25), at(85)), (book.closed, None)):
            found[f"pnl {key} {start} {end}"] = _pnl(tracker.calculate_pnl(start=start, end=end, by=key))
    found["history"] = list(trades.get_trade_history(limit=1000, include_archive=True))
    found["history of AAPL"] = list(trades.get_trade_history("AAPL", end=book.closed, limit=7, include_archive=True))
    found["orders"] = list(trades.open_orders())
    found["positions"] = list(tracker.get_current_positions())
    found["equity"] = stored_equity(book.account, dict.fromkeys(("AAPL", "MSFT", "SAP"), D(100)))
    found["figures"] = book_figures(book.account.id, using="default")
    ProfitPeak.objects.all().delete()
    advance_curve(book.account.id, using="default")
    found["curve"] = read_curve(book.account.id, using="default")
    told = found["history"]
    found["explained"] = [_untimed(explain_trade(trade.id)) for trade in (*told[:4], *told[-4:])]
    for moment in (book.closed, at(100_000)):
        found[f"standing at {moment}"] = _standing(book, moment)
    return found


def _untimed(told: Any) -> Any:
    seen = told.seen and dataclasses.replace(told.seen, as_of=None)
    return dataclasses.replace(told, as_of=None, seen=seen)


def _pnl(told: Any) -> Any:
    figures = {"": told} if not isinstance(told, dict) else told
    shown = ("currency", "realized", "unrealized", "commission", "unmarked")
    return {
        key: [tuple(getattr(one, name) for name in shown) for one in (pnl, *pnl.other_currencies)]
        for key, pnl in figures.items()
    }


def _standing(book: Book, moment: dt.datetime) -> dict[str, Any]:
    with transaction.atomic():
        seen = last_seq("default")
        return standing(open_books(book.account.id, seen_seq=seen, using="default")[0], moment)


def told_again(book: Book) -> Iterator[tuple[str, str]]:
    """Tell everything again, and some of it under other ids; yield what was told and what became of it."""
    for method, keywords in book.told:
        yield method, _outcome(lambda m=method, k=keywords: book.call(m, k))
        if keywords.get("external_id"):
            later = {**keywords, "trade_id": new_id(), "timestamp": at(90_000)}
            yield f"{method}, other", _outcome(lambda m=method, k=later: book.call(m, k))
            same = {**keywords, "trade_id": new_id()}
            yield f"{method}, same", _outcome(lambda m=method, k=same: book.call(m, k))
        if keywords.get("trade_id") and keywords["timestamp"] < book.closed and keywords["trade_id"] not in book.busted:
            trades, key = book.loggers["trades"], keywords["trade_id"]
            yield "bust", _outcome(lambda t=trades, k=key: t.bust_trade(k, reason="no"))
            changed = {**keywords, "quantity": keywords["quantity"] + 1}
            yield "reused", _outcome(lambda m=method, k=changed: book.call(m, k))
            yield "position", _outcome(lambda b=book, k=key: b.loggers["books"].update_position(k))


def _outcome(call: Callable[[], Any]) -> str:
    try:
        said = call()
        return " ".join(str(getattr(one, "outcome", one)) for one in (said if isinstance(said, tuple) else (said,)))
    except FrirenError as exc:
        return f"{type(exc).__name__}: {getattr(exc, 'field', '')}"

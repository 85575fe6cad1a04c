"""Handlers of the facts of this floor that change more than one row. Each runs in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from django.db import IntegrityError, connections
from django.db.models import Model

from friren.errors import KeyReusedError, PeriodClosedError, RejectedRecordError
from friren.persistence.facts import Fact
from friren.persistence.handlers import MissingRowError, insert, register_handler
from friren.persistence.policies import KindPolicy, register_policy
from friren.persistence.receipts import Receipt, WriteOutcome
from trading_engine import (
    current_rows,
    prediction_outcomes,
    prediction_references,
    run_records,
    sentiment_links,
    signal_moves,
    signal_records,
    snapshot_series,
    system_notes,
)
from trading_engine.archived_rows import archived_rows, refuse_change
from trading_engine.lifecycles import ORDER_MOVES, TRADE_MOVES, VENUE_TOLD, check_move
from trading_engine.models import MarketRegime, Order, Trade
from trading_engine.models.choices import OrderStatus, TradeStatus
from trading_engine.moves import move_together
from trading_engine.pairs import records as pair_records
from trading_engine.regime_intervals import store_regime
from trading_engine.services import price_records

__all__ = ["register"]

ORDER_COLUMNS: Final = ("status", "submitted_at", "venue", "external_id")


def register() -> None:
    """Register the handlers of this floor, and how its kinds of fact are treated in an outage."""
    orders = partial(move_together, model=Order, field="order", decide=order_move, columns=ORDER_COLUMNS)
    trades = partial(move_together, model=Trade, field="trade", decide=trade_move, columns=("status",))
    register_handler("order_status_event", move_order, batch=orders)
    register_handler("trade_status_event", move_trade, batch=trades)
    register_handler("regime_history", store_regime, makes=MarketRegime)
    modules = (
        signal_moves, signal_records, prediction_outcomes, sentiment_links, run_records, price_records, snapshot_series,
        pair_records, prediction_references, system_notes, current_rows,
    )  # fmt: skip
    for module in modules:
        module.register()
    register_policy("order", KindPolicy(synced=True, new_risk=True))
    register_policy("order_status_event", KindPolicy(synced=True, ordered=True))
    register_policy("trade", KindPolicy(synced=True, happened=True))
    register_policy("trade_status_event", KindPolicy(synced=True, ordered=True, happened=True))
    register_policy("regime_history", KindPolicy(ordered=True))
    register_policy("trading_pair", KindPolicy(ordered=True))


def move_order(fact: Fact, *, using: str) -> Receipt:
    """Move an order to the event's status. What the venue told us with it (its order id) is in the payload."""
    return _moved(Order, "order", fact, order_move, using)


def order_move(order: Any, fact: Fact, *, using: str) -> dict[str, Any]:
    """
    Return the columns of an order that an event changes; nothing when it says what is so already.

    Raises:
        RejectedRecordError, InvalidTransitionError: the order cannot move so.
    """
    del using
    status = fact.values["to_status"]
    told = {}
    for name, value in fact.values.get("payload", {}).get(VENUE_TOLD, {}).items():
        held = getattr(order, name)
        if held not in {"", value}:
            raise RejectedRecordError(name, value, f"is already {held!r}, for good")
        if held != value:
            told[name] = value
    if order.status == status and not told:
        return {}
    if order.status != status:
        check_move(ORDER_MOVES, held=order.status, wanted=status)
    moved: dict[str, Any] = {"status": status, **told}
    if order.status == OrderStatus.PENDING and status == OrderStatus.SUBMITTED:
        moved["submitted_at"] = fact.values["occurred_at"]
    return moved


def move_trade(fact: Fact, *, using: str) -> Receipt:
    """Move a trade to the event's status. A busted trade leaves the books when they are next touched."""
    return _moved(Trade, "trade", fact, trade_move, using)


def trade_move(trade: Any, fact: Fact, *, using: str) -> dict[str, Any]:
    """Return the columns of a trade that an event changes, as `order_move` does for an order."""
    if trade.status == fact.values["to_status"]:
        return {}
    check_move(TRADE_MOVES, held=trade.status, wanted=fact.values["to_status"])
    if fact.values["to_status"] == TradeStatus.BUSTED:
        # Waits for a closing of the books that is under way.
        closed = _closed_until(trade.account_id, using)
        if closed is not None and trade.executed_at < closed:
            raise PeriodClosedError("trade", trade.id, f"the books are closed before {closed.isoformat()}")
    return {"status": fact.values["to_status"]}


def _closed_until(account_id: Any, using: str) -> Any:
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT friren_closed_until(%s)", [account_id])
        return cursor.fetchone()[0]


def _moved(model: type[Model], field: str, fact: Fact, decide: Callable[..., dict[str, Any]], using: str) -> Receipt:
    """Make the move of an event, its row locked; FOR NO KEY UPDATE leaves foreign keys to it alone."""
    key = fact.values[field]
    rows = model._default_manager.using(using).select_for_update(no_key=True)
    row = rows.filter(id=key, account_id=fact.values["account"]).first()
    if row is not None:
        return _move(row, fact, decide(row, fact, using=using), using)
    archived = archived_rows(model, [key], using).get(key)
    if archived is None or archived.account_id != fact.values["account"]:
        raise MissingRowError(field, key, "is not stored in this account")
    refuse_change(field, key, decide(archived, fact, using=using))
    return Receipt(fact.id, WriteOutcome.DUPLICATE)


def _move(row: Any, fact: Fact, moved: Mapping[str, Any], using: str) -> Receipt:
    """Write the event, with the status it came from, and the row's new status."""
    if not moved:
        return Receipt(fact.id, WriteOutcome.DUPLICATE)
    receipt = insert(fact.with_values(from_status=row.status), using=using)
    if receipt.outcome is WriteOutcome.STORED:
        try:
            type(row)._default_manager.using(using).filter(id=row.id, status=row.status).update(**moved)
        except IntegrityError as exc:
            rule = f"another {row._meta.verbose_name} of this account has it at this venue"
            raise KeyReusedError("external_id", moved.get("external_id", row.external_id), rule) from exc
    return receipt

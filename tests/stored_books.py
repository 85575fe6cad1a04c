"""The stored books of an account by value, and what the pure fold says they should be."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from friren.core.numbers import plain
from portfolio_manager.accounting import (
    Cash,
    Dividend,
    Fact,
    Fill,
    Instrument,
    Resolution,
    Source,
    Split,
    fold,
)
from portfolio_manager.models import (
    AccountState,
    CashMovement,
    CorporateAction,
    LedgerEntry,
    MarketResolution,
    Position,
    PositionFill,
)
from trading_engine.models import Trade

# When a row was written and how it was last marked is no part of what the facts say.
UNFOLDED = {
    "created_at", "updated_at", "current_price", "current_value", "unrealized_pnl", "margin", "liquidation_price",
    "marked_at",
}  # fmt: skip
ORIGINS = ("trade_id", "cash_movement_id", "corporate_action_id", "resolution_id")


def facts_of(account: UUID) -> list[Fact]:
    """Return the facts of an account, read through the ORM and not as the booking reads them."""
    facts: list[Fact] = []
    for trade in Trade.objects.filter(account=account).exclude(status="busted").select_related("symbol"):
        if trade.symbol is None:
            instrument = Instrument(type=trade.instrument_type, key=trade.market_id)
        else:
            symbol = trade.symbol
            instrument = Instrument(
                type=trade.instrument_type, key=symbol.id, currency=symbol.currency, multiplier=symbol.multiplier
            )
        facts.append(
            Fill(
                id=trade.id,
                executed_at=trade.executed_at,
                instrument=instrument,
                action=trade.action,
                quantity=trade.quantity,
                price=trade.price,
                strategy=trade.strategy_used,
                amount=trade.amount,
                commission=trade.commission,
                commission_currency=trade.commission_currency,
                round_trip=trade.round_trip,
                leverage=trade.leverage,
                stop_loss_price=trade.stop_loss_price,
                target_price=trade.target_price,
                exit_reason=trade.exit_reason,
                regime_at_entry=trade.regime_at_entry,
                pair=trade.pair_id,
            )
        )
    facts += [
        Cash(id=c.id, at=c.occurred_at, kind=c.kind, currency=c.currency, amount=c.amount)
        for c in CashMovement.objects.filter(account=account)
    ]
    for action in CorporateAction.objects.filter(account=account):
        common = {"id": action.id, "at": action.effective_at, "symbol": action.symbol_id}
        if action.kind == "SPLIT":
            facts.append(Split(**common, ratio=action.ratio))
        else:
            facts.append(Dividend(**common, amount=action.amount, currency=action.currency))
    facts += [
        Resolution(id=r.id, at=r.resolved_at, market=r.market_id, yes_payout=r.yes_payout)
        for r in MarketResolution.objects.filter(account=account)
    ]
    return facts


def stored_books(account: UUID) -> dict[str, Any]:
    """Return every projected row of an account by id, without what is not folded."""
    books: dict[str, Any] = {}
    for model in (Position, PositionFill, LedgerEntry):
        rows = model.objects.filter(account=account).values()
        books[model.__name__] = {row["id"]: {k: v for k, v in row.items() if k not in UNFOLDED} for row in rows}
    state = AccountState.objects.filter(account=account).values(
        "balance", "balances", "total_invested", "total_profit_loss", "trade_count"
    )
    books["AccountState"] = list(state)
    return books


def folded_books(account: Any) -> dict[str, Any]:
    """Return the rows that the pure fold of an account's stored facts asks for (`account`: its handle)."""
    rules = {name: getattr(account, name) for name in ("cost_basis", "position_mode", "base_currency")}
    facts = facts_of(account.id)
    books = fold(facts, **rules)
    base = account.base_currency
    balances = {currency: amount for currency, amount in books.balances.items() if amount}
    own = [p for p in books.positions if (p.instrument.currency or base) == base]
    return {
        "Position": {p.id: _position(p, account.id) for p in books.positions},
        "PositionFill": {leg.id: _leg(leg, account.id) for leg in books.legs},
        "LedgerEntry": {line.id: _entry(line, account.id) for line in books.entries},
        "AccountState": [
            {
                "balance": balances.pop(base, Decimal(0)),
                "balances": {currency: format(amount.normalize(), "f") for currency, amount in balances.items()},
                "total_invested": sum((_invested(p) for p in own), start=Decimal(0)),
                "total_profit_loss": sum((p.realized_pnl for p in own), start=Decimal(0)),
                "trade_count": sum(isinstance(fact, Fill) for fact in facts),
            }
        ],
    }


def _invested(position: Any) -> Decimal:
    if position.instrument.type == "LEVERAGED":
        return Decimal(0)
    return -position.total_cost if position.side == "SHORT" else position.total_cost


def _position(position: Any, account: UUID) -> dict[str, Any]:
    market = position.instrument.type == "PREDICTION"
    same = (
        "id", "side", "slot", "quantity", "total_cost", "opened_quantity", "opened_cost", "closed_quantity",
        "closed_proceeds", "realized_pnl", "commission", "opened_at", "closed_at", "exit_reason", "regime_at_entry",
        "stop_loss_price", "target_price", "leverage", "round_trip",
    )  # fmt: skip
    return {name: getattr(position, name) for name in same} | {
        "account_id": account,
        "instrument_type": position.instrument.type,
        "symbol_id": None if market else position.instrument.key,
        "market_id": position.instrument.key if market else None,
        "strategy_used": position.strategy,
        "pair_id": position.pair,
        "trade_id": position.trade,
        "status": "open" if position.quantity else "closed",
    }


def _leg(leg: Any, account: UUID) -> dict[str, Any]:
    same = (
        "id", "role", "quantity", "cost", "realized_pnl", "commission", "quantity_after", "total_cost_after",
        "realized_pnl_after",
    )  # fmt: skip
    lots = [[plain(lot.quantity), plain(lot.cost)] for lot in leg.lots_after]
    origin = {name: None for name in ORIGINS if name != "cash_movement_id"}
    return (
        {name: getattr(leg, name) for name in same}
        | origin
        | {
            f"{leg.source_kind}_id": leg.source,
            "account_id": account,
            "position_id": leg.position,
            "leg": leg.number,
            "executed_at": leg.at,
            "lots_after": lots or None,
        }
    )


def _entry(line: Any, account: UUID) -> dict[str, Any]:
    assert isinstance(line.source_kind, Source)
    return dict.fromkeys(ORIGINS) | {
        "id": line.id,
        "kind": line.kind,
        "currency": line.currency,
        "amount": line.amount,
        "occurred_at": line.at,
        "position_id": line.position,
        "account_id": account,
        f"{line.source_kind}_id": line.source,
    }

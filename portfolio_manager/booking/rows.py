"""Between rows and the fold: facts read for it, projections written from it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from friren.core.numbers import plain
from portfolio_manager.accounting import (
    Cash,
    Dividend,
    Entry,
    Fill,
    Instrument,
    Leg,
    Lot,
    PositionState,
    Resolution,
    Source,
    Split,
)
from portfolio_manager.booking.database import Row

__all__ = [
    "ACTIONS",
    "CASH",
    "ENTRY_COLUMNS",
    "FILLS",
    "FILL_COLUMNS",
    "LEG_COLUMNS",
    "POSITION_COLUMNS",
    "RESOLUTIONS",
    "action_of",
    "cash_of",
    "entry_of",
    "entry_row",
    "fill_of",
    "leg_of",
    "leg_row",
    "lots_of",
    "moment_of",
    "position_of",
    "position_row",
    "resolution_of",
]

FILL_COLUMNS: Final = (
    "id", "executed_at", "instrument_type", "symbol_id", "market_id", "action", "quantity", "price", "strategy_used",
    "amount", "commission", "commission_currency", "round_trip", "leverage", "stop_loss_price", "target_price",
    "exit_reason", "regime_at_entry", "pair_id",
)  # fmt: skip
# The facts of %(account)s, each to be narrowed by a condition on its alias. Busted trades are none.
FILLS: Final = f"""
    SELECT {", ".join(f"t.{column}" for column in FILL_COLUMNS)}, s.currency, s.multiplier
    FROM {{Trade}} t LEFT JOIN {{Symbol}} s ON s.id = t.symbol_id
    WHERE t.account_id = %(account)s AND t.status <> 'busted' """
ACTIONS: Final = """
    SELECT a.id, a.effective_at, a.symbol_id, a.kind, a.ratio, a.amount, a.currency
    FROM {CorporateAction} a WHERE a.account_id = %(account)s """
RESOLUTIONS: Final = """
    SELECT r.id, r.resolved_at, r.market_id, r.yes_payout
    FROM {MarketResolution} r WHERE r.account_id = %(account)s """
CASH: Final = """
    SELECT c.id, c.occurred_at, c.kind, c.currency, c.amount
    FROM {CashMovement} c WHERE c.account_id = %(account)s """

POSITION_COLUMNS: Final = (
    "id", "trade_id", "instrument_type", "symbol_id", "market_id", "strategy_used", "slot", "side", "opened_at",
    "quantity", "total_cost", "opened_quantity", "opened_cost", "closed_quantity", "closed_proceeds", "realized_pnl",
    "commission", "closed_at", "exit_reason", "regime_at_entry", "round_trip", "leverage", "stop_loss_price",
    "target_price", "pair_id",
)  # fmt: skip
LEG_COLUMNS: Final = (
    "id", "position_id", "trade_id", "corporate_action_id", "resolution_id", "leg", "role", "executed_at", "quantity",
    "cost", "realized_pnl", "commission", "quantity_after", "total_cost_after", "realized_pnl_after", "lots_after",
)  # fmt: skip
ENTRY_COLUMNS: Final = (
    "id", "trade_id", "cash_movement_id", "corporate_action_id", "resolution_id", "kind", "currency", "amount",
    "occurred_at", "position_id",
)  # fmt: skip


def fill_of(row: Row) -> Fill:
    """Return a fill read by FILLS: FILL_COLUMNS, currency and multiplier of its symbol."""
    symbol, market = row[3:5]
    return Fill(
        id=row[0],
        executed_at=row[1],
        instrument=_instrument(row[2], symbol, market, row[19], row[20]),
        action=row[5],
        quantity=row[6],
        price=row[7],
        strategy=row[8],
        amount=row[9],
        commission=row[10],
        commission_currency=row[11],
        round_trip=row[12],
        leverage=row[13],
        stop_loss_price=row[14],
        target_price=row[15],
        exit_reason=row[16],
        regime_at_entry=row[17],
        pair=row[18],
    )


def _instrument(
    kind: str, symbol: int | None, market: str | None, currency: str | None, multiplier: Decimal | None
) -> Instrument:
    if symbol is None:
        # Markets are kept in the account's own currency; a token is one unit.
        return Instrument(type=kind, key=market or "")
    return Instrument(type=kind, key=symbol, currency=currency or "", multiplier=multiplier or Decimal(1))


def action_of(row: Row) -> Split | Dividend:
    """Return a corporate action read by ACTIONS."""
    fact, moment, symbol, kind, ratio, amount, currency = row
    if kind == "SPLIT":
        return Split(id=fact, at=moment, symbol=symbol, ratio=ratio)
    return Dividend(id=fact, at=moment, symbol=symbol, amount=amount, currency=currency)


def resolution_of(row: Row) -> Resolution:
    """Return a resolution read by RESOLUTIONS."""
    fact, moment, market, payout = row
    return Resolution(id=fact, at=moment, market=market, yes_payout=payout)


def cash_of(row: Row) -> Cash:
    """Return a cash movement read by CASH."""
    fact, moment, kind, currency, amount = row
    return Cash(id=fact, at=moment, kind=kind, currency=currency, amount=amount)


def position_of(row: Row, currency: str | None, multiplier: Decimal | None, lots: tuple[Lot, ...]) -> PositionState:
    """Return the state that a stored position (POSITION_COLUMNS) is in."""
    return PositionState(
        id=row[0],
        trade=row[1],
        instrument=_instrument(row[2], row[3], row[4], currency, multiplier),
        strategy=row[5],
        slot=row[6],
        side=row[7],
        opened_at=row[8],
        quantity=row[9],
        total_cost=row[10],
        opened_quantity=row[11],
        opened_cost=row[12],
        closed_quantity=row[13],
        closed_proceeds=row[14],
        realized_pnl=row[15],
        commission=row[16],
        closed_at=row[17],
        exit_reason=row[18],
        regime_at_entry=row[19],
        round_trip=row[20],
        leverage=row[21],
        stop_loss_price=row[22],
        target_price=row[23],
        pair=row[24],
        lots=lots,
    )


def position_row(position: PositionState) -> Row:
    """Return a position as POSITION_COLUMNS."""
    key = position.instrument.key
    return (
        position.id, position.trade, str(position.instrument.type),
        key if isinstance(key, int) else None, None if isinstance(key, int) else key,
        position.strategy, position.slot, str(position.side), position.opened_at, position.quantity,
        position.total_cost, position.opened_quantity, position.opened_cost, position.closed_quantity,
        position.closed_proceeds, position.realized_pnl, position.commission, position.closed_at,
        position.exit_reason, position.regime_at_entry, position.round_trip, position.leverage,
        position.stop_loss_price, position.target_price, position.pair,
    )  # fmt: skip


def leg_of(row: Row) -> Leg:
    """Return a stored leg (LEG_COLUMNS)."""
    by_source = zip((Source.TRADE, Source.CORPORATE_ACTION, Source.RESOLUTION), row[2:5], strict=True)
    source_kind, source = next((kind, fact) for kind, fact in by_source if fact is not None)
    return Leg(
        id=row[0],
        position=row[1],
        source=source,
        source_kind=source_kind,
        number=row[5],
        role=row[6],
        at=row[7],
        quantity=row[8],
        cost=row[9],
        realized_pnl=row[10],
        commission=row[11],
        quantity_after=row[12],
        total_cost_after=row[13],
        realized_pnl_after=row[14],
        lots_after=lots_of(row[15]),
    )


def leg_row(leg: Leg) -> Row:
    """Return a leg as LEG_COLUMNS."""
    return (
        leg.id, leg.position, *_by_source(leg, Source.TRADE, Source.CORPORATE_ACTION, Source.RESOLUTION), leg.number,
        str(leg.role), leg.at, leg.quantity, leg.cost, leg.realized_pnl, leg.commission, leg.quantity_after,
        leg.total_cost_after, leg.realized_pnl_after, _lots_json(leg.lots_after),
    )  # fmt: skip


def entry_of(row: Row) -> Entry:
    """Return a stored ledger entry (ENTRY_COLUMNS)."""
    by_source = zip(Source, row[1:5], strict=True)
    source_kind, source = next((kind, fact) for kind, fact in by_source if fact is not None)
    return Entry(
        id=row[0], source=source, source_kind=source_kind, kind=row[5], currency=row[6], amount=row[7], at=row[8],
        position=row[9],
    )  # fmt: skip


def entry_row(line: Entry) -> Row:
    """Return a ledger entry as ENTRY_COLUMNS."""
    return (line.id, *_by_source(line, *Source), str(line.kind), line.currency, line.amount, line.at, line.position)


def _by_source(row: Leg | Entry, *kinds: Source) -> Iterator[UUID | None]:
    return (row.source if row.source_kind == kind else None for kind in kinds)


def _lots_json(lots: Iterable[Lot]) -> str | None:
    texts = [[plain(lot.quantity), plain(lot.cost)] for lot in lots]
    return json.dumps(texts) if texts else None


def lots_of(stored: Any) -> tuple[Lot, ...]:
    """Return lots as they are stored: JSON pairs of quantity and cost, as text; none under AVERAGE."""
    if stored is None:
        return ()
    return tuple(Lot(Decimal(quantity), Decimal(cost)) for quantity, cost in json.loads(stored))


def moment_of(row: Leg | Entry) -> tuple[dt.datetime, UUID]:
    """Return where the fact of a leg or entry stands in the order of facts."""
    return row.at, row.source

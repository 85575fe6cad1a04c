"""What the books hold of one group from a moment on, and the positions that were open just before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from msgspec.structs import replace

from friren.core.numbers import CONTEXT
from portfolio_manager.accounting import Entry, Leg, PositionState, Role, Side, exact_sum
from portfolio_manager.booking.changes import StoredPosition
from portfolio_manager.booking.database import Row, query, query_all
from portfolio_manager.booking.rows import (
    ENTRY_COLUMNS,
    LEG_COLUMNS,
    POSITION_COLUMNS,
    entry_of,
    leg_of,
    lots_of,
    moment_of,
    position_of,
)
from portfolio_manager.booking.state import Group, Locked, Moment

__all__ = ["FACT_OF_LEG", "StoredTail", "group_condition", "group_parameters", "load_tail", "positions_sql"]

_ADDS: Final = frozenset({Role.OPEN, Role.INCREASE})
# Where a row of `positions_sql` says whether the position has legs from the moment on.
_LATER: Final = len(POSITION_COLUMNS) + 3
_STATED: Final = ("leverage", "stop_loss_price", "target_price")


@dataclass(slots=True)
class StoredTail:
    """
    The stored books of a group from a moment on.

    Attributes:
        positions: those that were open at the moment or opened later, by id.
        legs, entries: of facts from the moment on, by id; entries that depend on a position only.
        opening: the positions open just before the moment, as they stood then.
        restart: where to start instead, when the state at the moment cannot be told from sums.
    """

    positions: dict[UUID, StoredPosition] = field(default_factory=dict)
    legs: dict[UUID, Leg] = field(default_factory=dict)
    entries: dict[UUID, Entry] = field(default_factory=dict)
    opening: list[PositionState] = field(default_factory=list)
    restart: Moment | None = None

    @property
    def trades(self) -> set[UUID]:
        """The trades that are booked from the moment on."""
        return {leg.source for leg in self.legs.values() if leg.role not in {Role.SPLIT, Role.RESOLVE}}


def group_condition(group: Group, alias: str) -> str:
    """Return the SQL that picks a group's rows; IS NOT DISTINCT FROM would use no index."""
    instrument = "market_id" if group.symbol is None else "symbol_id"
    return (
        f"{alias}.instrument_type = %(type)s AND {alias}.{instrument} = %(instrument)s "
        f"AND {alias}.strategy_used = %(strategy)s"
    )


def group_parameters(account: UUID, group: Group, start: Moment) -> dict[str, Any]:
    """Return the parameters of `group_condition`, the account and the moment."""
    return {
        "account": account,
        "type": group.instrument_type,
        "instrument": group.market if group.symbol is None else group.symbol,
        "strategy": group.strategy,
        "time": start[0],
        "id": start[1],
    }


FACT_OF_LEG: Final = "coalesce(f.trade_id, f.corporate_action_id, f.resolution_id)"
_STATE_BEFORE: Final = (
    "SELECT f.quantity_after, f.total_cost_after, f.realized_pnl_after, f.lots_after FROM {PositionFill} f "
    "WHERE f.position_id = p.id AND f.executed_at <= %(time)s "
    f"AND (f.executed_at, {FACT_OF_LEG}) < (%(time)s, %(id)s) "
    f"ORDER BY f.executed_at DESC, {FACT_OF_LEG} DESC LIMIT 1"
)


def positions_sql(group: Group) -> str:
    """Return the query for the positions of a group that were open at a moment or opened later."""
    columns = ", ".join(f"p.{column}" for column in POSITION_COLUMNS)
    return (
        f"SELECT {columns}, s.currency, s.multiplier, p.current_price, "
        "EXISTS (SELECT FROM {PositionFill} f WHERE f.position_id = p.id AND f.executed_at >= %(time)s "
        f"AND (f.executed_at, {FACT_OF_LEG}) >= (%(time)s, %(id)s)), before.* "
        "FROM {Position} p LEFT JOIN {Symbol} s ON s.id = p.symbol_id "
        "LEFT JOIN LATERAL (" + _STATE_BEFORE + ") before ON true "
        f"WHERE p.account_id = %(account)s AND {group_condition(group, 'p')} "
        "AND (p.status = 'open' OR p.closed_at >= %(time)s)"
    )


_LEGS: Final = (
    "SELECT " + ", ".join(f"f.{column}" for column in LEG_COLUMNS) + ", t.leverage, t.stop_loss_price, t.target_price "
    "FROM {PositionFill} f LEFT JOIN {Trade} t ON t.id = f.trade_id "
    f"WHERE f.position_id = ANY(%(positions)s) AND (f.executed_at, {FACT_OF_LEG}) >= (%(time)s, %(id)s) "
    "AND f.executed_at >= %(time)s"
)
_ENTRIES: Final = (
    "SELECT " + ", ".join(f"l.{column}" for column in ENTRY_COLUMNS) + " FROM {LedgerEntry} l "
    "WHERE l.account_id = %(account)s AND l.position_id = ANY(%(positions)s) AND l.occurred_at >= %(time)s"
)


def load_tail(books: Locked, rows: list[Row], start: Moment, parameters: dict[str, Any], *, events: bool) -> StoredTail:
    """
    Return what the books hold of a group from `start` on.

    Args:
        books: locked.
        rows: of `positions_sql`.
        start: the moment.
        parameters: of the group, see `group_parameters`.
        events: whether there are corporate actions or resolutions from the moment on.
    """
    tail = StoredTail()
    leg_rows: list[Row] = []
    if events or any(row[_LATER] for row in rows):
        parameters = {**parameters, "positions": [row[0] for row in rows]}
        leg_rows, entry_rows = query_all(books.using, (_LEGS, parameters), (_ENTRIES, parameters))
        tail.legs = {row[0]: leg_of(row) for row in leg_rows}
        entries = map(entry_of, entry_rows)
        tail.entries = {line.id: line for line in entries if moment_of(line) >= start}
    stated = {
        name: {row[1] for row in leg_rows if row[len(LEG_COLUMNS) + index] is not None}
        for index, name in enumerate(_STATED)
    }
    legs_of: dict[UUID, list[Leg]] = {}
    for leg in tail.legs.values():
        legs_of.setdefault(leg.position, []).append(leg)
    for row in rows:
        opening = _take_position(tail, row, legs_of.get(row[0], []), start)
        if opening is not None:
            # Sums are had by subtracting; what a later fill stated hides what stood before it.
            told = {name: _last_stated(books, row[0], name, start) for name, ids in stated.items() if row[0] in ids}
            tail.opening.append(replace(opening, **told))
    return tail


def _take_position(tail: StoredTail, row: Row, legs: list[Leg], start: Moment) -> PositionState | None:
    """Take a stored position in; return it as it stood just before `start` if it was open then."""
    currency, multiplier, price, _, quantity, cost, realized, lots = row[len(POSITION_COLUMNS) :]
    state = position_of(row, currency, multiplier, lots_of(lots))
    opened = (state.opened_at, state.trade)
    split_since = any(leg.role == Role.SPLIT for leg in legs)
    if opened < start and (quantity is None or (quantity and split_since)):
        # A split restates sums, so what they were before it cannot be had by subtracting what followed.
        # A position without a leg before the moment should not be: the facts will tell.
        tail.restart = min(opened, tail.restart or opened)
    if opened < start and not quantity:
        return None  # closed before the moment, at the same time
    tail.positions[state.id] = StoredPosition(replace(state, lots=()), price)
    return _before(state, legs, quantity, cost, realized) if quantity else None


def _before(
    state: PositionState, legs: list[Leg], quantity: Decimal, cost: Decimal, realized: Decimal
) -> PositionState:
    """Return the position as it stood before `legs`: its sums less theirs."""
    added = [leg for leg in legs if leg.role in _ADDS]
    closing = [leg for leg in legs if leg.role not in _ADDS]
    opened_quantity = CONTEXT.subtract(state.opened_quantity, exact_sum(leg.quantity for leg in added))
    return replace(
        state,
        quantity=quantity,
        total_cost=cost,
        realized_pnl=realized,
        opened_quantity=opened_quantity,
        opened_cost=CONTEXT.subtract(state.opened_cost, exact_sum(leg.cost for leg in added)),
        closed_quantity=CONTEXT.subtract(opened_quantity, quantity),
        closed_proceeds=CONTEXT.subtract(state.closed_proceeds, exact_sum(_proceeds(state, leg) for leg in closing)),
        commission=CONTEXT.subtract(state.commission, exact_sum(leg.commission for leg in legs)),
        closed_at=None,
        exit_reason="",
    )


def _proceeds(state: PositionState, leg: Leg) -> Decimal:
    """Return what a closing leg brought in (a short: cost): its profit and its cost tell."""
    return (CONTEXT.subtract if state.side == Side.SHORT else CONTEXT.add)(leg.cost, leg.realized_pnl)


def _last_stated(books: Locked, position: UUID, column: str, start: Moment) -> Any:
    """Return the latest value that a fill of the position stated before the moment."""
    rows = query(
        books.using,
        f"SELECT t.{column} FROM {{PositionFill}} f JOIN {{Trade}} t ON t.id = f.trade_id "
        f"WHERE f.position_id = %(position)s AND (f.executed_at, f.trade_id) < (%(time)s, %(id)s) "
        f"AND t.{column} IS NOT NULL ORDER BY f.executed_at DESC, f.trade_id DESC LIMIT 1",
        {"position": position, "time": start[0], "id": start[1]},
    )
    return rows[0][0] if rows else None

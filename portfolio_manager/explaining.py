"""
Why a trade was made, and what came of it: everything that is stored about it, in one typed result.

Links are followed as they were stored, never guessed: what is not there is named as missing, with the reason. The
number of queries does not depend on how much there is. Rows that were archived are read too.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from friren.core.numbers import CONTEXT, ZERO
from friren.persistence.answers import Answer, ask
from friren.persistence.archived import sources
from friren.persistence.archived_reads import with_archive
from friren.persistence.reads import light_rows
from portfolio_manager.ideas.replay import Replay, read_replay
from portfolio_manager.models import DecisionHistory, Position, PositionFill, TradeIdea
from trading_engine.models import (
    MarketRegime,
    Order,
    OrderStatusEvent,
    RegimeHistory,
    SentimentData,
    Signal,
    Trade,
    TradeSentiment,
    TradeStatusEvent,
)

__all__ = ["Explanation", "Missing", "explain_trade"]

# Of each link; an order of more fills, or an idea of more decisions, is told by its own lists.
ROWS_MAX: Final = 200
MOVES: Final = ("occurred_at", "recorded_seq")
UNKNOWN: Final = "not known: the database cannot be asked"


@dataclasses.dataclass(frozen=True, slots=True)
class Missing:
    """A link that is not there, and why."""

    link: str
    why: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """
    Everything about one trade. Rows are as the services read them: the fields of their models, references by key.

    Attributes:
        signal: the advice that names the trade, or that its order names.
        idea: the proposal that names the trade, or its order.
        decisions: about the idea, oldest first; what the risk gate said is in their `risk_check_result`.
        order, order_events: the intent, and its moves, oldest first.
        trade, trade_events: the fill itself, and its moves; None where even that is not known in an outage.
        other_fills: of the same order, oldest first.
        effects: what the trade did to positions; of a fill that crosses zero there are two.
        positions: those positions as they are now, in the order of `effects`; profit, commission and marks are theirs.
        sentiments: that the trade was linked to.
        regimes: the intervals that held when it was executed, of its book and of the market, by any detector.
        observations: what was seen last in each of them until then.
        seen: what was captured under the idea's `snapshot_ref`.
        missing: the links that are not there.
        as_of: when the oldest part was read, UTC; None: some of it is not known.
        stale: the database could not be asked for some of it; that is what was known before.
    """

    trade: Any
    trade_events: list[Any]
    signal: Any
    idea: Any
    decisions: list[Any]
    order: Any
    order_events: list[Any]
    other_fills: list[Any]
    effects: list[Any]
    positions: list[Any]
    sentiments: list[Any]
    regimes: list[Any]
    observations: list[Any]
    seen: Replay | None
    missing: tuple[Missing, ...]
    as_of: dt.datetime | None
    stale: bool

    @property
    def gate(self) -> list[dict[str, Any]]:
        """What the risk gate said of the idea, oldest first."""
        return [row.risk_check_result for row in self.decisions if row.risk_check_result]

    @property
    def realized_pnl(self) -> Decimal:
        """What this very trade realised, before commission, in the currency of its instrument."""
        total = ZERO
        for row in self.effects:
            total = CONTEXT.add(total, row.realized_pnl)
        return total


class _Reader:
    """Asks one thing after another, and keeps how fresh all of it is."""

    def __init__(self, trade: UUID, using: str) -> None:
        self.trade, self.using = trade, using
        self.as_of: list[dt.datetime | None] = []
        self.stale = False

    def all(self, model: Any, *conditions: Q, by: tuple[str, ...] = ("id",), **equal: Any) -> list[Any]:
        rows: QuerySet[Any, Any] = model._default_manager.using(self.using).filter(*conditions, **equal)
        answer: Answer = light_rows(with_archive(rows).order_by(*by)[:ROWS_MAX])
        self.as_of.append(answer.as_of)
        self.stale = self.stale or answer.stale
        return answer.rows

    def first(self, model: Any, *conditions: Q, **equal: Any) -> Any:
        """Return the row that names the trade itself, else one that is found by its order, else None."""
        found = self.all(model, *conditions, **equal)
        return next((row for row in found if row.trade == self.trade), found[0] if found else None)

    @property
    def known(self) -> bool:
        return None not in self.as_of


def explain_trade(key: UUID, *, account: UUID | None = None, using: str = "default") -> Explanation | None:
    """
    Return everything that is stored about a trade; None when there is no such trade.

    Args:
        key: id of the trade.
        account: only a trade of this account is explained; any account's unless given.
    """
    read = _Reader(key, using)
    mine = Q() if account is None else Q(account=account)
    found = read.all(Trade, mine, pk=key)
    if not found:
        return None if read.known else _unknown()
    (trade,) = found
    order = None if trade.order is None else next(iter(read.all(Order, pk=trade.order)), None)
    of_order = Q() if order is None else Q(order=order.id)
    idea = read.first(TradeIdea, Q(trade=key) | of_order)
    by_signal = Q() if order is None or order.signal is None else Q(pk=order.signal)
    signal = read.first(Signal, Q(trade=key) | by_signal)
    effects = read.all(PositionFill, trade=key, by=("leg",))
    held = {row.id: row for row in read.all(Position, pk__in=[row.position for row in effects])} if effects else {}
    regimes = read.all(MarketRegime, *_held_at(key, trade, using), by=("detector", "started_at", "id"))
    seen = None if idea is None or idea.snapshot_ref is None else read_replay(idea.snapshot_ref, using=using)
    linked = [row.sentiment for row in read.all(TradeSentiment, trade=key)]
    parts: dict[str, Any] = {
        "trade": trade,
        "trade_events": read.all(TradeStatusEvent, trade=key, by=MOVES),
        "signal": signal,
        "idea": idea,
        "decisions": read.all(DecisionHistory, trade_idea=idea.id, by=MOVES) if idea else [],
        "order": order,
        "order_events": read.all(OrderStatusEvent, order=order.id, by=MOVES) if order else [],
        "other_fills": read.all(Trade, of_order & ~Q(pk=key), by=("executed_at", "id")) if order else [],
        "effects": effects,
        "positions": [held[row.position] for row in effects if row.position in held],
        "sentiments": read.all(SentimentData, pk__in=linked, by=("timestamp", "id")) if linked else [],
        "regimes": regimes,
        "observations": _observations(read, regimes, trade.executed_at),
        "seen": seen,
    }
    if seen is not None:
        read.as_of.append(seen.as_of)
        read.stale = read.stale or seen.stale
    as_of = min(moment for moment in read.as_of if moment is not None) if read.known else None
    return Explanation(**parts, missing=_missing(parts, known=read.known), as_of=as_of, stale=read.stale)


def _unknown() -> Explanation:
    told: dict[str, Any] = {field.name: [] for field in dataclasses.fields(Explanation)}
    told |= {"trade": None, "signal": None, "idea": None, "order": None, "seen": None, "as_of": None, "stale": True}
    return Explanation(**told | {"missing": (Missing("trade", UNKNOWN),)})


def _held_at(key: UUID, trade: Any, using: str) -> tuple[Q, ...]:
    symbol = _symbol_of(key, using)
    return (
        Q(account=trade.account) | Q(account=None),
        Q(symbol__in=symbol) | Q(symbol=None),
        Q(started_at__lte=trade.executed_at),
        Q(ended_at=None) | Q(ended_at__gt=trade.executed_at),
    )


def _symbol_of(key: UUID, using: str) -> RawSQL:
    """Return the query of a trade's symbol; a light row has its ticker, which several venues may share."""
    table = Trade._meta.db_table
    places = ask(("places of", table), lambda alias: sources(table, alias), using=using).rows or [table]
    # The names are the model's and ours.
    text = " UNION ALL ".join(f"SELECT symbol_id FROM {place} WHERE id = %s" for place in places)  # noqa: S608
    return RawSQL(text, [key] * len(places))  # noqa: S611


def _observations(read: _Reader, regimes: list[Any], at: dt.datetime) -> list[Any]:
    """Return the last observation of each interval until `at`."""
    if not regimes:
        return []
    newest = (
        RegimeHistory.objects.using(read.using)
        .filter(market_regime__in=[row.id for row in regimes], timestamp__lte=at)
        .order_by("market_regime", "-timestamp", "-id")
        .distinct("market_regime")
    )
    return read.all(RegimeHistory, pk__in=newest.values("pk"), by=("detector", "timestamp", "id"))


def _missing(parts: dict[str, Any], *, known: bool) -> tuple[Missing, ...]:
    trade, order, idea, positions = parts["trade"], parts["order"], parts["idea"], parts["positions"]
    checked = any(row.risk_check_result for row in parts["decisions"])
    unmarked = any(row.status == "open" and row.unrealized_pnl is None for row in positions)
    named = parts["regimes"] or trade.regime_at_entry
    no_idea = "" if idea else "there is no idea"
    no_ref = "" if parts["seen"] is not None else "the idea names no snapshot_ref"
    not_held = "the trade was busted" if trade.status == "busted" else "the trade is not booked yet"
    told = [
        ("signal", not parts["signal"], "no signal names the trade" + (", and its order names none" if order else "")),
        ("idea", not idea, "no idea names the trade" + (" or its order" if order else "")),
        ("decisions", not parts["decisions"], no_idea or "none about the idea is stored"),
        ("gate", not checked, no_idea or "the idea was never put before the risk gate"),
        ("order", not order, "the trade names none"),
        ("position", not positions, not_held),
        ("profit", unmarked, "the position is open and not marked, so what is unrealised is not known"),
        ("shap_values", not trade.shap_values, "the trade names none"),
        ("sentiments", not parts["sentiments"], "none is linked to the trade"),
        ("regime", not named, "the trade names none, and no interval is stored of that moment"),
        ("snapshots", not parts["seen"], no_idea or no_ref or "none is stored under the idea's snapshot_ref"),
    ]
    return tuple(Missing(link, why if known else UNKNOWN) for link, absent, why in told if absent)

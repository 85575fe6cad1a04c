"""How a book traded, pure: round trips, win rate, profit factor, P&L by any key, and a run's summary."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from friren.core.numbers import CONTEXT, ZERO
from portfolio_manager import risk
from portfolio_manager.accounting import exact_sum

__all__ = [
    "KeyedPnl",
    "Performance",
    "RoundTrip",
    "average_holding_days",
    "performance",
    "pnl_by",
    "profit_factor",
    "win_rate",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrip:
    """
    A position from its opening to its close, or to now.

    Attributes:
        strategy, regime: of the opening trade; the regime is "" where none was given.
        opened_at, closed_at: aware UTC; closed_at None while it is open.
        realized_pnl: profit of what was closed, without commission.
        unrealized_pnl: profit of what is still held at its last mark, 0 when closed.
        commission: paid for it, positive.
    """

    symbol: str
    strategy: str
    regime: str
    opened_at: dt.datetime
    closed_at: dt.datetime | None
    realized_pnl: Decimal
    unrealized_pnl: Decimal = ZERO
    commission: Decimal = ZERO

    @property
    def net_pnl(self) -> Decimal:
        """Realised and unrealised profit after commission."""
        return exact_sum((self.realized_pnl, self.unrealized_pnl, self.commission.copy_negate()))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedPnl:
    """
    Profit and loss of the round trips that share a key.

    Attributes:
        trips, closed: how many round trips, and how many of them are closed.
        net_pnl: after commission, open ones at their last mark.
        win_rate: of the closed ones; None without any.
    """

    key: str
    trips: int
    closed: int
    net_pnl: Decimal
    commission: Decimal
    win_rate: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """
    A run in figures; None where a figure is undefined.

    Attributes:
        total_return, annualized_return, max_drawdown, volatility: fractions; max_drawdown from -1 to 0.
        value_at_risk: of one day, 95 %, a positive fraction.
        trade_count: closed round trips; win_rate and profit_factor are theirs, after commission.
        avg_holding_days: days from opening to close.
    """

    total_return: float | None
    annualized_return: float | None
    volatility: float | None
    sharpe_ratio: float | None
    sortino_ratio: float | None
    max_drawdown: float | None
    value_at_risk: float | None
    trade_count: int
    win_rate: float | None
    profit_factor: float | None
    avg_holding_days: float | None


def win_rate(profits: Iterable[Decimal]) -> float | None:
    """Return the share of profits above 0, or None without any."""
    outcomes = [profit > ZERO for profit in profits]
    return sum(outcomes) / len(outcomes) if outcomes else None


def profit_factor(profits: Iterable[Decimal]) -> float | None:
    """Return gains over losses, both positive; None where nothing was lost, for then it has no bound."""
    outcomes = list(profits)
    gains = exact_sum(profit for profit in outcomes if profit > ZERO)
    losses = exact_sum(profit for profit in outcomes if profit < ZERO).copy_negate()
    return float(CONTEXT.divide(gains, losses)) if losses else None


def average_holding_days(trips: Iterable[RoundTrip]) -> float | None:
    """Return the mean days from opening to close of the closed round trips, or None without any."""
    held = [(trip.closed_at - trip.opened_at) / dt.timedelta(days=1) for trip in trips if trip.closed_at is not None]
    return sum(held) / len(held) if held else None


def pnl_by(trips: Iterable[RoundTrip], key: Callable[[RoundTrip], str]) -> list[KeyedPnl]:
    """
    Return profit and loss by any key, sorted by key: `pnl_by(trips, lambda trip: trip.regime)`.

    The sum over all keys is the sum over all round trips, to the last digit.
    """
    groups: dict[str, list[RoundTrip]] = {}
    for trip in trips:
        groups.setdefault(key(trip), []).append(trip)
    return [_keyed(name, groups[name]) for name in sorted(groups)]


def _keyed(name: str, trips: Sequence[RoundTrip]) -> KeyedPnl:
    closed = [trip.net_pnl for trip in trips if trip.closed_at is not None]
    return KeyedPnl(
        key=name,
        trips=len(trips),
        closed=len(closed),
        net_pnl=exact_sum(trip.net_pnl for trip in trips),
        commission=exact_sum(trip.commission for trip in trips),
        win_rate=win_rate(closed),
    )


def performance(equity: Sequence[Decimal], trips: Iterable[RoundTrip]) -> Performance:
    """
    Return the figures of a run.

    Args:
        equity: value of the book: at the start, then at the close of each day.
        trips: its round trips, open ones included.
    """
    closed = [trip for trip in trips if trip.closed_at is not None]
    profits = [trip.net_pnl for trip in closed]
    returns = risk.returns_of(equity)
    return Performance(
        total_return=risk.total_return(equity),
        annualized_return=risk.annualized_return(returns),
        volatility=risk.annualized_volatility(returns),
        sharpe_ratio=risk.sharpe_ratio(returns),
        sortino_ratio=risk.sortino_ratio(returns),
        max_drawdown=risk.max_drawdown(equity),
        value_at_risk=risk.value_at_risk(returns),
        trade_count=len(closed),
        win_rate=win_rate(profits),
        profit_factor=profit_factor(profits),
        avg_holding_days=average_holding_days(closed),
    )

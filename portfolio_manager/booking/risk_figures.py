"""The risk of an account, worked out from its books as they are marked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from friren.core.numbers import CONTEXT, ZERO
from friren.errors import RejectedRecordError
from portfolio_manager import risk
from portfolio_manager.models import AccountState, Position, RiskMetrics
from portfolio_manager.models.choices import PositionStatus
from trading_engine.models import Price
from trading_engine.models.choices import InstrumentType

__all__ = ["RiskFigures", "risk_figures"]

# A year of days for the tail of the book's returns; three months for how its holdings move together.
VALUE_DAYS: Final = 252
CORRELATION_DAYS: Final = 63


@dataclass(frozen=True, slots=True)
class RiskFigures:
    """
    What `risk_figures` found.

    Attributes:
        values: the figures by their columns in RiskMetrics, all in the base currency.
        left_out: what is in another currency and in none of the figures: "SAP EUR" for a position, "EUR" for cash.
    """

    values: dict[str, Any]
    left_out: tuple[str, ...]


def risk_figures(account: UUID, *, base_currency: str, at: dt.datetime, using: str) -> RiskFigures:
    """
    Return the risk of an account in its base currency; what is in another one is left out and named.

    Args:
        account: its id; everything of it is booked.
        base_currency: its own.
        at: aware; prices and values after it are not looked at.
        using: alias of the database.

    Raises:
        RejectedRecordError: an open position in the base currency was never marked.
    """
    held = Position.objects.using(using).filter(account=account, status=PositionStatus.OPEN).select_related("symbol")
    state = AccountState.objects.using(using).filter(account=account).first()
    own: list[Position] = []
    left_out = [] if state is None else sorted(state.balances)
    for position in held.order_by("symbol__ticker", "id"):
        # Markets are kept in the account's own currency.
        currency = base_currency if position.symbol is None else position.symbol.currency
        if currency == base_currency:
            own.append(position)
        else:
            left_out.append(f"{position.symbol.ticker} {currency}")
    value, values = ZERO if state is None else state.balance, []
    for position in own:
        if position.current_value is None:
            raise RejectedRecordError("position", position.id, "was never marked to market; mark it first")
        values.append(position.current_value)
        leveraged = position.instrument_type == InstrumentType.LEVERAGED
        value = CONTEXT.add(value, position.unrealized_pnl if leveraged else position.current_value)
    history = _daily_values(account, at, using)
    figures = {
        "portfolio_value": value,
        "total_exposure": risk.gross_exposure(values),
        "max_position_size": risk.largest_position(values),
        "correlation_risk": risk.correlation_risk(_moves(own, at, using)),
        "var_estimate": risk.value_at_risk_amount(risk.returns_of([*history, value]), value),
    }
    return RiskFigures(figures, tuple(dict.fromkeys(left_out)))


def _daily_values(account: UUID, until: dt.datetime, using: str) -> list[Decimal]:
    days = RiskMetrics.objects.using(using).filter(account=account, timestamp__lt=until)
    newest = days.order_by("-timestamp").values_list("portfolio_value", flat=True)[:VALUE_DAYS]
    return list(reversed(newest))


def _moves(held: Iterable[Position], until: dt.datetime, using: str) -> dict[str, list[float]]:
    """
    Return the daily returns of the symbols held, oldest first, of the same days.

    Two sources of one symbol see a day differently, so each symbol has one: that of its newest bar. On a day without a
    bar a symbol did not move.
    """
    symbols = {position.symbol_id for position in held if position.symbol_id is not None}
    closes = {symbol: _closes(symbol, until, using) for symbol in sorted(symbols)}
    days = sorted({day for series in closes.values() for day in series})[-(CORRELATION_DAYS + 1) :]
    moves = {}
    for symbol, series in closes.items():
        last: Decimal | None = None
        followed = []
        for day in days:
            last = series.get(day, last)
            if last is not None:
                followed.append(last)
        moves[str(symbol)] = risk.returns_of(followed)
    return moves


def _closes(symbol: int, until: dt.datetime, using: str) -> dict[dt.date, Decimal]:
    """Return the daily closes of a symbol by their day in UTC, of one source."""
    since = until - dt.timedelta(days=2 * CORRELATION_DAYS)
    bars = Price.objects.using(using).filter(symbol=symbol, timeframe="1d", timestamp__gte=since, timestamp__lte=until)
    newest = bars.order_by("-timestamp", "source").values_list("source", flat=True).first()
    rows = bars.filter(source=newest).order_by("timestamp").values_list("timestamp", "close")
    return {moment.astimezone(dt.UTC).date(): close for moment, close in rows}

"""The newest fill of each of many symbols, found symbol by symbol in an index and not by reading the history."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery

from friren.errors import RejectedRecordError
from friren.persistence.reads import PAGE_ROWS_MAX, newest_first
from friren.persistence.receipts import Rows
from trading_engine.models import Symbol, Trade
from trading_engine.models.choices import TradeStatus
from trading_engine.symbols import symbol_key

__all__ = ["latest_trades"]


def latest_trades(account: UUID, symbols: Any, *, using: str) -> Rows[Any]:
    """Return the newest fill of each symbol. Parameters and errors as for `TradeLogger.latest_trades`."""
    # One look into trade_by_symbol per symbol: DISTINCT ON would read and sort every fill of all of them.
    newest = (
        Trade.objects.filter(symbol=OuterRef("pk"), account=account)
        .exclude(status=TradeStatus.BUSTED)
        .order_by("-executed_at", "-id")
    )
    found = _rows_of(symbols).annotate(newest=Subquery(newest.values("id")[:1])).values("newest")
    rows = Trade.objects.using(using).filter(id__in=found)
    return newest_first(rows, time="executed_at", limit=PAGE_ROWS_MAX)


def _rows_of(symbols: Any) -> QuerySet[Symbol]:
    if symbols is None:
        return Symbol.objects.all()
    if not isinstance(symbols, list | tuple | set | frozenset) or len(symbols) > PAGE_ROWS_MAX:
        raise RejectedRecordError("symbols", symbols, f"a list of up to {PAGE_ROWS_MAX} symbols is wanted")
    tickers: dict[str, list[str]] = {}
    for number, symbol in enumerate(symbols):
        ticker, venue = symbol_key(f"symbols[{number}]", symbol)
        tickers.setdefault(venue, []).append(ticker)
    told = Q(pk__in=[])
    for venue, some in tickers.items():
        told |= Q(venue=venue, ticker__in=some)
    return Symbol.objects.filter(told)

"""What the stored books of an account are worth at given closes."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from friren.accounts import AccountHandle
from friren.core.numbers import CONTEXT
from friren.errors import RejectedRecordError
from friren.persistence.archived_reads import with_archive
from portfolio_manager.accounting import InstrumentType, exact_sum, mark
from portfolio_manager.models import LedgerEntry, Position

__all__ = ["stored_equity"]


def stored_equity(account: AccountHandle, closes: Mapping[str, Decimal]) -> Decimal:
    """
    Return the sum of the ledger in the base currency plus open quantity × multiplier × last close.

    Of leveraged positions the profit counts, for their price was never paid.

    Args:
        closes: last close by ticker.

    Raises:
        RejectedRecordError: a position is open in a symbol without a close.
    """
    lines = with_archive(LedgerEntry.objects.all()).filter(account=account.id, currency=account.base_currency)
    cash = exact_sum(lines.values_list("amount", flat=True).iterator())
    held = Position.objects.filter(account=account.id, status="open", symbol__isnull=False).values(
        "symbol__ticker", "symbol__multiplier", "instrument_type", "side", "quantity", "total_cost"
    )
    return CONTEXT.add(cash, exact_sum(_worth(closes, **row) for row in held))


def _worth(
    closes: Mapping[str, Decimal],
    *,
    symbol__ticker: str,
    symbol__multiplier: Decimal,
    instrument_type: str,
    side: str,
    quantity: Decimal,
    total_cost: Decimal,
) -> Decimal:
    if symbol__ticker not in closes:
        raise RejectedRecordError("closes", symbol__ticker, "a close of every symbol that is held")
    marked = mark(
        instrument_type=instrument_type,
        side=side,
        quantity=quantity,
        total_cost=total_cost,
        price=closes[symbol__ticker],
        multiplier=symbol__multiplier,
    )
    return marked.unrealized_pnl if instrument_type == InstrumentType.LEVERAGED else marked.value

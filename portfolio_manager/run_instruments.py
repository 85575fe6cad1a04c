"""What a run trades, as the database knows it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal

from django.db import DEFAULT_DB_ALIAS

from friren.errors import RejectedRecordError
from friren.persistence.answers import ask
from portfolio_manager.accounting import Instrument, InstrumentType
from trading_engine.models import Symbol

__all__ = ["currency_of", "instruments_of"]

log = logging.getLogger(__name__)


def instruments_of(symbols: Sequence[str], *, unknown: str = "USD") -> dict[str, Instrument]:
    """Return spot instruments of tickers as they are stored; of those that are not, in `unknown` with multiplier 1."""

    def stored(alias: str) -> list[tuple[str, str, Decimal]]:
        rows = Symbol.objects.using(alias).filter(ticker__in=symbols, venue="")
        return list(rows.values_list("ticker", "currency", "multiplier"))

    answer = ask(("instruments", tuple(symbols)), stored, using=DEFAULT_DB_ALIAS)
    if answer.as_of is None:
        log.warning("the database is away: all symbols are taken to be quoted in %s, with a multiplier of 1", unknown)
    known = {ticker: (currency, multiplier) for ticker, currency, multiplier in answer.rows}
    return {
        symbol: Instrument(type=InstrumentType.EQUITY, key=symbol, currency=currency, multiplier=multiplier)
        for symbol in symbols
        for currency, multiplier in [known.get(symbol, (unknown, Decimal(1)))]
    }


def currency_of(instruments: Mapping[str, Instrument]) -> str:
    """
    Return the one currency of instruments.

    Raises:
        RejectedRecordError: they are quoted in several.
    """
    currencies = sorted({instrument.currency for instrument in instruments.values()})
    if len(currencies) > 1:
        # Rates are not invented: a book in one currency cannot say what it is worth in another.
        raise RejectedRecordError("symbols", sorted(instruments), f"quoted in one currency, not {currencies}")
    return currencies[0]

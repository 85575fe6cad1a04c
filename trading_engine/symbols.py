"""
Symbols by natural key: the ticker, or ticker and venue.

`"AAPL"` is the instrument AAPL wherever it trades; `("BTC-USD", "coinbase")` is the one of a venue.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

from django.db import transaction
from django.db.models import QuerySet

from friren.core.models import Account
from friren.persistence import checks
from friren.persistence.aliases import database_of
from friren.persistence.facts import Fact
from trading_engine.models import Symbol

__all__ = ["SymbolKey", "rows_of_key", "rows_of_symbol", "symbol_id", "symbol_key"]

Query = TypeVar("Query", bound=QuerySet[Any, Any])

TICKER_LENGTH_MAX: Final = 100
VENUE_LENGTH_MAX: Final = 50


def symbol_key(field: str, value: Any) -> list[str]:
    """
    Return [ticker, venue] of a symbol given as a ticker, a (ticker, venue) pair or a row.

    Raises:
        RejectedRecordError: it is none of these, or too long, or empty.
    """
    if isinstance(value, Symbol):
        value = (value.ticker, value.venue)
    pair = value if isinstance(value, list | tuple) and len(value) == 2 else (value, "")
    ticker = checks.check_text(field, pair[0], length=TICKER_LENGTH_MAX, blank=False)
    return [ticker, checks.check_text(f"{field} (venue)", pair[1], length=VENUE_LENGTH_MAX)]


def rows_of_symbol(rows: Query, symbol: Any) -> Query:
    """
    Return those of `rows` whose `symbol` is the one given, as for `symbol_key`.

    The symbol is looked up by a subquery and not by a join: with one value known before the rows are read, an index
    on (symbol, time) gives them in order, and a page of the newest is read without sorting all the others.
    """
    return rows_of_key(rows, *symbol_key("symbol", symbol))


def rows_of_key(rows: Query, ticker: str, venue: str) -> Query:
    """Return those of `rows` whose `symbol` has this ticker and venue, as `rows_of_symbol` does."""
    return rows.filter(symbol=Symbol.objects.filter(ticker=ticker, venue=venue).values("id")[:1])


class SymbolKey:
    """Finds symbols for handlers, and makes the unknown ones with what is known."""

    path = "ticker"

    def __init__(self) -> None:
        # Key and id of a symbol never change and symbols are never deleted, so what was found once holds.
        # By database: an engine's own connections to it have other aliases.
        self._known: dict[tuple[str, str, str], int] = {}

    def parse(self, field: str, value: Any) -> list[str]:
        return symbol_key(field, value)

    def resolve(self, key: Any, fact: Fact, *, using: str) -> int:
        return self.find(key[0], key[1], account_id=fact.values.get("account"), using=using)

    def find(self, ticker: str, venue: str, *, account_id: Any = None, using: str) -> int:
        """Return the id of a symbol; an unknown one gets the currency of the account that trades it."""
        own = (database_of(using), ticker, venue)
        known = self._known.get(own)
        if known is not None:
            return known
        symbols = Symbol.objects.using(using)
        found = symbols.filter(ticker=ticker, venue=venue).values_list("id", flat=True).first()
        if found is None:
            account = Account.objects.using(using).filter(id=account_id).first() if account_id else None
            currency = account.base_currency if account else "USD"
            # Another process may make it at the same moment: then this insert does nothing.
            symbols.bulk_create([Symbol(ticker=ticker, venue=venue, currency=currency)], ignore_conflicts=True)
            found = symbols.values_list("id", flat=True).get(ticker=ticker, venue=venue)
        # A symbol made inside a transaction may yet be rolled back; outside one this runs at once.
        transaction.on_commit(lambda: self._known.__setitem__(own, found), using=using)
        return found

    def forget(self) -> None:
        """Forget what was found; for a database that was emptied or replaced."""
        self._known.clear()


symbols_by_key: Final = SymbolKey()


def symbol_id(key: list[str], *, account_id: Any = None, using: str = "default") -> int:
    """Return the id of the symbol [ticker, venue], made if it is unknown."""
    return symbols_by_key.find(key[0], key[1], account_id=account_id, using=using)

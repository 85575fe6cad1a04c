"""
Pairs by natural key: their two symbols, each a ticker or a ticker and venue.

`("XLF", "XLK")` is the pair XLF against XLK, wherever its figures stand now.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

from django.db import transaction
from django.db.models import QuerySet

from friren.errors import RejectedRecordError
from friren.persistence.aliases import database_of
from friren.persistence.facts import Fact
from trading_engine.models import TradingPair
from trading_engine.symbols import symbol_key

__all__ = ["UNKNOWN", "PairKey", "pair_key", "pair_name", "pairs_by_key", "rows_of_pair"]

Query = TypeVar("Query", bound=QuerySet[Any, Any])

# No pair has it: a fact that names an unknown pair is refused by the foreign key, or waits for it, as any orphan does.
UNKNOWN: Final = 0
KEY_LENGTH: Final = 4


def pair_key(field: str, value: Any) -> list[str]:
    """
    Return [ticker, venue, ticker, venue] of a pair given as two symbols, each as for `symbol_key`, or as a row.

    Raises:
        RejectedRecordError: it is none of these, or both are the same symbol.
    """
    if isinstance(value, TradingPair):
        value = (value.symbol_1, value.symbol_2)
    if not isinstance(value, list | tuple) or len(value) not in {2, KEY_LENGTH}:
        raise RejectedRecordError(field, value, "two symbols, each a ticker or (ticker, venue)")
    legs = value if len(value) == 2 else (value[:2], value[2:])
    first, second = (symbol_key(f"{field}[{place}]", leg) for place, leg in enumerate(legs))
    if first == second:
        raise RejectedRecordError(field, value, "two different symbols")
    return [*first, *second]


def pair_name(key: list[str]) -> str:
    """Return a pair as people write it: XLF/XLK."""
    return f"{key[0]}/{key[2]}"


def rows_of_pair(rows: Query, *key: str) -> Query:
    """Return those of `rows` whose `pair` has this key; looked up by a subquery, as `rows_of_symbol` does."""
    return rows.filter(pair=_pairs_of(key, TradingPair.objects.all()).values("id")[:1])


class PairKey:
    """Finds pairs for handlers. Their figures are estimates, so none is made of its name alone."""

    # Rows show the pair by its own key: its two tickers would cost every page of trades four joins.
    path = ""

    def __init__(self) -> None:
        # Symbols of a pair never change and pairs are never deleted, so what was found once holds.
        self._known: dict[tuple[str, ...], int] = {}

    def parse(self, field: str, value: Any) -> list[str]:
        """Return the key of a pair, see `pair_key`."""
        return pair_key(field, value)

    def resolve(self, key: Any, fact: Fact, *, using: str) -> int:
        """Return the id of a stored pair; of another one the id that no pair has."""
        del fact
        own = (database_of(using), *key)
        known = self._known.get(own)
        if known is not None:
            return known
        found = _pairs_of(key, TradingPair.objects.using(using)).values_list("id", flat=True).first()
        if found is None:
            return UNKNOWN
        # A pair made inside a transaction may yet be rolled back; outside one this runs at once.
        transaction.on_commit(lambda: self._known.__setitem__(own, found), using=using)
        return found

    def forget(self) -> None:
        """Forget what was found; for a database that was emptied or replaced."""
        self._known.clear()


def _pairs_of(key: Any, pairs: QuerySet[TradingPair]) -> QuerySet[TradingPair]:
    ticker_1, venue_1, ticker_2, venue_2 = key
    return pairs.filter(
        symbol_1__ticker=ticker_1, symbol_1__venue=venue_1, symbol_2__ticker=ticker_2, symbol_2__venue=venue_2
    )


pairs_by_key: Final = PairKey()

"""What a strategy on prediction markets is: the quotes of a moment in, bets out; it knows no account and no cash."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Protocol

__all__ = ["BUY_NO", "BUY_YES", "Bet", "MarketStrategy", "Quote"]

# Texts of SignalType; this package stays importable without Django.
BUY_YES: Final = "BUY_YES"
BUY_NO: Final = "BUY_NO"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """
    A market as its venue tells it at a moment.

    Attributes:
        event: id of the event it belongs to, "" for none.
        yes_price, no_price: 0 to 1.
        is_open: it takes orders.
        excludes_others: of the markets of its event that say so at most one ends YES.
    """

    market: str
    question: str
    yes_price: Decimal
    no_price: Decimal
    event: str = ""
    event_title: str = ""
    event_ends_at: dt.datetime | None = None
    liquidity: Decimal | None = None
    volume: Decimal | None = None
    is_open: bool = True
    excludes_others: bool = False


@dataclass(frozen=True, slots=True)
class Bet:
    """
    What a strategy would buy.

    Attributes:
        kind: BUY_YES or BUY_NO.
        share: of the stake, more than 0; the shares of one group are 1 together.
        group: bets of one group only make sense together: all are made, or none.
        confidence: 0..1; each strategy says what it measures.
        reasoning: one sentence with the figures that led to it.
        indicators: the same figures as plain floats, by name.
    """

    quote: Quote
    kind: str
    share: Decimal
    group: str
    confidence: float
    reasoning: str
    indicators: Mapping[str, float] = field(default_factory=dict)

    @property
    def price(self) -> Decimal:
        """What the token costs."""
        return self.quote.yes_price if self.kind == BUY_YES else self.quote.no_price


class MarketStrategy(Protocol):
    """A strategy on all markets of a venue. It is given the quotes of each moment once, oldest first."""

    @property
    def name(self) -> str:
        """The name it is registered and stored under."""

    @property
    def parameters(self) -> Mapping[str, int | float]:
        """What it was made with."""

    def on_quotes(self, quotes: Sequence[Quote]) -> Sequence[Bet]:
        """Take the quotes of a moment; return what to buy."""

"""Overround: of outcomes that exclude each other, bet against each when their prices add up to more than 1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import ClassVar, Final

from friren.core.numbers import CONTEXT, ZERO
from friren.errors import RejectedRecordError
from trading_engine.strategies.markets import BUY_NO, Bet, Quote

__all__ = ["Overround"]

# Below this many it is no set: one market alone says nothing of the others.
MARKETS_MIN: Final = 2


class Overround:
    """
    Buy as many NO tokens of each of n markets of which at most one ends YES, when their YES prices add up to s > 1.

    One NO token of each costs n - s, and at least n - 1 of them pay 1: the profit is s - 1 or more, whatever happens.
    That holds for any part of the outcomes, so it does not matter whether all of them are quoted. (The other side, to
    buy each YES where they add up to less than 1, needs every outcome there is, which no answer of a venue proves.)
    The prices are those that are told; where they lie between bid and ask, what can be had is less.
    Confidence is the overround s - 1, at most 1.

    Source: B. de Finetti's Dutch book; the name is the bookmakers' own for s - 1.
    """

    name: ClassVar[str] = "overround"

    def __init__(self, *, edge: float = 0.01) -> None:
        """
        Args:
            edge: the overround from which on to bet, more than 0 and at most 1.

        Raises:
            RejectedRecordError: it is not.
        """
        if isinstance(edge, bool) or not isinstance(edge, int | float) or not 0 < edge <= 1:
            raise RejectedRecordError("edge", edge, "a number more than 0 and at most 1")
        self._edge = edge
        self._limit = Decimal(repr(edge))

    @property
    def parameters(self) -> Mapping[str, int | float]:
        """The edge."""
        return {"edge": self._edge}

    def on_quotes(self, quotes: Sequence[Quote]) -> list[Bet]:
        """Take the quotes of a moment; return the bets against every event that is priced too high."""
        events: dict[str, list[Quote]] = {}
        for quote in quotes:
            if quote.is_open and quote.excludes_others and quote.event and quote.no_price > 0:
                events.setdefault(quote.event, []).append(quote)
        return [bet for event, some in events.items() for bet in self._bets(event, some)]

    def _bets(self, event: str, quotes: Sequence[Quote]) -> list[Bet]:
        total = _sum(quote.yes_price for quote in quotes)
        over = CONTEXT.subtract(total, Decimal(1))
        if len(quotes) < MARKETS_MIN or over < self._limit:
            return []
        cost = _sum(quote.no_price for quote in quotes)
        reasoning = f"{len(quotes)} outcomes that exclude each other cost {total:.4f} together, {over:.4f} over 1"
        figures = {"sum_of_yes": float(total), "overround": float(over), "cost_of_no": float(cost)}
        return [
            Bet(
                quote=quote,
                kind=BUY_NO,
                # Of the price: so the stake buys as many tokens of each.
                share=CONTEXT.divide(quote.no_price, cost),
                group=event,
                confidence=min(1.0, float(over)),
                reasoning=reasoning,
                indicators=figures,
            )
            for quote in quotes
        ]


def _sum(prices: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for price in prices:
        total = CONTEXT.add(total, price)
    return total

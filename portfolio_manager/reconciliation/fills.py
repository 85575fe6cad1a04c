"""Fills as a statement and the book tell them, in one form that can be compared."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from friren.core.numbers import ZERO, plain
from friren.persistence.facts import Fact
from trading_engine.data.importers.csv_trades import VENUE as GENERIC_VENUE
from trading_engine.models.choices import TradeStatus

__all__ = [
    "OUR_COLUMNS", "Fill", "fill_of_fact", "fill_of_row", "is_derived", "shown_fill", "shown_value",
]  # fmt: skip

# What the book is asked for; `fill_of_row` takes a row of these.
OUR_COLUMNS: Final = (
    "id", "symbol__ticker", "symbol__venue", "market_id", "action", "quantity", "price", "executed_at", "commission",
    "commission_currency", "venue", "external_id", "status",
)  # fmt: skip
_SIGNS: Final = {"buy": "buy", "cover": "buy", "sell": "sell", "short": "sell"}
# Ids that a reader makes where a file has none: of the moment, the symbol and a number.
_DERIVED: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*:\d+")


@dataclass(frozen=True, slots=True)
class Fill:
    """
    A fill, whoever tells it.

    Attributes:
        ticker: of the symbol, or the id of a market.
        symbol_venue: of the symbol; "" where it is left open.
        action: as told; `sign` is what it does to the position.
        commission: None where nothing is said of it.
        external_id: the venue's; "" where it gave none.
        trade: the book's row; None of a statement.
        place: number within the statement or the book: what breaks ties.
        busted: the book holds it no more.
    """

    ticker: str
    symbol_venue: str
    action: str
    quantity: Decimal
    price: Decimal
    executed_at: dt.datetime
    commission: Decimal | None
    commission_currency: str
    venue: str
    external_id: str
    trade: UUID | None = None
    place: int = 0
    busted: bool = False

    @property
    def key(self) -> tuple[str, str] | None:
        """The name that the venue gave it; None where it gave none."""
        return (self.venue, self.external_id) if self.external_id else None

    @property
    def sign(self) -> str:
        """Whether it adds or takes away: venues call buying back and selling short buying and selling."""
        return _SIGNS.get(self.action, self.action)


def is_derived(external_id: str) -> bool:
    """Return whether an id is one that a reader made because its file had none."""
    return _DERIVED.fullmatch(external_id) is not None


def fill_of_fact(fact: Fact, place: int) -> Fill:
    """Return the fill that a statement tells of, from the fact that it would be."""
    told: Mapping[str, Any] = fact.values
    ticker, symbol_venue = told.get("symbol") or (told.get("market", ""), "")
    external_id = told.get("external_id", "")
    return Fill(
        ticker=ticker,
        symbol_venue=symbol_venue,
        action=str(told["action"]),
        quantity=told["quantity"],
        price=told.get("price", ZERO),
        executed_at=told["executed_at"],
        commission=told.get("commission"),
        commission_currency=told.get("commission_currency", ""),
        venue="" if (venue := told.get("venue", "")) == GENERIC_VENUE else venue,
        external_id="" if is_derived(external_id) else external_id,
        place=place,
    )


def fill_of_row(row: tuple[Any, ...], place: int) -> Fill:
    """Return the fill of a trade, read by `OUR_COLUMNS`."""
    told = dict(zip(OUR_COLUMNS, row, strict=True))
    return Fill(
        ticker=told["symbol__ticker"] or told["market_id"],
        symbol_venue=told["symbol__venue"] or "",
        action=told["action"],
        quantity=told["quantity"],
        price=told["price"],
        executed_at=told["executed_at"],
        commission=told["commission"],
        commission_currency=told["commission_currency"],
        venue="" if told["venue"] == GENERIC_VENUE else told["venue"],
        external_id="" if is_derived(told["external_id"]) else told["external_id"],
        trade=told["id"],
        place=place,
        busted=told["status"] == TradeStatus.BUSTED,
    )


def shown_value(value: Decimal | dt.datetime | str | None) -> str:
    """Return a value as a break keeps it."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat()
    return "" if value is None else value


def shown_fill(fill: Fill) -> dict[str, str]:
    """Return a fill as people read it, for the payload of a break."""
    named: dict[str, Decimal | dt.datetime | str | None] = {
        "symbol": fill.ticker,
        "action": fill.action,
        "quantity": fill.quantity,
        "price": fill.price,
        "executed_at": fill.executed_at,
        "commission": fill.commission,
        "venue": fill.venue,
        "external_id": fill.external_id,
    }
    return {name: text for name, value in named.items() if (text := shown_value(value))}

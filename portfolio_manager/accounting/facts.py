"""What happened: the facts that the books are folded from, in the order in which they are folded."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

import msgspec

__all__ = [
    "BUYS",
    "Action",
    "Cash",
    "CostBasis",
    "Dividend",
    "Fact",
    "Fill",
    "Instrument",
    "InstrumentType",
    "PositionMode",
    "Resolution",
    "Source",
    "Split",
    "fold_key",
]

ONE = Decimal(1)


class InstrumentType(StrEnum):
    """How cash moves when the instrument is traded."""

    EQUITY = "EQUITY"  # paid for in full
    LEVERAGED = "LEVERAGED"  # only profit, commission and funding move cash
    PREDICTION = "PREDICTION"  # a stake on YES or NO, paid out at resolution


class CostBasis(StrEnum):
    """Which cost a reduction takes out of a position."""

    AVERAGE = "AVERAGE"
    FIFO = "FIFO"
    LIFO = "LIFO"


class PositionMode(StrEnum):
    """Whether opposite fills offset each other (NETTING) or are held side by side (HEDGING)."""

    NETTING = "NETTING"
    HEDGING = "HEDGING"


class Action(StrEnum):
    """What a fill did."""

    BUY = "buy"
    SELL = "sell"
    SHORT = "short"
    COVER = "cover"
    BUY_YES = "buy_yes"
    BUY_NO = "buy_no"
    SELL_YES = "sell_yes"
    SELL_NO = "sell_no"


class Source(StrEnum):
    """The kind of fact that a leg or a ledger entry comes from, as their columns name it."""

    TRADE = "trade"
    CASH_MOVEMENT = "cash_movement"
    CORPORATE_ACTION = "corporate_action"
    RESOLUTION = "resolution"


# The actions that pay cash and receive quantity; the others do the reverse.
BUYS = frozenset({Action.BUY, Action.COVER, Action.BUY_YES, Action.BUY_NO})


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """
    What is held.

    Spot and leveraged holdings of one symbol are two instruments: they never offset each other.

    Attributes:
        key: the symbol's key or the market's id.
        currency: of price and cost; "" is the base currency of the book.
        multiplier: units of the underlying in one unit of quantity, e.g. 50 for an E-mini future.
    """

    type: str
    key: int | str
    currency: str = ""
    multiplier: Decimal = ONE


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """
    A trade: `quantity` > 0 at `price` (of any sign) at the aware moment `executed_at`.

    Attributes:
        amount: prediction markets: the exact stake or proceeds; None is quantity × price.
        commission: money paid, negative for a rebate; in `commission_currency`, "" = the instrument's.
        round_trip: with HEDGING, fills of one round trip net among themselves alone.
        pair: the pair whose leg it is, by whatever names it to the caller.
    """

    source_kind: ClassVar[Source] = Source.TRADE

    id: UUID
    executed_at: dt.datetime
    instrument: Instrument
    action: str
    quantity: Decimal
    price: Decimal
    strategy: str = ""
    amount: Decimal | None = None
    commission: Decimal | None = None
    commission_currency: str = ""
    round_trip: UUID | None = None
    leverage: Decimal | None = None
    stop_loss_price: Decimal | None = None
    target_price: Decimal | None = None
    exit_reason: str = ""
    regime_at_entry: str = ""
    pair: int | str | None = None

    @property
    def at(self) -> dt.datetime:
        """The moment by which facts are ordered."""
        return self.executed_at


class Cash(msgspec.Struct, frozen=True, kw_only=True):
    """A change of cash that is no fill: `amount` is signed, `kind` a CashKind such as DEPOSIT or FUNDING."""

    source_kind: ClassVar[Source] = Source.CASH_MOVEMENT

    id: UUID
    at: dt.datetime
    kind: str
    currency: str
    amount: Decimal


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """One unit of the symbol becomes `ratio` units: 7 for 7:1, 0.1 for a reverse split of 1:10."""

    source_kind: ClassVar[Source] = Source.CORPORATE_ACTION

    id: UUID
    at: dt.datetime
    symbol: int | str
    ratio: Decimal


class Dividend(msgspec.Struct, frozen=True, kw_only=True):
    """`amount` per unit of the symbol, received by longs and paid by shorts of the spot instrument."""

    source_kind: ClassVar[Source] = Source.CORPORATE_ACTION

    id: UUID
    at: dt.datetime
    symbol: int | str
    amount: Decimal
    currency: str = ""


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """The market is decided: a YES token pays `yes_payout` (0 to 1), a NO token 1 − `yes_payout`."""

    source_kind: ClassVar[Source] = Source.RESOLUTION

    id: UUID
    at: dt.datetime
    market: int | str
    yes_payout: Decimal


Fact = Fill | Cash | Split | Dividend | Resolution


def fold_key(fact: Fact) -> tuple[dt.datetime, UUID]:
    """Return the key by which facts are put in order: the moment, then the id (never the order of arrival)."""
    return fact.at, fact.id

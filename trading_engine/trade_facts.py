"""How a trade or an order that a caller describes becomes a fact. Shared by every logger that takes one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, TypedDict, Unpack
from uuid import UUID

from friren.accounts import AccountHandle
from friren.core.ids import natural_id, new_id
from friren.core.numbers import CONTEXT, LIMIT, ZERO
from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.facts import Fact, make_fact, spec_of
from friren.persistence.quick_checks import time_check
from trading_engine.models import Order, Trade
from trading_engine.models.choices import InstrumentType

__all__ = [
    "ORDER_KEYWORDS",
    "TRADE_KEYWORDS",
    "OrderDetails",
    "TradeDetails",
    "check_external_key",
    "fact_key",
    "fill_fact",
    "order_fact",
    "trade_fact",
]

EXTERNAL_ID_LENGTH_MAX: Final = 255
VENUE_LENGTH_MAX: Final = 50
# What callers call these columns.
TRADE_PARAMETERS: Final = {"id": "trade_id", "executed_at": "timestamp"}
ORDER_PARAMETERS: Final = {"id": "order_id", "requested_at": "timestamp"}


class TradeDetails(TypedDict, total=False):
    """
    What may be told of a fill beside instrument, action, quantity, price and time.

    Money is Decimal or int; scores and confidence are measurements, floats are fine.
    """

    symbol: Any  # ticker, (ticker, venue) or Symbol; or else:
    market: Any  # id of a prediction market
    pair: Any  # whose leg it is: two symbols, or a row
    instrument_type: str | None  # EQUITY; LEVERAGED when a leverage is given, PREDICTION when a market is
    order: Any  # id, receipt or row of the order it fills
    amount: Decimal | int | None  # exact stake of a prediction trade
    received_at: dt.datetime | None
    commission: Decimal | int | None  # a cost is positive
    commission_currency: str | None  # the instrument's when empty
    venue: str | None
    external_id: str | None
    liquidity: str | None
    expected_price: Decimal | int | None
    stop_loss_price: Decimal | int | None
    target_price: Decimal | int | None
    leverage: Decimal | float | None
    exit_reason: str | None
    tags: list[str] | None
    extra: dict[str, Any] | None
    round_trip: UUID | None
    source_pnl: Decimal | int | None
    strategy_used: str | None
    model_id: str | None
    regime_at_entry: str | None
    sentiment_score: float | Decimal | None  # -1 to 1
    confidence_score: float | Decimal | None  # 0 to 1
    reasoning: str | None
    shap_values: dict[str, Any] | None
    market_question: str | None
    event: Any
    event_title: str | None
    event_ends_at: dt.datetime | None


class OrderDetails(TypedDict, total=False):
    """What may be told of an order beside instrument, action, quantity and time."""

    symbol: Any
    market: Any
    pair: Any  # whose leg it is: two symbols, or a row
    signal: Any  # id, receipt or row of the signal it follows
    type: str | None  # MARKET
    time_in_force: str | None  # DAY
    limit_price: Decimal | int | None
    stop_price: Decimal | int | None
    stop_loss_price: Decimal | int | None
    target_price: Decimal | int | None
    leverage: Decimal | float | None
    strategy_used: str | None
    round_trip: UUID | None
    reasoning: str | None
    expires_at: dt.datetime | None
    venue: str | None
    external_id: str | None
    tags: list[str] | None
    extra: dict[str, Any] | None


# Plain text: checking a member of an enumeration takes the long way.
LEVERAGED: Final = InstrumentType.LEVERAGED.value
PREDICTION: Final = InstrumentType.PREDICTION.value
# x < 10^(a + 1) and y < 10^(b + 1) make x·y < 10^(a + b + 2), and the limit is 10^20.
SAFE_DIGITS: Final = 19

TRADE_KEYWORDS: Final = frozenset(TradeDetails.__annotations__) | {
    "action", "quantity", "price", "timestamp", "trade_id", "corrects",
}  # fmt: skip
ORDER_KEYWORDS: Final = frozenset(OrderDetails.__annotations__) | {"action", "quantity", "timestamp", "order_id"}


def check_external_key(venue: Any, external_id: Any, *, length: int = EXTERNAL_ID_LENGTH_MAX) -> None:
    """Refuse a venue or an external id that is no key: it is hashed before any column sees it."""
    if venue is not None:
        checks.check_text("venue", venue, length=VENUE_LENGTH_MAX)
    if external_id is not None:
        checks.check_text("external_id", external_id, length=length)


def fact_key(
    kind: str, account: AccountHandle, given: Any, *, field: str, venue: str | None, external_id: str | None
) -> tuple[UUID | None, str | None]:
    """
    Return (id, external id) of a fact whose caller may have named it.

    A UUID is the id. Other text is the id of another system: the fact's own id is then derived from
    (account, venue, external id), so that the same fact told twice is one row, database or no database.
    None twice: the id is to be made.
    """
    check_external_key(venue, external_id)
    if given is not None:
        try:
            return checks.check_uuid(field, given), external_id
        except RejectedRecordError:
            text = checks.check_text(field, given, length=EXTERNAL_ID_LENGTH_MAX, blank=False)
        if external_id is not None and external_id != text:
            raise RejectedRecordError(field, given, "is no UUID, so it is the external_id, and another one is given")
        external_id = text
    if external_id:
        return natural_id(kind, account.id, venue or "", external_id), external_id
    return None, None


def trade_fact(
    account: AccountHandle,
    *,
    action: str,
    quantity: Decimal | int,
    price: Decimal | int,
    timestamp: dt.datetime,
    trade_id: UUID | str | None = None,
    corrects: UUID | None = None,
    **details: Unpack[TradeDetails],
) -> Fact:
    """Return the fact of a fill. Parameters and errors as for `TradeLogger.log_trade`."""
    told = {"action": action, "quantity": quantity, "price": price, "timestamp": timestamp}
    return fill_fact(account, {**details, **told, "trade_id": trade_id, "corrects": corrects})


def fill_fact(account: AccountHandle, told: Mapping[str, Any]) -> Fact:
    """Return the fact of a fill told as the keywords of `TradeLogger.log_trade`, all required ones among them."""
    if not TRADE_KEYWORDS.issuperset(told):
        checks.refuse_unknown(told, known=TRADE_KEYWORDS, of="log_trade")
    columns = dict(told)
    key, given, external_id = None, columns.pop("trade_id", None), columns.get("external_id")
    if given is not None or external_id is not None:
        key, columns["external_id"] = fact_key(
            "trade", account, given, field="trade_id", venue=columns.get("venue"), external_id=external_id
        )
    columns["executed_at"] = time_check("timestamp", columns.pop("timestamp"))
    columns["account"] = account.id
    if columns.get("instrument_type") is None:
        # Equity is the column's default, and the rule of the table.
        if columns.get("market") is not None:
            columns["instrument_type"] = PREDICTION
        elif columns.get("leverage") is not None:
            columns["instrument_type"] = LEVERAGED
    if key is None:
        key = new_id()
    values = spec_of(Trade).checked(columns, key)
    quantity, price = values["quantity"], values.get("price", ZERO)
    # Numbers of this many digits together cannot reach the limit; only the others are multiplied.
    if quantity.adjusted() + price.adjusted() >= SAFE_DIGITS and CONTEXT.multiply(quantity, abs(price)) >= LIMIT:
        raise RejectedRecordError("quantity", quantity, f"quantity × price must be less than {LIMIT:f}")
    return Fact(kind="trade", id=key, values=values)


def order_fact(
    account: AccountHandle,
    *,
    action: str,
    quantity: Decimal | int,
    timestamp: dt.datetime,
    order_id: UUID | str | None = None,
    **details: Unpack[OrderDetails],
) -> Fact:
    """Return the fact of an order. Parameters and errors as for `TradeLogger.log_order`."""
    checks.refuse_unknown(details, known=ORDER_KEYWORDS, of="log_order")
    key, external_id = fact_key(
        "order", account, order_id, field="order_id", venue=details.get("venue"), external_id=details.get("external_id")
    )
    details["external_id"] = external_id
    return make_fact(
        Order, id=key, account=account.id, action=action, quantity=quantity,
        requested_at=checks.check_time("timestamp", timestamp), **details,
    )  # fmt: skip

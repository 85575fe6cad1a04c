"""What freqtrade knows of a trade, in whichever of its files: orders, the fills they led to, and what funding cost."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Final

from friren.core.numbers import CONTEXT, ZERO, plain, quantize
from friren.errors import RejectedRecordError
from trading_engine.data.importers.records import Fields, Told
from trading_engine.models.choices import ExitReason, OrderStatus, OrderType

__all__ = ["Origin", "trip_told"]

# How freqtrade, and ccxt below it, say what became of an order.
_STATUSES: Final = {
    "open": OrderStatus.SUBMITTED,
    "new": OrderStatus.SUBMITTED,
    "closed": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELLED,
    "cancelled": OrderStatus.CANCELLED,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
}
_OPEN: Final = frozenset({OrderStatus.SUBMITTED, OrderStatus.PARTIALLY_FILLED})
_EXIT_REASONS: Final = (
    ("liquidation", ExitReason.LIQUIDATION),
    ("stop", ExitReason.STOP),
    ("roi", ExitReason.TARGET),
    ("signal", ExitReason.SIGNAL),
    ("force", ExitReason.MANUAL),
    ("emergency", ExitReason.MANUAL),
)
# As the API rounds it; the database keeps all digits.
_RATIO_STEP: Final = Decimal("1e-8")
_SPOT: Final = frozenset({"", "spot"})


class Origin:
    """Where trades come from: `venue` and `key` name a trade for good, whatever file it is told by."""

    def __init__(self, *, venue: str, key: str, strategy: str, has_orders: bool) -> None:
        self.venue, self.key, self.strategy, self.has_orders = venue, key, strategy, has_orders


def trip_told(trade: Fields, orders: list[Fields], origin: Origin) -> list[Told]:
    """
    Return orders, fills and funding of one trade, as far as it has come.

    Where its orders are known, each order that is over and has a fill is one fill, so that positions that were built
    and left in steps come out as they were; else one entry, and one exit once it is closed.

    Raises:
        RejectedRecordError: a value breaks a rule.
    """
    common = _common(trade, origin)
    # Older backtests call a trade open that they closed at their end, and count its profit.
    over = not trade.values.get("is_open") or trade.number_or_none("close_rate") is not None
    found: list[Told] = []
    if origin.has_orders:
        found += [_order(one, trade, common) for one in orders]
    if orders:
        # Never from the trade as a whole then: another snapshot would tell the same fill by another name.
        filled = [one for one in orders if _is_filled(one)]
        found += _fills(trade, filled, origin, common, over=over)
    else:
        found += _two_fills(trade, origin, common, over=over)
    if over and (funding := trade.number_or_none("funding_fees")):
        found.append(_funding(trade, origin, funding))
    return found


def _common(trade: Fields, origin: Origin) -> dict[str, Any]:
    common: dict[str, Any] = {
        "symbol": trade.text("pair", required=True),
        "strategy_used": trade.text("strategy") or origin.strategy,
        "venue": origin.venue,
        "round_trip": origin.key,
    }
    leverage = trade.number_or_none("leverage")
    if trade.values.get("is_short") or trade.text("trading_mode").casefold() not in _SPOT:
        common["leverage"] = leverage or Decimal(1)
        common["instrument_type"] = "LEVERAGED"
    return common


def _action(trade: Fields, *, entry: bool) -> str:
    if trade.values.get("is_short"):
        return "short" if entry else "cover"
    return "buy" if entry else "sell"


def _is_entry(order: Fields, trade: Fields) -> bool:
    side = order.text("ft_order_side", required=True).casefold()
    if side not in {"buy", "sell", "stoploss"}:
        raise RejectedRecordError("ft_order_side", side, "buy, sell or stoploss")
    return side == ("sell" if trade.values.get("is_short") else "buy")


def _status(order: Fields) -> OrderStatus:
    said = order.text("status").casefold()
    status = _STATUSES.get(said)
    if status is None:
        # An older file has none; then what is filled tells.
        if said:
            raise RejectedRecordError("status", said, f"one of {', '.join(_STATUSES)}")
        if order.number_or_none("filled"):
            return OrderStatus.FILLED
        open_ = order.values.get("ft_is_open", order.values.get("is_open", True))
        return OrderStatus.SUBMITTED if open_ else OrderStatus.CANCELLED
    if status in _OPEN and order.number_or_none("filled"):
        return OrderStatus.PARTIALLY_FILLED
    return status


def _is_filled(order: Fields) -> bool:
    """Return whether an order is over and has a fill: while it is open, its fill may still grow."""
    if "filled" not in order.values and "status" not in order.values:
        return order.values.get("order_filled_timestamp") is not None
    return _status(order) not in _OPEN and bool(_filled(order))


def _filled(order: Fields) -> Decimal | None:
    """Return how much of an order was filled: all of it where a closed one does not say, as dry runs leave it."""
    found = order.number_or_none("filled")
    if found is None and _status(order) is OrderStatus.FILLED:
        return order.number_or_none("amount")
    return found


def _order(order: Fields, trade: Fields, common: dict[str, Any]) -> Told:
    price, stop = order.number_or_none("price"), order.number_or_none("stop_price")
    kind = order.text("order_type").casefold()
    told = {
        **common,
        "action": _action(trade, entry=_is_entry(order, trade)),
        "quantity": order.number("ft_amount" if order.values.get("amount") is None else "amount"),
        "timestamp": _milliseconds(order.moment("order_timestamp", "order_date")),
        "external_id": order.text("order_id", required=True),
        "status": str(_status(order)),
        "type": str(OrderType.MARKET),
        "time_in_force": "GTC",
    }
    told.pop("instrument_type", None)
    if kind == "limit" and price:
        told |= {"type": str(OrderType.LIMIT), "limit_price": price}
    elif kind.startswith("stop") and stop:
        told |= {"type": str(OrderType.STOP), "stop_price": stop}
    moved = order.moment_or_none("order_filled_timestamp", "order_filled_date", "order_update_date")
    return Told("order", told, None if moved is None else _milliseconds(moved))


def _fills(trade: Fields, orders: list[Fields], origin: Origin, common: dict[str, Any], *, over: bool) -> list[Told]:
    timed = [
        (_milliseconds(one.moment("order_filled_timestamp", "order_filled_date", "order_timestamp", "order_date")), one)
        for one in orders
    ]
    timed.sort(key=lambda pair: pair[0])
    last = timed[-1][1] if over and timed else None
    found = []
    for index, (moment, order) in enumerate(timed):
        entry = _is_entry(order, trade)
        price = order.number_or_none("safe_price") or order.number_or_none("average") or order.number("price")
        quantity = _filled(order) or order.number("amount")
        if entry and (kept := order.number_or_none("ft_fee_base")):
            # The fee was taken out of what was bought: so much less is held.
            quantity = CONTEXT.subtract(quantity, kept)
        order_id = order.text("order_id")
        told = {
            **common,
            "action": _action(trade, entry=entry),
            "quantity": quantity,
            "price": price,
            "timestamp": moment,
            "commission": _commission(trade, quantity, price, entry=entry),
            "external_id": order_id or f"{origin.key}:{index}",
        }
        if origin.has_orders:
            told["order"] = order_id
        found.append(Told("trade", told | (_outcome(trade) if order is last and not entry else _intent(trade, entry))))
    return found


def _two_fills(trade: Fields, origin: Origin, common: dict[str, Any], *, over: bool) -> list[Told]:
    found = []
    for name, entry in (("open", True), ("close", False))[: 1 + over]:
        quantity, price = trade.number("amount"), trade.number(f"{name}_rate")
        told = {
            **common,
            "action": _action(trade, entry=entry),
            "quantity": quantity,
            "price": price,
            "timestamp": _milliseconds(trade.moment(f"{name}_timestamp", f"{name}_date")),
            "commission": _commission(trade, quantity, price, entry=entry),
            "external_id": f"{origin.key}:{'entry' if entry else 'exit'}",
        }
        found.append(Told("trade", told | (_intent(trade, entry) if entry else _outcome(trade))))
    return found


def _commission(trade: Fields, quantity: Decimal, price: Decimal, *, entry: bool) -> Decimal | None:
    """Return the fee as freqtrade reckons it: a share of what was paid, in the currency of the price."""
    share = trade.number_or_none("fee_open" if entry else "fee_close")
    if share is None:
        return None
    fee = quantize(CONTEXT.multiply(CONTEXT.multiply(quantity, price), share))
    return CONTEXT.normalize(fee) if fee else ZERO


def _intent(trade: Fields, entry: bool) -> dict[str, Any]:
    """Return what is known when a trade begins, and no later snapshot tells otherwise."""
    if not entry:
        return {}
    found: dict[str, Any] = {}
    if tag := trade.text("enter_tag"):
        found["extra"] = {"enter_tag": tag}
    if (stop := trade.number_or_none("initial_stop_loss_abs")) is not None and stop > 0:
        found["stop_loss_price"] = stop
    return found


def _outcome(trade: Fields) -> dict[str, Any]:
    """Return what is known of a trade once it is over; it stands with its last fill."""
    reason = trade.text("exit_reason") or trade.text("sell_reason")
    profit, ratio = trade.number_or_none("profit_abs"), trade.number_or_none("profit_ratio")
    extra: dict[str, Any] = {}
    if ratio is not None:
        extra["profit_ratio"] = plain(CONTEXT.quantize(ratio, _RATIO_STEP))
    found: dict[str, Any] = {
        "source_pnl": trade.number_or_none("close_profit_abs") if profit is None else profit,
        "extra": extra,
    }
    if reason:
        extra["exit_reason"] = reason
        known = (kind for part, kind in _EXIT_REASONS if part in reason.casefold())
        found["exit_reason"] = str(next(known, ExitReason.OTHER))
    return found


def _funding(trade: Fields, origin: Origin, amount: Decimal) -> Told:
    told = {
        "kind": "FUNDING",
        "amount": amount,
        "occurred_at": _milliseconds(trade.moment("close_timestamp", "close_date")),
        "symbol": trade.text("pair"),
        "venue": origin.venue,
        "external_id": f"{origin.key}:funding",
        "reason": "funding of the whole trade",
    }
    return Told("cash_movement", told)


def _milliseconds(moment: dt.datetime) -> dt.datetime:
    """Return a moment as freqtrade's answers have it, so that its database tells the same."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

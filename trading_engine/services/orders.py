"""The order side of the trade logger: intents, stored before anything is sent."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Final, Unpack
from uuid import UUID

from django.utils import timezone

from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.facts import spec_of
from friren.persistence.reads import newest_first
from friren.persistence.receipts import Receipt, Rows
from trading_engine.lifecycles import VENUE_TOLD
from trading_engine.models import Order, OrderStatusEvent
from trading_engine.models.orders import OPEN_ORDER_STATUSES
from trading_engine.services.base import AccountService
from trading_engine.trade_facts import ORDER_PARAMETERS, OrderDetails, order_fact

__all__ = ["OrderMethods"]

# What callers call these columns of the status events.
EVENT_PARAMETERS: Final = {"to_status": "status", "occurred_at": "timestamp"}


class OrderMethods(AccountService):
    """What `TradeLogger` does with orders."""

    def log_order(
        self,
        *,
        action: str,
        quantity: Decimal | int,
        timestamp: dt.datetime,
        order_id: UUID | str | None = None,
        **details: Unpack[OrderDetails],
    ) -> Receipt:
        """
        Store an order, before it is sent. Its id is the client order id to send with it.

        Args:
            action: buy, sell, short or cover; buy_yes, buy_no, sell_yes or sell_no of a market.
            quantity: units, more than 0; at most 20 integer digits and 18 decimals.
            timestamp: when it was decided, aware.
            order_id: a UUID becomes the id, other text the venue's order id (`external_id`).
            details: `symbol` or `market`, and what OrderDetails lists; type MARKET unless said.

        Raises:
            RejectedRecordError: a value breaks a rule; nothing was stored.
            KeyReusedError: the id, or the venue and external id, is another order's.
        """
        fact = order_fact(
            self.account, action=action, quantity=quantity, timestamp=timestamp, order_id=order_id, **details
        )
        try:
            return self.recorder.record(fact)
        except RejectedRecordError as exc:
            raise exc.named(ORDER_PARAMETERS) from exc

    def update_order_status(
        self,
        order: Any,
        status: str,
        *,
        timestamp: dt.datetime | None = None,
        reason: str | None = None,
        venue: str | None = None,
        external_id: str | None = None,
        payload: dict[str, Any] | None = None,
    ) -> Receipt:
        """
        Move an order to `status`. The status it already has is a DUPLICATE.

        Args:
            order: id, receipt or row.
            timestamp: when it happened, aware; now unless given.
            venue, external_id: the venue and its order id, which may be set once; when they are new, a status
                that the order already has is no DUPLICATE.
            payload: what the venue said, as a JSON object.

        Raises:
            InvalidTransitionError: the order's status cannot be followed by this one.
            KeyReusedError: the venue and external id are another order's.
            RejectedRecordError: a value breaks a rule, or the order is not stored in this account.
        """
        told = {
            name: spec_of(Order).fields[name].check(name, value)
            for name, value in (("venue", venue), ("external_id", external_id))
            if value is not None
        }
        said = checks.check_json("payload", {} if payload is None else payload, kind=dict)
        if VENUE_TOLD in said:
            raise RejectedRecordError("payload", payload, f"must not have the key {VENUE_TOLD}, which is ours")
        try:
            return self._record(
                OrderStatusEvent,
                account=self.account.id,
                order=order,
                to_status=status,
                occurred_at=timezone.now() if timestamp is None else timestamp,
                reason=reason,
                payload={**said, VENUE_TOLD: told} if told else said,
            )
        except RejectedRecordError as exc:
            raise exc.named(EVENT_PARAMETERS) from exc

    def open_orders(self, *, limit: int = 1000, after: Any = None) -> Rows[Any]:
        """
        Return the orders that may still be filled, newest first: what to ask the venue about after a crash.

        Args:
            limit: rows at most.
            after: `next` of the page before.
        """
        orders = Order.objects.using(self.using).filter(account=self.account.id, status__in=OPEN_ORDER_STATUSES)
        return newest_first(orders, time="requested_at", limit=limit, after=after)

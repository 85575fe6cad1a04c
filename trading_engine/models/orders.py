"""Orders: what was meant to be traded, stored before anything is sent."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from friren.core.fields import ChoiceField, LeverageField, PriceField, QuantityField
from friren.core.models import FactModel
from friren.core.triggers import fact_triggers, same_account
from trading_engine.models.choices import OrderStatus, OrderType, TimeInForce, TradeAction
from trading_engine.models.relations import fact_key, soft_key
from trading_engine.models.status_events import StatusEvent

__all__ = ["OPEN_ORDER_STATUSES", "Order", "OrderStatusEvent"]

OPEN_ORDER_STATUSES = (OrderStatus.PENDING, OrderStatus.SUBMITTED, OrderStatus.PARTIALLY_FILLED)
ORDER_LIFECYCLE = ("status", "venue", "external_id", "submitted_at")


class Order(FactModel):
    """An intent to trade. Its id is the client order id; `external_id` is the venue's order id."""

    lifecycle = ORDER_LIFECYCLE

    account = fact_key("core.Account")
    symbol = fact_key("trading_engine.Symbol", related_name="orders", optional=True)
    market = soft_key("trading_engine.PredictionMarket", "market_id", related_name="orders")
    pair = fact_key("trading_engine.TradingPair", related_name="orders", optional=True)
    signal = fact_key("trading_engine.Signal", related_name="orders", optional=True)
    action = ChoiceField(max_length=10, choices=TradeAction)
    type = ChoiceField(max_length=16, choices=OrderType, default=OrderType.MARKET)
    time_in_force = ChoiceField(max_length=4, choices=TimeInForce, default=TimeInForce.DAY)
    quantity = QuantityField(positive=True)
    limit_price = PriceField(null=True, blank=True)
    stop_price = PriceField(null=True, blank=True)
    stop_loss_price = PriceField(null=True, blank=True)
    target_price = PriceField(null=True, blank=True)
    leverage = LeverageField(null=True, blank=True)
    strategy_used = models.CharField(max_length=255, blank=True)
    round_trip = models.UUIDField(null=True, blank=True)
    reasoning = models.TextField(blank=True)
    requested_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    venue = models.CharField(max_length=50, blank=True)
    external_id = models.CharField(max_length=255, blank=True)
    status = ChoiceField(max_length=16, choices=OrderStatus, default=OrderStatus.PENDING)
    tags = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    extra = models.JSONField(default=dict, blank=True)

    class Meta(FactModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "venue", "external_id"], name="order_external", condition=~Q(external_id="")
            ),
            models.CheckConstraint(
                condition=Q(symbol__isnull=False, market__isnull=True) | Q(symbol__isnull=True, market__isnull=False),
                name="ck_order_instrument",
                violation_error_code="symbol",
                violation_error_message="give either a symbol or a market",
            ),
            models.CheckConstraint(
                condition=~Q(type__in=(OrderType.LIMIT, OrderType.STOP_LIMIT)) | Q(limit_price__isnull=False),
                name="ck_order_limit",
                violation_error_code="limit_price",
                violation_error_message="a LIMIT or STOP_LIMIT order needs one",
            ),
            models.CheckConstraint(
                condition=~Q(type__in=(OrderType.STOP, OrderType.STOP_LIMIT)) | Q(stop_price__isnull=False),
                name="ck_order_stop",
                violation_error_code="stop_price",
                violation_error_message="a STOP or STOP_LIMIT order needs one",
            ),
        ]
        indexes: ClassVar = [
            *FactModel.Meta.indexes,
            models.Index(fields=["account", "-requested_at"], name="order_by_account"),
            models.Index(fields=["symbol", "-requested_at"], name="order_by_symbol"),
            models.Index(fields=["signal"], name="order_by_signal", condition=Q(signal__isnull=False)),
            models.Index(fields=["account", "status"], name="order_open", condition=Q(status__in=OPEN_ORDER_STATUSES)),
        ]
        triggers: ClassVar = [
            *fact_triggers(lifecycle=ORDER_LIFECYCLE),
            same_account("signal", "trading_engine_signal"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.type} order ({self.status})"


class OrderStatusEvent(StatusEvent):
    """One move of an order from a status to the next."""

    order = fact_key("trading_engine.Order", related_name="status_events")
    from_status = ChoiceField(max_length=16, choices=OrderStatus, blank=True)
    to_status = ChoiceField(max_length=16, choices=OrderStatus)

    class Meta(FactModel.Meta):
        indexes: ClassVar = [
            *FactModel.Meta.indexes,
            models.Index(fields=["order", "occurred_at"], name="orderevent_by_order"),
        ]
        triggers: ClassVar = fact_triggers()

"""Trades: fills, the facts that the books are made of."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from friren.core.fields import ChoiceField, LeverageField, MoneyField, PriceField, QuantityField, RatioField, ScoreField
from friren.core.models import FactModel
from friren.core.triggers import fact_triggers, period_open, same_account
from trading_engine.models.choices import (
    ExitReason,
    InstrumentType,
    Liquidity,
    RegimeType,
    TradeAction,
    TradeStatus,
)
from trading_engine.models.relations import fact_key, soft_key
from trading_engine.models.status_events import StatusEvent

__all__ = ["Trade", "TradeStatusEvent"]

TRADE_LIFECYCLE = ("status", "venue", "external_id")
PREDICTION_ACTIONS = (TradeAction.BUY_YES, TradeAction.BUY_NO, TradeAction.SELL_YES, TradeAction.SELL_NO)
_PREDICTION = Q(instrument_type=InstrumentType.PREDICTION)


class Trade(FactModel):
    """
    A fill: so many units of an instrument at a price, with the evidence it was made on.

    `quantity` is always positive; buy and cover add, sell and short take away. `round_trip` joins an
    entry and an exit that were reported together. `corrects` names the busted trade this one replaces.
    """

    lifecycle = TRADE_LIFECYCLE
    undigested = ("received_at",)

    account = fact_key("core.Account")
    order = fact_key("trading_engine.Order", related_name="trades", optional=True)
    instrument_type = ChoiceField(max_length=12, choices=InstrumentType, default=InstrumentType.EQUITY)
    symbol = fact_key("trading_engine.Symbol", related_name="trades", optional=True)
    market = soft_key("trading_engine.PredictionMarket", "market_id", related_name="trades")
    pair = fact_key("trading_engine.TradingPair", related_name="trades", optional=True)
    action = ChoiceField(max_length=10, choices=TradeAction)
    quantity = QuantityField(positive=True)
    price = PriceField()
    amount = MoneyField(null=True, blank=True)
    executed_at = models.DateTimeField()
    received_at = models.DateTimeField(null=True, blank=True)
    commission = MoneyField(null=True, blank=True)
    commission_currency = models.CharField(max_length=10, blank=True)
    venue = models.CharField(max_length=50, blank=True)
    external_id = models.CharField(max_length=255, blank=True)
    liquidity = ChoiceField(max_length=6, choices=Liquidity, blank=True)
    expected_price = PriceField(null=True, blank=True)
    stop_loss_price = PriceField(null=True, blank=True)
    target_price = PriceField(null=True, blank=True)
    leverage = LeverageField(null=True, blank=True)
    exit_reason = ChoiceField(max_length=12, choices=ExitReason, blank=True)
    tags = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    extra = models.JSONField(default=dict, blank=True)
    round_trip = models.UUIDField(null=True, blank=True)
    corrects = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="corrected_by"
    )
    source_pnl = MoneyField(null=True, blank=True)
    strategy_used = models.CharField(max_length=255, blank=True)
    model_id = models.CharField(max_length=50, blank=True)
    regime_at_entry = ChoiceField(max_length=20, choices=RegimeType, blank=True)
    sentiment_score = ScoreField(null=True, blank=True)
    confidence_score = RatioField(null=True, blank=True)
    reasoning = models.TextField(blank=True)
    shap_values = models.JSONField(default=dict, blank=True)
    market_question = models.TextField(blank=True)
    event = soft_key("trading_engine.PredictionEvent", "event_id", related_name="trades")
    event_title = models.TextField(blank=True)
    event_ends_at = models.DateTimeField(null=True, blank=True)
    status = ChoiceField(max_length=10, choices=TradeStatus, default=TradeStatus.FILLED)
    sentiments = models.ManyToManyField(
        "trading_engine.SentimentData", through="trading_engine.TradeSentiment", related_name="trades", blank=True
    )

    class Meta(FactModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "venue", "external_id"], name="trade_external", condition=~Q(external_id="")
            ),
            models.CheckConstraint(
                condition=Q(symbol__isnull=False, market__isnull=True) | Q(symbol__isnull=True, market__isnull=False),
                name="ck_trade_instrument",
                violation_error_code="symbol",
                violation_error_message="give either a symbol or a market",
            ),
            models.CheckConstraint(
                condition=(_PREDICTION & Q(market__isnull=False, action__in=PREDICTION_ACTIONS))
                | (~_PREDICTION & Q(market__isnull=True) & ~Q(action__in=PREDICTION_ACTIONS)),
                name="ck_trade_shape",
                violation_error_code="action",
                violation_error_message="actions on yes/no shares go with a PREDICTION and its market, others do not",
            ),
            models.CheckConstraint(
                condition=~_PREDICTION | Q(price__gte=0, price__lte=1),
                name="ck_trade_prediction_price",
                violation_error_code="price",
                violation_error_message="a PREDICTION trade has a price between 0 and 1",
            ),
            models.CheckConstraint(
                condition=Q(amount__isnull=True) | Q(amount__gt=0),
                name="ck_trade_amount",
                violation_error_code="amount",
                violation_error_message="must be more than 0",
            ),
            models.CheckConstraint(
                condition=Q(corrects__isnull=True) | ~Q(corrects=F("id")),
                name="ck_trade_corrects",
                violation_error_code="corrects",
                violation_error_message="a trade cannot correct itself",
            ),
        ]
        indexes: ClassVar = [
            *FactModel.Meta.indexes,
            # What the books have not yet taken in is found by number.
            models.Index(fields=["account", "recorded_seq"], name="trade_by_seq"),
            models.Index(fields=["account", "-executed_at", "-id"], name="trade_by_account"),
            # By account within a symbol: what one book did last is found behind whatever others did since.
            models.Index(fields=["symbol", "account", "-executed_at", "-id"], name="trade_by_symbol"),
            models.Index(fields=["account", "strategy_used", "-executed_at"], name="trade_by_strategy"),
            models.Index(fields=["order"], name="trade_by_order", condition=Q(order__isnull=False)),
            models.Index(fields=["market", "-executed_at"], name="trade_by_market", condition=Q(market__isnull=False)),
            models.Index(fields=["pair"], name="trade_by_pair", condition=Q(pair__isnull=False)),
            models.Index(fields=["round_trip"], name="trade_by_round_trip", condition=Q(round_trip__isnull=False)),
            models.Index(fields=["status"], name="trade_not_filled", condition=~Q(status=TradeStatus.FILLED)),
        ]
        triggers: ClassVar = [
            *fact_triggers(lifecycle=TRADE_LIFECYCLE),
            period_open("executed_at"),
            same_account("order", "trading_engine_order"),
            same_account("corrects", "trading_engine_trade"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.quantity.normalize():f} at {self.price.normalize():f}"


class TradeStatusEvent(StatusEvent):
    """One move of a trade from a status to the next."""

    trade = fact_key("trading_engine.Trade", related_name="status_events")
    from_status = ChoiceField(max_length=10, choices=TradeStatus, blank=True)
    to_status = ChoiceField(max_length=10, choices=TradeStatus)

    class Meta(FactModel.Meta):
        indexes: ClassVar = [
            *FactModel.Meta.indexes,
            models.Index(fields=["account", "recorded_seq"], name="tradeevent_by_seq"),
            models.Index(fields=["trade", "occurred_at"], name="tradeevent_by_trade"),
        ]
        triggers: ClassVar = fact_triggers()

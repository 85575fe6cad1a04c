"""The facts beside trades that the books are made of, and the closing of a period."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from friren.core.fields import ChoiceField, MoneyField, PriceField, QuantityField
from friren.core.models import FactModel
from friren.core.triggers import fact_triggers, period_open, same_account
from portfolio_manager.models.choices import ActionKind, CashKind
from trading_engine.models.choices import Outcome
from trading_engine.models.relations import fact_key, soft_key

__all__ = ["CashMovement", "CorporateAction", "MarketResolution", "PeriodCheckpoint"]


class CashMovement(FactModel):
    """A change of cash that is no fill. `amount` is signed, in `currency`."""

    undigested = ("received_at",)

    account = fact_key("core.Account")
    kind = ChoiceField(max_length=12, choices=CashKind)
    currency = models.CharField(max_length=10)
    amount = MoneyField()
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField(null=True, blank=True)
    symbol = fact_key("trading_engine.Symbol", related_name="cash_movements", optional=True)
    counter_account = fact_key("core.Account", optional=True)
    venue = models.CharField(max_length=50, blank=True)
    external_id = models.CharField(max_length=255, blank=True)
    corrects = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="corrected_by"
    )
    reason = models.TextField(blank=True)
    extra = models.JSONField(default=dict, blank=True)

    class Meta(FactModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "venue", "external_id"], name="cash_external", condition=~Q(external_id="")
            ),
            models.CheckConstraint(
                condition=~Q(amount=0),
                name="ck_cash_amount",
                violation_error_code="amount",
                violation_error_message="must not be 0",
            ),
            models.CheckConstraint(
                condition=~Q(currency=""),
                name="ck_cash_currency",
                violation_error_code="currency",
                violation_error_message="must not be empty",
            ),
            models.CheckConstraint(
                condition=~Q(kind=CashKind.DEPOSIT) | Q(amount__gt=0),
                name="ck_cash_deposit",
                violation_error_code="amount",
                violation_error_message="a DEPOSIT is more than 0",
            ),
            models.CheckConstraint(
                condition=~Q(kind=CashKind.WITHDRAWAL) | Q(amount__lt=0),
                name="ck_cash_withdrawal",
                violation_error_code="amount",
                violation_error_message="a WITHDRAWAL is less than 0",
            ),
            models.CheckConstraint(
                condition=Q(kind=CashKind.TRANSFER) | Q(counter_account__isnull=True),
                name="ck_cash_transfer",
                violation_error_code="counter_account",
                violation_error_message="only a TRANSFER has one",
            ),
        ]
        indexes: ClassVar = [
            *FactModel.Meta.indexes,
            models.Index(fields=["account", "recorded_seq"], name="cash_by_seq"),
            models.Index(fields=["account", "-occurred_at", "-id"], name="cash_by_account"),
        ]
        triggers: ClassVar = [
            *fact_triggers(),
            period_open("occurred_at"),
            same_account("corrects", "portfolio_manager_cashmovement"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount.normalize():f} {self.currency}"


class CorporateAction(FactModel):
    """A split (`ratio` new units for one) or a dividend (`amount` per unit), for one account's holdings."""

    undigested = ("received_at",)

    account = fact_key("core.Account")
    symbol = fact_key("trading_engine.Symbol", related_name="corporate_actions")
    kind = ChoiceField(max_length=10, choices=ActionKind)
    ratio = QuantityField(positive=True, null=True, blank=True)
    amount = MoneyField(null=True, blank=True)
    currency = models.CharField(max_length=10, blank=True)
    effective_at = models.DateTimeField()
    received_at = models.DateTimeField(null=True, blank=True)
    source = models.CharField(max_length=50, blank=True)

    class Meta(FactModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "symbol", "kind", "effective_at"], name="corporate_action_once"),
            models.CheckConstraint(
                condition=Q(kind=ActionKind.SPLIT, ratio__isnull=False, amount__isnull=True)
                | Q(kind=ActionKind.DIVIDEND, ratio__isnull=True, amount__isnull=False),
                name="ck_action_shape",
                violation_error_code="kind",
                violation_error_message="a SPLIT has a ratio and no amount, a DIVIDEND an amount and no ratio",
            ),
        ]
        indexes: ClassVar = [
            *FactModel.Meta.indexes,
            models.Index(fields=["account", "recorded_seq"], name="action_by_seq"),
        ]
        triggers: ClassVar = [*fact_triggers(), period_open("effective_at")]

    def __str__(self) -> str:
        return f"{self.kind} at {self.effective_at:%Y-%m-%d}"


class MarketResolution(FactModel):
    """The end of a yes/no market: each YES share pays `yes_payout`, each NO share the rest of 1."""

    undigested = ("received_at",)

    account = fact_key("core.Account")
    market = soft_key("trading_engine.PredictionMarket", "market_id", related_name="resolutions", optional=False)
    outcome = ChoiceField(max_length=10, choices=Outcome)
    yes_payout = PriceField()
    resolved_at = models.DateTimeField()
    received_at = models.DateTimeField(null=True, blank=True)
    source = models.CharField(max_length=50, blank=True)

    class Meta(FactModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "market"], name="one_resolution"),
            models.CheckConstraint(
                condition=Q(yes_payout__gte=0, yes_payout__lte=1),
                name="ck_resolution_payout",
                violation_error_code="yes_payout",
                violation_error_message="must be between 0 and 1",
            ),
            models.CheckConstraint(
                condition=~Q(outcome=Outcome.YES) | Q(yes_payout=1),
                name="ck_resolution_yes",
                violation_error_code="yes_payout",
                violation_error_message="is 1 when the outcome is YES",
            ),
            models.CheckConstraint(
                condition=~Q(outcome=Outcome.NO) | Q(yes_payout=0),
                name="ck_resolution_no",
                violation_error_code="yes_payout",
                violation_error_message="is 0 when the outcome is NO",
            ),
        ]
        indexes: ClassVar = [
            *FactModel.Meta.indexes,
            models.Index(fields=["account", "recorded_seq"], name="resolution_by_seq"),
        ]
        triggers: ClassVar = [*fact_triggers(), period_open("resolved_at")]

    def __str__(self) -> str:
        return f"{self.market_id} resolved {self.outcome}"


class PeriodCheckpoint(FactModel):
    """The books of an account as they stood when a period was closed; later facts may not be dated before it."""

    account = fact_key("core.Account")
    closes_at = models.DateTimeField()
    cash = MoneyField()
    balances = models.JSONField(default=dict, blank=True)
    positions = models.JSONField(default=list, blank=True)
    trade_count = models.BigIntegerField()
    facts_digest = models.BinaryField(max_length=32)
    closed_by = fact_key(settings.AUTH_USER_MODEL, optional=True)

    class Meta(FactModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "closes_at"], name="one_checkpoint"),
            models.CheckConstraint(
                condition=Q(trade_count__gte=0),
                name="ck_checkpoint_trades",
                violation_error_code="trade_count",
                violation_error_message="must not be negative",
            ),
        ]
        triggers: ClassVar = fact_triggers()

    def __str__(self) -> str:
        return f"closed until {self.closes_at:%Y-%m-%d %H:%M}"

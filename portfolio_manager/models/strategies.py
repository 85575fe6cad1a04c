"""Strategies as people configure them, and the one row that says what the system may do by itself."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Final

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from friren.core.fields import BoundedDecimalField, MoneyField, QuantityField, RatioField
from friren.core.ids import new_id
from portfolio_manager.models.conditions import number_of, problems_of

__all__ = ["CAPS", "RiskConfig", "Strategy"]

# The limits of RiskConfig that a strategy may narrow for its own ideas.
CAPS: Final = ("max_lot_size", "max_concurrent_trades")
# What is checked by `problems_of`.
CONFIGURED: Final = ("session_windows", "entry_conditions", "exit_rules", "forbidden_conditions", "risk_caps")


class Strategy(models.Model):
    """
    A strategy: what it may trade, when, on which conditions and within which limits.

    `allowed_symbols` is its watchlist; an empty one allows every symbol. `risk_caps` narrows limits of RiskConfig.
    """

    # People say what may be traded; bots read it.
    changed_by_bots: ClassVar[tuple[str, ...]] = ()

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=255, unique=True)
    is_active = models.BooleanField(default=True)
    allowed_symbols = ArrayField(
        models.CharField(max_length=100), default=list, blank=True, help_text="Tickers, with commas; empty: any."
    )
    session_windows = models.JSONField(
        default=list, blank=True, help_text='[{"days": ["Mon"], "start": "09:30", "end": "16:00", "timezone": "UTC"}]'
    )
    entry_conditions = models.JSONField(default=dict, blank=True)
    exit_rules = models.JSONField(default=dict, blank=True)
    forbidden_conditions = models.JSONField(default=dict, blank=True)
    risk_caps = models.JSONField(
        default=dict, blank=True, help_text='{"max_lot_size": "10", "max_concurrent_trades": 2}'
    )
    rr_expectation = BoundedDecimalField(
        max_digits=8, decimal_places=4, minimum=Decimal(0), maximum=Decimal(9999), null=True, blank=True,
        help_text="Reward for each unit of risk that an idea should promise.",
    )  # fmt: skip
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "Strategies"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(name=""),
                name="ck_strategy_named",
                violation_error_code="name",
                violation_error_message="must not be empty",
            )
        ]
        indexes: ClassVar = [models.Index(fields=["is_active"], name="strategy_active")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a configuration that no reader could make sense of."""
        super().clean()
        found = ((name, problems_of(name, getattr(self, name))) for name in CONFIGURED)
        errors = {name: problem for name, problem in found if problem}
        if any(not symbol.strip() for symbol in self.allowed_symbols or []):
            errors["allowed_symbols"] = "a ticker must not be empty"
        if "risk_caps" not in errors:
            wrong = [name for name in CAPS if name in self.risk_caps and number_of(self.risk_caps, name) is None]
            if wrong:
                errors["risk_caps"] = f"{wrong[0]} must be a number, 0 or more"
        if errors:
            raise ValidationError(errors)

    def cap(self, name: str) -> Decimal | None:
        """Return a limit that the strategy narrows; None where it does not."""
        return number_of(self.risk_caps, name)


class RiskConfig(models.Model):
    """What may be traded without a person, and what stops it: one row for all books."""

    # A bot that comes upon a breach turns trading off and says why; the limits are people's.
    changed_by_bots: ClassVar[tuple[str, ...]] = ("ai_trading_enabled", "last_halt_reason", "updated_at", "updated_by")

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    ai_trading_enabled = models.BooleanField(default=False)
    min_confidence_threshold = RatioField(default=Decimal("0.7"))
    max_lot_size = QuantityField(default=Decimal(1))
    max_concurrent_trades = models.PositiveIntegerField(default=5)
    daily_profit_target = MoneyField(null=True, blank=True, help_text="In an account's base currency.")
    stop_after_target = models.BooleanField(default=False)
    max_drawdown_amount = MoneyField(null=True, blank=True, help_text="In an account's base currency.")
    halt_on_drawdown = models.BooleanField(default=True)
    allow_off_watchlist_autotrade = models.BooleanField(default=False)
    last_halt_reason = models.TextField(blank=True)
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, db_index=False, related_name="+"
    )

    class Meta:
        verbose_name = "Risk configuration"
        verbose_name_plural = "Risk configuration"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(id=1),
                name="ck_riskconfig_single",
                violation_error_code="id",
                violation_error_message="there is one row",
            ),
            models.CheckConstraint(
                condition=Q(daily_profit_target__isnull=True) | Q(daily_profit_target__gt=0),
                name="ck_riskconfig_target",
                violation_error_code="daily_profit_target",
                violation_error_message="must be more than 0",
            ),
            models.CheckConstraint(
                condition=Q(max_drawdown_amount__isnull=True) | Q(max_drawdown_amount__gt=0),
                name="ck_riskconfig_drawdown",
                violation_error_code="max_drawdown_amount",
                violation_error_message="must be more than 0",
            ),
        ]

    def __str__(self) -> str:
        return "AI trading is on" if self.ai_trading_enabled else "AI trading is off"

    @classmethod
    def load(cls, *, using: str = "default", lock: bool = False) -> RiskConfig:
        """
        Return the row, made with its defaults when there is none.

        Args:
            lock: until the end of the caller's transaction nobody else who locks it reads or changes it.
        """
        rows = cls._default_manager.using(using)
        wanted = rows.select_for_update(no_key=True) if lock else rows
        found = wanted.filter(pk=1).first()
        if found is None:
            rows.bulk_create([cls(pk=1)], ignore_conflicts=True)
            found = wanted.get(pk=1)
        return found

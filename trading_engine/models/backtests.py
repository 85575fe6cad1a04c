"""Backtest runs and their figures."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from friren.core.fields import ChoiceField, StatField
from friren.core.ids import new_id
from trading_engine.models.choices import BacktestStatus
from trading_engine.models.relations import fact_key

__all__ = ["BacktestResult", "BacktestRun"]


class BacktestRun(models.Model):
    """One run of a strategy over past bars. Its book is its account."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.OneToOneField("core.Account", on_delete=models.PROTECT, related_name="backtest_run")
    name = models.CharField(max_length=255)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
        related_name="backtests",
    )
    strategy_name = models.CharField(max_length=255, blank=True)
    starts_at = models.DateTimeField(help_text="First bar.")
    ends_at = models.DateTimeField(help_text="Last bar.")
    parameters = models.JSONField(default=dict, blank=True)
    engine = models.CharField(max_length=50, default="reference")
    engine_version = models.CharField(max_length=50, blank=True)
    code_version = models.CharField(max_length=64, blank=True)
    data_digest = models.CharField(max_length=64, blank=True)
    seed = models.BigIntegerField(null=True, blank=True)
    status = ChoiceField(max_length=10, choices=BacktestStatus, default=BacktestStatus.PENDING)
    status_message = models.TextField(null=True, blank=True)  # noqa: DJ001 - the source has NULL
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    pairs = models.ManyToManyField(
        "trading_engine.TradingPair", through="trading_engine.BacktestPair", related_name="backtests", blank=True
    )

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(ends_at__gte=F("starts_at")),
                name="ck_run_range",
                violation_error_code="ends_at",
                violation_error_message="must not be before starts_at",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["user", "created_at"], name="backtestrun_user"),
            models.Index(fields=["status"], name="backtestrun_status"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.status})"


class BacktestResult(models.Model):
    """The figures of one run; null where a figure is undefined, such as a profit factor without a loss."""

    account = fact_key("core.Account")
    backtest = models.OneToOneField(BacktestRun, on_delete=models.CASCADE, related_name="result")
    total_return = StatField()
    annualized_return = StatField(null=True, blank=True)
    sharpe_ratio = StatField(null=True, blank=True)
    sortino_ratio = StatField(null=True, blank=True)
    max_drawdown = StatField()
    win_rate = StatField(null=True, blank=True)
    profit_factor = StatField(null=True, blank=True)
    trade_count = models.PositiveIntegerField()
    avg_holding_period = StatField(null=True, blank=True, help_text="Days.")
    detailed_metrics = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        sharpe = "undefined" if self.sharpe_ratio is None else f"{self.sharpe_ratio:.2f}"
        return f"Results for {self.backtest_id} Sharpe {sharpe}"

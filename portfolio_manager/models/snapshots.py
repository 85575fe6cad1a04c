"""How a book stood at a moment: as the system saw it when it decided, and as it is kept for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.db.models import F, Q

from friren.core.fields import ChoiceField, MoneyField
from friren.core.models import ProjectionModel
from portfolio_manager.models.choices import SnapshotKind
from trading_engine.models.relations import fact_key
from trading_engine.models.snapshots import SNAPSHOT_INDEXES, Snapshot

if TYPE_CHECKING:
    SnapshotManager = models.Manager["PortfolioSnapshot"]
else:
    SnapshotManager = models.Manager

__all__ = ["AccountSnapshot", "AccountTotals", "PortfolioHistory", "PortfolioSnapshot"]


class AccountSnapshot(Snapshot):
    """The account as the system saw it when it decided; the fifth kind of snapshot, of this floor."""

    shows = ("account",)

    account = fact_key("core.Account", related_name="account_snapshots")
    balance = MoneyField()
    equity = MoneyField()
    margin_used = MoneyField(null=True, blank=True)
    margin_free = MoneyField(null=True, blank=True)
    open_pl = MoneyField(null=True, blank=True)
    open_positions = models.PositiveIntegerField(default=0)

    class Meta(Snapshot.Meta):
        indexes: ClassVar = [
            *SNAPSHOT_INDEXES,
            models.Index(fields=["account", "captured_at"], name="accountsnapshot_by_account"),
        ]

    def __str__(self) -> str:
        return f"equity {self.equity.normalize():f} at {self.captured_at:%Y-%m-%d %H:%M}"


class PortfolioSnapshot(ProjectionModel):
    """
    How a book stood, kept for good: within a day, once a day, or as another system totals it.

    The id is the UUIDv5 of (account, kind, timestamp), of a DAILY one of (account, kind, snapshot_date). `source` is ""
    where it was made from our books, else the import that it came from. Money is in the account's base currency.
    """

    account = fact_key("core.Account")
    kind = ChoiceField(max_length=16, choices=SnapshotKind, default=SnapshotKind.INTRADAY)
    timestamp = models.DateTimeField()
    snapshot_date = models.DateField(null=True, blank=True)
    balance = MoneyField(null=True, blank=True)
    total_invested = MoneyField(null=True, blank=True)
    total_profit_loss = MoneyField(null=True, blank=True)
    total_value = MoneyField(null=True, blank=True)
    open_positions = models.PositiveIntegerField(null=True, blank=True)
    trade_count = models.PositiveIntegerField(null=True, blank=True)
    realized_pnl = MoneyField(null=True, blank=True)
    total_unrealized_pnl = MoneyField(null=True, blank=True)
    total_margin = MoneyField(null=True, blank=True)
    total_commission = MoneyField(null=True, blank=True)
    source = models.CharField(max_length=50, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "kind", "timestamp"], name="snapshot_point"),
            models.UniqueConstraint(
                fields=["account", "snapshot_date"], name="one_daily", condition=Q(kind=SnapshotKind.DAILY)
            ),
            models.CheckConstraint(
                condition=Q(kind=SnapshotKind.ACCOUNT_TOTALS)
                | Q(
                    balance__isnull=False, total_invested__isnull=False, total_profit_loss__isnull=False,
                    trade_count__isnull=False,
                ),
                name="ck_snapshot_figures",
                violation_error_code="balance",
                violation_error_message="balance, total_invested, total_profit_loss and trade_count are needed",
            ),
            models.CheckConstraint(
                condition=~Q(kind=SnapshotKind.DAILY)
                | Q(snapshot_date__isnull=False, total_value__isnull=False, open_positions__isnull=False),
                name="ck_snapshot_daily",
                violation_error_code="snapshot_date",
                violation_error_message="a DAILY one needs snapshot_date, total_value and open_positions",
            ),
        ]  # fmt: skip
        indexes: ClassVar = [
            models.Index(fields=["-timestamp"], name="snapshot_by_time"),
            models.Index(fields=["-snapshot_date"], name="snapshot_by_date"),
            # The height of profit is asked for by every evaluation of an idea.
            models.Index(
                "account",
                (F("realized_pnl") + F("total_unrealized_pnl") - F("total_commission")).desc(),
                name="snapshot_by_profit",
                condition=Q(source=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} at {self.timestamp:%Y-%m-%d %H:%M}"


class _OfKind(SnapshotManager):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind

    def get_queryset(self) -> models.QuerySet[PortfolioSnapshot]:
        return super().get_queryset().filter(kind=self._kind)


class PortfolioHistory(PortfolioSnapshot):
    """The DAILY snapshots: one row per book and day."""

    objects: ClassVar[Any] = _OfKind(SnapshotKind.DAILY)

    class Meta:
        proxy = True
        verbose_name_plural = "Portfolio history"


class AccountTotals(PortfolioSnapshot):
    """What another system says an account came to."""

    objects: ClassVar[Any] = _OfKind(SnapshotKind.ACCOUNT_TOTALS)

    class Meta:
        proxy = True
        verbose_name_plural = "Account totals"

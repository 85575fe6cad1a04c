"""Where a venue's statement and the book disagree."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from friren.core.fields import ChoiceField
from friren.core.models import FactModel
from friren.core.triggers import fact_triggers
from portfolio_manager.models.choices import BreakKind, BreakResolution
from trading_engine.models.relations import fact_key

__all__ = ["BREAK_LIFECYCLE", "BreakQuerySet", "ReconciliationBreak"]

BREAK_LIFECYCLE = ("resolution", "resolved_at", "resolved_by", "trade", "note")


class BreakQuerySet(models.QuerySet["ReconciliationBreak"]):
    """Breaks by where they stand."""

    def open(self) -> BreakQuerySet:
        """Return those that nobody has resolved."""
        return self.filter(resolved_at__isnull=True)


class ReconciliationBreak(FactModel):
    """
    One difference between a statement and the book, kept until it is resolved.

    What differs and how makes its id: found again by the next reconciliation it is the same row. `payload` shows the
    fill, position or sum as the statement, or where that has none the book, tells it.

    Attributes:
        field: what differs of a row that both have; "" where one side lacks it.
        ours, theirs: as text; "" on the side that lacks it.
        trade: the book's fill; that of a missing one once it was adopted.
        resolution: ADOPTED (recorded from the statement), CORRECTED (a later statement agrees, or somebody says
            so) or IGNORED (somebody says that it may stay).
    """

    lifecycle = BREAK_LIFECYCLE
    # How it was come upon: the same difference in another statement is the same break.
    undigested = ("run_id", "statement", "payload", "trade", "found_at")

    account = fact_key("core.Account")
    run_id = models.UUIDField()
    kind = ChoiceField(max_length=10, choices=BreakKind)
    statement = models.CharField(max_length=255)
    venue = models.CharField(max_length=50, blank=True)
    external_id = models.CharField(max_length=255, blank=True)
    trade = fact_key("trading_engine.Trade", related_name="breaks", optional=True)
    field = models.CharField(max_length=64, blank=True)
    ours = models.TextField(blank=True)
    theirs = models.TextField(blank=True)
    payload = models.JSONField(default=dict, blank=True)
    found_at = models.DateTimeField()
    resolution = ChoiceField(max_length=10, choices=BreakResolution, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = fact_key(settings.AUTH_USER_MODEL, optional=True)
    note = models.TextField(blank=True)

    objects = BreakQuerySet.as_manager()

    class Meta(FactModel.Meta):
        verbose_name = "Break"
        verbose_name_plural = "Breaks"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(resolution="", resolved_at__isnull=True)
                | (~Q(resolution="") & Q(resolved_at__isnull=False)),
                name="ck_break_resolved",
                violation_error_code="resolved_at",
                violation_error_message="is set with resolution",
            ),
            models.CheckConstraint(
                condition=Q(kind=BreakKind.DIFFERING) | Q(field=""),
                name="ck_break_field",
                violation_error_code="field",
                violation_error_message="is told where both sides have the row",
            ),
        ]
        indexes: ClassVar = [
            *FactModel.Meta.indexes,
            models.Index(fields=["account", "-found_at"], name="break_by_account"),
            models.Index(fields=["run_id"], name="break_by_run"),
            models.Index(fields=["account", "found_at"], name="break_open", condition=Q(resolved_at__isnull=True)),
            models.Index(fields=["trade"], name="break_by_trade", condition=Q(trade__isnull=False)),
        ]
        triggers: ClassVar = fact_triggers(lifecycle=BREAK_LIFECYCLE)

    def __str__(self) -> str:
        return f"{self.kind} {self.field or self.external_id}".rstrip()

"""What people write about their trading."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from trading_engine.models.relations import fact_key

__all__ = ["TradingJournal"]


class TradingJournal(models.Model):
    """An entry of a person's journal, about a position or a trade if it is about one."""

    # Folded anew, a position that should not have been lets go of what was written about it.
    changed_by_bots: ClassVar[tuple[str, ...]] = ("position",)

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, db_index=False, related_name="journal_entries"
    )
    account = fact_key("core.Account", optional=True)
    entered_at = models.DateTimeField(auto_now_add=True)
    title = models.CharField(max_length=255)
    content = models.TextField()
    # No constraint: the books are folded anew by deleting and inserting rows, under the same ids, and must not ask
    # whether anybody wrote about one.
    position = models.ForeignKey(
        "portfolio_manager.Position",
        on_delete=models.SET_NULL,
        db_constraint=False,
        null=True,
        blank=True,
        db_index=False,
        related_name="journal_entries",
    )
    trade = fact_key("trading_engine.Trade", related_name="journal_entries", optional=True)
    tags = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering: ClassVar = ["-entered_at"]
        verbose_name = "Journal entry"
        verbose_name_plural = "Journal"
        indexes: ClassVar = [
            models.Index(fields=["user", "-entered_at"], name="journal_by_user"),
            models.Index(fields=["position"], name="journal_by_position", condition=Q(position__isnull=False)),
            models.Index(fields=["trade"], name="journal_by_trade", condition=Q(trade__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.title

"""How high an account's profit stood: what an evaluation needs of fills that are long past."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from friren.core.fields import MoneyField

__all__ = ["ProfitPeak"]


class ProfitPeak(models.Model):
    """
    The profit curve of an account up to a moment: where it stood then, and its height until then.

    Kept beside the books, not by them: `portfolio_manager.booking.profit_curve` says when it still holds. It can be
    deleted at any time, and is made again by the next evaluation.
    """

    account = models.OneToOneField(
        "core.Account", primary_key=True, on_delete=models.PROTECT, related_name="profit_peak"
    )
    until = models.DateTimeField(help_text="Of fills before this moment.")
    booked_seq = models.BigIntegerField(help_text="No fact with a higher number lies before that moment.")
    profit = MoneyField(help_text="Realised, less commission, in the account's base currency.")
    highest = MoneyField(help_text="The highest that it stood after any of these fills; 0 at the start.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(booked_seq__gte=0, highest__gte=0), name="ck_peak_height")
        ]

    def __str__(self) -> str:
        return f"{self.highest.normalize():f} until {self.until:%Y-%m-%d %H:%M}"

"""Batches of past signals, month by month, whole as they were."""

from __future__ import annotations

from typing import ClassVar, Final

from django.db import models
from django.db.models import F, Q

from friren.core.models import FactModel
from friren.core.triggers import fact_triggers
from trading_engine.models.relations import fact_key

__all__ = ["SignalArchive"]

# Read alike by Python and by PostgreSQL; `$` would be read otherwise before a line's end.
MONTH: Final = r"\A[0-9]{4}-(0[1-9]|1[0-2])\Z"


class SignalArchive(FactModel):
    """A batch of signals as it stood when it was archived; the signals themselves stay where they are."""

    # Kept again as it was kept before is the same archive, whenever that is done.
    undigested = ("archived_at",)

    account = fact_key("core.Account")
    archived_at = models.DateTimeField()
    archive_month = models.CharField(max_length=7, help_text="YYYY-MM.")
    signals_count = models.PositiveIntegerField()
    signals_data = models.JSONField(default=list, blank=True)

    class Meta(FactModel.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(archive_month__regex=MONTH),
                name="ck_signalarchive_month",
                violation_error_code="archive_month",
                violation_error_message="must be a month, YYYY-MM",
            ),
            models.CheckConstraint(
                condition=Q(signals_data__elements=F("signals_count")),
                name="ck_signalarchive_count",
                violation_error_code="signals_count",
                violation_error_message="must be the number of signals_data",
            ),
        ]
        indexes: ClassVar = [
            *FactModel.Meta.indexes,
            models.Index(fields=["archive_month"], name="signalarchive_month"),
            models.Index(fields=["account", "-archived_at"], name="signalarchive_by_account"),
        ]
        triggers: ClassVar = fact_triggers()

    def __str__(self) -> str:
        return f"{self.archive_month}: {self.signals_count} signals"

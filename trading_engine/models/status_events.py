"""What every move of a fact from a status to the next has in common."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from friren.core.models import FactModel
from trading_engine.models.relations import fact_key

__all__ = ["StatusEvent"]


class StatusEvent(FactModel):
    """One move: the model adds whose it is, and `from_status` and `to_status` with their choices."""

    # Worked out by the handler, not told by the caller.
    undigested = ("from_status",)

    account = fact_key("core.Account")
    occurred_at = models.DateTimeField()
    reason = models.TextField(blank=True)
    changed_by = fact_key(settings.AUTH_USER_MODEL, optional=True)
    payload = models.JSONField(default=dict, blank=True)

    from_status: models.CharField[str, str]
    to_status: models.CharField[str, str]

    class Meta(FactModel.Meta):
        abstract = True

    def __str__(self) -> str:
        return f"{self.from_status or 'new'} → {self.to_status}"

"""Do the books agree with what the venues say? Registered with `manage.py health`."""

from __future__ import annotations

from django.db.models import Count

from friren.operations.health import Finding
from portfolio_manager.models import ReconciliationBreak

__all__ = ["check_breaks"]


def check_breaks() -> Finding:
    """Count the breaks that nobody has resolved, by account."""
    rows = ReconciliationBreak.objects.open().values("account__name").annotate(count=Count("id"))
    open_ = {row["account__name"]: row["count"] for row in rows.order_by("account__name")}
    if not open_:
        return Finding(ok=True, message="no statement disagrees with its book, as far as any was compared")
    told = ", ".join(f"{name}: {count}" for name, count in open_.items())
    message = f"open breaks with statements ({told}): see the admin, or run `manage.py reconcile` again"
    return Finding(ok=False, message=message, details={"open": open_})

"""The archive: does it still fit its tables, and did its last runs come to an end?"""

from __future__ import annotations

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Max

from friren.operations.archive.policies import all_policies
from friren.operations.archive.shapes import check_shape
from friren.operations.choices import RunStatus
from friren.operations.health.registry import Finding, register
from friren.operations.models import ArchiveRun

__all__ = ["check_archive", "register_all"]


def register_all() -> None:
    """Register the check of this module."""
    # An archive that waits for a person is no reason to take a server out of service.
    register("archive", check_archive, thorough=True)


def check_archive() -> Finding:
    """Look for archives that cannot follow their table, and for tables whose last run failed."""
    shapes = [told for policy in all_policies() if (told := check_shape(policy, DEFAULT_DB_ALIAS))]
    last = ArchiveRun.objects.exclude(status=RunStatus.RUNNING).values("table_name").annotate(last=Max("id"))
    failed = ArchiveRun.objects.filter(id__in=last.values("last"), status=RunStatus.FAILED).order_by("id")
    troubles = [*shapes, *(f"the last run of {run.table_name} failed: {run.message}" for run in failed)]
    runs = ArchiveRun.objects.filter(status=RunStatus.COMPLETED)
    newest = runs.order_by("-id").first()
    message = "; ".join(troubles) or (f"the last run was at {newest.started_at:%Y-%m-%d %H:%M}" if newest else "unused")
    return Finding(ok=not troubles, message=message, details={"runs": runs.count(), "troubles": troubles})

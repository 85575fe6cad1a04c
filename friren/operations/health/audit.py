"""Whether the chain of seals goes on from what was exported, and how long facts have waited to be sealed."""

from __future__ import annotations

import datetime as dt
from typing import Final

from django.db import connection
from django.utils import timezone

from friren.operations.health.registry import Finding, register

__all__ = ["check_audit", "register_all"]

# A seal a day, and two hours for one that was held back or a machine that was off.
UNSEALED_HOURS_MAX: Final = 26


def register_all() -> None:
    """Register the check of this module."""
    register("audit", check_audit, thorough=True)


def check_audit() -> Finding:
    """
    Compare the newest block with the head outside the database. What the rows say is `verify_audit`'s to tell.

    Who has never sealed anything is asked for nothing.
    """
    # Not before it is asked: the library that signs takes its time to load.
    from friren.operations.audit.sealing import head_of, read_exported

    exported, head = read_exported("default").last, head_of()
    if exported is None and head is None:
        return Finding(ok=True, message="nothing is sealed: see `manage.py seal_audit`")
    details = {
        "head": None if head is None else head["seq"],
        "exported": None if exported is None else exported.block.seq,
    }
    if exported is not None and not _has(exported.block.seq, exported.hash):
        message = f"block {exported.block.seq} is not in the database as it was exported: see `manage.py verify_audit`"
        return Finding(ok=False, message=message, details=details)
    since = _unsealed_since()
    if since is not None and timezone.now() - since > dt.timedelta(hours=UNSEALED_HOURS_MAX):
        message = f"facts have waited since {since:%Y-%m-%d %H:%M} UTC to be sealed: run `manage.py seal_audit`"
        return Finding(ok=False, message=message, details=details)
    return Finding(ok=True, message=f"sealed up to block {details['head']}", details=details)


def _has(seq: int, digest: str) -> bool:
    from friren.operations.models import AuditBlock

    return AuditBlock.objects.filter(seq=seq, block_hash=bytes.fromhex(digest)).exists()


def _unsealed_since() -> dt.datetime | None:
    """Return when the oldest fact that is in no block was stored; entries about seals do not count."""
    from friren.operations.audit.layout import layouts

    oldest = None
    with connection.cursor() as cursor:
        for layout in layouts():
            own = "AND source <> 'seal_audit'" if layout.table == "core_auditlog" else ""
            cursor.execute(
                f"SELECT min(created_at) FROM {connection.ops.quote_name(layout.table)} WHERE recorded_seq > "  # noqa: S608 - names of our own tables
                f"(SELECT coalesce(max(last_seq), 0) FROM operations_auditblock) {own}"
            )
            (found,) = cursor.fetchone()
            oldest = found if oldest is None or (found is not None and found < oldest) else oldest
    return oldest

"""The history of comparing files with the database: what a phase of leaving the files is proven by."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from friren.core.models import SystemMetadata

__all__ = ["Check", "checks_of", "clean_in_a_row", "note_check"]

# Of a check that a timer makes every ten minutes: a day and a half.
KEPT_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison: when, and of each table whether both sides said the same."""

    at: dt.datetime
    tables: Mapping[str, bool]

    @property
    def clean(self) -> bool:
        """Whether every table that was compared was the same on both sides."""
        return bool(self.tables) and all(self.tables.values())


def checks_of(account: UUID, *, using: str = "default") -> list[Check]:
    """Return the comparisons of an account, the oldest first; the last `KEPT_MAX` are kept."""
    found = SystemMetadata.objects.using(using).filter(key=_key(account)).first()
    listed = json.loads(found.value) if found is not None and found.value else []
    return [Check(dt.datetime.fromisoformat(one["at"]), one["tables"]) for one in listed]


def note_check(account: UUID, tables: Mapping[str, bool], *, at: dt.datetime, using: str = "default") -> list[Check]:
    """Keep the outcome of a comparison; return all that are kept."""
    with transaction.atomic(using=using, durable=True):
        rows = SystemMetadata.objects.using(using)
        rows.bulk_create([SystemMetadata(key=_key(account), value="")], ignore_conflicts=True)
        row = rows.select_for_update(no_key=True).get(key=_key(account))
        kept = [*(json.loads(row.value) if row.value else []), {"at": at.isoformat(), "tables": dict(tables)}]
        rows.filter(pk=row.pk).update(value=json.dumps(kept[-KEPT_MAX:]), updated_at=timezone.now())
    return checks_of(account, using=using)


def clean_in_a_row(checks: list[Check], *, table: str = "") -> int:
    """Return how many of the last comparisons, one after the other, were clean: of a table, or of all of them."""
    count = 0
    for check in reversed(checks):
        if table and table not in check.tables:
            continue
        if not (check.tables[table] if table else check.clean):
            break
        count += 1
    return count


def _key(account: UUID) -> str:
    return f"parity:{account}"

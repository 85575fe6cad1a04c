"""What is told about rows that were archived: what is so already is known, and anything else is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import models

from friren.errors import PeriodClosedError
from friren.persistence.archived import archive_of
from friren.persistence.archived_reads import with_archive

__all__ = ["archived_rows", "refuse_change"]


def archived_rows(model: type[models.Model], ids: Iterable[Any], using: str) -> dict[Any, Any]:
    """
    Return those of some rows that are in the archive, by id. They are not locked: nobody may change them.

    Ask for rows that their table lacks: one that came back in between is found too, and is to be told again.
    """
    wanted = set(ids)
    if not wanted or archive_of(model._meta.db_table, using) is None:
        return {}
    found = with_archive(model._default_manager.using(using)).filter(pk__in=wanted)
    return {row.pk: row for row in found}


def refuse_change(field: str, key: UUID, moved: Mapping[str, Any]) -> None:
    """Raise PeriodClosedError if anything would change in a row that was archived."""
    if moved:
        rule = "is archived, and changes no more: `manage.py unarchive` brings it back"
        raise PeriodClosedError(field, key, rule)

"""Entries of the audit log, written in the transaction of what they tell of."""

from __future__ import annotations

import datetime as dt
import getpass
import os
import socket
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.db import connections, models
from django.utils import timezone

from friren.core.choices import AuditAction
from friren.core.models import AuditLog
from friren.core.numbers import plain
from friren.persistence.facts import Fact, make_fact
from friren.persistence.handlers import apply_within

__all__ = ["change_entry", "record_change", "record_operation"]

# The column's width.
_LABEL_LENGTH: Final = 150


def change_entry(
    row: models.Model,
    *,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    account: UUID | None = None,
    action: str = AuditAction.STATUS_CHANGE,
    **details: Any,
) -> Fact:
    """
    Return the entry that says that `row` changed.

    Args:
        before, after: the changed columns by name.
        details: actor, actor_label, source, db_user, remote_addr.
    """
    return make_fact(
        AuditLog,
        account=account,
        occurred_at=timezone.now(),
        action=action,
        model_label=row._meta.label,
        object_pk=str(row.pk),
        before=_as_json(before),
        after=_as_json(after),
        **details,
    )


def record_change(row: models.Model, *, using: str, **told: Any) -> None:
    """Write that `row` changed, inside the caller's transaction; what is told is what `change_entry` takes."""
    apply_within(change_entry(row, **told), using=using)


def record_operation(
    action: str,
    *,
    source: str,
    model_label: str,
    using: str,
    object_pk: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    account: UUID | None = None,
    actor: int | None = None,
) -> None:
    """
    Write that an operator did something, inside the caller's transaction: what no single row tells of.

    Args:
        action: one of AuditAction.
        source: the command.
        model_label, object_pk: what it was done to.
        actor: id of a user of Friren; the user of the operating system is told in any case.
    """
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT current_user")
        ((db_user,),) = cursor.fetchall()
    entry = make_fact(
        AuditLog,
        account=account,
        occurred_at=timezone.now(),
        actor=actor,
        actor_label=_operator(),
        action=action,
        model_label=model_label,
        object_pk=object_pk,
        before=None if before is None else _as_json(before),
        after=None if after is None else _as_json(after),
        source=source,
        db_user=db_user,
    )
    apply_within(entry, using=using)


def _operator() -> str:
    """Return who runs this process, as the operating system knows him, and where."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # an id without a name, as in containers
        name = f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"
    return f"{name}@{socket.gethostname()}"[:_LABEL_LENGTH]


def _as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int | float | list | dict):
        return value
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    return plain(value) if hasattr(value, "as_tuple") else str(value)

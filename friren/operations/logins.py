"""Who signed in is written to the audit log."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.db import transaction

from friren.core.choices import AuditAction
from friren.persistence.audit import record_change

__all__ = ["register"]


def register() -> None:
    """Write an entry whenever somebody signs in."""
    user_logged_in.connect(_note, dispatch_uid="friren.operations.logins")


def _note(*, request: Any, user: Any, **_: Any) -> None:
    with transaction.atomic():
        record_change(
            user,
            before={},
            after={},
            action=AuditAction.LOGIN,
            using="default",
            actor=user.pk,
            actor_label=user.get_username(),
            source="login",
            # Empty when the web server talks over a socket file.
            remote_addr=request.META.get("REMOTE_ADDR") or None,
        )

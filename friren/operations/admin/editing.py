"""What people change is written to the audit log, in the transaction of the change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from friren.core.choices import AuditAction
from friren.persistence.audit import record_change

if TYPE_CHECKING:
    # The stubs' class is generic; Django's own is not.
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

__all__ = ["SECRET", "AuditedAdmin", "ModelAdmin", "values_of"]

# That it changed is told, what it is never.
SECRET: Final = frozenset({"password"})
HIDDEN: Final = "(hidden)"

_before: WeakKeyDictionary[HttpRequest, dict[str, Any]] = WeakKeyDictionary()


def values_of(row: models.Model) -> dict[str, Any]:
    """Return what a person can change of a row: its columns, and the keys of what it is joined to."""
    columns = {
        field.attname: field.value_from_object(row)
        for field in row._meta.concrete_fields
        if not getattr(field, "auto_now", False)
    }
    joined = {
        field.name: sorted(str(one.pk) for one in field.value_from_object(row)) for field in row._meta.many_to_many
    }
    return columns | joined


class AuditedAdmin(ModelAdmin):
    """Writes an audit entry for all that is added, changed or deleted here: by whom, from where, from what to what."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Keep what the row was before, locked so that nobody changes it in between."""
        if change:
            self.remember(request, obj)
        super().save_model(request, obj, form, change)

    def remember(self, request: HttpRequest, obj: models.Model) -> None:
        """Keep what the row is now, for the audit entry of a change that follows in this transaction."""
        stored = type(obj)._base_manager.select_for_update(no_key=True).get(pk=obj.pk)
        _before[request] = values_of(stored)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._audit(request, obj, AuditAction.CREATE, before={}, after=values_of(obj))
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        now = values_of(type(obj)._base_manager.get(pk=obj.pk))
        before = _before.pop(request, {})
        changed = [name for name, value in now.items() if before.get(name) != value]
        if changed:
            self._audit(
                request, obj, AuditAction.UPDATE,
                before={name: before.get(name) for name in changed}, after={name: now[name] for name in changed},
            )  # fmt: skip
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for obj in queryset:
            self._audit(request, obj, AuditAction.DELETE, before=values_of(obj), after={})
        return super().log_deletions(request, queryset)

    def _audit(
        self, request: HttpRequest, obj: models.Model, action: str, *, before: dict[str, Any], after: dict[str, Any]
    ) -> None:
        actor: Any = request.user
        record_change(
            obj,
            before=_without_secrets(before),
            after=_without_secrets(after),
            account=_account_of(obj),
            action=action,
            using="default",
            actor=actor.pk,
            actor_label=actor.get_username(),
            source="admin",
            # Empty when the web server talks over a socket file.
            remote_addr=request.META.get("REMOTE_ADDR") or None,
        )


def _without_secrets(values: dict[str, Any]) -> dict[str, Any]:
    return {name: HIDDEN if name in SECRET else value for name, value in values.items()}


def _account_of(obj: models.Model) -> Any:
    if obj._meta.label == "core.Account":
        return obj.pk
    return getattr(obj, "account_id", None)

"""The ground floor's tables: people, accounts, what the system notes about itself."""

from __future__ import annotations

import zoneinfo
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from friren.accounts import open_account
from friren.core.models import Account, AuditLog, SystemMetadata, User
from friren.core.models.accounts import SYSTEM_USERNAME
from friren.operations.admin.bases import ReadOnlyAdmin, ReferenceAdmin
from friren.operations.admin.columns import changelist_link, computed
from friren.operations.admin.editing import AuditedAdmin
from friren.operations.admin.filters import AccountFilter, exact_filter, time_filter
from friren.operations.admin.panels import register_panel, related

if TYPE_CHECKING:
    # The stubs' classes are generic; Django's own are not.
    AccountModelForm = forms.ModelForm[Account]
    StockUserAdmin = UserAdmin[User]
else:
    AccountModelForm, StockUserAdmin = forms.ModelForm, UserAdmin

__all__ = ["AccountAdmin", "AuditLogAdmin", "FrirenUserAdmin", "SystemMetadataAdmin"]

PEOPLE = "Accounts and people"
SYSTEM = "System"

admin.site.unregister(Group)


class AccountForm(AccountModelForm):
    """Opens an account as `friren.open_account` does, whose id is derived from owner and name."""

    timezone = forms.ChoiceField(initial="UTC", help_text="For what people see; stored times are UTC.")

    class Meta:
        model = Account
        fields: ClassVar = [
            "owner", "name", "environment", "base_currency", "cost_basis", "position_mode", "timezone", "is_active",
        ]  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "timezone" in self.fields:
            known = zoneinfo.available_timezones() | {self.instance.timezone}
            self.fields["timezone"].choices = [(name, name) for name in sorted(known)]  # type: ignore[attr-defined]  # a ChoiceField

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if cleaned and self.instance.pk is None and {"owner", "name"} <= cleaned.keys():
            self.instance.pk = Account.id_of(owner=cleaned["owner"].username, name=cleaned["name"])
        return cleaned


@admin.register(Account)
class AccountAdmin(ReferenceAdmin):
    group = PEOPLE
    place = 1
    form = AccountForm
    list_display = ("name", "environment", "owner", "base_currency", "cost_basis", "position_mode", "is_active",
                    "created_at")  # fmt: skip
    list_filter = ("environment", "is_active")
    search_fields = ("name", "id", "owner__username")
    ordering = ("-created_at",)
    fields = ("id", "owner", "name", "environment", "base_currency", "cost_basis", "position_mode", "timezone",
              "is_active", "closed_until", "created_at")  # fmt: skip
    # The books are computed from these.
    frozen = ("owner", "name", "environment", "base_currency", "cost_basis", "position_mode")
    managed = ("id", "closed_until", "created_at")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [name for name in super().get_fields(request, obj) if obj is not None or name != "is_active"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        settings = ("environment", "base_currency", "cost_basis", "position_mode", "timezone")
        open_account(obj.name, owner=obj.owner.username, **{name: getattr(obj, name) for name in settings})
        obj.refresh_from_db()


@admin.register(User)
class FrirenUserAdmin(ReferenceAdmin, StockUserAdmin):
    group = PEOPLE
    place = 2
    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_staff", "is_superuser",
                    "last_login")  # fmt: skip
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("username", "email", "uuid")
    ordering = ("username",)
    managed = ("uuid", "last_login", "date_joined")
    fieldsets = (
        *(UserAdmin.fieldsets or ()),
        ("Trading", {"fields": ("default_position_size", "risk_tolerance", "notification_preferences")}),
        ("Record", {"fields": ("uuid",)}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return the fields that stay: the name too, once the ids of accounts are derived from it."""
        named = obj is not None and (obj.username == SYSTEM_USERNAME or obj.accounts.exists())
        return [*super().get_readonly_fields(request, obj), *([self._shown("username", whole=True)] if named else [])]

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002 - Django's name
        """Change a password and write that it was changed, both or neither."""
        with transaction.atomic():
            if request.method == "POST" and (user := self.get_object(request, id)) is not None:
                self.remember(request, user)
            return super().user_change_password(request, id, form_url)


@admin.register(Group)
class FrirenGroupAdmin(AuditedAdmin, GroupAdmin):
    group = PEOPLE
    place = 3


@admin.register(SystemMetadata)
class SystemMetadataAdmin(ReadOnlyAdmin):
    group = SYSTEM
    list_display = ("key", "value", "updated_at")
    search_fields = ("key",)
    ordering = ("key",)
    record_fields = ()


def _object(entry: Any) -> Any:
    """Return the key of the row an entry is about, linked to the other entries of that row."""
    return changelist_link(AuditLog, entry.object_pk, model_label=entry.model_label, object_pk=entry.object_pk)


@admin.register(AuditLog)
class AuditLogAdmin(ReadOnlyAdmin):
    group = SYSTEM
    list_display = ("id", "occurred_at", "action", "model_label", computed("object_pk", _object, label="Object"),
                    "actor_label", "source", "remote_addr", "account")  # fmt: skip
    list_filter = ("action", time_filter("occurred_at"), exact_filter("model_label", label="Model"), AccountFilter)
    search_fields = ("object_pk", "id", "actor_label")
    sortable_by = ("occurred_at",)
    ordering = ("-occurred_at", "-id")
    page_groups = (
        ("", ("occurred_at", "action", "model_label", "object_pk", "account")),
        ("By", ("actor", "actor_label", "source", "db_user", "remote_addr")),
        ("Change", ("before", "after")),
    )


register_panel(
    User, related(Account, "owner", "name", "environment", "base_currency", "created_at", order=("-created_at",))
)

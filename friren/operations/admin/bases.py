"""
What every table's admin is made of: lists that stay quick on large tables, values shown as people write them.

`ReadOnlyAdmin` is for what the system records (facts, series, projections): nobody adds, changes or deletes there,
superusers included. `ReferenceAdmin` is for what people keep up; their changes are audited.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar, Final, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse

from friren.core.models import AuditLog
from friren.core.numbers import plain
from friren.operations.admin.changelist import KeysetChangeList
from friren.operations.admin.columns import Column, changelist_link, column, is_empty, is_followed
from friren.operations.admin.counting import EstimatedPaginator
from friren.operations.admin.editing import SECRET, AuditedAdmin, ModelAdmin
from friren.operations.admin.panels import panels_of, tools_of

__all__ = ["BaseAdmin", "ReadOnlyAdmin", "ReferenceAdmin"]

# How a row came to be stored, not what it says.
RECORD_FIELDS: Final = ("digest", "recorded_seq", "producer", "created_at", "updated_at")
# A referred table is looked up first; more hits than that are no exact search.
REFERRED_MAX: Final = 100


class BaseAdmin(ModelAdmin):
    """
    Lists and pages.

    Attributes:
        group: heading on the index page.
        place: among the tables of the group, small first.
        search_fields: exact, by column or by one column of a referred table (`symbol__ticker`).
        record_fields: shown last, below "Record".
    """

    group: str = "Other"
    place: int = 100
    record_fields: Sequence[str] = RECORD_FIELDS

    paginator = EstimatedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_display_links: Any = None
    actions: Any = None
    change_list_template = "admin/friren/change_list.html"
    change_form_template = "admin/friren/change_form.html"

    class Media:
        css: ClassVar = {"all": ["friren/admin.css"]}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Return the columns, each with our own way to show its value."""
        return [self._shown(name) for name in super().get_list_display(request)]

    def get_list_display_links(self, request: HttpRequest, list_display: Any) -> list[Any]:
        return list(list_display[:1])

    def get_list_select_related(self, request: HttpRequest) -> Any:
        """Return the references of the list, so that a page is one query however many rows it has."""
        given = super().get_list_select_related(request)
        if given:
            return given
        return _followed(self.model, [name for name in super().get_list_display(request) if isinstance(name, str)])

    def get_sortable_by(self, request: HttpRequest) -> list[Any]:
        """Return the columns to sort by: those that are never null, so that pages by key exist in their order."""
        allowed = super().get_sortable_by(request)
        names = [name for name in allowed if isinstance(name, str)] if allowed is self.sortable_by else None
        return [
            one
            for one in self.get_list_display(request)
            if isinstance(one, Column)
            and one.admin_order_field is not None
            and (names is None or one.__name__ in names)
            and not self.model._meta.get_field(one.admin_order_field).null
        ]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Return the rows that hold exactly the words given, by a column with an index where there is one."""
        term = search_term.strip()
        return (queryset.filter(self._exactly(term, request)), False) if term else (queryset, False)

    def _exactly(self, term: str, request: HttpRequest) -> Q:
        own = Q(pk__in=[])
        for path in self.get_search_fields(request):
            name, _, referred = str(path).partition("__")
            field: Any = self.model._meta.get_field(name)
            if referred:
                keys = field.related_model._default_manager.filter(**{referred: term}).values_list("pk", flat=True)
                if found := list(keys[:REFERRED_MAX]):
                    # Alone: an OR with another column would read the whole table.
                    return Q(**{f"{name}__in": found})
                continue
            try:
                own |= Q(**{field.attname: field.get_prep_value(term)})
            except (ValueError, ValidationError):
                continue  # no value of this column
        return own

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return the row of a page with what it refers to, in one query."""
        everything = _followed(self.model, [field.name for field in self.model._meta.fields])
        field = self.model._meta.pk if from_field is None else self.model._meta.get_field(from_field)
        try:
            rows: QuerySet[Any, Any] = self.get_queryset(request).select_related(*everything)
            return rows.get(**{field.name: field.to_python(object_id)})
        except (self.model.DoesNotExist, ValidationError, ValueError):
            return None

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        response = super().changeform_view(request, object_id, form_url, extra_context)
        shown: dict[str, Any] | None = getattr(response, "context_data", None)
        original: models.Model | None = None if shown is None else shown.get("original")
        if shown is not None and original is not None:
            shown["panels"] = panels_of(original)
            about = {"model_label": original._meta.label, "object_pk": str(original.pk)}
            shown["tools"] = [*tools_of(original), changelist_link(AuditLog, "Audit log", **about)]
        return response

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Return the input of a field; decimals and JSON are laid out as they are shown."""
        for kind, form_class in ((models.DecimalField, PlainDecimalField), (models.JSONField, ReadableJSONField)):
            if isinstance(db_field, kind):
                return db_field.formfield(**{"form_class": form_class, **kwargs})
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(db_field, models.DateTimeField):
            field.help_text = f"{field.help_text} In UTC.".strip()
        return field

    def _shown(self, name: Any, *, whole: bool = False) -> Any:
        if not isinstance(name, str) or name in SECRET:
            return name
        try:
            field = self.model._meta.get_field(name)
        except FieldDoesNotExist:
            return name
        return (
            column(cast(type[models.Model], self.model), name, whole=whole)
            if field.concrete and not field.many_to_many
            else name
        )


class ReadOnlyAdmin(BaseAdmin):
    """
    What the system records.

    Attributes:
        page_groups: (heading, fields) in the order of the page; what is in none comes under "More".
    """

    page_groups: Sequence[tuple[str, Sequence[str]]] = ()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return the fields of a page: what was given, in groups; then what was not, folded; then the record."""
        fields = {field.name: field for field in self.model._meta.concrete_fields}
        record = [name for name in ("id", *self.record_fields) if name in fields]
        grouped = [(heading, list(names)) for heading, names in self.page_groups]
        placed = {name for _heading, names in grouped for name in names}
        rest = [name for name in fields if name not in placed and name not in record]
        grouped.append(("More" if grouped else "", rest))
        empty = {name for name, field in fields.items() if is_empty(field.value_from_object(obj))}
        given = [
            (heading or None, {"fields": self._columns(name for name in names if name not in empty)})
            for heading, names in grouped
        ]
        left_out = [name for _heading, names in grouped for name in names if name in empty]
        return [
            *((heading, options) for heading, options in given if options["fields"]),
            *([("Not given", {"fields": self._columns(left_out), "classes": ["collapse"]})] if left_out else []),
            ("Record", {"fields": self._columns(record), "classes": ["collapse"]}),
        ]

    def _columns(self, names: Any) -> list[Any]:
        return [self._shown(name, whole=True) for name in names]


class ReferenceAdmin(AuditedAdmin, BaseAdmin):
    """
    What people keep up. Rows are deactivated, never deleted: facts refer to them.

    Attributes:
        frozen: fields that cannot be changed once the row exists.
        managed: fields nobody types.
    """

    frozen: Sequence[str] = ()
    managed: Sequence[str] = ()
    save_on_top = False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        names = [*super().get_readonly_fields(request, obj), *self.managed, *(self.frozen if obj is not None else ())]
        return [self._shown(name, whole=True) for name in names]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return the fieldsets with a read-only field shown our way; all of them are for those who may only look."""
        only_looks = obj is not None and not self.has_change_permission(request, obj)
        fixed = {one.__name__ for one in self.get_readonly_fields(request, obj) if isinstance(one, Column)}
        unborn = set(self.managed) if obj is None else set()
        return [
            (heading, {**options, "fields": self._page_fields(options["fields"], fixed, unborn, everything=only_looks)})
            for heading, options in super().get_fieldsets(request, obj)
        ]

    def _page_fields(self, names: Any, fixed: set[str], unborn: set[str], *, everything: bool) -> list[Any]:
        return [
            self._shown(name, whole=True) if everything or name in fixed else name
            for name in names
            if name not in unborn
        ]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        if self.fields:
            return list(self.fields)
        own = [field.name for field in self.model._meta.concrete_fields if field.editable and not field.primary_key]
        return [*own, *(name for name in self.managed if name not in own)]


class PlainDecimalField(forms.DecimalField):
    """A decimal typed as text, and shown as it is written: `187.32`."""

    widget = forms.TextInput

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "widget": forms.TextInput(attrs={"inputmode": "decimal", "size": 28})})

    def prepare_value(self, value: Any) -> Any:
        return plain(value) if hasattr(value, "as_tuple") and value.is_finite() else value


class ReadableJSONField(forms.JSONField):
    """JSON over several lines."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "widget": forms.Textarea(attrs={"rows": 8, "class": "friren-json"})})

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, str):  # what was typed and refused is given back as it was
            return super().prepare_value(value)
        return json.dumps(value, indent=2, ensure_ascii=False, cls=self.encoder)


def _followed(model: type[models.Model], names: Sequence[str]) -> list[str]:
    """Return those of `names` that refer to rows which are there for certain: a soft key may point nowhere."""
    fields = (field for field in model._meta.fields if field.name in names)
    return [field.name for field in fields if is_followed(field)]

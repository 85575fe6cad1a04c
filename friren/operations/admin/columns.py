"""
How a value is shown: decimals plain, times with their zone, JSON laid out, ids short in lists and whole on pages.

Django's own display pads a decimal to the places of its column and says no zone.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db import models
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import Truncator, capfirst

from friren.core.fields import MoneyField
from friren.core.models import Account
from friren.core.numbers import plain

__all__ = [
    "NO_VALUE", "Column", "Show", "change_link", "changelist_link", "column", "computed", "is_empty", "is_followed",
    "key_column", "shown",
]  # fmt: skip

Show = Callable[[Any], Any]

# What fits a table cell.
TEXT_IN_LIST_MAX: Final = 60
ID_TAIL: Final = 8  # a UUIDv7 begins with its time, so its end is what tells two apart
NAME_IN_LIST_MAX: Final = 26
NAME_HEAD, NAME_TAIL = 12, 12
NO_VALUE: Final = "–"


class Column:
    """One value of a row, in the shape that Django's admin takes for a column or a read-only field."""

    def __init__(
        self,
        name: str,
        show: Show,
        label: str,
        *,
        admin_order_field: str | None = None,
        boolean: bool = False,
        numeric: bool = False,
    ) -> None:
        # Django reads these four names.
        self.__name__ = name
        self.short_description = label
        self.admin_order_field = admin_order_field
        self.boolean = boolean
        self.numeric = numeric
        self._show = show

    def __call__(self, row: models.Model) -> Any:
        """Return what is shown for `row`."""
        return self._show(row)


def computed(name: str, show: Show, *, label: str | None = None) -> Column:
    """Return a column that `show(row)` works out."""
    return Column(name, show, label or capfirst(name.replace("_", " ")))


@functools.cache
def column(model: type[models.Model], name: str, *, whole: bool = False) -> Column:
    """
    Return the column of a model's field.

    Args:
        whole: for a page, where everything is written out; lists abbreviate.
    """
    field: Any = model._meta.get_field(name)
    is_reference = isinstance(field, models.ForeignKey)
    return Column(
        name,
        functools.partial(_reference if is_reference else _own_value, field=field, whole=whole),
        capfirst(field.verbose_name),
        admin_order_field=None if is_reference else name,
        boolean=isinstance(field, models.BooleanField),
        numeric=isinstance(field, models.DecimalField | models.FloatField | models.IntegerField),
    )


def key_column(name: str, *, label: str | None = None) -> Column:
    """Return the column of a reference as a link with the end of its id: nothing but the row itself is read."""

    def show(row: models.Model) -> Any:
        field: Any = row._meta.get_field(name)
        key = getattr(row, field.attname)
        return None if key is None else _link(_page(field.related_model._meta, "change", quote(key)), shown(key))

    return computed(name, show, label=label)


def is_empty(value: Any) -> bool:
    """Return whether a value says nothing: None, empty text or an empty list or object; 0 and False say something."""
    return value is None or (isinstance(value, str | list | dict) and not value)


def is_followed(field: object) -> bool:
    """Return whether a field refers to a row that is there for certain: a soft key may point nowhere."""
    return isinstance(field, models.ForeignKey) and bool(getattr(field, "db_constraint", True))


def _own_value(row: models.Model, *, field: models.Field[Any, Any], whole: bool) -> Any:
    value = field.value_from_object(row)
    if whole and is_empty(value) and not isinstance(field, models.BooleanField):  # that one has an icon for None
        return NO_VALUE  # pages, unlike lists, would write None
    if field.flatchoices and not is_empty(value):
        label = dict(field.flatchoices).get(value, value)
        return format_html('<span class="friren-choice friren-{}">{}</span>', str(value).lower(), label)
    text = shown(value, whole=whole)
    if isinstance(field, MoneyField) and value is not None and value < 0:
        return format_html('<span class="friren-negative">{}</span>', text)
    return text


def _reference(row: models.Model, *, field: models.ForeignKey[Any, Any], whole: bool) -> Any:
    """Return a link to the row referred to, or its text id where it may not be stored here (a soft key)."""
    key = getattr(row, field.attname)
    if key is None:
        return NO_VALUE if whole else None
    if not is_followed(field):
        return changelist_link(field.related_model, str(key), **{field.target_field.name: key})
    target = getattr(row, field.name)
    if whole:
        return change_link(target, str(target))
    # Of accounts the name alone: beside it the environment would take the room of what tells two runs apart.
    return change_link(target, _name_in_list(target.name if isinstance(target, Account) else str(target)))


def _name_in_list(name: str) -> Any:
    """Return a name short enough for a column; what tells two names apart is often at their end."""
    if len(name) <= NAME_IN_LIST_MAX:
        return name
    return format_html('<span title="{}">{}…{}</span>', name, name[:NAME_HEAD], name[-NAME_TAIL:])


def shown(value: Any, *, whole: bool = False) -> Any:
    """Return a value as people read it; what is empty becomes None, for which the admin has its own sign."""
    if isinstance(value, bool):
        return value
    if is_empty(value):
        return None
    for kind, show in _SHOWN:
        if isinstance(value, kind):
            return show(value, whole)
    text = str(value)
    if whole:
        return format_html('<span class="friren-text">{}</span>', text)
    return Truncator(text).chars(TEXT_IN_LIST_MAX)


def _decimal(value: Decimal, _whole: bool) -> SafeString:
    return format_html('<span class="friren-number">{}</span>', plain(value))


def _float(value: float, whole: bool) -> SafeString:
    # 17 digits tell all; six are as many as a statistic has meaning for.
    return _decimal(Decimal(repr(value) if whole else f"{value:.6g}"), whole)


def _integer(value: int, _whole: bool) -> SafeString:
    return format_html('<span class="friren-number">{}</span>', str(value))


def _time(value: dt.datetime, whole: bool) -> SafeString:
    at = value.astimezone(dt.UTC)
    seconds = ":%S" if at.second or at.microsecond else ""
    micros = ".%f" if whole and at.microsecond else ""
    text = at.strftime(f"%Y-%m-%d %H:%M{seconds}{micros} UTC")
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), text)


def _date(value: dt.date, _whole: bool) -> str:
    return value.isoformat()


def _uuid(value: UUID, whole: bool) -> SafeString:
    text = str(value)
    return format_html('<code title="{}">{}</code>', text, text if whole else f"…{text[-ID_TAIL:]}")


def _bytes(value: Any, whole: bool) -> SafeString:
    text = bytes(value).hex()
    return format_html('<code title="{}">{}</code>', text, text if whole else f"{text[:ID_TAIL]}…")


def _json(value: Any, whole: bool) -> SafeString | str:
    if whole:
        return format_html('<pre class="friren-json">{}</pre>', json.dumps(value, indent=2, ensure_ascii=False))
    return Truncator(json.dumps(value, ensure_ascii=False)).chars(TEXT_IN_LIST_MAX)


# In this order: a datetime is a date.
_SHOWN: Final[tuple[tuple[Any, Callable[[Any, bool], Any]], ...]] = (
    (Decimal, _decimal),
    (float, _float),
    (int, _integer),
    (dt.datetime, _time),
    (dt.date, _date),
    (UUID, _uuid),
    ((bytes, memoryview), _bytes),
    ((dict, list), _json),
)


def change_link(row: models.Model, text: Any) -> Any:
    """Return a link to the page of `row`, or the text alone where its table is not in the admin."""
    return _link(_page(row._meta, "change", quote(row.pk)), text)


def changelist_link(model: type[models.Model], text: Any, **lookups: Any) -> Any:
    """Return a link to the rows of `model` that match `lookups`."""
    url = _page(model._meta, "changelist")
    return _link(f"{url}?{urlencode(lookups)}" if url and lookups else url, text)


def _page(meta: Any, kind: str, *args: Any) -> str | None:
    try:
        name = f"admin:{meta.app_label}_{meta.model_name}_{kind}"
        return reverse(name, args=args, current_app=admin.site.name)
    except NoReverseMatch:
        return None


def _link(url: str | None, text: Any) -> Any:
    return text if url is None else format_html('<a href="{}">{}</a>', url, text)

"""
Lists paged by key: page a million costs what the first costs, and no page skips a row that moved.

The position is the id of a row (`after=` or `before=`), whose place in the order the next page begins behind.
"""

from __future__ import annotations

from typing import Any, Final

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist, ValidationError
from django.db import models
from django.db.models import Q
from django.http import HttpRequest
from django.utils.text import capfirst

from friren.operations.admin.counting import Count, count_of, sorts_too_much

__all__ = ["KeysetChangeList"]

AFTER: Final = "after"
BEFORE: Final = "before"
END: Final = "end"  # `before=end` is the last page


class KeysetChangeList(ChangeList):
    """
    A change list with first, previous, next and last page.

    Attributes:
        counted: how many rows match, exact or estimated.
        unsorted: the rows are too many to sort for one page, so they are shown by id.
        older, newer, first, last: query strings of the other pages, None where there is none.
    """

    counted: Count
    unsorted: bool
    older: str | None
    newer: str | None
    first: str | None
    last: str | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = str(capfirst(self.opts.verbose_name_plural))

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> Any:
        """Return the rows that match, after taking the page's position out of what is a filter to Django."""
        for given in (self.params, self.filter_params):
            for name in (AFTER, BEFORE):
                given.pop(name, None)
        return super().get_queryset(request, exclude_parameters)

    def get_results(self, request: HttpRequest) -> None:
        """Find the rows of this page."""
        size = self.list_per_page
        self.counted = count_of(self.queryset)
        self.unsorted = not self.counted.exact and sorts_too_much(self.queryset[: size + 1])
        if self.unsorted:
            self.queryset = self.queryset.order_by("-pk")
        after, before = request.GET.get(AFTER), request.GET.get(BEFORE)
        found, more = self._page(after=after, before=before, size=size)
        self._link_pages(found, at_start=not (after or before) or (bool(before) and not more),
                         at_end=before == END or (not before and not more))  # fmt: skip
        self.result_list = found
        self.result_count = self.counted.rows
        # The number stands below the list; beside the search box only after a search.
        self.full_result_count = None if self.query else self.result_count
        self.show_full_result_count = False
        self.show_admin_actions = bool(found) and bool(self.model_admin.get_actions(request))
        self.can_show_all = False
        self.multi_page = more or bool(after or before)
        self.paginator = self.model_admin.get_paginator(request, self.queryset, size)

    def _page(self, *, after: str | None, before: str | None, size: int) -> tuple[list[Any], bool]:
        """Return the rows of the page, and whether more follow in the direction of reading."""
        rows = self.queryset
        if before:
            rows = rows.reverse()
        position = after or before
        if position and position != END:
            rows = rows.filter(self._behind(position, backwards=bool(before)))
        found = list(rows[: size + 1])
        more = len(found) > size
        del found[size:]
        return (found[::-1] if before else found), more

    def _link_pages(self, found: list[Any], *, at_start: bool, at_end: bool) -> None:
        self.first = None if at_start else self.get_query_string()
        self.last = None if at_end else self.get_query_string({BEFORE: END})
        self.newer = self.get_query_string({BEFORE: str(found[0].pk)}) if found and not at_start else None
        self.older = self.get_query_string({AFTER: str(found[-1].pk)}) if found and not at_end else None

    def _behind(self, position: str, *, backwards: bool) -> Q:
        """Return the condition for rows that come behind the row with the id `position`."""
        keys = self._keys()
        if "\x00" in position:  # PostgreSQL has no such text
            raise IncorrectLookupParameters(position)
        try:
            values = self.root_queryset.values_list(*(name for name, _down in keys)).get(pk=position)
        except (ObjectDoesNotExist, ValidationError, ValueError) as exc:
            raise IncorrectLookupParameters(exc) from exc
        condition, same = Q(), Q()
        for (name, down), value in zip(keys, values, strict=True):
            further = "lt" if down is not backwards else "gt"
            condition |= same & Q(**{f"{name}__{further}": value})
            same &= Q(**{name: value})
        # The first key alone is implied by the rest, and lets an index be entered at the right place.
        name, down = keys[0]
        return Q(**{f"{name}__{'lte' if down is not backwards else 'gte'}": values[0]}) & condition

    def _keys(self) -> list[tuple[str, bool]]:
        """Return (field, descending) of the order: columns of this table that are never null, the id last."""
        keys = []
        for part in self.queryset.query.order_by:
            name = str(part).lstrip("-")
            if name == "pk":
                name = self.opts.pk.name
            if not _is_key(self.model, name):
                raise IncorrectLookupParameters(f"no pages in the order of {part}")
            keys.append((name, str(part).startswith("-")))
        return keys


def _is_key(model: type[models.Model], name: str) -> bool:
    try:
        field: Any = model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return bool(field.concrete and not field.null)

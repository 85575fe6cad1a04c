"""Filters that cost one index lookup: no SELECT DISTINCT, no list of every row of another table."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any, ClassVar, Final

from django.contrib.admin import ListFilter, ModelAdmin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db import models
from django.http import HttpRequest

from friren.core.choices import Environment
from friren.core.models import Account

__all__ = ["AccountFilter", "exact_filter", "time_filter"]

ACCOUNTS_LISTED: Final = 20


class _FormFilter(ListFilter):
    """A filter that people type into: a small form of its own, which keeps the other filters."""

    template = "admin/friren/form_filter.html"
    inputs: ClassVar[tuple[tuple[str, str, str], ...]]  # parameter, label, type of input

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: type[models.Model], model_admin: Any
    ) -> None:
        super().__init__(request, params, model, model_admin)
        for name in self._parameters():
            value = params.pop(name, [""])[-1].strip()
            if "\x00" in value:  # PostgreSQL has no such text
                raise IncorrectLookupParameters(f"{name} holds a NUL character")
            if value:
                self.used_parameters[name] = value

    def _parameters(self) -> list[str]:
        return [name for name, _label, _type in self.inputs]

    def expected_parameters(self) -> list[str | None]:
        return [*self._parameters()]

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: Any) -> Iterator[Any]:
        own = self._parameters()
        yield {
            "inputs": [(name, label, kind, self.used_parameters.get(name, "")) for name, label, kind in self.inputs],
            "kept": [
                (name, value)
                for name, values in changelist.filter_params.items()
                if name not in own
                for value in (values if isinstance(values, list) else [values])
            ],
            "clear": changelist.get_query_string(remove=own) if self.used_parameters else None,
        }


def time_filter(field: str) -> type[ListFilter]:
    """Return a filter of a time column by days in UTC, both ends included."""
    since, until = f"{field}_from", f"{field}_to"

    class TimeFilter(_FormFilter):
        title = f"{field.replace('_', ' ')} (UTC)"
        inputs = ((since, "From", "date"), (until, "To", "date"))

        def queryset(self, request: HttpRequest, queryset: Any) -> Any:
            if (first := self._day(since)) is not None:
                queryset = queryset.filter(**{f"{field}__gte": first})
            if (last := self._day(until)) is not None:
                queryset = queryset.filter(**{f"{field}__lt": last + dt.timedelta(days=1)})
            return queryset

        def _day(self, name: str) -> dt.datetime | None:
            text: Any = self.used_parameters.get(name)
            if text is None:
                return None
            try:
                day = dt.datetime.combine(dt.date.fromisoformat(text), dt.time(), tzinfo=dt.UTC)
                day + dt.timedelta(days=1)  # the last day there is has no next
            except (ValueError, OverflowError) as exc:
                raise IncorrectLookupParameters(exc) from exc
            return day

    return TimeFilter


def exact_filter(path: str, *, label: str, parameter: str | None = None) -> type[ListFilter]:
    """Return a filter by the exact text of a column, or of a column of a referred table (`symbol__ticker`)."""
    name = parameter or path.partition("__")[0]
    reference, _, looked_up = path.partition("__")

    class ExactFilter(_FormFilter):
        title = label.lower()
        inputs = ((name, label, "search"),)

        def queryset(self, request: HttpRequest, queryset: Any) -> Any:
            text = self.used_parameters.get(name)
            if text is None:
                return queryset
            if not looked_up:
                return queryset.filter(**{path: text})
            # The referred rows first: an index on the key is used, and no join made.
            related = queryset.model._meta.get_field(reference).related_model
            keys = list(related._default_manager.filter(**{looked_up: text}).values_list("pk", flat=True)[:100])
            return queryset.filter(**{f"{reference}__in": keys})

    return ExactFilter


class AccountFilter(ListFilter):
    """By account: those people trade with first, then the newest backtests, and the one that is chosen."""

    title = "account"
    parameter = "account"
    template = "admin/filter.html"

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: type[models.Model], model_admin: ModelAdmin[Any]
    ) -> None:
        super().__init__(request, params, model, model_admin)
        chosen = params.pop(self.parameter, [""])[-1]
        if chosen:
            try:
                self.used_parameters[self.parameter] = uuid.UUID(chosen)
            except ValueError as exc:
                raise IncorrectLookupParameters(exc) from exc
        self.listed = self._accounts()

    def _accounts(self) -> list[Account]:
        backtests_last = models.ExpressionWrapper(
            models.Q(environment=Environment.BACKTEST), output_field=models.BooleanField()
        )
        listed = list(Account.objects.order_by(backtests_last, "-created_at")[:ACCOUNTS_LISTED])
        chosen: Any = self.used_parameters.get(self.parameter)
        if chosen is not None and chosen not in {account.id for account in listed}:
            listed += Account.objects.filter(id=chosen)
        return listed

    def expected_parameters(self) -> list[str | None]:
        return [self.parameter]

    def has_output(self) -> bool:
        return len(self.listed) > 1 or bool(self.used_parameters)

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        chosen: Any = self.used_parameters.get(self.parameter)
        return queryset if chosen is None else queryset.filter(account=chosen)

    def choices(self, changelist: Any) -> Iterator[Any]:
        chosen: Any = self.used_parameters.get(self.parameter)
        yield {
            "selected": chosen is None,
            "query_string": changelist.get_query_string(remove=[self.parameter]),
            "display": "All",
        }
        for account in self.listed:
            yield {
                "selected": account.id == chosen,
                "query_string": changelist.get_query_string({self.parameter: str(account.id)}),
                "display": str(account),
            }

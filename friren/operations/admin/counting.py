"""
How many rows, without counting large tables: PostgreSQL's own estimate, from EXPLAIN.

EXPLAIN and not `pg_class.reltuples`: that is -1 for the parent of a partitioned table, and knows no filter.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

if TYPE_CHECKING:
    # The stubs' classes are generic; Django's own are not.
    RowPaginator = Paginator[Any]
else:
    RowPaginator = Paginator

__all__ = ["EXACT_UP_TO", "Count", "EstimatedPaginator", "count_of", "sorts_too_much"]

# Counting that many takes a few milliseconds; beyond it nobody reads the last digits.
EXACT_UP_TO: Final = 50_000
# Sorting that many rows for one page takes a few tens of milliseconds.
SORTED_UP_TO: Final = 100_000


class Count(NamedTuple):
    """A number of rows; `exact`, or the planner's estimate."""

    rows: int
    exact: bool


def count_of(rows: QuerySet[Any, Any]) -> Count:
    """Return how many rows a queryset has."""
    plan = _plan(rows.order_by().values("pk"))
    if plan is None:
        return Count(0, exact=True)
    estimate = int(plan["Plan Rows"])
    return Count(estimate, exact=False) if estimate > EXACT_UP_TO else Count(rows.count(), exact=True)


def sorts_too_much(page: QuerySet[Any, Any]) -> bool:
    """Return whether PostgreSQL would have to sort a large part of the table to find this page."""
    plan = _plan(page)
    return plan is not None and any(
        int(child["Plan Rows"]) > SORTED_UP_TO
        for node in _nodes(plan)
        if node["Node Type"] == "Sort"
        for child in node.get("Plans", ())
    )


def _plan(rows: QuerySet[Any, Any]) -> dict[str, Any] | None:
    explained = rows.explain(format="json")
    if not explained:  # the filters contradict one another: Django does not ask the database
        return None
    plan: dict[str, Any] = json.loads(explained)[0]["Plan"]
    return plan


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


class EstimatedPaginator(RowPaginator):
    """Pages whose number is estimated where the table is large."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, or about how many."""
        rows: Any = self.object_list
        return count_of(rows).rows

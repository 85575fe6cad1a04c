"""
What stands below a row's own fields: the rows that belong to it, a few at a time, with a link to all.

Upper floors register panels for models of lower ones: the page of a trade shows its position without knowing of books.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from django.db import models
from django.utils.text import capfirst

from friren.operations.admin.columns import NO_VALUE, Column, change_link, changelist_link, column, is_followed

__all__ = ["Heading", "Panel", "panels_of", "register_panel", "register_tool", "related", "tools_of"]

ROWS_SHOWN: Final = 10


class Heading(NamedTuple):
    """The head of a column; numbers stand to the right, and so does what is above them."""

    text: str
    numeric: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Panel:
    """
    A table below the fields.

    Attributes:
        headings: of the columns; empty for a table of names and values.
        rows: cells, text or safe HTML.
        more: a link to all of it, "" where this is all.
    """

    title: str
    rows: Sequence[Sequence[Any]]
    headings: Sequence[Heading] = ()
    more: Any = ""
    note: str = ""


Builder = Callable[[Any], Panel | None]

_builders: dict[type[models.Model], list[tuple[int, Builder]]] = {}
_tools: dict[type[models.Model], list[Callable[[Any], Any]]] = {}


def register_panel(model: type[models.Model], *builders: Builder, place: int = 50) -> None:
    """
    Show what `builders` return for a row on the pages of `model`; None is left out.

    Args:
        place: among the panels of the page, small first; then in the order of registration.
    """
    placed = _builders.setdefault(model, [])
    placed.extend((place, build) for build in builders)
    placed.sort(key=operator.itemgetter(0))


def panels_of(row: models.Model) -> list[Panel]:
    """Return the panels of a row, in their order."""
    return [panel for _place, build in _builders.get(type(row), ()) if (panel := build(row)) is not None]


def register_tool(build: Callable[[Any], Any], *models_: type[models.Model]) -> None:
    """Show the link that `build` returns for a row at the head of its page; None is left out."""
    for model in models_:
        _tools.setdefault(model, []).append(build)


def tools_of(row: models.Model) -> list[Any]:
    """Return the links at the head of a row's page, in the order of registration."""
    return [link for build in _tools.get(type(row), ()) if (link := build(row)) is not None]


def related(
    model: type[models.Model],
    by: str,
    *columns: str | Column,
    order: Sequence[str],
    title: str | None = None,
    key: str = "pk",
    **fixed: Any,
) -> Builder:
    """
    Return a builder of the panel with the rows of `model` that refer to a row.

    Args:
        by: the field they refer to it by, which has an index.
        columns: fields or columns; the first one links to the row's own page.
        order: of the rows, an order that the index serves.
        key: attribute of the row that `by` holds.
        fixed: further conditions of the rows, as of a filter.
    """
    heading = title or str(capfirst(model._meta.verbose_name_plural))
    taken = [column(model, one) if isinstance(one, str) else one for one in columns]
    followed = [one for one in columns if isinstance(one, str) and is_followed(model._meta.get_field(one))]

    def build(row: Any) -> Panel | None:
        value = getattr(row, key)
        if value is None:
            return None
        rows = model._default_manager.filter(**{by: value}, **fixed).select_related(*followed).order_by(*order)
        found = list(rows[: ROWS_SHOWN + 1])
        if not found:
            return None
        return Panel(
            title=heading,
            headings=[Heading(one.short_description, one.numeric) for one in taken],
            rows=[
                [change_link(one, _text(taken[0](one))), *(_text(cell(one)) for cell in taken[1:])]
                for one in found[:ROWS_SHOWN]
            ],
            more=changelist_link(model, "All of them", **{by: value}, **fixed) if len(found) > ROWS_SHOWN else "",
        )

    return build


def _text(value: Any) -> Any:
    if value is None:
        return NO_VALUE
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value

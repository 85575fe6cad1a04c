"""The kinds of foreign key this schema has, each with its one reason."""

from __future__ import annotations

from typing import Any

from django.db import models

__all__ = ["fact_key", "soft_key"]


def fact_key(to: str, *, related_name: str = "+", optional: bool = False) -> Any:
    """
    Return a foreign key of a fact: PROTECT, and no index but those a model lists.

    SET_NULL or CASCADE would run into the append-only trigger; rows are deactivated, never deleted.
    """
    return models.ForeignKey(
        to, on_delete=models.PROTECT, db_index=False, related_name=related_name, null=optional, blank=optional
    )


def soft_key(to: str, to_field: str, *, related_name: str, optional: bool = True) -> Any:
    """
    Return a reference to the text id of another system's row, which may not be stored here (yet).

    The column holds that text; there is no constraint, and `full_clean()` must leave it out.
    """
    return models.ForeignKey(
        to,
        to_field=to_field,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name=related_name,
        null=optional,
        blank=optional,
    )

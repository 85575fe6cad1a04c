"""
What upper floors say of exports: which of their tables are left out, and how an import makes those anew.

    register_left_out(Position, "folded from the facts")      # in AppConfig.ready()
    register_after_import(book_accounts)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import models

__all__ = [
    "follow_up", "is_left_out", "is_seeded", "left_out", "register_after_import", "register_left_out",
    "register_seeded",
]  # fmt: skip

_left_out: dict[type[models.Model], str] = {}
_seeded: set[type[models.Model]] = set()
_after: list[Callable[[Sequence[UUID]], None]] = []


def register_left_out(model: type[models.Model], why: str) -> None:
    """Leave the rows of `model` out of exports: they are made of others."""
    _left_out[model] = why


def is_left_out(model: type[models.Model]) -> bool:
    """Return whether the rows of a table are left out."""
    return model in _left_out


def left_out() -> dict[str, str]:
    """Return why tables are left out, by the name of their model."""
    return {model._meta.label: why for model, why in _left_out.items()}


def register_seeded(model: type[models.Model]) -> None:
    """Say that an empty database has a row of `model`, which an import may replace while nobody has changed it."""
    _seeded.add(model)


def is_seeded(model: type[models.Model]) -> bool:
    """Return whether an empty database has rows of a table."""
    return model in _seeded


def register_after_import(work: Callable[[Sequence[UUID]], None]) -> None:
    """Have `work(accounts)` make anew what follows from facts, once all are there."""
    _after.append(work)


def follow_up(accounts: Sequence[UUID]) -> None:
    """Do what is registered, for accounts by id."""
    for work in _after:
        work(accounts)

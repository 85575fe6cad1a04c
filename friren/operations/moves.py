"""
Which tables have a status whose moves are told by events. Upper floors add theirs:

    from friren.operations.moves import register_moves

    register_moves(Trade, TradeStatusEvent, "trade")       # in AppConfig.ready()
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db import models

__all__ = ["STATUS", "Moves", "register_moves", "registered_moves"]

STATUS: Final = "status"


@dataclass(frozen=True, slots=True)
class Moves:
    """
    Rows with a status.

    Attributes:
        table, events: where they and the events of their moves lie.
        key: the events' column that names the row.
        first: the status that no event tells of.
    """

    table: str
    events: str
    key: str
    first: str


_registered: dict[str, Moves] = {}


def register_moves(model: type[models.Model], events: type[models.Model], field: str) -> None:
    """
    Let `verify_audit` hold the status of the rows of `model` to that of their newest event.

    Args:
        events: whose `to_status` tells of a move; each is written in the transaction of the move, the row locked.
        field: of an event: the row.
    """
    status: Any = model._meta.get_field(STATUS)
    row: Any = events._meta.get_field(field)
    table = model._meta.db_table
    _registered[table] = Moves(table, events._meta.db_table, row.column, str(status.get_default()))


def registered_moves() -> list[Moves]:
    """Return what is registered."""
    return list(_registered.values())

"""Which columns of a table are sealed, and how they are read as text."""

from __future__ import annotations

import hashlib
from typing import Any, Self

import msgspec
from django.apps import apps
from django.db import connections, models
from pgtrigger import ReadOnly

from friren.core.models import FactModel
from friren.persistence.archived import sources

__all__ = ["Layout", "Reference", "layouts", "model_of"]


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    Frozen columns of the row that `column` refers to: a trade says little when its symbol can be renamed.

    Attributes:
        table, key: where that row lies, and its key.
        columns: what is sealed of it.
    """

    column: str
    table: str
    key: str
    columns: tuple[str, ...]


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    What is sealed of a row: every column but those that may move, in this order, then those of `references`.

    The first two columns are `recorded_seq` and `id`. A block keeps the layout it was made with, so that columns
    that are added later do not change what it says.
    """

    table: str
    columns: tuple[str, ...]
    references: tuple[Reference, ...] = ()

    @classmethod
    def of(cls, model: type[FactModel]) -> Self:
        """Return the layout of the rows of `model` as it is now."""
        fields = [field for field in model._meta.concrete_fields if field.name not in model.lifecycle]
        columns = sorted(
            (str(field.column) for field in fields), key=lambda name: (name != "recorded_seq", name != "id")
        )
        found = (_reference(field) for field in fields)
        return cls(model._meta.db_table, tuple(columns), tuple(one for one in found if one is not None))

    @property
    def names(self) -> tuple[str, ...]:
        """The columns as people read them, in the order of the text of a row."""
        told = (f"{one.column}.{name}" for one in self.references for name in one.columns)
        return (*self.columns, *told)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the layout: what a block is signed with."""
        return hashlib.sha256(msgspec.json.encode(self)).digest()

    def copy_sql(self, first: int, last: int, *, using: str) -> str:
        """Return the statement that writes out the rows numbered `first` to `last`, in no order."""
        name = connections[using].ops.quote_name
        where = f"WHERE recorded_seq BETWEEN {first:d} AND {last:d}"
        listed = ", ".join(map(name, self.columns))
        parts = [f"SELECT {listed} FROM {source} {where}" for source in sources(self.table, using)]
        joins, told = [], [f"t.{name(column)}" for column in self.columns]
        for number, one in enumerate(self.references):
            joins.append(f"LEFT JOIN {name(one.table)} r{number} ON r{number}.{name(one.key)} = t.{name(one.column)}")
            told += [f"r{number}.{name(column)}" for column in one.columns]
        return f"COPY (SELECT {', '.join(told)} FROM ({' UNION ALL '.join(parts)}) t {' '.join(joins)}) TO STDOUT"


def layouts() -> list[Layout]:
    """Return the layouts of all fact tables, in the order of their names."""
    return sorted((Layout.of(model) for model in _facts()), key=lambda layout: layout.table)


def model_of(table: str) -> type[FactModel] | None:
    """Return the model of a fact table; None for a table that is none."""
    return next((model for model in _facts() if model._meta.db_table == table), None)


def _facts() -> list[type[FactModel]]:
    return [model for model in apps.get_models() if issubclass(model, FactModel)]


def _reference(field: models.Field[Any, Any]) -> Reference | None:
    if not isinstance(field, models.ForeignKey) or not getattr(field, "db_constraint", False):
        return None
    target: Any = field.related_model
    for trigger in getattr(target._meta, "triggers", ()):
        # What has a list of frozen columns is a reference row; a fact is sealed itself.
        if isinstance(trigger, ReadOnly) and trigger.fields:
            columns = tuple(str(target._meta.get_field(name).column) for name in trigger.fields)
            return Reference(str(field.column), target._meta.db_table, str(field.target_field.column), columns)
    return None

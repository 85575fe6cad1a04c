"""Which tables are exported, in the order in which they can be read back, and what their columns are."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.db import connections, models

from friren.core.models import Account, FactModel, SeriesModel, User
from friren.core.models.accounts import SYSTEM_USERNAME
from friren.errors import ConfigurationError
from friren.operations.models import AuditBlock
from trading_engine.data.transfer.registry import is_left_out
from trading_engine.models import Symbol, TradingPair

__all__ = ["ASSIGNED", "KEPT_NUMBERS", "Column", "Table", "exported_tables"]

# Of a fact: given by the database that takes it in. Told in the files, and no part of a digest.
ASSIGNED: Final = frozenset({"recorded_seq", "created_at"})
# Rows whose numbers are part of what facts say, and so of their digests; all other numbers are each database's own.
KEPT_NUMBERS: Final = (User, TradingPair)
# Never leave the database.
_SECRET: Final = {"core_user": frozenset({"password", "last_login"})}
# What such a column gets in the database that takes the row in: nobody signs in by an import.
_FILLED: Final = {"core_user": {"password": "!"}}
# Rows that every database has of its own.
_OWN_ROWS: Final = {"core_user": f"username <> '{SYSTEM_USERNAME}'"}
# Filled in once everything is there: a closed period takes no facts.
_LAST: Final = {"core_account": frozenset({"closed_until"})}
_LENGTH: Final = re.compile(r"varchar\(\d+\)")
# Of the ground floor; its other tables are about this database, not about trading.
_GROUND: Final = ("User", "Account", "AuditLog")


@dataclass(frozen=True, slots=True)
class Column:
    """
    One column.

    Attributes:
        kind: PostgreSQL's type as it is written to files; a reference to a row without an id of its own is text.
        target: the model that such a reference names: by user name, [ticker, venue], or two of these.
        late: filled in when all tables are there, as what it refers to comes later.
        digested: whether it is part of the row's digest.
    """

    name: str
    kind: str
    field: Any
    target: type[models.Model] | None = None
    late: bool = False
    digested: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """
    One table.

    Attributes:
        name: of its model, such as `trading_engine.Trade`, and of its file.
        is_fact: stored by the write path, under its own id and digest.
        account: the column that says whose a row is; "" where it is everybody's.
        order: columns in whose order rows are written: those that others refer to come first.
        where: SQL that chooses its rows; "" for all.
    """

    name: str
    model: type[models.Model]
    columns: tuple[Column, ...]
    is_fact: bool
    account: str
    order: tuple[str, ...]
    where: str

    @property
    def filled(self) -> dict[str, str]:
        """Columns that are not told, with what they are filled with."""
        return _FILLED.get(self.table, {})

    @property
    def table(self) -> str:
        """Its name in the database."""
        return str(self.model._meta.db_table)

    @property
    def late(self) -> tuple[Column, ...]:
        """The columns that are filled in last."""
        return tuple(column for column in self.columns if column.late)


def exported_tables(names: tuple[str, ...] = ()) -> list[Table]:
    """
    Return the tables of an export, each after those that it refers to.

    Args:
        names: of models, as `Trade` or `trading_engine.Trade`; all unless given.

    Raises:
        ConfigurationError: there is no such table.
    """
    found = [_table(model) for model in _ordered(_models())]
    known = {name.casefold(): one.name for one in found for name in (one.name, one.name.partition(".")[2])}
    unknown = [name for name in names if name.casefold() not in known]
    if unknown:
        listed = ", ".join(sorted(one.name.partition(".")[2] for one in found))
        raise ConfigurationError(f"no table {unknown[0]!r} is exported: there are {listed}")
    wanted = {known[name.casefold()] for name in names}
    return [one for one in found if not names or one.name in wanted]


def _models() -> list[type[models.Model]]:
    labels = {model._meta.app_label for model in apps.get_models() if issubclass(model, FactModel | SeriesModel)}
    upper = labels - {User._meta.app_label, AuditBlock._meta.app_label}
    return [
        model
        for model in apps.get_models(include_auto_created=False)
        if model._meta.managed
        and not model._meta.proxy
        and not is_left_out(model)
        and (model._meta.app_label in upper or model._meta.label in {f"core.{name}" for name in _GROUND})
    ]


def _ordered(found: list[type[models.Model]]) -> Iterator[type[models.Model]]:
    left = sorted(found, key=lambda model: model._meta.label)
    done: set[type[models.Model]] = set()
    while left:
        ready = [model for model in left if not (_parents(model) & set(left)) - {model}]
        if not ready:
            raise ConfigurationError(f"tables refer to one another in a circle: {', '.join(map(str, left))}")
        yield from ready
        done.update(ready)
        left = [model for model in left if model not in done]


def _parents(model: type[models.Model]) -> set[Any]:
    lifecycle = getattr(model, "lifecycle", ())
    return {
        field.related_model
        for field in model._meta.concrete_fields
        if _is_reference(field) and field.name not in lifecycle
    }


def _is_reference(field: Any) -> bool:
    return isinstance(field, models.ForeignKey) and bool(getattr(field, "db_constraint", True))


@functools.cache
def _table(model: type[models.Model]) -> Table:
    is_fact = issubclass(model, FactModel | SeriesModel)
    columns = tuple(_columns(model, is_fact=is_fact))
    names = [column.name for column in columns]
    if is_fact:
        order: tuple[str, ...] = ("recorded_seq",)
    else:
        order = (str(model._meta.pk.column),)
    account = "id" if model is Account else "account_id"
    return Table(
        model._meta.label,
        model,
        columns,
        is_fact,
        account if account in names else "",
        order,
        _OWN_ROWS.get(model._meta.db_table, ""),
    )


def _columns(model: type[models.Model], *, is_fact: bool) -> Iterator[Column]:
    table = model._meta.db_table
    lifecycle = getattr(model, "lifecycle", ())
    for field in model._meta.concrete_fields:
        name = str(field.column)
        numbered = isinstance(field, models.BigAutoField) and model not in KEPT_NUMBERS
        if name in _SECRET.get(table, ()) or (field.primary_key and numbered):
            continue
        moved = field.name in lifecycle and (_is_reference(field) or getattr(field, "auto_now", False))
        late = name in _LAST.get(table, ()) or moved
        target = field.related_model if _is_reference(field) else None
        named = target in {User, Symbol, TradingPair}
        kind = "text" if target is User else "jsonb" if named else _kind(field)
        yield Column(name, kind, field, target if named else None, late, not (is_fact and name in ASSIGNED))


def _kind(field: Any) -> str:
    """Return PostgreSQL's type of a column; how long a text may be is its table's concern."""
    kind = str(field.rel_db_type(connections["default"])).replace(", ", ",")
    return _LENGTH.sub("text", kind)

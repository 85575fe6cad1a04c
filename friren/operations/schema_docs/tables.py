"""What a table is: its columns, its rules, its indexes and triggers, read off its model."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models.fields import NOT_PROVIDED
from pgtrigger import ReadOnly

from friren.core.fields import BoundedDecimalField, ChoiceField
from friren.core.models import FactModel, ProjectionModel, SeriesModel
from friren.core.triggers import MEANINGS
from friren.persistence.facts import spec_of

__all__ = ["Column", "Rule", "Table", "docstring_of", "table_of"]

_ATTRIBUTES: Final = re.compile(r"^\s*Attributes:\s*$", re.MULTILINE)
_ATTRIBUTE: Final = re.compile(r"^    (?P<names>[a-z_]+(?:, [a-z_]+)*): (?P<told>.*(?:\n {8}.*)*)", re.MULTILINE)


class Column(msgspec.Struct, frozen=True):
    """
    One column.

    Attributes:
        kind: its type, as PostgreSQL has it.
        default: what stands there when nothing is given, "" when something has to be.
        kept: "digest", "frozen", "moves", or "" for what may change.
    """

    name: str
    kind: str
    null: bool
    default: str
    kept: str
    meaning: str


class Rule(msgspec.Struct, frozen=True):
    """A constraint, index or trigger: its name, what it is in words or SQL, and what a caller is told who breaks it."""

    name: str
    told: str
    reason: str = ""


class Table(msgspec.Struct, frozen=True):
    """
    One table.

    Attributes:
        kind: "fact", "series", "projection", or "table" for what is none of these.
        told: the docstring of its model, without what it says of columns.
    """

    name: str
    model: str
    app: str
    kind: str
    told: str
    columns: tuple[Column, ...]
    checks: tuple[Rule, ...]
    unique: tuple[Rule, ...]
    indexes: tuple[Rule, ...]
    triggers: tuple[Rule, ...]


def table_of(model: type[models.Model], words: Mapping[str, str] = MappingProxyType({})) -> Table:
    """
    Return what the table of `model` is.

    Args:
        words: what columns mean that the model says nothing of, by name, or by model and name with a point between.
    """
    meta = model._meta
    checks = [one for one in meta.constraints if isinstance(one, models.CheckConstraint)]
    unique = [one for one in meta.constraints if isinstance(one, models.UniqueConstraint)]
    triggers: list[Any] = list(getattr(meta, "triggers", ()))
    return Table(
        name=meta.db_table,
        model=model.__name__,
        app=meta.app_label,
        kind=_kind(model),
        told=docstring_of(model),
        columns=tuple(_columns(model, words)),
        checks=tuple(Rule(str(one.name), _check(one, model), _reason(one)) for one in checks),
        unique=tuple(Rule(str(one.name), _keys(one, model)) for one in unique),
        indexes=tuple(Rule(one.name, _keys(one, model)) for one in meta.indexes),
        triggers=tuple(Rule(one.name, _trigger(one)) for one in triggers),
    )


def docstring_of(model: type[Any]) -> str:
    """Return what a class says of itself, without its list of attributes; "" where it says nothing of its own."""
    text = inspect.cleandoc(model.__dict__.get("__doc__") or "")
    # Django writes the list of fields where a model says nothing.
    return "" if text.startswith(f"{model.__name__}(") else _ATTRIBUTES.split(text)[0].strip()


def _kind(model: type[models.Model]) -> str:
    kinds = ((FactModel, "fact"), (SeriesModel, "series"), (ProjectionModel, "projection"))
    return next((kind for base, kind in kinds if issubclass(model, base)), "table")


def _columns(model: type[models.Model], words: Mapping[str, str]) -> Iterator[Column]:
    connection, told = connections[DEFAULT_DB_ALIAS], _told_of_columns(model)
    kept = _kept(model)
    for field in model._meta.concrete_fields:
        means = told.get(field.name) or words.get(f"{model.__name__}.{field.name}") or words.get(field.name, "")
        parts = (str(field.help_text) or means, _refers_to(field), _allowed(field))
        yield Column(
            name=str(field.column),
            kind=str(field.db_type(connection)).replace("timestamp with time zone", "timestamptz"),
            null=field.null,
            default=_default(field),
            kept=kept.get(field.name, ""),
            meaning=" ".join(part for part in (*parts, _key(field)) if part),
        )


def _told_of_columns(model: type[models.Model]) -> dict[str, str]:
    """Return what the docstrings of a model and its bases say of its columns; the model has the last word."""
    told: dict[str, str] = {}
    for base in reversed(model.__mro__):
        _, _, listed = inspect.cleandoc(base.__dict__.get("__doc__") or "").partition("Attributes:\n")
        for found in _ATTRIBUTE.finditer(listed):
            text = " ".join(found["told"].split())
            told |= dict.fromkeys(found["names"].split(", "), text[:1].upper() + text[1:])
    return told


def _kept(model: type[models.Model]) -> dict[str, str]:
    names = [field.name for field in model._meta.concrete_fields]
    frozen: set[str] = set()
    for trigger in getattr(model._meta, "triggers", ()):
        if isinstance(trigger, ReadOnly):
            frozen |= set(trigger.fields or (name for name in names if name not in (trigger.exclude or ())))
    kept = dict.fromkeys(frozen, "frozen")
    if issubclass(model, FactModel | SeriesModel):
        kept |= {name: "digest" for name, field in spec_of(model).fields.items() if field.digested}
        kept |= dict.fromkeys(model.lifecycle, "moves")
    return kept


def _refers_to(field: models.Field[Any, Any]) -> str:
    if not isinstance(field, models.ForeignKey):
        return ""
    target: Any = field.related_model
    table, key = target._meta.db_table, field.target_field.column
    rule: Any = field.remote_field.on_delete
    how = rule.__name__ if field.db_constraint else "no constraint"  # type: ignore[attr-defined]
    return f"→ [{table}](#{table}).{key} ({how})"


def _allowed(field: models.Field[Any, Any]) -> str:
    if isinstance(field, ChoiceField):
        listed = ", ".join(f"`{value}`" for value in field.stored.values())
        return f"One of {listed}{' or empty' if field.blank else ''}."
    if isinstance(field, BoundedDecimalField):
        if type(field) is BoundedDecimalField:
            return f"{field.rule[:1].upper()}{field.rule[1:]}."
        kind = type(field).__name__.removesuffix("Field")
        return f"{kind}, more than 0." if getattr(field, "positive", False) else f"{kind}."
    return "Not negative." if isinstance(field, models.PositiveIntegerField) else ""


def _key(field: models.Field[Any, Any]) -> str:
    if field.primary_key:
        return "Primary key."
    return "Unique." if field.unique else ""


def _default(field: models.Field[Any, Any]) -> str:
    if getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED:
        sql, params = connections[DEFAULT_DB_ALIAS].schema_editor().db_default_sql(field)
        return _plain(sql % tuple(params) if params else sql).lower()
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return "now()"
    default = field.default
    if default is NOT_PROVIDED or default is None:
        is_text = isinstance(field, models.CharField | models.TextField)
        return "''" if is_text and field.blank and not field.null else ""
    if callable(default):
        return {dict: "{}", list: "[]"}.get(default, f"{default.__name__}()")
    return str(default).lower() if isinstance(default, bool) else str(default) or "''"


def _check(constraint: models.CheckConstraint, model: type[models.Model]) -> str:
    return _plain(constraint._get_check_sql(model, connections[DEFAULT_DB_ALIAS].schema_editor()))  # type: ignore[attr-defined]  # noqa: SLF001 - what Django makes the table with


def _reason(constraint: models.CheckConstraint) -> str:
    told = str(constraint.violation_error_message)
    return "" if told == str(constraint.default_violation_error_message) else told


def _keys(index: models.Index | models.UniqueConstraint, model: type[models.Model]) -> str:
    """Return the columns of an index or a unique constraint, and for which rows it is."""
    orders = getattr(index, "fields_orders", None) or [(name, "") for name in index.fields]
    columns = {field.name: field.column for field in model._meta.concrete_fields}
    listed = [f"{columns[name]} {order}".strip() for name, order in orders]
    listed += [_plain(str(one)) for one in index.expressions]
    told = ", ".join(listed)
    method = getattr(index, "suffix", "idx")
    told = told if method == "idx" else f"{method} ({told})"
    if getattr(index, "nulls_distinct", None) is False:
        told += ", nulls equal"
    if index.condition is not None:
        where = index._get_condition_sql(model, connections[DEFAULT_DB_ALIAS].schema_editor())  # type: ignore[union-attr]  # noqa: SLF001 - the same
        told += f" where {_plain(where)}"
    return told


def _trigger(trigger: Any) -> str:
    if isinstance(trigger, ReadOnly):
        told = "refuses every UPDATE that changes "
        if trigger.fields:
            return told + ", ".join(trigger.fields)
        return told + (f"a column other than {', '.join(trigger.exclude)}" if trigger.exclude else "a column")
    for name, meaning in MEANINGS.items():
        if trigger.name.startswith(name):
            return meaning
    return f"{trigger.when} {trigger.operation}, per {trigger.level}".lower()


def _plain(sql: str) -> str:
    """Return SQL without the quotes and outer brackets that only a machine wants."""
    text = " ".join(sql.replace('"', "").split())
    return text[1:-1] if text.startswith("(") and _closes_last(text) else text


def _closes_last(text: str) -> bool:
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if not depth:
            return place == len(text) - 1
    return False

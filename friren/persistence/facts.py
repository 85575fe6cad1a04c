"""
Facts: what the loggers write, typed and checked before any database is asked.

A fact's fields are its model's fields. Rows it refers to are named by natural key where they have
one (a symbol by ticker and venue), so a fact can be made with no database; its handler finds them.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec
from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.models.fields import NOT_PROVIDED

from friren.core.fields import BoundedDecimalField, ChoiceField, StatField
from friren.core.ids import new_id
from friren.core.models import FactModel, SeriesModel
from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.checks import Check
from friren.persistence.digest import digest_of
from friren.persistence.rules import check_rules

__all__ = [
    "Fact",
    "FactSpec",
    "FieldSpec",
    "NaturalKey",
    "make_fact",
    "natural_key_of",
    "register_natural_key",
    "spec_named",
    "spec_of",
]

# What the database or the write path fills in, never the caller.
MANAGED: Final = frozenset({"id", "digest", "recorded_seq", "producer", "created_at"})
INT64_MAX: Final = 2**63 - 1


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """
    Something to store, checked.

    Attributes:
        kind: the model in snake case, e.g. "trade".
        id: its primary key, made on the caller's side.
        values: the fields that differ from their default, by name; rows referred to by natural key or id.
        digest: see friren.persistence.digest.
    """

    kind: str
    id: UUID
    values: dict[str, Any]
    digest: bytes


class NaturalKey(Protocol):
    """
    How rows of a reference table are named outside the database.

    `path` is the field (or lookup path) that shows the row in what is read.
    """

    path: str

    def parse(self, field: str, value: Any) -> Any:
        """Return the natural key as plain text or a list of texts; raise RejectedRecordError."""

    def resolve(self, key: Any, fact: Fact, *, using: str) -> Any:
        """Return the primary key of the row, made if it is unknown."""

    def forget(self) -> None:
        """Forget what was found; for a database that was emptied or replaced."""


_natural_keys: dict[type[models.Model], NaturalKey] = {}


def register_natural_key(model: type[models.Model], key: NaturalKey) -> None:
    """Let facts name rows of `model` by `key`."""
    _natural_keys[model] = key


def forget_natural_keys() -> None:
    """Forget every row found by natural key; for a database that was emptied or replaced."""
    for key in _natural_keys.values():
        key.forget()


def natural_key_of(field: models.Field[Any, Any]) -> NaturalKey | None:
    """Return the natural key by which the rows of a foreign key are named, if they have one."""
    if isinstance(field, models.ForeignKey):
        return _natural_keys.get(field.related_model)
    return None


@dataclasses.dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a kind of fact."""

    name: str
    column: str
    check: Check
    default: Any
    required: bool
    digested: bool
    is_json: bool
    natural: NaturalKey | None


@dataclasses.dataclass(frozen=True, slots=True)
class FactSpec:
    """One kind of fact: its model and its fields."""

    kind: str
    model: type[models.Model]
    fields: dict[str, FieldSpec]

    def field_of(self, column: str) -> str:
        """Return the name of the field of a column, the column itself when it is none of the caller's."""
        return next((field.name for field in self.fields.values() if field.column == column), column)


def make_fact(model: type[models.Model], *, id: UUID | None = None, **values: Any) -> Fact:  # noqa: A002 - the column's name
    """
    Return the checked fact of `model` with `values`; None stands for "not given".

    Raises:
        RejectedRecordError: a value breaks a rule of its field, or several a rule of the table.
    """
    spec = spec_of(model)
    if unknown := values.keys() - spec.fields.keys():
        raise TypeError(f"{spec.kind} has no field {', '.join(sorted(unknown))}")
    # Rules see every field, the fact keeps those that were given something.
    complete: dict[str, Any] = {}
    given: dict[str, Any] = {}
    for name, field in spec.fields.items():
        value = values.get(name)
        if value is None:
            if field.required:
                raise RejectedRecordError(name, None, "is required")
            complete[name] = field.default
            continue
        complete[name] = value = field.check(name, value)
        if value != field.default:
            given[name] = value
    key = id or new_id()
    check_rules(model, {**complete, "id": key})
    digested = {name: value for name, value in given.items() if spec.fields[name].digested}
    return Fact(kind=spec.kind, id=key, values=given, digest=digest_of(digested))


@functools.cache
def spec_of(model: type[models.Model]) -> FactSpec:
    """Return the fields of a fact table, read off its model once."""
    fields = {}
    for field in model._meta.concrete_fields:
        if field.name in MANAGED or getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
            continue
        fields[field.name] = _field_spec(model, field)
    return FactSpec(kind=_snake_case(model.__name__), model=model, fields=fields)


def spec_named(kind: str) -> FactSpec:
    """Return the spec of the kind of fact `kind`."""
    return spec_of(_models_by_kind()[kind])


@functools.cache
def _models_by_kind() -> Mapping[str, type[models.Model]]:
    return {
        _snake_case(model.__name__): model for model in apps.get_models() if issubclass(model, FactModel | SeriesModel)
    }


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _field_spec(model: type[models.Model], field: models.Field[Any, Any]) -> FieldSpec:
    default = field.get_default() if field.default is not NOT_PROVIDED or field.empty_strings_allowed else None
    if isinstance(field, ChoiceField) and default:
        default = str(default)
    if field.null:
        default = None if field.default is NOT_PROVIDED else default
    blank_text = isinstance(field, models.CharField | models.TextField) and field.blank
    natural = natural_key_of(field)
    lifecycle: tuple[str, ...] = getattr(model, "lifecycle", ())
    undigested: tuple[str, ...] = getattr(model, "undigested", ())
    return FieldSpec(
        name=field.name,
        column=str(field.column),
        check=_check_for(field, natural),
        default=default,
        required=not field.null and not blank_text and field.default is NOT_PROVIDED,
        digested=field.name not in lifecycle and field.name not in undigested,
        is_json=isinstance(field, models.JSONField),
        natural=natural,
    )


def _check_for(field: models.Field[Any, Any], natural: NaturalKey | None) -> Check:
    if natural is not None:
        return natural.parse
    for kind, make in _CHECKS:
        if isinstance(field, kind):
            return make(field)
    raise TypeError(f"no check for {field!r}")


def _decimal_check(field: BoundedDecimalField) -> Check:
    if field.measured:
        places = field.decimal_places or 0
        return functools.partial(checks.check_measure, places=places, allows=field.allows, rule=field.rule)
    return functools.partial(checks.check_decimal, allows=field.allows, rule=field.rule)


def _json_check(field: models.JSONField[Any, Any]) -> Check:
    kind = type(field.get_default()) if field.default is not NOT_PROVIDED else None
    return functools.partial(checks.check_json, kind=kind)


def _integer_check(field: models.IntegerField[Any, Any]) -> Check:
    minimum, maximum = BaseDatabaseOperations.integer_field_ranges[field.get_internal_type()]
    return functools.partial(checks.check_count, minimum=minimum, maximum=maximum)


def _check_bytes(field: str, value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise RejectedRecordError(field, value, f"bytes are wanted, not {type(value).__name__}")
    return value


def _reference_check(field: models.ForeignKey[Any, Any]) -> Check:
    """Return the check of a foreign key without a natural key: the row itself, or its key."""
    target = field.target_field
    by_key: Check
    if isinstance(target, models.UUIDField):
        by_key = checks.check_uuid
    elif isinstance(target, models.CharField):
        by_key = functools.partial(checks.check_text, length=target.max_length, blank=False)
    else:
        by_key = functools.partial(checks.check_count, minimum=1, maximum=INT64_MAX)

    def check(name: str, value: Any) -> Any:
        if isinstance(value, field.related_model):
            value = getattr(value, target.attname)
        elif isinstance(target, models.UUIDField) and isinstance(getattr(value, "id", None), UUID):
            value = value.id  # an account handle, a receipt
        return by_key(name, value)

    return check


# In this order: the first that fits; a DateTimeField is a DateField, a ChoiceField a CharField.
_CHECKS: Final[tuple[tuple[Any, Callable[[Any], Check]], ...]] = (
    (models.ForeignKey, _reference_check),
    (BoundedDecimalField, _decimal_check),
    (StatField, lambda _field: checks.check_stat),
    (ChoiceField, lambda field: functools.partial(checks.check_choice, stored=field.stored, blank=field.blank)),
    (
        (models.CharField, models.TextField),
        lambda field: functools.partial(checks.check_text, length=field.max_length, blank=field.blank),
    ),
    (ArrayField, lambda field: functools.partial(checks.check_texts, length=field.base_field.max_length)),
    (models.JSONField, _json_check),
    (models.BinaryField, lambda _field: _check_bytes),
    (models.IntegerField, _integer_check),
    (models.UUIDField, lambda _field: checks.check_uuid),
    (models.DateTimeField, lambda _field: checks.check_time),
    (models.DateField, lambda _field: checks.check_date),
    (models.BooleanField, lambda _field: checks.check_boolean),
    (models.GenericIPAddressField, lambda _field: checks.check_address),
)

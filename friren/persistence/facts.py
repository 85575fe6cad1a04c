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
from django.db import models
from django.db.models.fields import NOT_PROVIDED

from friren.core.fields import ChoiceField
from friren.core.ids import new_id
from friren.core.models import FactModel, SeriesModel
from friren.errors import RejectedRecordError
from friren.persistence.checks import Check
from friren.persistence.digest import digest_of
from friren.persistence.field_checks import check_for, wire_type
from friren.persistence.rules import compile_rules

__all__ = [
    "Fact",
    "FactSpec",
    "FieldSpec",
    "NaturalKey",
    "fact_kinds",
    "make_fact",
    "natural_key_of",
    "register_natural_key",
    "spec_named",
    "spec_of",
]

# What the database or the write path fills in, never the caller.
MANAGED: Final = frozenset({"id", "digest", "recorded_seq", "producer", "created_at"})

# Texts that are remembered per field, as checked: names come again, what a person or model writes does not.
SEEN_MAX: Final = 1000
SEEN_LENGTH_MAX: Final = 64


class Fact(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """
    Something to store, checked.

    The garbage collector does not look at facts: none is part of a cycle, and batches hold thousands.

    Attributes:
        kind: the model in snake case, e.g. "trade".
        id: its primary key, made on the caller's side.
        values: the fields that differ from their default, by name; rows referred to by natural key or id.
        known_digest: the digest, once somebody has asked for it.
    """

    kind: str
    id: UUID
    values: dict[str, Any]
    known_digest: bytes | None = None

    @property
    def digest(self) -> bytes:
        """The 16 bytes that tell equal facts (see friren.persistence.digest); worked out when first asked for."""
        if self.known_digest is None:
            model = _models_by_kind().get(self.kind)
            digest = digest_of(self.values) if model is None else spec_of(model).digest_of(self.values)
            # Not a change of the fact: the digest follows from its values.
            msgspec.structs.force_setattr(self, "known_digest", digest)
        return self.known_digest or b""

    def with_values(self, **more: Any) -> Fact:
        """Return the same fact with what its handler has worked out: same id, same digest."""
        return Fact(kind=self.kind, id=self.id, values={**self.values, **more}, known_digest=self.digest)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fact):
            return NotImplemented
        return (self.kind, self.id, self.values) == (other.kind, other.id, other.values)

    def __hash__(self) -> int:
        return hash(self.id)


class NaturalKey(Protocol):
    """
    How rows of a reference table are named outside the database.

    `path` is the field (or lookup path) that shows the row in what is read; "" shows its primary key.
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
    """One field of a kind of fact. `wire` is the type into which it is read back from JSON."""

    name: str
    column: str
    check: Check
    default: Any
    required: bool
    digested: bool
    is_json: bool
    natural: NaturalKey | None
    wire: Any


@dataclasses.dataclass(frozen=True, slots=True)
class FactSpec:
    """
    One kind of fact: its model and its fields.

    Attributes:
        entries: (check, default, texts seen and their stored form) by name: what is touched for a value given.
        check_rules: refuses values that a CheckConstraint of the table would refuse.
    """

    kind: str
    model: type[models.Model]
    fields: dict[str, FieldSpec]
    entries: dict[str, tuple[Check, Any, dict[str, Any]]]
    required: tuple[str, ...]
    undigested: frozenset[str]
    check_rules: Callable[[Mapping[str, Any], UUID | None], None]

    def checked(self, values: Mapping[str, Any], key: UUID | None = None) -> dict[str, Any]:
        """Return what differs from its default, in its stored form. Errors as for `make_fact`."""
        entries = self.entries
        given: dict[str, Any] = {}
        for name, value in values.items():
            if value is None:
                continue
            try:
                check, default, seen = entries[name]
            except KeyError:
                raise TypeError(f"{self.kind} has no field {name}") from None
            if type(value) is str:
                # Tickers, strategies and choices come again and again; what was right once is right.
                stored = seen.get(value)
                if stored is None:
                    stored = check(name, value)
                    if len(value) <= SEEN_LENGTH_MAX and len(seen) < SEEN_MAX:
                        seen[value] = stored
            else:
                stored = check(name, value)
            if default is None or stored != default:
                given[name] = stored
        for name in self.required:
            if name not in given:
                raise RejectedRecordError(name, None, "is required")
        self.check_rules(given, key)
        return given

    def digest_of(self, values: Mapping[str, Any]) -> bytes:
        """Return the digest of a fact with these values."""
        return digest_of(values, left_out=self.undigested)

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
    key = id or new_id()
    return Fact(kind=spec.kind, id=key, values=spec.checked(values, key))


@functools.cache
def spec_of(model: type[models.Model]) -> FactSpec:
    """Return the fields of a fact table, read off its model once."""
    fields = {}
    for field in model._meta.concrete_fields:
        if field.name in MANAGED or getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
            continue
        fields[field.name] = _field_spec(model, field)
    return FactSpec(
        kind=_snake_case(model.__name__),
        model=model,
        fields=fields,
        entries={name: (field.check, field.default, {}) for name, field in fields.items()},
        required=tuple(name for name, field in fields.items() if field.required),
        undigested=frozenset(name for name, field in fields.items() if not field.digested),
        check_rules=compile_rules(model, {name: field.default for name, field in fields.items()}),
    )


def spec_named(kind: str) -> FactSpec:
    """
    Return the spec of the kind of fact `kind`.

    Raises:
        KeyError: there is no such kind.
    """
    return spec_of(_models_by_kind()[kind])


def fact_kinds() -> list[str]:
    """Return the names of all kinds of fact."""
    return list(_models_by_kind())


@functools.cache
def _models_by_kind() -> Mapping[str, type[models.Model]]:
    tables = [model for model in apps.get_models() if issubclass(model, FactModel | SeriesModel)]
    return {_snake_case(model.__name__): model for model in tables}


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
        check=natural.parse if natural is not None else check_for(field),
        default=default,
        required=not field.null and not blank_text and field.default is NOT_PROVIDED,
        digested=field.name not in lifecycle and field.name not in undigested,
        is_json=isinstance(field, models.JSONField),
        natural=natural,
        wire=Any if natural is not None else wire_type(field),
    )

"""Which check and which wire type each kind of model field has: the bridge from models to facts."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.models.fields import NOT_PROVIDED

from friren.core.fields import BoundedDecimalField, ChoiceField, StatField
from friren.errors import RejectedRecordError
from friren.persistence import checks, quick_checks
from friren.persistence.checks import Check

__all__ = ["check_for", "wire_type"]

INT64_MAX: Final = 2**63 - 1


def check_for(field: models.Field[Any, Any]) -> Check:
    """
    Return the check of a field that has no natural key.

    Raises:
        TypeError: no check is known for this kind of field.
    """
    for kind, make in _CHECKS:
        if isinstance(field, kind):
            return make(field)
    raise TypeError(f"no check for {field!r}")


def wire_type(field: models.Field[Any, Any]) -> Any:
    """Return the type into which msgspec reads the field back from JSON."""
    if isinstance(field, models.ForeignKey):
        return wire_type(field.target_field)
    if isinstance(field, BoundedDecimalField):
        return Decimal
    return next((kind for of, kind in _WIRE_TYPES if isinstance(field, of)), Any)


def _decimal_check(field: BoundedDecimalField) -> Check:
    low, high = field.minimum, field.maximum
    if field.measured:
        places = field.decimal_places or 0
        return quick_checks.measure_check(places=places, low=low, high=high, allows=field.allows, rule=field.rule)
    return quick_checks.decimal_check(low=low, high=high, allows=field.allows, rule=field.rule)


def _json_check(field: models.JSONField[Any, Any]) -> Check:
    kind = type(field.get_default()) if field.default is not NOT_PROVIDED else None
    return quick_checks.json_check(kind=kind)


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
    by_uuid = isinstance(target, models.UUIDField)
    by_key: Check
    if by_uuid:
        by_key = checks.check_uuid
    elif isinstance(target, models.CharField):
        by_key = functools.partial(checks.check_text, length=target.max_length, blank=False)
    else:
        by_key = functools.partial(checks.check_count, minimum=1, maximum=INT64_MAX)

    def check(name: str, value: Any) -> Any:
        if by_uuid and type(value) is UUID:
            return value
        if isinstance(value, field.related_model):
            value = getattr(value, target.attname)
        elif by_uuid and isinstance(getattr(value, "id", None), UUID):
            value = value.id  # an account handle, a receipt
        return by_key(name, value)

    return check


# In this order: the first that fits; a DateTimeField is a DateField, a ChoiceField a CharField.
_CHECKS: Final[tuple[tuple[Any, Callable[[Any], Check]], ...]] = (
    (models.ForeignKey, _reference_check),
    (BoundedDecimalField, _decimal_check),
    (StatField, lambda _field: checks.check_stat),
    (ChoiceField, lambda field: quick_checks.choice_check(stored=field.stored, blank=field.blank)),
    (
        (models.CharField, models.TextField),
        lambda field: quick_checks.text_check(length=field.max_length, blank=field.blank),
    ),
    (ArrayField, lambda field: functools.partial(checks.check_texts, length=field.base_field.max_length)),
    (models.JSONField, _json_check),
    (models.BinaryField, lambda _field: _check_bytes),
    (models.IntegerField, _integer_check),
    (models.UUIDField, lambda _field: checks.check_uuid),
    (models.DateTimeField, lambda _field: quick_checks.time_check),
    (models.DateField, lambda _field: checks.check_date),
    (models.BooleanField, lambda _field: checks.check_boolean),
    (models.GenericIPAddressField, lambda _field: checks.check_address),
)

_WIRE_TYPES: Final[tuple[tuple[Any, Any], ...]] = (
    (models.JSONField, Any),
    (ArrayField, list[str]),
    (models.FloatField, float),
    (models.BooleanField, bool),
    (models.IntegerField, int),
    (models.UUIDField, UUID),
    (models.DateTimeField, dt.datetime),
    (models.DateField, dt.date),
    (models.BinaryField, bytes),
    ((models.CharField, models.TextField, models.GenericIPAddressField), str),
)

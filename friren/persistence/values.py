"""Checked values for rows that are no facts: the same rules, from the same fields."""

from __future__ import annotations

from typing import Any

from django.db import models

from friren.errors import RejectedRecordError
from friren.persistence.facts import spec_of
from friren.persistence.rules import check_rules

__all__ = ["checked_values"]


def checked_values(model: type[models.Model], **values: Any) -> dict[str, Any]:
    """
    Return every field of `model` in its stored form, by attribute; None stands for "not given".

    Raises:
        RejectedRecordError: a value breaks a rule.
    """
    fields = spec_of(model).fields
    if unknown := values.keys() - fields.keys():
        raise TypeError(f"{model.__name__} has no field {', '.join(sorted(unknown))}")
    complete: dict[str, Any] = {}
    for name, field in fields.items():
        value = values.get(name)
        if value is not None:
            complete[name] = field.check(name, value)
        elif field.required:
            raise RejectedRecordError(name, None, "is required")
        else:
            complete[name] = field.default
    check_rules(model, complete)
    return {fields[name].column: value for name, value in complete.items()}

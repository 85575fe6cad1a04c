"""
Table rules, checked before the database sees a fact.

A CheckConstraint of the model is evaluated here on the fact's values with SQL's three-valued logic:
what is unknown (NULL) passes, as in PostgreSQL. So a rule is written once, in the model, its words too.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.db import models
from django.db.models import F, Q

from friren.errors import RejectedRecordError

__all__ = ["check_rules", "holds"]

_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "exact": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "in": lambda value, among: value in among,
}


def check_rules(model: type[models.Model], values: Mapping[str, Any]) -> None:
    """
    Refuse values that a CheckConstraint of `model` would refuse.

    The constraint's `violation_error_code` names the field to blame, its `violation_error_message` is the rule.
    """
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.CheckConstraint) and holds(constraint.condition, values) is False:
            field = constraint.violation_error_code or ""
            raise RejectedRecordError(field, values.get(field), str(constraint.violation_error_message))


def holds(condition: Any, values: Mapping[str, Any]) -> bool | None:
    """Return whether `condition` holds for `values`; None when SQL would say NULL."""
    if not isinstance(condition, Q):
        raise TypeError(f"only Q conditions can be evaluated, not {condition!r}")
    children: list[Any] = list(condition.children)
    outcomes = [
        holds(child, values) if isinstance(child, Q) else _lookup(child[0], child[1], values) for child in children
    ]
    decisive = condition.connector == Q.OR
    undecided = None if None in outcomes else not decisive
    result = decisive if decisive in outcomes else undecided
    if condition.negated and result is not None:
        return not result
    return result


def _lookup(path: str, wanted: Any, values: Mapping[str, Any]) -> bool | None:
    name, _, lookup = path.partition("__")
    value = values.get(name)
    if lookup == "isnull":
        return (value is None) is bool(wanted)
    if isinstance(wanted, F):
        wanted = values.get(wanted.name)  # type: ignore[attr-defined]  # the stubs forget F.name
    if value is None or wanted is None:
        return None
    return _COMPARE[lookup or "exact"](value, wanted)

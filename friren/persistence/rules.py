"""
Table rules, checked before the database sees a fact.

A CheckConstraint of the model is evaluated here on the fact's values with SQL's three-valued logic:
what is unknown (NULL) passes, as in PostgreSQL. So a rule is written once, in the model, its words too.

`check_rules` interprets a rule, `compile_rules` turns all rules of a model into one Python function: the
same answer (a property test compares them) at a tenth of the cost.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.db import models
from django.db.models import F, Q

from friren.errors import RejectedRecordError

__all__ = ["check_rules", "compile_rules", "holds"]

_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "exact": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "in": lambda value, among: value in among,
    "regex": lambda value, pattern: re.search(pattern, value) is not None,
    "elements": lambda value, count: len(value) == count,
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


def compile_rules(model: type[models.Model], defaults: Mapping[str, Any]) -> Callable[[Mapping[str, Any], Any], None]:
    """
    Return `check_rules` for one model as a function of the values that differ from their `defaults`, and of the id.

    A lookup that cannot be compiled is a TypeError here, when the model is first used.
    """
    constraints = [item for item in model._meta.constraints if isinstance(item, models.CheckConstraint)]
    source = _Source()
    tests = [source.false(constraint.condition) for constraint in constraints]
    blamed = [(item.violation_error_code or "", str(item.violation_error_message)) for item in constraints]
    lines = ["def violated(values, key):", "    get = values.get"]
    for name, local in source.locals.items():
        known = "key" if name == "id" else f"get({name!r}, {source.constant(defaults.get(name))})"
        lines.append(f"    {local} = {known}")
    lines += [f"    if {test}:\n        return {number}" for number, test in enumerate(tests)]
    lines += ["    return -1"]
    namespace = dict(source.constants)
    exec("\n".join(lines), namespace)  # noqa: S102 - made of our own models' constraints alone, as dataclasses does it
    violated: Callable[[Mapping[str, Any], Any], int] = namespace["violated"]

    def check(values: Mapping[str, Any], key: Any) -> None:
        number = violated(values, key)
        if number >= 0:
            field, rule = blamed[number]
            raise RejectedRecordError(field, values.get(field), rule)

    return check


class _Source:
    """Writes Q conditions as Python expressions that say when they are true, and when they are false."""

    def __init__(self) -> None:
        self.locals: dict[str, str] = {}
        self.constants: dict[str, Any] = {}

    def true(self, condition: Any) -> str:
        return self._of(condition, wanted=True)

    def false(self, condition: Any) -> str:
        return self._of(condition, wanted=False)

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name

    def _of(self, condition: Any, *, wanted: bool) -> str:
        if not isinstance(condition, Q):
            raise TypeError(f"only Q conditions can be evaluated, not {condition!r}")
        inner = wanted is not condition.negated
        # "All true" is the truth of AND and the falsehood of OR.
        joined = " and " if (condition.connector == Q.AND) is inner else " or "
        children: list[Any] = list(condition.children)
        parts = [
            self._of(child, wanted=inner) if isinstance(child, Q) else self._lookup(child[0], child[1], wanted=inner)
            for child in children
        ]
        return f"({joined.join(parts)})"

    def _lookup(self, path: str, operand: Any, *, wanted: bool) -> str:
        name, _, lookup = path.partition("__")
        value = self._local(name)
        if lookup == "isnull":
            return f"{value} is None" if bool(operand) is wanted else f"{value} is not None"
        other = self._local(operand.name) if isinstance(operand, F) else self.constant(operand)  # type: ignore[attr-defined]  # the stubs forget F.name
        known = f"{value} is not None and {other} is not None"
        sign = _OPERATORS.get(lookup or "exact")
        test = f"{value} {sign} {other}" if sign else f"{self.constant(_COMPARE[lookup])}({value}, {other})"
        return f"({known} and {test})" if wanted else f"({known} and not {test})"

    def _local(self, name: str) -> str:
        return self.locals.setdefault(name, f"v{len(self.locals)}")


_OPERATORS: Final = {"exact": "==", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "in": "in"}

"""
Columns that refuse what PostgreSQL would round, pad or let through.

Every numeric column carries a CHECK with both bounds, because `'NaN' > 0` is true in PostgreSQL and
a 19th decimal is rounded without a word. The CHECK belongs to the column, as Django's own
PositiveIntegerField does it, so it follows the field through every migration.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from django.core import checks
from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from friren.core.numbers import DECIMAL_PLACES, LIMIT, MAX_DIGITS, plain
from friren.errors import RejectedRecordError

if TYPE_CHECKING:
    # The stubs' fields are generic; Django's own are not.
    CharField = models.CharField[Any, Any]
    DecimalField = models.DecimalField[Any, Any]
    FloatField = models.FloatField[Any, Any]
    Lookup = models.Lookup[Any]
else:
    CharField, DecimalField, FloatField = models.CharField, models.DecimalField, models.FloatField
    Lookup = models.Lookup

__all__ = [
    "BoundedDecimalField",
    "ChoiceField",
    "LeverageField",
    "MoneyField",
    "PriceField",
    "QuantityField",
    "RatioField",
    "ScoreField",
    "StatField",
]


class BoundedDecimalField(DecimalField):
    """
    A decimal between two bounds.

    Args:
        minimum, maximum: the bounds, themselves allowed unless `exclusive`.
        exclusive: the bounds are not allowed.
        measured: a statistic: floats are accepted at the door and rounded to the column. Money never is.
    """

    minimum: Decimal
    maximum: Decimal
    exclusive: bool = False
    measured: bool = True

    def __init__(self, *args: Any, minimum: Decimal, maximum: Decimal, **kwargs: Any) -> None:
        self.minimum, self.maximum = Decimal(minimum), Decimal(maximum)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "minimum": self.minimum, "maximum": self.maximum}

    def db_check(self, connection: BaseDatabaseWrapper) -> str:
        less = "<" if self.exclusive else "<="
        column = connection.ops.quote_name(str(self.column))
        return f"{plain(self.minimum)} {less} {column} AND {column} {less} {plain(self.maximum)}"

    @property
    def rule(self) -> str:
        """What is asked of a value, in words."""
        low, high = plain(self.minimum), plain(self.maximum)
        if self.exclusive:
            return f"more than {low} and less than {high}"
        return f"between {low} and {high}"

    def allows(self, value: Decimal) -> bool:
        """Return whether a finite decimal lies within the bounds."""
        if self.exclusive:
            return self.minimum < value < self.maximum
        return self.minimum <= value <= self.maximum

    def to_python(self, value: Any) -> Any:
        if isinstance(value, float) and not self.measured:
            raise ValidationError("a float is not exact; give a Decimal, an int or text", code="float")
        return super().to_python(value)

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        super().validate(value, model_instance)
        if value is not None and not (value.is_finite() and self.allows(value)):
            raise ValidationError(f"must be {self.rule}", code="bounds")

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        # The ORM would round silently here; the facts' own checker has already refused such a value.
        if isinstance(value, Decimal) and value.is_finite():
            exponent = value.normalize().as_tuple().exponent
            if isinstance(exponent, int) and -exponent > (self.decimal_places or 0) and not self.measured:
                raise RejectedRecordError(self.name, value, f"at most {self.decimal_places} decimals")
        return super().get_db_prep_save(value, connection)


class _ExactField(BoundedDecimalField):
    """numeric(38, 18): 20 integer digits, 18 decimals, exact."""

    minimum_default: ClassVar[Decimal] = -LIMIT
    exclusive = True
    measured = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= {"max_digits": MAX_DIGITS, "decimal_places": DECIMAL_PLACES}
        kwargs |= {"minimum": self.minimum_default, "maximum": LIMIT}
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        for fixed in ("max_digits", "decimal_places", "minimum", "maximum"):
            kwargs.pop(fixed, None)
        return name, path, args, kwargs


class MoneyField(_ExactField):
    """An amount of money in the currency its row names; any sign."""


class PriceField(_ExactField):
    """A price per unit; any sign (WTI traded at -37.63 on 2020-04-20)."""


class QuantityField(_ExactField):
    """A number of units; never negative, and never zero where `positive`."""

    def __init__(self, *args: Any, positive: bool = False, **kwargs: Any) -> None:
        self.positive = positive
        super().__init__(*args, **kwargs)
        self.minimum = Decimal(0)

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, kwargs | ({"positive": True} if self.positive else {})

    def allows(self, value: Decimal) -> bool:
        return (self.minimum < value if self.positive else self.minimum <= value) and value < self.maximum

    @property
    def rule(self) -> str:
        return f"{'more than 0' if self.positive else '0 or more'} and less than {plain(self.maximum)}"

    def db_check(self, connection: BaseDatabaseWrapper) -> str:
        column = connection.ops.quote_name(str(self.column))
        return f"0 {'<' if self.positive else '<='} {column} AND {column} < {plain(self.maximum)}"


class _StatisticField(BoundedDecimalField):
    """A measured figure with bounds of its own."""

    shape: ClassVar[tuple[int, int, Decimal, Decimal]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        max_digits, decimal_places, minimum, maximum = self.shape
        kwargs |= {"max_digits": max_digits, "decimal_places": decimal_places, "minimum": minimum, "maximum": maximum}
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        for fixed in ("max_digits", "decimal_places", "minimum", "maximum"):
            kwargs.pop(fixed, None)
        return name, path, args, kwargs


class RatioField(_StatisticField):
    """A share or probability, 0 to 1, four decimals."""

    shape = (5, 4, Decimal(0), Decimal(1))


class ScoreField(_StatisticField):
    """A sentiment, -1 to 1, six decimals."""

    shape = (7, 6, Decimal(-1), Decimal(1))


class LeverageField(_StatisticField):
    """A leverage, 1 to 99999, four decimals."""

    shape = (9, 4, Decimal(1), Decimal(99999))


class StatField(FloatField):
    """A statistic (p-value, Sharpe ratio, z-score): finite, null where it is undefined, never NaN."""

    def db_check(self, connection: BaseDatabaseWrapper) -> str:
        column = connection.ops.quote_name(str(self.column))
        # NaN sorts above Infinity, so the upper bound refuses it too.
        return f"'-Infinity' < {column} AND {column} < 'Infinity'"


@models.JSONField.register_lookup
class ElementsLookup(Lookup):
    """`list__elements=3`: a JSON list has so many elements; for the rules of tables."""

    lookup_name = "elements"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = (
            compiler.compile(self.rhs) if hasattr(self.rhs, "as_sql") else ("%s", [self.rhs])  # a column, or a number
        )
        return f"jsonb_array_length({left}) = {right}", [*left_params, *right_params]


class ChoiceField(CharField):
    """Text out of a fixed list; the database knows the list too."""

    # Unlike in a plain CharField these change the column: its CHECK is made of them.
    non_db_attrs = tuple(a for a in CharField.non_db_attrs if a not in {"choices", "blank"})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stored = {str(value).casefold(): str(value) for value, _label in self.flatchoices}

    def db_check(self, connection: BaseDatabaseWrapper) -> str:
        values = [*self.stored.values(), *([""] if self.blank else [])]
        listed = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
        return f"{connection.ops.quote_name(str(self.column))} IN ({listed})"

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        errors = super().check(**kwargs)
        if not self.stored:
            errors.append(checks.Error("a ChoiceField needs choices", obj=self, id="friren.E001"))
        return errors

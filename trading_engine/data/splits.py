"""Splits that a source does not tell, but shows: what is held changes by a ratio and by no fill."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Final

from friren.core.numbers import CONTEXT

__all__ = ["ratio_of_split"]

# 7 for 1, 3 for 2, 1 for 20: what is no such ratio is no split.
_TERM_MAX: Final = 100


def ratio_of_split(before: Decimal, after: Decimal) -> Decimal | None:
    """
    Return how many units one unit became; None if that is no ratio of small whole numbers, or no exact decimal.

    Args:
        before: what was held, not 0.
        after: what was held then, without what was bought and sold meanwhile.
    """
    ratio = Fraction(after) / Fraction(before)
    told = CONTEXT.divide(Decimal(ratio.numerator), Decimal(ratio.denominator))
    if ratio <= 0 or max(ratio.numerator, ratio.denominator) > _TERM_MAX or Fraction(told) != ratio:
        return None
    return told

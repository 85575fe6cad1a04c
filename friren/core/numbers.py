"""
Exact numbers: the one door through which money, prices and quantities pass.

Money is a `Decimal` of at most 20 integer digits and 18 decimals everywhere: in memory, in
PostgreSQL (`numeric(38, 18)`), in JSON (as plain text). Derived amounts are rounded once,
half-even, by `quantize`, which the books and the tests share.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Final

__all__ = ["CONTEXT", "DECIMAL_PLACES", "LIMIT", "MAX_DIGITS", "ZERO", "plain", "quantize"]

MAX_DIGITS: Final = 38
DECIMAL_PLACES: Final = 18
# |x| < 1e20: what numeric(38, 18) can hold. Also the bound of every CHECK, which keeps NaN out.
LIMIT: Final = Decimal(10) ** (MAX_DIGITS - DECIMAL_PLACES)
ZERO: Final = Decimal(0)

_STEP: Final = Decimal(1).scaleb(-DECIMAL_PLACES)
# Python's default context keeps 28 digits and would round 20 integer digits with 18 decimals.
# 120 digits hold the exact product of three full-width numbers, so that rounding happens once.
CONTEXT: Final = Context(prec=120, rounding=ROUND_HALF_EVEN)


def quantize(value: Decimal) -> Decimal:
    """Return `value` rounded half-even to 18 decimals; the only rounding the books do."""
    return CONTEXT.quantize(value, _STEP)


def plain(value: Decimal | None) -> str:
    """
    Return a decimal as people write it: `187.32`, never `187.320000` or `1E-18`; `""` for None.

    Raises:
        InvalidOperation: the value is NaN or infinite.
    """
    if value is None:
        return ""
    if not value.is_finite():
        raise InvalidOperation(f"{value} has no plain form")
    if not value:
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text

"""What people prefer: how much of a portfolio one entry may take."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from django.db import DEFAULT_DB_ALIAS

from friren.core.choices import RiskTolerance
from friren.core.models import User
from friren.core.numbers import CONTEXT, ZERO
from friren.errors import RejectedRecordError

__all__ = ["Preferences", "preferences_of"]

# The position size is what a person of medium tolerance takes; others take half or twice of it.
FACTORS: Final = {
    RiskTolerance.LOW: Decimal("0.5"), RiskTolerance.MEDIUM: Decimal(1), RiskTolerance.HIGH: Decimal(2),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Preferences:
    """
    Of one person.

    Attributes:
        user: key of the person.
        entry_share: share of equity that one entry may take, above 0 and at most 1.
    """

    user: int
    entry_share: Decimal


def preferences_of(username: str, *, using: str = DEFAULT_DB_ALIAS) -> Preferences:
    """
    Return what a person prefers: `default_position_size` percent, halved or doubled by `risk_tolerance`.

    Raises:
        RejectedRecordError: there is no such person, or their position size is 0.
    """
    found = User.objects.using(using).filter(username=username).first()
    if found is None:
        raise RejectedRecordError("user", username, "the name of a person")
    if found.default_position_size <= ZERO:
        raise RejectedRecordError("user", username, "a person whose default position size is above 0")
    factor = FACTORS[RiskTolerance(found.risk_tolerance)]
    share = CONTEXT.divide(CONTEXT.multiply(found.default_position_size, factor), Decimal(100))
    return Preferences(found.pk, min(share, Decimal(1)))

"""The closed lists of the portfolio floor."""

from django.db.models import TextChoices

__all__ = ["ActionKind", "CashKind", "FillRole", "LedgerKind", "PositionStatus", "Side"]


class Side(TextChoices):
    LONG = "LONG", "long"
    SHORT = "SHORT", "short"
    YES = "YES", "yes"
    NO = "NO", "no"


class PositionStatus(TextChoices):
    OPEN = "open", "open"
    CLOSED = "closed", "closed"


class FillRole(TextChoices):
    """What a fact did to a position."""

    OPEN = "OPEN", "open"
    INCREASE = "INCREASE", "increase"
    REDUCE = "REDUCE", "reduce"
    CLOSE = "CLOSE", "close"
    SPLIT = "SPLIT", "split"
    RESOLVE = "RESOLVE", "resolve"


class CashKind(TextChoices):
    DEPOSIT = "DEPOSIT", "deposit"
    WITHDRAWAL = "WITHDRAWAL", "withdrawal"
    FUNDING = "FUNDING", "funding"
    INTEREST = "INTEREST", "interest"
    DIVIDEND = "DIVIDEND", "dividend"
    FEE = "FEE", "fee"
    TRANSFER = "TRANSFER", "transfer"
    SETTLEMENT = "SETTLEMENT", "settlement"
    ADJUSTMENT = "ADJUSTMENT", "adjustment"


class LedgerKind(TextChoices):
    FILL = "FILL", "fill"
    COMMISSION = "COMMISSION", "commission"
    REALIZED = "REALIZED", "realised profit"
    DEPOSIT = "DEPOSIT", "deposit"
    WITHDRAWAL = "WITHDRAWAL", "withdrawal"
    FUNDING = "FUNDING", "funding"
    INTEREST = "INTEREST", "interest"
    DIVIDEND = "DIVIDEND", "dividend"
    FEE = "FEE", "fee"
    TRANSFER = "TRANSFER", "transfer"
    SETTLEMENT = "SETTLEMENT", "settlement"
    ADJUSTMENT = "ADJUSTMENT", "adjustment"


class ActionKind(TextChoices):
    SPLIT = "SPLIT", "split"
    DIVIDEND = "DIVIDEND", "dividend"

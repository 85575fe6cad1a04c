"""The closed lists of the portfolio floor."""

from django.db.models import TextChoices

__all__ = [
    "ActionKind",
    "BreakKind",
    "BreakResolution",
    "CashKind",
    "DecisionAction",
    "Direction",
    "FillRole",
    "IdeaStatus",
    "LedgerKind",
    "PositionStatus",
    "Side",
    "SnapshotKind",
]


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


class Direction(TextChoices):
    LONG = "long", "long"
    SHORT = "short", "short"


class IdeaStatus(TextChoices):
    WAITING = "waiting", "waiting"
    NEEDS_APPROVAL = "needs_approval", "needs approval"
    AUTO_EXECUTED = "auto_executed", "approved for execution"
    REJECTED = "rejected", "rejected"
    HALTED_BY_RISK = "halted_by_risk", "halted by risk"


class DecisionAction(TextChoices):
    AI_PROPOSED = "ai_proposed", "proposed"
    AI_AUTO_EXECUTED = "ai_auto_executed", "passed all checks"
    HUMAN_APPROVED = "human_approved", "approved by a person"
    HUMAN_REJECTED = "human_rejected", "rejected by a person"
    RISK_REJECTED = "risk_rejected", "rejected by the risk gate"
    AI_HALTED = "ai_halted", "halted"
    AI_RESUMED = "ai_resumed", "resumed"


class SnapshotKind(TextChoices):
    INTRADAY = "INTRADAY", "intraday"
    DAILY = "DAILY", "daily"
    ACCOUNT_TOTALS = "ACCOUNT_TOTALS", "account totals"


class BreakKind(TextChoices):
    """What a statement and the book disagree in, as seen from the book."""

    MISSING = "MISSING", "missing in the book"
    EXTRA = "EXTRA", "not in the statement"
    DIFFERING = "DIFFERING", "told otherwise"


class BreakResolution(TextChoices):
    ADOPTED = "ADOPTED", "adopted from the statement"
    CORRECTED = "CORRECTED", "corrected"
    IGNORED = "IGNORED", "ignored"

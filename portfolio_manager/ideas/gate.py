"""
The risk gate of trade ideas, pure: what a proposal breaks, and what follows from it.

Every rule is asked and every breach named, the first does not hide the others. The gravest decides: a halt stops
everything, a hard limit rejects, and what is merely doubtful goes to a person.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from friren.core.numbers import CONTEXT, ZERO, plain
from portfolio_manager.models.choices import DecisionAction, Direction, IdeaStatus

__all__ = [
    "RULES",
    "Breach",
    "GateResult",
    "Limits",
    "Proposal",
    "Severity",
    "Standing",
    "check_idea",
    "check_standing",
]


class Severity(StrEnum):
    """What a breach leads to."""

    HALT = "halt"
    REJECT = "reject"
    ESCALATE = "escalate"


# Every rule with what its breach leads to, in the order in which they are told.
RULES: Final = {
    "ai_trading_enabled": Severity.HALT,
    "max_drawdown_amount": Severity.HALT,
    "daily_profit_target": Severity.HALT,
    "strategy_active": Severity.REJECT,
    "max_lot_size": Severity.REJECT,
    "max_concurrent_trades": Severity.REJECT,
    "min_confidence_threshold": Severity.ESCALATE,
    "watchlist": Severity.ESCALATE,
    "rr_expectation": Severity.ESCALATE,
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """
    What an idea asks for.

    Attributes:
        quantity: None where it is only said when the idea is executed, and checked then.
        entry: None where it is a range.
    """

    symbol: str
    direction: str
    confidence: Decimal
    quantity: Decimal | None = None
    entry: Decimal | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None

    @property
    def reward_risk(self) -> Decimal | None:
        """Reward for each unit of risk; None where entry, stop or target is not told, or nothing is risked."""
        if self.entry is None or self.stop_loss is None or self.take_profit is None:
            return None
        sign = 1 if self.direction == Direction.LONG else -1
        risk = CONTEXT.multiply(CONTEXT.subtract(self.entry, self.stop_loss), Decimal(sign))
        reward = CONTEXT.multiply(CONTEXT.subtract(self.take_profit, self.entry), Decimal(sign))
        return CONTEXT.divide(reward, risk) if risk > ZERO else None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    What is allowed: RiskConfig, narrowed by the strategy's own caps.

    Attributes:
        daily_profit_target, max_drawdown_amount: None where nothing stops there.
        watchlist: tickers that may be traded without a person; empty for any.
        rr_expectation: None where none is asked for.
    """

    ai_trading_enabled: bool
    min_confidence_threshold: Decimal
    max_lot_size: Decimal
    max_concurrent_trades: Decimal
    daily_profit_target: Decimal | None = None
    max_drawdown_amount: Decimal | None = None
    watchlist: Collection[str] = ()
    strategy_active: bool = True
    rr_expectation: Decimal | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """
    How the book stands, money in its base currency.

    Attributes:
        open_trades: open positions, and approved ideas that are not filled yet.
        drawdown: how far profit has fallen from its height, 0 or more.
        day_profit: realised since the day began in the account's time zone, less commission.
        unmarked: open positions whose profit is not known; they count as 0.
    """

    open_trades: int = 0
    drawdown: Decimal = ZERO
    day_profit: Decimal = ZERO
    unmarked: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Breach:
    """A rule that is broken: the value that was found, and the limit."""

    rule: str
    value: str
    limit: str

    @property
    def severity(self) -> Severity:
        """What it leads to."""
        return RULES[self.rule]

    def __str__(self) -> str:
        return f"{self.rule}: {self.value}, limit {self.limit}"


@dataclasses.dataclass(frozen=True, slots=True)
class GateResult:
    """What the gate says: all breaches, in the order of RULES."""

    breaches: tuple[Breach, ...]
    standing: Standing

    @property
    def status(self) -> IdeaStatus:
        """Where the idea goes."""
        found = {breach.severity for breach in self.breaches}
        if Severity.HALT in found:
            return IdeaStatus.HALTED_BY_RISK
        if Severity.REJECT in found:
            return IdeaStatus.REJECTED
        return IdeaStatus.NEEDS_APPROVAL if Severity.ESCALATE in found else IdeaStatus.AUTO_EXECUTED

    @property
    def action(self) -> DecisionAction:
        """The decision that says so."""
        return _ACTIONS[self.status]

    @property
    def reason(self) -> str:
        """All breaches in words."""
        return "; ".join(map(str, self.breaches)) or "all checks passed"

    def as_json(self) -> dict[str, Any]:
        """Return what is kept as `risk_check_result`."""
        return {
            "passed": not self.breaches,
            "checked": list(RULES),
            "breaches": [{**dataclasses.asdict(one), "severity": one.severity.value} for one in self.breaches],
            "escalated": [one.rule for one in self.breaches if one.severity is Severity.ESCALATE],
            "standing": {
                "open_trades": self.standing.open_trades,
                "drawdown": plain(self.standing.drawdown),
                "day_profit": plain(self.standing.day_profit),
                "unmarked": self.standing.unmarked,
            },
        }


_ACTIONS: Final = {
    IdeaStatus.HALTED_BY_RISK: DecisionAction.AI_HALTED,
    IdeaStatus.REJECTED: DecisionAction.RISK_REJECTED,
    IdeaStatus.NEEDS_APPROVAL: DecisionAction.AI_PROPOSED,
    IdeaStatus.AUTO_EXECUTED: DecisionAction.AI_AUTO_EXECUTED,
}


def check_standing(standing: Standing, limits: Limits) -> list[Breach]:
    """Return what halts all trading: the switch, a drawdown, a target that was reached."""
    found = []
    if not limits.ai_trading_enabled:
        found.append(Breach("ai_trading_enabled", "off", "on"))
    if limits.max_drawdown_amount is not None and standing.drawdown >= limits.max_drawdown_amount:
        found.append(_breach("max_drawdown_amount", standing.drawdown, limits.max_drawdown_amount))
    if limits.daily_profit_target is not None and standing.day_profit >= limits.daily_profit_target:
        found.append(_breach("daily_profit_target", standing.day_profit, limits.daily_profit_target))
    return found


def check_idea(proposal: Proposal, standing: Standing, limits: Limits) -> GateResult:
    """Return what the gate says of a proposal."""
    found = check_standing(standing, limits)
    if not limits.strategy_active:
        found.append(Breach("strategy_active", "inactive", "active"))
    if proposal.quantity is not None and proposal.quantity > limits.max_lot_size:
        found.append(_breach("max_lot_size", proposal.quantity, limits.max_lot_size))
    if standing.open_trades >= limits.max_concurrent_trades:
        found.append(_breach("max_concurrent_trades", Decimal(standing.open_trades), limits.max_concurrent_trades))
    if proposal.confidence < limits.min_confidence_threshold:
        found.append(_breach("min_confidence_threshold", proposal.confidence, limits.min_confidence_threshold))
    if limits.watchlist and proposal.symbol not in limits.watchlist:
        found.append(Breach("watchlist", proposal.symbol, ", ".join(sorted(limits.watchlist))))
    promised = proposal.reward_risk
    if limits.rr_expectation is not None and promised is not None and promised < limits.rr_expectation:
        found.append(_breach("rr_expectation", round(promised, 4), limits.rr_expectation))
    return GateResult(tuple(found), standing)


def _breach(rule: str, value: Decimal, limit: Decimal) -> Breach:
    return Breach(rule, plain(value), plain(limit))

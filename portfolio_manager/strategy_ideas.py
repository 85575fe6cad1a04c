"""Strategies before what was collected: who proposes what, and what the risk gate says of it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from friren.accounts import AccountHandle
from friren.core.ids import natural_id
from friren.core.numbers import CONTEXT, ZERO, quantize
from friren.persistence import checks
from portfolio_manager.data_logger import TradeIdeaService
from portfolio_manager.models import Position, Strategy, TradeIdea
from portfolio_manager.models.choices import Direction, IdeaStatus, PositionStatus
from portfolio_manager.models.conditions import NAMES, conditions_of, in_session, number_of
from trading_engine.models import CandleSnapshot, IndicatorSnapshot

__all__ = ["Advice", "Evaluated", "advise", "evaluate_strategies"]

# What is older shows another market.
FRESH_WITHIN: Final = dt.timedelta(days=4)
# An idea that is under way; another of the same would be the same.
_UNDER_WAY: Final = (IdeaStatus.WAITING, IdeaStatus.NEEDS_APPROVAL, IdeaStatus.HALTED_BY_RISK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """
    What a strategy makes of a symbol.

    Attributes:
        wanted: it proposes a trade.
        why: the conditions that led to it; or what stood against it.
    """

    wanted: bool
    why: str
    direction: str = ""
    confidence: Decimal = ZERO
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    expected_hold: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """
    What `evaluate_strategies` did.

    Attributes:
        looked_at: strategies and symbols that there was something to see of.
        proposed: new ideas.
        statuses: how many of these are where, after the gate.
        passed_over: {"strategy, symbol": why}.
    """

    looked_at: int
    proposed: int
    statuses: dict[str, int]
    passed_over: dict[str, str]


def advise(strategy: Strategy, known: dict[str, Decimal | None], *, at: dt.datetime) -> Advice:
    """
    Return what a strategy makes of what is known of a symbol; pure.

    Args:
        known: values of `conditions.NAMES`, None where one is not known: a condition on it does not hold, and what
            might be forbidden is.
        at: aware; whether it lies in a session.
    """
    if not in_session(strategy.session_windows, at):
        return Advice(wanted=False, why="outside its sessions")
    entry = conditions_of(strategy.entry_conditions)
    if not entry:
        return Advice(wanted=False, why='it has no entry_conditions such as {"when": ["rsi_14 < 30"]}')
    for condition in entry:
        if condition.holds(known) is not True:
            return Advice(wanted=False, why=f"{condition.text} does not hold")
    for condition in conditions_of(strategy.forbidden_conditions):
        if condition.holds(known) is not False:
            return Advice(wanted=False, why=f"forbidden: {condition.text}")
    direction = str(strategy.entry_conditions.get("direction", Direction.LONG))
    confidence = number_of(strategy.entry_conditions, "confidence")
    return Advice(
        wanted=True,
        why="; ".join(condition.text for condition in entry),
        direction=direction,
        confidence=Decimal(1) if confidence is None else confidence,
        stop_loss=_away(strategy, "stop_atr", known, up=direction == Direction.SHORT),
        take_profit=_away(strategy, "target_atr", known, up=direction == Direction.LONG),
        expected_hold=str(strategy.exit_rules.get("hold", "")),
    )


def _away(strategy: Strategy, rule: str, known: dict[str, Decimal | None], *, up: bool) -> Decimal | None:
    ranges, close, atr = number_of(strategy.exit_rules, rule), known.get("close"), known.get("atr")
    if ranges is None or close is None or atr is None:
        return None
    distance = CONTEXT.multiply(ranges, atr)
    return quantize((CONTEXT.add if up else CONTEXT.subtract)(close, distance))


def evaluate_strategies(
    account: AccountHandle, *, at: dt.datetime, timeframe: str = "1d", using: str = "default"
) -> Evaluated:
    """
    Put every active strategy before the newest snapshots of its symbols; what it proposes goes through the risk gate.

    Done again for the same snapshots it proposes nothing new, and nothing of what it holds or has under way.

    Args:
        at: aware; no later snapshot is looked at, and none that is older than some days.

    Raises:
        RejectedRecordError: a value breaks a rule.
    """
    checks.check_time("at", at)
    looked_at = 0
    statuses: Counter[str] = Counter()
    passed: dict[str, str] = {}
    with TradeIdeaService(account, using=using) as ideas:
        for strategy in Strategy.objects.using(using).filter(is_active=True).order_by("name"):
            for symbol in strategy.allowed_symbols:
                seen = _newest(CandleSnapshot, symbol, timeframe, at, using)
                if seen is None:
                    passed[f"{strategy.name}, {symbol}"] = "nothing was collected of it lately"
                    continue
                looked_at += 1
                why, status = _propose(ideas, strategy, symbol, seen, at)
                if status:
                    statuses[status] += 1
                else:
                    passed[f"{strategy.name}, {symbol}"] = why
    return Evaluated(
        looked_at=looked_at, proposed=statuses.total(), statuses=dict(sorted(statuses.items())), passed_over=passed
    )


def _newest(model: Any, symbol: str, timeframe: str, at: dt.datetime, using: str) -> Any:
    rows = model.objects.using(using).filter(
        symbol=symbol, timeframe=timeframe, captured_at__lte=at, captured_at__gt=at - FRESH_WITHIN
    )
    return rows.exclude(snapshot_ref=None).order_by("-captured_at").first()


def _propose(ideas: TradeIdeaService, strategy: Strategy, symbol: str, seen: Any, at: dt.datetime) -> tuple[str, str]:
    """Return why nothing was proposed, or the status that the new idea has now."""
    using = ideas.using
    shown = IndicatorSnapshot.objects.using(using).filter(
        snapshot_ref=seen.snapshot_ref, symbol=symbol, timeframe=seen.timeframe, captured_at=seen.captured_at
    )
    advice = advise(strategy, _known(seen, shown.first()), at=at)
    if not advice.wanted:
        return advice.why, ""
    account = ideas.account.id
    key = natural_id("strategy_idea", account, strategy.pk, symbol, seen.snapshot_ref)
    if TradeIdea.objects.using(using).filter(pk=key).exists():
        return "it was proposed already on what was seen", ""
    mine = TradeIdea.objects.using(using).filter(account=account, strategy=strategy, symbol__ticker=symbol)
    if mine.filter(status__in=_UNDER_WAY).exists() or mine.filter(status=IdeaStatus.AUTO_EXECUTED, trade=None).exists():
        return "an idea of it is under way", ""
    held = Position.objects.using(using).filter(account=account, strategy_used=strategy.name, symbol__ticker=symbol)
    if held.filter(status=PositionStatus.OPEN).exists():
        return "it is held", ""
    ideas.propose(
        symbol=symbol, direction=advice.direction, confidence_score=advice.confidence, timestamp=at,
        entry_price=seen.close, stop_loss=advice.stop_loss, take_profit=advice.take_profit,
        expected_hold=advice.expected_hold, rationale=advice.why, strategy=strategy, snapshot_ref=seen.snapshot_ref,
        idea_id=key,
    )  # fmt: skip
    return "", str(ideas.evaluate(key, timestamp=at).status) or "deferred"


def _known(candle: Any, indicators: Any) -> dict[str, Decimal | None]:
    rows = [row for row in (candle, indicators) if row is not None]
    return {name: next((getattr(row, name) for row in rows if hasattr(row, name)), None) for name in NAMES}

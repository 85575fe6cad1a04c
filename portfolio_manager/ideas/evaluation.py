"""An idea before the risk gate, and what is executed of it: both see the limits and the books under one lock."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from friren.accounts import AccountHandle
from friren.core.ids import natural_id
from friren.core.numbers import CONTEXT, ZERO
from friren.errors import InvalidTransitionError, RejectedRecordError
from friren.persistence.audit import record_change
from friren.persistence.handlers import apply_within, one_commit
from friren.persistence.receipts import Receipt, WriteOutcome
from portfolio_manager.booking import catch_up
from portfolio_manager.booking.figures import held_figures
from portfolio_manager.booking.profit_curve import advance_curve, read_curve, realized_since
from portfolio_manager.booking.reads import is_pending
from portfolio_manager.ideas.gate import Breach, GateResult, Limits, Proposal, Standing, check_idea, check_standing
from portfolio_manager.ideas.moves import locked_idea, move_fact, switch_fact
from portfolio_manager.models import RiskConfig, Strategy, TradeIdea
from portfolio_manager.models.choices import DecisionAction, Direction, IdeaStatus
from trading_engine.models.orders import OPEN_ORDER_STATUSES
from trading_engine.trade_facts import order_fact

__all__ = ["IdeaReceipt", "evaluate_idea", "execute_idea", "limits_of", "order_id_of", "read_standing"]

# An approved idea takes up a place among the concurrent trades until it is filled, but not for ever: one that nobody
# executes for a day is forgotten.
APPROVED_FRESH: Final = dt.timedelta(days=1)
ACTIONS: Final = {Direction.LONG: "buy", Direction.SHORT: "short"}


class IdeaReceipt(Receipt, frozen=True):
    """
    The outcome of an evaluation.

    Attributes:
        status: of the idea now; "" while that is not known.
        breaches: the rules that it breaks, by name, in the order in which they are checked.
        reason: the same in words.
    """

    status: str = ""
    breaches: tuple[str, ...] = ()
    reason: str = ""


def evaluate_idea(key: UUID, account: AccountHandle, *, at: dt.datetime, using: str) -> IdeaReceipt:
    """
    Put a waiting idea before the gate, and decide, in one commit; one that waits no more is left as it is.

    Errors as for `TradeIdeaService.evaluate`.
    """
    _book(account, using)
    with one_commit(using):
        config = RiskConfig.load(using=using, lock=True)
        idea = locked_idea(key, account=account.id, using=using)
        if idea.status != IdeaStatus.WAITING:
            return IdeaReceipt(key, WriteOutcome.DUPLICATE, status=idea.status)
        limits = limits_of(config, idea.strategy, using=using)
        result = check_idea(_proposal(idea), read_standing(account, at, besides=idea.pk, using=using), limits)
        decision = move_fact(
            idea, action=result.action, to_status=result.status, at=at, rationale=result.reason,
            risk_check_result=result.as_json(),
        )  # fmt: skip
        apply_within(decision, using=using)
        if config.ai_trading_enabled and result.status == IdeaStatus.HALTED_BY_RISK:
            _halt(result.breaches, result.standing, at, using)
    rules = tuple(breach.rule for breach in result.breaches)
    return IdeaReceipt(key, WriteOutcome.STORED, status=str(result.status), breaches=rules, reason=result.reason)


def execute_idea(
    key: UUID,
    account: AccountHandle,
    *,
    at: dt.datetime,
    quantity: Decimal | None,
    details: Mapping[str, Any],
    using: str,
) -> Receipt:
    """
    Store the order of an approved idea, in one commit with the idea's own note of it.

    Errors as for `TradeIdeaService.execute`.
    """
    _book(account, using)
    with one_commit(using):
        config = RiskConfig.load(using=using, lock=True)
        idea = locked_idea(key, account=account.id, using=using)
        if idea.order_id is not None:
            return Receipt(idea.order_id, WriteOutcome.DUPLICATE)
        if idea.status != IdeaStatus.AUTO_EXECUTED:
            raise InvalidTransitionError("idea", key, f"only an approved idea is executed; this one is {idea.status}")
        standing = read_standing(account, at, besides=idea.pk, using=using)
        limits = limits_of(config, idea.strategy, using=using)
        halts = check_standing(standing, limits)
        if not halts:
            return _order(idea, account, limits, at=at, quantity=quantity, details=details, using=using)
        if config.ai_trading_enabled:
            _halt(halts, standing, at, using)
    # Behind the commit: the halt stays, whatever becomes of this idea.
    raise InvalidTransitionError("idea", key, f"trading is halted: {'; '.join(map(str, halts))}")


def order_id_of(idea: UUID) -> UUID:
    """Return the id of the order of an idea: it has one, however often it is executed."""
    return natural_id("idea_order", idea)


def read_standing(account: AccountHandle, at: dt.datetime, *, besides: UUID, using: str) -> Standing:
    """
    Return how the book stands; everything of it is booked.

    Args:
        at: aware; its day, in the account's time zone, is the one whose profit counts.
        besides: the idea that is asked about, which takes up no place itself.
    """
    held = held_figures(account.id, using=using)
    earned, highest = read_curve(account.id, using=using)
    fallen = CONTEXT.subtract(highest, CONTEXT.add(earned, held.unrealized))
    morning = at.astimezone(zoneinfo.ZoneInfo(account.timezone)).replace(hour=0, minute=0, second=0, microsecond=0)
    under_way = Q(order__status__in=OPEN_ORDER_STATUSES) | Q(
        order__isnull=True, updated_at__gte=timezone.now() - APPROVED_FRESH
    )
    approved = TradeIdea.objects.using(using).filter(
        account=account.id, status=IdeaStatus.AUTO_EXECUTED, trade__isnull=True
    )
    return Standing(
        open_trades=held.open_positions + approved.filter(under_way).exclude(pk=besides).count(),
        drawdown=max(ZERO, fallen),
        day_profit=realized_since(account.id, morning, using=using),
        unmarked=held.unmarked,
    )


def limits_of(config: RiskConfig, strategy: Strategy | None, *, using: str) -> Limits:
    """
    Return what an idea may do: the limits of all, narrowed by its strategy's own.

    Its watchlist is its strategy's; of an idea without one that of all active strategies together.
    """
    lot, trades = (
        _narrowed(strategy, name, limit)
        for name, limit in (
            ("max_lot_size", config.max_lot_size),
            ("max_concurrent_trades", Decimal(config.max_concurrent_trades)),
        )
    )
    watchlist: set[str] = set()
    if not config.allow_off_watchlist_autotrade:
        active = Strategy.objects.using(using).filter(is_active=True).values_list("allowed_symbols", flat=True)
        lists = [strategy.allowed_symbols] if strategy is not None else list(active)
        # One that allows every symbol leaves nothing to be off the list.
        watchlist = {symbol for some in lists for symbol in some} if all(lists) else set()
    return Limits(
        ai_trading_enabled=config.ai_trading_enabled,
        min_confidence_threshold=config.min_confidence_threshold,
        max_lot_size=lot,
        max_concurrent_trades=trades,
        daily_profit_target=config.daily_profit_target if config.stop_after_target else None,
        max_drawdown_amount=config.max_drawdown_amount if config.halt_on_drawdown else None,
        watchlist=frozenset(watchlist),
        strategy_active=strategy is None or strategy.is_active,
        rr_expectation=None if strategy is None else strategy.rr_expectation,
    )


def _narrowed(strategy: Strategy | None, name: str, limit: Decimal) -> Decimal:
    cap = None if strategy is None else strategy.cap(name)
    return limit if cap is None else min(limit, cap)


def _book(account: AccountHandle, using: str) -> None:
    if is_pending(account.id, using=using):
        catch_up(account.id, using=using)
    advance_curve(account.id, using=using)


def _proposal(idea: TradeIdea) -> Proposal:
    return Proposal(
        symbol=idea.symbol.ticker,
        direction=idea.direction,
        confidence=idea.confidence_score,
        quantity=idea.quantity,
        entry=idea.entry_price,
        stop_loss=idea.stop_loss,
        take_profit=idea.take_profit,
    )


def _halt(breaches: Any, standing: Standing, at: dt.datetime, using: str) -> None:
    """Halt trading in all books for what stands in the way of this one."""
    result = GateResult(tuple(breaches), standing)
    apply_within(
        switch_fact(DecisionAction.AI_HALTED, at=at, reason=result.reason, risk_check_result=result.as_json()),
        using=using,
    )


def _order(
    idea: TradeIdea,
    account: AccountHandle,
    limits: Limits,
    *,
    at: dt.datetime,
    quantity: Decimal | None,
    details: Mapping[str, Any],
    using: str,
) -> Receipt:
    size = idea.quantity if quantity is None else quantity
    if size is None:
        raise RejectedRecordError("quantity", None, "the idea says none, so it is required here")
    if size > limits.max_lot_size:
        breach = Breach("max_lot_size", f"{size.normalize():f}", f"{limits.max_lot_size.normalize():f}")
        raise RejectedRecordError("quantity", size, str(breach))
    fact = order_fact(
        account,
        action=ACTIONS[Direction(idea.direction)],
        quantity=size,
        timestamp=at,
        order_id=order_id_of(idea.pk),
        symbol=idea.symbol,
        stop_loss_price=idea.stop_loss,
        target_price=idea.take_profit,
        strategy_used="" if idea.strategy is None else idea.strategy.name,
        reasoning=idea.rationale,
        extra={"trade_idea": str(idea.pk), "confidence_score": f"{idea.confidence_score}"},
        **details,
    )
    receipt = apply_within(fact, using=using)
    moved = {"order_id": receipt.id, "updated_at": timezone.now()}
    TradeIdea.objects.using(using).filter(pk=idea.pk, order__isnull=True).update(**moved)
    record_change(idea, before={"order": None}, after={"order": receipt.id}, account=account.id, using=using)
    return receipt

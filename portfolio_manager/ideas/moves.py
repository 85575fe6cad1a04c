"""
How decisions are stored: with the move of an idea that they tell of, or with the halt of all trading.

Lock order, everywhere: the row of RiskConfig, then ideas by id.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from friren.core.choices import AuditAction
from friren.core.ids import natural_id
from friren.persistence.audit import record_change
from friren.persistence.copy import key_reused, stored_digests
from friren.persistence.facts import Fact, make_fact, spec_of
from friren.persistence.handlers import MissingRowError, insert, register_handler
from friren.persistence.policies import KindPolicy, register_policy
from friren.persistence.receipts import Receipt, WriteOutcome
from portfolio_manager.ideas.lifecycle import HUMAN_ACTIONS, check_idea_move
from portfolio_manager.models import DecisionHistory, RiskConfig, TradeIdea
from portfolio_manager.models.choices import DecisionAction, IdeaStatus
from portfolio_manager.models.idea_queries import ACTIVE_IDEA_STATUSES

__all__ = ["DECISION", "IDEA", "locked_idea", "move_fact", "register", "switch_fact"]

DECISION: Final = "decision_history"
IDEA: Final = "trade_idea"
# The decision that an idea begins with: the status that it tells of is the one the idea was stored with.
PROPOSAL: Final = (DecisionAction.AI_PROPOSED, IdeaStatus.WAITING)
# What a decision about all books does to the switch, to which ideas, and where they go.
SWITCHES: Final[dict[str, tuple[bool, tuple[str, ...], str]]] = {
    DecisionAction.AI_HALTED: (False, ACTIVE_IDEA_STATUSES, IdeaStatus.HALTED_BY_RISK),
    DecisionAction.AI_RESUMED: (True, (IdeaStatus.HALTED_BY_RISK,), IdeaStatus.WAITING),
}


def register() -> None:
    """Register how decisions are stored, and how ideas and decisions are treated in an outage."""
    register_handler(DECISION, store_decision)
    register_policy(DECISION, KindPolicy(synced=True, ordered=True))
    register_policy(IDEA, KindPolicy(synced=True, ordered=True))


def move_fact(
    idea: TradeIdea, *, action: str, to_status: str, at: dt.datetime, key: UUID | None = None, **told: Any
) -> Fact:
    """
    Return the decision that moves a stored idea; what the idea says of itself stands on the decision too.

    Raises:
        RejectedRecordError: a value breaks a rule.
    """
    return make_fact(
        DecisionHistory, id=key, account=idea.account_id, occurred_at=at, symbol=idea.symbol, action=action,
        to_status=to_status, confidence_score=idea.confidence_score, strategy=idea.strategy_id, trade_idea=idea.pk,
        snapshot_ref=idea.snapshot_ref, human_override=action in HUMAN_ACTIONS, **told,
    )  # fmt: skip


def switch_fact(
    action: str, *, at: dt.datetime, reason: str, actor: Any = None, key: UUID | None = None, **told: Any
) -> Fact:
    """Return the decision that halts trading in all books, or lets it go on. Errors as for `move_fact`."""
    return make_fact(
        DecisionHistory, id=key, occurred_at=at, action=action, rationale=reason, actor=actor,
        human_override=actor is not None, **told,
    )  # fmt: skip


def locked_idea(key: UUID, *, account: UUID, using: str) -> TradeIdea:
    """
    Return a stored idea, locked; foreign keys to it are left alone.

    Raises:
        MissingRowError: it is not stored in this account.
    """
    ideas = TradeIdea.objects.using(using).select_for_update(no_key=True, of=("self",))
    found = ideas.filter(pk=key, account=account).select_related("symbol", "strategy").first()
    if found is None:
        raise MissingRowError(IDEA, key, "is not stored in this account")
    return found


def store_decision(fact: Fact, *, using: str) -> Receipt:
    """
    Store a decision, and do what it says.

    One with `to_status` moves its idea, but for the first, which tells of an idea that is just there. One of no account
    and no idea that halts or resumes does so with all books. Any other is a note.
    """
    told = fact.values
    if told.get("to_status"):
        return _move(fact, using)
    if "account" not in told and IDEA not in told and told["action"] in SWITCHES:
        return _switch(fact, using)
    return insert(fact, using=using)


def _move(fact: Fact, using: str) -> Receipt:
    if _is_told(fact, using):
        return Receipt(fact.id, WriteOutcome.DUPLICATE)
    idea = locked_idea(fact.values[IDEA], account=fact.values["account"], using=using)
    # Once more: who held the lock may have told it.
    if _is_told(fact, using):
        return Receipt(fact.id, WriteOutcome.DUPLICATE)
    moves = DecisionHistory.objects.using(using).moves().filter(trade_idea=idea.pk)
    if (fact.values["action"], fact.values["to_status"]) == PROPOSAL and not moves.exists():
        return insert(fact, using=using)
    return _moved(idea, fact, using)


def _is_told(fact: Fact, using: str) -> bool:
    """Return whether a decision is stored, archived or not; raise KeyReusedError where another has its id."""
    spec = spec_of(DecisionHistory)
    digest = stored_digests(spec, [fact.id], using).get(fact.id)
    if digest is not None and digest != fact.digest:
        raise key_reused(spec, fact)
    return digest is not None


def _moved(idea: TradeIdea, fact: Fact, using: str) -> Receipt:
    told = fact.values
    wanted, action = told["to_status"], told["action"]
    if idea.status == wanted:
        return Receipt(fact.id, WriteOutcome.DUPLICATE)
    check_idea_move(held=idea.status, wanted=wanted, action=action)
    receipt = insert(fact.with_values(from_status=idea.status), using=using)
    moved: dict[str, Any] = {"status": wanted, "updated_at": timezone.now()}
    if action in HUMAN_ACTIONS:
        moved |= {"reviewed_by_id": told.get("actor"), "reviewed_at": told["occurred_at"]}
    # The row is locked; that it still has the status it was seen with is the compare of the compare-and-set.
    TradeIdea.objects.using(using).filter(pk=idea.pk, status=idea.status).update(**moved)
    return receipt


def _switch(fact: Fact, using: str) -> Receipt:
    """Turn trading without a person off or on, and every idea that waits with it."""
    told = fact.values
    enabled, concerned, wanted = SWITCHES[told["action"]]
    config = RiskConfig.load(using=using, lock=True)
    if _is_told(fact, using):
        return Receipt(fact.id, WriteOutcome.DUPLICATE)
    ideas = TradeIdea.objects.using(using).select_for_update(no_key=True, of=("self",)).filter(status__in=concerned)
    found = list(ideas.select_related("symbol").order_by("pk"))
    if config.ai_trading_enabled is enabled and not found:
        return Receipt(fact.id, WriteOutcome.DUPLICATE)
    receipt = insert(fact, using=using)
    _turn(config, enabled=enabled, fact=fact, using=using)
    for idea in found:
        of_idea = move_fact(
            idea, action=told["action"], to_status=wanted, at=told["occurred_at"],
            key=natural_id(DECISION, fact.id, idea.pk), rationale=told.get("rationale"), actor=told.get("actor"),
            risk_check_result=told.get("risk_check_result"),
        )  # fmt: skip
        _moved(idea, of_idea, using)
    return receipt


def _turn(config: RiskConfig, *, enabled: bool, fact: Fact, using: str) -> None:
    reason = fact.values.get("rationale", "")
    after = {"ai_trading_enabled": enabled, "last_halt_reason": config.last_halt_reason if enabled else reason}
    before = {name: getattr(config, name) for name in after}
    if before == after:
        return
    for name, value in after.items():
        setattr(config, name, value)
    config.updated_by_id = fact.values.get("actor")
    # These columns and no other: more a bot may not write.
    config.save(using=using, update_fields=RiskConfig.changed_by_bots)
    record_change(config, before=before, after=after, action=AuditAction.CONFIG_CHANGE,
                  actor=fact.values.get("actor"), using=using)  # fmt: skip

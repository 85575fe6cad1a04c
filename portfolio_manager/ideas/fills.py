"""Which fill came of an idea: told once, whatever way the fill itself came."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError
from django.utils import timezone

from friren.errors import InvalidTransitionError
from friren.persistence.codec import register_record
from friren.persistence.facts import Fact
from friren.persistence.handlers import MissingRowError, register_handler
from friren.persistence.policies import KindPolicy, register_policy
from friren.persistence.receipts import Receipt
from portfolio_manager.models import TradeIdea
from portfolio_manager.models.choices import IdeaStatus
from trading_engine.audited_moves import AuditedMoves
from trading_engine.models import Trade

__all__ = ["IDEA_FILL", "register"]

IDEA_FILL: Final = "idea_fill"
OF_ANOTHER: Final = "another idea is marked with this trade"


def register() -> None:
    """Register the kind `idea_fill`: the trade that an approved idea led to."""
    register_record(IDEA_FILL, {"account": UUID, "trade": UUID, "at": dt.datetime})
    register_handler(IDEA_FILL, _store, batch=_moves.many, after=(TradeIdea, Trade))
    register_policy(IDEA_FILL, KindPolicy(ordered=True))


def _accounts(facts: Sequence[Fact], using: str) -> dict[UUID, UUID]:
    trades = Trade.objects.using(using).filter(id__in={fact.values["trade"] for fact in facts})
    return dict(trades.values_list("id", "account_id"))


def _decide(row: Any, fact: Fact, accounts: dict[UUID, UUID]) -> dict[str, Any]:
    """Return what changes; raise InvalidTransitionError when the idea is marked otherwise, or was never approved."""
    trade = fact.values["trade"]
    if accounts.get(trade) != fact.values["account"]:
        raise MissingRowError("trade", trade, "is not stored in this account")
    if row.trade_id == trade:
        return {}
    if row.trade_id is not None:
        raise InvalidTransitionError("trade", trade, f"the idea is marked with the trade {row.trade_id}")
    if row.status != IdeaStatus.AUTO_EXECUTED:
        raise InvalidTransitionError("idea", row.pk, f"only an approved idea has a fill; this one is {row.status}")
    return {"trade_id": trade, "updated_at": timezone.now()}


def _store(fact: Fact, *, using: str) -> Receipt:
    try:
        return _moves.one(fact, using=using)
    except IntegrityError as exc:
        raise InvalidTransitionError("trade", fact.values["trade"], OF_ANOTHER) from exc


_moves: Final = AuditedMoves(TradeIdea, "idea", columns=("trade", "updated_at"), decide=_decide, look=_accounts)

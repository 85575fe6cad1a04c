"""What becomes of signals: looked at once, executed once, never back."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError

from friren.errors import InvalidTransitionError
from friren.persistence.archived_reads import with_archive
from friren.persistence.codec import register_record
from friren.persistence.facts import Fact
from friren.persistence.handlers import MissingRowError, register_handler
from friren.persistence.policies import KindPolicy, register_policy
from friren.persistence.receipts import Receipt
from trading_engine.audited_moves import AuditedMoves
from trading_engine.models import Signal, Trade
from trading_engine.told_records import Taken, register_judge

__all__ = ["SIGNAL_MOVE", "register"]

SIGNAL_MOVE: Final = "signal_move"
OF_ANOTHER: Final = "another signal is marked with this trade"


@dataclasses.dataclass(slots=True)
class _Seen:
    """The trades that signals are to be marked with: the account of each, and the signal that has it."""

    accounts: dict[UUID, UUID]
    signals: dict[UUID, UUID]


def register() -> None:
    """Register the kind `signal_move`: a signal is processed, or with `executed` executed, by `trade` if known."""
    register_record(SIGNAL_MOVE, {"account": UUID, "executed": bool, "trade": UUID, "at": dt.datetime})
    register_handler(SIGNAL_MOVE, _store, batch=_moves.many, after=(Signal, Trade))
    register_policy(SIGNAL_MOVE, KindPolicy(ordered=True))
    register_judge(SIGNAL_MOVE, _judge)


def _judge(facts: Sequence[Fact], using: str) -> list[Taken]:
    """Say of each move whether it was made: another one is for the handler to refuse."""
    both = with_archive(Signal.objects.using(using)).filter(pk__in=[fact.id for fact in facts])
    rows = {row.pk: row for row in both}
    found = []
    for fact in facts:
        row, told = rows.get(fact.id), fact.values
        if row is None:
            found.append(Taken.NEW)
        elif told.get("executed"):
            same = row.executed and told.get("trade") in {None, row.trade_id}
            found.append(Taken.KNOWN if same else Taken.CHANGED)
        else:
            found.append(Taken.KNOWN if row.processed else Taken.CHANGED)
    return found


def _look(facts: Sequence[Fact], using: str) -> _Seen:
    wanted = {fact.values["trade"] for fact in facts if "trade" in fact.values}
    if not wanted:
        return _Seen({}, {})
    trades = with_archive(Trade.objects.using(using)).filter(id__in=wanted).values_list("id", "account_id")
    marked = with_archive(Signal.objects.using(using)).filter(trade__in=wanted).values_list("trade_id", "id")
    return _Seen(dict(trades), dict(marked))


def _decide(row: Any, fact: Fact, seen: _Seen) -> dict[str, Any]:
    """Return what changes; raise InvalidTransitionError when the signal was marked otherwise."""
    told = fact.values
    trade, executed, at = told.get("trade"), told.get("executed", False), told["at"]
    if trade is not None and seen.accounts.get(trade) != told["account"]:
        raise MissingRowError("trade", trade, "is not stored in this account")
    if row.executed if executed else row.processed:
        if trade in {None, row.trade_id}:
            return {}
        raise InvalidTransitionError("trade", trade, f"the signal is marked with the trade {row.trade_id}")
    if trade is not None and seen.signals.setdefault(trade, row.pk) != row.pk:
        raise InvalidTransitionError("trade", trade, OF_ANOTHER)
    processed = {"processed": True, "processed_at": at} if row.processed_at is None else {"processed": True}
    return {"executed": True, "executed_at": at, "trade_id": trade, **processed} if executed else processed


def _store(fact: Fact, *, using: str) -> Receipt:
    try:
        return _moves.one(fact, using=using)
    except IntegrityError as exc:
        # Another writer marked another signal with it since it was looked at.
        raise InvalidTransitionError("trade", fact.values.get("trade"), OF_ANOTHER) from exc


_moves: Final = AuditedMoves(Signal, "signal", columns=Signal.lifecycle, decide=_decide, look=_look)

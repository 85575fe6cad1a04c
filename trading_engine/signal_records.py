"""
Signals and their archives as another system's files tell of them: with ids made of what names them there.

Which signals are the current ones is noted beside them, for the newest batch may be one of none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from friren.accounts import AccountHandle
from friren.core.ids import natural_id
from friren.core.models import Account, SystemMetadata
from friren.persistence import checks
from friren.persistence.codec import register_record
from friren.persistence.facts import Fact, make_fact
from friren.persistence.handlers import register_handler
from friren.persistence.policies import KindPolicy, register_policy
from friren.persistence.receipts import Receipt, WriteOutcome
from trading_engine.models import Signal, SignalArchive
from trading_engine.models.choices import SignalKind
from trading_engine.signal_moves import SIGNAL_MOVE
from trading_engine.told_records import Taken, register_judge, register_maker
from trading_engine.trade_facts import fact_key

__all__ = ["batch_of", "current_batch", "register", "signal_id"]

CURRENT: Final = "current_signals"


def register() -> None:
    """Let files tell of signals of prediction markets, what became of them, and of archives of signals."""
    register_maker("signal", _signal)
    register_maker(SIGNAL_MOVE, _move)
    register_maker("signal_archive", _archive)
    register_maker(CURRENT, _current)
    register_record(CURRENT, {"account": UUID, "at": dt.datetime, "batch": UUID})
    register_handler(CURRENT, _store_current, after=(Account,))
    register_policy(CURRENT, KindPolicy(ordered=True))
    register_judge(CURRENT, _judge_current)


def current_batch(account: UUID, *, using: str) -> UUID | None:
    """Return the batch of the signals that were noted last as the current ones; None where nothing was noted."""
    found = SystemMetadata.objects.using(using).filter(key=_note_key(account)).first()
    return UUID(found.value.split()[1]) if found is not None and found.value else None


def signal_id(account: UUID, *, venue: str, market: Any, signal_type: Any, timestamp: Any) -> UUID:
    """Return the id of a signal that has none where it comes from: a market has one advice at a moment."""
    checks.check_text("market_id", market, blank=False)
    moment = checks.check_time("timestamp", timestamp)
    return natural_id("signal", account, venue, moment, market, str(signal_type).casefold())


def batch_of(account: UUID, venue: str, at: Any) -> UUID:
    """Return the id of the signals that were given together at a moment."""
    return natural_id("signal_batch", account, venue, checks.check_time("timestamp", at))


def _signal(account: AccountHandle, told: dict[str, Any]) -> Fact:
    venue, batch = told.pop("venue"), told.pop("batch")
    key = _key(account, {**told, "venue": venue})
    values = {**told, "kind": SignalKind.PREDICTION, "batch_id": batch_of(account.id, venue, batch)}
    return make_fact(Signal, id=key, account=account.id, **values)


def _move(account: AccountHandle, told: dict[str, Any]) -> Fact:
    values: dict[str, Any] = {
        "account": account.id,
        "executed": True,
        "at": checks.check_time("executed_at", told["at"]),
    }
    if trade := told["external_id"]:
        values["trade"], _text = fact_key(
            "trade", account, None, field="trade_id", venue=told["venue"], external_id=trade
        )
    return Fact(kind=SIGNAL_MOVE, id=_key(account, told), values=values)


def _key(account: AccountHandle, told: dict[str, Any]) -> UUID:
    names = ("venue", "market", "signal_type", "timestamp")
    return signal_id(account.id, **{name: told[name] for name in names})


def _archive(account: AccountHandle, told: dict[str, Any]) -> Fact:
    moment = checks.check_time("archived_at", told["archived_at"])
    key = natural_id("signal_archive", account.id, moment)
    return make_fact(SignalArchive, id=key, account=account.id, **told)


def _current(account: AccountHandle, told: dict[str, Any]) -> Fact:
    """Return the note that the signals of a batch are the current ones since a moment."""
    at, batch = checks.check_time("at", told["at"]), batch_of(account.id, told["venue"], told["batch"])
    values = {"account": account.id, "at": at, "batch": batch}
    return Fact(kind=CURRENT, id=natural_id(CURRENT, account.id, at, batch), values=values)


def _store_current(fact: Fact, *, using: str) -> Receipt:
    key, value = _note(fact)
    rows = SystemMetadata.objects.using(using)
    rows.bulk_create([SystemMetadata(key=key, value="")], ignore_conflicts=True)
    moved = rows.filter(key=key, value__lt=value).update(value=value, updated_at=timezone.now())
    return Receipt(fact.id, WriteOutcome.STORED if moved else WriteOutcome.DUPLICATE)


def _judge_current(facts: Sequence[Fact], using: str) -> list[Taken]:
    notes = [_note(fact) for fact in facts]
    rows = SystemMetadata.objects.using(using).filter(key__in=[key for key, _value in notes])
    held = {row.key: row.value for row in rows}
    return [
        Taken.NEW if key not in held else Taken.CHANGED if held[key] < value else Taken.KNOWN for key, value in notes
    ]


def _note(fact: Fact) -> tuple[str, str]:
    # Of one width, so that the later one is the greater text.
    at = fact.values["at"].astimezone(dt.UTC).isoformat(timespec="microseconds")
    return _note_key(fact.values["account"]), f"{at} {fact.values['batch']}"


def _note_key(account: UUID) -> str:
    return f"{CURRENT}:{account}"

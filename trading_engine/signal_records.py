"""Signals and their archives as another system's files tell of them: with ids made of what names them there."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from friren.accounts import AccountHandle
from friren.core.ids import natural_id
from friren.persistence import checks
from friren.persistence.facts import Fact, make_fact
from trading_engine.models import Signal, SignalArchive
from trading_engine.models.choices import SignalKind
from trading_engine.signal_moves import SIGNAL_MOVE
from trading_engine.told_records import register_maker
from trading_engine.trade_facts import fact_key

__all__ = ["batch_of", "register", "signal_id"]


def register() -> None:
    """Let files tell of signals of prediction markets, what became of them, and of archives of signals."""
    register_maker("signal", _signal)
    register_maker(SIGNAL_MOVE, _move)
    register_maker("signal_archive", _archive)


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

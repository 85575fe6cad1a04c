"""How snapshots of a book are stored: one row per moment, of a day one, whose newest reading stays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from friren.accounts import AccountHandle
from friren.core.ids import natural_id
from friren.core.models import Account
from friren.errors import KeyReusedError
from friren.persistence.codec import register_record
from friren.persistence.facts import Fact, spec_of
from friren.persistence.handlers import MissingRowError, register_handler
from friren.persistence.policies import KindPolicy, register_policy
from friren.persistence.receipts import Receipt, WriteOutcome
from portfolio_manager.models import PortfolioSnapshot
from portfolio_manager.models.choices import SnapshotKind
from trading_engine.told_records import Taken, register_judge, register_maker

__all__ = ["FIGURES", "book_snapshot", "register", "snapshot_id"]

KIND: Final = "portfolio_snapshot"
FIGURES: Final = (
    "balance", "total_invested", "total_profit_loss", "total_value", "open_positions", "trade_count", "realized_pnl",
    "total_unrealized_pnl", "total_margin", "total_commission",
)  # fmt: skip


def register() -> None:
    """Register the kind `portfolio_snapshot`."""
    register_record(KIND, {name: field.wire for name, field in spec_of(PortfolioSnapshot).fields.items()})
    register_handler(KIND, _store, after=(Account,))
    register_policy(KIND, KindPolicy(ordered=True))
    register_judge(KIND, _judge)
    register_maker(KIND, lambda account, told: book_snapshot(account, **told))


def book_snapshot(
    account: AccountHandle, *, kind: str, at: dt.datetime, day: dt.date | None, figures: Mapping[str, Any]
) -> Fact:
    """
    Return the record of a snapshot.

    Raises:
        RejectedRecordError: a value breaks a rule.
    """
    told = {**figures, "account": account.id, "kind": kind, "timestamp": at, "snapshot_date": day}
    values = spec_of(PortfolioSnapshot).checked(told)
    point = values["timestamp"] if day is None else day
    return Fact(kind=KIND, id=snapshot_id(account.id, kind, point), values=values)


def snapshot_id(account: UUID, kind: str, point: dt.datetime | dt.date) -> UUID:
    """Return the id of the snapshot of a moment, of a DAILY one of a day."""
    return natural_id(KIND, account, kind, point)


def _store(fact: Fact, *, using: str) -> Receipt:
    told = dict(fact.values)
    account = told.pop("account")
    if not Account.objects.using(using).filter(pk=account).exists():
        raise MissingRowError("account", account, "is not stored")
    rows = PortfolioSnapshot.objects.using(using)
    row = PortfolioSnapshot(id=fact.id, account_id=account, created_at=timezone.now(), **told)
    held = rows.select_for_update(no_key=True).filter(pk=fact.id).first()
    if held is None:
        rows.bulk_create([row], ignore_conflicts=True)  # another writer may have been first
        held = rows.select_for_update(no_key=True).get(pk=fact.id)
        if held.created_at == row.created_at:
            return Receipt(fact.id, WriteOutcome.STORED)
    after = _changes(held, row)
    if not after:
        return Receipt(fact.id, WriteOutcome.DUPLICATE)
    if held.kind != SnapshotKind.DAILY:
        raise KeyReusedError("timestamp", row.timestamp, "a snapshot of this moment is stored with other figures")
    rows.filter(pk=fact.id).update(**after)
    return Receipt(fact.id, WriteOutcome.STORED)


def _changes(held: PortfolioSnapshot, row: PortfolioSnapshot) -> dict[str, Any]:
    """Return what a reading has otherwise than the one that is held; nothing where it is the same, or an older one."""
    before = {name: getattr(held, name) for name in (*FIGURES, "timestamp", "source")}
    after = {name: getattr(row, name) for name in before}
    older = held.kind == SnapshotKind.DAILY and row.timestamp < held.timestamp
    return {} if older or before == after else after


def _judge(facts: Sequence[Fact], using: str) -> list[Taken]:
    rows = PortfolioSnapshot.objects.using(using).in_bulk([fact.id for fact in facts])
    found = []
    for fact in facts:
        told = {name: value for name, value in fact.values.items() if name != "account"}
        held = rows.get(fact.id)
        if held is None:
            found.append(Taken.NEW)
        else:
            found.append(Taken.CHANGED if _changes(held, PortfolioSnapshot(**told)) else Taken.KNOWN)
    return found

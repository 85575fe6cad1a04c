"""How snapshots of a book are stored: one row per moment, of a day one, whose newest reading stays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from friren.accounts import AccountHandle
from friren.core.ids import natural_id
from friren.core.models import Account
from friren.errors import KeyReusedError
from friren.persistence.codec import register_record
from friren.persistence.facts import Fact, spec_of
from friren.persistence.handlers import MissingRowError, Verdict, one_by_batch, register_handler
from friren.persistence.policies import KindPolicy, register_policy
from friren.persistence.receipts import WriteOutcome
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
    register_handler(KIND, one_by_batch(_store_all), batch=_store_all, after=(Account,))
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


def _store_all(facts: Sequence[Fact], *, using: str, producer: UUID | None) -> list[Verdict]:
    del producer  # the table names none
    accounts = {fact.values["account"] for fact in facts}
    known = set(Account.objects.using(using).filter(id__in=accounts).values_list("id", flat=True))
    verdicts: dict[int, Verdict] = {}
    # In one order for all, so two writers never wait for one another; and of two readings of a day the older first.
    ordered = sorted(range(len(facts)), key=lambda place: (facts[place].id, facts[place].values["timestamp"]))
    rows: dict[int, PortfolioSnapshot] = {}
    first: dict[UUID, int] = {}
    for place in ordered:
        told = dict(facts[place].values)
        account = told.pop("account")
        if account not in known:
            verdicts[place] = MissingRowError("account", account, "is not stored")
            continue
        rows[place] = PortfolioSnapshot(id=facts[place].id, account_id=account, **told)
        first.setdefault(facts[place].id, place)
    snapshots = PortfolioSnapshot.objects.using(using)
    # Another writer may have been first: what is stored then bears another time than the one that this sets.
    snapshots.bulk_create([rows[place] for place in first.values()], ignore_conflicts=True)
    locked = snapshots.select_for_update(no_key=True).filter(pk__in=list(first)).order_by("pk")
    held = {row.pk: row for row in locked}
    for place, row in rows.items():
        mine = first[row.pk] == place and held[row.pk].created_at == row.created_at
        verdicts[place] = WriteOutcome.STORED if mine else _replace(held[row.pk], row, using)
    return [verdicts[place] for place in range(len(facts))]


def _replace(held: PortfolioSnapshot, row: PortfolioSnapshot, using: str) -> Verdict:
    """Let a newer reading of a day take the place of the stored one; what was seen at a moment stays."""
    after = _changes(held, row)
    if not after:
        return WriteOutcome.DUPLICATE
    if held.kind != SnapshotKind.DAILY:
        return KeyReusedError("timestamp", row.timestamp, "a snapshot of this moment is stored with other figures")
    PortfolioSnapshot.objects.using(using).filter(pk=held.pk).update(**after)
    for name, value in after.items():
        setattr(held, name, value)
    return WriteOutcome.STORED


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

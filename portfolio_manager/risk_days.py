"""How days of risk are stored: one row per account and day, of two readings the newer stays."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final
from uuid import UUID

from django.db import connections
from django.utils import timezone

from friren.accounts import AccountHandle
from friren.core.ids import natural_id
from friren.core.models import Account
from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.audit import record_change
from friren.persistence.codec import register_record
from friren.persistence.facts import Fact, spec_of
from friren.persistence.handlers import MissingRowError, Verdict, one_by_batch, register_handler
from friren.persistence.policies import KindPolicy, register_policy
from friren.persistence.receipts import WriteOutcome
from portfolio_manager.models import RiskMetrics

__all__ = ["FIGURES", "register", "risk_day"]

KIND: Final = "risk_metrics"
FIGURES: Final = (
    "timestamp", "portfolio_value", "total_exposure", "max_position_size", "correlation_risk", "var_estimate",
)  # fmt: skip
STAMPS: Final = ("created_at", "updated_at")


def register() -> None:
    """Register the kind `risk_metrics`."""
    register_record(KIND, {name: field.wire for name, field in spec_of(RiskMetrics).fields.items()})
    register_handler(KIND, one_by_batch(_store_all), batch=_store_all, after=(Account,))
    register_policy(KIND, KindPolicy(ordered=True))


def risk_day(account: AccountHandle, told: Mapping[str, Any]) -> Fact:
    """
    Return the record of a reading, given as the keywords of `RiskLogger.log_risk_metrics`.

    Raises:
        RejectedRecordError: a value breaks a rule.
    """
    moment = checks.check_time("timestamp", told["timestamp"])
    try:
        day = moment.astimezone(zoneinfo.ZoneInfo(account.timezone)).date()
    except OverflowError as exc:
        rule = "must lie within the years 1 to 9999 in the account's time zone"
        raise RejectedRecordError("timestamp", told["timestamp"], rule) from exc
    values = spec_of(RiskMetrics).checked({**told, "account": account.id, "timestamp": moment, "as_of_date": day})
    return Fact(kind=KIND, id=natural_id(KIND, account.id, day), values=values)


def _store_all(facts: Sequence[Fact], *, using: str, producer: UUID | None) -> list[Verdict]:
    del producer  # the table names none
    accounts = {fact.values["account"] for fact in facts}
    known = set(Account.objects.using(using).filter(id__in=accounts).values_list("id", flat=True))
    verdicts: dict[int, Verdict] = {}
    first: dict[UUID, int] = {}
    # In one order for all, so two writers never wait for one another; and of two readings of a day the older first.
    ordered = sorted(range(len(facts)), key=lambda place: (facts[place].id, facts[place].values["timestamp"]))
    for place in ordered:
        account = facts[place].values["account"]
        if account not in known:
            verdicts[place] = MissingRowError("account", account, "is not stored")
        else:
            first.setdefault(facts[place].id, place)
    inserted = _insert_new([facts[place] for place in first.values()], using)
    verdicts |= {first[key]: WriteOutcome.STORED for key in inserted}
    left = [place for place in ordered if place not in verdicts]
    held = RiskMetrics.objects.using(using).select_for_update(no_key=True)
    rows = {row.id: row for row in held.filter(id__in={facts[place].id for place in left}).order_by("id")}
    for place in left:
        verdicts[place] = _replace(rows[facts[place].id], facts[place], using)
    return [verdicts[place] for place in range(len(facts))]


def _replace(row: RiskMetrics, fact: Fact, using: str) -> WriteOutcome:
    before = {name: getattr(row, name) for name in FIGURES}
    after = {name: fact.values.get(name) for name in FIGURES}
    if fact.values["timestamp"] < row.timestamp or after == before:
        return WriteOutcome.DUPLICATE
    for name, value in after.items():
        setattr(row, name, value)
    row.save(using=using)
    record_change(row, before=before, after=after, account=row.account_id, action="UPDATE", using=using)
    return WriteOutcome.STORED


def _insert_new(facts: Sequence[Fact], using: str) -> list[UUID]:
    """Insert the days that have no reading yet, all at once; return the ids of those that had none."""
    if not facts:
        return []
    names = tuple(spec_of(RiskMetrics).fields)
    now = timezone.now()
    columns: list[list[Any]] = [[fact.id for fact in facts]]
    columns += [[fact.values.get(name) for fact in facts] for name in names]
    columns += [[now] * len(facts) for _stamp in STAMPS]
    with connections[using].cursor() as cursor:
        cursor.execute(_insert_sql(using), columns)
        return [key for (key,) in cursor.fetchall()]


@cache
def _insert_sql(using: str) -> str:
    named = {field.name: field for field in RiskMetrics._meta.concrete_fields}
    fields = [named[name] for name in ("id", *spec_of(RiskMetrics).fields, *STAMPS)]
    # Names and types come from the model, never from a caller.
    names = ", ".join(f'"{field.column}"' for field in fields)
    arrays = ", ".join(f"%s::{field.rel_db_type(connections[using])}[]" for field in fields)
    return (
        f'INSERT INTO "{RiskMetrics._meta.db_table}" ({names}) SELECT * FROM unnest({arrays}) '  # noqa: S608
        "ON CONFLICT DO NOTHING RETURNING id"
    )

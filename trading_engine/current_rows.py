"""
Which rows of a table are the current ones, where another system overwrites its file and rows are kept here.

A note of its own: the newest of them may be none at all, and no row says that. Of two notes the later holds.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from friren.accounts import AccountHandle
from friren.core.ids import natural_id
from friren.core.models import Account, SystemMetadata
from friren.persistence import checks
from friren.persistence.codec import register_record
from friren.persistence.facts import Fact
from friren.persistence.handlers import register_handler
from friren.persistence.policies import KindPolicy, register_policy
from friren.persistence.receipts import Receipt, WriteOutcome
from trading_engine.told_records import Taken, register_judge, register_maker

__all__ = ["CURRENT", "current_keys", "register"]

CURRENT: Final = "current_rows"


def register() -> None:
    """Register the kind `current_rows`."""
    register_maker(CURRENT, _made)
    register_record(CURRENT, {"account": UUID, "table": str, "at": dt.datetime, "keys": list[str]})
    register_handler(CURRENT, _store, after=(Account,))
    register_policy(CURRENT, KindPolicy(ordered=True))
    register_judge(CURRENT, _judge)


def current_keys(account: UUID, table: str, *, using: str) -> list[str]:
    """Return the keys of the rows that were noted last as the current ones; none where nothing was noted."""
    found = SystemMetadata.objects.using(using).filter(key=_key(account, table)).first()
    keys: list[str] = json.loads(found.value.partition(" ")[2]) if found is not None and found.value else []
    return keys


def _made(account: AccountHandle | None, told: dict[str, Any]) -> Fact:
    """Return the note that the rows of these keys are the current ones of an account's table since a moment."""
    if account is None:
        raise TypeError("current rows are an account's")
    values = {"account": account.id, **told, "at": checks.check_time("at", told["at"])}
    key = natural_id(CURRENT, account.id, told["table"], values["at"])
    return Fact(kind=CURRENT, id=key, values=values)


def _store(fact: Fact, *, using: str) -> Receipt:
    key, value = _note(fact)
    rows = SystemMetadata.objects.using(using)
    rows.bulk_create([SystemMetadata(key=key, value="")], ignore_conflicts=True)
    moved = rows.filter(key=key, value__lt=value).update(value=value, updated_at=timezone.now())
    return Receipt(fact.id, WriteOutcome.STORED if moved else WriteOutcome.DUPLICATE)


def _judge(facts: Sequence[Fact], using: str) -> list[Taken]:
    notes = [_note(fact) for fact in facts]
    rows = SystemMetadata.objects.using(using).filter(key__in=[key for key, _value in notes])
    held = {row.key: row.value for row in rows}
    return [
        Taken.NEW if key not in held else Taken.CHANGED if held[key] < value else Taken.KNOWN for key, value in notes
    ]


def _note(fact: Fact) -> tuple[str, str]:
    told = fact.values
    # Of one width, so that the later one is the greater text.
    at = told["at"].astimezone(dt.UTC).isoformat(timespec="microseconds")
    return _key(told["account"], told["table"]), f"{at} {json.dumps(told['keys'])}"


def _key(account: UUID, table: str) -> str:
    return f"{CURRENT}:{table}:{account}"

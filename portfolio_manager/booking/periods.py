"""Close a period: the books as they stood are kept, and facts dated before are refused from then on."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from friren.core.choices import AuditAction
from friren.core.ids import natural_id
from friren.core.models import Account
from friren.core.numbers import ZERO, plain
from friren.errors import PeriodClosedError, RejectedRecordError
from friren.persistence.audit import record_operation
from friren.persistence.facts import make_fact
from friren.persistence.handlers import apply_within, one_commit
from portfolio_manager.booking.books import book
from portfolio_manager.booking.database import Row, execute, query
from portfolio_manager.booking.state import Locked, last_seq
from portfolio_manager.booking.whole import query_whole
from portfolio_manager.models import PeriodCheckpoint

__all__ = ["close_books", "standing"]


def close_books(account: UUID, *, at: dt.datetime, closed_by: int | None, using: str) -> PeriodCheckpoint:
    """
    Book everything, keep the books as they stood at `at`, and refuse facts dated before it.

    Args:
        account: its id.
        at: aware, in the past; facts of this very moment belong to the next period.
        closed_by: id of a user.
        using: alias of the database.

    Raises:
        RejectedRecordError: `at` lies in the future.
        PeriodClosedError: the books are closed up to `at` or later already.
    """
    if at > timezone.now():
        raise RejectedRecordError("at", at, "must not be in the future: facts are still to come")
    with one_commit(using):
        seen_seq = last_seq(using)
        execute(using, "SET LOCAL statement_timeout = 0", ())
        # Facts share this lock until they commit: those under way end first, new ones queue behind.
        query(using, "SELECT friren_lock_period(%s)", (account,))
        books, _ = book(account, seen_seq=seen_seq, using=using)
        if books.stuck:
            raise RejectedRecordError(
                "at", at, f"the books cannot take in {books.stuck}: see the log, bust what is wrong"
            )
        if books.closed_until is not None and at <= books.closed_until:
            raise PeriodClosedError("at", at, f"the books are closed before {books.closed_until.isoformat()} already")
        checkpoint = make_fact(
            PeriodCheckpoint,
            id=natural_id("period_checkpoint", account, at),
            account=account,
            closes_at=at,
            closed_by=closed_by,
            **standing(books, at),
        )
        apply_within(checkpoint, using=using)
        Account.objects.using(using).filter(id=account).update(closed_until=at)
        record_operation(
            AuditAction.UPDATE, source="close_period", model_label=Account._meta.label, object_pk=str(account),
            before={"closed_until": books.closed_until}, after={"closed_until": at}, account=account,
            actor=closed_by, using=using,
        )  # fmt: skip
    return PeriodCheckpoint.objects.using(using).get(id=checkpoint.id)


_POSITIONS: Final = """
    SELECT p.id, coalesce(y.ticker, p.market_id), coalesce(y.venue, ''), p.instrument_type, p.strategy_used, p.slot,
           p.side, f.quantity_after, f.total_cost_after, f.realized_pnl_after, f.lots_after
    FROM {Position} p LEFT JOIN {Symbol} y ON y.id = p.symbol_id
    JOIN LATERAL (
        SELECT f.quantity_after, f.total_cost_after, f.realized_pnl_after, f.lots_after FROM {PositionFill} f
        WHERE f.position_id = p.id AND f.executed_at < %(at)s
        ORDER BY f.executed_at DESC, coalesce(f.trade_id, f.corporate_action_id, f.resolution_id) DESC LIMIT 1
    ) f ON f.quantity_after > 0
    WHERE p.account_id = %(account)s AND p.opened_at < %(at)s
    ORDER BY p.opened_at, p.trade_id
"""
_FACTS: Final = """
    SELECT id, digest FROM (
        SELECT id, digest, executed_at AS moment FROM {Trade} t
        WHERE account_id = %(account)s AND status <> 'busted'
        UNION ALL SELECT id, digest, occurred_at FROM {CashMovement} c WHERE account_id = %(account)s
        UNION ALL SELECT id, digest, effective_at FROM {CorporateAction} a WHERE account_id = %(account)s
        UNION ALL SELECT id, digest, resolved_at FROM {MarketResolution} r WHERE account_id = %(account)s
    ) facts WHERE moment < %(at)s ORDER BY moment, id
"""


def standing(books: Locked, at: dt.datetime) -> dict[str, Any]:
    """Return the checkpoint's figures: cash, positions, and what identifies the facts they come from."""
    parameters = {"account": books.account, "at": at}
    cash: dict[str, Decimal] = dict(
        query_whole(
            books.using,
            "SELECT currency, sum(amount) FROM {LedgerEntry} l WHERE account_id = %(account)s AND occurred_at < %(at)s "
            "GROUP BY 1 ORDER BY 1",
            parameters,
        )
    )
    ((trades,),) = query_whole(
        books.using,
        "SELECT count(*) FROM {Trade} t WHERE account_id = %(account)s AND executed_at < %(at)s AND status <> 'busted'",
        parameters,
    )
    return {
        "cash": cash.pop(books.base_currency, ZERO),
        "balances": {currency: plain(amount) for currency, amount in cash.items() if amount},
        "positions": [_position(row) for row in query(books.using, _POSITIONS, parameters)],
        "trade_count": trades,
        "facts_digest": _digest_of(query_whole(books.using, _FACTS, parameters)),
    }


def _position(row: Row) -> dict[str, Any]:
    names = ("id", "instrument", "venue", "instrument_type", "strategy", "slot", "side")
    sums = ("quantity", "total_cost", "realized_pnl")
    told = {name: str(value) for name, value in zip(names, row[:7], strict=True)}
    return told | {name: plain(value) for name, value in zip(sums, row[7:10], strict=True)} | {"lots": row[10] or ""}


def _digest_of(facts: Iterable[Row]) -> bytes:
    """Return SHA-256 over id and digest of the facts, in the order in which they are folded."""
    digest = hashlib.sha256()
    for fact, content in facts:
        digest.update(fact.bytes)
        digest.update(bytes(content))
    return digest.digest()

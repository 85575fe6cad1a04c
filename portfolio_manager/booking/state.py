"""The lock of an account's books, and what is not yet booked."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final
from uuid import UUID

from friren.core.models import Account
from friren.errors import RejectedRecordError
from portfolio_manager.booking.database import Row, query, query_all, sql
from portfolio_manager.models import AccountState

__all__ = [
    "EARLIEST",
    "LAST_SEQ",
    "LOCK",
    "SEEN",
    "Group",
    "Locked",
    "Moment",
    "Pending",
    "find_pending",
    "has_pending_sql",
    "last_seq",
    "locked",
    "open_books",
    "unsettled_sql",
]

# A place in the order of facts: the time, then the id.
Moment = tuple[dt.datetime, UUID]
EARLIEST: Final[Moment] = (dt.datetime.min.replace(tzinfo=dt.UTC), UUID(int=0))


@dataclass(frozen=True, slots=True)
class Group:
    """Facts that are folded together: those of one instrument (a symbol's id or a market's) and one strategy."""

    instrument_type: str
    symbol: int | None
    market: str | None
    strategy: str


@dataclass(slots=True)
class Locked:
    """
    An account's books while they are locked: their rules, and where they stood.

    Attributes:
        seen_seq: the last number given to a fact before this transaction had an id of its own.
        stuck: groups that could not be booked.
    """

    account: UUID
    using: str
    cost_basis: str
    position_mode: str
    base_currency: str
    closed_until: dt.datetime | None
    balance: Decimal
    balances: dict[str, str]
    total_invested: Decimal
    total_profit_loss: Decimal
    trade_count: int
    booked_seq: int
    horizon_seq: int
    horizon_xid: int
    seen_seq: int
    stuck: list[Group] = field(default_factory=list)
    _stood: tuple[int, int, int] = (0, 0, 0)

    @property
    def rules(self) -> dict[str, str]:
        """What the fold must know of the account."""
        return {
            "cost_basis": self.cost_basis,
            "position_mode": self.position_mode,
            "base_currency": self.base_currency,
        }

    def advance(self, *, oldest_running: int, own: int) -> None:
        """
        Take every fact up to `horizon_seq` as seen, once all transactions that could hold such a number have ended.

        They are those older than `horizon_xid`. Then this transaction's own id, and the number that was
        the last before it had that id, are the next horizon.
        """
        self._stood = (self.booked_seq, self.horizon_seq, self.horizon_xid)
        if oldest_running >= self.horizon_xid:
            self.booked_seq = max(self.booked_seq, self.horizon_seq)
            self.horizon_seq, self.horizon_xid = self.seen_seq, own

    def stay(self) -> None:
        """Take `advance` back: something below could not be booked, and is to be found again."""
        self.booked_seq, self.horizon_seq, self.horizon_xid = self._stood


@dataclass(frozen=True, slots=True)
class Pending:
    """
    Something that the books do not hold yet.

    Attributes:
        kind: trade, bust, cash, action or resolution.
        id: of the fact; of a bust, the trade's.
        moment: where it stands in the order of facts.
        group: of a trade or bust; of an action or resolution, its instrument without a strategy.
    """

    kind: str
    id: UUID
    moment: Moment
    group: Group


LAST_SEQ: Final = "SELECT last_value FROM friren_recorded_seq"
# FOR NO KEY UPDATE: a plain FOR UPDATE deadlocks with the key-share locks of foreign keys.
LOCK: Final = """
    SELECT a.cost_basis, a.position_mode, a.base_currency, a.closed_until, s.balance, s.balances, s.total_invested,
           s.total_profit_loss, s.trade_count, s.booked_seq, s.horizon_seq, s.horizon_xid
    FROM {AccountState} s JOIN {Account} a ON a.id = s.account_id
    WHERE s.account_id = %s FOR NO KEY UPDATE OF s
"""


def last_seq(using: str) -> int:
    """
    Return the last number given to a fact. To be asked before a booking transaction writes or locks anything.

    Whoever holds a number up to this one has an older transaction id than the booking will get, because
    facts take their transaction id before their number. `Locked.advance` rests on it.
    """
    (row,) = query(using, LAST_SEQ, ())
    return int(row[0])


def open_books(account: UUID, *, seen_seq: int, using: str) -> tuple[Locked, list[Pending]]:
    """
    Lock the books of an account until the transaction ends, and find what they do not hold yet.

    Args:
        account: its id.
        seen_seq: what `last_seq` said at the start of this transaction.
        using: alias of the database.

    Raises:
        RejectedRecordError: there is no such account.
    """
    questions = ((LOCK, (account,)), (_PENDING_OF_LOCKED, {"account": account}))
    rows, pending = query_all(using, *questions)
    if not rows:
        if not Account.objects.using(using).filter(id=account).exists():
            raise RejectedRecordError("account", account, "an account that was opened")
        # The first booking of the account makes its row; another process may do so at the same moment.
        AccountState.objects.using(using).bulk_create([AccountState(account_id=account)], ignore_conflicts=True)
        rows, pending = query_all(using, *questions)
    books = locked(account, using, rows[0], seen_seq)
    return books, _take_pending(books, pending)


def locked(account: UUID, using: str, row: Row, seen_seq: int) -> Locked:
    """Return the books that LOCK read."""
    return Locked(
        account=account,
        using=using,
        cost_basis=row[0],
        position_mode=row[1],
        base_currency=row[2],
        closed_until=row[3],
        balance=row[4],
        balances=json.loads(row[5]),  # Django leaves jsonb of a raw query as text
        total_invested=row[6],
        total_profit_loss=row[7],
        trade_count=row[8],
        booked_seq=row[9],
        horizon_seq=row[10],
        horizon_xid=row[11],
        seen_seq=seen_seq,
    )


# An action or resolution concerns the books only where a position was held: there it leaves a row.
# Written for the planner, which does not know the bound: two bounds make it expect few rows where one makes it expect
# a third of the table, and a scalar subquery is looked up row by row where NOT EXISTS may hash the whole table.
_PENDING: Final = """
    SELECT 'trade' AS kind, t.id, t.executed_at AS moment, t.instrument_type, t.symbol_id, t.market_id, t.strategy_used
    FROM {Trade} t
    WHERE t.account_id = %(account)s AND t.recorded_seq > %(booked)s AND t.recorded_seq < 9223372036854775807
      AND t.status <> 'busted' AND (SELECT 1 FROM {PositionFill} f WHERE f.trade_id = t.id LIMIT 1) IS NULL
    UNION ALL
    SELECT 'bust', t.id, t.executed_at, t.instrument_type, t.symbol_id, t.market_id, t.strategy_used
    FROM {TradeStatusEvent} e JOIN {Trade} t ON t.id = e.trade_id
    WHERE e.account_id = %(account)s AND e.recorded_seq > %(booked)s AND e.recorded_seq < 9223372036854775807
      AND e.to_status = 'busted' AND (SELECT 1 FROM {PositionFill} f WHERE f.trade_id = e.trade_id LIMIT 1) = 1
    UNION ALL
    SELECT 'cash', c.id, c.occurred_at, '', c.symbol_id, NULL, ''
    FROM {CashMovement} c
    WHERE c.account_id = %(account)s AND c.recorded_seq > %(booked)s AND c.recorded_seq < 9223372036854775807
      AND (SELECT 1 FROM {LedgerEntry} l WHERE l.cash_movement_id = c.id AND l.trade_id IS NULL LIMIT 1) IS NULL
    UNION ALL
    SELECT 'action', a.id, a.effective_at, '', a.symbol_id, NULL, ''
    FROM {CorporateAction} a
    WHERE a.account_id = %(account)s AND a.recorded_seq > %(booked)s AND a.recorded_seq < 9223372036854775807
      AND (SELECT 1 FROM {PositionFill} f WHERE f.corporate_action_id = a.id LIMIT 1) IS NULL
      AND (SELECT 1 FROM {LedgerEntry} l WHERE l.corporate_action_id = a.id AND l.trade_id IS NULL
           AND l.cash_movement_id IS NULL LIMIT 1) IS NULL
      AND EXISTS (SELECT FROM {Position} p WHERE p.account_id = a.account_id AND p.symbol_id = a.symbol_id
                  AND (a.kind = 'SPLIT' OR p.instrument_type = 'EQUITY')
                  AND p.opened_at <= a.effective_at AND (p.closed_at IS NULL OR p.closed_at >= a.effective_at))
    UNION ALL
    SELECT 'resolution', r.id, r.resolved_at, '', NULL, r.market_id, ''
    FROM {MarketResolution} r
    WHERE r.account_id = %(account)s AND r.recorded_seq > %(booked)s AND r.recorded_seq < 9223372036854775807
      AND (SELECT 1 FROM {PositionFill} f WHERE f.resolution_id = r.id LIMIT 1) IS NULL
      AND EXISTS (SELECT FROM {Position} p WHERE p.account_id = r.account_id AND p.market_id = r.market_id
                  AND p.opened_at <= r.resolved_at AND (p.closed_at IS NULL OR p.closed_at >= r.resolved_at))
"""

# The snapshot of this very statement decides which facts it can have seen.
SEEN: Final = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_current_xact_id()::text::bigint"
_PENDING_WITH_XIDS: Final = (
    "SELECT seen.oldest, seen.own, found.* "
    f"FROM (SELECT {SEEN}) AS seen (oldest, own) LEFT JOIN (" + _PENDING + ") found ON true"
)
# Asked together with the lock, and answered after it is had.
_PENDING_OF_LOCKED: Final = _PENDING_WITH_XIDS.replace(
    "%(booked)s", "(SELECT booked_seq FROM {AccountState} WHERE account_id = %(account)s)"
)


def find_pending(books: Locked) -> list[Pending]:
    """
    Return what the locked books do not hold yet, and move their `booked_seq` up to what is sure to be among it.

    Books must be saved after everything returned here was booked.
    """
    rows = query(books.using, _PENDING_WITH_XIDS, {"account": books.account, "booked": books.booked_seq})
    return _take_pending(books, rows)


def _take_pending(books: Locked, rows: list[Row]) -> list[Pending]:
    oldest_running, own = rows[0][:2]
    books.advance(oldest_running=oldest_running, own=own)
    return [
        Pending(kind, fact, (moment, fact), Group(instrument_type, symbol, market, strategy))
        for _, _, kind, fact, moment, instrument_type, symbol, market, strategy in rows
        if kind is not None
    ]


def has_pending_sql() -> str:
    """Return the SQL of a truth value: is anything of %(account)s above %(booked)s not booked yet?"""
    return sql("EXISTS (" + _PENDING + ")")


def unsettled_sql() -> str:
    """
    Return the SQL of a truth value: may s, the state of %(account)s, lack anything beside the trade %(id)s?

    Simpler than `has_pending_sql`: of what is rare, anything above the bound may be new.
    """
    above = "account_id = s.account_id AND {0}.recorded_seq > s.booked_seq AND {0}.recorded_seq < 9223372036854775807"
    trades = (
        f"SELECT FROM {{Trade}} t WHERE t.{above.format('t')} AND t.id <> %(id)s AND t.status <> 'busted' "
        "AND (SELECT 1 FROM {PositionFill} f WHERE f.trade_id = t.id LIMIT 1) IS NULL"
    )
    cash = (
        f"SELECT FROM {{CashMovement}} c WHERE c.{above.format('c')} AND "
        "(SELECT 1 FROM {LedgerEntry} l WHERE l.cash_movement_id = c.id AND l.trade_id IS NULL LIMIT 1) IS NULL"
    )
    others = [
        f"SELECT FROM {{{table}}} o WHERE o.{above.format('o')}"
        for table in ("TradeStatusEvent", "CorporateAction", "MarketResolution")
    ]
    return " OR ".join(f"EXISTS ({question})" for question in (trades, cash, *others))

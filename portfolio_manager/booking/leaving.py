"""
Which rows of the books may go to the archive: whole knots of facts that refer to one another, all of a closed period.

A knot holds closed positions and the trades of their legs, the orders of these and the signals behind them, trades
that correct others or share a round trip with them, and all that hangs on these. A fill that crosses zero belongs to
two positions, so a knot ends where nothing was held. It stays as long as one of its rows has to.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db import models

from friren.core.models import Account
from friren.operations.archive import Picked, Span
from portfolio_manager.booking.books import book
from portfolio_manager.booking.database import Row, query
from portfolio_manager.booking.state import EARLIEST, last_seq
from portfolio_manager.booking.whole import in_archive
from portfolio_manager.models import CashMovement, LedgerEntry, Position, PositionFill
from trading_engine.models import (
    Order,
    OrderStatusEvent,
    SentimentData,
    Signal,
    Trade,
    TradeSentiment,
    TradeStatusEvent,
)
from trading_engine.models.choices import TradeStatus
from trading_engine.models.orders import OPEN_ORDER_STATUSES

__all__ = ["BookArchive"]

log = logging.getLogger(__name__)

# Knots that begin in one transaction, during which nobody books: some hundreds of rows, some tens of milliseconds.
KNOTS_AT_ONCE: Final = 250

# From a row of a knot, `c`, to those that it refers to and that refer to it.
_NEIGHBOURS: Final = """
    SELECT 'trade', f.trade_id FROM {PositionFill} f
    WHERE c.kind = 'position' AND f.position_id = c.id AND f.trade_id IS NOT NULL
    UNION ALL SELECT 'position', f.position_id FROM {PositionFill} f WHERE c.kind = 'trade' AND f.trade_id = c.id
    UNION ALL SELECT 'order', t.order_id FROM {Trade} t
    WHERE c.kind = 'trade' AND t.id = c.id AND t.order_id IS NOT NULL
    UNION ALL SELECT 'trade', t.id FROM {Trade} t WHERE c.kind = 'order' AND t.order_id = c.id
    UNION ALL SELECT 'trade', t.corrects_id FROM {Trade} t
    WHERE c.kind = 'trade' AND t.id = c.id AND t.corrects_id IS NOT NULL
    UNION ALL SELECT 'trade', t.id FROM {Trade} t WHERE c.kind = 'trade' AND t.corrects_id = c.id
    UNION ALL SELECT 'trade', o.id FROM {Trade} t JOIN {Trade} o ON o.round_trip = t.round_trip
    WHERE c.kind = 'trade' AND t.id = c.id AND t.round_trip IS NOT NULL AND o.account_id = t.account_id
    UNION ALL SELECT 'signal', o.signal_id FROM {Order} o
    WHERE c.kind = 'order' AND o.id = c.id AND o.signal_id IS NOT NULL
    UNION ALL SELECT 'order', o.id FROM {Order} o WHERE c.kind = 'signal' AND o.signal_id = c.id
    UNION ALL SELECT 'trade', s.trade_id FROM {Signal} s
    WHERE c.kind = 'signal' AND s.id = c.id AND s.trade_id IS NOT NULL
    UNION ALL SELECT 'signal', s.id FROM {Signal} s WHERE c.kind = 'trade' AND s.trade_id = c.id
    UNION ALL SELECT 'cash', m.corrects_id FROM {CashMovement} m
    WHERE c.kind = 'cash' AND m.id = c.id AND m.corrects_id IS NOT NULL
    UNION ALL SELECT 'cash', m.id FROM {CashMovement} m WHERE c.kind = 'cash' AND m.corrects_id = c.id
"""
_KNOTS: Final = f"""
    WITH RECURSIVE c (kind, id) AS (
        SELECT * FROM unnest(%(kinds)s::text[], %(ids)s::uuid[])
        UNION SELECT n.* FROM c CROSS JOIN LATERAL ({_NEIGHBOURS}) n (kind, id)
    )
    SELECT kind, array_agg(id) FROM c GROUP BY kind
"""
# What is to stay of the rows of some knots. An order or a signal is of its own time; all else is of a closed period.
# `<of …>` stands for what else may refer to such a row.
_STAYING: Final = f"""
    SELECT 'position', p.id FROM {{Position}} p WHERE p.id = ANY(%(position)s) AND (
        p.account_id <> %(account)s OR p.status <> 'closed' OR p.closed_at >= %(closed)s
        <of position>)
    UNION ALL SELECT 'trade', t.id FROM {{Trade}} t WHERE t.id = ANY(%(trade)s) AND (
        t.account_id <> %(account)s OR t.executed_at >= %(closed)s
        -- Not booked yet, or busted and still in the books.
        OR (t.status = '{TradeStatus.BUSTED}') = EXISTS (SELECT FROM {{PositionFill}} f WHERE f.trade_id = t.id)
        OR EXISTS (SELECT FROM {{TradeStatusEvent}} e WHERE e.trade_id = t.id AND e.occurred_at >= %(until)s)
        <of trade>)
    UNION ALL SELECT 'order', o.id FROM {{Order}} o WHERE o.id = ANY(%(order)s) AND (
        o.account_id <> %(account)s OR o.requested_at >= %(until)s
        OR o.status IN ({", ".join(f"'{status}'" for status in OPEN_ORDER_STATUSES)})
        OR EXISTS (SELECT FROM {{OrderStatusEvent}} e WHERE e.order_id = o.id AND e.occurred_at >= %(until)s)
        <of order>)
    UNION ALL SELECT 'signal', s.id FROM {{Signal}} s WHERE s.id = ANY(%(signal)s) AND (
        s.account_id <> %(account)s OR s.timestamp >= %(until)s
        <of signal>)
    UNION ALL SELECT 'cash', m.id FROM {{CashMovement}} m WHERE m.id = ANY(%(cash)s) AND (
        m.account_id <> %(account)s OR m.occurred_at >= %(closed)s
        OR NOT EXISTS (SELECT FROM {{LedgerEntry}} l WHERE l.cash_movement_id = m.id AND l.trade_id IS NULL)
        <of cash>)
"""
# What goes with the rows of knots, by the model whose rows these are.
_HANGING: Final[Mapping[type[models.Model], str]] = {
    PositionFill: "SELECT f.id FROM {PositionFill} f WHERE f.position_id = ANY(%(position)s)",
    LedgerEntry: (
        "SELECT l.id FROM {LedgerEntry} l WHERE l.trade_id = ANY(%(trade)s) "
        "UNION SELECT l.id FROM {LedgerEntry} l WHERE l.position_id = ANY(%(position)s) "
        "UNION SELECT l.id FROM {LedgerEntry} l WHERE l.cash_movement_id = ANY(%(cash)s)"
    ),
    TradeStatusEvent: "SELECT e.id FROM {TradeStatusEvent} e WHERE e.trade_id = ANY(%(trade)s)",
    OrderStatusEvent: "SELECT e.id FROM {OrderStatusEvent} e WHERE e.order_id = ANY(%(order)s)",
    TradeSentiment: "SELECT n.id FROM {TradeSentiment} n WHERE n.trade_id = ANY(%(trade)s)",
}
# Sentiment goes by itself; what a link of a knot names has to be there when that comes back.
_REFERRED: Final = """
    SELECT s.id FROM {SentimentData} s JOIN {TradeSentiment} n ON n.sentiment_id = s.id
    WHERE n.trade_id = ANY(%(trade)s)
"""
_MODELS: Final[Mapping[str, type[models.Model]]] = {
    "position": Position, "trade": Trade, "order": Order, "signal": Signal, "cash": CashMovement,
}  # fmt: skip
_ALIASES: Final = {"position": "p", "trade": "t", "order": "o", "signal": "s", "cash": "m"}
# Where knots begin, by kind, time and what else is asked: positions with their trades, and what belongs to none.
_BEGINNINGS: Final = (
    ("position", "closed_at", "b.status = 'closed'"),
    ("trade", "executed_at", f"b.status = '{TradeStatus.BUSTED}'"),
    ("order", "requested_at", "NOT EXISTS (SELECT FROM {Trade} t WHERE t.order_id = b.id)"),
    ("cash", "occurred_at", "true"),
)

Rows = Mapping[str, Sequence[UUID]]


@dataclass(slots=True)
class Page:
    """
    Rows of one kind that knots begin with.

    Attributes:
        passed: rows of knots that were seen to stay, which are not looked at for every page.
    """

    kind: str
    ids: list[UUID]
    passed: set[UUID] = field(default_factory=set)


class BookArchive:
    """Who knows which rows of the books go together; see `friren.operations.archive.Keeper`."""

    def owners(self, using: str) -> Sequence[UUID]:
        """Return the accounts of which a period was closed."""
        closed = Account.objects.using(using).filter(closed_until__isnull=False)
        return list(closed.order_by("id").values_list("id", flat=True))

    def hold(self, owner: UUID, using: str) -> bool:
        """Lock the books of an account and bring them up to date; False where they cannot take in a fact."""
        stuck = book(owner, seen_seq=last_seq(using), using=using)[0].stuck
        if stuck:
            log.warning("account %s: nothing is archived while its books cannot take in %s", owner, stuck)
        return not stuck

    def pages(self, owner: UUID, span: Span, using: str, *, back: bool) -> Iterator[Page]:
        """Yield closed positions, then what belongs to none, the oldest first."""
        until = span.until if back else min(span.until, _closed_until(owner, using))
        passed: set[UUID] = set()
        for kind, time, condition in _BEGINNINGS:
            question = _PAGE.format(model=f"{{{_MODELS[kind].__name__}}}", time=time, condition=condition)
            bounds = {"account": owner, "until": until, "since": span.since or EARLIEST[0], "id": EARLIEST[1]}
            while rows := _asked(question, bounds, using, back=back):
                ids = [key for key, _at in rows if key not in passed]
                if ids:
                    yield Page(kind, ids, passed)
                bounds |= {"id": rows[-1][0], "since": rows[-1][1]}

    def leaving(self, owner: UUID, page: Page, span: Span, using: str) -> Picked:
        """Return the rows of whole knots that may go."""
        found = _knots({page.kind: page.ids}, using)
        bounds = {"account": owner, "closed": min(span.until, _closed_until(owner, using)), "until": span.until}
        staying: dict[str, list[UUID]] = {}
        for kind, key in query(using, _staying(), _told(found) | bounds):
            staying.setdefault(kind, []).append(key)
        stuck = _knots(staying, using) if staying else {}
        page.passed.update(key for ids in stuck.values() for key in ids)
        going = {kind: sorted(set(ids) - set(stuck.get(kind, ()))) for kind, ids in found.items()}
        return _with_hanging(going, using)

    def returning(self, owner: UUID, page: Page, using: str) -> Picked:
        """Return the rows of the archive that come back with those of a page."""
        del owner
        with in_archive(using) as archived:
            found = _knots({page.kind: page.ids}, using)
            picked = dict(_with_hanging(found, using))
            picked[_table(SentimentData)] = _ids(_REFERRED, found, using)
        # What has no archive was looked for in its table, and is there already.
        return {table: ids for table, ids in picked.items() if table in archived}


_PAGE: Final = f"""
    SELECT b.id, b.{{time}} FROM {{model}} b WHERE b.account_id = %(account)s AND b.{{time}} < %(until)s
    AND b.{{time}} >= %(since)s AND (b.{{time}}, b.id) > (%(since)s, %(id)s) AND {{condition}}
    ORDER BY b.{{time}}, b.id LIMIT {KNOTS_AT_ONCE}
"""


def _asked(question: str, bounds: Mapping[str, Any], using: str, *, back: bool) -> list[Row]:
    with in_archive(using) if back else contextlib.nullcontext():
        return query(using, question, bounds)


def _closed_until(owner: UUID, using: str) -> dt.datetime:
    """Return up to when the books of an account are closed; what is later does not go."""
    found = Account.objects.using(using).filter(id=owner).values_list("closed_until", flat=True).first()
    return found or EARLIEST[0]


@functools.cache
def _staying() -> str:
    """Return the query for what is to stay; every table that refers to such rows, and does not go, is asked."""
    text = _STAYING
    for kind, model in _MODELS.items():
        fields = [one.field for one in model._meta.related_objects if isinstance(one.field, models.ForeignKey)]
        conditions = [
            f'OR EXISTS (SELECT FROM "{field.model._meta.db_table}" x WHERE x."{field.column}" = {_ALIASES[kind]}.id)'
            for field in fields
            if field.model not in {*_MODELS.values(), *_HANGING}
        ]
        text = text.replace(f"<of {kind}>", "\n        ".join(conditions))
    return text


def _knots(rows: Rows, using: str) -> dict[str, list[UUID]]:
    """Return the whole knots that rows belong to, by kind."""
    told = [(kind, key) for kind, ids in rows.items() for key in ids]
    found = query(using, _KNOTS, {"kinds": [kind for kind, _ in told], "ids": [key for _, key in told]})
    return dict(found)


def _told(rows: Rows) -> dict[str, list[UUID]]:
    return {kind: list(rows.get(kind, ())) for kind in _MODELS}


def _ids(question: str, rows: Rows, using: str) -> list[Any]:
    return [key for (key,) in query(using, question, _told(rows))]


def _with_hanging(rows: Rows, using: str) -> Picked:
    """Return rows by their tables, and what hangs on them."""
    picked: dict[str, list[Any]] = {_table(_MODELS[kind]): list(ids) for kind, ids in rows.items()}
    return picked | {_table(model): _ids(question, rows, using) for model, question in _HANGING.items()}


def _table(model: type[models.Model]) -> str:
    return model._meta.db_table

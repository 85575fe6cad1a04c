"""Journals full of trades, and what came of them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from django.db import connections

from friren.persistence.codec import encode
from friren.persistence.journal import Address, Damage, Journal, journals_of
from friren.persistence.models import DeadLetter, JournalCursor
from trading_engine.trade_facts import order_fact, trade_fact

AT = dt.datetime(2024, 1, 8, 14, 30, tzinfo=dt.UTC)


def here() -> Address:
    return Address.of(connections.settings["default"])


def trade(account, number=0, **changes):
    values = {
        "symbol": f"SYM{number % 7}", "action": "buy", "quantity": Decimal(10), "price": Decimal("187.32"),
        "timestamp": AT + dt.timedelta(seconds=number), "strategy_used": "sma_cross", "confidence_score": 0.71,
        "reasoning": "the fast average crossed the slow one", "shap_values": {"rsi": 0.12}, "commission": Decimal(1),
    }  # fmt: skip
    return trade_fact(account, **(values | changes))


def order(account, number=0, **changes):
    values = {"symbol": "AAPL", "action": "buy", "quantity": Decimal(10), "timestamp": AT}
    return order_fact(account, **(values | changes))


def write(journal, facts) -> None:
    for fact in facts:
        journal.append(encode(fact), sync=False)


def journal_of(root, facts=(), **options) -> Journal:
    journal = Journal(root, here(), **options)
    write(journal, facts)
    return journal


def cursor_of(source) -> JournalCursor:
    return JournalCursor.objects.get(producer=source.producer)


def counts_of(source) -> tuple[int, int, int]:
    cursor = cursor_of(source)
    return cursor.stored, cursor.duplicates, cursor.dead_lettered


def letters() -> list[DeadLetter]:
    return list(DeadLetter.objects.order_by("seq"))


def assert_identity(root, source, *, backlog: int = 0) -> None:
    """last_seq = stored + duplicates + dead_lettered + backlog, the journal counted by reading it."""
    [reader] = [reader for reader in journals_of(root, here()) if reader.producer == source.producer]
    cursor = cursor_of(source)
    found, at = 0, cursor.seq + 1
    while entries := reader.read(at, 1000):
        found += sum(entry.last_seq - entry.seq + 1 if isinstance(entry, Damage) else 1 for entry in entries)
        at = entries[-1].last_seq + 1 if isinstance(entries[-1], Damage) else entries[-1].seq + 1
    assert found == backlog
    assert reader.last_seq == cursor.stored + cursor.duplicates + cursor.dead_lettered + backlog

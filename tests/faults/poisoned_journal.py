"""Journals with records in them that the database refuses, and what comes of every single one."""

from __future__ import annotations

import datetime as dt
import itertools
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import connections

import friren
from friren.accounts import AccountHandle
from friren.core.ids import new_id
from friren.persistence.codec import encode
from friren.persistence.drain import Drained, Drainer
from friren.persistence.facts import Fact
from friren.persistence.journal import Address, Journal
from friren.persistence.models import DeadLetter
from portfolio_manager.data_logger import PortfolioTracker
from tests.faults.orders import Orders
from trading_engine.models import Trade
from trading_engine.trade_facts import trade_fact

__all__ = ["drain_both"]

# One record in so many is poisoned.
EVERY = 100
ACCOUNT = "poison"
CLOSED = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


def drain_both(orders: Orders) -> dict[str, Any]:
    """The task of the child, in a process of its own: see tests.faults.poison."""
    account = friren.open_account(ACCOUNT)
    books = PortfolioTracker(account=ACCOUNT)
    assert books.flush(30)
    books.close_period(CLOSED)
    count, rounds = orders.options["count"], orders.options["rounds"]
    seconds: dict[str, list[float]] = {"clean": [], "poisoned": []}
    wrong: list[str] = []
    poison: dict[str, int] = {}
    totals = {"stored": 0, "dead_lettered": 0}
    for number in range(2 * rounds):
        name = ("clean", "poisoned")[number % 2]
        filled = _Filled(Path(orders.log).with_name(f"poison-{number}"), account, count, poisoned=name == "poisoned")
        began = time.monotonic()
        done = filled.drain()
        seconds[name].append(time.monotonic() - began)
        wrong += [f"{name}: {line}" for line in filled.complaints(done)]
        totals = {key: total + getattr(done, key) for key, total in totals.items()}
        poison |= filled.poison
    return {"seconds": seconds, "wrong": wrong, "poison": poison, "totals": totals}


class _Filled:
    """A journal with trades of an account in it."""

    def __init__(self, root: Path, account: AccountHandle, count: int, *, poisoned: bool) -> None:
        self._journal = Journal(root, Address.of(connections.settings["default"]))
        self._good: dict[UUID, bytes] = {}
        self._bad: dict[int, str] = {}
        self.poison: dict[str, int] = {}
        first = _fact(account, count)
        self._good[first.id] = first.digest
        self._journal.append(encode(first), sync=False)
        poisons = _poisons(account, first)
        for number in range(1, count):
            what, payload = next(poisons) if poisoned and number % EVERY == EVERY // 2 else ("", b"")
            self._journal.append(payload or self._trade(account, number), sync=False)
            if what:
                self._bad[self._journal.last_seq] = what
                self.poison[what] = self.poison.get(what, 0) + 1

    def _trade(self, account: AccountHandle, number: int) -> bytes:
        fact = _fact(account, number)
        self._good[fact.id] = fact.digest
        return encode(fact)

    def drain(self) -> Drained:
        return Drainer(self._journal).drain_all()

    def complaints(self, done: Drained) -> Iterator[str]:
        """Hold what was drained against what was written."""
        wanted = (len(self._good), len(self._bad), 0)
        if (done.stored, done.dead_lettered, done.remaining) != wanted:
            yield f"{done}, and not {wanted}"
        rows = Trade.objects.filter(producer=self._journal.producer).values_list("id", "digest").iterator()
        stored = {key: bytes(digest) for key, digest in rows}
        if stored != self._good:
            yield f"{len(self._good.keys() - stored.keys())} good records are not stored as they were written"
        letters = DeadLetter.objects.filter(producer=self._journal.producer).values_list("seq", "error_class", "error")
        kept = {seq: (error_class, error) for seq, error_class, error in letters}
        if kept.keys() != self._bad.keys():
            yield f"the dead letters are {len(kept)}, not the {len(self._bad)} poisoned ones"
        for seq in kept.keys() & self._bad.keys():
            if kept[seq][0] != POISONS[self._bad[seq]]:
                yield f"{self._bad[seq]}: refused as {kept[seq]}"


# What is wrong with a record, and the class of the refusal.
POISONS = {
    "a key that another record has": "KeyReusedError",
    "against a rule of the table": "RejectedRecordError",
    "in a closed period": "PeriodClosedError",
    "of an order that is not there": "MissingRowError",
    "no record at all": "UnreadableRecordError",
}


def _poisons(account: AccountHandle, first: Fact) -> Iterator[tuple[str, bytes]]:
    """Records as another version or a broken writer may have left them, each refused for another reason."""

    def changed(number: int, key: UUID | None = None, **changes: Any) -> bytes:
        fact = _fact(account, number)
        return encode(Fact(kind=fact.kind, id=key or fact.id, values={**fact.values, **changes}))

    for number in itertools.count(1):
        yield "a key that another record has", changed(number, first.id)
        yield "against a rule of the table", changed(number, quantity=Decimal(-1))
        yield "in a closed period", changed(number, executed_at=CLOSED - dt.timedelta(days=1, seconds=number))
        yield "of an order that is not there", changed(number, order=new_id())
        yield "no record at all", b'{"kind": "trade", "id": 1}'


def _fact(account: AccountHandle, number: int, **changes: Any) -> Fact:
    values = {
        "symbol": ("AAPL", "MSFT", "NVDA")[number % 3], "action": "buy" if number % 4 else "sell",
        "quantity": Decimal(1 + number % 7), "price": Decimal("187.32"),
        "timestamp": CLOSED + dt.timedelta(days=1, seconds=number), "strategy_used": "sma_cross",
        "confidence_score": 0.71, "reasoning": "the fast average crossed the slow one", "shap_values": {"rsi": 0.12},
    }  # fmt: skip
    return trade_fact(account, **(values | changes))

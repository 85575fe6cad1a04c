"""What the tellers of the bank do: money and holdings move between accounts, each deal a pure function of its key."""

from __future__ import annotations

import dataclasses
import datetime as dt
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg

from tests.faults.history import Row

__all__ = ["ACCOUNTS", "CASH", "HALVES", "SYMBOLS", "Deal", "content_of", "deal_of", "rows_of"]

ACCOUNTS = tuple(f"bank-{number}" for number in range(5))
CASH = Decimal(100_000)
SYMBOLS = ("AAPL", "MSFT", "NVDA")
VENUE = "BANK"
BEGIN = dt.datetime(2020, 3, 2, 14, 30, tzinfo=dt.UTC)
# The account that pays, or buys; and the one that is paid, or sells.
HALVES = ("a", "b")


@dataclasses.dataclass(frozen=True, slots=True)
class Deal:
    """
    One deal between two accounts. Its halves are records of their own that share its key.

    Attributes:
        accounts: names of the two, by half.
        kinds: of the cash movements by half; () for fills, which have the same price and no commission.
        amount: of money that changes hands; of fills the price of one.
        quantity: 0 for cash.
    """

    accounts: dict[str, str]
    kinds: dict[str, str]
    amount: Decimal
    quantity: Decimal
    symbol: str
    at: dt.datetime


def deal_of(key: str) -> Deal:
    """Return the deal of a key."""
    chance = random.Random(key)
    payer, payee = chance.sample(ACCOUNTS, 2)
    kinds: dict[str, str] = {}
    if chance.random() < 0.5:
        kinds = dict(zip(HALVES, chance.choice((("TRANSFER", "TRANSFER"), ("WITHDRAWAL", "DEPOSIT"))), strict=True))
    return Deal(
        accounts=dict(zip(HALVES, (payer, payee), strict=True)),
        kinds=kinds,
        amount=Decimal(chance.randint(1, 10**6)) / 100,
        quantity=Decimal(0) if kinds else Decimal(chance.randint(1, 5000)) / 100,
        symbol=chance.choice(SYMBOLS),
        at=BEGIN + dt.timedelta(seconds=chance.randint(0, 10**6)),
    )


def content_of(half: str) -> tuple[Any, ...]:
    """Return what must be stored of half a deal."""
    key, _, which = half.rpartition(".")
    deal = deal_of(key)
    if deal.kinds:
        amount = -deal.amount if which == "a" else deal.amount
        other = deal.accounts["b" if which == "a" else "a"] if deal.kinds[which] == "TRANSFER" else None
        return (deal.accounts[which], deal.kinds[which], amount, deal.at, other)
    return (deal.accounts[which], deal.symbol, deal.quantity, deal.amount, deal.at)


_QUESTIONS = (
    """SELECT c.external_id || CASE WHEN c.amount < 0 THEN '.a' ELSE '.b' END, c.recorded_seq,
              a.name, c.kind, c.amount, c.occurred_at, o.name
       FROM portfolio_manager_cashmovement c JOIN core_account a ON a.id = c.account_id
       LEFT JOIN core_account o ON o.id = c.counter_account_id WHERE c.venue = %(venue)s""",
    """SELECT t.external_id || CASE t.action WHEN 'buy' THEN '.a' ELSE '.b' END, t.recorded_seq,
              a.name, s.ticker, t.quantity, t.price, t.executed_at
       FROM trading_engine_trade t JOIN core_account a ON a.id = t.account_id
       JOIN trading_engine_symbol s ON s.id = t.symbol_id WHERE t.venue = %(venue)s""",
)


def rows_of(connection: psycopg.Connection) -> Iterator[Row]:
    """Return every half of a deal that is stored."""
    for question in _QUESTIONS:
        for half, number, *content in connection.execute(question, {"venue": VENUE}):
            yield Row(half, tuple(content), number)

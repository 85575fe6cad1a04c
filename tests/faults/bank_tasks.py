"""Tasks of a child at the bank: opening its accounts, making deals, and saying what the books hold in the end."""

from __future__ import annotations

import random
from typing import Any

import friren
from friren.persistence.engines import engine_for
from portfolio_manager.data_logger import PortfolioTracker
from tests.faults.bank_script import ACCOUNTS, CASH, HALVES, VENUE, deal_of
from tests.faults.child import Diary
from tests.faults.orders import Orders
from tests.faults.script import key_of
from trading_engine.services import TradeLogger

__all__ = ["bank_books", "make_deals", "open_bank"]


def open_bank(_orders: Orders) -> dict[str, str]:
    """Open the accounts, each with the same cash."""
    return {name: str(friren.open_account(name, starting_cash=CASH).id) for name in ACCOUNTS}


class Teller:
    """Makes deals: halves in any order, some through the journal, some fills logged and booked later."""

    def __init__(self, diary: Diary) -> None:
        self._diary = diary
        self._books = {name: PortfolioTracker(name) for name in ACCOUNTS}
        self._journaling = {name: PortfolioTracker(name, mode="journal") for name in ACCOUNTS}
        self._trades = {name: TradeLogger(name) for name in ACCOUNTS}

    def make(self, key: str) -> None:
        """Make both halves of a deal; the same key makes the same deal, however often."""
        deal, chance = deal_of(key), random.Random()
        for which in chance.sample(HALVES, 2):
            account = deal.accounts[which]
            books = chance.choice((self._books, self._books, self._journaling))[account]
            told: dict[str, Any]
            if deal.kinds:
                told = {"venue": VENUE, "movement_id": key}
                if deal.kinds[which] == "TRANSFER":
                    told["counter_account"] = self._books[deal.accounts["b" if which == "a" else "a"]].account.id
                amount = -deal.amount if which == "a" else deal.amount
                self._diary.call(f"{key}.{which}", books.record_cash, deal.kinds[which], amount, deal.at, **told)
                continue
            told = {"action": "buy" if which == "a" else "sell", "quantity": deal.quantity, "price": deal.amount}
            told |= {"symbol": deal.symbol, "timestamp": deal.at, "venue": VENUE, "trade_id": key}
            method = chance.choice((books.record_trade, self._trades[account].log_trade))
            self._diary.call(f"{key}.{which}", method, **told)


def make_deals(orders: Orders) -> None:
    """Make the deals that are to be made again, and then new ones, until killed or so many are made."""
    teller = Teller(Diary(orders.log))
    for key in orders.options["again"]:
        teller.make(key)
    for index in range(orders.options["count"]):
        teller.make(key_of(orders.number, 0, index))
    engine_for().flush(60)


def bank_books(_orders: Orders) -> dict[str, Any]:
    """Book what is not booked, refold all books, and say what differs."""
    differences: list[str] = []
    for name in ACCOUNTS:
        rebuilt = PortfolioTracker(name).rebuild(check=True)
        differences += [f"{name}: {difference}" for difference in rebuilt.differences]
    return {"differences": differences}

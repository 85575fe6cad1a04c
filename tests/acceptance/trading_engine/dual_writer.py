"""
A paper trader of Prescient's make, cycle after cycle in dual-write mode, as it is told to by lines.

One cycle gives signals, keeps them, fills some of them, ends a position, keeps portfolio, day and archive: every write
that Prescient's controllers make. What it trades on it keeps in memory, as they do.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import sys
import time
from decimal import Decimal
from typing import Any

import friren

BEGINS = dt.datetime(2026, 3, 2, 14, 30, tzinfo=dt.UTC)
STAKE = Decimal(100)


class Trader:
    """The books of one paper account, in memory and in the storage."""

    def __init__(self, seed: int) -> None:
        from trading_engine.data.storage import storage_for

        book = friren.open_account("prescient", position_mode="HEDGING", starting_cash=10_000_000)
        self.storage = storage_for(book)
        self.random = random.Random(seed)
        self.cycles, self.sides = 0, []
        self.balance, self.positions, self.trades = Decimal(10_000_000), [], 0

    def cycle(self) -> dict[str, Any]:
        """Trade once; say what became of the writes, and how long the slowest took."""
        at = BEGINS + dt.timedelta(hours=self.cycles)
        self.sides, slowest = [], 0.0
        began = time.perf_counter()
        for table, records in self._writes(at):
            told = self.storage.save(table, records)
            self.sides.append((told.file, told.database))
            slowest, began = max(slowest, time.perf_counter() - began), time.perf_counter()
        # What is read is whole, whichever side it comes from.
        assert len(self.storage.load("trades")) == self.trades
        self.cycles += 1
        return {"sides": self.sides, "slowest": slowest}

    def _writes(self, at: dt.datetime) -> list[tuple[str, list[dict[str, Any]]]]:
        signals = [self._signal(at, number) for number in range(self.random.randrange(4))]
        writes: list[tuple[str, list[dict[str, Any]]]] = [("signals", [dict(signal) for signal in signals])]
        writes += [("trades", [self._fill(signal, at)]) for signal in signals[:2]]
        if signals:
            writes.append(("signals", signals))
        if self.positions and self.random.random() < 0.5:
            self._close(self.random.choice(self.positions), at)
        portfolio = self._portfolio(at)
        figures = {name: portfolio[name] for name in ("balance", "total_invested", "total_profit_loss", "trade_count")}
        day = {
            **figures, "snapshot_date": at.date(), "timestamp": at, "total_value": self.balance, "open_positions": 0
        }  # fmt: skip
        writes += [("portfolio", [portfolio]), ("portfolio_history", [day])]
        archive = {"archived_at": at, "signals": [{**signal, "amount": 100} for signal in signals]}
        return [*writes, ("signal_archives", [archive])]

    def _signal(self, at: dt.datetime, number: int) -> dict[str, Any]:
        price = Decimal(self.random.randrange(501, 999)) / 1000
        return {
            "timestamp": at, "market_id": str(1000 + number), "market_question": "Will it?", "action": "buy_yes",
            "target_price": price, "amount": STAKE, "confidence": price - Decimal("0.5"), "reason": "likely",
            "yes_price": price, "no_price": 1 - price,
        }  # fmt: skip

    def _fill(self, signal: dict[str, Any], at: dt.datetime) -> dict[str, Any]:
        key = f"trade_{at:%Y%m%d_%H%M%S}_{signal['market_id']}"
        names = ("market_id", "market_question", "action", "amount")
        trade = {name: signal[name] for name in names}
        trade |= {"trade_id": key, "timestamp": at, "entry_price": signal["target_price"], "status": "open"}
        trade |= {"confidence": signal["confidence"], "reason": signal["reason"], "current_pnl": 0}
        signal |= {"executed": True, "executed_at": at, "trade_id": key}
        self.balance -= STAKE
        self.trades += 1
        position = {name: trade[name] for name in (*names, "trade_id", "entry_price", "status")}
        self.positions.append({**position, "entry_timestamp": at, "current_pnl": 0})
        return trade

    def _close(self, position: dict[str, Any], at: dt.datetime) -> None:
        if position["status"] == "open":
            profit = ((1 - position["entry_price"]) * STAKE).quantize(Decimal("0.01"))
            position |= {"status": "closed", "exit_price": 1, "exit_timestamp": at, "realized_pnl": profit}
            self.balance += STAKE + profit

    def _portfolio(self, at: dt.datetime) -> dict[str, Any]:
        return {
            "balance": self.balance, "total_invested": STAKE * self.trades, "total_profit_loss": 0,
            "trade_count": self.trades, "created_at": BEGINS, "last_updated": at, "positions": self.positions,
        }  # fmt: skip

    def end(self) -> dict[str, Any]:
        """Wait until the database has everything, and say how much this process still owes to either side."""
        flushed = self.storage.database.recorder.drained(120)
        return {"flushed": flushed, "waiting": self.storage.waiting, "trades": self.trades}


def _plain(value: Any) -> str:
    return str(value)


if __name__ == "__main__":
    # Answers alone go to the pipe; what is logged goes with the errors.
    answers, sys.stdout = sys.stdout, sys.stderr
    friren.setup()
    trader = Trader(int(sys.argv[1]))
    for word in sys.stdin:
        answers.write(json.dumps(getattr(trader, word.strip())(), default=_plain) + "\n")
        answers.flush()

"""A process that keeps books as it is told to by lines, and says of every call what came of it as JSON."""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import friren
from friren.core.ids import natural_id
from friren.errors import FrirenError

MOMENT = dt.datetime(2026, 3, 2, 14, 30, tzinfo=dt.UTC)
FILL = natural_id("trade of this test", 1)
CALLS = (
    "update_position", "mark_to_market", "calculate_pnl", "by_symbol", "never_asked_before", "compute", "rebuild",
    "close_period",
)  # fmt: skip


def at(minute: int) -> dt.datetime:
    return MOMENT + dt.timedelta(minutes=minute)


class Keeper:
    """What may be asked, by name; each answer is what the test wants to see of it."""

    def __init__(self) -> None:
        from portfolio_manager.data_logger import PortfolioTracker, RiskLogger

        book = friren.open_account("books", starting_cash=1000)
        self.tracker, self.risk = PortfolioTracker(book), RiskLogger(book)

    def _fill(self, minute: int, action: str, quantity: int, price: int, **more: Any) -> dict[str, Any]:
        told = {"symbol": "AAPL", "action": action, "quantity": quantity, "price": price, "timestamp": at(minute)}
        return {"outcome": self.tracker.record_trade(**told, **more).outcome}

    def trade(self) -> dict[str, Any]:
        first = self._fill(0, "buy", 10, 10, trade_id=FILL, commission=1)
        self._fill(1, "sell", 5, 14)
        return first

    def sell(self) -> dict[str, Any]:
        return self._fill(2, "sell", 5, 13)

    def calls(self) -> dict[str, Any]:
        told: dict[str, Any] = {}
        slowest = 0.0
        for name in CALLS:
            began = time.perf_counter()
            told[name] = getattr(self, name)()
            slowest = max(slowest, time.perf_counter() - began)
        return {**told, "slowest": slowest}

    def update_position(self) -> dict[str, Any]:
        return {"outcome": self.tracker.update_position(FILL).outcome}

    def mark_to_market(self) -> dict[str, Any]:
        found = self.tracker.mark_to_market({"AAPL": Decimal(13)}, at(5))
        return {"done": found.done, "positions": found.positions}

    def calculate_pnl(self, **asked: Any) -> dict[str, Any]:
        found = self.tracker.calculate_pnl(**asked)
        figures = {name: plain(getattr(found, name)) for name in ("realized", "total", "net")}
        return {**figures, "as_of": found.as_of is not None, "stale": found.stale}

    def never_asked_before(self) -> dict[str, Any]:
        return self.calculate_pnl(start=MOMENT - dt.timedelta(seconds=time.monotonic()))

    def by_symbol(self) -> dict[str, Any]:
        found = self.tracker.calculate_pnl(by="symbol")
        return {"keys": list(found), "as_of": found.as_of is not None, "stale": found.stale}

    def compute(self) -> dict[str, Any]:
        return {"outcome": self.risk.compute(at(6)).outcome}

    def rebuild(self) -> dict[str, Any]:
        return step(lambda: {"differences": len(self.tracker.rebuild(check=True).differences)})

    def close_period(self) -> dict[str, Any]:
        return step(lambda: {"trades": self.tracker.close_period(at(-60)).trade_count})

    def flush(self) -> dict[str, Any]:
        return {"flushed": self.tracker.flush(60)}


def step(do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return do()
    except FrirenError as exc:
        text = str(exc)
        return {"raised": type(exc).__name__, "plain": "\n" not in text and "manage.py health" in text}


def plain(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"


if __name__ == "__main__":
    friren.setup()
    keeper = Keeper()
    for word in sys.stdin:
        sys.stdout.write(json.dumps(getattr(keeper, word.strip())()) + "\n")
        sys.stdout.flush()

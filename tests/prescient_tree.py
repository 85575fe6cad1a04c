"""A tree of Prescient's JSON files, of exactly the documented shape, as its paper trading leaves it."""

from __future__ import annotations

import copy
import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

START = dt.datetime(2025, 10, 20, 17, 2, 45, 884042)  # noqa: DTZ001 - Prescient writes naive times


class Tree:
    """
    What Prescient has in its files, day after day; `write` leaves it below `root`.

    Args:
        trades: how many are made at once; every third one is closed by `close`.
    """

    def __init__(self, root: Path, *, trades: int = 6) -> None:
        self.root, self._written = root, 0
        self.signals = [self._signal(number) for number in range(trades)]
        self.trades = [self._trade(signal, number) for number, signal in enumerate(self.signals)]
        self.positions = [self._position(trade) for trade in self.trades]
        self.history = [self._day(0)]
        self.archives: dict[str, list[dict[str, Any]]] = {
            "2025-10": [
                {
                    "archived_at": (START + dt.timedelta(minutes=5)).isoformat(),
                    "signals_count": trades,
                    "signals": copy.deepcopy(self.signals),
                }
            ]
        }

        self.raw_events = [self._event(number) for number in range(trades + 2)]
        self.events = [{**event, "days_until_end": 110} for event in self.raw_events[:trades]]
        self.markets = [self._market(signal) for signal in self.signals]

    @staticmethod
    def _event(number: int) -> dict[str, Any]:
        return {
            "id": f"{23656 + number}",
            "slug": f"event-{number}",
            "title": "Super Bowl Champion 2026",
            "startDate": "2025-05-01T20:30:33.749654Z",
            "endDate": "2026-02-08T12:00:00Z",
            "liquidity": 22924218.59881,
            "volume": 311846722.482737 + number,
            "volume24hr": 59738785.64991311,
            "tags": [{"id": "1", "label": "Sports"}],
        }

    @staticmethod
    def _market(signal: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": signal["market_id"],
            "question": signal["market_question"],
            "outcomes": '["Yes", "No"]',
            "outcomePrices": json.dumps([str(signal["yes_price"]), str(signal["no_price"])]),
            "liquidity": "1758359.76599",
            "volume": "23286094.862589",
            "volume24hr": 10374216.164318996,
            "conditionId": f"0x{signal['market_id']}",
        }

    @staticmethod
    def _signal(number: int) -> dict[str, Any]:
        yes = round(0.51 + 0.037 * (number % 12), 4)
        return {
            "timestamp": START.isoformat(),
            "market_id": f"{634159 + number}",
            "market_question": f"Will event {number} happen? Ünïcode “quoted”",
            "action": "buy_yes" if number % 2 == 0 else "buy_no",
            "target_price": yes,
            "amount": 100,
            "confidence": round(yes - 0.5, 4),
            "reason": f"YES price {yes:.3f} > 0.50, buying YES at {yes:.3f}",
            "yes_price": yes,
            "no_price": round(1 - yes, 4),
            "market_liquidity": 1758359.76599,
            "market_volume": 23286094.862589,
            "event_id": f"{23656 + number}",
            "event_title": "Super Bowl Champion 2026",
            "event_end_date": "2026-02-08T12:00:00Z",
        }

    @staticmethod
    def _trade(signal: dict[str, Any], number: int) -> dict[str, Any]:
        at = START + dt.timedelta(microseconds=20 * number)
        return {
            "trade_id": f"trade_20251020_170245_{signal['market_id']}",
            "timestamp": at.isoformat(),
            **{name: signal[name] for name in ("market_id", "market_question", "action", "amount")},
            "entry_price": signal["target_price"],
            "confidence": signal["confidence"],
            "reason": signal["reason"],
            "status": "open",
            **{name: signal[name] for name in ("event_id", "event_title", "event_end_date")},
            "current_pnl": 0.0,
            "realized_pnl": None,
        }

    @staticmethod
    def _position(trade: dict[str, Any]) -> dict[str, Any]:
        return {
            **{name: trade[name] for name in ("trade_id", "market_id", "market_question", "action", "amount")},
            "entry_price": trade["entry_price"],
            "entry_timestamp": trade["timestamp"],
            "status": "open",
            "current_pnl": 0.0,
        }

    @property
    def portfolio(self) -> dict[str, Any]:
        """The document of the portfolio, as it follows from the trades."""
        won = sum(position.get("realized_pnl") or 0 for position in self.positions)
        spent = sum(100 for position in self.positions if position["status"] == "open")
        return {
            "balance": round(10000.0 - spent + won, 2),
            "positions": self.positions,
            "total_invested": 100.0 * len(self.trades),
            "total_profit_loss": round(sum(position["current_pnl"] for position in self.positions), 2),
            "trade_count": len(self.trades),
            "created_at": (START - dt.timedelta(days=1)).isoformat(),
            "last_updated": (START + dt.timedelta(days=len(self.history), seconds=5)).isoformat(),
        }

    def _day(self, number: int) -> dict[str, Any]:
        at = START + dt.timedelta(days=number, hours=1)
        portfolio = {"balance": 9400.0, "total_invested": 600.0, "total_profit_loss": 12.34 + number}
        return {
            "snapshot_date": at.date().isoformat(),
            "timestamp": at.isoformat(),
            **portfolio,
            "total_value": portfolio["balance"] + portfolio["total_profit_loss"],
            "open_positions": len(self.trades),
            "trade_count": len(self.trades),
        }

    def next_day(self) -> None:
        """Close every third position, mark the others, execute a signal, and note the day."""
        for number, position in enumerate(self.positions):
            if number % 3 == 0:
                at = (START + dt.timedelta(days=1, minutes=number)).isoformat()
                pnl = round((1 - position["entry_price"]) * position["amount"], 2)
                position |= {"status": "closed", "realized_pnl": pnl, "exit_price": 1.0, "exit_timestamp": at}
                position["current_pnl"] = 0.0
            else:
                position["current_pnl"] = round(3.25 * number, 2)
        self.signals[0] |= {
            "executed": True,
            "executed_at": self.trades[0]["timestamp"],
            "trade_id": self.trades[0]["trade_id"],
        }
        self.history.append(self._day(1))

    def write(self) -> Path:
        """Write all files as Prescient does, in the order of its cycle, and return the root."""
        self._write("events/raw_events_backup.json", self.raw_events)
        self._write("events/filtered_events.json", self.events)
        self._write("markets/filtered_markets.json", self.markets)
        self._write("trades/paper_trades.json", self.trades)
        self._write("trades/portfolio.json", self.portfolio)
        self._write("trades/current_signals.json", self.signals)
        self._write("history/portfolio_history.json", self.history)
        for month, batches in self.archives.items():
            self._write(f"history/signals_archive_{month}.json", batches)
        return self.root

    def _write(self, name: str, content: Any) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")
        # When it was written, by the clock of what stands in it; one after the other.
        self._written += 1
        at = START.replace(tzinfo=dt.UTC) + dt.timedelta(days=len(self.history), seconds=self._written % 8)
        os.utime(path, (at.timestamp(), at.timestamp()))

"""A process that logs, as a bot would: told what to do by its arguments, it says what came of it as JSON."""

from __future__ import annotations

import collections
import datetime as dt
import json
import sys
import threading
import time
from decimal import Decimal
from typing import Any

import friren
from tests.busy import Stopwatch

MOMENT = dt.datetime(2026, 3, 2, 14, 30, tzinfo=dt.UTC)


def trade(number: int, name: str = "T") -> dict[str, Any]:
    """The same number is the same fill, told twice or by another process."""
    return {
        "symbol": ("AAPL", "MSFT", "NVDA")[number % 3],
        "action": "buy" if number % 4 else "sell",
        "quantity": Decimal(1 + number % 7),
        "price": Decimal("187.32") + number % 50,
        "timestamp": MOMENT + dt.timedelta(seconds=number),
        "trade_id": f"{name}{number}",
        "venue": "TEST",
        "strategy_used": "sma_cross",
        "confidence_score": 0.71,
        "shap_values": {"rsi": 0.12},
    }


class Told:
    """Outcomes and durations of many calls, from any thread; only this process's own time when it is to be judged."""

    def __init__(self, *, judged: bool = False) -> None:
        self.judged = judged
        self.outcomes: collections.Counter[str] = collections.Counter()
        self.errors: collections.Counter[str] = collections.Counter()
        self.seconds: list[float] = []

    def call(self, method: Any, **told: Any) -> None:
        began = Stopwatch() if self.judged else time.perf_counter()
        try:
            self.outcomes[method(**told).outcome.value] += 1
        except Exception as exc:  # noqa: BLE001 - no exception at all may leave a logger: they are counted
            self.errors[f"{type(exc).__name__}: {exc}"[:200]] += 1
        self.seconds.append(began.own if isinstance(began, Stopwatch) else time.perf_counter() - began)

    def say(self, **more: Any) -> None:
        ordered = sorted(self.seconds)
        say(
            json.dumps(
                {
                    "outcomes": self.outcomes,
                    "errors": self.errors,
                    "slowest": [round(x, 4) for x in ordered[-10:]],
                    "p999": ordered[min(len(ordered) - 1, int(len(ordered) * 0.999))] if ordered else None,
                    "calls": len(ordered),
                    **more,
                }
            )
        )


def hear() -> str:
    """Wait for the test to say a word; "" when it has gone."""
    return sys.stdin.readline().strip()


def say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def open_books(mode: str = "direct", **told: Any) -> Any:
    friren.setup()
    from trading_engine.services import TradeLogger

    book = friren.open_account("outage", starting_cash=Decimal(1_000_000))
    return TradeLogger(account=book, mode=mode, **told)


def log_some(count: str, mode: str = "direct") -> None:
    """Log `count` trades and end."""
    trades, told = open_books(mode), Told()
    for number in range(int(count)):
        told.call(trades.log_trade, **trade(number))
    told.say(flushed=trades.flush(timeout=0))


def log_under_load(count: str, threads: str, mode: str = "direct") -> None:
    """Log `count` trades from several threads; say "half" halfway, and end when all are in the database."""
    trades, told = open_books(mode), Told()
    total, workers = int(count), int(threads)
    halfway = threading.Semaphore(0)

    def work(first: int) -> None:
        for number in range(first, total, workers):
            if number >= total // 2 > number - workers:
                halfway.release()
            told.call(trades.log_trade, **trade(number))

    pool = [threading.Thread(target=work, args=(first,)) for first in range(workers)]
    for thread in pool:
        thread.start()
    halfway.acquire()
    say("half")
    for thread in pool:
        thread.join()
    say("logged")
    hear()
    told.say(flushed=trades.flush(timeout=60), **_figures())


def log_while_frozen(count: str) -> None:
    """Log until told to stop, in turns: the test freezes and thaws the server between the words."""
    trades, told = open_books(), Told(judged=True)
    per_turn = int(count)
    number = 0
    say("ready")
    while hear() == "go":
        for _ in range(per_turn):
            told.call(trades.log_trade, **trade(number))
            number += 1
        say("done")
    told.say(flushed=trades.flush(timeout=60), **_figures())


def log_in_turns(records_max: str, mode: str = "direct") -> None:
    """Log as the test says: "trades N", "orders N", "signals N", "flush", "end"; answers after each."""
    from friren.persistence import buffer

    buffer.Buffer.__init__.__kwdefaults__["records_max"] = int(records_max)
    trades, number = open_books(mode), 0
    from trading_engine.services import SignalLogger

    signals = SignalLogger(account=trades.account, mode=mode)
    say("ready")
    while (word := hear()) not in {"end", ""}:
        what, _, count = word.partition(" ")
        told = Told()
        for _ in range(int(count or 0)):
            number += 1
            if what == "trades":
                told.call(trades.log_trade, **trade(number))
            elif what == "orders":
                kept = ("symbol", "action", "quantity", "timestamp")
                told.call(trades.log_order, order_id=f"O{number}", **{k: trade(number)[k] for k in kept})
            else:
                told.call(signals.log_signal, symbol="AAPL", signal_type="BUY", timestamp=MOMENT)
        told.say(flushed=trades.flush(timeout=120) if what == "flush" else None, **_figures())


def log_round_trips() -> None:
    """Log round trips until killed."""
    trades, told = open_books("journal", durability="os"), {"symbol": "AAPL", "action": "buy", "quantity": 1}
    say("ready")
    while True:
        trades.log_round_trip(
            **told, entry_price=10, entry_timestamp=MOMENT, exit_price=11, exit_timestamp=MOMENT + dt.timedelta(hours=1)
        )


def tell_everything() -> None:
    """Call every method of every service as often as the test says: "tell NAME", "again NAME", "flush", "end"."""
    from tests.every_call import say_all

    friren.setup()
    say("ready")
    while (word := hear()) not in {"end", ""}:
        what, _, name = word.partition(" ")
        if what == "flush":
            from friren.persistence.engines import engine_for

            say(json.dumps({"flushed": engine_for().flush(60), **_figures()}))
        else:
            told, slowest = say_all(name, again=what == "again")
            say(json.dumps({"told": told, "slowest": slowest}))
    say(json.dumps(_figures()))


def _figures() -> dict[str, Any]:
    from friren.persistence.engines import engine_for

    engine = engine_for()
    return {"backlog": engine.backlog, "buffered": len(engine.buffer), "last_seq": engine.last_seq}


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])

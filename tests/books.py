"""Builders for tests of the books: short facts, equity of a book, recorded runs of other systems as facts."""

from __future__ import annotations

import csv
import datetime as dt
import itertools
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from friren.core.numbers import CONTEXT, ZERO, quantize
from portfolio_manager.accounting import Books, Cash, Fill, Instrument, InstrumentType, PositionState, Side, mark

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
SHARE = Instrument(type="EQUITY", key="AAPL", currency="USD")
FUTURE = Instrument(type="LEVERAGED", key="ESZ6", currency="USD", multiplier=Decimal(50))
MARKET = Instrument(type="PREDICTION", key="fed-june", currency="USD")
_SPACE = UUID("00000000-0000-0000-0000-000000000001")


def at(minutes: float) -> dt.datetime:
    """Return noon plus so many minutes."""
    return NOON + dt.timedelta(minutes=minutes)


def uid(number: int) -> UUID:
    """Return the id of the fact with this number: ids are ordered as their numbers are."""
    return UUID(int=number + 1)


def trade(number: int, action: str, quantity: str, price: str, **more: Any) -> Fill:
    """Return a fill of SHARE, `number` minutes after noon."""
    more.setdefault("instrument", SHARE)
    more.setdefault("executed_at", at(number))
    for name in ("commission", "amount", "leverage", "stop_loss_price", "target_price"):
        if isinstance(more.get(name), str):
            more[name] = Decimal(more[name])
    return Fill(id=uid(number), action=action, quantity=Decimal(quantity), price=Decimal(price), **more)


def deposit(amount: str, *, number: int = 0, currency: str = "USD") -> Cash:
    """Return a deposit, a day before noon."""
    day_before = NOON - dt.timedelta(days=1)
    return Cash(
        id=uuid5(_SPACE, f"deposit {number}"), at=day_before, kind="DEPOSIT", currency=currency, amount=Decimal(amount)
    )


def open_positions(books: Books) -> list[PositionState]:
    """Return what is held at the end."""
    return [position for position in books.positions if position.quantity]


def unrealized(books: Books, prices: Mapping[Any, Decimal]) -> Decimal:
    """Return Σ unrealised profit; `prices` by instrument key, of a NO token by (key, "NO")."""
    return sum((_mark(position, prices).unrealized_pnl for position in open_positions(books)), start=ZERO)


def unrealized_of(position: PositionState, prices: Mapping[Any, Decimal]) -> Decimal | None:
    """Return the unrealised profit of an open position; None where its instrument has no price."""
    key: Any = position.instrument.key
    known = ((key, "NO") if position.side == Side.NO else key) in prices
    return _mark(position, prices).unrealized_pnl if known else None


def equity(books: Books, prices: Mapping[Any, Decimal], currency: str = "USD") -> Decimal:
    """Return cash plus the value of what was paid for plus the unrealised profit of what is leveraged."""
    total = books.balances.get(currency, ZERO)
    for position in open_positions(books):
        seen = _mark(position, prices)
        leveraged = position.instrument.type == InstrumentType.LEVERAGED
        total = CONTEXT.add(total, seen.unrealized_pnl if leveraged else seen.value)
    return total


def _mark(position: PositionState, prices: Mapping[Any, Decimal]) -> Any:
    key: Any = position.instrument.key
    return mark(
        instrument_type=position.instrument.type,
        side=position.side,
        quantity=position.quantity,
        total_cost=position.total_cost,
        price=prices[(key, "NO") if position.side == Side.NO else key],
        multiplier=position.instrument.multiplier,
        leverage=position.leverage,
    )


def number(value: Any) -> Decimal:
    """Return a recorded number as the exact decimal it was written as, cut to the digits the books keep."""
    return quantize(Decimal(str(value)))


def pyfolio_trades(folder: Path) -> list[dict[str, Any]]:
    """Return the fills of the recorded pyfolio year 2004 as keyword arguments of `log_trade`."""
    with (folder / "trades/pyfolio_2004/txn.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    return [
        {
            "symbol": row["symbol"],
            "action": "buy" if int(row["amount"]) > 0 else "sell",
            "quantity": Decimal(abs(int(row["amount"]))),
            "price": number(row["price"]),
            "timestamp": dt.datetime.fromisoformat(row[""]),
            "venue": "pyfolio",
            "external_id": str(index),
        }
        for index, row in enumerate(rows)
    ]


def pyfolio_closes(folder: Path, shares: Mapping[str, Decimal]) -> tuple[dict[str, Decimal], Decimal, Decimal]:
    """Return closing prices of the last day (value ÷ shares held), its cash and its total."""
    with (folder / "trades/pyfolio_2004/pos.csv").open(newline="") as lines:
        last = list(csv.DictReader(lines))[-1]
    prices = {symbol: CONTEXT.divide(Decimal(last[symbol]), held) for symbol, held in shares.items()}
    return prices, Decimal(last["cash"]), sum((Decimal(last[name]) for name in (*shares, "cash")), start=ZERO)


def zipline_run(folder: Path, name: str) -> dict[str, Any]:
    """Return a recorded zipline run; numbers as the exact decimals they were written as."""
    text = (folder / f"trades/zipline/{name}.json").read_text()
    run: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return run


def zipline_trades(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return its fills as keyword arguments of `log_trade`; an order's commission goes with its first fill."""
    fees: dict[str, Decimal] = {}
    for order in run["orders"]:
        fees[order["id"]] = Decimal(order["commission"] or 0)
    return [
        {
            "symbol": fill["symbol"],
            "action": "buy" if fill["amount"] > 0 else "sell",
            "quantity": Decimal(abs(fill["amount"])),
            "price": number(fill["price"]),
            "timestamp": dt.datetime.fromisoformat(fill["dt"]),
            "commission": fees.pop(fill["order_id"], None),
            "venue": "zipline",
            "external_id": f"{run['algorithm']}:{index}",
        }
        for index, fill in enumerate(run["transactions"])
    ]


def freqtrade_round_trips(folder: Path) -> list[dict[str, Any]]:
    """Return the 7 + 3 closed trades of the recorded answers; numbers as exact decimals."""
    base = folder / "trades/freqtrade"
    backtest = json.loads((base / "backtest_get_end.json").read_text(), parse_float=Decimal)
    live = json.loads((base / "trades.json").read_text(), parse_float=Decimal)
    return [*backtest["backtest_result"]["strategy"]["SampleStrategy"]["trades"], *live["trades"]]


def freqtrade_trades(trips: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return entry and exit of each round trip as keyword arguments of `log_trade`."""
    calls: list[dict[str, Any]] = []
    for index, trip in enumerate(trips):
        for part, action in (("open", "buy"), ("close", "sell")):
            rate, fee = f"{part}_rate", f"fee_{part}"
            calls.append(
                {
                    "symbol": trip["pair"],
                    "action": action,
                    "quantity": number(trip["amount"]),
                    "price": number(trip[rate]),
                    "timestamp": dt.datetime.fromtimestamp(float(trip[f"{part}_timestamp"]) / 1000, tz=dt.UTC),
                    "commission": quantize(CONTEXT.multiply(CONTEXT.multiply(trip["amount"], trip[rate]), trip[fee])),
                    "strategy_used": f"trip {index}",
                    "venue": "freqtrade",
                    "external_id": f"{index}:{part}",
                }
            )
    return calls


def as_fills(calls: Iterable[Mapping[str, Any]], currency: str = "USD") -> list[Fill]:
    """Return `log_trade` calls as facts of the pure fold, with ids in the order given."""
    counter = itertools.count()
    return [
        Fill(
            id=uid(next(counter)),
            executed_at=call["timestamp"],
            instrument=Instrument(type="EQUITY", key=call["symbol"], currency=currency),
            action=call["action"],
            quantity=call["quantity"],
            price=call["price"],
            strategy=call.get("strategy_used", ""),
            commission=call.get("commission"),
        )
        for call in calls
    ]

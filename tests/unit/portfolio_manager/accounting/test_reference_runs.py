"""Recorded runs of other systems, folded: their own figures come out."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest

from friren.core.numbers import CONTEXT, ZERO
from portfolio_manager.accounting import Fold, Split, exact_sum, fold, fold_key
from tests.books import (
    as_fills,
    deposit,
    equity,
    freqtrade_round_trips,
    freqtrade_trades,
    number,
    open_positions,
    pyfolio_closes,
    pyfolio_trades,
    uid,
    unrealized,
    zipline_run,
    zipline_trades,
)

D = Decimal
SHARES_2004 = {"AMD": 2139, "CERN": 2092, "COST": -170, "DELL": 424, "GPS": -6, "INTC": 2514, "MMM": 25}


@pytest.mark.parametrize(
    ("basis", "realized"),
    [("AVERAGE", "40025.960340977955"), ("FIFO", "39940.43213941311"), ("LIFO", "40060.79629841311")],
)
def test_pyfolio_2004(shared_data: Path, basis: str, realized: str) -> None:
    books = fold([deposit("100000"), *as_fills(pyfolio_trades(shared_data))], cost_basis=basis)
    shares = {p.instrument.key: p.quantity if p.side == "LONG" else -p.quantity for p in open_positions(books)}
    assert shares == SHARES_2004
    closes, cash, total = pyfolio_closes(shared_data, shares)
    assert books.balances["USD"] == D("24022.20491441311")
    assert abs(books.balances["USD"] - cash) < D("1e-6")
    assert equity(books, closes) == D("140479.95121341311")
    assert abs(equity(books, closes) - total) < D("1e-6")
    assert abs(books.realized_pnl - D(realized)) < D("1e-12")
    assert CONTEXT.add(books.realized_pnl, unrealized(books, closes)) == D("40479.95121341311")


@pytest.mark.parametrize("name", ["buy_and_hold", "dual_ema_talib"])
def test_zipline_cash_and_value_of_every_day(shared_data: Path, name: str) -> None:
    run = zipline_run(shared_data, name)
    facts = list(as_fills(zipline_trades(run)))
    if name == "dual_ema_talib":
        effective = dt.datetime(2014, 6, 9, tzinfo=dt.UTC)
        facts.append(Split(id=uid(10**6), at=effective, symbol="AAPL", ratio=D(7)))
    facts.sort(key=fold_key)
    folding, cash = Fold(), D(10_000_000)
    shown: dict[str, dict[str, Decimal]] = {}
    for row in run["positions"]:
        shown.setdefault(row["session"], {})[row["symbol"]] = row["last_sale_price"]
    held_max = ZERO
    for day in run["daily_performance"]:
        close = dt.datetime.fromisoformat(day["session"])
        while facts and facts[0].at <= close:
            cash = exact_sum([cash, *(line.amount for line in folding.apply(facts.pop(0)).entries)])
        prices = shown.get(day["session"], {})
        value = exact_sum(CONTEXT.multiply(p.quantity, prices[p.instrument.key]) for p in folding.open_positions())
        assert abs(cash - number(day["ending_cash"])) < D("1e-8")
        assert abs(value - number(day["ending_value"])) < D("1e-8")
        held_max = max([held_max, *(p.quantity for p in folding.open_positions())])
    assert not facts
    assert held_max == (700 if name == "dual_ema_talib" else 100 * len(run["transactions"]) // 2)


def test_freqtrade_round_trips_by_their_own_formula(shared_data: Path) -> None:
    trips = freqtrade_round_trips(shared_data)
    assert len(trips) == 10
    books = fold(as_fills(freqtrade_trades(trips)))
    by_trip = {position.strategy: position for position in books.positions}
    for index, trip in enumerate(trips):
        position = by_trip[f"trip {index}"]
        net = CONTEXT.subtract(position.realized_pnl, position.commission)
        assert abs(net - number(trip.get("profit_abs"))) < D("1e-8")
        assert position.quantity == ZERO

"""Transactions as zipline and pyfolio hand them around. Neither is imported here."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from friren.core.numbers import CONTEXT, ZERO
from friren.errors import RejectedRecordError
from trading_engine.backtesting.adapters.engine_run import EnginePoint, EngineRun, FillBook
from trading_engine.backtesting.adapters.values import Clock, exact, is_missing
from trading_engine.data.importers.pyfolio import ticker_of

__all__ = ["Row", "from_transactions", "rows_of", "symbol_of"]

_CENT: Final = Decimal("0.01")
_STAMPS: Final = ("date", "dt", "timestamp")


@dataclass(frozen=True, slots=True)
class Row:
    """One transaction: `amount` is signed, `commission` None where it is not told."""

    symbol: str
    amount: Decimal
    price: Decimal
    at: dt.datetime
    commission: Decimal | None
    order: str | None


def from_transactions(
    transactions: Any,
    *,
    strategy: str,
    positions: Any = None,
    starting_cash: Decimal | float | None = None,
    engine: str = "transactions",
    timezone: str = "UTC",
    currency: str = "",
) -> EngineRun:
    """
    Return a run of the tables that pyfolio takes.

    Args:
        transactions: DataFrame with amount, price and symbol (or sid), its index the moment; or rows of these with a
            `date` or `dt` each; `commission` beside them, where it is told.
        strategy: name to keep it under.
        positions: DataFrame of the value of each symbol and of `cash`, by day: the curve, and what to compare with.
            Without it holdings are valued at the last price that they traded at.
        starting_cash: before the first fill; told by `positions`, to the cent, unless given.
        engine: which engine made them, if that is known.
        timezone: zone of naive stamps.
        currency: of the symbols; as they are stored unless given.

    Raises:
        RejectedRecordError: neither positions nor starting cash, no transaction, or a value is no number.
    """
    clock = Clock(timezone)
    rows = rows_of(transactions, clock)
    if not rows:
        raise RejectedRecordError("transactions", [], "at least one")
    book = FillBook()
    days = [] if positions is None else [(clock(stamp), line) for stamp, line in positions.iterrows()]
    # A day's positions bear its date, its fills perhaps the hour.
    dates = [at.date() for at, _line in days]
    for row in rows:
        place = bisect_left(dates, row.at.date())
        counted = max(days[place][0], row.at) if place < len(days) else row.at
        book.add(row.symbol, row.amount, row.price, row.at, commission=row.commission or ZERO, counted_from=counted)
    if starting_cash is None:
        if not days:
            raise RejectedRecordError("starting_cash", None, "is needed where there are no positions")
        starting_cash = _cash_before(days[0], rows)
    return EngineRun(
        engine=engine,
        engine_version="",
        strategy=strategy,
        starting_cash=exact(starting_cash, "starting_cash"),
        fills=tuple(book.fills),
        points=tuple(_points(days, rows) if days else _last_prices(rows)),
        currency=currency,
        untold=() if days else ("prices beside those of the fills: holdings are valued at the last one traded",),
    )


def rows_of(transactions: Any, clock: Clock) -> list[Row]:
    """
    Return transactions in the order of time.

    Raises:
        RejectedRecordError: a row lacks something, or a value is no number.
    """
    if hasattr(transactions, "iterrows"):
        cells = transactions.to_dict("records")
        told = [{"date": stamp, **line} for stamp, line in zip(transactions.index, cells, strict=True)]
    else:
        told = [dict(line) for line in transactions]
    return sorted((_row(line, clock) for line in told), key=lambda row: row.at)


def symbol_of(asset: Any) -> str:
    """Return the ticker of zipline's Equity, of how it is written out, or of text."""
    return str(getattr(asset, "symbol", None) or ticker_of(str(asset)))


def _row(line: Mapping[str, Any], clock: Clock) -> Row:
    def told(*names: str) -> Any:
        for name in names:
            if not is_missing(line.get(name)):
                return line[name]
        raise RejectedRecordError(names[0], None, f"is needed in every transaction, not only {sorted(line)}")

    commission = line.get("commission")
    return Row(
        symbol=symbol_of(told("symbol", "sid")),
        amount=exact(told("amount"), "amount"),
        price=exact(told("price")),
        # zipline's `dt` is the moment; the index may be the session alone.
        at=clock(told("dt", *_STAMPS)),
        commission=None if is_missing(commission) else exact(commission, "commission"),
        order=None if is_missing(line.get("order_id")) else str(line["order_id"]),
    )


def _cash_before(first: tuple[dt.datetime, Any], rows: Iterable[Row]) -> Decimal:
    """Return the cash before the first fill: that of the first day and what was paid until then, to the cent."""
    at, line = first
    cash = exact(line["cash"], "cash")
    for row in rows:
        if row.at.date() > at.date():
            break
        paid = CONTEXT.add(CONTEXT.multiply(row.amount, row.price), row.commission or ZERO)
        cash = CONTEXT.add(cash, paid)
    return CONTEXT.quantize(cash, _CENT)


def _points(days: Sequence[tuple[dt.datetime, Any]], rows: Sequence[Row]) -> list[EnginePoint]:
    """Return the curve; a price is what the engine values a holding at, over how much of it there is."""
    held: dict[str, Decimal] = defaultdict(lambda: ZERO)
    found, place = [], 0
    for at, line in days:
        while place < len(rows) and (rows[place].at <= at or rows[place].at.date() <= at.date()):
            held[rows[place].symbol] = CONTEXT.add(held[rows[place].symbol], rows[place].amount)
            place += 1
        closes: dict[str, Decimal] = {}
        worth = cash = exact(line["cash"], "cash")
        for name, value in line.items():
            if name == "cash" or is_missing(value) or not value:
                continue
            symbol, told = symbol_of(name), exact(value, "positions")
            worth = CONTEXT.add(worth, told)
            if held[symbol]:
                closes[symbol] = exact(float(CONTEXT.divide(told, held[symbol])))
        moment = max(at, rows[place - 1].at) if place else at
        found.append(EnginePoint(at=moment, closes=closes, equity=worth, cash=cash))
    return found


def _last_prices(rows: Sequence[Row]) -> list[EnginePoint]:
    closes: dict[dt.datetime, dict[str, Decimal]] = {}
    for row in rows:
        closes.setdefault(row.at, {})[row.symbol] = row.price
    return [EnginePoint(at=at, closes=told) for at, told in closes.items()]

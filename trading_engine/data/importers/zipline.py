"""A run of zipline as JSON: fills with their fees, and the splits that show only in what was held."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

from friren.core.choices import Environment
from friren.core.numbers import CONTEXT, ZERO
from friren.errors import RejectedRecordError
from trading_engine.data.importers.json_stream import BrokenJsonError, Item, asked_for, path_text, walk
from trading_engine.data.importers.parsed import Issue, UnreadableFileError
from trading_engine.data.importers.records import Book, Entry, Fields, ReadFiles, SourceFile, Told, entry_of, opened
from trading_engine.data.splits import ratio_of_split

__all__ = ["read_zipline"]

VENUE: Final = "zipline"
_LISTS: Final = ("orders", "transactions", "positions")


@dataclass(slots=True)
class _Run:
    """What has to be known of a run before its fills can be told; it is held in memory."""

    algorithm: str = ""
    cash: Decimal | None = None
    fees: dict[str, Decimal] = field(default_factory=dict)
    bought: dict[str, list[tuple[dt.datetime, Decimal]]] = field(default_factory=lambda: defaultdict(list))
    held: dict[str, list[tuple[dt.datetime, Decimal, Item]]] = field(default_factory=lambda: defaultdict(list))
    # Symbols of which something could not be read: what was held of them proves nothing.
    faulty: set[str] = field(default_factory=set)


def read_zipline(paths: Sequence[Path]) -> ReadFiles:
    """Return the fills and splits of one run; each run has books of its own."""
    read = ReadFiles()
    for path in paths:
        if read.book is not None:
            read.unreadable.append(UnreadableFileError(path, "a run has books of its own: import it by itself"))
            continue
        try:
            run = _look_through(path)
        except UnreadableFileError as exc:
            read.unreadable.append(exc)
            continue
        name = f"{VENUE}-{run.algorithm or path.stem}"[:100]
        read.book = Book(name, Environment.BACKTEST, starting_cash=run.cash)
        read.files.append(SourceFile(path, partial(_entries, run=run), size=path.stat().st_size))
    return read


def _look_through(path: Path) -> _Run:
    run, seen = _Run(), False
    wanted = asked_for(("algorithm",), ("daily_performance", 0, "starting_cash"), *((name, "[]") for name in _LISTS))
    with opened(path) as stream:
        try:
            for item in walk(stream, wanted):
                if item.path[0] == "algorithm":
                    run.algorithm = str(item.value)
                elif item.path[0] == "daily_performance":
                    run.cash = Fields({"starting_cash": item.value}, item.line).number_or_none("starting_cash")
                else:
                    seen = seen or item.path[0] == "transactions"
                    _note(run, item)
        except (BrokenJsonError, RejectedRecordError) as exc:
            raise UnreadableFileError(path, str(exc)) from exc
    if not seen:
        raise UnreadableFileError(path, "no run of zipline: an object with the list transactions is wanted")
    return run


def _note(run: _Run, item: Item) -> None:
    fields = Fields(item.value if isinstance(item.value, dict) else {}, item.line, floats=True)
    try:
        if item.path[0] == "orders":
            # The last row of an order has all of its fee.
            run.fees[fields.text("id", required=True)] = fields.fee("commission") or ZERO
            return
        amount, session = fields.number("amount"), fields.moment("session", "dt")
        symbol = fields.text("symbol", required=True)
        if item.path[0] == "transactions":
            run.bought[symbol].append((session, amount))
        else:
            run.held[symbol].append((session, amount, item))
    except RejectedRecordError:
        # Named when it is told; here it only keeps conclusions from being drawn.
        run.faulty.add(str(fields.values.get("symbol")))


def _entries(file: SourceFile, *, run: _Run) -> Iterator[Entry | Issue]:
    fees, counts = dict(run.fees), defaultdict[str, int](int)
    with opened(file.path, file) as stream:
        try:
            for item in walk(stream, asked_for(("transactions", "[]"))):
                tell = partial(_tell, fees=fees, counts=counts)
                yield from entry_of(item.value, item.line, path_text(item.path), tell)
        except BrokenJsonError as exc:
            raise UnreadableFileError(file.path, f"{exc}; what stands before it was read") from exc
    for symbol in sorted(set(run.held) - run.faulty):
        yield from _splits(symbol, run)


def _tell(fill: Fields, *, fees: dict[str, Decimal], counts: dict[str, int]) -> list[Told]:
    order = fill.text("order_id", required=True)
    count = counts[order]
    counts[order] += 1
    amount = fill.number("amount")
    told: dict[str, Any] = {
        "symbol": fill.text("symbol", required=True),
        "action": "buy" if amount > 0 else "sell",
        "quantity": abs(amount),
        "price": fill.number("price"),
        "timestamp": fill.moment("dt", "session"),
        # An order's fee goes with its first fill.
        "commission": fees.pop(order, None),
        "venue": VENUE,
        "external_id": f"{order}:{count}",
    }
    return [Told("trade", told)]


def _splits(symbol: str, run: _Run) -> Iterator[Entry | Issue]:
    """Yield a split wherever what is held changes by something else than fills."""
    bought = sorted(run.bought[symbol], key=lambda pair: pair[0])
    before, place = ZERO, 0
    for session, amount, item in sorted(run.held[symbol], key=lambda row: row[0]):
        fills = ZERO
        while place < len(bought) and bought[place][0] <= session:
            fills = CONTEXT.add(fills, bought[place][1])
            place += 1
        if before and CONTEXT.add(before, fills) != amount:
            yield _split(symbol, ratio_of_split(before, CONTEXT.subtract(amount, fills)), session, item)
        before = amount


def _split(symbol: str, ratio: Decimal | None, session: dt.datetime, item: Item) -> Entry | Issue:
    path = path_text(item.path)
    if ratio is None:
        rule = "what is held changes by no fill, and by no ratio of a split"
        return Issue(item.line, "amount", str(item.value.get("amount")), rule, path=path)
    # Before whatever was traded on that day.
    at = dt.datetime.combine(session.date(), dt.time(), tzinfo=dt.UTC)
    action = {"symbol": symbol, "kind": "SPLIT", "ratio": ratio, "effective_at": at, "source": VENUE}
    return Entry(item.line, path, [Told("corporate_action", action)])

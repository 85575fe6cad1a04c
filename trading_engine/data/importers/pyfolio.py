"""The tables that pyfolio takes: transactions become fills; positions tell what cash there was before the first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final

from friren.core.choices import Environment
from friren.core.numbers import CONTEXT
from friren.errors import RejectedRecordError
from trading_engine.data.importers.ordinals import Ordinals
from trading_engine.data.importers.parsed import Issue, UnreadableFileError
from trading_engine.data.importers.records import Book, Entry, Fields, ReadFiles, SourceFile, Told, entry_of
from trading_engine.data.importers.tables import header_of, rows_of

__all__ = ["read_pyfolio", "ticker_of"]

VENUE: Final = "pyfolio"
# Both are sums of binary floats; what a backtest begins with is money.
_CENT: Final = Decimal("0.01")
# As zipline writes out an asset: Equity(24 [AAPL]).
_ASSET: Final = re.compile(r".*\[(?P<symbol>[^\]]+)\]\)?")


def read_pyfolio(paths: Sequence[Path]) -> ReadFiles:
    """Return the transactions among `paths`; positions beside them give the cash of the beginning."""
    read = ReadFiles()
    positions: list[Path] = []
    for path in paths:
        try:
            names, _delimiter = header_of(path)
        except UnreadableFileError as exc:
            read.unreadable.append(exc)
            continue
        if {"amount", "price"} <= set(names) and not {"symbol", "sid"}.isdisjoint(names):
            read.files.append(SourceFile(path, partial(_entries, stamp=names[0]), size=path.stat().st_size))
        elif "cash" in names:
            positions.append(path)
            read.skipped.append((path, "positions: they follow from the fills"))
        elif len(names) == 2:
            read.skipped.append((path, "a daily figure: it follows from fills and prices"))
        else:
            rule = "no table of pyfolio: transactions have the columns amount, price and symbol"
            read.unreadable.append(UnreadableFileError(path, rule))
    cash = None
    if read.files and positions:
        try:
            cash = _cash_before(positions[0], read.files)
        except (RejectedRecordError, UnreadableFileError) as exc:
            read.unreadable.append(UnreadableFileError(positions[0], str(exc)))
    folder = paths[0] if paths[0].is_dir() else paths[0].resolve().parent
    read.book = Book(f"{VENUE}-{folder.name}"[:100], Environment.BACKTEST, starting_cash=cash)
    return read


def _cash_before(positions: Path, files: Sequence[SourceFile]) -> Decimal:
    """Return the cash before the first fill: that of the first day, and what was paid until then."""
    first = next((row for row in rows_of(SourceFile(positions, _nothing)) if not isinstance(row, Issue)), None)
    if first is None:
        raise UnreadableFileError(positions, "no day of positions")
    fields = Fields(first.values, first.line)
    cash, day = fields.number("cash"), fields.moment(next(iter(first.values)))
    for file in files:
        for row in rows_of(file):
            if isinstance(row, Issue):
                continue
            fill = Fields(row.values, row.line)
            if fill.moment(next(iter(row.values))) > day:
                break
            cash = CONTEXT.add(cash, CONTEXT.multiply(fill.number("amount"), fill.number("price")))
    return CONTEXT.quantize(cash, _CENT)


def _nothing(_file: SourceFile) -> Iterator[Entry | Issue]:
    return iter(())


def _entries(file: SourceFile, *, stamp: str) -> Iterator[Entry | Issue]:
    with Ordinals() as ordinals:
        for row in rows_of(file):
            if isinstance(row, Issue):
                yield row
            else:
                yield from entry_of(row.values, row.line, "", partial(_tell, stamp=stamp, ordinals=ordinals))


def ticker_of(text: str) -> str:
    """Return the ticker of an asset, which zipline writes out as Equity(24 [AAPL])."""
    asset = _ASSET.fullmatch(text)
    return asset["symbol"] if asset else text


def _tell(fill: Fields, *, stamp: str, ordinals: Ordinals) -> list[Told]:
    moment = fill.moment(stamp)
    said = fill.text("symbol") or fill.text("sid", required=True)
    symbol = ticker_of(said)
    # Fills have no ids here: which one of its symbol and moment it is, whatever stands in the row.
    key = f"{moment.isoformat()}:{symbol}"
    key = f"{key}:{ordinals.next(key)}"
    amount = fill.number("amount")
    return [
        Told(
            "trade",
            {
                "symbol": symbol,
                "action": "buy" if amount > 0 else "sell",
                "quantity": abs(amount),
                "price": fill.number("price"),
                "timestamp": moment,
                "commission": fill.fee("commission"),
                "venue": VENUE,
                "external_id": key,
            },
        )
    ]

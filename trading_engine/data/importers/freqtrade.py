"""freqtrade's files: results of backtests (JSON or zip), answers of its API, and its SQLite database."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

from friren.core.choices import Environment, PositionMode
from friren.errors import RejectedRecordError
from friren.persistence.checks import check_text
from trading_engine.data.importers.freqtrade_database import database_entries, is_database, stake_currency_of
from trading_engine.data.importers.freqtrade_trips import Origin, trip_told
from trading_engine.data.importers.json_stream import BrokenJsonError, Item, asked_for, path_text, walk
from trading_engine.data.importers.parsed import Issue, UnreadableFileError
from trading_engine.data.importers.records import Book, Entry, Fields, ReadFiles, SourceFile, Told, entry_of, opened

__all__ = ["read_freqtrade"]

VENUE: Final = "freqtrade"
# What a zip of a result holds beside the result itself.
_BESIDE: Final = ("_config.json", ".meta.json")
# The document of a result, as a file and as an answer of the API.
_RESULTS: Final[tuple[tuple[str, ...], ...]] = ((), ("backtest_result",))
_OF_RUN: Final = ("stake_currency", "starting_balance", "dry_run_wallet", "backtest_run_start_ts")


def read_freqtrade(paths: Sequence[Path]) -> ReadFiles:
    """
    Return the trades of freqtrade's files.

    A result of a backtest has books of its own, named by strategy and run; it is imported by itself. Answers of the
    API and databases of one bot belong together.
    """
    read = ReadFiles()
    for path in paths:
        try:
            book, file = _database(path) if is_database(path) else _document(path)
        except UnreadableFileError as exc:
            read.unreadable.append(exc)
            continue
        if read.book is not None and Environment.BACKTEST in {read.book.environment, book.environment}:
            rule = "a backtest has books of its own: import its result by itself"
            read.unreadable.append(UnreadableFileError(path, rule))
            continue
        read.book = read.book or book
        read.files.append(file)
    return read


def _database(path: Path) -> tuple[Book, SourceFile]:
    currency = stake_currency_of(path)
    return _book(VENUE, Environment.PAPER, currency), SourceFile(path, database_entries, size=path.stat().st_size)


def _book(name: str, environment: str, currency: str, cash: Decimal | None = None) -> Book:
    return Book(name, environment, currency, PositionMode.HEDGING, cash)


def _document(path: Path) -> tuple[Book, SourceFile]:
    """Look through a document once, without its trades, and return what it is."""
    wanted: list[tuple[str | int, ...]] = [("trades", 0), (0,)]
    for result in _RESULTS:
        wanted += [(*result, "metadata", "*", "run_id"), (*result, "strategy", "*", "trades", 0, "pair")]
        wanted += [(*result, "strategy", "*", name) for name in _OF_RUN]
    found: dict[str, dict[str, Any]] = {}
    first: Any = None
    with _stream(path, None) as stream:
        try:
            for item in walk(stream, asked_for(*wanted)):
                if isinstance(item.path[-1], int):
                    first = item.value
                else:
                    steps = item.path[1:] if item.path[0] == "backtest_result" else item.path
                    found.setdefault(str(steps[1]), {})[str(steps[-1])] = item.value
        except BrokenJsonError as exc:
            if not found and first is None:
                raise UnreadableFileError(path, str(exc)) from exc
    size = path.stat().st_size
    if found:
        return _run_book(path, found), SourceFile(path, partial(_entries, single=False), size=size)
    if not isinstance(first, dict) or not {"pair", "open_rate"} <= set(first):
        raise UnreadableFileError(path, "no trades of freqtrade: neither a result of a backtest nor trades of its API")
    currency = Fields(first, 1).text("quote_currency") or str(first["pair"]).partition("/")[2].partition(":")[0]
    return _book(VENUE, Environment.PAPER, currency or "USDT"), SourceFile(
        path, partial(_entries, single=True), size=size
    )


def _run_book(path: Path, found: dict[str, dict[str, Any]]) -> Book:
    cash, currencies, names = Decimal(0), [], []
    for strategy, values in found.items():
        fields = Fields(values, 1)
        try:
            cash += fields.number_or_none("starting_balance") or fields.number_or_none("dry_run_wallet") or 0
        except RejectedRecordError as exc:
            raise UnreadableFileError(path, str(exc)) from exc
        # Files of some versions tell neither; their names tell when they were made.
        run = fields.text("run_id")[:8] or fields.text("backtest_run_start_ts") or path.stem
        names.append(f"{strategy}-{run}")
        currencies.append(fields.text("stake_currency"))
    name = "-".join([VENUE, *names])[:100]
    return _book(name, Environment.BACKTEST, next(filter(None, currencies), "USDT"), cash or None)


@contextmanager
def _stream(path: Path, file: SourceFile | None) -> Iterator[IO[str]]:
    """Open a document, or the result in a zip of one."""
    if path.suffix.casefold() != ".zip":
        with opened(path, file) as stream:
            yield stream
        return
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if n.endswith(".json") and not n.endswith(_BESIDE)]
            if len(names) != 1:
                raise UnreadableFileError(path, f"one JSON file with a result is wanted in the zip, not {len(names)}")
            with archive.open(names[0]) as member:
                yield io.TextIOWrapper(member, encoding="utf-8-sig", errors="surrogateescape")
    except (OSError, zipfile.BadZipFile) as exc:
        raise UnreadableFileError(path, f"the zip cannot be read ({exc})") from exc


def _entries(file: SourceFile, *, single: bool) -> Iterator[Entry | Issue]:
    wanted: list[tuple[str | int, ...]] = [("trades", "[]"), ("[]",)]
    if not single:
        wanted = [(*result, "strategy", "*", "trades", "[]") for result in _RESULTS]
    with _stream(file.path, file) as stream:
        try:
            for item in walk(stream, asked_for(*wanted)):
                yield from _entry(item, single=single)
        except BrokenJsonError as exc:
            raise UnreadableFileError(file.path, f"{exc}; what stands before it was read") from exc


def _entry(item: Item, *, single: bool) -> Iterator[Entry | Issue]:
    strategy = "" if single else str(item.path[-3])
    yield from entry_of(item.value, item.line, path_text(item.path), partial(_tell, strategy=strategy, single=single))


def _tell(trade: Fields, *, strategy: str, single: bool) -> list[Told]:
    listed = trade.values.get("orders") or []
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise RejectedRecordError("orders", listed, "a list of objects is wanted")
    orders = [Fields(one, trade.line, trade.path, floats=True) for one in listed]
    if single:
        key = f"trade {trade.text('trade_id', required=True)}"
        venue = trade.text("exchange") or VENUE
    else:
        # A backtest gives its trades no numbers; a pair has one trade at a time.
        check_text("strategy", strategy)
        begun = trade.moment("open_timestamp", "open_date")
        key, venue = f"{strategy}:{trade.text('pair', required=True)}:{begun.isoformat()}", VENUE
    # Orders of a backtest have no ids and were never sent.
    origin = Origin(venue=venue, key=key, strategy=strategy, has_orders=single and bool(orders))
    told = trip_told(trade, orders, origin)
    trade.notes += [note for order in orders for note in order.notes]
    return told

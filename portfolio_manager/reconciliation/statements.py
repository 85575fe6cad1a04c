"""Read a venue's statement: its fills by the readers of the importers, its positions and its cash."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Final

from friren.accounts import AccountHandle
from friren.core.numbers import CONTEXT, ZERO
from friren.errors import RejectedRecordError
from friren.persistence.facts import Fact
from trading_engine.data.importers.csv_trades import fills_of_objects
from trading_engine.data.importers.json_stream import BrokenJsonError, Item, Wish, asked_for, path_text, walk
from trading_engine.data.importers.mapping import Mapped
from trading_engine.data.importers.parsed import Issue, UnreadableFileError, issue_of
from trading_engine.data.importers.records import Entry, Fields, SourceFile, opened
from trading_engine.data.importers.sources import SOURCES, read_files
from trading_engine.data.importers.tables import Row, rows_of
from trading_engine.services.imported_facts import proposed_facts

__all__ = [
    "JSON", "STATEMENT_SOURCES", "Instrument", "Statement", "StatementFact", "entries_with", "read_statement",
    "renamed",
]  # fmt: skip

# A document of our own: fills, positions and cash in one file. Polymarket's answers tell of markets, not of fills.
JSON: Final = "json"
STATEMENT_SOURCES: Final = (*(source for source in SOURCES if source != "polymarket"), JSON)
# Ticker and venue of a symbol; id and side of a market.
Instrument = tuple[str, str]
_DOWN: Final = frozenset({"short", "sell"})
_SIDES: Final = ("", "long", "buy", *_DOWN)


@dataclass(frozen=True, slots=True)
class StatementFact:
    """A fill or movement of cash that a statement tells of: the record it stands in, and the fact that it would be."""

    entry: Entry
    place: int
    fact: Fact


@dataclass(slots=True)
class Statement:
    """
    What a venue says.

    Attributes:
        fills, movements: facts that would be stored of it.
        positions: signed quantities by instrument; None where it tells of none.
        cash: by currency; None where it tells of none.
        since, until: what its fills cover, both included; those of the first and the last unless it says more.
        as_of: when its positions and cash were so; None: now.
        issues: records that are none.
    """

    path: Path
    fills: list[StatementFact] = field(default_factory=list)
    movements: list[StatementFact] = field(default_factory=list)
    positions: dict[Instrument, Decimal] | None = None
    cash: dict[str, Decimal] | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    as_of: dt.datetime | None = None
    issues: list[Issue] = field(default_factory=list)

    def take(self, account: AccountHandle, entries: Iterable[Entry | Issue]) -> None:
        """Take in the records of a reader."""
        for one in entries:
            if isinstance(one, Issue):
                if one.rejected:
                    self.issues.append(one)
                continue
            try:
                facts = [proposed.fact for proposed in proposed_facts(account, one)]
            except RejectedRecordError as exc:
                self.issues.append(issue_of(one.line, exc, path=one.path))
                continue
            for place, fact in enumerate(facts):
                if fact.kind == "trade":
                    self.fills.append(StatementFact(one, place, fact))
                elif fact.kind == "cash_movement":
                    self.movements.append(StatementFact(one, place, fact))


def read_statement(
    path: Path,
    *,
    account: AccountHandle,
    source: str,
    mapped: Mapped | None = None,
    venue: str = "",
    positions: Path | None = None,
    cash: Mapping[str, Decimal] | None = None,
    **how: str | None,
) -> Statement:
    """
    Return what a statement says of an account. Nothing is stored.

    Args:
        source: one of `STATEMENT_SOURCES`.
        mapped: of the sources csv and json: which column is what.
        venue: of fills that name none.
        positions: a table of them, beside the fills.
        cash: balances by currency, beside the fills.
        how: timezone and date_format of the source csv.

    Raises:
        UnreadableFileError: a file cannot be read as what it should be.
    """
    mapped = mapped or Mapped()
    if venue:
        mapped = replace(mapped, defaults={**mapped.defaults, "venue": venue})
    found = Statement(path)
    if source == JSON:
        _read_document(found, account, mapped)
    else:
        read = read_files(source, [path], mapped=mapped, **how)
        if read.unreadable:
            raise read.unreadable[0]
        for file in read.files:
            found.take(account, file)
    if positions is not None:
        found.positions = _positions(found, _rows_of_table(positions))
    if cash:
        found.cash = {**(found.cash or {}), **cash}
    return found


def _read_document(found: Statement, account: AccountHandle, mapped: Mapped) -> None:
    path, heads = found.path, _heads(found.path)
    if not heads & {"fills", "positions", "cash"}:
        raise UnreadableFileError(path, "no statement: an object with fills, positions or cash is wanted")
    asked = [(name,) for name in ("venue", "since", "until", "as_of")]
    beside = Fields({str(item.path[0]): item.value for item in _items(path, *asked)}, 1)
    try:
        if venue := beside.text("venue"):
            mapped = replace(mapped, defaults={"venue": venue, **mapped.defaults})
        found.since, found.until, found.as_of = map(beside.moment_or_none, ("since", "until", "as_of"))
    except RejectedRecordError as exc:
        raise UnreadableFileError(path, str(exc)) from exc
    found.take(account, fills_of_objects(_objects(path, "fills"), path, mapped))
    if "positions" in heads:
        found.positions = _positions(found, _objects(path, "positions"))
    if "cash" in heads:
        found.cash = _cash(found)


def _cash(found: Statement) -> dict[str, Decimal]:
    held: dict[str, Decimal] = {}
    for item in _items(found.path, ("cash", "*")):
        currency = str(item.path[-1])
        try:
            held[currency] = Fields({currency: item.value}, item.line).number(currency)
        except RejectedRecordError as exc:
            found.issues.append(issue_of(item.line, exc, path=path_text(item.path)))
    return held


def _heads(path: Path) -> set[str]:
    """Return the names that stand in a document, without reading what they hold: an empty list says something too."""
    names: set[str] = set()

    def wish(place: tuple[str | int, ...]) -> Wish:
        if not place:
            return Wish.ENTER
        names.add(str(place[0]))
        return Wish.SKIP

    with opened(path) as stream:
        try:
            for _item in walk(stream, wish):
                pass
        except BrokenJsonError as exc:
            raise UnreadableFileError(path, str(exc)) from exc
    return names


def _items(path: Path, *wanted: tuple[str | int, ...]) -> Iterator[Item]:
    with opened(path) as stream:
        try:
            yield from walk(stream, asked_for(*wanted))
        except BrokenJsonError as exc:
            raise UnreadableFileError(path, str(exc)) from exc


def _objects(path: Path, name: str) -> Iterator[Row | Issue]:
    for item in _items(path, (name, "[]")):
        if isinstance(item.value, dict):
            yield Row(item.line, item.value)
        else:
            yield Issue(item.line, "", str(item.value)[:120], "an object with named values is wanted")


def _rows_of_table(path: Path) -> Iterator[Row | Issue]:
    yield from rows_of(SourceFile(path, lambda _file: iter(())))


def _positions(found: Statement, rows: Iterable[Row | Issue]) -> dict[Instrument, Decimal]:
    held: dict[Instrument, Decimal] = {}
    for row in rows:
        if isinstance(row, Issue):
            found.issues.append(row)
            continue
        values = Fields({name.strip().casefold(): value for name, value in row.values.items()}, row.line)
        try:
            _take_position(values, held)
        except RejectedRecordError as exc:
            found.issues.append(issue_of(row.line, exc))
    return held


def _take_position(row: Fields, held: dict[Instrument, Decimal]) -> None:
    side, quantity = row.text("side").casefold(), row.number("quantity")
    if market := row.text("market"):
        if side not in {"yes", "no"}:
            raise RejectedRecordError("side", side, "yes or no, of a market")
        instrument = (market, side.upper())
    else:
        if side not in _SIDES:
            raise RejectedRecordError("side", side, "long or short")
        if side in _DOWN:
            quantity = -abs(quantity)
        instrument = (row.text("symbol", required=True), row.text("venue"))
    # In hedging mode a venue tells both sides: the book is held to their sum.
    held[instrument] = CONTEXT.add(held.get(instrument, ZERO), quantity)


def renamed(one: StatementFact, account: AccountHandle, external_id: str) -> StatementFact:
    """Return the same fill under another id of the venue, and so with another id of its own."""
    told = list(one.entry.told)
    told[one.place] = told[one.place]._replace(keywords={**told[one.place].keywords, "external_id": external_id})
    entry = one.entry._replace(told=told)
    return StatementFact(entry, one.place, proposed_facts(account, entry)[one.place].fact)


def entries_with(facts: Sequence[StatementFact]) -> Iterator[Entry]:
    """
    Yield the records of some facts with these facts alone, and the orders that they fill.

    What else stands in a record is not told: it is in the book already, perhaps otherwise, and that is another break.
    """
    by_entry: dict[int, tuple[Entry, set[int]]] = {}
    for one in facts:
        by_entry.setdefault(id(one.entry), (one.entry, set()))[1].add(one.place)
    for entry, places in by_entry.values():
        orders = {entry.told[place].keywords.get("order") for place in places} - {None}
        yield entry._replace(
            told=[
                told
                for place, told in enumerate(entry.told)
                if place in places or (told.kind == "order" and told.keywords.get("external_id") in orders)
            ]
        )

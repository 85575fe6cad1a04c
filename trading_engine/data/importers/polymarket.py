"""
Polymarket's answers as files: Gamma's /events, /markets and /public-search, and the market list of its order book.

They tell of the market and of nobody's books: events, markets, and how each market stood at its last change. What an
event holds is kept until the event was read to its end, since its name may stand behind its markets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

from friren.errors import RejectedRecordError
from trading_engine.data.importers.json_stream import BrokenJsonError, Item, Wish, asked_for, path_text, walk
from trading_engine.data.importers.json_stream import Path as Place
from trading_engine.data.importers.parsed import Issue, UnreadableFileError
from trading_engine.data.importers.polymarket_records import EventOfMarket, tell_clob_market, tell_event, tell_market
from trading_engine.data.importers.records import Entry, Fields, ReadFiles, SourceFile, entry_of, opened

__all__ = ["read_polymarket"]

Records = Iterator[Entry | Issue]

# By what stands in it: the place of a part that only such an answer has, and how deep its records lie.
_ANSWERS: Final[Mapping[Place, tuple[str, int]]] = {
    ("events", 0, "id"): ("events", 2),
    (0, "ticker"): ("events", 1),
    (0, "markets", 0): ("events", 1),
    ("ticker",): ("events", 0),
    ("markets", 0): ("events", 0),
    (0, "conditionId"): ("markets", 1),
    ("conditionId",): ("markets", 0),
    (0, "c"): ("clob", 1),
}
# The largest event that was ever listed has some hundred.
MARKETS_OF_EVENT_MAX: Final = 10_000


def read_polymarket(paths: Sequence[Path]) -> ReadFiles:
    """Return the events and markets in `paths`; what the order book tells comes after what it tells it of."""
    read = ReadFiles(of_books=False)
    last: list[SourceFile] = []
    for path in paths:
        try:
            kind, depth = _kind_of(path)
        except UnreadableFileError as exc:
            read.unreadable.append(exc)
            continue
        file = SourceFile(path, partial(_entries, kind=kind, depth=depth), size=path.stat().st_size)
        (last if kind == "clob" else read.files).append(file)
    read.files += last
    return read


def _kind_of(path: Path) -> tuple[str, int]:
    with opened(path) as stream:
        try:
            for item in walk(stream, asked_for(*_ANSWERS)):
                return _ANSWERS[item.path]
        except BrokenJsonError as exc:
            raise UnreadableFileError(path, str(exc)) from exc
    raise UnreadableFileError(path, "no answer of Polymarket: events, markets or markets of its order book are wanted")


def _entries(file: SourceFile, *, kind: str, depth: int) -> Records:
    with opened(file.path, file) as stream:
        try:
            yield from _READERS[kind](stream, depth)
        except BrokenJsonError as exc:
            raise UnreadableFileError(file.path, f"{exc}; what stands before it was read") from exc


def _events(stream: IO[str], depth: int) -> Records:
    event: _Event | None = None
    for item in walk(stream, partial(_parts_of_events, depth)):
        place = item.path[:depth]
        if event is None or event.place != place:
            if event is not None:
                yield from event.records()
            event = _Event(item.line, place)
        event.add(item, depth)
    if event is not None:
        yield from event.records()


def _parts_of_events(depth: int, path: Place) -> Wish:
    """Return what to do with a part of events at a depth: their markets one by one, all else of them as it is."""
    if len(path) < depth:
        # Of a search, what stands beside its events.
        return Wish.SKIP if path and path[0] != "events" else Wish.ENTER
    if len(path) == depth:
        return Wish.MEMBERS
    return Wish.MEMBERS if len(path) == depth + 1 and path[-1] == "markets" else Wish.TAKE


class _Event:
    """An event that is being read."""

    def __init__(self, line: int, place: Place) -> None:
        self.line, self.place = line, place
        self._fields: Any = {}
        self._markets: list[Item] = []

    def add(self, item: Item, depth: int) -> None:
        """
        Take in a part of it.

        Raises:
            BrokenJsonError: it has more markets than any event.
        """
        own = item.path[depth:]
        if not own or not isinstance(own[0], str):
            self._fields = "a list" if own else item.value  # no object: its entry says so
        elif len(own) == 2:
            if len(self._markets) >= MARKETS_OF_EVENT_MAX:
                raise BrokenJsonError(item.line, f"an event of more than {MARKETS_OF_EVENT_MAX} markets")
            self._markets.append(item)
        elif isinstance(self._fields, dict):
            self._fields[own[0]] = item.value

    def records(self) -> Records:
        """Yield the event and its markets."""
        yield from entry_of(self._fields, self.line, path_text(self.place), tell_event)
        of = _event_of(self._fields)
        for item in self._markets:
            yield from _market(item, path_text(item.path), of)


def _markets(stream: IO[str], depth: int) -> Records:
    for item in walk(stream, asked_for(("[]",) * depth)):
        path = path_text(item.path)
        embedded = item.value.get("events") if isinstance(item.value, dict) else None
        events = embedded if isinstance(embedded, list) else []
        for number, event in enumerate(events):
            yield from entry_of(event, item.line, f"{path}.events[{number}]".lstrip("."), tell_event)
        yield from _market(item, path, _event_of(events[0]) if events else None)


def _clob(stream: IO[str], depth: int) -> Records:
    for item in walk(stream, asked_for(("[]",) * depth)):
        yield from entry_of(item.value, item.line, path_text(item.path), tell_clob_market)


def _market(item: Item, path: str, event: EventOfMarket | None) -> Records:
    yield from entry_of(item.value, item.line, path, partial(tell_market, event=event))


def _event_of(values: Any) -> EventOfMarket | None:
    """Return what markets need to know of their event; None where it does not say, which its own entry tells."""
    if not isinstance(values, dict):
        return None
    fields = Fields(values, 0)
    try:
        return EventOfMarket(fields.text("id", required=True), fields.text("title"), fields.moment_or_none("endDate"))
    except RejectedRecordError:
        return None


_READERS: Final[Mapping[str, Callable[[IO[str], int], Records]]] = {
    "events": _events,
    "markets": _markets,
    "clob": _clob,
}

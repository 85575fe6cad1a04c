"""Record bars, and read them back. The only writer of Price."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

from django.utils import timezone

from friren.core.numbers import ZERO
from friren.errors import RejectedRecordError
from friren.persistence import checks
from friren.persistence.facts import spec_of
from friren.persistence.reads import newest_first
from friren.persistence.receipts import Receipt, Rows, WriteOutcome
from trading_engine.data.bars import DATED, Bar, canonical_timeframe
from trading_engine.data.frames import bars_of_frame, is_frame, wall_of
from trading_engine.data.importers.stamps import to_utc
from trading_engine.models import Price
from trading_engine.services.base import Service
from trading_engine.services.price_loading import LoadedBatch, PriceFact, PriceLoader, price_fact
from trading_engine.services.price_records import record_of
from trading_engine.symbols import symbol_key

__all__ = ["PriceReceipt", "PriceRecorder"]

# The newest bar of what trades at all is this young; a bound on time spares the search the other partitions.
_RECENT: Final = dt.timedelta(days=45)
# More than anyone looks through one by one; a count stands beside the list.
CONFLICTS_LISTED_MAX: Final = 10_000
_FIELDS: Final = frozenset(field.name for field in dataclasses.fields(Bar))
_REQUIRED: Final = ("timestamp", "open", "high", "low", "close")


@dataclasses.dataclass(slots=True)
class PriceReceipt:
    """
    What became of many bars.

    Attributes:
        stored: bars that are new.
        duplicates: bars that were there, with the same values.
        conflicts: bars that are stored with other values; the stored ones were kept unless revised.
        revised: how many of the conflicts replaced the stored values.
        suspect: bars whose open or close lies outside low..high, among all that were taken.
        rejected: (index in the input, error), in order.
        conflicting: indices of the first conflicts, in order; at most CONFLICTS_LISTED_MAX.
        journaled, buffered, lost: bars that the database could not take, by outcome.
    """

    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0
    revised: int = 0
    suspect: int = 0
    rejected: list[tuple[int, RejectedRecordError]] = dataclasses.field(default_factory=list)
    conflicting: list[int] = dataclasses.field(default_factory=list)
    journaled: int = 0
    buffered: int = 0
    lost: int = 0

    def add(self, loaded: LoadedBatch, indices: Sequence[int]) -> None:
        """Add what became of a batch of bars with these indices."""
        self.stored += loaded.stored
        self.conflicts += len(loaded.conflicts)
        self.revised += loaded.revised
        self.duplicates += len(indices) - loaded.stored - len(loaded.conflicts)
        room = CONFLICTS_LISTED_MAX - len(self.conflicting)
        self.conflicting.extend(indices[position] for position in loaded.conflicts[:room])

    def count(self, receipts: Iterable[Receipt]) -> None:
        """Add bars that went to the journal."""
        outcomes = collections.Counter(receipt.outcome for receipt in receipts)
        self.journaled += outcomes[WriteOutcome.JOURNALED]
        self.buffered += outcomes[WriteOutcome.BUFFERED]
        self.lost += outcomes[WriteOutcome.LOST]


class PriceRecorder(Service):
    """Records raw bars: one row per symbol, source, timeframe and moment, whoever brings it and how often."""

    def record_bars(
        self,
        rows: Iterable[Bar | Mapping[str, Any]] | Any,
        *,
        symbol: Any = None,
        timeframe: str | None = None,
        source: str | None = None,
        revise: bool = False,
        reason: str = "",
    ) -> PriceReceipt:
        """
        Store bars, in batches of one commit each; memory does not grow with their number.

        A batch that the database cannot take goes to the journal, bar by bar; a bar that is stored with other
        values by then is refused, and kept in the dead letters.

        Args:
            rows: `Bar`s, mappings with the names of its fields, or a pandas DataFrame (see `bars_of_frame`).
            symbol: ticker or (ticker, venue), where the rows name none; a DataFrame needs it.
            timeframe: where the rows name none; 1d if None, told from the spacing of a DataFrame.
            source: where the rows name none; "yahoo" if None, as the table has it.
            revise: let bars that differ replace what is stored; the old values stay in a PriceRevision.
            reason: why, for the revisions.

        Returns:
            How many were new, there already, in conflict, suspect, journaled, and (index, error) of those refused.

        Raises:
            RejectedRecordError: an argument is wrong, or a DataFrame has no columns of bars; nothing was stored.
            RuntimeError: called inside an open transaction, or after close().
        """
        checks.check_boolean("revise", revise)
        named = None if symbol is None else symbol_key("symbol", symbol)
        frame = None if timeframe is None else canonical_timeframe(timeframe)
        origin = (
            spec_of(Price).fields["source"].default
            if source is None
            else checks.check_text("source", source, length=50, blank=False)
        )
        if is_frame(rows):
            if named is None:
                raise RejectedRecordError("symbol", None, "is required with a DataFrame")
            bars = bars_of_frame(rows, symbol=named[0], timeframe=frame, source=origin)
        else:
            bars = enumerate(_checked(row, named, frame, origin) for row in rows)
        venue = named[1] if named else ""
        loader = PriceLoader(revising=revise, reason=checks.check_text("reason", reason))
        return self.load(bars, loader=loader, venue=venue)

    def load(
        self, bars: Iterable[tuple[int, Bar | RejectedRecordError]], *, loader: PriceLoader, venue: str = ""
    ) -> PriceReceipt:
        """
        Store (index, bar or the reason why it is none) through `loader`, which may serve several calls.

        Raises:
            RuntimeError: called inside an open transaction, or after close().
        """
        self.recorder.refuse_closed()
        receipt = PriceReceipt()
        indices: list[int] = []

        def facts() -> Iterator[PriceFact]:
            for index, bar in bars:
                if isinstance(bar, RejectedRecordError):
                    receipt.rejected.append((index, bar))
                    continue
                receipt.suspect += bar.is_suspect
                indices.append(index)
                yield price_fact(bar, venue=venue)

        for batch in loader.batches(facts()):
            loaded = self.recorder.store_many(partial(loader.load, batch), ordered=loader.revising is not None)
            if loaded is None:
                receipt.count(self.recorder.journal(record_of(fact, loader.revising)) for fact in batch)
            else:
                receipt.add(loaded, indices[: len(batch)])
            del indices[: len(batch)]
        return receipt

    def latest(self, symbol: Any, *, timeframe: str = "1d", source: str | None = None) -> Rows[Any]:
        """
        Return the newest bar of a symbol: one row, or none.

        Args:
            symbol: ticker or (ticker, venue).
            source: of whichever source if None.

        Raises:
            RejectedRecordError: an argument is wrong.
        """
        rows = self._rows(symbol, timeframe, source)
        recent = newest_first(rows, time="timestamp", start=timezone.now() - _RECENT, limit=1)
        found = recent or newest_first(rows, time="timestamp", limit=1)
        found.next = None
        return found

    def bars(
        self,
        symbol: Any,
        *,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        timeframe: str = "1d",
        source: str | None = None,
        limit: int = 100,
        after: Any = None,
        include_archive: bool = False,
    ) -> Rows[Any]:
        """
        Return bars of a symbol, newest first.

        Args:
            symbol: ticker or (ticker, venue).
            start, end: aware; start included, end not.
            source: of all sources if None; each row names its own.
            limit: rows at most, 1 to 100000.
            after: `next` of the page before.
            include_archive: also what was archived.

        Raises:
            RejectedRecordError: an argument is wrong.
        """
        rows = self._rows(symbol, timeframe, source)
        return newest_first(
            rows, time="timestamp", start=start, end=end, limit=limit, after=after, include_archive=include_archive
        )

    def _rows(self, symbol: Any, timeframe: str, source: str | None) -> Any:
        ticker, venue = symbol_key("symbol", symbol)
        rows = Price.objects.using(self.using).filter(
            symbol__ticker=ticker, symbol__venue=venue, timeframe=canonical_timeframe(timeframe)
        )
        return rows if source is None else rows.filter(source=checks.check_text("source", source, length=50))


def _checked(row: Any, named: list[str] | None, timeframe: str | None, source: str) -> Bar | RejectedRecordError:
    try:
        return row if isinstance(row, Bar) else _bar_of(row, named, timeframe, source)
    except RejectedRecordError as exc:
        return exc


def _bar_of(row: Any, named: list[str] | None, timeframe: str | None, source: str) -> Bar:
    if not isinstance(row, Mapping):
        raise RejectedRecordError("row", row, "a Bar or a mapping of its fields")
    if unknown := sorted(str(name) for name in row.keys() - _FIELDS):
        raise RejectedRecordError(unknown[0], row, f"no field of a bar; they are {', '.join(sorted(_FIELDS))}")
    for name in _REQUIRED:
        if row.get(name) is None:
            raise RejectedRecordError(name, None, "is required")
    symbol = row.get("symbol") or (named[0] if named else None)
    if symbol is None:
        raise RejectedRecordError("symbol", None, "is required, of the row or of the call")
    frame = canonical_timeframe(row.get("timeframe") or timeframe or DATED[0])
    moment = row["timestamp"]
    checks.check_time("timestamp", moment)
    return Bar(
        symbol=symbol,
        timestamp=to_utc(wall_of(moment), str(moment), zone=None, dated=frame in DATED),
        timeframe=frame,
        open=_exact("open", row["open"]),
        high=_exact("high", row["high"]),
        low=_exact("low", row["low"]),
        close=_exact("close", row["close"]),
        volume=_exact("volume", row.get("volume", ZERO)),
        adjusted_close=None if row.get("adjusted_close") is None else _exact("adjusted_close", row["adjusted_close"]),
        source=row.get("source") or source,
    )


def _exact(field: str, value: Any) -> Decimal:
    exact: Decimal = spec_of(Price).fields[field].check(field, value)
    return exact

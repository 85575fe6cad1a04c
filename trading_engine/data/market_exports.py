"""A venue's answers as a bot sees them: what each export offered at its moment, whole, to decide on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trading_engine.data.importers.parsed import Issue, UnreadableFileError
from trading_engine.data.importers.sources import read_files
from trading_engine.strategies.markets import Quote

__all__ = ["MarketExport", "market_exports", "quotes_of"]


@dataclass(slots=True)
class MarketExport:
    """
    One answer of a venue.

    Attributes:
        at: the latest moment in it, aware.
        events, markets: as the keywords of `MarketRecorder.record_event` and `record_market`.
        issues: records that tell neither.
    """

    name: str
    at: dt.datetime
    events: list[Mapping[str, Any]] = field(default_factory=list)
    markets: list[Mapping[str, Any]] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)


def market_exports(source: str, paths: Sequence[Path]) -> list[MarketExport]:
    """
    Return the exports in files and folders, the oldest first; those that offer no market are left out.

    Raises:
        UnreadableFileError: a file is not what was asked for.
    """
    read = read_files(source, paths)
    for unreadable in read.unreadable:
        raise unreadable
    found = (_export(file.path, iter(file)) for file in read.files)
    return sorted((one for one in found if one is not None), key=lambda one: (one.at, one.name))


def _export(path: Path, entries: Iterator[Any]) -> MarketExport | None:
    export = MarketExport(path.name, dt.datetime.min.replace(tzinfo=dt.UTC))
    for one in entries:
        if isinstance(one, Issue):
            export.issues.append(one)
            continue
        for told in one.told:
            moment = told.keywords.get("told_at")
            if moment is not None:
                export.at = max(export.at, moment)
            if told.kind == "prediction_event":
                export.events.append(told.keywords)
            elif told.kind == "prediction_market" and "market_id" in told.keywords:
                export.markets.append(told.keywords)
    if not export.markets:
        return None
    if export.at.year == 1:
        raise UnreadableFileError(
            path, "no market in it says when it was changed last: the moment of this answer is not known"
        )
    return export


def quotes_of(export: MarketExport) -> list[Quote]:
    """Return the markets of an export that have prices and are not decided, each once."""
    found: dict[str, Quote] = {}
    for told in export.markets:
        data = told.get("market_data") or {}
        if told.get("yes_price") is None or told.get("no_price") is None or told.get("resolved_outcome"):
            continue
        found[told["market_id"]] = Quote(
            market=told["market_id"],
            question=told["question"],
            yes_price=told["yes_price"],
            no_price=told["no_price"],
            event=told.get("event") or "",
            event_title=told.get("event_title") or "",
            event_ends_at=told.get("event_ends_at"),
            liquidity=told.get("liquidity"),
            volume=told.get("volume"),
            is_open=data.get("closed") is not True and data.get("acceptingOrders") is not False,
            excludes_others=data.get("negRisk") is True,
        )
    return list(found.values())

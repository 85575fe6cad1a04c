"""What an AI model's account came to at moments, as nof1.ai's API tells it: kept as told, beside our books."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from friren.core.numbers import CONTEXT, ZERO
from friren.errors import RejectedRecordError
from trading_engine.data.importers.json_stream import BrokenJsonError, asked_for, path_text, walk
from trading_engine.data.importers.parsed import Issue, UnreadableFileError
from trading_engine.data.importers.records import Entry, Fields, SourceFile, Told, entry_of, opened

__all__ = ["TOTALS", "has_moments", "totals_entries"]

TOTALS: Final = "accountTotals"
# A book holds several models, so a row says whose it is.
SOURCE: Final = "nof1:{}"
SOURCE_LENGTH_MAX: Final = 50


def has_moments(file: Any) -> bool:
    """Return whether the account totals of a document say when they were: the answer with positions alone does not."""
    with opened(file) as stream:
        try:
            return any(True for _item in walk(stream, asked_for((TOTALS, 0, "timestamp"))))
        except BrokenJsonError as exc:
            raise UnreadableFileError(file, str(exc)) from exc


def totals_entries(file: SourceFile) -> Iterator[Entry | Issue]:
    """Yield the account totals of a document, one record per model and moment."""
    with opened(file.path, file) as stream:
        try:
            for item in walk(stream, asked_for((TOTALS, "[]"))):
                yield from entry_of(item.value, item.line, path_text(item.path), _tell)
        except BrokenJsonError as exc:
            raise UnreadableFileError(file.path, f"{exc}; what stands before it was read") from exc


def _tell(totals: Fields) -> list[Told]:
    source = SOURCE.format(totals.text("model_id", required=True))
    if len(source) > SOURCE_LENGTH_MAX:
        raise RejectedRecordError(
            "model_id", totals.values["model_id"], f"at most {SOURCE_LENGTH_MAX - len(SOURCE.format(''))} characters"
        )
    held = _positions(totals)
    figures = {
        # As told: it is not always the start and the two profits added up.
        "total_value": totals.number_or_none("dollar_equity"),
        "realized_pnl": totals.number_or_none("realized_pnl"),
        "total_unrealized_pnl": totals.number_or_none("total_unrealized_pnl"),
        "total_margin": _sum(held, "margin"),
        "total_commission": _sum(held, "commission"),
        "open_positions": len(held),
        "source": source,
    }
    return [
        Told(
            "portfolio_snapshot",
            {"kind": "ACCOUNT_TOTALS", "at": totals.moment("timestamp"), "day": None, "figures": figures},
        )
    ]


def _positions(totals: Fields) -> list[Fields]:
    held = totals.values.get("positions") or {}
    if not isinstance(held, Mapping) or not all(isinstance(one, Mapping) for one in held.values()):
        raise RejectedRecordError("positions", held, "an object of positions by symbol is wanted")
    return [Fields(one, totals.line, totals.path, floats=True) for one in held.values()]


def _sum(held: list[Fields], name: str) -> Decimal | None:
    """Return the sum of a figure over positions; None where one of them does not tell it."""
    found = [one.number_or_none(name) for one in held]
    total = ZERO
    for figure in found:
        if figure is None:
            return None
        total = CONTEXT.add(total, figure)
    return total

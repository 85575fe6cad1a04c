"""Round trips of AI models as nof1.ai's API tells them, which Copy AI copies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from friren.core.choices import Environment, PositionMode
from friren.core.numbers import plain
from friren.errors import RejectedRecordError
from trading_engine.data.importers.copy_ai_totals import TOTALS, has_moments, totals_entries
from trading_engine.data.importers.json_stream import BrokenJsonError, asked_for, path_text, walk
from trading_engine.data.importers.parsed import Issue, UnreadableFileError
from trading_engine.data.importers.records import Book, Entry, Fields, ReadFiles, SourceFile, Told, entry_of, opened

__all__ = ["read_copy_ai"]

VENUE: Final = "nof1"
# Answers of the API that lie beside the trades. Those but account totals follow from the trades, or say no moment.
_OTHERS: Final = (
    TOTALS, "analytics", "leaderboard", "sinceInceptionValues", "conversations", "prices", "positions",
)  # fmt: skip
# What is held is no fill, and the fill that opened it is told again, with another price and size, once it is closed.
POSITIONS_ALONE: Final = "positions that do not say when they were held: fills come with the trades"
_SIDES: Final = {"long": ("buy", "sell"), "short": ("short", "cover")}
# Kept as the source tells them: its net profit, say, is not always its gross profit less its fees.
_FIGURES: Final = ("realized_gross_pnl", "realized_net_pnl", "total_commission_dollars")


def read_copy_ai(paths: Sequence[Path]) -> ReadFiles:
    """Return the trades and account totals among the answers in `paths`; other answers are named as skipped."""
    read = ReadFiles(Book("copy_ai", Environment.PAPER, "USD", PositionMode.HEDGING))
    for path in paths:
        try:
            found = _kind_of(path)
        except UnreadableFileError as exc:
            read.unreadable.append(exc)
            continue
        if found == "trades":
            read.files.append(SourceFile(path, _entries, size=path.stat().st_size))
        elif found == TOTALS and has_moments(path):
            read.files.append(SourceFile(path, totals_entries, size=path.stat().st_size))
        elif found == TOTALS:
            read.skipped.append((path, POSITIONS_ALONE))
        elif found:
            read.skipped.append((path, f"an answer with {found}: only trades and account totals are imported"))
        else:
            read.unreadable.append(UnreadableFileError(path, "no answer of the API: an object with trades is wanted"))
    return read


def _kind_of(path: Path) -> str:
    """Return which answer a document is, by the names in it; "" for none."""
    named = [(name,) for name in _OTHERS]
    with opened(path) as stream:
        try:
            for item in walk(stream, asked_for(("trades", 0), *named)):
                return str(item.path[0])
        except BrokenJsonError as exc:
            raise UnreadableFileError(path, str(exc)) from exc
    return ""


def _entries(file: SourceFile) -> Iterator[Entry | Issue]:
    with opened(file.path, file) as stream:
        try:
            for item in walk(stream, asked_for(("trades", "[]"))):
                yield from entry_of(item.value, item.line, path_text(item.path), _tell)
        except BrokenJsonError as exc:
            raise UnreadableFileError(file.path, f"{exc}; what stands before it was read") from exc


def _tell(trade: Fields) -> list[Told]:
    side = (trade.text("side") or trade.text("trade_type")).casefold()
    if side not in _SIDES:
        raise RejectedRecordError("side", side, "long or short")
    key = trade.text("id") or trade.text("trade_id", required=True)
    model = trade.text("model_id", required=True)
    quantity = trade.number("quantity")
    common: dict[str, Any] = {
        "symbol": trade.text("symbol", required=True),
        "quantity": abs(quantity),
        "strategy_used": model,
        "model_id": model,
        "leverage": trade.number_or_none("leverage") or Decimal(1),
        "venue": VENUE,
        "round_trip": key,
        "commission_currency": "USD",
    }
    found = []
    for name, action in zip(("entry", "exit"), _SIDES[side], strict=True):
        if name == "exit" and trade.values.get("exit_time") is None:
            break
        told = {
            **common,
            "action": action,
            "price": trade.number(f"{name}_price"),
            "timestamp": trade.moment(f"{name}_time"),
            "commission": trade.fee(f"{name}_commission_dollars"),
            "external_id": f"{key}:{name}",
            "liquidity": _liquidity(trade.values.get(f"{name}_crossed")),
            "extra": _numbers(trade, f"{name}_oid", f"{name}_tid", f"{name}_closed_pnl"),
        }
        found.append(Told("trade", told | (_plan(trade) if name == "entry" else _outcome(trade))))
    return found


def _liquidity(crossed: Any) -> str | None:
    if crossed is True:
        return "taker"
    return "maker" if crossed is False else None


def _plan(trade: Fields) -> dict[str, Any]:
    """Return what the model meant to do; 0 stands for no confidence given."""
    plan = trade.values.get("exit_plan") or {}
    if not isinstance(plan, dict):
        raise RejectedRecordError("exit_plan", plan, "an object is wanted")
    fields = Fields(plan, trade.line, trade.path, floats=True)
    return {
        "confidence_score": trade.number_or_none("confidence") or None,
        "target_price": fields.number_or_none("profit_target"),
        "stop_loss_price": fields.number_or_none("stop_loss"),
        "reasoning": fields.text("invalidation_condition"),
    }


def _outcome(trade: Fields) -> dict[str, Any]:
    return {
        "source_pnl": trade.fee("realized_net_pnl"),
        "exit_reason": "LIQUIDATION" if trade.values.get("exit_liquidation") else None,
        "extra": _numbers(trade, "exit_oid", "exit_tid", "exit_closed_pnl", *_FIGURES),
    }


def _numbers(trade: Fields, *names: str) -> dict[str, Any]:
    """Return figures of the source as text, every digit of them."""
    found = {}
    for name in names:
        value = trade.number_or_none(name)
        if value is not None:
            found[name] = plain(value)
    return found

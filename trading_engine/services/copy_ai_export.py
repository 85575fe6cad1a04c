"""Round trips as an answer of nof1.ai's API, which Copy AI reads: the way back for what `import_data` took in."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
from django.db.models import QuerySet

from friren.accounts import AccountHandle
from friren.errors import ConfigurationError
from trading_engine.data.atomic_files import replacing
from trading_engine.data.transfer.shapes import Shaped
from trading_engine.models import Trade
from trading_engine.models.choices import ExitReason, Liquidity, TradeAction, TradeStatus

__all__ = ["write_copy_ai"]

FILE: Final = "trades.json"
ROWS_AT_ONCE: Final = 2_000
_LONG: Final = (TradeAction.BUY, TradeAction.SELL)
_SHORT: Final = (TradeAction.SHORT, TradeAction.COVER)
# Figures of the source that the fills keep as text, by the fill that keeps them.
_KEPT: Final = {
    "entry": ("entry_oid", "entry_tid", "entry_closed_pnl"),
    "exit": ("exit_oid", "exit_tid", "exit_closed_pnl", "realized_gross_pnl", "total_commission_dollars"),
}
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


def write_copy_ai(folder: Path, account: AccountHandle | None) -> list[Shaped]:
    """
    Write the round trips of an account: an entry, and the exit if there was one, by `round_trip`.

    Fills that are in no round trip, or in one of more than two fills, have no place in the shape, and are counted.

    Raises:
        ConfigurationError: no account is named.
        OSError: the disk refuses.
    """
    if account is None:
        raise ConfigurationError("the shape copy_ai is that of one account: name it with --account")
    rows = Trade.objects.filter(account=account.id).exclude(status=TradeStatus.BUSTED).select_related("symbol")
    count, left_out = 0, rows.filter(round_trip=None).count()
    with replacing(folder / FILE) as file:
        file.write(b'{"trades":[')
        for fills in _trips(rows):
            record = _record(fills)
            if record is None:
                left_out += len(fills)
                continue
            file.write(b",\n" if count else b"\n")
            file.write(_encode(record))
            count += 1
        file.write(b"\n]}\n")
    return [Shaped(FILE, count, left_out)]


def _trips(rows: QuerySet[Trade]) -> Iterator[list[Trade]]:
    ordered = rows.exclude(round_trip=None).order_by("round_trip", "executed_at", "id")
    for _trip, fills in itertools.groupby(ordered.iterator(chunk_size=ROWS_AT_ONCE), key=lambda one: one.round_trip):
        yield list(fills)


def _record(fills: list[Trade]) -> dict[str, Any] | None:
    """Return a round trip; None where two fills are not an entry and its exit."""
    # At one moment the order of ids tells nothing: an exit never opens.
    fills = sorted(fills, key=lambda one: (one.executed_at, one.action in {_LONG[1], _SHORT[1]}))
    entry, last = fills[0], fills[-1] if len(fills) > 1 else None
    sides = {_LONG: "long", _SHORT: "short"}
    side = next((name for actions, name in sides.items() if entry.action == actions[0]), None)
    closes = next((actions[1] for actions, name in sides.items() if name == side), None)
    if side is None or entry.symbol is None or len(fills) > 2 or (last is not None and last.action != closes):
        return None
    if last is not None and last.quantity != entry.quantity:
        return None
    plan = {
        "profit_target": entry.target_price,
        "stop_loss": entry.stop_loss_price,
        "invalidation_condition": entry.reasoning or None,
    }
    return {
        "id": entry.external_id.removesuffix(":entry") or str(entry.round_trip),
        "model_id": entry.model_id or entry.strategy_used,
        "symbol": entry.symbol.ticker,
        "side": side,
        "trade_type": side,
        "quantity": _number(-entry.quantity if side == "short" else entry.quantity),
        "leverage": _number(entry.leverage),
        "confidence": _number(entry.confidence_score),
        "exit_plan": {name: _number(value) for name, value in plan.items() if value is not None},
        **_fill("entry", entry),
        **(_fill("exit", last) if last is not None else {"exit_time": None, "exit_price": None}),
        **({} if last is None else {"realized_net_pnl": _number(last.source_pnl)}),
    }


def _fill(name: str, fill: Trade) -> dict[str, Any]:
    crossed = {Liquidity.TAKER.value: True, Liquidity.MAKER.value: False}.get(fill.liquidity)
    seconds = fill.executed_at - _EPOCH
    told = {
        f"{name}_price": _number(fill.price),
        f"{name}_time": _number(Decimal(seconds // dt.timedelta(microseconds=1)).scaleb(-6)),
        f"{name}_commission_dollars": _number(fill.commission),
        f"{name}_crossed": crossed,
        f"{name}_liquidation": True if fill.exit_reason == ExitReason.LIQUIDATION else None,
        f"{name}_sz": _number(fill.quantity),
    }
    kept = {one: _number(Decimal(fill.extra[one])) for one in _KEPT[name] if one in fill.extra}
    return told | kept


def _number(value: Any) -> Any:
    """Return a decimal as JSON writes it, without trailing zeros and without an exponent."""
    if not isinstance(value, Decimal):
        return value
    return value.to_integral_value() if value == value.to_integral_value() else value.normalize()

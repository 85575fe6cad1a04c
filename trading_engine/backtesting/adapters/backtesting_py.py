"""
A run of backtesting.py: https://kernc.github.io/backtesting.py. It is AGPL and never imported here.

Read: what `Backtest.run()` returns. The table `_trades` lacks what is still open and charges a fixed commission once
for every part of a trade, where the engine's cash was charged once for the order; so the strategy's own trades are
read, and each commission is asked of the engine's own function, once for what was opened together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from friren.core.ids import new_id
from friren.core.numbers import CONTEXT, ZERO
from trading_engine.backtesting.adapters.engine_run import EnginePoint, EngineRun, FillBook
from trading_engine.backtesting.adapters.values import Clock, exact, is_missing, part_of, plain_parameters, version_of

__all__ = ["from_backtesting"]

ENGINE: Final = "backtesting.py"
_ONE: Final = Decimal(1)


@dataclass(frozen=True, slots=True)
class _Fill:
    bar: int
    counted: int
    change: Decimal
    price: Decimal
    commission: Decimal
    trip: UUID
    details: dict[str, Any]


def from_backtesting(
    stats: Any,
    *,
    symbol: str,
    strategy: str = "",
    timezone: str = "UTC",
    currency: str = "",
    fractional_unit: float | None = None,
) -> EngineRun:
    """
    Return a run of backtesting.py.

    Every order that opened something is a round trip of its own, closed in one part or several, as the engine keeps
    them. With `margin` below 1 it is leveraged: cash is then the engine's own, to which only profit and commission go.

    Args:
        stats: what `Backtest.run()` returned.
        symbol: ticker of what was traded.
        strategy: name to keep it under; the class of the strategy unless given.
        timezone: zone of naive stamps of the bars.
        currency: of the symbol; as it is stored unless given.
        fractional_unit: of a FractionalBacktest that closed no trade; told by its trades otherwise.

    Raises:
        RejectedRecordError: `stats` is no such result, or a value of it is no number.
    """
    ran, curve = part_of(stats, "_strategy", ENGINE), part_of(stats, "_equity_curve", ENGINE)
    broker = part_of(ran, "_broker", ENGINE)
    unit = _unit(stats, broker, fractional_unit)
    clock = Clock(timezone)
    moments = [clock(stamp) for stamp in curve.index]
    raw = [float(value) for value in part_of(ran, "data", ENGINE).Close]
    closes = [exact(value / unit) for value in raw]
    leverage = exact(part_of(broker, "_leverage", ENGINE), "margin")
    book = FillBook(leverage=leverage if leverage > _ONE else None)
    for fill in _fills(broker, raw, unit):
        book.add(
            symbol, fill.change, fill.price, moments[fill.bar], commission=fill.commission,
            counted_from=moments[fill.counted], round_trip=fill.trip, **fill.details,
        )  # fmt: skip
    equity = [exact(value, "equity") for value in curve["Equity"]]
    last = len(moments) - 1
    cash = _cash(broker, leverage)
    points = [
        EnginePoint(at=at, closes={symbol: close}, equity=worth, cash=cash if place == last else None)
        for place, (at, close, worth) in enumerate(zip(moments, closes, equity, strict=True))
    ]
    return EngineRun(
        engine=ENGINE,
        engine_version=version_of("backtesting"),
        strategy=strategy or type(ran).__name__,
        # No order is filled before the first bar that the strategy sees.
        starting_cash=equity[0],
        fills=tuple(book.fills),
        points=tuple(points),
        hedging=True,
        currency=currency,
        parameters=plain_parameters(part_of(ran, "_params", ENGINE).items()),
        untold=("the time of a fill within its bar", "orders of one bar, price and tag, one by one"),
    )


def _unit(stats: Any, broker: Any, told: float | None) -> float:
    """Return the part of a share that `FractionalBacktest` trades whole, 1 elsewhere; its tables are scaled back."""
    if told is not None:
        return float(told)
    if not broker.closed_trades:
        return 1.0
    return float(broker.closed_trades[0].entry_price / stats["_trades"]["EntryPrice"].iloc[0])


def _cash(broker: Any, leverage: Decimal) -> Decimal:
    """Return what cash there is at the end: the engine pays for nothing it opens, a book of shares does."""
    cash = exact(broker._cash, "cash")  # noqa: SLF001 - the engine has no other word for it
    if leverage > _ONE:
        return cash
    held = [CONTEXT.multiply(exact(trade.size), exact(trade.entry_price)) for trade in broker.trades]
    return CONTEXT.subtract(cash, sum(held, ZERO))


def _fills(broker: Any, closes: Sequence[float], unit: float) -> list[_Fill]:
    """Return all fills in the order in which the engine made them."""
    on_close = bool(getattr(broker, "_trade_on_close", False))
    together: dict[tuple[Any, ...], list[Any]] = {}
    for trade in [*broker.closed_trades, *broker.trades]:
        key = (trade.entry_bar, trade.entry_price, trade.size > 0, str(trade.tag))
        together.setdefault(key, []).append(trade)
    found: list[_Fill] = []
    for parts in together.values():
        found += _trip(parts, broker, closes, unit, on_close=on_close)
    # Within a bar what closes comes first: it makes room for what opens.
    return sorted(found, key=lambda fill: (fill.bar, fill.counted, "source_pnl" not in fill.details))


def _trip(parts: Sequence[Any], broker: Any, closes: Sequence[float], unit: float, *, on_close: bool) -> list[_Fill]:
    """Return the fills of one round trip: what was opened together, and each part that was closed."""
    first, trip = parts[0], new_id()
    whole = sum(part.size for part in parts)
    tags = None if is_missing(first.tag) else [str(first.tag)]
    spread = float(getattr(broker, "_spread", 0.0))

    def fill(bar: int, size: float, price: float, at_market: float, sign: int = 1, **details: Any) -> _Fill:
        # An order "on close" is worked off one bar later, and dated back to the close that it was filled at.
        late = on_close and bar + 1 < len(closes) and abs(at_market - closes[bar]) <= 1e-9 * abs(closes[bar])
        paid = exact(broker._commission(size, price), "commission")  # noqa: SLF001 - the engine's own arithmetic
        return _Fill(
            bar, bar + late, exact(sign * size * unit, "quantity"), exact(price / unit), paid, trip,
            {"tags": tags, **details},
        )  # fmt: skip

    side = 1 if whole > 0 else -1
    found = [fill(first.entry_bar, whole, first.entry_price, first.entry_price / (1 + side * spread))]
    for part in parts:
        if part.exit_bar is not None:
            pnl = exact(part.size * (part.exit_price - part.entry_price), "PnL")
            found.append(fill(part.exit_bar, part.size, part.exit_price, part.exit_price, -1, source_pnl=pnl))
    return found

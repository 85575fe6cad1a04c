"""A performance table of zipline: https://zipline.ml4trading.io. Never imported here."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from friren.core.numbers import CONTEXT, ZERO
from friren.errors import RejectedRecordError
from trading_engine.backtesting.adapters.engine_run import EngineCash, EnginePoint, EngineRun, EngineSplit, FillBook
from trading_engine.backtesting.adapters.transactions import Row, rows_of, symbol_of
from trading_engine.backtesting.adapters.values import Clock, exact, version_of
from trading_engine.data.splits import ratio_of_split

__all__ = ["from_zipline"]

ENGINE: Final = "zipline"
_COLUMNS: Final = ("transactions", "orders", "positions", "portfolio_value", "starting_cash", "ending_cash")
# Sums of ten million in binary floats are off by less; any payment is more.
_NOISE: Final = Decimal("0.0001")


def from_zipline(perf: Any, *, strategy: str, timezone: str = "UTC", currency: str = "") -> EngineRun:
    """
    Return a run of zipline.

    Commission is that of the orders, day by day. Splits show in what is held; dividends and capital changes show only
    in the cash of a day, and are kept as such (ADJUSTMENT): zipline does not tell which it was, or of what.

    Args:
        perf: what `run_algorithm()` returned.
        strategy: name to keep it under.
        timezone: zone of naive stamps.
        currency: of the assets; as they are stored unless given.

    Raises:
        RejectedRecordError: no such table, a value is no number, or holdings change by no fill and no split.
    """
    lacking = [name for name in _COLUMNS if name not in getattr(perf, "columns", ())]
    if lacking or not len(perf):
        raise RejectedRecordError("perf", type(perf).__name__, f"a table of zipline, with the columns {_COLUMNS}")
    clock, book, state = Clock(timezone), FillBook(), _State()
    points: list[EnginePoint] = []
    splits: list[EngineSplit] = []
    for stamp, day in zip(perf.index, perf.to_dict("records"), strict=True):
        at = clock(day.get("period_close", stamp))
        rows = rows_of(day["transactions"], clock)
        for split in state.splits_of(day["positions"], rows, at):
            book.split(split.symbol, split.ratio)
            splits.append(split)
        fees = state.fees_of(day["orders"])
        for row in rows:
            # An order's fee of the day goes with its first fill of the day.
            paid = fees.pop(row.order, ZERO) if row.commission is None else row.commission
            book.add(
                row.symbol, row.amount, row.price, min(row.at, at), commission=paid, counted_from=at,
                extra={"order": row.order} if row.order else None,
            )  # fmt: skip
            state.paid(row, paid)
        for paid in fees.values():  # of an order that was not filled today
            state.owe(paid, at, "commission without a fill")
        cash = exact(day["ending_cash"], "ending_cash")
        state.take_cash(exact(day["starting_cash"], "starting_cash"), cash, at)
        prices = {symbol_of(held["sid"]): exact(held["last_sale_price"]) for held in _held(day["positions"])}
        points.append(EnginePoint(at=at, closes=prices, equity=exact(day["portfolio_value"], "equity"), cash=cash))
    return EngineRun(
        engine=ENGINE,
        engine_version=version_of("zipline-reloaded") or version_of("zipline"),
        strategy=strategy,
        starting_cash=exact(perf["starting_cash"].iloc[0], "starting_cash"),
        fills=tuple(book.fills),
        points=tuple(points),
        movements=tuple(state.movements),
        splits=tuple(splits),
        currency=currency,
        untold=("dividends, one by one", "the commission of each fill of an order"),
    )


def _held(positions: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [held for held in positions if held["amount"]]


class _State:
    """What has to be known of the days before."""

    def __init__(self) -> None:
        self.movements: list[EngineCash] = []
        self._held: dict[str, Decimal] = {}
        self._fees: dict[str, Decimal] = defaultdict(lambda: ZERO)
        self._explained = ZERO

    def splits_of(
        self, positions: Iterable[Mapping[str, Any]], rows: Sequence[Row], at: dt.datetime
    ) -> list[EngineSplit]:
        """Return a split wherever what is held changes by something else than the fills of the day."""
        found = []
        now = {symbol_of(held["sid"]): exact(held["amount"], "amount") for held in _held(positions)}
        for symbol, before in self._held.items():
            fills = sum((row.amount for row in rows if row.symbol == symbol), ZERO)
            after = CONTEXT.subtract(now.get(symbol, ZERO), fills)
            if after == before:
                continue
            ratio = ratio_of_split(before, after) if after else None
            if ratio is None:
                rule = f"what is held of {symbol} changes from {before} by no fill, and by no ratio of a split"
                raise RejectedRecordError("positions", after, rule)
            # Before whatever was traded on that day.
            midnight = dt.datetime.combine(at.date(), dt.time(), tzinfo=dt.UTC)
            found.append(EngineSplit(symbol=symbol, ratio=ratio, at=midnight))
        self._held = now
        return found

    def fees_of(self, orders: Iterable[Mapping[str, Any]]) -> dict[str | None, Decimal]:
        """Return what each order cost since it was last heard of; its rows tell the sum so far."""
        found: dict[str | None, Decimal] = {}
        for order in orders:
            key, total = str(order["id"]), exact(order["commission"] or 0, "commission")
            if paid := CONTEXT.subtract(total, self._fees[key]):
                found[key] = CONTEXT.add(found.get(key, ZERO), paid)
            self._fees[key] = total
        return found

    def paid(self, row: Row, commission: Decimal) -> None:
        """Take what a fill cost."""
        self._explained -= CONTEXT.add(CONTEXT.multiply(row.amount, row.price), commission)

    def owe(self, amount: Decimal, at: dt.datetime, reason: str) -> None:
        """Take a fee that no fill bears."""
        self.movements.append(EngineCash(kind="FEE", amount=-amount, at=at, reason=reason))
        self._explained -= amount

    def take_cash(self, before: Decimal, after: Decimal, at: dt.datetime) -> None:
        """Keep what the cash of a day changed by beside its fills."""
        rest = CONTEXT.subtract(CONTEXT.subtract(after, before), self._explained)
        self._explained = ZERO
        if abs(rest) > _NOISE:
            amount = CONTEXT.quantize(rest, _NOISE)
            reason = "cash that no fill explains: a dividend or a capital change"
            self.movements.append(EngineCash(kind="ADJUSTMENT", amount=amount, at=at, reason=reason))

"""A portfolio of vectorbt: https://vectorbt.dev. Never imported here."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from friren.core.numbers import ZERO
from friren.errors import RejectedRecordError
from trading_engine.backtesting.adapters.engine_run import EnginePoint, EngineRun, FillBook
from trading_engine.backtesting.adapters.values import Clock, exact, is_missing, part_of, version_of

__all__ = ["from_vectorbt"]

ENGINE: Final = "vectorbt"
# As its order records have it.
_SELL: Final = 1


def from_vectorbt(
    portfolio: Any, *, strategy: str, symbol: str = "", column: Any = None, timezone: str = "UTC", currency: str = ""
) -> EngineRun:
    """
    Return a run of vectorbt.

    A portfolio whose columns share their cash is one book of several symbols. Columns that do not are as many books:
    choose one with `column`.

    Args:
        portfolio: a `vectorbt.Portfolio`.
        strategy: name to keep it under; vectorbt knows none.
        symbol: ticker of a portfolio of one column; the name of the column unless given.
        column: name of the column, or of the group, to take.
        timezone: zone of naive stamps of the index.
        currency: of the symbols; as they are stored unless given.

    Raises:
        RejectedRecordError: no such portfolio, several books and none chosen, or a value is no number.
    """
    chosen = portfolio if column is None else portfolio[column]
    wrapper = part_of(chosen, "wrapper", ENGINE)
    names = [symbol] if symbol and len(wrapper.columns) == 1 else [str(name) for name in wrapper.columns]
    if len(set(names)) < len(names) or (symbol and names != [symbol]):
        raise RejectedRecordError("symbol", symbol, f"one name for each column of {names}")
    worth = chosen.value()
    if getattr(worth, "ndim", 1) > 1:
        if worth.shape[1] > 1:
            rule = f"one of {[str(name) for name in worth.columns]}: columns that share no cash are books of their own"
            raise RejectedRecordError("column", column, rule)
        worth = worth.iloc[:, 0]
    clock = Clock(timezone)
    moments = [clock(stamp) for stamp in wrapper.index]
    book = FillBook()
    # In the order in which they were filled: by bar, within a bar as the engine called them.
    for row in chosen.orders.records.sort_values(["idx", "id"], kind="stable").to_dict("records"):
        size = exact(row["size"], "quantity")
        book.add(
            names[int(row["col"])], -size if int(row["side"]) == _SELL else size, exact(row["price"]),
            moments[int(row["idx"])], commission=exact(row["fees"], "commission"), extra={"order": int(row["id"])},
        )  # fmt: skip
    closes, cash = chosen.close, chosen.cash()
    table = closes.to_frame() if getattr(closes, "ndim", 1) == 1 else closes
    prices = [_prices(names, line) for line in table.to_numpy().tolist()]
    cash = cash.iloc[:, 0] if getattr(cash, "ndim", 1) > 1 else cash
    points = [
        EnginePoint(at=at, closes=told, equity=exact(value, "value"), cash=exact(money, "cash"))
        for at, told, value, money in zip(moments, prices, worth.tolist(), cash.tolist(), strict=True)
    ]
    return EngineRun(
        engine=ENGINE,
        engine_version=version_of("vectorbt"),
        strategy=strategy,
        starting_cash=_starting_cash(chosen),
        fills=tuple(book.fills),
        points=tuple(points),
        currency=currency,
        untold=("the parameters of the strategy", "the time of a fill within its bar"),
    )


def _prices(names: list[str], line: list[Any]) -> dict[str, Decimal]:
    return {name: exact(price) for name, price in zip(names, line, strict=True) if not is_missing(price)}


def _starting_cash(portfolio: Any) -> Decimal:
    cash = portfolio.init_cash
    told = cash.tolist() if hasattr(cash, "tolist") else cash
    parts = told if isinstance(told, list) else [told]
    return sum((exact(part, "init_cash") for part in parts), ZERO)

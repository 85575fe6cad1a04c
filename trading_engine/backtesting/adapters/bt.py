"""A result of bt: https://pmorissette.github.io/bt. Never imported here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from friren.core.numbers import CONTEXT, ZERO
from trading_engine.backtesting.adapters.engine_run import EngineCash, EnginePoint, EngineRun, FillBook
from trading_engine.backtesting.adapters.values import Clock, exact, is_missing, part_of, version_of

__all__ = ["from_bt"]

ENGINE: Final = "bt"
# Fees that the commission function does not account for to this, in the book's currency, are booked by the day.
_NOISE: Final = Decimal("0.000001")


def from_bt(result: Any, *, strategy: str = "", timezone: str = "UTC", currency: str = "") -> EngineRun:
    """
    Return a run of bt, with whatever strategies are nested in it as one book.

    bt tells fees by the day. Where the strategy's own commission function accounts for them, each fill bears its own;
    elsewhere a day's fees are cash that no fill explains (FEE). What was bought and sold on one day is one fill.

    Args:
        result: what `bt.run()` returned.
        strategy: name of the backtest to take; the first unless given.
        timezone: zone of naive stamps of the prices.
        currency: of the securities; as they are stored unless given.

    Raises:
        RejectedRecordError: no such result, or a value is no number.
    """
    backtests = part_of(result, "backtests", ENGINE)
    name = strategy or next(iter(backtests))
    root = part_of(part_of(backtests, name, ENGINE), "strategy", ENGINE)
    clock = Clock(timezone)
    moments = [clock(stamp) for stamp in root.values.index]
    fees = dict(zip(moments, _sums(root, "fees", len(moments)), strict=True))
    book, movements = FillBook(), _flows(root, moments)
    for at, trades in _days(root, clock).items():
        told = _commissions(root, trades, fees[at])
        if told is None:
            movements.append(EngineCash(kind="FEE", amount=-fees[at], at=at, reason="fees of the day"))
        for place, (security, quantity, price) in enumerate(trades):
            book.add(security, quantity, price, at, commission=told[place] if told else ZERO)
    return EngineRun(
        engine=ENGINE,
        engine_version=version_of("bt"),
        strategy=name,
        # Its first row stands before the first prices, with the capital and nothing else.
        starting_cash=exact(root.values.iloc[0], "value"),
        fills=tuple(book.fills),
        points=tuple(_points(root, moments)),
        movements=tuple(movements),
        currency=currency,
        multipliers={
            each.name: exact(float(each.multiplier), "multiplier") for each in root.securities if each.multiplier != 1
        },
        untold=("the parameters of the strategy", "fills of one security on one day, one by one", "fees of each fill"),
    )


def _days(root: Any, clock: Clock) -> dict[dt.datetime, list[tuple[str, Decimal, Decimal]]]:
    """Return (security, signed quantity, price) of each day that has fills."""
    found: dict[dt.datetime, list[tuple[str, Decimal, Decimal]]] = {}
    table = root.get_transactions()
    rows = table[["quantity", "price"]].itertuples(index=False)
    for (stamp, security), row in zip(table.index, rows, strict=True):
        trade = (str(security), exact(row.quantity, "quantity"), exact(row.price))
        found.setdefault(clock(stamp), []).append(trade)
    return found


def _commissions(root: Any, trades: Sequence[tuple[str, Decimal, Decimal]], fees: Decimal) -> list[Decimal] | None:
    """Return the commission of each fill of a day; None where they are not the fees of that day."""
    owners = {each.name: each.parent for each in root.securities}
    told = [
        exact(float(owners[security].commission_fn(float(quantity), float(price))), "commission")
        for security, quantity, price in trades
    ]
    return told if abs(sum(told, ZERO) - fees) <= _NOISE else None


def _flows(root: Any, moments: Sequence[dt.datetime]) -> list[EngineCash]:
    """Return what was paid in and out after the capital of the first row."""
    found = []
    for at, flow in list(zip(moments, root.flows.tolist(), strict=True))[1:]:
        amount = exact(flow, "flows")
        if amount:
            kind = "DEPOSIT" if amount > ZERO else "WITHDRAWAL"
            found.append(EngineCash(kind=kind, amount=amount, at=at, reason="capital flow"))
    return found


def _points(root: Any, moments: Sequence[dt.datetime]) -> list[EnginePoint]:
    cash = _sums(root, "cash", len(moments))
    prices = {each.name: each.prices.tolist() for each in root.securities}
    return [
        EnginePoint(
            at=at,
            closes={name: exact(told[place]) for name, told in prices.items() if not is_missing(told[place])},
            equity=exact(worth, "value"),
            cash=cash[place],
        )
        for place, (at, worth) in enumerate(zip(moments, root.values.tolist(), strict=True))
    ]


def _sums(root: Any, name: str, length: int) -> list[Decimal]:
    """Return a series of all strategies of a tree, added up; each has the cash and the fees of its own securities."""
    found = [ZERO] * length
    for member in root.members:
        if hasattr(member, "capital"):  # strategies have, securities do not
            for place, money in enumerate(getattr(member, name).iloc[:length].tolist()):
                found[place] = CONTEXT.add(found[place], exact(money, name))
    return found

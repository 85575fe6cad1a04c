"""
A run of backtrader: https://www.backtrader.com. It is GPL and never imported here.

An Analyzer takes each execution as the broker reports it, and after every bar what the broker says of cash, value and
interest. The class is made from the `Analyzer` that the caller hands over: an Analyzer has to be a subclass of it.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Final, NamedTuple

from friren.core.numbers import CONTEXT, ZERO
from trading_engine.backtesting.adapters.engine_run import EngineCash, EngineFill, EnginePoint, EngineRun, FillBook
from trading_engine.backtesting.adapters.values import Clock, exact, part_of, plain_parameters, version_of

__all__ = ["friren_analyzer"]

ENGINE: Final = "backtrader"
# Sums of binary floats are not to be trusted below this, in the currency of the book; what somebody adds is money.
_NOISE: Final = Decimal("0.000001")


def friren_analyzer(backtrader: Any) -> type[Any]:
    """
    Return the Analyzer to add to a Cerebro; `engine_run(…)` of the analyzer of a strategy that ran is the run.

        cerebro.addanalyzer(friren_analyzer(bt), _name="friren")
        run = cerebro.run()[0].analyzers.friren.engine_run()

    Args:
        backtrader: the module.

    Raises:
        RejectedRecordError: it has no Analyzer.
    """
    analyzer: type[Any] = part_of(backtrader, "Analyzer", ENGINE)

    class FrirenAnalyzer(analyzer):  # type: ignore[misc]  # the caller's class
        """Gathers what a strategy did and what its broker says; see `friren_analyzer`."""

        def start(self) -> None:
            self.gathered = _Gathered(self.strategy)

        def notify_order(self, order: Any) -> None:
            self.gathered.take_order(order)

        def next(self) -> None:
            self.gathered.take_bar()

        def get_analysis(self) -> dict[str, int]:
            return {"fills": len(self.gathered.executions), "points": len(self.gathered.bars)}

        def engine_run(self, *, strategy: str = "", timezone: str = "UTC", currency: str = "") -> EngineRun:
            """
            Return the run.

            Args:
                strategy: name to keep it under; its class unless given.
                timezone: zone of the stamps of the feeds, which backtrader keeps without one.
                currency: of the book; that of the symbols as they are stored unless given.

            Raises:
                RejectedRecordError: the strategy saw no bar, or a value is no number.
            """
            return self.gathered.run(strategy=strategy, clock=Clock(timezone), currency=currency)

    return FrirenAnalyzer


class _Execution(NamedTuple):
    place: int  # of the bar at which it was told
    stamp: float
    name: str
    size: float
    price: float
    commission: float
    order: str
    leverage: Decimal | None


class _Bar(NamedTuple):
    stamp: float
    cash: float
    value: float
    closes: dict[str, float]
    interest: float  # charged since the bar before
    added: bool  # whether somebody added cash


class _Gathered:
    """What a strategy did, bar by bar."""

    def __init__(self, strategy: Any) -> None:
        self.strategy, self.broker = strategy, strategy.broker
        self.starting_cash = float(self.broker.startingcash)
        self.executions: list[_Execution] = []
        self.bars: list[_Bar] = []
        self.multipliers: dict[str, Decimal] = {}
        self._credit: dict[Any, float] = {}
        self._shares = float(getattr(self.broker, "fundshares", 0.0))

    def take_order(self, order: Any) -> None:
        """Take what was executed of an order since it was last heard of."""
        instead = getattr(order.data, "_compensate", None)
        data = order.data if instead is None else instead
        for bit in order.executed.iterpending():
            if bit is None:
                break
            paid = bit.closedcomm + bit.openedcomm
            if bit.closed and self.broker.p.int2pnl:
                # The broker adds the interest to the commission of what closes; its cash paid it day by day before.
                # That of the day itself stays in it.
                paid -= self._credit.pop(data, 0.0)
            told = (self._name(data), bit.size, bit.price, paid, str(order.ref), self._terms(data))
            self.executions.append(_Execution(len(self.bars), bit.dt, *told))

    def take_bar(self) -> None:
        """Take what the broker says after a bar."""
        interest = 0.0
        for data, charged in list(self.broker.d_credit.items()):
            interest += charged - self._credit.get(data, 0.0)
            self._credit[data] = charged
        shares = float(getattr(self.broker, "fundshares", 0.0))
        added, self._shares = shares != self._shares, shares
        closes = {self._name(data): data.close[0] for data in self.strategy.datas if len(data)}
        stamp = max(data.datetime[0] for data in self.strategy.datas if len(data))
        bar = _Bar(stamp, self.broker.getcash(), self.broker.getvalue(), closes, interest, added)
        if self.bars and self.bars[-1].stamp == stamp:
            # Two feeds of one time, worked off one after the other: the later word counts for both.
            before = self.bars.pop()
            bar = bar._replace(interest=before.interest + interest, added=before.added or added)
        self.bars.append(bar)

    def run(self, *, strategy: str, clock: Clock, currency: str) -> EngineRun:
        """Return what was gathered as a run."""
        moments = [clock(_wall(bar.stamp)) for bar in self.bars]
        book = FillBook()
        for told in self.executions:
            counted = moments[min(told.place, len(moments) - 1)]
            book.add(
                told.name, exact(told.size, "quantity"), exact(told.price), min(clock(_wall(told.stamp)), counted),
                commission=exact(told.commission, "commission"), counted_from=counted, leverage=told.leverage,
                extra={"order": told.order},
            )  # fmt: skip
        spot = all(fill.leverage is None for fill in book.fills)
        points = [
            EnginePoint(
                at=at,
                closes={name: exact(close) for name, close in bar.closes.items()},
                equity=exact(bar.value, "value"),
                # Of futures the broker's cash is without their margin, which Friren's books do not set aside.
                cash=exact(bar.cash, "cash") if spot else None,
            )
            for at, bar in zip(moments, self.bars, strict=True)
        ]
        return EngineRun(
            engine=ENGINE,
            engine_version=version_of("backtrader"),
            strategy=strategy or type(self.strategy).__name__,
            starting_cash=exact(self.starting_cash, "cash"),
            fills=tuple(book.fills),
            points=tuple(points),
            movements=tuple(self._movements(moments, book)),
            currency=currency,
            multipliers=self.multipliers,
            parameters=plain_parameters(vars(self.strategy.p).items()),
            untold=("the time of a fill within its bar",),
        )

    def _movements(self, moments: list[dt.datetime], book: FillBook) -> list[EngineCash]:
        """Return interest, and cash that was added: what nothing else explains, as the broker does not say how much."""
        found = []
        before = exact(self.starting_cash, "cash")
        for at, bar in zip(moments, self.bars, strict=True):
            cash, interest = exact(bar.cash, "cash"), exact(bar.interest, "interest")
            if interest:
                found.append(EngineCash(kind="INTEREST", amount=-interest, at=at, reason="credit interest"))
            if bar.added:
                paid = (_paid(fill) for fill in book.fills if fill.counted_from == at)
                amount = CONTEXT.quantize(sum(paid, cash - before + interest), _NOISE)
                if amount:
                    kind = "DEPOSIT" if amount > ZERO else "WITHDRAWAL"
                    found.append(EngineCash(kind=kind, amount=amount, at=at, reason="add_cash"))
            before = cash
        return found

    def _name(self, data: Any) -> str:
        return str(getattr(data, "_name", "") or f"data{self.strategy.datas.index(data)}")

    def _terms(self, data: Any) -> Decimal | None:
        """Return the leverage of what is not paid for in full, None for spot; note the multiplier."""
        terms = self.broker.getcommissioninfo(data)
        multiplier = exact(float(terms.p.mult), "mult")
        if multiplier != 1:
            self.multipliers[self._name(data)] = multiplier
        leverage = exact(float(terms.get_leverage()), "leverage")
        return None if terms.stocklike and leverage == 1 else max(leverage, Decimal(1))


def _paid(fill: EngineFill) -> Decimal:
    """Return what a fill took out of the cash of a book of shares."""
    signed = fill.quantity if fill.action in {"buy", "cover"} else -fill.quantity
    return CONTEXT.add(CONTEXT.multiply(signed, fill.price), fill.commission)


def _wall(days: float) -> dt.datetime:
    """Return the stamp that backtrader keeps as days since the year 1, to the microsecond that it can tell."""
    whole, part = divmod(days, 1)
    told = round(part * 86_400_000_000)
    # Its doubles tell some 10 microseconds: what is as near as that to a millisecond was one. But not the end of a day.
    near = round(told / 1000) * 1000
    if abs(near - told) <= 6 and near < 86_400_000_000:
        told = near
    return dt.datetime.fromordinal(int(whole)) + dt.timedelta(microseconds=told)  # zone of the feed

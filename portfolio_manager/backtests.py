"""Run strategies over past bars through the trading cycle, in an account of their own."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import friren
from friren.accounts import AccountHandle
from friren.core.ids import new_id
from friren.core.numbers import plain
from friren.errors import RejectedRecordError
from portfolio_manager.accounting import Instrument
from portfolio_manager.analytics import performance
from portfolio_manager.orchestrator import CycleSettings, TradingCycle
from portfolio_manager.risk_gate import RiskGate
from portfolio_manager.run_book import open_run_book, run_name
from portfolio_manager.run_instruments import currency_of, instruments_of
from portfolio_manager.run_outcome import fail_run, result_columns
from portfolio_manager.run_report import RunReport
from portfolio_manager.stored_books import check_stored_books
from trading_engine.backtesting import EventLoop, LoopCounts, NextOpenVenue, Venue
from trading_engine.data.bars import Bar
from trading_engine.regime import DEFAULT_DETECTOR, RegimeDetector, VixCloses, create_detector
from trading_engine.services import BacktestRecorder
from trading_engine.strategies import Strategy, create_strategy

__all__ = ["BacktestPlan", "run_backtest"]

log = logging.getLogger(__name__)

STARTING_CASH: Final = Decimal(100_000)
COMMISSION: Final = Decimal(1)
SIMULATED: Final = "SIMULATED"


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestPlan:
    """
    What to run.

    Attributes:
        series: bars of one timeframe by symbol, each oldest first; at least one bar.
        strategies: registered names; every strategy trades every symbol.
        parameters: of strategies that are not as they come, by name.
        label: stands for the strategies in the account's name; their names when "".
        account: name of the book; `<strategy>-<symbols>-<run id>` when "". It must be new.
        detector: name of the regime detector, see `create_detector`.
        vix: closes for the regime detector.
        starting_cash: in the currency of the symbols.
        commission: per fill.
        venue: where orders go; fills at the next open when None.
    """

    series: Mapping[str, Sequence[Bar]]
    strategies: Sequence[str]
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    label: str = ""
    account: str = ""
    detector: str = DEFAULT_DETECTOR
    vix: VixCloses | None = None
    starting_cash: Decimal = STARTING_CASH
    commission: Decimal = COMMISSION
    venue: Venue | None = None

    @property
    def symbols(self) -> tuple[str, ...]:
        """What is traded, sorted."""
        return tuple(sorted(self.series))

    @property
    def period(self) -> tuple[dt.datetime, dt.datetime]:
        """The first and the last bar."""
        return (
            min(bars[0].timestamp for bars in self.series.values()),
            max(bars[-1].timestamp for bars in self.series.values()),
        )


def run_backtest(plan: BacktestPlan, *, progress: Callable[[int], None] | None = None) -> RunReport:
    """
    Run a plan and store everything: run, signals, orders, trades, regimes, daily risk, result.

    The loop trades on its own fold in memory and appends every fact to the journal, which is drained meanwhile. At
    the end all of it is stored and booked, and the books are compared with the fold. While the database is away a
    run goes on all the same: `RunReport.journaled` says how much is still on this machine's disk.

    The same bars give the same figures; nothing in a run is random.

    Args:
        progress: called with the number of bars just done.

    Raises:
        RejectedRecordError: there are no bars, a strategy or detector is unknown, the account is taken, or symbols are
            quoted in different currencies.
        ConfigurationError: the detector needs an extra that is not installed.
        FrirenError, DatabaseError: what went wrong while it ran; the run is then stored as FAILED.
    """
    began = time.perf_counter()
    strategies = _strategies(plan)
    detectors = {symbol: create_detector(plan.detector, vix=plan.vix) for symbol in plan.symbols}
    instruments = instruments_of(plan.symbols)
    run_id = new_id()
    account = open_run_book(
        plan.account or run_name(plan.label or "+".join(plan.strategies), plan.symbols, run_id),
        starting_cash=plan.starting_cash,
        currency=currency_of(instruments),
    )
    with BacktestRecorder() as runs:
        _start(runs, plan, run_id, account, strategies, detector=detectors[plan.symbols[0]].name)
        try:
            cycle, counts = _trade(plan, account, strategies, detectors, instruments, progress=progress)
            check_stored_books(account, cycle, runs.recorder)
            report = _report(plan, run_id, account, cycle, counts)
            runs.finish_run(run_id, **result_columns(report))
        except BaseException as exc:
            # Whatever ended it, Ctrl-C included: a run must not look as if it were still going.
            fail_run(runs, run_id, exc)
            raise
        left = 0 if runs.recorder.drained() else runs.recorder.backlog
    return replace(report, journaled=left, seconds=time.perf_counter() - began)


def _strategies(plan: BacktestPlan) -> dict[str, list[Strategy]]:
    if not plan.strategies or len(set(plan.strategies)) != len(plan.strategies):
        raise RejectedRecordError("strategies", list(plan.strategies), "at least one, each once")
    made = {
        symbol: [create_strategy(name, **plan.parameters.get(name, {})) for name in plan.strategies]
        for symbol in plan.symbols
    }
    if not made or not all(plan.series.values()):
        raise RejectedRecordError("series", list(plan.symbols), "at least one bar of every symbol")
    return made


def _start(
    runs: BacktestRecorder,
    plan: BacktestPlan,
    run_id: UUID,
    account: AccountHandle,
    strategies: Mapping[str, Sequence[Strategy]],
    *,
    detector: str,
) -> None:
    starts_at, ends_at = plan.period
    runs.start_run(
        account,
        run_id=run_id,
        name=account.name,
        starts_at=starts_at,
        ends_at=ends_at,
        strategy_name="+".join(plan.strategies),
        parameters={
            "strategies": {each.name: dict(each.parameters) for each in strategies[plan.symbols[0]]},
            "symbols": list(plan.symbols),
            "starting_cash": plain(plan.starting_cash),
            "commission": plain(plan.commission),
            "regime_detector": detector,
            "vix": plan.vix is not None,
        },
        engine="reference",
        engine_version=friren.__version__,
        code_version=friren.__version__,
        data_digest=_digest(plan.series),
    )
    runs.update_run_status(run_id, "RUNNING")


def _digest(series: Mapping[str, Sequence[Bar]]) -> str:
    """Return what tells one set of bars from another: the SHA-256 over their times and prices."""
    digest = hashlib.sha256()
    for symbol in sorted(series):
        for bar in series[symbol]:
            prices = ",".join(plain(value) for value in (bar.open, bar.high, bar.low, bar.close, bar.volume))
            digest.update(f"{symbol},{bar.timestamp.isoformat()},{bar.timeframe},{prices}\n".encode())
    return digest.hexdigest()


def _trade(
    plan: BacktestPlan,
    account: AccountHandle,
    strategies: Mapping[str, Sequence[Strategy]],
    detectors: Mapping[str, RegimeDetector],
    instruments: Mapping[str, Instrument],
    *,
    progress: Callable[[int], None] | None,
) -> tuple[TradingCycle, LoopCounts]:
    settings = CycleSettings(
        gate=RiskGate(slots=len(plan.strategies) * len(plan.symbols), commission=plan.commission),
        starting_cash=plan.starting_cash,
        venue=SIMULATED,
        detectors={symbol: detector.name for symbol, detector in detectors.items()},
        instruments=instruments,
    )
    cycle = TradingCycle(account=account, settings=settings, simulated=True)
    loop = EventLoop(
        strategies=strategies,
        venue=plan.venue or NextOpenVenue(commission=plan.commission),
        sink=cycle,
        detectors=detectors,
        progress=progress,
    )
    counts = loop.run(plan.series)
    cycle.finish()
    return cycle, counts


def _report(
    plan: BacktestPlan,
    run_id: UUID,
    account: AccountHandle,
    cycle: TradingCycle,
    counts: LoopCounts,
) -> RunReport:
    starts_at, ends_at = plan.period
    trips = cycle.book.round_trips()
    return RunReport(
        run_id=run_id,
        account=account.name,
        strategies=tuple(plan.strategies),
        symbols=plan.symbols,
        starts_at=starts_at,
        ends_at=ends_at,
        currency=account.base_currency,
        bars=counts.bars,
        signals=counts.signals,
        orders=cycle.orders,
        trades=cycle.trades,
        regimes=counts.regimes,
        risk_days=cycle.risk_days,
        starting_cash=plan.starting_cash,
        final_equity=cycle.book.equity(),
        equity=cycle.equity,
        trips=trips,
        refusals=dict(cycle.refusals),
        performance=performance([plan.starting_cash, *(value for _, value in cycle.equity)], trips),
    )

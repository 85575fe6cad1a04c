"""Run strategies over past bars through the trading cycle, in an account of their own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

import friren
from friren.accounts import AccountHandle
from friren.core.choices import PositionMode
from friren.core.ids import new_id
from friren.core.numbers import plain
from portfolio_manager.accounting import Instrument
from portfolio_manager.analytics import performance
from portfolio_manager.backtest_plans import BacktestPlan, digest_of, strategies_of, traded_pairs
from portfolio_manager.orchestrator import CycleSettings, TradingCycle
from portfolio_manager.pair_cycle import PairCycle
from portfolio_manager.preferences import Preferences, preferences_of
from portfolio_manager.risk_gate import RiskGate
from portfolio_manager.run_book import open_run_book, run_name
from portfolio_manager.run_instruments import currency_of, instruments_of
from portfolio_manager.run_outcome import fail_run, result_columns
from portfolio_manager.run_report import RunReport
from portfolio_manager.stored_books import check_stored_books
from trading_engine.backtesting import EventLoop, LoopCounts, NextOpenVenue, PairLoop, TradedPair
from trading_engine.pairs.finding import store_unknown_pairs
from trading_engine.regime import RegimeDetector, create_detector
from trading_engine.services import BacktestRecorder
from trading_engine.strategies import Strategy

__all__ = ["BacktestPlan", "run_backtest"]

log = logging.getLogger(__name__)

SIMULATED: Final = "SIMULATED"


@dataclass(frozen=True, slots=True)
class _Traded:
    """What trades in a run, made anew for it."""

    strategies: Mapping[str, Sequence[Strategy]]
    pairs: Sequence[TradedPair]
    detectors: Mapping[str, RegimeDetector]
    instruments: Mapping[str, Instrument]
    preferences: Preferences | None

    @property
    def parameters(self) -> dict[str, Any]:
        """Of every strategy, by name: those on one symbol or pair are as those on another."""
        on_symbols = {each.name: dict(each.parameters) for made in self.strategies.values() for each in made}
        return on_symbols | {pair.strategy.name: dict(pair.strategy.parameters) for pair in self.pairs}


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
            quoted in different currencies; a pair has too few bars, or nobody is called like the user.
        ConfigurationError: the detector, or the analysis of pairs, needs an extra that is not installed.
        FrirenError, DatabaseError: what went wrong while it ran; the run is then stored as FAILED.
    """
    began = time.perf_counter()
    traded = _Traded(
        strategies=strategies_of(plan),
        pairs=traded_pairs(plan),
        detectors={symbol: create_detector(plan.detector, vix=plan.vix) for symbol in plan.symbols},
        instruments=instruments_of(plan.symbols),
        preferences=preferences_of(plan.user) if plan.user else None,
    )
    store_unknown_pairs(plan.series, plan.pairs)
    run_id = new_id()
    account = open_run_book(
        plan.account or run_name(plan.label or "+".join(plan.strategies), plan.traded, run_id),
        starting_cash=plan.starting_cash,
        currency=currency_of(traded.instruments),
        position_mode=PositionMode.HEDGING if plan.pairs else PositionMode.NETTING,
    )
    with BacktestRecorder() as runs:
        _start(runs, plan, run_id, account, traded)
        try:
            cycle, counts = _trade(plan, account, traded, progress=progress)
            check_stored_books(account, cycle, runs.recorder)
            report = _report(plan, run_id, account, cycle, counts)
            runs.finish_run(run_id, **result_columns(report))
        except BaseException as exc:
            # Whatever ended it, Ctrl-C included: a run must not look as if it were still going.
            fail_run(runs, run_id, exc)
            raise
        left = 0 if runs.recorder.drained() else runs.recorder.backlog
    return replace(report, journaled=left, seconds=time.perf_counter() - began)


def _start(runs: BacktestRecorder, plan: BacktestPlan, run_id: UUID, account: AccountHandle, traded: _Traded) -> None:
    starts_at, ends_at = plan.period
    share = None if traded.preferences is None else plain(traded.preferences.entry_share)
    runs.start_run(
        account,
        run_id=run_id,
        name=account.name,
        starts_at=starts_at,
        ends_at=ends_at,
        strategy_name="+".join(plan.strategies),
        parameters={
            "strategies": traded.parameters,
            "symbols": list(plan.symbols),
            "starting_cash": plain(plan.starting_cash),
            "commission": plain(plan.commission),
            "regime_detector": traded.detectors[plan.symbols[0]].name,
            "vix": plan.vix is not None,
            **({"entry_share": share} if share is not None else {}),
            **({"pairs": [list(pair) for pair in plan.pairs]} if plan.pairs else {}),
        },
        engine="reference",
        engine_version=friren.__version__,
        code_version=friren.__version__,
        data_digest=digest_of(plan.series),
        user=None if traded.preferences is None else traded.preferences.user,
        pairs=list(plan.pairs),
    )
    runs.update_run_status(run_id, "RUNNING")


def _trade(
    plan: BacktestPlan, account: AccountHandle, traded: _Traded, *, progress: Callable[[int], None] | None
) -> tuple[TradingCycle, LoopCounts]:
    share = None if traded.preferences is None else traded.preferences.entry_share
    settings = CycleSettings(
        gate=RiskGate(slots=plan.slots, commission=plan.commission, entry_share=share),
        starting_cash=plan.starting_cash,
        venue=SIMULATED,
        detectors={symbol: detector.name for symbol, detector in traded.detectors.items()},
        instruments=traded.instruments,
    )
    common: dict[str, Any] = {
        "strategies": traded.strategies,
        "venue": plan.venue or NextOpenVenue(commission=plan.commission),
        "detectors": traded.detectors,
        "progress": progress,
    }
    cycle: TradingCycle
    if traded.pairs:
        cycle = pair_cycle = PairCycle(account=account, settings=settings, simulated=True)
        loop: EventLoop = PairLoop(pairs=traded.pairs, sink=pair_cycle, **common)
    else:
        cycle = TradingCycle(account=account, settings=settings, simulated=True)
        loop = EventLoop(sink=cycle, **common)
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

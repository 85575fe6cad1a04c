"""Record a run of another engine: a book of its own, its fills, its curve and its figures, as `backtest` does."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from friren.accounts import AccountHandle
from friren.core.choices import PositionMode
from friren.core.ids import new_id
from friren.core.numbers import plain
from friren.errors import FrirenError, RejectedRecordError
from friren.persistence.facts import Fact
from friren.persistence.receipts import BulkReceipt
from friren.persistence.recorder import Recorder
from portfolio_manager.accounting import Instrument
from portfolio_manager.analytics import performance
from portfolio_manager.book_snapshots import book_snapshot
from portfolio_manager.data_logger import PortfolioTracker, RiskLogger
from portfolio_manager.engine_books import EngineBooks, Event, events_of
from portfolio_manager.models.choices import SnapshotKind
from portfolio_manager.run_book import open_run_book, run_name
from portfolio_manager.run_instruments import currency_of, instruments_of
from portfolio_manager.run_outcome import fail_run, result_columns
from portfolio_manager.run_report import RunReport
from portfolio_manager.stored_books import check_stored_books
from trading_engine.backtesting.adapters import EngineCash, EngineFill, EngineRun, EngineSplit
from trading_engine.services import BacktestRecorder, TradeLogger

__all__ = ["record_run"]

DIFFERENCES_SHOWN: Final = 3


def record_run(run: EngineRun, *, account: str = "", mode: str = "journal") -> RunReport:
    """
    Store a run of another engine in a book of its own: run, fills, cash, curve, daily risk, result.

    Its fills are folded by Friren's own arithmetic, and the engine's equity (and cash, where it tells it) has to come
    out at every moment of the curve, to the cent. Where it does not, all of it is stored all the same, the run is
    FAILED, and the error names the first moments: the engine did something that it does not tell.

    Args:
        run: what an adapter of `trading_engine.backtesting.adapters` returned.
        account: name of the book; `<strategy>-<symbols>-<run id>` when "". It must be new.
        mode: "journal": facts are appended to this machine's journal and stored in the background. "direct": in batches
            of one commit each.

    Returns:
        As of `run_backtest`: signals, orders and regimes are 0, which an engine does not hand out.

    Raises:
        RejectedRecordError: the account is taken, symbols are quoted in different currencies, currency or multiplier is
            not what a symbol is stored with, or a value breaks a rule.
        FrirenError: the engine's figures do not follow from its fills.
    """
    began = time.perf_counter()
    instruments = instruments_of(run.symbols, unknown=run.currency or "USD")
    currency = _checked_currency(run, instruments)
    run_id = new_id()
    book = open_run_book(
        account or run_name(run.strategy, run.symbols, run_id),
        starting_cash=run.starting_cash,
        currency=currency,
        position_mode=PositionMode.HEDGING if run.hedging else PositionMode.NETTING,
    )
    with BacktestRecorder() as runs:
        _start(runs, run, run_id, book)
        try:
            books = EngineBooks(run, book, instruments)
            _store(run, books, book, mode)
            check_stored_books(book, books, runs.recorder)
            _check_curve(run, books)
            report = _report(run, run_id, book, books)
            runs.finish_run(run_id, **result_columns(report, untold=list(run.untold)))
        except BaseException as exc:
            # Whatever ended it, Ctrl-C included: a run must not look as if it were still going.
            fail_run(runs, run_id, exc)
            raise
        left = 0 if runs.recorder.drained() else runs.recorder.backlog
    return replace(report, journaled=left, seconds=time.perf_counter() - began)


def _checked_currency(run: EngineRun, instruments: dict[str, Instrument]) -> str:
    """Return the currency of a run, once its symbols are what they are stored as."""
    for symbol in run.symbols:
        told, stored = run.multipliers.get(symbol, Decimal(1)), instruments[symbol].multiplier
        if told != stored:
            rule = f"{plain(stored)}, with which the symbol {symbol} is stored: change the one or the other"
            raise RejectedRecordError("multiplier", told, rule)
    currency = currency_of(instruments) if instruments else run.currency or "USD"
    if run.currency not in {"", currency}:
        raise RejectedRecordError("currency", run.currency, f"{currency}, in which its symbols are stored")
    return currency


def _start(runs: BacktestRecorder, run: EngineRun, run_id: UUID, book: AccountHandle) -> None:
    runs.start_run(
        book,
        run_id=run_id,
        name=book.name,
        starts_at=run.points[0].at,
        ends_at=run.points[-1].at,
        strategy_name=run.strategy,
        parameters={
            "strategies": {run.strategy: dict(run.parameters)},
            "symbols": list(run.symbols),
            "starting_cash": plain(run.starting_cash),
        },
        engine=run.engine,
        engine_version=run.engine_version or None,
    )
    runs.update_run_status(run_id, "RUNNING")


def _store(run: EngineRun, books: EngineBooks, book: AccountHandle, mode: str) -> None:
    """Store what happened, then how the book stood: the first is what the second follows from."""
    durability = "os" if mode == "journal" else None
    events = events_of(run)
    trades = TradeLogger(book, mode=mode, durability=durability)
    _check(trades.bulk_log(_told(event.id, event.told, run) for event in events if isinstance(event.told, EngineFill)))
    tracker = PortfolioTracker(book, mode=mode, durability=durability)
    for event in events:
        _record(tracker, event, run)
    snapshots = Recorder(mode=mode, durability=durability)
    _check(snapshots.record_many(_snapshots(run, books, book, events), _as_it_is))
    risks = RiskLogger(book, mode=mode, durability=durability)
    _check(risks.bulk_log(asdict(day) for day in books.risk_days))


def _told(key: UUID, fill: EngineFill, run: EngineRun) -> dict[str, Any]:
    """Return a fill as the keywords of `log_trade`."""
    return {
        **fill.details,
        "trade_id": key,
        "symbol": fill.symbol,
        "action": fill.action,
        "quantity": fill.quantity,
        "price": fill.price,
        "timestamp": fill.executed_at,
        "commission": fill.commission,
        "leverage": fill.leverage,
        "round_trip": fill.round_trip,
        "venue": run.engine,
        "strategy_used": run.strategy,
    }


def _record(tracker: PortfolioTracker, event: Event, run: EngineRun) -> None:
    told = event.told
    if isinstance(told, EngineCash):
        tracker.record_cash(
            told.kind, told.amount, told.at, movement_id=event.id, venue=run.engine, reason=told.reason or None
        )
    elif isinstance(told, EngineSplit):
        tracker.apply_corporate_action(told.symbol, "SPLIT", told.at, ratio=told.ratio, source=run.engine)


def _snapshots(run: EngineRun, books: EngineBooks, book: AccountHandle, events: Sequence[Event]) -> Iterator[Fact]:
    """Yield the curve: one snapshot a day where the engine has one, else one of each of its moments."""
    days = {point.at.date() for point in run.points}
    kind = SnapshotKind.DAILY if len(days) == len(run.points) else SnapshotKind.INTRADAY

    for point, figures in books.follow(events):
        day = point.at.date() if kind == SnapshotKind.DAILY else None
        yield book_snapshot(book, kind=kind, at=point.at, day=day, figures=figures)


def _as_it_is(fact: Fact) -> Fact:
    return fact


def _check(receipt: BulkReceipt) -> None:
    if receipt.rejected:
        _index, error = receipt.rejected[0]
        raise error


def _check_curve(run: EngineRun, books: EngineBooks) -> None:
    if books.differences:
        shown = "; ".join(books.differences[:DIFFERENCES_SHOWN])
        more = len(books.differences) - DIFFERENCES_SHOWN
        rest = f"; and {more} more" if more > 0 else ""
        raise FrirenError(f"{run.engine} does not tell all that it did: {shown}{rest}")


def _report(run: EngineRun, run_id: UUID, book: AccountHandle, books: EngineBooks) -> RunReport:
    trips = books.book.round_trips()
    daily = [day.portfolio_value for day in books.risk_days]
    return RunReport(
        run_id=run_id,
        account=book.name,
        strategies=(run.strategy,),
        symbols=run.symbols,
        starts_at=run.points[0].at,
        ends_at=run.points[-1].at,
        currency=book.base_currency,
        bars=len(run.points),
        signals=0,
        orders=0,
        trades=len(run.fills),
        regimes=0,
        risk_days=len(books.risk_days),
        starting_cash=run.starting_cash,
        final_equity=books.book.equity(),
        equity=books.equity,
        trips=trips,
        refusals={},
        performance=performance([run.starting_cash, *daily], trips),
    )

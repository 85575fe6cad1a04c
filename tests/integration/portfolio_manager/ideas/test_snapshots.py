"""What was seen and how books stood: into the month it belongs to, once, by whichever way it comes."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import ProtectedError

import friren
from friren.errors import InvalidTransitionError, KeyReusedError, RejectedRecordError
from friren.operations import audit
from friren.operations.audit.layout import layouts
from friren.persistence.models import DeadLetter
from friren.persistence.receipts import WriteOutcome
from portfolio_manager.data_logger import DecisionLogger, PortfolioSnapshotter, PortfolioTracker, TradeIdeaService
from portfolio_manager.models import (
    AccountTotals,
    BacktestTrade,
    DecisionHistory,
    PortfolioHistory,
    PortfolioSnapshot,
    Position,
    TradeIdea,
)
from tests.factories import MONDAY, AccountTotalsFactory, BacktestTradeFactory, PositionFactory, TradingPairFactory
from trading_engine.models import CandleSnapshot
from trading_engine.services import SnapshotLogger

CANDLE = {"symbol": "AAPL", "timeframe": "1h", "open": 1, "high": 3, "low": 1, "close": 2}
IDEA = {
    "symbol": "AAPL", "direction": "long", "entry_price": 187, "quantity": 1, "timestamp": MONDAY,
    "confidence_score": 0.5,
}  # fmt: skip


def partition_of(row) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT tableoid::regclass::text FROM {row._meta.db_table} WHERE id = %s", [row.pk])
        return cursor.fetchone()[0]


@pytest.mark.parametrize("mode", ["direct", "journal"])
def test_a_row_lies_in_the_month_it_was_captured_in(mode, book) -> None:
    month = dt.datetime(2031 if mode == "direct" else 2032, 5, 17, tzinfo=dt.UTC)
    with SnapshotLogger(mode=mode) as seen, TradeIdeaService(book, mode=mode) as ideas:
        seen.log_candle(**CANDLE, captured_at=month)
        ideas.propose(**{**IDEA, "timestamp": month}, seen={"candles": [CANDLE]})
        assert seen.flush(60)

    assert {partition_of(row) for row in CandleSnapshot.objects.all()} == {
        f"trading_engine_candlesnapshot_y{month.year}m05"
    }
    assert CandleSnapshot.objects.count() == 2


def test_a_row_told_twice_is_one_and_with_other_values_refused() -> None:
    seen = SnapshotLogger()
    first, again = (seen.log_candle(**CANDLE, captured_at=MONDAY) for _ in range(2))

    assert (first.outcome, again.outcome) == (WriteOutcome.STORED, WriteOutcome.DUPLICATE)
    assert first.id == again.id
    with pytest.raises(KeyReusedError):
        seen.log_candle(**{**CANDLE, "close": 3}, captured_at=MONDAY)
    assert CandleSnapshot.objects.get().close == 2


@pytest.mark.parametrize("change", ["UPDATE {} SET close = 3", "DELETE FROM {}", "TRUNCATE {}"])
def test_what_was_seen_stays_as_it_was_seen(change) -> None:
    SnapshotLogger().log_candle(**CANDLE, captured_at=MONDAY)

    with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change.format(CandleSnapshot._meta.db_table))
    assert CandleSnapshot.objects.get().close == 2


@pytest.mark.parametrize("wrong", [{"close": 1.5}, {"symbol": ""}, {"open": Decimal("NaN")}, {"timeframe": "x" * 9}])
def test_what_is_wrong_with_a_row_is_named(wrong) -> None:
    with pytest.raises(RejectedRecordError) as caught:
        SnapshotLogger().log_candle(**{**CANDLE, **wrong}, captured_at=MONDAY)

    assert [caught.value.field] == list(wrong)


def test_what_goes_by_the_journal_is_stored_in_its_order_and_what_comes_too_late_is_a_dead_letter(
    book, config, reviewer
) -> None:
    with TradeIdeaService(book, mode="journal") as ideas:
        idea = ideas.propose(**IDEA, seen={"candles": [CANDLE]})
        assert idea.outcome is WriteOutcome.JOURNALED
        assert ideas.evaluate(idea).status == "needs_approval"  # waits for what is on its way
        approved = ideas.approve(idea, reviewer=reviewer)
        halted = ideas.halt("lunch")
        late = ideas.reject(idea, reviewer=reviewer, reason="no")
        assert {one.outcome for one in (approved, halted, late)} == {WriteOutcome.JOURNALED}
        assert ideas.flush(60)

    assert TradeIdea.objects.get().status == "auto_executed"
    (letter,) = DeadLetter.objects.all()
    assert letter.error_class == InvalidTransitionError.__name__
    assert DecisionHistory.objects.filter(action="human_rejected").count() == 0


@pytest.mark.usefixtures("config")
def test_all_of_it_is_sealed_and_proved(service, reviewer, settings, tmp_path) -> None:
    settings.FRIREN_AUDIT_HOME = tmp_path / "audit"
    idea = service.propose(**IDEA)
    service.evaluate(idea)
    notes = DecisionLogger(service.account)
    notes.log_decision(action="ai_proposed", timestamp=MONDAY, rationale="a note", idea=idea)
    audit.seal()
    service.approve(idea, reviewer=reviewer)
    order = service.execute(idea)
    audit.seal()

    assert order.outcome is WriteOutcome.STORED
    assert {"portfolio_manager_tradeidea", "portfolio_manager_decisionhistory", "portfolio_manager_ideaoutcome",
            "trading_engine_signalarchive"} <= {layout.table for layout in layouts()}  # fmt: skip
    assert audit.verify().ok
    with connection.cursor() as cursor:
        cursor.execute("UPDATE portfolio_manager_tradeidea SET status = 'rejected'")
    found = audit.verify()
    assert not found.ok
    assert found.first_bad.column == "status"


def test_a_snapshot_of_a_book_says_what_it_comes_to(book) -> None:
    tracker, snapshots = PortfolioTracker(book), PortfolioSnapshotter(book)
    tracker.record_trade(symbol="AAPL", action="buy", quantity=10, price=100, timestamp=MONDAY, commission=Decimal(1))
    tracker.record_trade(symbol="AAPL", action="sell", quantity=4, price=110, timestamp=MONDAY, commission=Decimal(1))
    tracker.mark_to_market({"AAPL": 120}, MONDAY)

    assert snapshots.snapshot(MONDAY).outcome is WriteOutcome.STORED
    assert snapshots.snapshot(MONDAY).outcome is WriteOutcome.DUPLICATE
    row = PortfolioSnapshot.objects.get()
    assert (row.balance, row.total_invested, row.total_value) == (99_438, 600, 100_158)
    assert (row.realized_pnl, row.total_unrealized_pnl, row.total_commission) == (40, 120, 2)
    assert (row.total_profit_loss, row.open_positions, row.trade_count) == (160, 1, 2)
    tracker.mark_to_market({"AAPL": 121}, MONDAY + dt.timedelta(minutes=1))
    with pytest.raises(KeyReusedError, match="at="):
        snapshots.snapshot(MONDAY)


def test_of_a_day_the_newest_snapshot_stays(book) -> None:
    tracker, snapshots = PortfolioTracker(book), PortfolioSnapshotter(book)
    for hour, cash in ((10, 5), (16, 7)):
        tracker.record_cash("DEPOSIT", cash, MONDAY)
        snapshots.create_daily_portfolio_snapshot(MONDAY.replace(hour=hour))

    assert snapshots.create_daily_portfolio_snapshot(MONDAY.replace(hour=12)).outcome is WriteOutcome.DUPLICATE
    row = PortfolioHistory.objects.get()
    assert (row.balance, row.timestamp.hour, row.snapshot_date) == (100_012, 16, MONDAY.date())
    assert snapshots.create_daily_portfolio_snapshot(MONDAY + dt.timedelta(days=1)).outcome is WriteOutcome.STORED
    history = snapshots.get_snapshot_history(kind="daily")
    assert [found.snapshot_date.day for found in history] == [9, 8]


def test_a_day_is_that_of_the_accounts_time_zone() -> None:
    book = friren.open_account("tokyo", timezone="Asia/Tokyo")
    PortfolioSnapshotter(book).create_daily_portfolio_snapshot(MONDAY.replace(hour=15))

    assert PortfolioHistory.objects.get().snapshot_date.day == 9


def test_views_of_the_books_show_their_own_rows_alone() -> None:
    closed, other, totals = BacktestTradeFactory(), PositionFactory(), AccountTotalsFactory()

    assert [row.pk for row in BacktestTrade.objects.all()] == [closed.pk]
    assert {row.pk for row in Position.objects.all()} == {closed.pk, other.pk}
    assert [row.pk for row in BacktestTrade.objects.open()] == [closed.pk]
    found = BacktestTrade.objects.get()
    assert (found.trade_type, found.entry_date, found.exit_date, found.position_size, found.pnl, found.backtest) == (
        "LONG", closed.opened_at, None, 10, 0, None,
    )  # fmt: skip
    assert [row.pk for row in AccountTotals.objects.all()] == [totals.pk]
    assert PortfolioHistory.objects.count() == 0


def test_a_pair_keeps_its_symbols_and_says_its_name() -> None:
    pair = TradingPairFactory(symbol_1__ticker="BAC", symbol_2__ticker="JPM")

    assert str(pair) == "BAC/JPM (p=0.0130)"
    with pytest.raises(ProtectedError):
        pair.symbol_1.delete()

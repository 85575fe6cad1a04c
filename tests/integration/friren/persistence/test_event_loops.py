"""Loggers on asyncio: the async twins, and blocking calls from within a running event loop."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from decimal import Decimal

import pytest
from django.db import transaction

from friren import accounts
from friren.errors import RejectedRecordError
from friren.persistence.event_loops import outside_event_loop
from friren.persistence.receipts import WriteOutcome
from portfolio_manager.data_logger import PortfolioTracker
from trading_engine.data.database_manager import DatabaseManager
from trading_engine.models import Trade
from trading_engine.services import RegimeLogger, TradeLogger

AT = dt.datetime(2026, 3, 2, 15, tzinfo=dt.UTC)
FILL = {"symbol": "AAPL", "action": "buy", "quantity": Decimal(10), "price": Decimal("187.32"), "timestamp": AT}


@pytest.fixture
def book():
    return accounts.open_account("recorder")


class TestTwins:
    def test_every_public_method_has_a_twin(self) -> None:
        for name in ("log_trade", "log_order", "open_orders", "get_trade_history", "bulk_log", "flush", "close"):
            assert asyncio.iscoroutinefunction(getattr(TradeLogger, f"a{name}")), name
        assert TradeLogger.alog_trade.__name__ == "alog_trade"

    def test_a_twin_does_the_same(self, book) -> None:
        receipt = asyncio.run(TradeLogger(account=book).alog_trade(**FILL))
        assert receipt.outcome is WriteOutcome.STORED
        with pytest.raises(RejectedRecordError):
            asyncio.run(TradeLogger(account=book).alog_trade(**{**FILL, "quantity": 0}))

    def test_a_cancelled_wait_loses_nothing(self, book) -> None:
        trades = TradeLogger(account=book)

        async def cancel_all() -> int:
            tasks = [asyncio.create_task(trades.alog_trade(**FILL, trade_id=f"C{n}", venue="X")) for n in range(50)]
            await asyncio.sleep(0)  # each has begun
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            return sum(isinstance(one, asyncio.CancelledError) for one in ended)

        assert asyncio.run(cancel_all()) == 50
        until = time.monotonic() + 60
        while Trade.objects.count() < 50:
            assert time.monotonic() < until, Trade.objects.count()
            time.sleep(0.02)


class TestBlockingCallsInALoop:
    """A bot on asyncio may call `log_trade` as well: its fill must not be refused for where it stands."""

    def test_what_is_logged_is_stored_and_booked(self, book) -> None:
        async def trade() -> list[WriteOutcome]:
            trades, books = TradeLogger(account=book), PortfolioTracker(account=book)
            receipts = [
                trades.log_trade(**FILL),
                books.record_trade(**FILL),
                trades.log_order(symbol="AAPL", action="buy", quantity=10, timestamp=AT),
                RegimeLogger(account=book).log_regime_change(regime_type="BULL", timestamp=AT),
                books.record_cash("DEPOSIT", Decimal(5), AT),
            ]
            return [receipt.outcome for receipt in receipts]

        assert asyncio.run(trade()) == [WriteOutcome.STORED] * 5
        assert PortfolioTracker(account=book).rebuild(check=True).differences == ()

    def test_reads_answer_as_elsewhere(self, book) -> None:
        trades, books = TradeLogger(account=book), PortfolioTracker(account=book)
        books.record_trade(**FILL)

        def read() -> list[object]:
            pages = [trades.get_trade_history(limit=5), trades.open_orders(), books.get_current_positions()]
            return [*map(list, pages), books.calculate_pnl().realized, accounts.find_account("recorder")]

        async def read_in_a_loop() -> list[object]:
            return read()

        assert asyncio.run(read_in_a_loop()) == read()

    def test_bulk_and_long_steps_work_too(self, book) -> None:
        async def work() -> tuple[int, int]:
            told = [{**FILL, "trade_id": f"B{number}", "venue": "X"} for number in range(20)]
            stored = TradeLogger(account=book).bulk_log(told).stored
            return stored, PortfolioTracker(account=book).rebuild().positions

        assert asyncio.run(work()) == (20, 1)

    def test_the_handle_opens_and_checks_the_database(self) -> None:
        async def check() -> bool:
            with DatabaseManager("recorder") as database:
                return database.check().ok and database.flush()

        accounts.open_account("recorder")
        assert asyncio.run(check())

    def test_an_open_transaction_of_the_thread_is_still_noticed_afterwards(self, book) -> None:
        trades = TradeLogger(account=book)

        async def trade() -> None:
            trades.log_trade(**FILL)

        asyncio.run(trade())
        with transaction.atomic(), pytest.raises(RuntimeError, match="transaction"):
            trades.log_trade(**FILL)

    def test_the_loop_is_there_again_whatever_happened(self) -> None:
        async def refused() -> bool:
            loop = asyncio.get_running_loop()
            with pytest.raises(ZeroDivisionError), outside_event_loop():
                raise ZeroDivisionError
            await asyncio.sleep(0)
            return asyncio.get_running_loop() is loop

        assert asyncio.run(refused())

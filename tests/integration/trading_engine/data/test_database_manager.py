"""One handle opens, checks, hands out the loggers, flushes and closes."""

import datetime as dt
import subprocess
import sys
import threading
from decimal import Decimal

import pytest
from django.db import connection, connections

import friren
from friren.errors import ConfigurationError
from trading_engine.data.bars import Bar
from trading_engine.data.database_manager import DatabaseManager
from trading_engine.models import Price, Symbol, Trade

NOON = dt.datetime(2024, 1, 2, 12, tzinfo=dt.UTC)


@pytest.fixture
def book():
    return friren.open_account("momentum", starting_cash=Decimal(1000))


def trade():
    return {"symbol": "SPY", "action": "buy", "quantity": 1, "price": Decimal("2.5"), "timestamp": NOON}


def test_the_loggers_are_made_once_and_write_for_the_account(book):
    with DatabaseManager("momentum") as db:
        assert db.trades is db.trades
        db.trades.log_trade(**trade())
        db.signals.log_signal(symbol="SPY", signal_type="BUY", timestamp=NOON)
        db.prices.record_bars(
            [Bar("SPY", NOON.replace(hour=0), "1d", Decimal(1), Decimal(3), Decimal(1), Decimal(2), source="test")]
        )
        assert db.flush(timeout=60) is True

    assert Trade.objects.get().account_id == book.id
    assert Price.objects.count() == 1


def test_each_logger_of_this_floor_is_there():
    with DatabaseManager() as db:
        handed_out = (db.trades, db.signals, db.regimes, db.sentiments, db.models, db.prices, db.backtests)
        names = [type(each).__name__ for each in handed_out]

    assert names == [
        "TradeLogger", "SignalLogger", "RegimeLogger", "SentimentLogger", "ModelTracker", "PriceRecorder",
        "BacktestRecorder",
    ]  # fmt: skip


def test_books_that_nobody_opened_are_refused():
    with DatabaseManager("no such book") as db, pytest.raises(ConfigurationError):
        _ = db.trades


def test_closing_closes_every_logger_and_the_handle(book):
    db = DatabaseManager("momentum").open()
    trades, prices = db.trades, db.prices

    db.close()
    db.close()

    with pytest.raises(RuntimeError, match="closed"):
        trades.log_trade(**trade())
    with pytest.raises(RuntimeError, match="closed"):
        prices.record_bars([])
    with pytest.raises(RuntimeError, match="closed"):
        _ = db.trades
    with pytest.raises(RuntimeError, match="closed"):
        db.open()


def test_closing_gives_the_connection_back(book):
    with DatabaseManager("momentum") as db:
        db.trades.log_trade(**trade())
        assert Trade.objects.count() == 1
        assert connection.connection is not None

    assert connection.connection is None


def test_the_check_is_the_one_of_health():
    with DatabaseManager() as db:
        report = db.check()

    assert report.ok
    assert {"connectivity", "migrations"} <= report.checks.keys()


def fail_within(db):
    with db.db_session():
        Symbol.objects.create(ticker="SPY")
        _ = 1 / 0


class TestSession:
    def test_commits_at_the_end(self):
        with DatabaseManager() as db, db.db_session():
            Symbol.objects.create(ticker="SPY")

        assert Symbol.objects.count() == 1

    def test_leaves_no_rows_when_it_fails_and_raises_the_error_itself(self):
        with DatabaseManager() as db:
            with pytest.raises(ZeroDivisionError):
                fail_within(db)
            assert connection.connection is None

        assert Symbol.objects.count() == 0

    def test_hands_out_the_connection(self):
        with DatabaseManager() as db, db.db_session() as session, session.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)

    def test_refuses_the_loggers_which_commit_by_themselves(self, book):
        with DatabaseManager("momentum") as db:
            with db.db_session(), pytest.raises(RuntimeError):
                db.trades.log_trade(**trade())
            assert Trade.objects.count() == 0


def test_threads_may_share_a_handle(book):
    barrier, seen, failures = threading.Barrier(8), [], []

    def work(db, number):
        try:
            barrier.wait()
            seen.append(db.trades)
            db.trades.log_trade(**trade() | {"trade_id": f"t{number}"})
        except Exception as exc:  # noqa: BLE001 - handed to the test
            failures.append(exc)
        finally:
            connections.close_all()

    with DatabaseManager("momentum") as db:
        threads = [threading.Thread(target=work, args=(db, number)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    assert failures == []
    assert len({id(each) for each in seen}) == 1
    assert Trade.objects.count() == 8


def test_it_can_be_imported_by_a_plain_script_before_anything_is_set_up():
    script = "from trading_engine.data.database_manager import DatabaseManager; DatabaseManager(); print('imported')"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout.strip()) == (0, "imported"), done.stderr

"""The books of closed periods go to the archive and come back, and whoever asks them gets the same answers."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import random
import threading

import pytest
from django.db import connection, connections

from friren.errors import FrirenError
from friren.operations import audit
from friren.operations.archive import bundles as bundles_module
from friren.operations.archive.bundles import bundles
from friren.operations.archive.cold.copies import copy_bundle
from friren.operations.archive.policies import all_policies
from friren.operations.archive.service import archive, unarchive
from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.models import Position, TradingJournal
from tests.archiving.books import SHAPES, Book, readings, told_again
from tests.books import at, uid
from tests.factories import TradingJournalFactory
from tests.integration.friren.operations.archive.conftest import LATER, archived, live
from tests.integration.friren.operations.archive.test_commands import told
from tests.stored_books import folded_books, stored_books
from trading_engine.services import TradeLogger

DAY = dt.timedelta(days=1)
# A hundred or more when somebody asks for it.
BOOKS = int(os.environ.get("FRIREN_TEST_BOOKS", "3"))
EPISODES = 15 if len(SHAPES) < BOOKS else 6
TABLES = [policy.name for policy in all_policies() if policy.bundle == "books"]
ALL = [*TABLES, "Signal", "SentimentData"]


def lived(seed: int, shape: tuple[str, str]) -> Book:
    book = Book(f"book {seed}", shape, random.Random(seed), episodes=EPISODES)
    book.live_through()
    audit.seal()
    return book


@pytest.mark.parametrize("seed", range(BOOKS))
def test_whatever_is_asked_is_answered_the_same_before_the_archive_after_it_and_after_the_way_back(seed) -> None:
    book = lived(seed, SHAPES[seed % len(SHAPES)])
    rows, before, again = {name: live(name) for name in ALL}, readings(book), list(told_again(book))
    assert before["rebuild"][1] == ()
    assert before["audit"]

    counted = archive(["Trade"], now=LATER, older_than=LATER, dry_run=True)
    done = archive(["Trade"], now=LATER, older_than=LATER)

    assert {one.table: one.rows for one in done}["trading_engine_trade"] > 0
    assert [(one.table, one.rows, one.kept) for one in counted] == [(one.table, one.rows, one.kept) for one in done]
    for name in ALL:
        assert sorted(live(name) + archived(name)) == rows[name], name
    assert readings(book) == before
    assert list(told_again(book)) == again
    assert readings(book) == before
    unarchive(["Trade"], until=LATER)
    assert {name: live(name) for name in ALL} == rows
    assert not any(archived(name) for name in ALL)
    assert readings(book) == before


@pytest.fixture
def flat():
    """A book in which a position was opened and closed, a signal behind it, and a period closed over both."""
    book = Book("flat", SHAPES[0], random.Random(1), episodes=1)
    common = {"symbol": "AAPL", "quantity": 2, "price": 10, "strategy_used": "a"}
    book.call("signals.log_signal", {"symbol": "AAPL", "signal_type": "BUY", "timestamp": at(1), "signal_id": uid(1)})
    book.call("trades.log_order", {"symbol": "AAPL", "action": "buy", "quantity": 2, "timestamp": at(1),
                                   "order_id": uid(2), "signal": uid(1)})  # fmt: skip
    for status in ("submitted", "filled"):
        book.call("trades.update_order_status", {"order": uid(2), "status": status, "timestamp": at(1)})
    for number, action in ((3, "buy"), (4, "sell")):
        order = uid(2) if action == "buy" else None
        keywords = {**common, "action": action, "timestamp": at(number), "trade_id": uid(number), "order": order}
        book.call("books.record_trade", keywords)
    book.call("signals.mark_executed", {"signal": uid(1), "trade": uid(3), "timestamp": at(3)})
    book.call("books.close_period", {"at": at(60)})
    return book


def moved(*names: str) -> dict[str, int]:
    return {one.table: one.rows for one in archive(list(names) or ["Trade"], now=LATER, older_than=LATER)}


def test_a_signal_goes_with_its_order_and_trade_and_comes_back_with_them(flat) -> None:
    assert moved()["trading_engine_signal"] == 1
    assert len(archived("Signal")) == len(archived("Order")) == 1

    assert unarchive(["Signal"], until=LATER)[0].rows == 0
    assert len(archived("Signal")) == 1, "alone it would refer to a trade that is not there"
    unarchive(["Order"], until=LATER)
    assert len(live("Signal")) == 1


def test_nothing_goes_before_its_period_is_closed_or_is_as_old_as_asked() -> None:
    book = Book("open", SHAPES[0], random.Random(1), episodes=1)
    for number, action in ((3, "buy"), (4, "sell")):
        keywords = {"symbol": "AAPL", "action": action, "quantity": 1, "price": 10, "timestamp": at(number)}
        book.call("books.record_trade", keywords)
    assert not any(moved().values())
    book.call("books.close_period", {"at": at(4)})
    assert not moved()["trading_engine_trade"], "what happened at the very close belongs to the next period"
    book.call("books.close_period", {"at": at(5)})
    counted = {one.table: one.rows for one in archive(["Trade"], now=LATER, older_than=at(4), dry_run=True)}
    assert not counted["trading_engine_trade"]
    counted = {one.table: one.rows for one in archive(["Trade"], now=LATER, older_than=LATER, dry_run=True)}
    assert counted["trading_engine_trade"] == 2
    assert moved() == counted


def test_by_its_age_money_goes_the_day_after_and_not_before(flat, monkeypatch) -> None:
    (bundle,) = bundles()
    monkeypatch.setitem(bundles_module._bundles, "books", dataclasses.replace(bundle, days=10))
    assert {one.table: one.rows for one in archive(["Trade"], now=at(4) + 10 * DAY)}["trading_engine_trade"] == 0
    assert {one.table: one.rows for one in archive(["Trade"], now=at(5) + 10 * DAY)}["trading_engine_trade"] == 2


def test_what_a_journal_or_an_idea_is_about_stays(flat) -> None:
    entry = TradingJournalFactory(trade_id=uid(4), account=None)
    assert not moved()["trading_engine_trade"]
    TradingJournal.objects.filter(pk=entry.pk).update(trade=None, position=Position.objects.get())
    assert not moved()["trading_engine_trade"]
    TradingJournal.objects.all().delete()
    assert moved()["trading_engine_trade"] == 2


def test_a_rebuild_names_what_is_wrong_in_the_archive_and_repairs_it_when_it_is_back(flat) -> None:
    moved()
    with connection.cursor() as cursor:
        cursor.execute("SET friren.archive = 'open'")
        cursor.execute("UPDATE archive.portfolio_manager_positionfill SET realized_pnl = 7 WHERE role = 'CLOSE'")
        cursor.execute("RESET friren.archive")

    (wrong,) = flat.loggers["books"].rebuild(check=True).differences
    assert wrong.table == "position_fill"
    with pytest.raises(FrirenError, match=r"1 rows of the archive .* bring them back"):
        flat.loggers["books"].rebuild()
    unarchive(["Position"], until=LATER)
    flat.loggers["books"].rebuild()
    assert flat.loggers["books"].rebuild(check=True).differences == ()


def test_a_statement_and_a_second_import_of_what_is_archived_find_it(flat, tmp_path) -> None:
    file = tmp_path / "fills.csv"
    rows = [f"{at(n).isoformat()},MSFT,{action},2,10,x{n}" for n, action in ((70, "buy"), (71, "sell"))]
    file.write_text("\n".join(["timestamp,symbol,action,quantity,price,trade_id", *rows, ""]))
    told("import_data", "--source", "csv", "--account", "flat", str(file))
    flat.call("books.close_period", {"at": at(100)})
    before = told("reconcile", "--statement", str(file), "--account", "flat")
    assert moved()["trading_engine_trade"] == 4

    again = told("import_data", "--source", "csv", "--account", "flat", str(file))

    assert (again["imported"], again["duplicates"]) == (0, 2)
    after = told("reconcile", "--statement", str(file), "--account", "flat")
    assert {name: after[name] for name in ("missing", "extra", "differing")} == {
        name: before[name] for name in ("missing", "extra", "differing")
    }


def test_a_bot_trades_on_while_its_past_is_moved_there_and_back() -> None:
    book = Book("busy", SHAPES[1], random.Random(7), episodes=9)
    book.live_through()
    over, failed = threading.Event(), []

    def trade_on() -> None:
        try:
            tracker, logger = PortfolioTracker("busy"), TradeLogger("busy")
            for number in range(40):
                told = {"symbol": "AAPL", "action": "buy" if number % 2 else "sell", "quantity": 1, "price": number + 1}
                # Late ones too: what was booked after them is folded anew.
                told |= {"timestamp": at(500 - number % 5), "external_id": f"bot {number}", "venue": "IBKR"}
                receipt = (tracker.record_trade if number % 3 else logger.log_trade)(**told)
                assert receipt.outcome == "STORED", receipt
                tracker.get_current_positions()
        except BaseException as exc:
            failed.append(exc)
            raise
        finally:
            over.set()
            connections.close_all()

    bot = threading.Thread(target=trade_on)
    bot.start()
    rounds = 0
    while not over.is_set() or not rounds:
        assert moved()["trading_engine_trade"] > 0
        unarchive(["Trade"], until=LATER)
        rounds += 1
    bot.join()

    assert failed == []
    assert book.loggers["books"].rebuild(check=True).differences == ()
    assert stored_books(book.account.id) == folded_books(book.account)


def test_copies_of_archived_money_are_added_up_elsewhere_to_the_same_profit(tmp_path) -> None:
    pytest.importorskip("pyarrow", reason="Parquet is pyarrow's, group data")
    duckdb = pytest.importorskip("duckdb", reason="DuckDB reads the files too, group data")
    book = Book("copied", SHAPES[0], random.Random(5), episodes=9)
    book.live_through()
    arguments = ["archive", "--older-than", "2026-02-01", "--model", "Trade", "--cold", str(tmp_path)]

    files = told(*arguments)["files"]

    assert all(one["copy"] for one in files)
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(realized_pnl), sum(commission) FROM archive.portfolio_manager_positionfill")
        realized, commission = cursor.fetchone()
        cursor.execute("SELECT sum(quantity * price) FROM archive.trading_engine_trade WHERE amount IS NULL")
        (notional,) = cursor.fetchone()
    with duckdb.connect() as other:
        ask = f"SELECT sum(realized_pnl), sum(net_pnl) FROM '{tmp_path}/portfolio_manager_positionfill/*/*.parquet'"
        assert other.execute(ask).fetchone() == (realized, realized - commission)
        ask = f"SELECT sum(notional) FROM '{tmp_path}/trading_engine_trade/*/*.parquet'"
        assert other.execute(ask).fetchone() == (notional,)
    assert realized != 0
    # A second copy writes nothing; what a killed run has left goes; and what came back is not in the copy any more.
    left = next(tmp_path.glob("trading_engine_trade/*/*.parquet")).with_name("half.parquet")
    left.write_bytes(b"PAR1")
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet") if path != left}
    assert told(*arguments)["files"] == files
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")} == written
    unarchive(["Trade"], until=LATER)
    copy_bundle(bundles()[0], str(tmp_path), LATER)
    assert list(tmp_path.rglob("*.parquet")) == []

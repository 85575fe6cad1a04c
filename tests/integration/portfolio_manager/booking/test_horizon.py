"""No fact slips below `booked_seq` unbooked, however long its transaction takes to commit."""

from __future__ import annotations

import time
from decimal import Decimal

import psycopg
import pytest
from django.db import connection

from friren.accounts import open_account
from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.models import AccountState, PositionFill
from tests.books import at
from tests.stored_books import folded_books, stored_books
from trading_engine.models import Trade
from trading_engine.services import TradeLogger

pytestmark = pytest.mark.usefixtures("database")
D = Decimal

# What another process does inside its transaction: the columns of one trade, under another id and moment.
COPY_OF_A_TRADE = """
    INSERT INTO trading_engine_trade ({columns})
    SELECT {values} FROM trading_engine_trade WHERE id = %(id)s
"""
MANAGED = {"id": "gen_random_uuid()", "executed_at": "executed_at + interval '30 seconds'"}


def insert_copy(session: psycopg.Connection, trade) -> None:
    columns = [f.column for f in Trade._meta.concrete_fields if f.column not in {"recorded_seq", "created_at"}]
    values = ", ".join(MANAGED.get(column, column) for column in columns)
    session.execute(COPY_OF_A_TRADE.format(columns=", ".join(columns), values=values), {"id": trade})


@pytest.fixture
def account():
    return open_account("books", starting_cash=D(1000))


@pytest.fixture
def session():
    """Open a session of another process."""
    options = connection.get_connection_params()
    with psycopg.connect(dbname=options["dbname"], host=options.get("host"), user=options.get("user")) as other:
        yield other


def record(tracker, minute):
    return tracker.record_trade(symbol="AAPL", action="buy", quantity=D(1), price=D(10), timestamp=at(minute))


def booked_seq() -> int:
    return AccountState.objects.get().booked_seq


def record_until_booked(tracker, number, *, minute) -> int:
    """
    Record two fills, one to take the number of the next horizon and one to pass it; return how many it took.

    More only when something else, the server's own housekeeping, was inside a transaction meanwhile.
    """
    for recorded in range(1, 100):
        record(tracker, minute + recorded)
        if recorded > 1 and booked_seq() >= number:
            return recorded
        time.sleep(0.01 * (recorded > 1))
    pytest.fail(f"booked_seq stays at {booked_seq()}, below {number}")


def test_a_fact_that_commits_long_after_its_number_was_given_is_booked(account, session) -> None:
    tracker = PortfolioTracker(account)
    first = record(tracker, 1)
    insert_copy(session, first.id)  # numbered, not committed
    number = Trade.objects.get(id=first.id).recorded_seq + 1
    for minute in (2, 3, 4, 5):
        record(tracker, minute)
        assert booked_seq() < number
    session.commit()
    assert [row.quantity for row in tracker.get_current_positions()] == [D(6)]
    record_until_booked(tracker, number + 1, minute=5)
    assert stored_books(account.id) == folded_books(account)


def test_of_two_open_transactions_the_second_is_waited_for_when_the_first_has_ended(account, session) -> None:
    tracker = PortfolioTracker(account)
    first = record(tracker, 1)
    options = connection.get_connection_params()
    with psycopg.connect(dbname=options["dbname"], host=options.get("host"), user=options.get("user")) as another:
        another.execute("SELECT pg_current_xact_id()")
        insert_copy(session, first.id)
        number = Trade.objects.get(id=first.id).recorded_seq + 1
        # Nothing newer has ended, so the snapshot's upper bound lies below both transactions.
        tracker.get_current_positions()
        TradeLogger(account).log_trade(symbol="AAPL", action="buy", quantity=D(1), price=D(10), timestamp=at(2))
        tracker.get_current_positions()
        another.rollback()
    record(tracker, 3)
    record(tracker, 4)
    assert booked_seq() < number
    session.commit()
    assert [row.quantity for row in tracker.get_current_positions()] == [D(5)]
    assert stored_books(account.id) == folded_books(account)


def test_a_fact_that_never_commits_holds_nothing_up_once_it_is_gone(account, session) -> None:
    tracker = PortfolioTracker(account)
    first = record(tracker, 1)
    insert_copy(session, first.id)
    record(tracker, 2)
    session.rollback()
    third = record(tracker, 3)
    more = record_until_booked(tracker, Trade.objects.get(id=third.id).recorded_seq, minute=3)
    assert PositionFill.objects.count() == 3 + more


def test_what_had_gathered_is_not_looked_through_again(account) -> None:
    tracker, logger = PortfolioTracker(account), TradeLogger(account)
    record(tracker, 0)
    fill = {"symbol": "AAPL", "action": "buy", "quantity": D(1), "price": D(10)}
    logger.bulk_log([fill | {"timestamp": at(1 + number)} for number in range(120)])
    assert len(tracker.get_current_positions()) == 1
    assert booked_seq() >= Trade.objects.latest("recorded_seq").recorded_seq
    assert stored_books(account.id) == folded_books(account)

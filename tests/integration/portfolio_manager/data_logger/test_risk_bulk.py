"""Many days of risk in one commit end as they would one by one."""

from __future__ import annotations

import datetime as dt
import threading
import time
from decimal import Decimal

import pytest
from django.db import connection, transaction

import friren
from portfolio_manager.data_logger import RiskLogger
from portfolio_manager.models import RiskMetrics
from portfolio_manager.risk_days import risk_day

pytestmark = pytest.mark.usefixtures("database")

START = dt.datetime(2020, 1, 1, 20, tzinfo=dt.UTC)


def day(index, value=100, *, hours=0):
    moment = START + dt.timedelta(days=index, hours=hours)
    return {"timestamp": moment, "portfolio_value": Decimal(value), "total_exposure": Decimal(5)}


@pytest.fixture
def logger():
    return RiskLogger(friren.open_account("risk", starting_cash=Decimal(100)))


def stored():
    return list(RiskMetrics.objects.order_by("as_of_date").values_list("as_of_date", "portfolio_value"))


def test_new_days_are_stored_and_repeated_ones_are_duplicates(logger):
    first = logger.bulk_log([day(0), day(1), day(2)])
    again = logger.bulk_log([day(1), day(2), day(3)])

    assert (first.stored, first.duplicates) == (3, 0)
    assert (again.stored, again.duplicates) == (1, 2)
    assert len(stored()) == 4


def test_of_two_readings_of_a_day_the_newer_stays_whatever_their_order(logger):
    receipt = logger.bulk_log([day(0, 111, hours=1), day(0, 100), day(1, 90)])
    later = logger.bulk_log([day(1, 95, hours=2), day(0, 1, hours=-5)])

    assert (receipt.stored, receipt.duplicates) == (3, 0)
    assert (later.stored, later.duplicates) == (1, 1)
    assert [value for _, value in stored()] == [111, 95]


def test_a_wrong_day_is_reported_by_its_index_and_does_not_stop_the_rest(logger):
    receipt = logger.bulk_log([day(0), day(1, "NaN"), day(2)])

    assert receipt.stored == 2
    ((index, error),) = receipt.rejected
    assert (index, error.field) == (1, "portfolio_value")


def test_a_writer_who_was_first_with_a_day_is_respected(logger):
    inserted, waiting = threading.Event(), threading.Event()

    def other_writer():
        try:
            with transaction.atomic():
                reading = risk_day(logger.account, day(1, 70, hours=3))
                account = reading.values.pop("account")
                RiskMetrics.objects.create(id=reading.id, account_id=account, **reading.values)
                inserted.set()
                assert waiting.wait(10)
                # The other side is on its way to the row that is not committed here.
                wait_until_blocked()
        finally:
            connection.close()

    writer = threading.Thread(target=other_writer)
    writer.start()
    assert inserted.wait(10)
    waiting.set()
    receipt = logger.bulk_log([day(0), day(1), day(2)])
    writer.join(10)

    assert (receipt.stored, receipt.duplicates) == (2, 1)
    assert [value for _, value in stored()] == [100, 70, 100]


def wait_until_blocked():
    """Return when another session waits for a lock."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    pytest.fail("nobody waited")

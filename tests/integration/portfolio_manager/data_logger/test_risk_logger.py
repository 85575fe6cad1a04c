"""The risk of a book: one reading a day, the newest wins, the books as they stand."""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connections, transaction

import friren
from friren.core.models import AuditLog
from friren.errors import RejectedRecordError
from friren.persistence.receipts import WriteOutcome
from portfolio_manager import risk
from portfolio_manager.data_logger import PortfolioTracker, RiskLogger
from portfolio_manager.models import RiskMetrics
from tests.factories import PriceFactory, SymbolFactory
from trading_engine.services import PriceRecorder, TradeLogger

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
READING = {"timestamp": NOON, "portfolio_value": 1000, "total_exposure": 400}
STORED, DUPLICATE = WriteOutcome.STORED, WriteOutcome.DUPLICATE


@pytest.fixture
def book():
    return friren.open_account("book", starting_cash=1000)


@pytest.fixture
def logger(book) -> RiskLogger:
    return RiskLogger(book)


class TestDays:
    def test_have_one_reading(self, logger) -> None:
        receipts = [logger.log_risk_metrics(**READING, correlation_risk=0.1234567) for _ in range(2)]

        row = RiskMetrics.objects.get()
        assert [receipt.outcome for receipt in receipts] == [STORED, DUPLICATE]
        assert {receipt.id for receipt in receipts} == {row.id}
        assert (row.as_of_date, row.portfolio_value, row.max_position_size) == (NOON.date(), 1000, None)
        assert row.correlation_risk == Decimal("0.123457")
        assert not AuditLog.objects.exists()

    def test_keep_the_newest_reading_and_note_the_old_one(self, logger, book) -> None:
        logger.log_risk_metrics(**READING)
        newer = {**READING, "timestamp": NOON + dt.timedelta(hours=1), "portfolio_value": Decimal("1000.50")}

        assert logger.log_risk_metrics(**newer).outcome is STORED
        assert logger.log_risk_metrics(**READING).outcome is DUPLICATE

        entry = AuditLog.objects.get()
        assert RiskMetrics.objects.get().portfolio_value == Decimal("1000.50")
        assert (entry.action, entry.account_id) == ("UPDATE", book.id)
        assert (entry.before["portfolio_value"], entry.after["portfolio_value"]) == ("1000", "1000.5")

    def test_are_those_of_the_accounts_time_zone(self) -> None:
        tokyo = RiskLogger(friren.open_account("tokyo", timezone="Asia/Tokyo"))
        for hour in (14, 15):
            tokyo.log_risk_metrics(**{**READING, "timestamp": NOON.replace(hour=hour)})

        days = RiskMetrics.objects.order_by("timestamp").values_list("as_of_date", flat=True)
        assert list(days) == [dt.date(2026, 1, 5), dt.date(2026, 1, 6)]

    def test_end_where_the_calendar_does(self) -> None:
        kiritimati = RiskLogger(friren.open_account("east", timezone="Pacific/Kiritimati"))

        with pytest.raises(RejectedRecordError) as caught:
            kiritimati.log_risk_metrics(**{**READING, "timestamp": dt.datetime.max.replace(tzinfo=dt.UTC)})

        assert caught.value.field == "timestamp"

    def test_of_accounts_stand_apart(self, logger) -> None:
        other = RiskLogger(friren.open_account("other"))

        assert [one.log_risk_metrics(**READING).outcome for one in (logger, other)] == [STORED, STORED]
        assert len(other.get_risk_history()) == 1

    @pytest.mark.parametrize("turn", range(3))
    def test_keep_the_newest_of_many_writers(self, logger, turn) -> None:
        start = threading.Barrier(8)

        def write(minute: int) -> WriteOutcome:
            try:
                start.wait(timeout=60)
                reading = {**READING, "timestamp": NOON + dt.timedelta(minutes=minute), "portfolio_value": minute}
                return logger.log_risk_metrics(**reading).outcome
            finally:
                connections.close_all()

        with ThreadPoolExecutor(8) as pool:
            outcomes = Counter(pool.map(write, range(8)))

        row = RiskMetrics.objects.get()
        assert (row.portfolio_value, row.timestamp) == (7, NOON + dt.timedelta(minutes=7))
        # Every reading that was stored but the first replaced one, and says so.
        assert AuditLog.objects.count() == outcomes[STORED] - 1

    def test_are_read_newest_first_page_by_page(self, logger) -> None:
        for day in range(5):
            logger.log_risk_metrics(**{**READING, "timestamp": NOON + dt.timedelta(days=day), "portfolio_value": day})

        first = logger.get_risk_history(limit=3)
        rest = logger.get_risk_history(after=first.next)
        within = logger.get_risk_history(start=NOON + dt.timedelta(days=1), end=NOON + dt.timedelta(days=3))

        assert [int(row.portfolio_value) for row in first] == [4, 3, 2]
        assert [int(row.portfolio_value) for row in rest] == [1, 0]
        assert [int(row.portfolio_value) for row in within] == [2, 1]


class TestCompute:
    @pytest.fixture
    def tracker(self, book) -> PortfolioTracker:
        made = PortfolioTracker(book)
        for symbol in ("AAA", "BBB"):
            made.record_trade(symbol=symbol, action="buy", quantity=5, price=40, timestamp=NOON)
        made.mark_to_market({"AAA": 60, "BBB": 30}, NOON)
        return made

    def test_reads_the_books_as_they_are_marked(self, logger, tracker) -> None:
        assert logger.compute(NOON).outcome is STORED

        row = RiskMetrics.objects.get()
        # 1000 - 2 × 200 of cash, and 300 + 150 of shares.
        assert (row.portfolio_value, row.total_exposure, row.max_position_size) == (1050, 450, 300)
        assert (row.var_estimate, row.correlation_risk) == (None, None)

    def test_value_at_risk_is_that_of_the_days_before(self, logger, tracker) -> None:
        values = [Decimal(1000 + (-1) ** day * day) for day in range(30)]
        for day, value in enumerate(values):
            moment = NOON - dt.timedelta(days=30 - day)
            logger.log_risk_metrics(timestamp=moment, portfolio_value=value, total_exposure=0)
        logger.compute(NOON)

        expected = risk.value_at_risk_amount(risk.returns_of([*values, Decimal(1050)]), Decimal(1050))
        assert RiskMetrics.objects.get(as_of_date=NOON.date()).var_estimate == expected > 0

    def test_correlation_is_that_of_the_closes_before(self, logger, tracker) -> None:
        for symbol in ("AAA", "BBB"):
            row = SymbolFactory._meta.model.objects.get(ticker=symbol)
            for day in range(30):
                close = 100 + (-1) ** day * day
                moment = NOON.replace(hour=0) - dt.timedelta(days=30 - day)
                PriceFactory(symbol=row, timestamp=moment, open=close, high=close, low=close, close=close)
        logger.compute(NOON)

        assert RiskMetrics.objects.get().correlation_risk == 1

    def test_books_what_is_not_booked_yet(self, logger, tracker, book) -> None:
        TradeLogger(book).log_trade(symbol="AAA", action="sell", quantity=5, price=60, timestamp=NOON)

        logger.compute(NOON)

        row = RiskMetrics.objects.get()
        assert (row.portfolio_value, row.total_exposure) == (1050, 150)

    def test_wants_every_position_marked(self, logger, tracker) -> None:
        tracker.record_trade(symbol="CCC", action="short", quantity=1, price=40, timestamp=NOON)

        with pytest.raises(RejectedRecordError) as caught:
            logger.compute(NOON)

        assert "never marked" in caught.value.rule
        assert not RiskMetrics.objects.exists()

    def test_never_adds_two_currencies_and_names_what_it_leaves_out(self, logger, tracker) -> None:
        SymbolFactory(ticker="SAP", currency="EUR")
        tracker.record_trade(symbol="SAP", action="buy", quantity=100, price=40, timestamp=NOON)

        receipt = logger.compute(NOON)

        assert receipt.left_out == ("EUR", "SAP EUR")
        row = RiskMetrics.objects.get()
        assert (row.portfolio_value, row.total_exposure, row.max_position_size) == (1050, 450, 300)

    def test_leaves_nothing_out_of_a_book_in_one_currency(self, logger, tracker) -> None:
        assert logger.compute(NOON).left_out == ()

    def test_correlation_is_of_one_source_and_of_the_same_days(self, logger, tracker) -> None:
        for number, symbol in enumerate(("AAA", "BBB")):
            bars = []
            for day in range(number, 40):  # the second has one day less, and a gap
                moment = NOON.replace(hour=0) - dt.timedelta(days=40 - day)
                close = 100 + (-1) ** day * day
                prices = {"old": 500 - close} if day < 39 else {}
                if not (number and day == 20):
                    prices["yahoo"] = close
                for source, price in prices.items():
                    bar = dict.fromkeys(("open", "high", "low", "close"), price)
                    bars.append({"timestamp": moment, "source": source, "volume": 1, **bar})
            assert PriceRecorder().record_bars(bars, symbol=symbol).stored == len(bars)
        logger.compute(NOON)

        first = [100 + (-1) ** day * day for day in range(40)]
        second = [first[19] if day == 20 else close for day, close in enumerate(first)][1:]
        moves = {"a": risk.returns_of([Decimal(x) for x in first]), "b": risk.returns_of([Decimal(x) for x in second])}
        expected = round(Decimal(risk.correlation_risk(moves)), 6)
        assert RiskMetrics.objects.get().correlation_risk == expected
        assert expected > Decimal("0.9")

    def test_of_an_empty_book_is_its_cash(self, logger) -> None:
        logger.compute(NOON)

        row = RiskMetrics.objects.get()
        assert (row.portfolio_value, row.total_exposure, row.max_position_size) == (1000, 0, 0)


def test_not_inside_an_open_transaction_nor_after_the_end(logger) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="open transaction"):
        logger.log_risk_metrics(**READING)
    logger.close()
    for call in (
        lambda: logger.log_risk_metrics(**READING), lambda: logger.bulk_log([READING]), lambda: logger.compute(NOON),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match="closed"):
            call()
    assert not RiskMetrics.objects.exists()

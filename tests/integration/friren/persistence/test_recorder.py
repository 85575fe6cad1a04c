"""What the loggers promise through the recorder: outcomes, order, refusals that are kept, reads in an outage."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pytest
from django.db import OperationalError, connection, transaction

from friren import accounts
from friren.core.ids import new_id
from friren.errors import ConfigurationError, RejectedRecordError
from friren.persistence.engines import engine_for
from friren.persistence.models import DeadLetter, JournalCursor
from friren.persistence.receipts import WriteOutcome
from portfolio_manager.data_logger import PortfolioTracker
from tests.postgres import admin_connection
from trading_engine.models import Order, Trade
from trading_engine.services import RegimeLogger, SignalLogger, TradeLogger

AT = dt.datetime(2026, 3, 2, 15, tzinfo=dt.UTC)
FILL = {"symbol": "AAPL", "action": "buy", "quantity": Decimal(10), "price": Decimal("187.32"), "timestamp": AT}


@pytest.fixture
def book():
    return accounts.open_account("recorder")


@pytest.fixture
def journaling(book):
    with TradeLogger(account=book, mode="journal") as trades:
        yield trades


@pytest.fixture
def away(monkeypatch):
    """The database answers no connection of the recorder's any more."""

    def refuse():
        raise OperationalError("connection refused")

    def begin() -> None:
        engine = engine_for()
        for direct in (engine._writes, engine._patient):
            monkeypatch.setattr(direct.pool, "_make", refuse)
        engine._connection_failed("connection refused")

    yield begin
    monkeypatch.undo()
    engine = engine_for()
    engine._wake()


class TestJournalMode:
    def test_a_record_is_journaled_and_then_stored_with_its_producer(self, journaling) -> None:
        receipt = journaling.log_trade(**FILL)
        assert (receipt.outcome, receipt.synced) == (WriteOutcome.JOURNALED, True)
        assert journaling.flush(timeout=60)
        assert Trade.objects.get(id=receipt.id).producer == engine_for().producer

    def test_the_same_record_again_is_a_duplicate_when_it_is_drained(self, journaling) -> None:
        for _ in range(2):
            assert journaling.log_trade(**FILL, trade_id="77", venue="IBKR").outcome is WriteOutcome.JOURNALED
        assert journaling.flush(timeout=60)
        cursor = JournalCursor.objects.get(producer=engine_for().producer)
        assert (cursor.seq, cursor.stored, cursor.duplicates) == (2, 1, 1)

    def test_telemetry_need_not_survive_a_power_cut(self, book) -> None:
        with SignalLogger(account=book, mode="journal") as signals:
            assert not signals.log_signal(symbol="AAPL", signal_type="BUY", timestamp=AT).synced

    def test_durability_can_be_asked_for(self, book) -> None:
        with TradeLogger(account=book, mode="journal", durability="os") as trades:
            assert not trades.log_trade(**FILL).synced

    @pytest.mark.parametrize("told", [{"mode": "later"}, {"durability": "eternal"}])
    def test_a_mode_that_does_not_exist_is_refused_at_once(self, book, told) -> None:
        with pytest.raises(ConfigurationError):
            TradeLogger(account=book, **told)

    def test_the_moves_of_an_order_keep_their_order(self, journaling) -> None:
        order = journaling.log_order(symbol="AAPL", action="buy", quantity=Decimal(1), timestamp=AT)
        for status in ("submitted", "partially_filled", "filled"):
            assert journaling.update_order_status(order, status, timestamp=AT).outcome is WriteOutcome.JOURNALED
        assert journaling.flush(timeout=60)
        assert Order.objects.get(id=order.id).status == "filled"

    def test_bulk_counts_what_was_journaled(self, journaling) -> None:
        receipt = journaling.bulk_log([FILL, {**FILL, "quantity": 0}, FILL])
        assert (receipt.journaled, receipt.stored, [index for index, _ in receipt.rejected]) == (2, 0, [1])

    def test_closing_gives_the_rest_a_chance(self, book) -> None:
        with TradeLogger(account=book, mode="journal") as trades:
            receipt = trades.log_trade(**FILL)
        assert Trade.objects.filter(id=receipt.id).exists()
        with pytest.raises(RuntimeError, match="closed"):
            trades.log_trade(**FILL)


class TestDirectMode:
    def test_what_overtakes_goes_the_way_of_what_it_follows(self, book, away) -> None:
        trades = TradeLogger(account=book)
        away()
        order = trades.log_order(symbol="AAPL", action="buy", quantity=Decimal(1), timestamp=AT)
        assert order.outcome is WriteOutcome.JOURNALED
        assert trades.update_order_status(order, "submitted", timestamp=AT).outcome is WriteOutcome.JOURNALED
        assert trades.flush(timeout=60)
        assert Order.objects.get(id=order.id).status == "submitted"

    def test_a_fill_whose_order_is_still_in_the_journal_follows_it(self, book) -> None:
        journaling, direct = TradeLogger(account=book, mode="journal"), TradeLogger(account=book)
        for _ in range(20):
            order = journaling.log_order(symbol="AAPL", action="buy", quantity=Decimal(1), timestamp=AT)
            assert direct.log_trade(**FILL, order=order).outcome in {WriteOutcome.JOURNALED, WriteOutcome.STORED}
        assert direct.flush(timeout=60)
        assert Trade.objects.exclude(order=None).count() == 20

    @pytest.mark.parametrize("bulk", [False, True])
    def test_a_fill_whose_order_is_stored_while_it_is_refused_is_taken(self, book, monkeypatch, bulk) -> None:
        journaling, direct, engine = TradeLogger(account=book, mode="journal"), TradeLogger(account=book), engine_for()
        store = engine.store
        with admin_connection(connection.settings_dict["NAME"]) as rival:
            rival.autocommit = False
            rival.execute("LOCK TABLE trading_engine_order IN SHARE ROW EXCLUSIVE MODE")  # the drain waits for it
            order = journaling.log_order(symbol="AAPL", action="buy", quantity=Decimal(1), timestamp=AT)

            def slow(write, **told):
                try:
                    return store(write, **told)
                finally:
                    rival.commit()
                    assert engine.flush(120)

            monkeypatch.setattr(engine, "store", slow)
            if bulk:
                assert direct.bulk_log([{**FILL, "order": order}]).rejected == []
            else:
                direct.log_trade(**FILL, order=order)
        assert direct.flush(timeout=60)
        assert Trade.objects.get().order_id == order.id

    def test_a_fill_in_bulk_whose_order_nobody_stores_is_refused_whatever_else_is_in_the_journal(self, book) -> None:
        journaling, direct = TradeLogger(account=book, mode="journal"), TradeLogger(account=book)
        journaling.bulk_log(FILL for _ in range(2_000))
        receipt = direct.bulk_log([{**FILL, "order": new_id()}, FILL])
        assert [(index, error.field) for index, error in receipt.rejected] == [(0, "order")]
        assert direct.flush(timeout=60)

    @pytest.mark.parametrize("mode", ["direct", "journal"])
    def test_inside_an_open_transaction_it_is_a_mistake(self, book, mode) -> None:
        trades = TradeLogger(account=book, mode=mode)
        with transaction.atomic(), pytest.raises(RuntimeError, match="open transaction"):
            trades.log_trade(**FILL)


class TestRefusedFills:
    def _kept(self):
        assert engine_for().flush(120)
        return DeadLetter.objects.get(shelf="rejected")

    @pytest.mark.parametrize("mode", ["direct", "journal"])
    def test_what_the_checker_refuses_is_kept_with_field_and_rule(self, book, mode) -> None:
        trades = TradeLogger(account=book, mode=mode)
        with pytest.raises(RejectedRecordError):
            trades.log_trade(**{**FILL, "strategy_used": "x" * 300})
        kept = self._kept()
        assert (kept.kind, kept.error_class, kept.account_id) == ("trade", "RejectedRecordError", book.id)
        assert "strategy_used" in kept.error
        said = json.loads(bytes(kept.payload))["values"]
        assert (said["quantity"], said["strategy_used"]) == ("10", "x" * 300)

    def test_what_the_database_refuses_is_kept_too(self, book) -> None:
        trades = TradeLogger(account=book)
        trades.log_trade(**FILL, trade_id="1", venue="X")
        with pytest.raises(RejectedRecordError):
            trades.log_trade(**{**FILL, "price": Decimal(1)}, trade_id="1", venue="X")
        assert self._kept().error_class == "KeyReusedError"

    def test_a_signal_is_no_fill(self, book) -> None:
        with pytest.raises(RejectedRecordError):
            SignalLogger(account=book).log_signal(symbol="AAPL", signal_type="WAIT", timestamp=AT)
        assert engine_for().flush(120)
        assert not DeadLetter.objects.exists()


class TestReadsInAnOutage:
    def test_the_last_good_answer_comes_with_its_age(self, book, away) -> None:
        trades = TradeLogger(account=book)
        trades.log_trade(**FILL)
        fresh = trades.get_trade_history("AAPL")
        assert (len(fresh), fresh.stale) == (1, False)
        away()
        stale = trades.get_trade_history("AAPL")
        assert (list(stale), stale.as_of, stale.stale, stale.next) == (list(fresh), fresh.as_of, True, None)

    def test_what_was_never_asked_is_unknown_and_not_nothing(self, book, away) -> None:
        trades = TradeLogger(account=book)
        away()
        unknown = trades.get_trade_history("MSFT")
        assert (list(unknown), unknown.as_of, unknown.stale) == ([], None, True)

    def test_a_read_waits_for_the_first_probe_after_a_stall(self, book) -> None:
        trades = TradeLogger(account=book)
        trades.log_trade(**FILL)
        engine_for()._connection_failed("it stalled")
        fresh = trades.get_trade_history("AAPL")
        assert (len(fresh), fresh.stale) == (1, False)

    def test_positions_are_remembered(self, book, away) -> None:
        tracker = PortfolioTracker(book)
        assert tracker.record_trade(**FILL).outcome is WriteOutcome.STORED
        held = tracker.get_current_positions()
        away()
        stale = tracker.get_current_positions()
        assert (list(stale), stale.as_of, stale.stale) == (list(held), held.as_of, True)
        assert held[0].quantity == 10

    def test_a_regime_is_remembered(self, book, away) -> None:
        regimes = RegimeLogger(account=book)
        regimes.log_regime_change(regime_type="BULL", timestamp=AT)
        fresh = regimes.current_regime()
        assert (fresh.regime_type, fresh.stale) == ("BULL", False)
        assert fresh.as_of is not None
        away()
        stale = regimes.current_regime()
        assert (stale.regime_type, stale.as_of, stale.stale) == ("BULL", fresh.as_of, True)

    def test_no_regime_is_told_from_a_regime_that_is_not_known(self, book, away) -> None:
        regimes = RegimeLogger(account=book)
        assert regimes.current_regime("MSFT") is None
        away()
        asked, never_asked = regimes.current_regime("MSFT"), regimes.regime_at(AT, "AAPL")
        assert (asked.regime_type, asked.id, asked.stale) == ("UNKNOWN", None, True)
        assert asked.as_of is not None  # there was none then
        assert (never_asked.regime_type, never_asked.as_of, never_asked.stale) == ("UNKNOWN", None, True)


class TestAccountsInAnOutage:
    def test_books_are_opened_and_found_and_their_opening_travels_first(self, away) -> None:
        away()
        book = accounts.open_account("offline", starting_cash=Decimal(500), environment="LIVE")
        assert accounts.find_account("offline") == book
        assert accounts.find_account(book.id) == book
        receipt = TradeLogger(account="offline").log_trade(**FILL)
        assert receipt.outcome is WriteOutcome.JOURNALED
        assert engine_for().flush(120)
        assert Trade.objects.get(id=receipt.id).account.environment == "LIVE"

    def test_an_account_that_nobody_opened_is_a_typo_then_too(self, away) -> None:
        away()
        with pytest.raises(ConfigurationError):
            TradeLogger(account="momentun")

    def test_other_settings_are_refused_then_too(self, book, away) -> None:
        away()
        with pytest.raises(ConfigurationError):
            accounts.open_account("recorder", environment="LIVE")

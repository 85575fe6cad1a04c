"""Pairs: stored by their newest estimate, named by their two symbols, and known to whatever is a leg of them."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import ProtectedError

import friren
from friren.core.ids import new_id
from friren.errors import RejectedRecordError
from friren.operations.audit.digests import altered
from friren.persistence.facts import make_fact
from friren.persistence.models import DeadLetter
from friren.persistence.receipts import WriteOutcome
from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.models import BacktestTrade, Position
from tests.factories.ground import AccountFactory
from trading_engine.models import BacktestPair, Order, Signal, Symbol, Trade, TradingPair
from trading_engine.services import BacktestRecorder, PairRecorder, SignalLogger, TradeLogger

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
LATER = NOON + dt.timedelta(hours=1)
PAIR = ("XLF", "XLK")
FIGURES = {"cointegration_pvalue": 0.0619, "hedge_ratio": -0.0349, "correlation": 0.8, "half_life": 31.9}
FILL = {"symbol": "XLF", "pair": PAIR, "action": "buy", "quantity": 10, "price": Decimal("27.92"), "timestamp": NOON}
ADVICE = {"pair": PAIR, "signal_type": "ENTRY_LONG", "timestamp": NOON, "z_score": -2.1, "spread_value": -0.4}
STORED, DUPLICATE = WriteOutcome.STORED, WriteOutcome.DUPLICATE


@pytest.fixture
def pairs() -> PairRecorder:
    return PairRecorder()


@pytest.fixture
def pair(pairs) -> TradingPair:
    pairs.record_pair(*PAIR, timestamp=NOON, **FIGURES)
    return TradingPair.objects.get()


@pytest.fixture
def trades() -> TradeLogger:
    return TradeLogger(friren.open_account("book"))


class TestEstimate:
    def test_makes_the_pair_and_its_symbols(self, pair) -> None:
        assert str(pair) == "XLF/XLK (p=0.0619)"
        assert (pair.hedge_ratio, pair.half_life, pair.lookback_days, pair.is_active) == (-0.0349, 31.9, 252, True)

    def test_told_again_changes_nothing(self, pairs, pair) -> None:
        assert pairs.record_pair(*PAIR, timestamp=LATER, **FIGURES).outcome is DUPLICATE
        assert TradingPair.objects.get().updated_at == pair.updated_at == NOON

    def test_that_is_newer_stands_and_forgets_what_it_leaves_undefined(self, pairs, pair) -> None:
        told = {**FIGURES, "half_life": None, "is_active": False}

        assert pairs.record_pair(*PAIR, timestamp=LATER, **told).outcome is STORED
        found = TradingPair.objects.get()
        assert (found.id, found.half_life, found.is_active, found.updated_at) == (pair.id, None, False, LATER)

    def test_that_is_older_changes_nothing(self, pairs, pair) -> None:
        before = NOON - dt.timedelta(days=1)

        assert pairs.record_pair(*PAIR, timestamp=before, **{**FIGURES, "hedge_ratio": 5.0}).outcome is DUPLICATE
        assert TradingPair.objects.get().hedge_ratio == pair.hedge_ratio

    def test_goes_through_the_journal_before_what_names_it(self) -> None:
        book = friren.open_account("book")
        with PairRecorder(mode="journal") as pairs, TradeLogger(book, mode="journal") as trades:
            pairs.record_pair(*PAIR, **FIGURES)
            receipt = trades.log_trade(**FILL)
            assert trades.flush(timeout=30)

        assert Trade.objects.get(id=receipt.id).pair == TradingPair.objects.get()


class TestPair:
    def test_is_put_aside_and_taken_up_again(self, pairs, pair) -> None:
        outcomes = [pairs.deactivate_pair(PAIR, timestamp=LATER).outcome for _ in range(2)]

        found = TradingPair.objects.get()
        assert (outcomes, found.is_active, found.hedge_ratio) == ([STORED, DUPLICATE], False, pair.hedge_ratio)
        pairs.record_pair(*PAIR, timestamp=LATER + dt.timedelta(hours=1), **FIGURES)
        assert TradingPair.objects.get().is_active

    def test_that_is_not_stored_cannot_be_put_aside(self, pairs) -> None:
        with pytest.raises(RejectedRecordError, match="is not stored"):
            pairs.deactivate_pair(PAIR)

    @pytest.mark.usefixtures("pair")
    def test_keeps_its_symbols_for_good(self) -> None:
        other = Symbol.objects.create(ticker="JPM")

        with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
            TradingPair.objects.update(symbol_2=other)

    def test_of_signals_is_not_deleted(self, pair, trades) -> None:
        SignalLogger(trades.account).log_signal(**ADVICE)

        with pytest.raises(ProtectedError):
            pair.delete()


class TestLeg:
    def test_names_its_pair_by_two_symbols_or_by_row(self, pair, trades) -> None:
        order = trades.log_order(symbol="XLF", pair=pair, action="buy", quantity=10, timestamp=NOON)
        trade = trades.log_trade(**FILL, order=order)

        assert Order.objects.get(id=order.id).pair == Trade.objects.get(id=trade.id).pair == pair
        row = Trade.objects.get(id=trade.id)
        assert list(altered(Trade, row.recorded_seq, row.recorded_seq, using="default")) == []
        assert bytes(row.digest) == make_fact(
            Trade, account=trades.account.id, order=order.id, symbol="XLF", pair=(("XLF", ""), ("XLK", "")),
            action="buy", quantity=10, price=Decimal("27.92"), executed_at=NOON,
        ).digest  # fmt: skip

    def test_of_an_unknown_pair_is_refused_by_name(self, trades) -> None:
        with pytest.raises(RejectedRecordError) as caught:
            trades.log_trade(**FILL)

        assert (caught.value.field, caught.value.value) == ("pair", ["XLF", "", "XLK", ""])

    def test_of_an_unknown_pair_does_not_keep_others_of_its_batch_out(self, trades) -> None:
        told = [{**FILL, "pair": None}, FILL, {**FILL, "pair": None}]

        receipt = trades.bulk_log(told)

        assert receipt.stored == 2
        assert [(index, error.field) for index, error in receipt.rejected] == [(1, "pair")]

    def test_is_found_by_its_pair(self, pair, pairs, trades) -> None:
        pairs.record_pair("BAC", "JPM", **FIGURES)
        trades.log_trade(**FILL)
        trades.log_trade(**{**FILL, "symbol": "BAC", "pair": ("BAC", "JPM")})
        trades.log_trade(**{**FILL, "pair": None})
        signals = SignalLogger(trades.account)
        signals.log_signal(**ADVICE)

        assert [row.pair for row in trades.get_trade_history(pair=PAIR)] == [pair.id]
        assert [row.symbol for row in trades.get_trade_history(pair=("BAC", "JPM"))] == ["BAC"]
        assert trades.get_trade_history(pair=("XLK", "XLF")) == []
        assert [row.z_score for row in signals.get_signal_history(pair=pair)] == [-2.1]
        assert signals.get_signal_history(pair=("BAC", "JPM")) == []

    def test_never_changes_its_pair(self, pair, pairs, trades) -> None:
        pairs.record_pair("BAC", "JPM", **FIGURES)
        trades.log_trade(**FILL)

        for column in (None, TradingPair.objects.exclude(id=pair.id).get()):
            with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
                Trade.objects.update(pair=column)

    @pytest.mark.parametrize(
        ("model", "told", "digest"),
        [
            (Trade, {"action": "buy", "quantity": 10, "price": Decimal("187.32"), "executed_at": NOON},
             "3a1880dd9e9098926311df209857ab03"),
            (Order, {"action": "buy", "quantity": 10, "requested_at": NOON}, "8420a125eda1ff917d5c95fa7df9b957"),
            (Signal, {"signal_type": "BUY", "timestamp": NOON}, "2e250cce8d74bebc33062e119d6394ff"),
        ],
    )  # fmt: skip
    def test_of_no_pair_has_the_digest_it_had_before_there_were_any(self, model, told, digest) -> None:
        assert make_fact(model, account=uuid.UUID(int=7), symbol="AAPL", **told).digest.hex() == digest


class TestSignal:
    @pytest.mark.parametrize(
        "kind", ["ENTRY_LONG", "ENTRY_SHORT", "EXIT_LONG", "EXIT_SHORT", "STOP_LONG", "STOP_SHORT"]
    )
    @pytest.mark.usefixtures("pair")
    def test_on_a_pair_takes_the_six_types(self, trades, kind) -> None:
        SignalLogger(trades.account).log_signal(**{**ADVICE, "signal_type": kind})

        assert (Signal.objects.get().kind, Signal.objects.get().signal_type) == ("PAIR", kind)

    @pytest.mark.parametrize("missing", ["z_score", "spread_value"])
    @pytest.mark.usefixtures("pair")
    def test_on_a_pair_tells_where_the_spread_stands(self, trades, missing) -> None:
        with pytest.raises(RejectedRecordError, match="pair, z_score, spread_value"):
            SignalLogger(trades.account).log_signal(**{**ADVICE, missing: None})

    def test_on_a_pair_without_one_is_refused_by_the_database_too(self) -> None:
        row = {"account": AccountFactory(), "kind": "PAIR", "signal_type": "ENTRY_LONG", "timestamp": NOON}
        with pytest.raises(IntegrityError, match="ck_signal_pair"), transaction.atomic():
            Signal.objects.create(id=new_id(), digest=b"", **row)


class TestPosition:
    def test_takes_the_pair_of_the_trade_that_opened_it(self, pair) -> None:
        tracker = PortfolioTracker(friren.open_account("run", environment="BACKTEST"))
        tracker.record_trade(**FILL)
        tracker.record_trade(**{**FILL, "action": "sell", "pair": None, "timestamp": LATER})

        (position,) = Position.objects.all()
        assert (position.pair, position.status) == (pair, "closed")
        assert BacktestTrade.objects.get(pair=pair).pair == pair
        assert not tracker.rebuild(check=True).differences

    def test_comes_out_the_same_by_the_long_way(self, pair, trades) -> None:
        trades.log_trade(**FILL)
        tracker = PortfolioTracker(trades.account)
        tracker.get_current_positions()
        Position.objects.update(pair=None)

        (found,) = tracker.rebuild(check=True).differences
        tracker.rebuild()

        assert "pair" in found.what
        assert Position.objects.get().pair == pair


class TestRun:
    @pytest.mark.usefixtures("pair")
    def test_names_the_pairs_it_trades(self) -> None:
        book = friren.open_account("run", environment="BACKTEST")
        told = {"name": "run", "starts_at": NOON, "ends_at": LATER, "run_id": new_id(), "pairs": [PAIR]}

        outcomes = [BacktestRecorder().start_run(book, **told).outcome for _ in range(2)]

        assert outcomes == [STORED, DUPLICATE]
        assert [str(one.pair.symbol_1.ticker) for one in BacktestPair.objects.all()] == ["XLF"]

    def test_of_an_unknown_pair_is_refused(self) -> None:
        book = friren.open_account("run", environment="BACKTEST")

        with pytest.raises(RejectedRecordError, match="is not stored"):
            BacktestRecorder().start_run(book, name="run", starts_at=NOON, ends_at=LATER, pairs=[PAIR])


def test_a_leg_whose_pair_never_comes_is_a_dead_letter(monkeypatch) -> None:
    monkeypatch.setattr("friren.persistence.settings.PARENT_WAIT_SECONDS", 0.1)
    with TradeLogger(friren.open_account("book"), mode="journal") as trades:
        trades.log_trade(**FILL)
        assert trades.flush(timeout=30)

    assert "pair" in DeadLetter.objects.get().error

"""Bets: the stake is exact, the tokens are worth their price until the market ends, and 1 or 0 after."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

import friren
from friren.core.models import SystemMetadata
from friren.core.numbers import quantize
from friren.errors import KeyReusedError, RejectedRecordError
from portfolio_manager.data_logger import PortfolioTracker, PredictionTracker
from portfolio_manager.market_health import check_markets
from portfolio_manager.models import MarketResolution, PortfolioState, Position
from trading_engine.models import Trade
from trading_engine.services import MarketRecorder

D = Decimal
NOON = dt.datetime(2026, 5, 17, 12, tzinfo=dt.UTC)
LATER = NOON + dt.timedelta(hours=1)
END = NOON + dt.timedelta(days=30)
BET = {"price": D("0.3"), "timestamp": NOON}


@pytest.fixture
def book():
    return friren.open_account("bets", starting_cash=1000)


@pytest.fixture
def bets(book):
    with PredictionTracker(book) as tracker:
        yield tracker


@pytest.fixture
def venue():
    with MarketRecorder() as recorder:
        yield recorder


def market(name: str, **told):
    return {"market_id": name, "question": f"{name}?", "told_at": NOON, **told}


class TestBets:
    def test_the_stake_is_exact_and_the_tokens_are_rounded_once(self, bets) -> None:
        bets.buy_yes(market="rain", amount=100, trade_id="p-1", market_question="Rain?", **BET)

        trade, position = Trade.objects.get(), Position.objects.get()
        assert (trade.amount, trade.quantity) == (100, quantize(D(1000) / 3))
        # As the source names them: trade_id, amount, entry_price, action, status.
        assert (trade.external_id, position.trade_id, position.opened_cost) == ("p-1", trade.id, 100)
        assert abs(position.entry_price - D("0.3")) < D("1e-17")
        assert (f"buy_{position.side.lower()}", position.status) == ("buy_yes", "open")
        assert PortfolioState.objects.get().balance == 900
        assert SystemMetadata.objects.get(key="last_trade_execution").value.startswith("2026-05-17T12:00")

    def test_told_twice_are_made_once(self, bets) -> None:
        told = {"market": "rain", "amount": 100, "trade_id": "p-1", **BET}

        assert [bets.buy_no(**told).outcome for _ in range(2)] == ["STORED", "DUPLICATE"]
        with pytest.raises(KeyReusedError):
            bets.buy_no(**{**told, "amount": 101})

    def test_are_left_before_the_end_for_what_they_bring(self, bets) -> None:
        bets.buy_no(market="rain", quantity=100, **BET)
        bets.sell_no(market="rain", quantity=40, price=D("0.5"), timestamp=LATER)
        bets.sell_no(market="rain", amount=D("31.20"), price=D("0.52"), timestamp=END)

        position = Position.objects.get()
        assert (position.status, position.realized_pnl) == ("closed", D("21.20"))
        assert PortfolioState.objects.get().balance == D("1021.20")

    @pytest.mark.parametrize("side", ["yes", "no"])
    def test_yes_and_no_are_two_positions(self, bets, side) -> None:
        bets.buy_yes(market="rain", quantity=10, **BET)
        bets.buy_no(market="rain", quantity=10, price=D("0.7"), timestamp=NOON)

        getattr(bets, f"sell_{side}")(market="rain", quantity=10, price=D("0.5"), timestamp=LATER)

        assert Position.objects.open().get().side != side.upper()

    @pytest.mark.parametrize(
        ("told", "field"),
        [
            ({}, "amount"),
            ({"amount": 1, "quantity": 1}, "amount"),
            ({"amount": 1, "price": 0}, "price"),
            ({"amount": 1, "price": D("1.2")}, "price"),
            ({"quantity": 1, "price": D("1.2")}, "price"),
            ({"amount": 1.5}, "amount"),
            ({"amount": -1}, "amount"),
        ],
    )
    def test_that_make_no_sense_are_refused_by_name(self, bets, told, field) -> None:
        with pytest.raises(RejectedRecordError) as caught:
            bets.buy_yes(market="rain", **{**BET, **told})

        assert caught.value.field == field
        assert not Trade.objects.exists()


class TestMarks:
    def test_are_the_newest_snapshot_of_each_market(self, bets, venue, book) -> None:
        for name in ("rain", "snow", "fog"):
            bets.buy_no(market=name, quantity=100, price=D("0.4"), timestamp=NOON)
        venue.bulk_log_snapshots(
            [
                {"market": "rain", "timestamp": NOON, "yes_price": D("0.6")},
                {"market": "rain", "timestamp": LATER, "yes_price": D("0.25")},
                {"market": "rain", "timestamp": END, "yes_price": 1},
                {"market": "snow", "timestamp": NOON, "yes_price": D("0.7")},
            ]
        )

        marked = bets.mark_from_snapshots(LATER)

        assert (marked.positions, marked.unpriced) == (2, ("fog",))
        found = {row.market: (row.current_price, row.unrealized_pnl, row.marked_at) for row in
                 PortfolioTracker(book).get_current_positions()}  # fmt: skip
        assert found["rain"] == (D("0.75"), 35, LATER)
        assert found["snow"] == (D("0.3"), -10, NOON)
        assert found["fog"] == (None, None, None)

    def test_of_an_empty_book_are_none(self, bets) -> None:
        assert bets.mark_from_snapshots(LATER).positions == 0


class TestEnds:
    def test_a_decided_market_closes_its_positions_at_one_or_nothing(self, bets, venue) -> None:
        for name in ("rain", "snow", "fog"):
            bets.buy_yes(market=name, quantity=100, **BET)
            bets.buy_no(market=name, quantity=50, price=D("0.7"), timestamp=NOON)
        venue.record_market(**market("rain", resolved_outcome="YES", resolved_at=END))
        venue.record_market(**market("snow", resolved_outcome="NO", resolved_at=END))
        venue.record_market(**market("fog"))

        receipts = bets.resolve_decided_markets()
        again = bets.resolve_decided_markets()

        assert ([receipt.outcome for receipt in receipts], again) == (["STORED", "STORED"], ())
        closed = {(row.market_id, row.side): (row.exit_price, row.realized_pnl, row.exit_reason) for row in
                  Position.objects.filter(status="closed")}  # fmt: skip
        assert closed == {
            ("rain", "YES"): (1, 70, "RESOLUTION"), ("rain", "NO"): (0, -35, "RESOLUTION"),
            ("snow", "YES"): (0, -30, "RESOLUTION"), ("snow", "NO"): (1, 15, "RESOLUTION"),
        }  # fmt: skip
        assert set(Position.objects.open().values_list("market", flat=True)) == {"fog"}
        assert PortfolioState.objects.get().balance == 1000 - 3 * 65 + 100 + 50
        assert MarketResolution.objects.count() == 2

    def test_what_is_decided_and_still_held_is_a_finding(self, bets, venue) -> None:
        bets.buy_yes(market="rain", quantity=100, **BET)
        assert check_markets().ok
        venue.record_market(**market("rain", resolved_outcome="YES", resolved_at=END))

        finding = check_markets()
        bets.resolve_decided_markets()

        assert (finding.ok, finding.details) == (False, {"markets": ["bets: rain"]})
        assert check_markets().ok

    def test_without_an_answer_both_sides_get_back_what_the_venue_pays(self, bets, venue) -> None:
        bets.buy_yes(market="rain", quantity=100, **BET)
        venue.record_market(
            **market("rain", resolved_outcome="INVALID", yes_price=D("0.5"), no_price=D("0.5"), resolved_at=END)
        )

        bets.resolve_decided_markets()

        assert Position.objects.get().realized_pnl == 20


def test_the_state_is_one_row_of_each_book_and_the_fold_of_its_facts(bets, book) -> None:
    tracker = PortfolioTracker(book)
    bets.buy_yes(market="rain", amount=30, **BET)

    state = tracker.get_portfolio_state()

    assert (state.balance, state.total_invested, state.trade_count) == (970, 30, 1)
    assert (state.stale, state.as_of is None) == (False, False)
    tracker.rebuild()
    assert tracker.get_portfolio_state().balance == 970
    assert PortfolioTracker(friren.open_account("other")).get_portfolio_state() is None

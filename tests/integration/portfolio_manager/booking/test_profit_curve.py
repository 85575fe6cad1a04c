"""The kept profit curve is what all fills say, whatever arrives late, and spares reading them."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal

import pytest

from friren.accounts import open_account
from friren.core.numbers import CONTEXT, ZERO
from portfolio_manager.booking import profit_curve
from portfolio_manager.booking.profit_curve import advance_curve, read_curve, realized_since
from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.models import PositionFill, ProfitPeak
from tests.books import at, uid
from trading_engine.models import Symbol
from trading_engine.services import TradeLogger

pytestmark = pytest.mark.usefixtures("database")
D = Decimal


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch) -> None:
    monkeypatch.setattr(profit_curve, "STEPS", (20, 5))
    monkeypatch.setattr(profit_curve, "SETTLED_AFTER", dt.timedelta(minutes=3))


@pytest.fixture
def tracker():
    return PortfolioTracker(open_account("books", starting_cash=D(10_000)))


def fill(tracker, number: int, action: str, price: str, **more) -> None:
    told = {"symbol": "AAPL", "quantity": 1, "commission": D("0.25")} | more
    if "market" in told:
        del told["symbol"]
    tracker.record_trade(trade_id=uid(number), action=action, price=D(price), timestamp=at(number), **told)


def curve_of_all_fills(account) -> tuple[Decimal, Decimal]:
    """Profit and its height, fill by fill, in Python."""
    profit = highest = ZERO
    fills = PositionFill.objects.filter(account=account.id).exclude(position__symbol__currency="EUR")
    for one in sorted(fills, key=lambda f: (f.executed_at, f.trade_id or f.corporate_action_id or f.resolution_id,
                                            f.leg)):  # fmt: skip
        profit = CONTEXT.add(profit, CONTEXT.subtract(one.realized_pnl, one.commission))
        highest = max(highest, profit)
    return profit, highest


def kept_curve(tracker) -> tuple[Decimal, Decimal]:
    tracker.get_current_positions()  # books what is not booked yet
    advance_curve(tracker.account.id, using="default")
    return read_curve(tracker.account.id, using="default")


def trade_up_and_down(tracker, first: int, last: int) -> None:
    for number in range(first, last):
        fill(tracker, number, "sell" if number % 2 else "buy", str(100 + (number * 37) % 23))


@pytest.mark.parametrize("seed", range(3))
def test_the_curve_is_that_of_all_fills_whatever_comes_late(tracker, seed: int) -> None:
    rng = random.Random(seed)
    Symbol.objects.create(ticker="SAP", currency="EUR")
    numbers = [*range(60)]
    late = rng.sample(numbers, 8)
    waiting = [number for number in numbers if number not in late]
    actions = ["buy", "sell", "short", "cover"]
    busted: list[int] = []
    while waiting or late:
        for _ in range(min(9, len(waiting))):
            number = waiting.pop(0)
            symbol = rng.choice(["AAPL", "AAPL", "MSFT", "SAP"])
            fill(tracker, number, rng.choice(actions), str(rng.randint(50, 150)), symbol=symbol,
                 quantity=rng.randint(1, 9))  # fmt: skip
        assert kept_curve(tracker) == curve_of_all_fills(tracker.account)
        happens = rng.random()
        if late and happens < 0.6:
            fill(tracker, late.pop(), rng.choice(actions), str(rng.randint(50, 150)))
        elif happens < 0.8:
            stored = [n for n in numbers if n not in waiting + late + busted]
            busted.append(rng.choice(stored))
            TradeLogger(tracker.account).bust_trade(uid(busted[-1]), reason="wrong")
        else:
            early = at(rng.randint(1, 50) + rng.random())
            tracker.apply_corporate_action(symbol="AAPL", kind="SPLIT", effective_at=early, ratio=D("0.3"))
        assert kept_curve(tracker) == curve_of_all_fills(tracker.account)
    since = at(25)
    fills = PositionFill.objects.filter(executed_at__gte=since).exclude(position__symbol__currency="EUR")
    earned = sum((f.realized_pnl - f.commission for f in fills), start=ZERO)
    assert realized_since(tracker.account.id, since, using="default") == earned


def test_a_bet_that_is_paid_belongs_to_the_curve(tracker) -> None:
    fill(tracker, 1, "buy_yes", "0.4", market="fed-june", quantity=100, commission=None)
    tracker.resolve_market(market="fed-june", outcome="YES", resolved_at=at(2))
    for number in range(3, 20):
        fill(tracker, number, "buy", "10")
    assert kept_curve(tracker) == (D("55.75"), D(60))


def test_fills_before_the_kept_moment_are_read_no_more(tracker) -> None:
    trade_up_and_down(tracker, 0, 60)
    told = kept_curve(tracker)
    peak = ProfitPeak.objects.get()
    assert at(50) <= peak.until <= at(56)

    PositionFill.objects.filter(executed_at__lt=peak.until).update(realized_pnl=D(10**9))
    trade_up_and_down(tracker, 60, 62)
    profit, highest = kept_curve(tracker)
    assert profit != told[0]
    assert highest < D(10**9)


def test_what_is_new_takes_it_on_and_what_is_late_makes_it_anew(tracker) -> None:
    trade_up_and_down(tracker, 0, 30)
    assert advance_curve(tracker.account.id, using="default") > 1
    assert advance_curve(tracker.account.id, using="default") == 0
    trade_up_and_down(tracker, 30, 37)
    assert advance_curve(tracker.account.id, using="default") == 1
    before = ProfitPeak.objects.get()
    PositionFill.objects.filter(trade=uid(3)).update(realized_pnl=D(500))  # seen only when all is read again
    TradeLogger(tracker.account).bust_trade(uid(9), reason="never happened")
    tracker.get_current_positions()

    assert read_curve(tracker.account.id, using="default") == curve_of_all_fills(tracker.account)
    advance_curve(tracker.account.id, using="default")
    assert ProfitPeak.objects.get().booked_seq > before.booked_seq
    assert read_curve(tracker.account.id, using="default") == curve_of_all_fills(tracker.account)


def test_many_fills_of_one_moment_are_taken_together(tracker) -> None:
    for number in range(20):
        tracker.record_trade(
            symbol="AAPL", action="sell" if number % 2 else "buy", quantity=1, price=100 + number, timestamp=at(0)
        )
    trade_up_and_down(tracker, 30, 45)
    assert kept_curve(tracker) == curve_of_all_fills(tracker.account)
    assert ProfitPeak.objects.get().until > at(0)


def test_a_book_without_fills_has_earned_nothing(tracker) -> None:
    assert kept_curve(tracker) == (0, 0)
    assert read_curve(uid(1), using="default") == (0, 0)

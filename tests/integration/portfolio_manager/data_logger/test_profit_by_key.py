"""Every division of the profit adds up to the whole, and each part is what the pure fold says of it."""

from __future__ import annotations

import random
from collections import defaultdict
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from friren.accounts import open_account
from friren.core.numbers import CONTEXT, ZERO, quantize
from friren.persistence.facts import forget_natural_keys
from portfolio_manager.accounting import fold
from portfolio_manager.booking.pnl import PNL_KEYS
from portfolio_manager.data_logger import PortfolioTracker
from tests.books import at, uid, unrealized_of
from tests.factories import TradeIdeaFactory
from tests.stored_books import facts_of
from trading_engine.models import Symbol, Trade
from trading_engine.services import TradeLogger

pytestmark = pytest.mark.usefixtures("database")
D = Decimal
SCORES = [None, "-1", "-0.05", "-0.049999", "0", "0.049999", "0.05", "1"]


def trade_at_random(tracker, rng: random.Random) -> None:
    """Some fills of a few instruments in two currencies, by several strategies, models and ideas, and busts."""
    logger = TradeLogger(tracker.account)
    for number in range(30):
        order = None
        if rng.random() < 0.3:
            order = logger.log_order(symbol="AAPL", action="buy", quantity=1, timestamp=at(number)).id
        market = rng.random() < 0.2
        traded = {"market": "fed-june"} if market else {"symbol": rng.choice(["AAPL", "SAP"])}
        actions = ["buy_yes", "buy_no", "sell_yes"] if market else ["buy", "sell", "short", "cover"]
        fill = tracker.record_trade(
            **traded, trade_id=uid(number), action=rng.choice(actions), quantity=D(rng.randint(1, 40)) / 4,
            price=D(rng.randint(1, 99)) / 100 if market else quantize(D(rng.randint(100, 9000)) / 7),
            timestamp=at(number // 2), strategy_used=rng.choice(["", "a", "b"]), order=order,
            regime_at_entry=rng.choice([None, "BULL", "BEAR"]), model_id=rng.choice([None, "m1", "m2"]),
            sentiment_score=None if (score := rng.choice(SCORES)) is None else D(score),
            commission=rng.choice([None, D("0.35"), D("-0.1")]),
        )  # fmt: skip
        if rng.random() < 0.4:
            by = {"order": order} if order is not None and rng.random() < 0.5 else {"trade": fill.id}
            TradeIdeaFactory(account=tracker.account.id, status="auto_executed", **by)
    logger.bust_trade(uid(rng.randrange(30)), reason="wrong")


def key_of(trade: Trade, by: str | None) -> str:
    """The key of an opening trade, told in Python."""
    if by is None:
        return ""
    if by == "symbol":
        return trade.market_id if trade.symbol is None else trade.symbol.ticker
    if by == "idea":
        idea = getattr(trade, "idea", None) or getattr(trade.order, "idea", None)
        return "" if idea is None else str(idea.pk)
    if by == "sentiment":
        score = trade.sentiment_score
        if score is None:
            return ""
        return "neutral" if abs(score) < D("0.05") else "positive" if score > 0 else "negative"
    return {"strategy": trade.strategy_used, "regime": trade.regime_at_entry, "model": trade.model_id}[by]


def refolded(account, prices, by: str | None, start, end) -> dict[tuple[str, str], list[Decimal]]:
    """Realised, unrealised, commission and unmarked positions by key and currency, out of the facts alone."""
    rules = {name: getattr(account, name) for name in ("cost_basis", "position_mode", "base_currency")}
    books = fold(facts_of(account.id), **rules)
    trades = {trade.pk: trade for trade in Trade.objects.select_related("symbol", "order__idea", "idea")}
    found: dict[tuple[str, str], list] = defaultdict(lambda: [ZERO, ZERO, ZERO, 0])
    place = {}
    for position in books.positions:
        key = key_of(trades[position.trade], by)
        place[position.id] = (key, position.instrument.currency or account.base_currency)
        if position.quantity and end is None:
            part, profit = found[place[position.id]], unrealized_of(position, prices)
            part[1] = CONTEXT.add(part[1], profit or ZERO)
            part[3] += profit is None
    for leg in books.legs:
        if (start is None or leg.at >= start) and (end is None or leg.at < end):
            part = found[place[leg.position]]
            part[0], part[2] = CONTEXT.add(part[0], leg.realized_pnl), CONTEXT.add(part[2], leg.commission)
    return dict(found)


def told(found, by: str | None) -> dict[tuple[str, str], list[Decimal]]:
    parts = {"": found} if by is None else found
    return {
        (key, one.currency): [one.realized, one.unrealized, one.commission, one.unmarked]
        for key, pnl in parts.items()
        for one in (pnl, *pnl.other_currencies)
    }


def added_up(parts) -> dict[str, list[Decimal]]:
    sums: dict[str, list] = defaultdict(lambda: [ZERO, ZERO, ZERO, 0])
    for (_key, currency), figures in parts.items():
        held = sums[currency]
        sums[currency] = [*map(CONTEXT.add, held[:3], figures[:3]), held[3] + figures[3]]
    return sums


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), basis=st.sampled_from(["AVERAGE", "FIFO"]), period=st.booleans())
def test_every_key_divides_the_profit_as_a_refold_does(emptier, seed: int, basis: str, period: bool) -> None:
    emptier.empty()
    forget_natural_keys()
    sap = Symbol.objects.create(ticker="SAP", currency="EUR")
    tracker = PortfolioTracker(open_account("books", starting_cash=D(10_000), cost_basis=basis))
    trade_at_random(tracker, random.Random(seed))
    tracker.mark_to_market({"SAP": D(401), "fed-june": D("0.7")}, at(60))
    prices = {sap.pk: D(401), "fed-june": D("0.7"), ("fed-june", "NO"): D("0.3")}
    start, end = (at(4), at(11)) if period else (None, None)
    whole = told(tracker.calculate_pnl(start=start, end=end), None)

    for by in PNL_KEYS:
        parts = told(tracker.calculate_pnl(start=start, end=end, by=by), by)
        expected = refolded(tracker.account, prices, by, start, end)
        if by is None:
            expected.setdefault(("", "USD"), [ZERO, ZERO, ZERO, 0])
        assert parts == expected
        sums = added_up(parts)
        assert all(sums[currency] == figures for (_, currency), figures in whole.items())

"""An idea on each of its paths, on the S&P 500 of autumn 2008: approved, escalated, rejected, halted, judged later."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.core.management import call_command

from friren.errors import InvalidTransitionError, KeyReusedError, RejectedRecordError
from friren.persistence.receipts import WriteOutcome
from portfolio_manager.data_logger import DecisionLogger, PortfolioSnapshotter, PortfolioTracker, TradeIdeaService
from portfolio_manager.ideas.counterfactuals import evaluate_rejected
from portfolio_manager.models import AccountSnapshot, DecisionHistory, IdeaOutcome, RiskConfig, TradeIdea
from tests.factories import StrategyFactory
from trading_engine.models import CalendarSnapshot, CandleSnapshot, IndicatorSnapshot, NewsSnapshot, Order
from trading_engine.services import SnapshotLogger, TradeLogger

FRIDAY = dt.datetime(2008, 9, 12, 20, tzinfo=dt.UTC)  # the last session before Lehman Brothers
LONG = {
    "symbol": "SP500", "direction": "long", "entry_price": Decimal(1250), "stop_loss": Decimal(1200),
    "take_profit": Decimal(1350), "quantity": 2, "confidence_score": 0.9, "timestamp": FRIDAY, "expected_hold": "2w",
}  # fmt: skip
SHORT = {**LONG, "direction": "short", "stop_loss": Decimal(1300), "take_profit": Decimal(1150)}


def seen_on(bar) -> dict[str, object]:
    """What there was to see after the session of `bar`."""
    shown = {"symbol": bar.symbol, "timeframe": bar.timeframe}
    return {
        "candles": [{**shown, "open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close,
                     "volume": bar.volume}],
        "indicators": [{**shown, "rsi_14": 44.1, "sma_50": Decimal("1267.79"), "atr": Decimal("25.5")}],
        "calendar": [{"event_time": FRIDAY + dt.timedelta(days=4), "currency": "USD", "impact_level": "high",
                      "title": "FOMC statement", "forecast_value": "2.00%"}],
        "news": [{"headline": "Lehman seeks a buyer", "source": "Reuters", "symbols": ["SP500"],
                  "published_at": FRIDAY}],
    }  # fmt: skip


def path_of(idea) -> list[tuple[str, str, str]]:
    rows = DecisionHistory.objects.filter(trade_idea=idea.id).order_by("recorded_seq")
    return list(rows.values_list("action", "from_status", "to_status"))


def status_of(idea) -> str:
    return TradeIdea.objects.get(pk=idea.id).status


def test_an_idea_that_passes_is_ordered_filled_and_booked(book, service, config, bars) -> None:
    strategy = StrategyFactory(name="dip", allowed_symbols=["SP500"])
    idea = service.propose(**LONG, rationale="oversold", strategy=strategy)
    checked = service.evaluate(idea, timestamp=FRIDAY)
    order = service.execute(idea, timestamp=FRIDAY)
    fill = TradeLogger(book).log_trade(
        symbol="SP500", action="buy", quantity=2, price=bars["2008-09-15"].open, order=order.id,
        timestamp=bars["2008-09-15"].timestamp, strategy_used="dip",
    )  # fmt: skip
    service.mark_filled(idea, fill)

    assert (checked.outcome, checked.status, checked.breaches) == (WriteOutcome.STORED, "auto_executed", ())
    row = TradeIdea.objects.select_related("order", "trade").get(pk=idea.id)
    assert (row.order_id, row.trade_id, row.trade.order_id) == (order.id, fill.id, order.id)
    assert (row.order.action, row.order.quantity, row.order.strategy_used) == ("buy", 2, "dip")
    assert (row.order.stop_loss_price, row.order.target_price, row.order.reasoning) == (1200, 1350, "oversold")
    assert path_of(idea) == [("ai_proposed", "", "waiting"), ("ai_auto_executed", "waiting", "auto_executed")]
    (held,) = PortfolioTracker(book).get_current_positions()
    assert (held.symbol, held.quantity, held.strategy_used) == ("SP500", 2, "dip")
    # Once is enough.
    assert service.evaluate(idea).outcome is WriteOutcome.DUPLICATE
    again = service.execute(idea)
    assert (again.id, again.outcome) == (order.id, WriteOutcome.DUPLICATE)
    assert service.mark_filled(idea, fill).outcome is WriteOutcome.DUPLICATE
    assert Order.objects.count() == 1


def test_a_doubtful_idea_waits_for_a_person_who_approves(service, config, reviewer) -> None:
    idea = service.propose(**{**LONG, "confidence_score": 0.5})
    checked = service.evaluate(idea)
    approved = service.approve(idea, reviewer=reviewer, reason="I was there in 1998", timestamp=FRIDAY)

    assert (checked.status, checked.breaches) == ("needs_approval", ("min_confidence_threshold",))
    assert (approved.id, approved.outcome) == (idea.id, WriteOutcome.STORED)
    row = TradeIdea.objects.get(pk=idea.id)
    assert (row.status, row.reviewed_by, row.reviewed_at) == ("auto_executed", reviewer, FRIDAY)
    last = DecisionHistory.objects.get(trade_idea=idea.id, action="human_approved")
    assert (last.human_override, last.actor, last.rationale) == (True, reviewer, "I was there in 1998")
    assert last.symbol.ticker == "SP500"
    escalated = DecisionHistory.objects.get(trade_idea=idea.id, to_status="needs_approval").risk_check_result
    assert escalated["escalated"] == ["min_confidence_threshold"]
    assert service.approve(idea, reviewer=reviewer).outcome is WriteOutcome.DUPLICATE
    with pytest.raises(InvalidTransitionError):
        service.reject(idea, reviewer=reviewer, reason="too late")


def test_a_person_rejects_for_a_reason_that_is_kept(service, config, reviewer) -> None:
    idea = service.propose(**{**LONG, "confidence_score": 0.5})
    service.evaluate(idea)
    with pytest.raises(RejectedRecordError, match="reason"):
        service.reject(idea, reviewer=reviewer, reason="")

    service.reject(idea, reviewer=reviewer, reason="not before the weekend")

    assert status_of(idea) == "rejected"
    assert DecisionHistory.objects.get(action="human_rejected").rationale == "not before the weekend"
    with pytest.raises(InvalidTransitionError, match="only an approved idea is executed"):
        service.execute(idea)
    assert Order.objects.count() == 0


def test_a_hard_breach_rejects_and_every_breach_is_named(service, config) -> None:
    idea = service.propose(**{**LONG, "quantity": 11, "confidence_score": 0.1})
    checked = service.evaluate(idea)

    assert (checked.status, checked.breaches) == ("rejected", ("max_lot_size", "min_confidence_threshold"))
    told = DecisionHistory.objects.get(action="risk_rejected").risk_check_result
    assert [(one["rule"], one["value"], one["limit"]) for one in told["breaches"]] == [
        ("max_lot_size", "11", "10"), ("min_confidence_threshold", "0.1", "0.7"),
    ]  # fmt: skip


def test_an_idea_of_no_size_is_checked_when_somebody_says_one(service, config) -> None:
    idea = service.propose(**{**LONG, "quantity": None})
    assert service.evaluate(idea).status == "auto_executed"

    for size, rule in ((None, "is required here"), (Decimal("10.5"), "max_lot_size: 10.5, limit 10")):
        with pytest.raises(RejectedRecordError, match=rule):
            service.execute(idea, quantity=size)
    assert Order.objects.count() == 0
    service.execute(idea, quantity=10, type="LIMIT", limit_price=Decimal(1249))
    assert Order.objects.get().limit_price == 1249


def test_approved_ideas_take_up_the_places_of_trades(service, config) -> None:
    RiskConfig.objects.update(max_concurrent_trades=2)
    ideas = [service.propose(**LONG) for _ in range(3)]

    assert [service.evaluate(idea).status for idea in ideas] == ["auto_executed", "auto_executed", "rejected"]


def test_replay_gives_exactly_the_five_snapshots(service, config, bars) -> None:
    bar = bars["2008-09-12"]
    other = service.propose(**SHORT, seen=seen_on(bars["2008-09-11"]))
    idea = service.propose(**LONG, seen=seen_on(bar))
    seen = service.replay(idea)

    assert (len(seen), seen.stale, seen.as_of is not None) == (5, False, True)
    (candle,), (indicator,), (event,), (news,), (account,) = (
        seen.candles, seen.indicators, seen.calendar, seen.news, seen.accounts,
    )  # fmt: skip
    assert (candle.open, candle.close, candle.volume) == (bar.open, bar.close, bar.volume)
    assert (indicator.rsi_14, indicator.sma_50, indicator.sma_200) == (Decimal("44.1"), Decimal("1267.79"), None)
    assert (event.title, event.forecast_value, event.actual_value) == ("FOMC statement", "2.00%", None)
    assert (news.headline, news.symbols) == ("Lehman seeks a buyer", ["SP500"])
    assert (account.balance, account.equity, account.open_positions) == (100_000, 100_000, 0)
    assert {row.captured_at for row in (candle, indicator, event, news, account)} == {FRIDAY}
    # What becomes known later changes nothing of it.
    SnapshotLogger().log_candle(
        symbol="SP500", timeframe="1d", open=1, high=1, low=1, close=1, captured_at=FRIDAY + dt.timedelta(days=1)
    )
    again = service.replay(TradeIdea.objects.get(pk=idea.id))
    assert (again.candles, again.indicators, again.calendar, again.news, again.accounts) == (
        seen.candles, seen.indicators, seen.calendar, seen.news, seen.accounts,
    )  # fmt: skip
    assert len(service.replay(other)) == 5
    assert service.replay(Order().id) is None


def test_an_idea_is_stored_with_what_was_seen_or_not_at_all(service, config, bars) -> None:
    wrong = seen_on(bars["2008-09-12"])
    wrong["news"][0]["headline"] = None
    with pytest.raises(RejectedRecordError, match=r"seen\.news\[0\]\.headline"):
        service.propose(**LONG, seen=wrong)
    # The database has the last word, and takes the whole of it back.
    idea = service.propose(**LONG, seen=seen_on(bars["2008-09-12"]))
    with pytest.raises(KeyReusedError):
        service.propose(**{**SHORT, "idea_id": None}, seen=seen_on(bars["2008-09-11"]), snapshot_ref=ref(idea))

    counts = [one.objects.count() for one in (TradeIdea, DecisionHistory, CandleSnapshot, IndicatorSnapshot,
                                              CalendarSnapshot, NewsSnapshot, AccountSnapshot)]  # fmt: skip
    assert counts == [1] * 7
    told_again = service.propose(**LONG, seen=seen_on(bars["2008-09-12"]), idea_id=idea.id)
    assert (told_again.id, told_again.outcome) == (idea.id, WriteOutcome.DUPLICATE)
    assert len(service.replay(idea)) == 5


def ref(idea):
    return TradeIdea.objects.get(pk=idea.id).snapshot_ref


def test_a_halt_stops_every_idea_and_resume_has_them_evaluated_anew(service, config, reviewer) -> None:
    waiting, doubtful, approved = (service.propose(**{**LONG, "confidence_score": c}) for c in (0.9, 0.5, 0.9))
    service.evaluate(doubtful)
    service.evaluate(approved)
    halted = service.halt("exchange outage", actor=reviewer, timestamp=FRIDAY)

    assert halted.outcome is WriteOutcome.STORED
    assert [status_of(idea) for idea in (waiting, doubtful, approved)] == [
        "halted_by_risk", "halted_by_risk", "auto_executed",
    ]  # fmt: skip
    found = RiskConfig.load()
    assert (found.ai_trading_enabled, found.last_halt_reason, found.updated_by) == (False, "exchange outage", reviewer)
    assert DecisionHistory.objects.filter(action="ai_halted").count() == 3  # all books, and two ideas
    for refused in (service.approve, service.reject):
        with pytest.raises(InvalidTransitionError):
            refused(doubtful, reviewer=reviewer, reason="no")
    with pytest.raises(InvalidTransitionError, match="trading is halted"):
        service.execute(approved)
    assert Order.objects.count() == 0
    assert service.evaluate(service.propose(**LONG)).breaches == ("ai_trading_enabled",)
    assert service.halt("again").outcome is WriteOutcome.DUPLICATE

    assert service.resume(actor=reviewer).outcome is WriteOutcome.STORED
    assert [status_of(idea) for idea in (waiting, doubtful)] == ["waiting", "waiting"]
    assert [service.evaluate(idea).status for idea in (waiting, doubtful)] == ["auto_executed", "needs_approval"]
    assert service.execute(approved).outcome is WriteOutcome.STORED
    assert service.resume().outcome is WriteOutcome.DUPLICATE


def lose(book, bars, *, quantity: int = 10) -> None:
    """Buy before the crash and sell after it: 1250.92 → 1156.39."""
    tracker = PortfolioTracker(book)
    common = {"symbol": "SP500", "quantity": quantity}
    tracker.record_trade(**common, action="buy", price=bars["2008-09-15"].open, timestamp=bars["2008-09-15"].timestamp)
    tracker.record_trade(
        **common, action="sell", price=bars["2008-09-17"].close, timestamp=bars["2008-09-17"].timestamp
    )


def test_a_drawdown_halts_all_books(book, service, config, bars) -> None:
    import friren

    loss = 10 * (bars["2008-09-15"].open - bars["2008-09-17"].close)
    RiskConfig.objects.update(max_drawdown_amount=loss)
    elsewhere = TradeIdeaService(friren.open_account("elsewhere"))
    other = elsewhere.propose(**LONG)
    approved = service.propose(**LONG)
    assert service.evaluate(approved).status == "auto_executed"
    idea = service.propose(**LONG)
    lose(book, bars)
    checked = service.evaluate(idea, timestamp=bars["2008-09-17"].timestamp)

    assert (checked.status, checked.breaches) == ("halted_by_risk", ("max_drawdown_amount",))
    assert status_of(other) == "halted_by_risk"
    assert RiskConfig.load().last_halt_reason.startswith("max_drawdown_amount: ")
    with pytest.raises(InvalidTransitionError, match="trading is halted"):
        service.execute(approved)


def test_a_drawdown_that_comes_between_approval_and_order_halts_the_order(book, service, config, bars) -> None:
    RiskConfig.objects.update(max_drawdown_amount=Decimal(500))
    idea = service.propose(**LONG)
    assert service.evaluate(idea).status == "auto_executed"
    lose(book, bars)

    with pytest.raises(InvalidTransitionError, match="max_drawdown_amount"):
        service.execute(idea)
    assert RiskConfig.load().ai_trading_enabled is False
    assert Order.objects.count() == 0


def test_a_drawdown_is_measured_from_the_highest_snapshot(book, service, config, bars) -> None:
    tracker, snapshots = PortfolioTracker(book), PortfolioSnapshotter(book)
    RiskConfig.objects.update(max_drawdown_amount=Decimal(400))
    tracker.record_trade(symbol="SP500", action="buy", quantity=10, price=1200, timestamp=FRIDAY)
    tracker.mark_to_market({"SP500": 1250}, FRIDAY)
    assert snapshots.snapshot(FRIDAY).outcome is WriteOutcome.STORED
    tracker.mark_to_market({"SP500": Decimal("1210.01")}, FRIDAY + dt.timedelta(minutes=1))
    assert service.evaluate(service.propose(**LONG)).status == "auto_executed"
    tracker.mark_to_market({"SP500": 1210}, FRIDAY + dt.timedelta(minutes=2))

    assert service.evaluate(service.propose(**LONG)).breaches == ("max_drawdown_amount",)


def test_a_profit_target_ends_the_day_and_only_that_day(book, service, config, bars) -> None:
    RiskConfig.objects.update(daily_profit_target=Decimal(100), stop_after_target=True)
    tracker, day = PortfolioTracker(book), bars["2008-09-19"].timestamp
    trade = {"symbol": "SP500", "quantity": 1, "timestamp": day}
    tracker.record_trade(**trade, action="buy", price=1150)
    tracker.record_trade(**trade, action="sell", price=1250, commission=Decimal("0.01"))
    idea = service.propose(**LONG)
    assert service.evaluate(idea, timestamp=day + dt.timedelta(hours=20)).status == "auto_executed"  # 99.99
    tracker.record_trade(**trade, action="buy", price=1150)
    tracker.record_trade(**trade, action="sell", price=Decimal("1150.01"))

    tomorrow = service.propose(**LONG)
    assert service.evaluate(tomorrow, timestamp=day + dt.timedelta(days=1)).status == "auto_executed"
    stopped = service.evaluate(service.propose(**LONG), timestamp=day + dt.timedelta(hours=21))
    assert (stopped.status, stopped.breaches) == ("halted_by_risk", ("daily_profit_target",))


def rejected(service, **told):
    idea = service.propose(**told)
    assert service.evaluate(idea).status == "rejected"
    return idea


def test_rejected_ideas_are_judged_once_their_horizon_is_over(service, config, bars) -> None:
    RiskConfig.objects.update(max_lot_size=1)
    long, short = rejected(service, **LONG), rejected(service, **SHORT)
    far = rejected(service, **{**LONG, "entry_price": Decimal(900), "stop_loss": Decimal(800)})
    late = rejected(service, **{**LONG, "expected_hold": "52w"})
    elsewhere = rejected(service, **{**LONG, "symbol": "UNSEEN"})
    kept = service.propose(**{**LONG, "quantity": 1})
    service.evaluate(kept)
    early = evaluate_rejected(now=FRIDAY + dt.timedelta(days=13))
    done = evaluate_rejected(now=bars["2008-12-31"].timestamp)

    assert (early.evaluated, early.pending) == (0, 5)
    assert (done.evaluated, done.pending, done.without_bars) == (3, 1, 1)
    outcome = {one.trade_idea_id: one for one in IdeaOutcome.objects.all()}
    assert outcome.keys() == {long.id, short.id, far.id}
    stopped, won, missed = outcome[long.id], outcome[short.id], outcome[far.id]
    # 15 September opened at 1250.92, fell through the entry and closed at 1192.70, through the stop.
    assert (stopped.entry_price, stopped.exit_price, stopped.exit_reason) == (1250, 1200, "STOP")
    assert (stopped.entered_at, stopped.exited_at) == (bars["2008-09-15"].timestamp,) * 2
    assert (stopped.pnl_per_unit, stopped.pnl) == (-50, -100)
    assert (won.entry_price, won.exit_price, won.exit_reason, won.pnl) == (1250, 1150, "TARGET", 200)
    assert won.exited_at == bars["2008-09-18"].timestamp  # the first low below 1150
    assert (missed.reached, missed.entry_price, missed.pnl) == (False, None, None)
    after = bars["2008-09-29"]  # the first session after two weeks, which ended on a Friday evening
    assert (stopped.due_at, stopped.price_after, stopped.price_after_at) == (
        FRIDAY + dt.timedelta(weeks=2), after.close, after.timestamp,
    )  # fmt: skip
    assert not {late.id, elsewhere.id, kept.id} & outcome.keys()
    assert evaluate_rejected(now=bars["2008-12-31"].timestamp).evaluated == 0
    assert IdeaOutcome.objects.count() == 3


def test_the_command_judges_and_tells(service, config, bars, capsys) -> None:
    RiskConfig.objects.update(max_lot_size=1)
    rejected(service, **{**SHORT, "expected_hold": None})

    call_command("evaluate_rejected", "--days", "14", "--json")
    assert '"evaluated": 1, "pending": 0, "without_bars": 0' in capsys.readouterr().out
    assert IdeaOutcome.objects.get().exit_reason == "TARGET"


def test_ideas_and_decisions_are_read_by_what_they_are_about(book, service, config) -> None:
    strategy = StrategyFactory(allowed_symbols=[])
    first = service.propose(**LONG, strategy=strategy)
    second = service.propose(**{**SHORT, "symbol": "NASDAQ", "timestamp": FRIDAY + dt.timedelta(days=1)})
    service.evaluate(first)
    decisions = DecisionLogger(book)
    decisions.log_decision(action="ai_halted", timestamp=FRIDAY, symbol="SP500", rationale="a note", idea=first)

    assert [row.id for row in service.get_active_ideas()] == [second.id]
    assert [row.id for row in service.get_idea_history()] == [second.id, first.id]
    assert [row.id for row in service.get_idea_history("SP500", status="AUTO_EXECUTED")] == [first.id]
    assert len(decisions.get_decision_history()) == 4
    assert [row.action for row in decisions.get_decision_history("NASDAQ")] == ["ai_proposed"]
    assert len(decisions.get_decision_history(idea=first)) == 3
    assert [row.action for row in decisions.get_decision_history(strategy=strategy)] == [
        "ai_auto_executed", "ai_proposed",
    ]  # fmt: skip
    assert [row.rationale for row in decisions.get_decision_history(action="ai_halted")] == ["a note"]
    assert decisions.get_decision_history(start=FRIDAY + dt.timedelta(days=2)) != []  # evaluated today
    assert status_of(first) == "auto_executed"
    assert RiskConfig.load().ai_trading_enabled is True
    assert DecisionHistory.objects.by_action() == {"ai_auto_executed": 1, "ai_halted": 1, "ai_proposed": 2}
    assert DecisionHistory.objects.moves().count() == 3


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"entry_price": None}, "entry_price"),
        ({"stop_loss": Decimal(1400)}, "stop_loss"),
        ({"entry_range": (Decimal(2), Decimal(1))}, "entry_range"),
        ({"entry_range": (Decimal(2), None)}, "entry_range[1]"),
        ({"entry_range": [1.5, 2.5]}, "entry_range[0]"),
        ({"direction": "sideways"}, "direction"),
        ({"confidence_score": 1.01}, "confidence_score"),
        ({"quantity": 0}, "quantity"),
        ({"timestamp": FRIDAY.replace(tzinfo=None)}, "timestamp"),
        ({"seen": {"candle": []}}, "candle"),
        ({"seen": {"candles": {}, "news": "none"}}, "seen.news"),
    ],
)
def test_what_is_wrong_with_a_proposal_is_named_and_nothing_stored(service, wrong, field) -> None:
    with pytest.raises(RejectedRecordError) as caught:
        service.propose(**{**LONG, **wrong})

    assert caught.value.field == field
    assert TradeIdea.objects.count() == DecisionHistory.objects.count() == AccountSnapshot.objects.count() == 0


def test_an_entry_range_is_kept_exactly(service) -> None:
    told = (Decimal("1240.10"), Decimal("1250.123456789012345678"))
    idea = service.propose(**{**LONG, "entry_price": None, "entry_range": told})

    assert TradeIdea.objects.get(pk=idea.id).entry_range == {"low": "1240.1", "high": "1250.123456789012345678"}

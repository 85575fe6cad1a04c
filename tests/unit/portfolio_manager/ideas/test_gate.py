"""The risk gate of ideas: every breach is named, and the gravest decides."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from portfolio_manager.ideas.gate import RULES, Limits, Proposal, Severity, Standing, check_idea

LIMITS = Limits(
    ai_trading_enabled=True,
    min_confidence_threshold=Decimal("0.7"),
    max_lot_size=Decimal(10),
    max_concurrent_trades=Decimal(3),
    daily_profit_target=Decimal(500),
    max_drawdown_amount=Decimal(1000),
    watchlist=frozenset({"AAPL", "MSFT"}),
    rr_expectation=Decimal(2),
)
IDEA = Proposal(
    symbol="AAPL", direction="long", confidence=Decimal("0.8"), quantity=Decimal(10), entry=Decimal(100),
    stop_loss=Decimal(95), take_profit=Decimal(110),
)  # fmt: skip
CALM = Standing()
# What breaks each rule by a hair.
BREAKS = {
    "ai_trading_enabled": (IDEA, CALM, replace(LIMITS, ai_trading_enabled=False)),
    "max_drawdown_amount": (IDEA, Standing(drawdown=Decimal(1000)), LIMITS),
    "daily_profit_target": (IDEA, Standing(day_profit=Decimal(500)), LIMITS),
    "strategy_active": (IDEA, CALM, replace(LIMITS, strategy_active=False)),
    "max_lot_size": (replace(IDEA, quantity=Decimal("10.01")), CALM, LIMITS),
    "max_concurrent_trades": (IDEA, Standing(open_trades=3), LIMITS),
    "min_confidence_threshold": (replace(IDEA, confidence=Decimal("0.6999")), CALM, LIMITS),
    "watchlist": (replace(IDEA, symbol="TSLA"), CALM, LIMITS),
    "rr_expectation": (replace(IDEA, take_profit=Decimal("109.99")), CALM, LIMITS),
}
STATUS = {Severity.HALT: "halted_by_risk", Severity.REJECT: "rejected", Severity.ESCALATE: "needs_approval"}


def test_an_idea_within_a_hair_of_every_limit_passes() -> None:
    close = Standing(open_trades=2, drawdown=Decimal("999.99"), day_profit=Decimal("499.99"))
    result = check_idea(IDEA, close, LIMITS)

    assert result.breaches == ()
    assert (result.status, result.action, result.reason) == ("auto_executed", "ai_auto_executed", "all checks passed")
    assert result.as_json()["passed"] is True
    assert result.as_json()["checked"] == list(RULES)


def test_there_is_a_case_for_every_rule() -> None:
    assert BREAKS.keys() == RULES.keys()


@pytest.mark.parametrize("rule", RULES)
def test_a_breach_is_named_alone_and_leads_where_its_rule_says(rule) -> None:
    result = check_idea(*BREAKS[rule])

    assert [breach.rule for breach in result.breaches] == [rule]
    assert result.status == STATUS[RULES[rule]]
    told = result.as_json()
    assert [one["rule"] for one in told["breaches"]] == [rule]
    assert told["escalated"] == ([rule] if RULES[rule] is Severity.ESCALATE else [])
    assert result.reason.startswith(f"{rule}: ")


def test_all_breaches_are_named_in_order_and_the_gravest_decides() -> None:
    worst = replace(IDEA, quantity=Decimal(11), confidence=Decimal("0.1"), symbol="TSLA", take_profit=Decimal(101))
    fallen = Standing(open_trades=9, drawdown=Decimal(2000), day_profit=Decimal(900))
    closed = replace(LIMITS, ai_trading_enabled=False, strategy_active=False)

    assert [breach.rule for breach in check_idea(worst, fallen, closed).breaches] == list(RULES)
    assert check_idea(worst, fallen, closed).status == "halted_by_risk"
    assert check_idea(worst, Standing(open_trades=9), LIMITS).status == "rejected"


def test_a_short_idea_has_its_reward_below_and_its_risk_above() -> None:
    short = replace(IDEA, direction="short", stop_loss=Decimal(105), take_profit=Decimal(90))

    assert short.reward_risk == 2
    assert check_idea(short, CALM, LIMITS).breaches == ()


@pytest.mark.parametrize("lacking", ["entry", "stop_loss", "take_profit"])
def test_what_is_not_told_of_an_idea_breaks_no_expectation(lacking) -> None:
    assert check_idea(replace(IDEA, **{lacking: None}), CALM, LIMITS).breaches == ()


def test_limits_that_are_not_set_stop_nothing() -> None:
    none = replace(LIMITS, daily_profit_target=None, max_drawdown_amount=None, watchlist=(), rr_expectation=None)
    rich = Standing(drawdown=Decimal(10**9), day_profit=Decimal(10**9))

    assert check_idea(replace(IDEA, symbol="TSLA", take_profit=Decimal(101), quantity=None), rich, none).breaches == ()

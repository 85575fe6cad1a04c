"""How strategies are configured: what a condition means, when a session is open, and what is refused with reasons."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from portfolio_manager.models import Strategy
from portfolio_manager.models.conditions import in_session, parse_condition, problems_of
from portfolio_manager.strategy_ideas import advise

D = Decimal
KNOWN = {"close": D(100), "rsi_14": D(25), "sma_200": D(90), "sma_50": None, "atr": D(3)}
MONDAY = dt.datetime(2024, 1, 8, 15, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("rsi_14 < 30", True), ("rsi_14<25", False), ("rsi_14 <= 25", True), ("close > sma_200", True),
        ("sma_200 >= close", False), ("close > -1.5", True), ("close > sma_50", None), ("volume > 1", None),
    ],
)  # fmt: skip
def test_a_condition_holds_or_not_or_is_not_known(text: str, holds: bool | None) -> None:
    assert parse_condition(text).holds(KNOWN) is holds


@pytest.mark.parametrize(
    "text", ["", "rsi < 30", "rsi_14 = 30", "rsi_14 < nan", "close > price", "30 > rsi_14", 5, "a"]
)
def test_what_is_no_condition_is_not_taken_for_one(text) -> None:
    assert parse_condition(text) is None


NEW_YORK = {"days": ["Mon"], "start": "09:30", "end": "16:00", "timezone": "America/New_York"}
OVERNIGHT = {"days": ["Sun"], "start": "22:00", "end": "06:00"}


@pytest.mark.parametrize(
    ("windows", "moment", "is_open"),
    [
        ([], MONDAY, True),
        ([NEW_YORK], MONDAY, True),
        ([NEW_YORK], MONDAY.replace(hour=14, minute=29), False),
        ([NEW_YORK], MONDAY.replace(hour=21), False),
        ([NEW_YORK], MONDAY + dt.timedelta(days=1), False),
        ([NEW_YORK, {"days": ["Tue"]}], MONDAY + dt.timedelta(days=1), True),
        ([OVERNIGHT], MONDAY.replace(hour=5), True),
        ([OVERNIGHT], MONDAY.replace(hour=23), False),
        ([OVERNIGHT], MONDAY - dt.timedelta(hours=16.5), True),
    ],
)
def test_a_session_is_open_by_the_clock_of_its_place(windows, moment, is_open: bool) -> None:
    assert in_session(windows, moment) is is_open


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("entry_conditions", [], "a JSON object"),
        ("entry_conditions", {"when": "rsi_14 < 30"}, "when is a list"),
        ("entry_conditions", {"when": ["rsi < 30"]}, "'rsi < 30': write one of open"),
        ("entry_conditions", {"direction": "up"}, "long or short"),
        ("entry_conditions", {"confidence": 70}, "from 0 to 1"),
        ("forbidden_conditions", {"when": [1]}, "1: write one of"),
        ("exit_rules", {"stop_atr": 0}, "stop_atr is a number"),
        ("exit_rules", {"target_atr": "far"}, "target_atr is a number"),
        ("session_windows", {}, "a list of windows"),
        ("session_windows", [{"day": "Mon"}], "a window has days, end, start, timezone"),
        ("session_windows", [{"days": ["Monday"]}], "days are Mon"),
        ("session_windows", [{"start": "9:30"}], "as 09:30"),
        ("session_windows", [{"timezone": "Mars/Olympus"}], "no time zone Mars/Olympus"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(column: str, value, told: str) -> None:
    assert told in problems_of(column, value)


@pytest.mark.parametrize(
    ("column", "value"),
    [("entry_conditions", {"pattern": "engulfing", "when": []}), ("exit_rules", {"trail": True}),
     ("session_windows", [NEW_YORK, OVERNIGHT]), ("risk_caps", {"anything": 1})],
)  # fmt: skip
def test_what_belongs_to_other_systems_is_left_alone(column: str, value) -> None:
    assert problems_of(column, value) == ""


def strategy(**more) -> Strategy:
    told = {"entry_conditions": {"when": ["rsi_14 < 30"], "confidence": 0.8}} | more
    return Strategy(name="dip", **told)


def test_a_strategy_proposes_where_everything_holds_and_nothing_forbids() -> None:
    found = advise(strategy(exit_rules={"stop_atr": 2, "target_atr": "4", "hold": "5d"}), KNOWN, at=MONDAY)

    assert (found.wanted, found.direction, found.confidence, found.why) == (True, "long", D("0.8"), "rsi_14 < 30")
    assert (found.stop_loss, found.take_profit, found.expected_hold) == (94, 112, "5d")
    short = strategy(entry_conditions={"when": ["close > 1"], "direction": "short"}, exit_rules={"stop_atr": 1})
    assert (advise(short, KNOWN, at=MONDAY).stop_loss, advise(short, KNOWN, at=MONDAY).confidence) == (103, 1)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"entry_conditions": {"when": ["rsi_14 < 20"]}}, "rsi_14 < 20 does not hold"),
        ({"entry_conditions": {"when": ["close > sma_50"]}}, "close > sma_50 does not hold"),
        ({"entry_conditions": {"pattern": "x"}}, "it has no entry_conditions"),
        ({"forbidden_conditions": {"when": ["atr > 2"]}}, "forbidden: atr > 2"),
        ({"forbidden_conditions": {"when": ["sma_50 > 2"]}}, "forbidden: sma_50 > 2"),
        ({"session_windows": [{"days": ["Sat"]}]}, "outside its sessions"),
    ],
)
def test_else_it_says_what_stands_against_it(more, why: str) -> None:
    found = advise(strategy(**more), KNOWN, at=MONDAY)

    assert not found.wanted
    assert found.why.startswith(why)

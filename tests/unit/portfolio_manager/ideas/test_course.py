"""What would have come of a proposal: followed bar by bar, with the doubt always against it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio_manager.ideas.counterfactuals import Course, follow, hold_of

MONDAY = dt.datetime(2024, 1, 8, tzinfo=dt.UTC)
LONG = {"direction": "long", "low": Decimal(100), "high": Decimal(100), "stop_loss": Decimal(95),
        "take_profit": Decimal(110)}  # fmt: skip
SHORT = {**LONG, "direction": "short", "stop_loss": Decimal(105), "take_profit": Decimal(90)}


def bars(*rows: str) -> list[SimpleNamespace]:
    """Bars of "open high low close", a day each."""
    return [
        SimpleNamespace(
            timestamp=MONDAY + dt.timedelta(days=day),
            **dict(zip(("open", "high", "low", "close"), map(Decimal, row.split()), strict=True)),
        )
        for day, row in enumerate(rows)
    ]


def told(course: Course) -> tuple[object, ...]:
    return course.entry_price, course.exit_price, course.exit_reason


@pytest.mark.parametrize(
    ("proposal", "rows", "expected"),
    [
        (LONG, ["105 106 101 102"], (None, None, "")),  # never came down to the entry
        (LONG, ["101 102 99 100", "100 111 99 108"], (100, 110, "TARGET")),
        (LONG, ["101 102 99 100", "100 101 94 96"], (100, 95, "STOP")),
        (LONG, ["101 102 99 100", "100 111 94 96"], (100, 95, "STOP")),  # both: the worse is believed
        (LONG, ["101 102 99 100", "92 93 91 92"], (100, 92, "STOP")),  # opened below the stop
        (LONG, ["101 102 99 100", "112 113 111 112"], (100, 112, "TARGET")),  # opened above the target
        (LONG, ["101 111 99 100", "100 101 99 100"], (100, 100, "TIMEOUT")),  # the entry's own bar proves no target
        (LONG, ["101 111 94 100"], (100, 95, "STOP")),  # but a stop
        (LONG, ["101 102 99 101", "101 103 100 102"], (100, 102, "TIMEOUT")),
        (SHORT, ["99 101 98 99", "99 100 89 91"], (100, 90, "TARGET")),
        (SHORT, ["99 101 98 99", "99 106 98 99"], (100, 105, "STOP")),
        (SHORT, ["99 101 98 99", "107 108 106 107"], (100, 107, "STOP")),
        (SHORT, ["99 101 98 99", "88 89 87 88"], (100, 88, "TARGET")),
        ({**LONG, "low": Decimal(98)}, ["99 101 97 99", "99 100 98 99"], (99, 99, "TIMEOUT")),
        ({**LONG, "stop_loss": None, "take_profit": None}, ["100 101 1 100", "100 999 1 50"], (100, 50, "TIMEOUT")),
    ],
)
def test_course(proposal, rows, expected) -> None:
    assert told(follow(bars(*rows), **proposal)) == expected


prices = st.integers(80, 120).map(Decimal)


@given(st.lists(st.tuples(prices, prices, prices, prices), min_size=1, max_size=8), st.sampled_from([LONG, SHORT]))
def test_bars_behind_the_exit_change_nothing(rows, proposal) -> None:
    series = [
        SimpleNamespace(timestamp=MONDAY + dt.timedelta(days=day), open=row[0], close=row[1], low=min(row),
                        high=max(row))
        for day, row in enumerate(rows)
    ]  # fmt: skip
    whole = follow(series, **proposal)

    if whole.exit_reason in {"STOP", "TARGET"}:
        ended = [bar for bar in series if bar.timestamp <= whole.exited_at]
        assert follow(ended, **proposal) == whole
    if whole.entry_price is not None:
        assert whole.entered_at <= whole.exited_at


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("5d", dt.timedelta(days=5)),
        ("4 hours", dt.timedelta(hours=4)),
        ("2w", dt.timedelta(weeks=2)),
        ("90 min", dt.timedelta(minutes=90)),
        ("P3D", dt.timedelta(days=3)),
        ("PT4H", dt.timedelta(hours=4)),
        ("until the Fed speaks", None),
        ("", None),
        ("0d", None),
        ("-P3D", None),
    ],
)
def test_an_expected_hold_is_read_where_it_is_a_span(text, span) -> None:
    assert hold_of(text) == span

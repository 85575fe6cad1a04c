"""The door of the engine adapters, without a database and without an engine."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from pathlib import Path

import pytest

from friren.errors import RejectedRecordError
from trading_engine.backtesting.adapters import RunHook, from_backtesting, from_bt, from_vectorbt, from_zipline
from trading_engine.backtesting.adapters.engine_run import FillBook
from trading_engine.backtesting.adapters.values import Clock, exact, plain_parameters
from trading_engine.data.splits import ratio_of_split

ROOT = Path(__file__).resolve().parents[4]
IMPORTED = re.compile(r"^\s*(?:import|from)\s+(?:backtesting|backtrader|bt|pyfolio|vectorbt|zipline)\b", re.MULTILINE)
NOON = dt.datetime(2024, 1, 2, 12, tzinfo=dt.UTC)


def test_no_engine_is_imported_by_friren() -> None:
    modules = [
        path for name in ("friren", "trading_engine", "portfolio_manager") for path in (ROOT / name).rglob("*.py")
    ]

    assert len(modules) > 400
    assert IMPORTED.search("    from backtesting.lib import crossover")
    assert not IMPORTED.search("from trading_engine.backtesting import loop")
    assert [str(path) for path in modules if IMPORTED.search(path.read_text())] == []


@pytest.mark.parametrize(
    ("told", "meant"),
    [(0.1 + 0.2, "0.3"), (540.9800000000562, "540.980000000056"), (-0.0, "0"), (7, "7"), (Decimal("1.10"), "1.10")],
)
def test_floats_are_rounded_to_fifteen_digits_at_the_door(told, meant) -> None:
    assert exact(told) == Decimal(meant)
    assert not exact(told).is_signed()


@pytest.mark.parametrize("told", [float("nan"), float("inf"), None, "1.5", True])
def test_what_is_no_number_is_refused(told) -> None:
    with pytest.raises(RejectedRecordError):
        exact(told, "price")


def test_naive_stamps_are_those_of_the_zone_that_was_given() -> None:
    newyork = Clock("America/New_York")

    assert newyork(dt.datetime(2024, 1, 2, 7)) == NOON  # noqa: DTZ001 - as engines have them
    assert newyork(NOON) == NOON
    with pytest.raises(RejectedRecordError, match="did not skip"):
        newyork("2024-03-10 02:30:00")
    with pytest.raises(RejectedRecordError, match="timezone"):
        Clock("Mars/Olympus")


def test_parameters_become_plain_json() -> None:
    told = {"fast": 10, "mode": "x", "worst": float("-inf"), "when": dt.date(2024, 1, 2), 3: None}

    assert plain_parameters(told.items()) == {
        "fast": 10, "mode": "x", "worst": "-inf", "when": "2024-01-02", "3": None,
    }  # fmt: skip


def test_signed_changes_become_actions_by_what_is_held() -> None:
    book = FillBook()
    for change in (2, -1, -3, 1, 5, 0):
        book.add("AAA", Decimal(change), Decimal(10), NOON)

    assert [(fill.action, fill.quantity) for fill in book.fills] == [
        ("buy", 2), ("sell", 1), ("sell", 3), ("cover", 1), ("cover", 5),
    ]  # fmt: skip


def test_a_split_counts_in_what_is_held() -> None:
    book = FillBook()
    book.add("AAA", Decimal(100), Decimal(10), NOON)
    book.split("AAA", Decimal(7))
    for change in (-700, 1):
        book.add("AAA", Decimal(change), Decimal(2), NOON)

    assert [fill.action for fill in book.fills] == ["buy", "sell", "buy"]


@pytest.mark.parametrize(
    ("before", "after", "ratio"),
    [
        ("100", "700", "7"),
        ("20", "1", "0.05"),
        ("2", "3", "1.5"),
        ("100", "101", None),
        ("1", "3.1415", None),
        ("5", "-5", None),
        ("3", "1", None),
    ],
)
def test_a_split_is_a_ratio_of_small_numbers_that_a_decimal_can_say(before, after, ratio) -> None:
    assert ratio_of_split(Decimal(before), Decimal(after)) == (None if ratio is None else Decimal(ratio))


@pytest.mark.parametrize(
    "adapter",
    [
        lambda thing: from_backtesting(thing, symbol="AAA"),
        from_bt,
        lambda thing: from_vectorbt(thing, strategy="s"),
        lambda thing: from_zipline(thing, strategy="s"),
    ],
)
def test_what_is_no_result_of_the_engine_is_refused_by_name(adapter) -> None:
    with pytest.raises(RejectedRecordError, match="object"):
        adapter(object())


def test_moments_have_to_ascend() -> None:
    hook = RunHook("loop", starting_cash=1)
    hook.mark(NOON, {})
    hook.mark(NOON, {})

    with pytest.raises(RejectedRecordError, match="later than the one before"):
        hook.engine_run()

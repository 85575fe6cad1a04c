"""The hook for a loop of one's own."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from friren.errors import FrirenError, RejectedRecordError
from portfolio_manager.engine_runs import record_run
from portfolio_manager.models import PortfolioSnapshot, RiskMetrics
from tests import engines
from trading_engine.backtesting.adapters import RunHook

pytestmark = pytest.mark.usefixtures("database")

NOON = dt.datetime(2024, 1, 2, 12, tzinfo=dt.UTC)


def test_the_example_of_the_page_matches_the_loop_to_the_cent() -> None:
    found = engines.example("record-your-own-loop.md")
    report = found["report"]

    assert engines.same(report.final_equity, found["cash"] + found["held"] * found["close"])
    assert engines.same(engines.cash(report.account), found["cash"])
    stored = PortfolioSnapshot.objects.filter(account__name=report.account)
    assert stored.count() == report.bars == len(found["closes"]) - 1 > 400
    assert set(stored.values_list("kind", flat=True)) == {"DAILY"}
    assert RiskMetrics.objects.filter(account__name=report.account).count() == report.bars
    text = engines.read_page(engines.ROOT / "docs" / "how-to" / "record-your-own-loop.md").blocks[0].text
    assert sum("# " in line and line.rstrip()[-1].isdigit() for line in text) == 3


def loop(*, told: float) -> RunHook:
    hook = RunHook("loop", starting_cash=1_000, window=3)
    hook.fill("AAA", 2.5, 100.1, NOON, commission=0.5, reasoning="cheap")
    hook.cash("DIVIDEND", 1.25, NOON + dt.timedelta(hours=1), "a quarter")
    hook.mark(NOON, {"AAA": 101})
    hook.mark(NOON + dt.timedelta(hours=2), {"AAA": 99.5}, equity=told, cash=751.0 - 0.5 + 0.0)
    return hook


def test_a_loop_within_a_day_is_kept_moment_by_moment() -> None:
    report = record_run(loop(told=999.25).engine_run(), account="intraday")

    stored = PortfolioSnapshot.objects.filter(account__name="intraday").order_by("timestamp")
    assert [(each.kind, each.balance, each.total_value) for each in stored] == [
        ("INTRADAY", Decimal("749.25"), Decimal("1001.75")),
        ("INTRADAY", Decimal("750.5"), Decimal("999.25")),
    ]
    assert engines.fills("intraday")[0].reasoning == "cheap"
    assert engines.run_of("intraday").parameters["strategies"] == {"loop": {"window": 3}}
    assert report.final_equity == Decimal("999.25")
    with pytest.raises(RejectedRecordError, match="account"):
        record_run(loop(told=999.25).engine_run(), account="intraday")


def test_a_loop_that_reckons_wrongly_is_told_where() -> None:
    with pytest.raises(FrirenError, match=r"its equity is 999\.75, that of its fills 999\.25"):
        record_run(loop(told=999.75).engine_run(), account="wrong")

    assert engines.run_of("wrong").status == "FAILED"


@pytest.mark.parametrize(
    ("change", "price", "at", "field"),
    [
        (float("nan"), 1.0, NOON, "quantity"),
        (1.0, float("inf"), NOON, "price"),
        (1.0, "1.0", NOON, "price"),
        (1.0, 1.0, "yesterday", "timestamp"),
    ],
)
def test_what_is_no_figure_is_refused_at_the_door(change, price, at, field) -> None:
    hook = RunHook("loop", starting_cash=1_000)

    with pytest.raises(RejectedRecordError) as refused:
        hook.fill("AAA", change, price, at)

    assert refused.value.field == field


def test_a_run_without_a_moment_and_one_that_is_held_without_a_price_are_refused() -> None:
    with pytest.raises(RejectedRecordError, match="at least one moment"):
        RunHook("loop", starting_cash=1_000).engine_run()

    blind = RunHook("loop", starting_cash=1_000)
    blind.fill("AAA", 1, 10, NOON)
    blind.mark(NOON, {})
    with pytest.raises(RejectedRecordError, match="a close"):
        record_run(blind.engine_run(), account="blind")
    assert engines.run_of("blind").status == "FAILED"


def test_the_currency_is_that_of_the_symbols_or_the_one_that_is_given() -> None:
    def bought(currency: str) -> RunHook:
        hook = RunHook("loop", starting_cash=1_000, currency=currency)
        hook.fill("SAP", 1, 100, NOON)
        hook.mark(NOON, {"SAP": 101}, equity=1_001)
        return hook

    assert record_run(bought("EUR").engine_run()).currency == "EUR"
    assert record_run(bought("").engine_run()).currency == "EUR"
    with pytest.raises(RejectedRecordError, match="EUR, in which its symbols are stored"):
        record_run(bought("USD").engine_run())


def test_a_run_that_never_traded_is_one_all_the_same() -> None:
    idle = RunHook("idle", starting_cash=1_000)
    idle.mark(NOON, {}, equity=1_000, cash=1_000)

    assert record_run(idle.engine_run()).final_equity == 1_000

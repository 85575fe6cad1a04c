"""What is collected by the clock, and what strategies make of it: the S&P 500 in the autumn of 2008."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pytest
from django.core.management import call_command

import friren
from friren.errors import RejectedRecordError
from friren.operations import jobs, metrics
from friren.persistence.receipts import WriteOutcome
from portfolio_manager.collecting import calendar_of_file, collect_snapshots
from portfolio_manager.data_logger import PortfolioTracker, TradeIdeaService
from portfolio_manager.models import AccountSnapshot, DecisionHistory, RiskConfig, TradeIdea
from portfolio_manager.strategy_ideas import evaluate_strategies
from tests.factories import StrategyFactory
from trading_engine.backtesting.sample_bars import sample_series
from trading_engine.models import CalendarSnapshot, CandleSnapshot, IndicatorSnapshot, NewsSnapshot
from trading_engine.services import PriceRecorder, SentimentLogger, SnapshotLogger

pytestmark = pytest.mark.usefixtures("database")
D = Decimal
# The evening of the worst week of the S&P 500 until then.
AT = dt.datetime(2008, 10, 10, 21, tzinfo=dt.UTC)
CALENDAR = """event_time,currency,impact_level,title,previous_value,forecast_value,actual_value
2008-10-10T12:30:00+00:00,USD,medium,Trade balance,-61.3B,-59.0B,-59.1B
2008-10-15T12:30:00,USD,3,Retail sales,-0.4%,-0.7%,-1.2%
2008-12-16T19:15:00,USD,high,FOMC statement,1.00%,0.50%,0.25%
"""


@pytest.fixture
def book():
    return friren.open_account("clock", starting_cash=D(100_000))


@pytest.fixture
def bars():
    """A year of bars up to the end of October, of which what lies behind AT must not be seen."""
    first, last = dt.datetime(2007, 9, 1, tzinfo=dt.UTC), dt.datetime(2008, 10, 31, tzinfo=dt.UTC)
    found = [bar for bar in sample_series()["SP500"] if first <= bar.timestamp <= last]
    assert PriceRecorder().record_bars(found).stored == len(found)
    SentimentLogger().bulk_insert_news(
        [
            {"symbol": "SP500", "timestamp": AT - dt.timedelta(hours=hours), "news_source": "Reuters",
             "headline": headline, "sentiment_score": -0.9}
            for hours, headline in ((30, "Old news"), (3, "Worst week ever"), (-2, "Tomorrow's news"))
        ]
    )  # fmt: skip
    return {bar.timestamp.date().isoformat(): bar for bar in found}


@pytest.fixture
def events(tmp_path):
    path = tmp_path / "calendar.csv"
    path.write_text(CALENDAR)
    return calendar_of_file(path)


def dip(**more):
    told = {
        "name": "dip", "allowed_symbols": ["SP500"], "session_windows": [], "risk_caps": {}, "rr_expectation": None,
        "entry_conditions": {"when": ["rsi_14 < 30", "close < sma_200"], "confidence": 0.9},
        "exit_rules": {"stop_atr": 2, "target_atr": 4, "hold": "2w"},
    }  # fmt: skip
    return StrategyFactory(**told | more)


def collect(book, events=(), at=AT):
    return collect_snapshots(book, at=at, symbols=["SP500", "NIKKEI"], calendar=events)


def test_the_five_kinds_are_collected_as_they_were_then(book, bars, events) -> None:
    done = collect(book, events)
    again = collect(book, events)

    assert (done.candles, done.indicators, done.calendar, done.news, done.accounts) == (1, 1, 2, 1, 1)
    assert (done.without_bars, done.duplicates, done.journaled) == (("NIKKEI",), 0, 0)
    assert again.duplicates == 6
    candle, shown = CandleSnapshot.objects.get(), IndicatorSnapshot.objects.get()
    assert (candle.close, candle.captured_at) == (bars["2008-10-10"].close, AT)
    assert shown.sma_200 > shown.sma_50 > candle.close
    assert 10 < shown.rsi_14 < 30
    assert NewsSnapshot.objects.get().headline == "Worst week ever"
    # What came of an event that is to come is in the file, and was known to nobody.
    told = dict(CalendarSnapshot.objects.values_list("title", "actual_value"))
    assert told == {"Trade balance": "-59.1B", "Retail sales": None}
    assert set(CalendarSnapshot.objects.values_list("impact_level", flat=True)) == {"medium", "high"}
    assert AccountSnapshot.objects.get().balance == 100_000
    refs = {row.snapshot_ref for row in (candle, shown, NewsSnapshot.objects.get(), AccountSnapshot.objects.get())}
    assert refs == {done.snapshot_ref}


def test_a_strategy_whose_conditions_hold_proposes_and_passes_the_gate(book, bars) -> None:
    RiskConfig.load()
    RiskConfig.objects.update(ai_trading_enabled=True)
    strategy = dip()
    dip(name="never", entry_conditions={"when": ["rsi_14 > 99"]})
    dip(name="asleep", is_active=False)
    dip(name="elsewhere", allowed_symbols=["NIKKEI"])
    done = collect(book)
    found = evaluate_strategies(book, at=AT)

    assert (found.looked_at, found.proposed, found.statuses) == (2, 1, {"auto_executed": 1})
    assert found.passed_over == {
        "never, SP500": "rsi_14 > 99 does not hold", "elsewhere, NIKKEI": "nothing was collected of it lately",
    }  # fmt: skip
    idea = TradeIdea.objects.get()
    shown = IndicatorSnapshot.objects.get()
    close = bars["2008-10-10"].close
    assert (idea.strategy, idea.entry_price, idea.direction, idea.expected_hold) == (strategy, close, "long", "2w")
    assert (idea.stop_loss, idea.take_profit) == (close - 2 * shown.atr, close + 4 * shown.atr)
    assert (idea.rationale, idea.confidence_score) == ("rsi_14 < 30; close < sma_200", D("0.9"))
    seen = TradeIdeaService(book).replay(idea)
    assert (seen.snapshot_ref, len(seen.candles), len(seen.indicators)) == (done.snapshot_ref, 1, 1)
    assert [row.action for row in DecisionHistory.objects.order_by("recorded_seq")] == [
        "ai_proposed", "ai_auto_executed",
    ]  # fmt: skip


def test_what_is_under_way_or_held_is_not_proposed_again(book, bars) -> None:
    RiskConfig.load()
    RiskConfig.objects.update(ai_trading_enabled=True)
    dip()
    collect(book)
    ideas = TradeIdeaService(book)
    evaluate_strategies(book, at=AT)
    assert evaluate_strategies(book, at=AT).passed_over == {
        "dip, SP500": "it was proposed already on what was seen",
    }  # fmt: skip
    later = AT + dt.timedelta(minutes=5)
    collect(book, at=later)
    assert evaluate_strategies(book, at=later).passed_over == {"dip, SP500": "an idea of it is under way"}
    idea = TradeIdea.objects.get()
    order = ideas.execute(idea, quantity=1, timestamp=AT)
    fill = PortfolioTracker(book).record_trade(
        symbol="SP500", action="buy", quantity=1, price=bars["2008-10-10"].close, timestamp=AT, order=order.id,
        strategy_used="dip",
    )  # fmt: skip
    assert ideas.mark_filled(idea, fill).outcome is WriteOutcome.STORED
    assert evaluate_strategies(book, at=later).passed_over == {"dip, SP500": "it is held"}
    assert evaluate_strategies(book, at=AT + dt.timedelta(days=9)).passed_over == {
        "dip, SP500": "nothing was collected of it lately",
    }  # fmt: skip


def test_while_trading_is_halted_what_is_proposed_waits_for_the_end_of_it(book, bars) -> None:
    dip()
    collect(book)

    assert evaluate_strategies(book, at=AT).statuses == {"halted_by_risk": 1}


def test_both_commands_run_by_the_clock_and_do_nothing_for_nobody(bars, capsys) -> None:
    found = {name: one.command for name, one in jobs.registered().items() if name in {"snapshots", "strategies"}}
    assert found == {"snapshots": ("collect_snapshots",), "strategies": ("evaluate_strategies",)}

    for name in ("collect_snapshots", "evaluate_strategies"):
        call_command(name, "--json")
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == {"symbols": 0, "collected": []}
    assert (second["accounts"][0]["looked_at"], second["accounts"][0]["proposed"]) == (0, 0)
    assert AccountSnapshot.objects.count() == 0
    dip()
    for name in ("collect_snapshots", "evaluate_strategies"):
        call_command(name, "--json")
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["symbols"], first["collected"][0]["candles"], first["collected"][0]["accounts"]) == (1, 1, 1)
    assert second["accounts"][0]["looked_at"] == 1
    # The candle, its indicators and the account; one more is of another day.
    SnapshotLogger().log_candle(symbol="SP500", timeframe="1d", open=1, high=1, low=1, close=1, captured_at=AT)
    assert metrics.collect().throughput["snapshot_per_hour"] == 3


def test_the_calendar_of_trading_economics_is_read(shared_data) -> None:
    found = calendar_of_file(shared_data / "calendar/tradingeconomics_sample.csv")

    assert len(found) == 36
    assert [sum(one.impact_level == level for one in found) for level in ("medium", "high")] == [24, 12]
    assert min(one.event_time for one in found) == dt.datetime(2017, 1, 13, 2, tzinfo=dt.UTC)


def test_a_line_that_is_no_event_is_named(tmp_path) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text("event_time,title\nsoon,FOMC\n")

    with pytest.raises(RejectedRecordError, match="line 2"):
        calendar_of_file(path)

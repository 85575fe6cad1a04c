"""`manage.py demo`: the main job on real bars, again and again without touching what was there."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from importlib import util

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Model

from friren.core.models import Account, User
from portfolio_manager.models import LedgerEntry, Position, PositionFill, RiskMetrics
from trading_engine.models import (
    BacktestResult,
    BacktestRun,
    MarketRegime,
    Order,
    OrderStatusEvent,
    Price,
    RegimeHistory,
    Signal,
    Trade,
)

pytestmark = [pytest.mark.usefixtures("database"), pytest.mark.slow]

TABLES: tuple[type[Model], ...] = (
    Price, Signal, Order, OrderStatusEvent, Trade, RegimeHistory, MarketRegime, Position, PositionFill, LedgerEntry,
    RiskMetrics, BacktestRun, BacktestResult,
)  # fmt: skip


def demo():
    screen = io.StringIO()
    call_command("demo", "--json", stdout=screen)
    return json.loads(screen.getvalue())


def contents():
    return {table: {row["id"]: row for row in table.objects.values()} for table in TABLES}


def test_runs_twice_and_the_second_run_changes_no_old_row(capsys):
    pytest.importorskip("arch", reason="the sample bars come with arch, the extra friren[demo]")
    first = demo()
    said = capsys.readouterr().err
    before = contents()
    second = demo()

    assert first.keys() >= {
        "account", "bars", "signals", "trades", "regimes", "risk_days", "final_equity", "total_return",
        "sharpe_ratio", "max_drawdown", "seconds",
    }  # fmt: skip
    assert first["bars"] == Price.objects.count() == 10_062
    assert first["risk_days"] == RiskMetrics.objects.count() // 2 == 5_031
    assert second["account"] != first["account"]
    assert {name for name in first if first[name] != second[name]} <= {"run_id", "account", "seconds"}
    after = contents()
    for table, rows in before.items():
        assert {key: after[table][key] for key in rows} == rows, table
    assert "password (shown once): " in said
    assert "password" not in capsys.readouterr().err
    assert User.objects.filter(is_staff=True).count() == 1
    check_the_figures(first)


def check_the_figures(figures):
    """What was reported is what is stored, and trades happened in several regimes and by all strategies."""
    account = Account.objects.get(name=figures["account"])
    trades = Trade.objects.filter(account=account)
    assert figures["trades"] == trades.count()
    assert set(trades.values_list("strategy_used", flat=True)) == {"donchian_breakout", "mean_reversion", "sma_cross"}
    assert set(trades.values_list("symbol__ticker", flat=True)) == {"NASDAQ", "SP500"}
    assert {"BULL", "BEAR", "CRISIS", "SIDEWAYS"} <= set(trades.values_list("regime_at_entry", flat=True))
    assert figures["regimes"] == RegimeHistory.objects.filter(account=account).count()
    ledger = sum(LedgerEntry.objects.filter(account=account).values_list("amount", flat=True))
    last = dict(Price.objects.filter(timestamp="2018-12-31T00:00Z").values_list("symbol__ticker", "close"))
    held = Position.objects.filter(account=account, status="open").values_list("symbol__ticker", "quantity")
    assert Decimal(figures["final_equity"]) == ledger + sum(quantity * last[ticker] for ticker, quantity in held)


def test_without_arch_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(util, "find_spec", lambda name: None)

    with pytest.raises(CommandError, match=r"install the extra friren\[demo\]") as error:
        demo()
    assert "\n" not in str(error.value)
    assert not Account.objects.filter(environment="BACKTEST").exists()

"""Blueprint's CSV settings, of exactly the documented shape, into strategies and the risk configuration."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal

import pytest
from django.db import connections

from friren.core.models import AuditLog
from portfolio_manager.models import DecisionHistory, RiskConfig, Strategy
from trading_engine.management.commands.import_data import Command

pytestmark = pytest.mark.usefixtures("database")
STRATEGY = {
    "id": "6f6a3ac3-8b0f-4a43-9a1c-9d0e54a4b5f1",
    "name": "London breakout",
    "is_active": "True",
    "allowed_symbols": '["EURUSD", "GBPUSD"]',
    "session_windows": '[{"days": ["Mon"], "start": "08:00", "end": "11:00", "timezone": "Europe/London"}]',
    "entry_conditions": '{"rsi_14": {"below": 30}}',
    "exit_rules": '{"atr_multiple": 1.5}',
    "forbidden_conditions": "{}",
    "risk_caps": '{"max_lot_size": "0.5", "max_concurrent_trades": 2}',
    "rr_expectation": "2.5",
}
RISK = {
    "ai_trading_enabled": "true", "min_confidence_threshold": "0.75", "max_lot_size": "0.10",
    "max_concurrent_trades": "3", "daily_profit_target": "250.00", "stop_after_target": "true",
    "max_drawdown_amount": "500", "halt_on_drawdown": "true", "allow_off_watchlist_autotrade": "false",
    "last_halt_reason": "",
}  # fmt: skip


def write(folder, **files):
    for name, rows in files.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return folder


def run(folder, *arguments):
    command = Command(stdout=(stdout := io.StringIO()), stderr=io.StringIO(), no_color=True)
    code = 0
    try:
        command.run_from_argv(["manage.py", "import_data", "--source", "blueprint", str(folder), *arguments, "--json"])
    except SystemExit as exit_:
        code = int(exit_.code)
    finally:
        connections.close_all()
    return code, json.loads(stdout.getvalue())


def test_settings_are_imported_once(tmp_path):
    folder = write(
        tmp_path, strategies=[STRATEGY], risk_config=[RISK], api_integrations=[{"name": "x", "key": "secret"}]
    )

    code, report = run(folder)

    assert (code, report["imported"], report["rejected"], report["conflicts"]) == (0, 2, 0, 0)
    strategy = Strategy.objects.get()
    assert str(strategy.pk) == STRATEGY["id"]
    assert (strategy.allowed_symbols, strategy.rr_expectation) == (["EURUSD", "GBPUSD"], Decimal("2.5"))
    assert strategy.exit_rules == {"atr_multiple": 1.5}
    assert strategy.cap("max_lot_size") == Decimal("0.5")
    config = RiskConfig.objects.get()
    assert (config.max_lot_size, config.max_concurrent_trades) == (Decimal("0.1"), 3)
    assert (config.daily_profit_target, config.stop_after_target) == (250, True)
    assert [row["rule"] for row in report["skipped"]] == ["a setting of Blueprint's own program: not imported"]
    assert set(AuditLog.objects.values_list("action", "source")) == {
        ("CREATE", "import_data"),
        ("CONFIG_CHANGE", "import_data"),
    }
    audited = AuditLog.objects.count()
    code, report = run(folder)
    assert (code, report["imported"], report["duplicates"], report["conflicts"]) == (0, 0, 2, 0)
    assert AuditLog.objects.count() == audited


def test_an_import_never_switches_trading_on(tmp_path):
    _code, report = run(write(tmp_path, risk_config=[RISK]))

    assert RiskConfig.objects.get().ai_trading_enabled is False
    assert [(row["field"], row["value"]) for row in report["changed_rows"]] == [("ai_trading_enabled", "true")]
    assert not DecisionHistory.objects.exists()


def test_a_broken_record_is_named_with_its_line_and_the_rest_imported(tmp_path):
    rows = [
        STRATEGY,
        {**STRATEGY, "id": "", "name": "broken", "exit_rules": "{not json"},
        {**STRATEGY, "id": "", "name": "bad caps", "risk_caps": '{"max_lot_size": -1}'},
        {**STRATEGY, "id": "", "name": "by name alone", "allowed_symbols": "{AAPL,MSFT}"},
    ]

    code, report = run(write(tmp_path, strategies=rows))

    assert (code, report["imported"], report["rejected"]) == (0, 2, 2)
    assert [(row["line"], row["field"]) for row in report["rejected_rows"]] == [(3, "exit_rules"), (4, "risk_caps")]
    assert Strategy.objects.get(name="by name alone").allowed_symbols == ["AAPL", "MSFT"]
    assert run(tmp_path)[1]["duplicates"] == 2


def test_what_people_have_changed_here_stays(tmp_path):
    folder = write(tmp_path, strategies=[STRATEGY], risk_config=[RISK])
    run(folder)
    Strategy.objects.update(is_active=False)
    RiskConfig.objects.update(max_concurrent_trades=1)

    _code, report = run(folder)

    assert (report["imported"], report["conflicts"]) == (0, 2)
    told = {name: one for row in report["conflict_rows"] for name, one in row["fields"].items()}
    assert told == {
        "is_active": {"stored": "False", "told": "True"},
        "max_concurrent_trades": {"stored": "1", "told": "3"},
    }
    assert RiskConfig.objects.get().max_concurrent_trades == 1


def test_a_percentage_of_confidence_is_a_share(tmp_path):
    _code, report = run(
        write(tmp_path, risk_config=[{**RISK, "ai_trading_enabled": "no", "min_confidence_threshold": "75"}])
    )

    assert RiskConfig.objects.get().min_confidence_threshold == Decimal("0.75")
    assert "percentage" in report["changed_rows"][0]["rule"]


def test_a_dry_run_stores_nothing_and_other_folders_are_refused(tmp_path):
    folder = write(tmp_path, strategies=[STRATEGY])
    code, report = run(folder, "--dry-run")
    assert (code, report["imported"], Strategy.objects.count()) == (0, 1, 0)

    (tmp_path / "strategies.csv").unlink()
    assert run(tmp_path)[0] == 1

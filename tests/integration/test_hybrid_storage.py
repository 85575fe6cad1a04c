"""Blueprint's list of what to try by hand, tried: from CSV settings to the database, both ways written, and back."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from friren.core.models import AuditLog
from friren.errors import RejectedRecordError
from portfolio_manager.models import RiskConfig, Strategy
from portfolio_manager.settings_storage import SettingsFiles, SettingsRows, settings_storage
from tests.outages import alias_for
from tests.servers import throw_away_server
from trading_engine.data.importers.parsed import UnreadableFileError
from trading_engine.data.storage import HybridStorage, Side, Written, storage_mode

D = Decimal
BLUEPRINT = {"USE_POSTGRES": "true", "DUAL_WRITE": "true"}
CONFIG = {
    "ai_trading_enabled": False,
    "min_confidence_threshold": D("0.65"),
    "max_lot_size": D("2.5"),
    "max_concurrent_trades": 3,
    "daily_profit_target": D("500.01"),
    "stop_after_target": True,
    "max_drawdown_amount": None,
    "halt_on_drawdown": True,
    "allow_off_watchlist_autotrade": False,
    "last_halt_reason": None,
}
BREAKOUT = {
    "name": "breakout",
    "is_active": True,
    "allowed_symbols": ["AAPL", "MSFT"],
    "session_windows": [{"days": ["Mon"], "start": "09:30", "end": "16:00", "timezone": "UTC"}],
    "entry_conditions": {},
    "exit_rules": {},
    "forbidden_conditions": {},
    "risk_caps": {"max_lot_size": "1"},
    "rr_expectation": D("1.5"),
}


@pytest.fixture
def root(tmp_path):
    return tmp_path / "settings"


@pytest.fixture
def both(root):
    return settings_storage(mode=storage_mode(BLUEPRINT), root=root)


@pytest.mark.parametrize("kind", ["files", "rows", "both"])
@pytest.mark.parametrize(("table", "told"), [("risk_config", [CONFIG]), ("strategies", [BREAKOUT])])
def test_settings_are_kept_alike_by_every_storage(root, both, kind, table, told):
    storage = {"files": SettingsFiles(root), "rows": SettingsRows(), "both": both}[kind]

    storage.save(table, told)
    storage.save(table, told)

    assert storage.load(table) == told


def test_the_csv_settings_that_there_are_go_in(both, root):
    root.mkdir()
    header = ",".join(CONFIG)
    (root / "risk_config.csv").write_text(f"{header}\nFalse,0.65,2.5,3,500.01,true,,TRUE,0,\n")
    (root / "strategies.csv").write_text(
        "id,name,is_active,allowed_symbols,session_windows,entry_conditions,exit_rules,forbidden_conditions,risk_caps,"
        'rr_expectation\n1,breakout,True,"AAPL, MSFT",[],{},{},{},"{""max_lot_size"": ""1""}",1.5\n'
    )
    files, rows = SettingsFiles(root), SettingsRows()

    for table in ("risk_config", "strategies"):
        rows.save(table, files.iterate(table))

    assert both.load("risk_config") == [CONFIG]
    assert both.load("strategies") == [{**BREAKOUT, "session_windows": []}]


def test_the_risk_configuration_is_read_from_the_database_and_both_are_updated(both, root):
    both.save("risk_config", [CONFIG])
    RiskConfig.objects.update(max_lot_size=7)
    (read,) = both.load("risk_config")

    written = both.save("risk_config", [{**read, "max_concurrent_trades": 9}])

    assert (read["max_lot_size"], written) == (7, Written(Side.STORED, Side.STORED))
    assert RiskConfig.objects.get().max_concurrent_trades == 9
    assert SettingsFiles(root).load("risk_config")[0]["max_concurrent_trades"] == 9
    assert RiskConfig.objects.count() == 1
    assert AuditLog.objects.filter(model_label__icontains="riskconfig", source="storage").count() == 2


def test_strategies_are_made_changed_and_removed(both, root):
    both.save("strategies", [BREAKOUT, {**BREAKOUT, "name": "reversion"}])
    key = Strategy.objects.get(name="breakout").pk

    both.save("strategies", [{**BREAKOUT, "is_active": False}])

    assert [(row.pk, row.is_active) for row in Strategy.objects.all()] == [(key, False)]
    assert [one["name"] for one in SettingsFiles(root).load("strategies")] == ["breakout"]
    assert set(AuditLog.objects.values_list("action", flat=True)) == {"CREATE", "CONFIG_CHANGE", "DELETE"}


@pytest.mark.parametrize(
    ("use_postgres", "dual", "in_file", "in_database"),
    [
        ("true", "true", True, True),
        ("true", "false", False, True),
        ("false", "true", True, False),
        ("false", "false", True, False),
    ],
)
def test_the_two_flags_in_their_four_combinations(root, use_postgres, dual, in_file, in_database):
    mode = storage_mode({"USE_POSTGRES": use_postgres, "DUAL_WRITE": dual})

    settings_storage(mode=mode, root=root).save("strategies", [BREAKOUT])

    assert (root / "strategies.csv").exists() is in_file
    assert Strategy.objects.filter(name="breakout").exists() is in_database


def test_wrong_settings_are_refused_and_neither_side_has_them(both, root):
    with pytest.raises(RejectedRecordError, match="min_confidence_threshold"):
        both.save("risk_config", [{**CONFIG, "min_confidence_threshold": 65}])
    with pytest.raises(RejectedRecordError, match="must be more than 0"):
        SettingsRows().save("risk_config", [{**CONFIG, "max_drawdown_amount": -1}])

    assert not root.exists()
    root.mkdir()
    (root / "risk_config.csv").write_text(",".join(CONFIG) + "\nmaybe,0.65,2.5,3,,true,,true,false,\n")
    with pytest.raises(UnreadableFileError, match="ai_trading_enabled"):
        SettingsFiles(root).load("risk_config")


def test_with_the_database_stopped_the_files_are_read_and_it_follows_when_it_is_back(root):
    for server in throw_away_server(migrated=True):
        with alias_for(server, "stopping") as alias:
            rows = SettingsRows(using=alias)
            storage = HybridStorage(SettingsFiles(root), rows, mode=storage_mode(BLUEPRINT))
            storage.save("risk_config", [CONFIG])
            server.stop()

            assert storage.load("risk_config") == [CONFIG]
            changed = [{**CONFIG, "max_lot_size": D(1)}]
            assert storage.save("risk_config", changed) == Written(Side.STORED, Side.BEHIND)
            assert storage.load("risk_config") == changed

            server.start()
            deadline = time.monotonic() + 60
            while RiskConfig.objects.using(alias).get().max_lot_size != 1:  # as soon as the database is found again
                assert storage.load("risk_config") == changed
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert rows.load("risk_config") == changed

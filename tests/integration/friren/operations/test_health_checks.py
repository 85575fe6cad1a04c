"""Each check of health is green on a sound database, and red when what it looks at is wrong."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import connection

from friren.accounts import open_account
from friren.errors import ConfigurationError
from friren.operations.health import examine, server, surroundings
from friren.operations.health import settings as bounds
from tests.postgres import admin_connection
from trading_engine.models import MarketRegime
from trading_engine.services import PriceRecorder, RegimeLogger, SignalLogger

pytestmark = pytest.mark.usefixtures("database")


def finding(name: str):
    return examine([name]).checks[name][0]


@pytest.fixture
def change():
    """Run statements as an administrator past triggers, and put back what they changed."""
    undone: list[str] = []
    with admin_connection(connection.settings_dict["NAME"]) as admin:
        admin.execute("SET session_replication_role = replica")

        def run(statement: str, *, undo: str = "") -> None:
            undone.append(undo)
            admin.execute(statement)

        yield run
        for statement in filter(None, reversed(undone)):
            admin.execute(statement)


Change = Callable[..., None]


@pytest.mark.parametrize(
    ("statement", "undo", "told"),
    [
        (
            "ALTER TABLE core_account RENAME COLUMN name TO label",
            "ALTER TABLE core_account RENAME COLUMN label TO name",
            ["core_account.label belongs to no model", "core_account.name is missing"],
        ),
        (
            "ALTER TABLE trading_engine_symbol RENAME TO elsewhere",
            "ALTER TABLE elsewhere RENAME TO trading_engine_symbol",
            ["table trading_engine_symbol is missing"],
        ),
        (
            "ALTER TABLE core_user ALTER first_name TYPE text",
            "ALTER TABLE core_user ALTER first_name TYPE varchar(150)",
            ["core_user.first_name is of type text, not character varying(150)"],
        ),
        (
            "ALTER TABLE core_account ALTER owner_id DROP NOT NULL",
            "ALTER TABLE core_account ALTER owner_id SET NOT NULL",
            ["core_account.owner_id may be null"],
        ),
    ],
)
def test_tables_that_are_not_those_of_the_models(change: Change, statement, undo, told) -> None:
    assert finding("tables").ok
    change(statement, undo=undo)
    found = finding("tables")
    assert not found.ok
    assert found.details["differences"] == told


def test_a_row_outside_of_every_month(change: Change) -> None:
    PriceRecorder().record_bars(
        [
            {
                "symbol": "AAA", "timestamp": dt.datetime(1931, 5, 4, tzinfo=dt.UTC), "open": Decimal(1),
                "high": Decimal(1), "low": Decimal(1), "close": Decimal(1), "volume": 1,
            }
        ]
    )  # fmt: skip
    assert finding("partitions").ok
    change(
        "INSERT INTO trading_engine_price_default SELECT (p).* FROM (SELECT jsonb_populate_record(p, "
        "jsonb_build_object('timestamp', '1932-05-04', 'id', gen_random_uuid())) AS p FROM trading_engine_price p) AS x"
    )
    found = finding("partitions")
    assert not found.ok
    assert found.details["stray"] == ["trading_engine_price_default"]


def test_a_server_older_than_the_operator_takes_for_safe(monkeypatch) -> None:
    assert finding("server").ok
    monkeypatch.setattr(bounds.env, "_values", {"DB_SERVER_VERSION_MIN": "99.1"})
    assert "is older than 99.1" in finding("server").message


def test_a_version_that_is_none_is_named(monkeypatch) -> None:
    monkeypatch.setattr(bounds.env, "_values", {"DB_SERVER_VERSION_MIN": "new"})
    assert "DB_SERVER_VERSION_MIN='new'" in finding("server").message
    with pytest.raises(ConfigurationError):
        server.check_server()


def test_a_disk_that_is_nearly_full(monkeypatch) -> None:
    monkeypatch.setattr(surroundings, "DISK_PERCENT_MAX", 99.99)
    assert finding("disk").ok
    monkeypatch.setattr(surroundings, "DISK_PERCENT_MAX", 0)
    found = finding("disk")
    assert not found.ok
    assert "% full" in found.message
    assert found.details["used_percent"]


def test_an_executed_signal_that_has_no_trade(change: Change) -> None:
    open_account("default")
    told = SignalLogger().log_signal(symbol="AAA", signal_type="buy", timestamp=dt.datetime(2026, 3, 2, tzinfo=dt.UTC))
    assert finding("signals").ok
    change("UPDATE trading_engine_signal SET executed = true, executed_at = now()")
    assert finding("signals").details["signals"] == [str(told.id)]


def test_regimes_that_overlap(change: Change) -> None:
    logger, start = RegimeLogger(), dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
    for day, regime in enumerate(["BULL", "BEAR", "BULL"]):
        logger.log_regime_change(regime_type=regime, timestamp=start + dt.timedelta(days=day))
    logger.log_regime_change(regime_type="BEAR", timestamp=start, symbol="AAA")
    assert finding("regimes").ok
    first = MarketRegime.objects.filter(symbol=None).earliest("started_at")
    change(f"UPDATE trading_engine_marketregime SET ended_at = ended_at + interval '1 hour' WHERE id = '{first.id}'")
    assert finding("regimes").details["regimes"] == [str(first.id)]

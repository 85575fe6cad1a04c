"""`metrics`: the figures are those of this database, are kept for trends, and are for this machine and monitoring."""

from __future__ import annotations

import datetime as dt
import io
import json
import logging
import re
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, connections
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from friren.accounts import open_account
from friren.operations import slow_queries
from friren.operations.metrics import collect, growth, record
from friren.operations.models import MetricSample
from tests.postgres import ROOT, admin_connection
from trading_engine.services import TradeLogger

pytestmark = pytest.mark.usefixtures("database")

TOKEN = "a token of monitoring"
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}


@pytest.fixture
def trades() -> int:
    """Log some trades; return how many."""
    logger = TradeLogger(open_account("measured"), mode="direct")
    start = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
    receipt = logger.bulk_log(
        {
            "symbol": "AAA",
            "action": "buy",
            "quantity": Decimal(1),
            "price": Decimal(2),
            "timestamp": start + dt.timedelta(hours=n),
        }
        for n in range(300)
    )
    return receipt.stored


def told(*arguments: str) -> dict:
    out = io.StringIO()
    call_command("metrics", "--json", *arguments, stdout=out)
    return json.loads(out.getvalue())


def scraped(answer) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(answer.content.decode())
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_tells_what_the_database_holds(trades) -> None:
    with admin_connection(connection.settings_dict["NAME"]) as admin:
        admin.execute("ANALYZE trading_engine_trade")
        size = admin.execute("SELECT pg_total_relation_size('trading_engine_trade')").fetchone()[0]
    found = told()
    assert found["storage"]["tables"]["trading_engine_trade"] == {"bytes": size, "rows": trades}
    assert found["storage"]["database_bytes"] > size
    assert found["pool"]["connections"]["active"] >= 1
    assert found["pool"]["connections_max"] >= 10
    assert set(found["queries"]) == {"running", "waiting", "longest_seconds", "services"}
    assert found["throughput"]["commits"] > 0
    assert found["write_path"]["backlog"] == 0


def test_a_partitioned_table_is_told_with_its_partitions() -> None:
    tables = told()["storage"]["tables"]
    assert tables["trading_engine_price"]["bytes"] > 0
    assert not any(name.startswith("trading_engine_price_") for name in tables)


def test_recorded_figures_give_the_growth_of_a_day(trades) -> None:
    figures, now = collect(), timezone.now()
    assert growth(figures, at=now) is None
    stored = record(figures, at=now - dt.timedelta(hours=12))
    assert stored == MetricSample.objects.count() == sum(1 for _ in figures.samples())
    earlier = MetricSample.objects.get(name="database_bytes")
    TradeLogger("measured").log_trade(symbol="AAA", action="sell", quantity=Decimal(1), price=Decimal(3), timestamp=now)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE larger AS SELECT generate_series(1, 20000) AS number")
    try:
        later = collect()
        grown = growth(later, at=now)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE larger")
    assert grown["since"] == now - dt.timedelta(hours=12)
    assert grown["database_bytes"] == 2 * (later.storage["database_bytes"] - int(earlier.value))
    assert grown["tables"]["larger"] == 2 * later.storage["tables"]["larger"][0] > 1_000_000
    assert grown["commits"] >= 0
    assert trades


def test_samples_are_kept_for_a_month() -> None:
    figures, now = collect(), timezone.now()
    record(figures, at=now - dt.timedelta(days=31))
    record(figures, at=now - dt.timedelta(days=29))
    assert told("--record")["recorded"] > 10
    assert MetricSample.objects.earliest("captured_at").captured_at == now - dt.timedelta(days=29)


def test_a_sample_is_never_changed() -> None:
    record(collect())
    with pytest.raises(DatabaseError, match="Cannot update rows"):
        MetricSample.objects.update(value=0)


def test_where_statements_are_not_counted_it_says_what_to_do() -> None:
    queries = told("--slow-queries")["queries"]
    assert queries["statements"] == []
    assert "shared_preload_libraries" in queries["hint"]
    out = io.StringIO()
    call_command("metrics", "--slow-queries", stdout=out)
    assert "CREATE EXTENSION pg_stat_statements" in out.getvalue()


def test_prometheus_reads_every_figure(client, trades) -> None:
    found = scraped(client.get("/metrics"))
    assert found["friren_up", ""] == 1
    assert found["friren_table_bytes", "trading_engine_trade"] > 0
    assert found["friren_commits_total", ""] > 0
    assert found["friren_connections", "active"] >= 1
    assert found["friren_write_path_backlog", ""] == 0
    assert trades


def test_prometheus_is_told_that_the_database_is_away(client, monkeypatch) -> None:
    connection.close()
    monkeypatch.setitem(connections.settings["default"], "HOST", "/nowhere")
    answer = client.get("/metrics")
    monkeypatch.undo()
    connection.close()
    known = {key: value for key, value in scraped(answer).items() if not key[0].startswith("friren_service_seconds")}
    assert (answer.status_code, known) == (200, {("friren_up", ""): 0})


def test_other_machines_need_the_token(settings) -> None:
    settings.MONITORING_TOKEN = TOKEN
    assert Client(**ELSEWHERE).get("/metrics").status_code == 403
    wrong = {"Authorization": "Bearer another"}
    assert Client(**ELSEWHERE, headers=wrong).get("/metrics").status_code == 403
    right = {"Authorization": f"Bearer {TOKEN}"}
    assert Client(**ELSEWHERE, headers=right).get("/metrics").status_code == 200


def test_behind_a_proxy_this_machine_is_nobody_special(client, settings) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert client.get("/metrics").status_code == 403


def test_a_slow_statement_is_logged_without_its_values(monkeypatch, caplog) -> None:
    monkeypatch.setattr(slow_queries, "SLOW_SECONDS", 0.05)
    with (
        connection.execute_wrapper(slow_queries._timed),
        caplog.at_level(logging.WARNING),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT %s", ["quick"])
        cursor.execute("SELECT pg_sleep(0.06), %s", ["hunter2"])
    (told_of,) = [record.getMessage() for record in caplog.records if record.name == slow_queries.__name__]
    assert "SELECT pg_sleep(0.06), %s" in told_of
    assert "hunter2" not in told_of


def test_statements_are_watched_where_it_is_asked_for(monkeypatch) -> None:
    monkeypatch.setattr(slow_queries, "SLOW_SECONDS", 1)
    monkeypatch.setattr(slow_queries.connection_created, "receivers", list(slow_queries.connection_created.receivers))
    slow_queries.register()
    connection.close()
    connection.ensure_connection()
    assert slow_queries._timed in connection.execute_wrappers
    connection.execute_wrappers.remove(slow_queries._timed)


@pytest.mark.parametrize("name", ["grafana-dashboard.json", "friren-alerts.yml"])
def test_dashboard_and_alerts_ask_for_figures_that_there_are(client, name) -> None:
    wanted = set(re.findall(r"friren_[a-z_]+", (ROOT / "deploy" / "monitoring" / name).read_text()))
    assert len(wanted) > 4
    assert wanted <= {figure for figure, _labels in scraped(client.get("/metrics"))}

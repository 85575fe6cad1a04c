"""`maintain`: dead rows, old statistics, bloated indexes, months ahead and a long log, dealt with beside writers."""

from __future__ import annotations

import datetime as dt
import io
import json
import time
from decimal import Decimal

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from friren.core.models import SeriesModel
from friren.embedded import locate
from friren.operations import maintenance
from friren.operations.maintenance import STEPS, maintain, months_ahead
from tests.factories import SignalFactory
from tests.postgres import admin_connection, location
from trading_engine.services import PriceRecorder

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def admin():
    with admin_connection(connection.settings_dict["NAME"]) as session:
        yield session


@pytest.fixture
def worn(admin):
    """A table with many rows that were changed and removed, whose index is half empty."""
    admin.execute("CREATE TABLE worn (id bigint PRIMARY KEY, word text) WITH (autovacuum_enabled = false)")
    admin.execute("INSERT INTO worn SELECT number, 'word' FROM generate_series(1, 60000) AS number")
    admin.execute("DELETE FROM worn WHERE id % 10 <> 0")
    admin.execute("SELECT pg_stat_force_next_flush()")
    yield "public.worn"
    admin.execute("DROP TABLE worn")


def told(*arguments: str) -> dict:
    out = io.StringIO()
    call_command("maintain", "--json", *arguments, stdout=out)
    return json.loads(out.getvalue())


def of(actions: list[dict], name: str) -> dict:
    (found,) = [action for action in actions if action["object"] == name]
    return found


def test_dead_rows_are_vacuumed_and_counted_anew(worn, admin) -> None:
    assert of(maintain(["vacuum"]), worn)["dead_rows"] == 54000
    admin.execute("SELECT pg_stat_force_next_flush()")
    done = admin.execute(
        "SELECT last_vacuum IS NOT NULL, last_analyze IS NOT NULL, n_dead_tup FROM pg_stat_user_tables "
        "WHERE relname = 'worn'"
    ).fetchone()
    assert done == (True, True, 0)
    assert worn not in {action["object"] for action in maintain(["vacuum"])}


def test_the_planner_counts_again_where_much_has_changed(worn, admin) -> None:
    assert of(maintain(["analyze"]), worn)["changed_rows"] >= 60000
    assert admin.execute("SELECT reltuples FROM pg_class WHERE relname = 'worn'").fetchone() == (6000,)


def test_a_partitioned_table_is_counted_as_a_whole(admin, monkeypatch) -> None:
    monkeypatch.setattr(maintenance, "LIMITS", {"rows": 20, "share": 0.05})
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    prices = {name: Decimal(1) for name in ("open", "high", "low", "close", "volume")}
    PriceRecorder().record_bars(
        [{"symbol": "AAA", "timestamp": start + dt.timedelta(days=10 * day), **prices} for day in range(30)]
    )
    until = time.monotonic() + 30
    changed = "SELECT sum(n_mod_since_analyze) FROM pg_stat_user_tables WHERE relname LIKE 'trading_engine_price%'"
    while admin.execute(changed).fetchone()[0] < 30:  # a session tells its counts now and then
        assert time.monotonic() < until
        time.sleep(0.1)
    done = of(maintain(["analyze"]), "public.trading_engine_price")
    assert done["changed_rows"] >= 30
    estimate = admin.execute("SELECT reltuples FROM pg_class WHERE relname = 'trading_engine_price'").fetchone()
    assert estimate == (30,)


def test_an_index_that_is_mostly_empty_is_rebuilt_beside_the_writers(worn, admin, monkeypatch) -> None:
    monkeypatch.setattr(maintenance, "INDEX_BYTES_MIN", 100_000)
    maintain(["vacuum"])
    done = of(maintain(["reindex"]), "public.worn_pkey")
    assert done["bloat"] > 0.8
    assert done["bytes_after"] < done["bytes_before"] / 5
    assert "public.worn_pkey" not in {action["object"] for action in maintain(["reindex"])}


def test_what_an_interrupted_rebuild_left_is_cleared_away(worn, admin) -> None:
    admin.execute("CREATE INDEX worn_word_ccnew ON worn (word)")
    admin.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'worn_word_ccnew'::regclass")
    assert of(maintain(["reindex"]), "public.worn_word_ccnew")["action"] == "drop_index"
    assert admin.execute("SELECT to_regclass('worn_word_ccnew')").fetchone() == (None,)
    assert worn


def test_an_index_that_became_invalid_is_made_again(worn, admin) -> None:
    admin.execute("CREATE INDEX worn_word ON worn (word)")
    admin.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'worn_word'::regclass")
    maintain(["reindex"])
    valid = admin.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'worn_word'::regclass").fetchone()
    assert valid == (True,)
    assert worn


def test_what_is_locked_is_left_for_the_next_time(worn, admin, monkeypatch) -> None:
    monkeypatch.setattr(maintenance, "LOCK_WAIT", "50ms")
    admin.execute("CREATE INDEX worn_word ON worn (word)")
    admin.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'worn_word'::regclass")
    with admin_connection(connection.settings_dict["NAME"]) as rival, rival.transaction():
        rival.execute("LOCK TABLE worn IN ACCESS EXCLUSIVE MODE")
        done = of(maintain(["reindex"]), "public.worn_word")
        with pytest.raises(SystemExit, match="1"):
            told("--reindex")
    assert "lock timeout" in done["error"]


def test_months_are_made_before_they_begin(admin) -> None:
    table = "trading_engine_price"
    last = (timezone.now().date().replace(day=1) + dt.timedelta(days=70)).replace(day=1)
    name = f"{table}_y{last:%Y}m{last:%m}"
    months_ahead(1)
    admin.execute(f"DROP TABLE IF EXISTS {name}")
    out = io.StringIO()
    call_command("partitions", "--json", stdout=out)
    made = json.loads(out.getvalue())["made"]
    assert made[table] == 1
    assert made.keys() == {model._meta.db_table for model in apps.get_models() if issubclass(model, SeriesModel)}
    assert admin.execute("SELECT to_regclass(%s)", [name]).fetchone() != (None,)
    assert of(maintain(["partitions"]), table)["made"] == 0


@pytest.mark.parametrize("months", ["-1", "61", "many"])
def test_months_that_are_no_number_of_months_are_refused(months) -> None:
    with pytest.raises(CommandError, match="--months"):
        call_command("partitions", "--months", months)


def test_a_long_log_is_begun_anew_and_one_older_is_kept(settings, monkeypatch, tmp_path) -> None:
    settings.FRIREN_EMBEDDED, settings.FRIREN_HOME = True, tmp_path
    log = locate(tmp_path).log
    log.parent.mkdir(parents=True)
    log.write_text("long ago\n")
    assert maintain(["rotate_logs"]) == []
    monkeypatch.setattr(maintenance, "LOG_BYTES_MAX", 5)
    (done,) = maintain(["rotate_logs"])
    assert (done["object"], done["bytes"]) == (str(log), 9)
    assert (log.read_text(), log.with_suffix(".log.1").read_text()) == ("", "long ago\n")


def test_the_server_writes_on_into_a_log_that_was_begun_anew(admin) -> None:
    log = location().log
    with log.open("r+b") as file:
        file.truncate()
    with pytest.raises(Exception, match="division by zero"):
        admin.execute("SELECT 1 / 0")
    written = log.read_bytes()
    assert b"division by zero" in written
    assert b"\0" not in written


@pytest.mark.parametrize("step", STEPS)
def test_each_step_can_be_asked_for_alone(step) -> None:
    assert told(f"--{step.replace('_', '-')}")["failed"] == 0


def test_rows_are_archived_only_when_that_is_asked_for(admin) -> None:
    SignalFactory()

    assert "archive" not in {action["action"] for action in told("--all")["actions"]}
    moved = {action["object"]: action["rows"] for action in told("--archive")["actions"]}

    assert moved["trading_engine_signal"] == 1
    admin.execute("SET client_min_messages = warning")
    admin.execute("DROP SCHEMA archive CASCADE")


def test_all_of_it_whether_needed_or_not() -> None:
    report = told("--all")
    assert report["failed"] == 0
    assert {"vacuum", "analyze", "reindex", "partitions"} <= {action["action"] for action in report["actions"]}

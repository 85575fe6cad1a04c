"""Whole months as Parquet: read again before they are dropped, exact to the last digit, and brought back equal."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection

import friren
from friren.core.ids import new_id
from friren.errors import ArchiveError, ConfigurationError
from friren.operations import audit
from friren.operations.archive.cold import writing
from friren.operations.archive.cold.files import cool, warm
from friren.operations.archive.policies import named_policy
from friren.operations.archive.service import archive, unarchive
from friren.operations.models import ArchiveRun
from friren.persistence.receipts import WriteOutcome
from tests.integration.friren.operations.archive.conftest import LATER, archived, fill, live, names
from trading_engine.models import Signal
from trading_engine.services import PriceRecorder, SignalLogger

pytest.importorskip("pyarrow", reason="Parquet is pyarrow's, group data")
BUCKET = "friren-cold"
NOON = dt.datetime(2024, 1, 5, 12, tzinfo=dt.UTC)


def frozen(name: str, where: str) -> list[writing.Cold]:
    """Archive all of a table, and write it to files."""
    archive([name], now=LATER, older_than=LATER)
    return cool(named_policy(name), where, LATER)


def parquet_of(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


@pytest.mark.parametrize("name", names(cold=True))
def test_rows_of_every_table_come_back_as_they_were(name, tmp_path) -> None:
    fill(named_policy(name), 2)
    before = live(name)

    written = frozen(name, str(tmp_path))

    assert sum(one.rows for one in written) == 2
    assert (live(name), archived(name)) == ([], [])
    back = warm(named_policy(name), str(tmp_path), since=None, until=LATER)
    assert sum(one.rows for one in back) == 2
    assert archived(name) == before
    unarchive([name], until=LATER)
    assert (live(name), archived(name), parquet_of(tmp_path)) == (before, [], [])
    runs = ArchiveRun.objects.filter(target="PARQUET").order_by("id")
    digests = {(run.direction, run.since_at): run.rows_digest for run in runs}
    assert all(digests["UNARCHIVE", since] == digest for (way, since), digest in digests.items() if way == "ARCHIVE")


def test_decisions_stay_in_the_archive(tmp_path) -> None:
    with pytest.raises(ArchiveError, match="DecisionHistory stays in the archive: it is not written to files"):
        cool(named_policy("DecisionHistory"), str(tmp_path), LATER)


def months_of_bars() -> None:
    day = {name: Decimal("10.123456789012345678") for name in ("open", "high", "low", "close")}
    PriceRecorder().record_bars(
        [{**day, "volume": Decimal(1000 + number), "timestamp": NOON.replace(hour=0) + dt.timedelta(days=number)}
         for number in range(60)],
        symbol="AAPL",
    )  # fmt: skip


def test_only_months_that_are_over_go(tmp_path) -> None:
    months_of_bars()  # 5 January to 4 March

    archive(["Price"], now=LATER, older_than=LATER)
    written = cool(named_policy("Price"), str(tmp_path), dt.datetime(2024, 3, 4, tzinfo=dt.UTC))

    assert [(one.month, one.rows) for one in written] == [("2024-01", 27), ("2024-02", 29)]
    assert len(archived("Price")) == 4


def test_somebody_else_reads_the_same_figures(tmp_path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="DuckDB reads the files too, group data")
    months_of_bars()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), sum(close), sum(volume), sum(round(close * volume, 18)), min(timestamp) "
            "FROM trading_engine_price"
        )
        wanted = cursor.fetchone()
    written = frozen("Price", str(tmp_path))

    with duckdb.connect() as other:
        other.execute("SET TimeZone = 'UTC'")
        found = other.execute(
            "SELECT count(*), sum(close), sum(volume), sum(notional), min(timestamp) "
            f"FROM read_parquet('{tmp_path}/trading_engine_price/*/*.parquet', hive_partitioning = true)"
        ).fetchone()
        months = other.execute(
            f"SELECT month, count(*) FROM read_parquet('{tmp_path}/**/*.parquet') GROUP BY 1 ORDER BY 1"
        ).fetchall()
        kinds = dict(
            other.execute(f"SELECT name, logical_type FROM parquet_schema('{parquet_of(tmp_path)[0]}')").fetchall()
        )
        packed = other.execute(f"SELECT DISTINCT compression FROM parquet_metadata('{parquet_of(tmp_path)[0]}')")
        assert packed.fetchall() == [("ZSTD",)]

    assert found[:4] == tuple(wanted[:4])
    assert found[4].astimezone(dt.UTC) == wanted[4]
    assert [rows for _month, rows in months] == [one.rows for one in written]
    assert "scale=18, precision=38" in kinds["close"] or "38, 18" in kinds["close"]
    assert "UTC" in kinds["timestamp"].upper()


def test_the_manifest_says_what_is_in_a_file(tmp_path) -> None:
    months_of_bars()
    (first, *_rest) = frozen("Price", str(tmp_path))

    (file, *_others) = parquet_of(tmp_path)
    told = json.loads((file.parent / f"_{file.stem}.json").read_text())
    assert (told["table"], told["month"], told["rows"]) == ("trading_engine_price", "2024-01", 27)
    assert (told["bytes"], told["sha256"]) == (file.stat().st_size, first.sha256)
    assert told["products"] == {"notional": "t.close * t.volume"}
    assert first.file == str(file)


@pytest.mark.parametrize("damage", ["a bit", "the end", "the file"])
def test_a_damaged_file_brings_nothing_back(damage, tmp_path) -> None:
    fill(named_policy("Signal"))
    frozen("Signal", str(tmp_path))
    (file,) = parquet_of(tmp_path)
    data = bytearray(file.read_bytes())
    if damage == "a bit":
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    elif damage == "the end":
        file.write_bytes(data[:-10])
    else:
        file.unlink()

    with pytest.raises(ArchiveError, match=r"is damaged|No such file"):
        warm(named_policy("Signal"), str(tmp_path), since=None, until=LATER)

    assert archived("Signal") == []


def test_what_is_read_back_otherwise_is_not_dropped(tmp_path, monkeypatch) -> None:
    fill(named_policy("Signal"))
    archive(["Signal"], now=LATER, older_than=LATER)
    really = writing.read_rows
    monkeypatch.setattr(writing, "read_rows", lambda *given: list(really(*given))[1:])

    with pytest.raises(ArchiveError, match="gives other rows than were written"):
        cool(named_policy("Signal"), str(tmp_path), LATER)

    assert len(archived("Signal")) == 3
    assert parquet_of(tmp_path) == []
    assert ArchiveRun.objects.order_by("-id").first().status == "FAILED"


def test_a_fact_in_a_file_is_known_and_its_seal_accounted_for(tmp_path) -> None:
    book = friren.open_account("book")
    told = {"symbol": "AAPL", "signal_type": "BUY", "timestamp": NOON, "signal_id": new_id()}
    logger = SignalLogger(book)
    logger.log_signal(**told)
    logger.log_signal(**told | {"signal_id": new_id(), "timestamp": LATER - dt.timedelta(days=1)})
    audit.seal()
    archive(["Signal"], now=LATER, older_than=LATER)
    cool(named_policy("Signal"), str(tmp_path), NOON + dt.timedelta(days=40))
    audit.seal()

    assert len(archived("Signal")) == 1
    assert logger.log_signal(**told).outcome is WriteOutcome.DUPLICATE
    assert (logger.bulk_log([told]).duplicates, Signal.objects.count()) == (1, 0)
    assert audit.verify().ok
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE archive.trading_engine_signal DISABLE TRIGGER USER")
        cursor.execute("ALTER TABLE archive.friren_cold DISABLE TRIGGER USER")
        # Who deletes a sealed row and says that it went into a file is found out by the run.
        cursor.execute(
            "WITH gone AS (DELETE FROM archive.trading_engine_signal RETURNING *) "
            "INSERT INTO archive.friren_cold "
            "SELECT id, digest, recorded_seq, (SELECT max(run) FROM archive.friren_cold) FROM gone"
        )
    assert "keeps the keys of 2 rows, and its audit entry tells of 1" in audit.verify().first_bad.what


def test_without_pyarrow_one_line_says_what_to_install(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(ConfigurationError, match=r"--cold needs the extra friren\[data\]: install pyarrow"):
        cool(named_policy("Signal"), str(tmp_path), LATER)


@pytest.fixture
def bucket(monkeypatch) -> Iterator[str]:
    """An empty bucket on this machine, as `--cold` names it."""
    moto = pytest.importorskip("moto.server", reason="the bucket of the tests is moto's, group s3")
    import boto3

    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": "s3cret-of-the-bucket", "AWS_DEFAULT_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    found = boto3.resource("s3").Bucket(BUCKET)
    found.create()
    yield f"s3://{BUCKET}/desk/one"
    found.objects.all().delete()
    server.stop()


def test_a_bucket_is_a_place_as_a_folder_is(bucket) -> None:
    import boto3

    fill(named_policy("Signal"))
    before = live("Signal")

    (written,) = frozen("Signal", bucket)

    keys = {entry.key for entry in boto3.resource("s3").Bucket(BUCKET).objects.all()}
    assert written.file.removeprefix(f"s3://{BUCKET}/") in keys
    assert len(keys) == 2
    assert len(warm(named_policy("Signal"), bucket, since=None, until=LATER)) == 1
    assert archived("Signal") == before
    assert list(boto3.resource("s3").Bucket(BUCKET).objects.all()) == []

    archive(["Signal"], now=LATER, older_than=LATER)
    with pytest.raises(ArchiveError, match="NoSuchBucket"):
        cool(named_policy("Signal"), "s3://nobody-made-this", LATER)
    assert archived("Signal") == before


def test_a_bucket_is_named_as_one() -> None:
    with pytest.raises(ConfigurationError, match="write s3://bucket"):
        cool(named_policy("Signal"), "s3:/x", LATER)

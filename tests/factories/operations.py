"""The tables of operations."""

from __future__ import annotations

import datetime as dt
import hashlib

import factory
from factory.django import DjangoModelFactory

from friren.operations.jobs.models import ScheduledRun
from friren.operations.models import ArchiveRun, AuditBlock, BackupRecord, MetricSample
from tests.factories.ground import later


class ArchiveRunFactory(DjangoModelFactory):
    class Meta:
        model = ArchiveRun

    table_name = "trading_engine_signal"
    cutoff_at = factory.Sequence(later)
    first_seq = 100
    last_seq = 200
    rows_copied = 48
    rows_deleted = 48
    rows_digest = "-42549987139301040491"
    status = "COMPLETED"
    started_at = factory.Sequence(later)
    finished_at = factory.SelfAttribute("started_at")


class BackupRecordFactory(DjangoModelFactory):
    class Meta:
        model = BackupRecord

    kind = "DAILY"
    format = "custom"
    path = factory.Sequence("/srv/backups/20240108T143000Z-daily-{:06x}/friren.dump".format)
    size_bytes = 120_000
    sha256 = factory.Sequence("{:064x}".format)
    is_encrypted = True
    status = "VERIFIED"
    table_digests = {"public.core_account": [3, "-42549987139301040491"]}
    started_at = factory.Sequence(later)
    finished_at = factory.SelfAttribute("started_at")
    verified_at = factory.SelfAttribute("started_at")
    message = "equal in 44 tables"


def _hash(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


class AuditBlockFactory(DjangoModelFactory):
    class Meta:
        model = AuditBlock

    seq = factory.Sequence(lambda number: number + 1)
    sealed_at = factory.LazyAttribute(lambda block: later(block.seq))
    table_name = "trading_engine_trade"
    first_seq = factory.LazyAttribute(lambda block: block.seq * 100)
    last_seq = factory.LazyAttribute(lambda block: block.seq * 100 + 99)
    row_count = 48
    merkle_root = factory.LazyAttribute(lambda block: _hash(block.seq))
    leaves_digest = factory.LazyAttribute(lambda block: hashlib.sha256(block.leaves).digest())
    layout = {"table": "trading_engine_trade", "columns": ["recorded_seq", "id", "digest"], "references": []}
    previous_hash = factory.LazyAttribute(lambda block: _hash(block.seq - 1))
    block_hash = factory.LazyAttribute(lambda block: _hash(block.seq))
    key_id = "ab" * 32
    signature = b"s" * 64
    leaves = b"l" * 48


class MetricSampleFactory(DjangoModelFactory):
    class Meta:
        model = MetricSample

    captured_at = factory.Sequence(later)
    name = "table_bytes"
    value = 81_920.0
    labels = {"table": "trading_engine_trade"}


class ScheduledRunFactory(DjangoModelFactory):
    class Meta:
        model = ScheduledRun

    schedule = "backup_daily"
    due_at = factory.Sequence(later)
    command = "backup --kind daily"
    status = "SUCCEEDED"
    worker = "trading-1:4711"
    queue_job = factory.Sequence(lambda number: number + 1)
    started_at = factory.SelfAttribute("due_at")
    finished_at = factory.SelfAttribute("due_at")
    next_due_at = factory.LazyAttribute(lambda run: run.due_at + dt.timedelta(days=1))
    message = "every table is in it"

"""The three classes of tables: facts, series and projections."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now

from friren.core.functions import NextRecordedSeq
from friren.core.ids import new_id

__all__ = ["FactModel", "ProjectionModel", "SeriesModel"]

# Small ranges: the newest facts are read by number right after they were written.
SEQ_INDEX = BrinIndex(fields=["recorded_seq"], name="%(class)s_seq_brin", pages_per_range=16, autosummarize=True)


class FactModel(models.Model):
    """
    Something that happened, or was decided: added once, never edited.

    Attributes:
        id: UUIDv7, made by the caller's side.
        digest: the first 16 bytes of SHA-256 over the frozen fields.
        recorded_seq: the order in which the database took the fact in, over all tables.
        producer: the process that wrote it, null for writes of the ORM and of importers.
        created_at: when the database took it in.
    """

    # Columns that may move after the insert, through a declared state machine only.
    lifecycle: ClassVar[tuple[str, ...]] = ()
    # Frozen columns that tell how the fact reached us, not what happened: a fact fetched again differs in them.
    undigested: ClassVar[tuple[str, ...]] = ()

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    digest = models.BinaryField(max_length=16, editable=False)
    recorded_seq = models.BigIntegerField(db_default=NextRecordedSeq(), editable=False)
    producer = models.UUIDField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        abstract = True
        indexes: ClassVar = [SEQ_INDEX]


class SeriesModel(models.Model):
    """
    A point of a time series, in a table partitioned by month.

    The database key is (id, time); Django's is `id`, the UUIDv5 of the natural key with its time,
    so that one id cannot stand at two times. Nothing refers to a series by foreign key.

    Attributes:
        digest: the first 16 bytes of SHA-256 over the fields.
        recorded_seq: the order in which the database took the row in, over all tables.
        created_at: when the database took it in.
    """

    is_timescale_model = True
    # The column that says in which month a row lies.
    time_field: ClassVar[str] = "timestamp"
    lifecycle: ClassVar[tuple[str, ...]] = ()
    undigested: ClassVar[tuple[str, ...]] = ()
    # Whether what was told may be replaced by a later telling, which keeps the old values somewhere.
    revised: ClassVar[bool] = False

    id = models.UUIDField(primary_key=True, editable=False)
    digest = models.BinaryField(max_length=16, editable=False)
    recorded_seq = models.BigIntegerField(db_default=NextRecordedSeq(), editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        abstract = True


class ProjectionModel(models.Model):
    """A row computed from facts: `id` is the UUIDv5 of the fact it comes from. Rebuildable, never sealed."""

    id = models.UUIDField(primary_key=True, editable=False)

    class Meta:
        abstract = True

"""Where the journals stand, what they could not deliver, and what was lost."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from friren.core.fields import ChoiceField
from friren.core.triggers import fact_triggers
from friren.persistence.choices import Resolution, Shelf

__all__ = ["DeadLetter", "JournalCursor", "LossRecord"]


class JournalCursor(models.Model):
    """
    How far the journal of one producer is drained: the exact account of its records.

    Moved in the transaction of the facts it counts, by compare-and-set on `seq`: that makes a replay exact
    and fences a second drainer. Its CHECK is the conservation identity.
    """

    producer = models.UUIDField(primary_key=True, editable=False)
    label = models.CharField(max_length=255, blank=True)
    seq = models.BigIntegerField(default=0)
    stored = models.BigIntegerField(default=0)
    duplicates = models.BigIntegerField(default=0)
    dead_lettered = models.BigIntegerField(default=0)
    adopted_by = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(seq=F("stored") + F("duplicates") + F("dead_lettered")),
                name="ck_journalcursor_identity",
                violation_error_code="seq",
                violation_error_message="must be stored + duplicates + dead_lettered",
            ),
            models.CheckConstraint(
                condition=Q(stored__gte=0, duplicates__gte=0, dead_lettered__gte=0),
                name="ck_journalcursor_counts",
                violation_error_code="stored",
                violation_error_message="counts must not be negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.producer} at {self.seq}"


class DeadLetter(models.Model):
    """
    A record that could not become rows, kept as the bytes it was.

    `payload` is bytes and not JSON, because what is refused may hold what text and jsonb refuse too.
    """

    id = models.BigAutoField(primary_key=True)
    producer = models.UUIDField(null=True, blank=True)
    seq = models.BigIntegerField(null=True, blank=True)
    fact_id = models.UUIDField(null=True, blank=True)
    kind = models.CharField(max_length=50)
    account_id = models.UUIDField(null=True, blank=True)
    payload = models.BinaryField()
    error_class = models.CharField(max_length=100)
    error = models.TextField()
    shelf = ChoiceField(max_length=8, choices=Shelf, default=Shelf.DEAD)
    first_seen_at = models.DateTimeField(auto_now_add=True)
    last_tried_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=1)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = ChoiceField(max_length=10, choices=Resolution, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, db_index=False, related_name="+"
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["producer", "seq"], name="dead_letter_source"),
            models.CheckConstraint(
                condition=Q(resolved_at__isnull=True, resolution="")
                | (Q(resolved_at__isnull=False) & ~Q(resolution="")),
                name="ck_deadletter_resolution",
                violation_error_code="resolution",
                violation_error_message="stands together with the time of it",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["shelf", "first_seen_at"], name="dead_letter_open", condition=Q(resolved_at__isnull=True)
            ),
            models.Index(fields=["fact_id"], name="dead_letter_fact"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.fact_id}: {self.error[:80]}"


class LossRecord(models.Model):
    """How much telemetry was refused while database, disk and memory all were full. Append-only."""

    id = models.UUIDField(primary_key=True, editable=False)
    producer = models.UUIDField()
    kind = models.CharField(max_length=50)
    lost = models.BigIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    reason = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(lost__gt=0, last_at__gte=F("first_at")),
                name="ck_lossrecord_figures",
                violation_error_code="lost",
                violation_error_message="must be more than 0, and last_at not before first_at",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["producer", "first_at"], name="loss_by_producer")]
        triggers: ClassVar = fact_triggers()

    def __str__(self) -> str:
        return f"{self.lost} of {self.kind}"

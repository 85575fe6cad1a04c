"""Seals: what was true of the facts when they were sealed."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from friren.core.triggers import fact_triggers

__all__ = ["AuditBlock"]


class AuditBlock(models.Model):
    """
    The seal of one table's facts from `first_seq` to `last_seq` (their `recorded_seq`); a link of one chain.

    Append-only. What each column means is told by `friren.operations.audit.blocks.Block`, whose hash is signed.
    `leaves` tells each sealed row from the others, so that a row that was changed can be named.
    """

    seq = models.BigIntegerField(primary_key=True, editable=False)
    sealed_at = models.DateTimeField()
    table_name = models.CharField(max_length=100)
    first_seq = models.BigIntegerField()
    last_seq = models.BigIntegerField()
    row_count = models.BigIntegerField()
    merkle_root = models.BinaryField(max_length=32)
    leaves_digest = models.BinaryField(max_length=32)
    layout = models.JSONField(help_text="The columns that are sealed, and those of rows they refer to.")
    previous_hash = models.BinaryField(max_length=32)
    block_hash = models.BinaryField(max_length=32, unique=True)
    key_id = models.CharField(max_length=64)
    signature = models.BinaryField(max_length=64)
    leaves = models.BinaryField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(seq__gt=0, row_count__gt=0, last_seq__gte=F("first_seq")),
                name="ck_auditblock_range",
                violation_error_code="row_count",
                violation_error_message="a block seals at least one row, from its first number to its last",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["table_name", "-last_seq"], name="auditblock_table")]
        triggers: ClassVar = fact_triggers()

    def __str__(self) -> str:
        return f"{self.seq}: {self.row_count} of {self.table_name}"

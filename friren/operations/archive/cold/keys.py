"""Ids and digests of rows that went into files: told again, such a fact is still known, and its seal accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from friren.operations.models import ArchiveRun
from friren.persistence.archived import COLD_TABLE

__all__ = ["forget_cold", "keep_cold"]


def keep_cold(cursor: Any, archived: str, where: str, parameters: Mapping[str, Any], run: ArchiveRun) -> None:
    """Keep the keys of the rows that are about to go."""
    cursor.execute(
        f"INSERT INTO {COLD_TABLE} (id, digest, recorded_seq, run) "
        f"SELECT t.id, t.digest, t.recorded_seq, %(run)s FROM {archived} t WHERE {where}",
        {**parameters, "run": run.pk},
    )


def forget_cold(cursor: Any, stage: str) -> None:
    """Forget the keys of rows that came back."""
    cursor.execute(f"DELETE FROM {COLD_TABLE} c USING {stage} s WHERE c.id = s.id")

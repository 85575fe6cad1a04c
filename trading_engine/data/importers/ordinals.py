"""Names for records that have none of their own: how many with this key stood before, on disk and not in memory."""

from __future__ import annotations

import sqlite3
from types import TracebackType
from typing import Self

__all__ = ["Ordinals"]


class Ordinals:
    """
    Counts keys of a file of any length. A context manager; what it counted is gone afterwards.

    SQLite keeps a database without a name in a temporary file of its own, and a few megabytes of it in memory.
    """

    def __init__(self) -> None:
        self._counts = sqlite3.connect("", isolation_level=None)
        self._counts.execute("PRAGMA journal_mode = OFF")
        self._counts.execute("CREATE TABLE counts (key TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID")
        self._counts.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._counts.close()

    def next(self, key: str) -> int:
        """Return how often `key` was asked for before: 0, 1, …"""
        row = self._counts.execute(
            "INSERT INTO counts VALUES (?, 0) ON CONFLICT (key) DO UPDATE SET count = count + 1 RETURNING count", [key]
        ).fetchone()
        return int(row[0])

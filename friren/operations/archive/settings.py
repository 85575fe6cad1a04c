"""Every bound of the archive, with its reason."""

from __future__ import annotations

from typing import Final

__all__ = ["BATCH_BLOCKS", "COLD_ROWS", "LOCK_ATTEMPTS", "LOCK_PAUSE_SECONDS", "LOCK_SECONDS", "RETRIES_MAX"]

# Blocks of a table (8 KiB) whose rows are moved by one statement: a few thousand rows, some tens of milliseconds.
BATCH_BLOCKS: Final = 128
# How long a change of a live table's trigger may keep its writers waiting, how often it is tried again, and after what
# pause: whoever waits for the lock lets nobody pass.
LOCK_SECONDS: Final = 0.5
LOCK_ATTEMPTS: Final = 40
LOCK_PAUSE_SECONDS: Final = 0.25
# A batch to whose rows others came to refer meanwhile is tried again.
RETRIES_MAX: Final = 5
# Rows that are written to Parquet, or read from it, at a time: some megabytes.
COLD_ROWS: Final = 10_000

"""Every bound of the write path, with its reason. Those an operator may want to move are read from the environment."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ADOPT_IDLE_SECONDS",
    "DRAIN_BATCH_ROWS",
    "DRAIN_IDLE_SECONDS",
    "DRAIN_RETRY_SECONDS_MAX",
    "JOURNAL_KEEP_BYTES",
    "JOURNAL_KEEP_SECONDS",
    "JOURNAL_SEGMENT_BYTES",
    "PARENT_WAIT_FACTS_MAX",
    "PARENT_WAIT_SECONDS",
]

# --- journal
# Small enough that draining frees disk in steps, large enough that rolling (one fsync) is rare: about 25,000 trades.
JOURNAL_SEGMENT_BYTES: Final = 16 * 1024 * 1024
# Drained segments stay as a second copy for a day, so that last night's backup can be completed from them, …
JOURNAL_KEEP_SECONDS: Final = 24 * 60 * 60.0
# … but never more than this: a backtest of a million facts must not fill a laptop.
JOURNAL_KEEP_BYTES: Final = 1024 * 1024 * 1024

# --- drain
# The cost of a commit is spread thin at this size, and a batch stays well under the statement timeout.
DRAIN_BATCH_ROWS: Final = 5_000
# How soon a drainer that nobody woke looks for work.
DRAIN_IDLE_SECONDS: Final = 0.2
# Ceiling of the pause between attempts while the database is in trouble: the way back is noticed within this.
DRAIN_RETRY_SECONDS_MAX: Final = 0.5
# A child may come before its parent by another process's journal; longer than any drain of a living producer takes.
PARENT_WAIT_SECONDS: Final = 10.0
# Facts of one batch that may wait; more is a mistake of the writer, not a matter of order.
PARENT_WAIT_FACTS_MAX: Final = 1_000
# A journal whose cursor has not moved for this long is drained by others, whoever holds its lock.
ADOPT_IDLE_SECONDS: Final = 60.0

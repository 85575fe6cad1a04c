"""Every bound of the write path, with its reason. Those an operator may want to move are read from the environment."""

from __future__ import annotations

import os
from typing import Final

from friren.environment import Environment

__all__ = [
    "ADOPT_IDLE_SECONDS",
    "ASYNC_WORKERS",
    "BACKLOG_SHARE",
    "BUFFER_BYTES_MAX",
    "BUFFER_RECORDS_MAX",
    "BUFFER_STOP_SHARE",
    "BULK_BATCH_ROWS",
    "BULK_DEADLINE_SECONDS",
    "BULK_STATEMENT_SECONDS",
    "CALL_DEADLINE_SECONDS",
    "CLOSE_SECONDS",
    "CONNECTIONS_MAX",
    "DATABASE_SHARE",
    "DRAINED_SECONDS",
    "DRAINED_SILENCE_SECONDS",
    "DRAIN_BATCH_BYTES",
    "DRAIN_BATCH_ROWS",
    "DRAIN_BEHIND_ROWS_MAX",
    "DRAIN_BUSY_SHARE",
    "DRAIN_GATHER_SECONDS_MAX",
    "DRAIN_GATHER_SHARE",
    "DRAIN_IDLE_SECONDS",
    "DRAIN_LINGER_SECONDS",
    "DRAIN_RETRY_SECONDS_MAX",
    "DRAIN_WAIT_SECONDS",
    "JOURNAL_KEEP_BYTES",
    "JOURNAL_KEEP_SECONDS",
    "JOURNAL_SEGMENT_BYTES",
    "LOCK_PATIENCE_SECONDS",
    "LOCK_WAIT_SHARE",
    "PARENT_WAIT_FACTS_MAX",
    "PARENT_WAIT_SECONDS",
    "PATIENT_DEADLINE_SECONDS",
    "PROBE_SECONDS_FIRST",
    "PROBE_SECONDS_MAX",
    "PROBE_SECONDS_MIN",
    "READ_AHEAD_ROWS",
    "READ_CACHE_QUERIES_MAX",
    "READ_CACHE_ROWS_MAX",
    "READ_PROBE_SECONDS",
    "READ_SHAPES_MAX",
    "RELIEF_SECONDS",
    "RETRIES_MAX",
    "RETRY_PAUSE_SECONDS",
    "SETTLE_SECONDS",
    "STATEMENT_SHARE",
    "STEP_DEADLINE_SECONDS",
]

# --- journal
# Small enough that draining frees disk in steps, large enough that rolling (one fsync) is rare: about 25,000 trades.
JOURNAL_SEGMENT_BYTES: Final = 16 * 1024 * 1024
# Drained segments stay as a second copy for a day, so that last night's backup can be completed from them, …
JOURNAL_KEEP_SECONDS: Final = 24 * 60 * 60.0
# … but never more than this: a backtest of a million facts must not fill a laptop.
JOURNAL_KEEP_BYTES: Final = 1024 * 1024 * 1024
# Whoever looks whether a writer lives takes its lock for some microseconds; a writer that begins waits for that.
LOCK_PATIENCE_SECONDS: Final = 0.05

# --- drain
# The cost of a commit is spread thin at this size, a batch stays well under the statement timeout, and two of them, one
# that is stored and one that is got ready, within a few megabytes.
DRAIN_BATCH_ROWS: Final = 2_000
# A batch in memory: records with long texts make it shorter than that.
DRAIN_BATCH_BYTES: Final = 8 * 1024 * 1024
# How soon a drainer that nobody woke looks for work.
DRAIN_IDLE_SECONDS: Final = 0.2
# How long a drainer that was woken lets records gather: a batch of one costs as much as a batch of hundreds.
DRAIN_LINGER_SECONDS: Final = 0.02
# How long records gather between two batches, by what the first one took: while a loop writes, the drain has a quarter
# of the time, since the loop waits for what it computes: they share one interpreter.
DRAIN_GATHER_SHARE: Final = 3.0
# And at most: what is journaled now and then is in the database within a second.
DRAIN_GATHER_SECONDS_MAX: Final = 0.5
# A loop is at full speed when it wrote this share of a batch while that was moved, though it shared the interpreter.
DRAIN_BUSY_SHARE: Final = 0.25
# How far the drain stays behind such a loop: 30 MB of journal, and two seconds of work once the loop has ended. A loop
# that writes still more is drained without a pause.
DRAIN_BEHIND_ROWS_MAX: Final = 50_000
# Ceiling of the pause between attempts while the database is in trouble: the way back is noticed within this.
DRAIN_RETRY_SECONDS_MAX: Final = 0.5
# How often a batch whose first fact waits for its parent is tried again: all of it, since it may hold the parent.
DRAIN_WAIT_SECONDS: Final = 0.5
# A child may come before its parent by another process's journal; longer than any drain of a living producer takes.
PARENT_WAIT_SECONDS: Final = 10.0
# Different missing rows that are waited for at a time; more is a mistake of the writer, not a matter of order.
PARENT_WAIT_FACTS_MAX: Final = 1_000
# A journal whose cursor has not moved for this long is drained by others, whoever holds its lock.
ADOPT_IDLE_SECONDS: Final = 60.0

env = Environment(os.environ)

# --- the call
# What a logger call may take in direct mode before the record goes to the journal: a person does not notice it,
# and no bar is missed. A healthy commit takes a thousandth of it.
CALL_DEADLINE_SECONDS: Final = env.seconds("FRIREN_WRITE_DEADLINE", default=0.25, minimum=0.01, maximum=60)
# Shares of the deadline after which a server that lives gives up a lock or a statement by itself: below 1, so
# that the cause is named in time, and a deadline that passes means that there was no answer.
LOCK_WAIT_SHARE: Final = 0.5
STATEMENT_SHARE: Final = 0.8
# Share of the deadline that the database may use: the rest is for the journal, whose fsync takes milliseconds.
DATABASE_SHARE: Final = 0.9
# Share of the deadline that a record with an order of its own waits for what this process has in the journal: a
# drain takes a few hundredths of a second, and then the caller hears at once whether the record is right.
BACKLOG_SHARE: Final = 0.4
# Deadlocks and serialization failures pass at the second attempt; what fails four times is not passing.
RETRIES_MAX: Final = 3
# Long enough for the other transaction to end, short against the deadline.
RETRY_PAUSE_SECONDS: Final = 0.005
# More connections than this make PostgreSQL slower, not faster; a call holds one for less than a millisecond.
CONNECTIONS_MAX: Final = env.integer("FRIREN_WRITE_CONNECTIONS", default=8, minimum=1, maximum=1000)

# What reads, and records that bring the books up to date with them, may take: milliseconds as a rule, but a long
# history, or a thousand fills that nobody booked, take their time. No order waits for them. Never less than a call.
PATIENT_DEADLINE_SECONDS: Final = max(5.0, CALL_DEADLINE_SECONDS)
# What an administrative step may take, such as closing a period or folding a book anew: minutes for millions of fills.
STEP_DEADLINE_SECONDS: Final = 600.0
# What a step that builds on journaled records waits for them to be stored.
SETTLE_SECONDS: Final = 2.0
# What a job that needs all its records stored waits for them, as long as the database takes some: a run of a million
# records is drained in a minute or two.
DRAINED_SECONDS: Final = 600.0
# For how long the database may be silent before such a job takes it for gone: longer than a restart of its connections.
DRAINED_SILENCE_SECONDS: Final = 2.0

# --- bulk calls
# The cost of a commit is spread thin at this size, and a batch takes a few megabytes of memory.
BULK_BATCH_ROWS: Final = 2_000
# What is got ready of the next batch each time that lines were sent: as much as was sent, so that both end together.
READ_AHEAD_ROWS: Final = 64
# What a batch may take before it goes to the journal: tens of milliseconds when all is well, and nobody who
# hands over thousands of records waits for a single one. Never less than a call.
BULK_DEADLINE_SECONDS: Final = max(10.0, CALL_DEADLINE_SECONDS)
# Below the deadline, so that a server that lives gives up by itself.
BULK_STATEMENT_SECONDS: Final = BULK_DEADLINE_SECONDS * STATEMENT_SHARE

# --- the circuit
# The first look after a connection broke: a restarted server is often back at once.
PROBE_SECONDS_FIRST: Final = 0.05
# The way back after an outage of any length is noticed within this.
PROBE_SECONDS_MAX: Final = 0.5
# However small the random delay: not a busy loop.
PROBE_SECONDS_MIN: Final = 0.01

# --- memory, when the disk refuses too
# Minutes of heavy trading at about 700 bytes a record; small against any process that trades.
BUFFER_RECORDS_MAX: Final = env.integer("FRIREN_BUFFER_RECORDS", default=10_000, minimum=10, maximum=10_000_000)
BUFFER_BYTES_MAX: Final = 64 * 1024 * 1024
# From here on no new risk is taken: what is left is for the fills of orders that are out already.
BUFFER_STOP_SHARE: Final = 0.8
# How often the disk is tried again; each try may cost a failing write.
RELIEF_SECONDS: Final = 0.1

# --- the end
# What a process that ends waits for the database; what is not stored by then is in the journal.
CLOSE_SECONDS: Final = env.seconds("FRIREN_CLOSE_SECONDS", default=5, maximum=600)

# --- reads in an outage
# The last good answers that are kept: what a dashboard or a bot asks again and again, and a few megabytes.
READ_CACHE_QUERIES_MAX: Final = 64
READ_CACHE_ROWS_MAX: Final = 1_000

# --- reads
# How long after the database stopped answering a read still waits for it: the first probes come within this, and after
# a stall (a checkpoint, a moment of swapping) one of them finds it well. Later in an outage no read waits.
READ_PROBE_SECONDS: Final = 0.5
# Queries whose SQL is remembered: a few columns asked by, in their combinations, at a few page sizes.
READ_SHAPES_MAX: Final = 256

# --- asyncio
# Threads of our own for the async twins; a call that waits for its commit needs a thread, the processor does not.
ASYNC_WORKERS: Final = 8

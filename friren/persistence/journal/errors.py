"""What the journal raises."""

from __future__ import annotations

__all__ = ["JournalUnavailableError", "SegmentLeftError"]


class JournalUnavailableError(Exception):
    """
    The disk refuses the record: full, read-only, failing, or this process no longer owns the journal.

    Not an error for callers of loggers: the engine takes the record into memory instead. The record may
    have reached the disk all the same; appending it again is harmless, since facts carry their identity.
    """


class SegmentLeftError(OSError):
    """
    A segment could not be begun, and its name may still be there, now or after a power cut.

    Records that another segment took from that number on would be looked for in this one.
    """

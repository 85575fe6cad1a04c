"""The reading side of a journal, its writer alive or dead."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["Damage", "JournalReader", "Record"]


class Record(NamedTuple):
    """One record: its number and what was appended."""

    seq: int
    payload: bytes


class Damage(NamedTuple):
    """Records `seq` to `last_seq` are unreadable; `payload` is what is left of their bytes (cut to a bound)."""

    seq: int
    last_seq: int
    payload: bytes


class JournalReader:
    """
    Reads the journal of one producer: the same `producer`, `address`, `last_seq`, `read` and `drained` as Journal.

    Attributes:
        alive: whether its writer holds the lock.
    """

    def __init__(self, directory: Path) -> None: ...

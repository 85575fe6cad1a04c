"""The next records of a journal, read and understood while the server is at those before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from friren.persistence.journal import Damage, Record
from friren.persistence.letters import Letter, letter_of
from friren.persistence.settings import READ_AHEAD_ROWS

__all__ = ["ReadAhead", "Readable"]


class Readable(Protocol):
    """What can be read ahead in: a journal."""

    @property
    def last_seq(self) -> int:
        """The number of the last record."""

    def read(self, from_seq: int, limit: int) -> list[Record | Damage]:
        """Return up to `limit` entries from number `from_seq` on."""


class ReadAhead:
    """Reads a journal batch by batch."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._forget()

    def _forget(self) -> None:
        self._first: int | None = None
        self._entries: Sequence[Record | Damage] = ()
        self._letters: list[Letter] = []

    def take(self, first: int, rows: int) -> list[Letter]:
        """Return up to `rows` letters from number `first` on: those that are ready if they begin there, or read now."""
        if self._first != first or not 0 < len(self._entries) <= rows:
            self._forget()
            self._entries = self._source.read(first, rows)
        self._understand(rows)
        letters = self._letters
        self._forget()
        return letters

    def get_ready(self, first: int, rows: int) -> None:
        """Read the batch from number `first` on, or understand some more of it. Never raises."""
        if self._first == first:
            self._understand(READ_AHEAD_ROWS)
            return
        self._forget()
        self._first = first
        # Of a batch that is not full yet more may be written until its turn comes.
        if self._source.last_seq - first + 1 >= rows:
            try:
                self._entries = self._source.read(first, rows)
            except OSError:
                self._entries = ()  # whoever takes the batch hears of it

    def _understand(self, count: int) -> None:
        done = len(self._letters)
        self._letters.extend(letter_of(entry) for entry in self._entries[done : done + count])

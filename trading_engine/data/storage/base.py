"""What every storage can do, wherever it keeps its tables."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Record", "Side", "Storage", "Written"]

# Under the names of the source, see `trading_engine.data.prescient`.
Record = Mapping[str, Any]


class Side(enum.StrEnum):
    """What became of records on one side."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    JOURNALED = "journaled"  # on this machine's disk; the database gets them when it answers
    BEHIND = "behind"  # this side refused, and knows less than the other
    OFF = "off"  # this side is not written


@dataclass(frozen=True, slots=True)
class Written:
    """What became of records: in the file, and in the database."""

    file: Side = Side.OFF
    database: Side = Side.OFF


class Storage(Protocol):
    """
    Tables of one account, by the names of the source.

    A table of history keeps every record that was ever saved, each once by its key; of a day that is told again the
    newer reading stays. A table that is overwritten holds the records that were saved last.
    """

    def save(self, table: str, records: Iterable[Record]) -> Written:
        """
        Save records.

        Raises:
            RejectedRecordError: a record breaks a rule; nothing was saved.
            KeyReusedError: the key of one is taken by other content.
        """
        ...

    def load(self, table: str) -> list[dict[str, Any]]:
        """Return what a table holds, in the order of its keys."""
        ...

    def iterate(self, table: str) -> Iterator[dict[str, Any]]:
        """Yield what `load` returns, in any order, in bounded memory."""
        ...

    def close(self) -> None:
        """Take no more records. Safe to call twice."""
        ...

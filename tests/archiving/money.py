"""Killing a process that moves the books of closed periods, and looking where the rows are and what the books say."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from friren.operations.archive.policies import all_policies
from friren.operations.archive.service import archive, unarchive
from friren.operations.models import ArchiveRun
from tests.archiving.books import SHAPES, Book, readings
from tests.archiving.kills import places_of_rows
from tests.integration.friren.operations.archive.conftest import LATER, live

__all__ = ["MONEY", "MONEY_PLACES", "Books", "move_money"]

MONEY = [*(policy.name for policy in all_policies() if policy.bundle == "books"), "Signal", "SentimentData"]
_BUNDLED = "friren.operations.archive.bundled"
_KEEPER = "portfolio_manager.booking.leaving:BookArchive"
# What a process that archives money and brings it back comes by: function and moment.
MONEY_PLACES = [
    (f"{_BUNDLED}:settle", "after"),
    (f"{_BUNDLED}:make_shape", "after"),
    (f"{_BUNDLED}:close_archive", "after"),
    (f"{_BUNDLED}:raise_horizon", "before"),
    (f"{_BUNDLED}:raise_horizon", "after"),
    (f"{_KEEPER}.hold", "before"),
    (f"{_KEEPER}.hold", "after"),
    (f"{_KEEPER}.leaving", "after"),
    (f"{_KEEPER}.returning", "after"),
    (f"{_BUNDLED}:move_ids", "before"),
    (f"{_BUNDLED}:move_ids", "after"),
    (f"{_BUNDLED}:check_columns", "after"),
    ("friren.operations.archive.runs:begin", "after"),
    ("friren.operations.archive.runs:record", "after"),
    ("friren.operations.archive.runs:complete", "before"),
    ("friren.operations.archive.runs:complete", "after"),
    ("django.db.backends.base.base:BaseDatabaseWrapper._commit", "before"),
    ("django.db.backends.base.base:BaseDatabaseWrapper._commit", "after"),
]


def move_money(chance: random.Random | None = None) -> None:
    """Archive the books and bring them back, or some of the way."""
    ways = [lambda: archive(["Trade"], now=LATER, older_than=LATER), lambda: unarchive(["Trade"], until=LATER)]
    for way in ways if chance is None else chance.choices(ways, k=6):
        way()


@dataclasses.dataclass(frozen=True)
class Books:
    """Books as they were before anything was moved: their rows by table, and what they say."""

    books: Sequence[Book]
    rows: dict[str, list[str]]
    ids: dict[str, set[str]]
    said: list[dict[str, Any]]

    @classmethod
    def lived(cls, count: int, episodes: int) -> Books:
        """Let books live, and close a period of each."""
        books = [
            Book(f"book {number}", SHAPES[number % len(SHAPES)], random.Random(number), episodes=episodes)
            for number in range(count)
        ]
        for book in books:
            book.live_through()
        ids = {name: places_of_rows(name, Path())["table"] for name in MONEY}
        return cls(books, {name: live(name) for name in MONEY}, ids, [readings(book) for book in books])

    def misplaced(self, number: int = 0) -> Iterator[str]:
        """Yield what is wrong with where the rows are now, and with what one of the books, the `number`-th, says."""
        for name in MONEY:
            found = places_of_rows(name, Path())
            kept = [found["table"], found["archive"]]
            if sum(map(len, kept)) != len(self.ids[name]) or set().union(*kept) != self.ids[name]:
                yield f"{name}: {', '.join(f'{len(rows)} in {place}' for place, rows in found.items())}"
        place = number % len(self.books)
        said = readings(self.books[place])
        yield from (f"book {place}: {what}" for what in said if said[what] != self.said[place][what])

    def unlike(self) -> Iterator[str]:
        """Yield what is not as it was, once all is brought back."""
        unarchive(["Trade"], until=LATER)
        yield from (f"{name}: other rows than there were" for name in MONEY if live(name) != self.rows[name])
        for place in range(len(self.books)):
            yield from self.misplaced(place)
        if running := ArchiveRun.objects.filter(status="RUNNING").count():
            yield f"{running} runs are still running"

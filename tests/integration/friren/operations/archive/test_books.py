"""The books of closed periods go to the archive and come back, and whoever asks them gets the same answers."""

from __future__ import annotations

import os
import random

import pytest

from friren.operations import audit
from friren.operations.archive.policies import all_policies
from friren.operations.archive.service import archive, unarchive
from tests.archiving.books import CLOSED, SHAPES, Book, readings, told_again
from tests.integration.friren.operations.archive.conftest import LATER, archived, live

# A hundred or more when somebody asks for it.
BOOKS = int(os.environ.get("FRIREN_TEST_BOOKS", "0")) or len(SHAPES)
TABLES = [policy.name for policy in all_policies() if policy.bundle == "books"]
ALL = [*TABLES, "Signal", "SentimentData"]


def lived(seed: int, shape: tuple[str, str]) -> Book:
    book = Book(f"book {seed}", shape, random.Random(seed))
    book.live_through()
    book.loggers["books"].close_period(CLOSED)
    audit.seal()
    return book


@pytest.mark.parametrize("seed", range(BOOKS))
def test_whatever_is_asked_is_answered_the_same_before_the_archive_after_it_and_after_the_way_back(seed) -> None:
    book = lived(seed, SHAPES[seed % len(SHAPES)])
    rows, before, again = {name: live(name) for name in ALL}, readings(book), list(told_again(book))
    assert before["rebuild"][1] == ()
    assert before["audit"]

    moved = archive(["Trade"], now=LATER, older_than=LATER)

    assert {one.table: one.rows for one in moved}["trading_engine_trade"] > 0
    for name in ALL:
        assert sorted(live(name) + archived(name)) == rows[name], name
    assert readings(book) == before
    assert list(told_again(book)) == again
    assert readings(book) == before
    unarchive(["Trade"], until=LATER)
    assert {name: live(name) for name in ALL} == rows
    assert not any(archived(name) for name in ALL)
    assert readings(book) == before
    assert list(told_again(book)) == again

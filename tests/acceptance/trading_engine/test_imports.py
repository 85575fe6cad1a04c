"""Imports that are killed, and files far larger than memory should be: nothing is lost or doubled, and memory stays."""

from __future__ import annotations

import sys

import pytest

from friren.accounts import open_account
from friren.persistence.models import DeadLetter
from tests.imports import MEGABYTES, imported, peak_of_import, write_fills
from tests.killed import killed
from trading_engine.models import Trade
from trading_engine.services import data_imports

pytestmark = [
    pytest.mark.usefixtures("database"),
    pytest.mark.skipif(sys.platform == "win32", reason="fork, SIGKILL and /proc are POSIX"),
]
LINE_BYTES = 1024
SMALL_MEGABYTES = 3
# Of whatever size the larger file is: less than it would take to hold the difference once.
GROWTH_MAX = 6.0
ROWS = 60
BATCH_ROWS = 10
_COMMIT = "django.db.backends.base.base:BaseDatabaseWrapper._commit"
_BATCHES = "trading_engine.services.import_batches"
# Function, moment, and which call of it is the last.
PLACES = [
    ("trading_engine.services.data_imports:store_batch_of_imports", "before", 2),
    (f"{_BATCHES}:prepare", "after", 1),
    (f"{_BATCHES}:apply_batch", "after", 2),
    (f"{_BATCHES}:keep_conflicts", "after", 1),
    (_COMMIT, "before", 3),
    (_COMMIT, "after", 3),
    ("trading_engine.services.data_imports:store_batch_of_imports", "after", 4),
]


def test_an_import_that_is_killed_anywhere_goes_on_where_it_stood(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(data_imports, "BULK_BATCH_ROWS", BATCH_ROWS)
    open_account("broker")
    # The first two are stored with another price: of these conflicts there is one each, whoever is killed.
    imported(write_fills(tmp_path / "first.jsonl", 2, price="1"))
    path = write_fills(tmp_path / "fills.jsonl", ROWS)

    stored = [2]
    for place, moment, call in PLACES:
        killed(lambda: imported(path), place, moment, call)
        stored.append(Trade.objects.count())
        # Whole batches, and never less than before.
        assert stored[-1] % BATCH_ROWS == 0 or stored[-1] == 2, (place, stored)
    report = imported(path)

    assert stored == sorted(stored)
    assert 2 < stored[-1] < ROWS
    assert (report.imported, report.duplicates, report.conflicts) == (ROWS - stored[-1], stored[-1] - 2, 2)
    told = Trade.objects.order_by("executed_at").values_list("external_id", flat=True)
    assert list(told) == [f"fill {number}" for number in range(ROWS)]
    letters = list(DeadLetter.objects.values_list("kind", "error", "producer"))
    assert len(letters) == 2, letters
    assert imported(path).imported == 0


def test_memory_does_not_grow_with_the_file(tmp_path) -> None:
    open_account("broker")
    explained = "because the short average crossed the long one " * 20
    few, many = (size * 1024 * 1024 // LINE_BYTES for size in (SMALL_MEGABYTES, MEGABYTES))
    small = write_fills(tmp_path / "small.jsonl", few, explained=explained)
    large = write_fills(tmp_path / "large.jsonl", many, explained=explained)
    assert large.stat().st_size > MEGABYTES * 1024 * 1024

    first, _ = peak_of_import(small)
    peak, report = peak_of_import(large)

    assert (report.records, report.imported) == (many, many - few)
    assert peak - first < GROWTH_MAX, f"{first:.0f} MB for {SMALL_MEGABYTES} MB, {peak:.0f} MB for {MEGABYTES} MB"

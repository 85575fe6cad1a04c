"""Ctrl-C, or the handler of a signal that raises, in the midst of an append: what was acknowledged is there."""

from __future__ import annotations

import itertools

import pytest

from friren.persistence import settings
from friren.persistence.journal import Journal, Record, expiry, journals_of, reader
from friren.persistence.journal.files import Files
from tests.interruptions import cut_off

from .conftest import ADDRESS

JOURNAL = ("persistence/journal/",)


class QuickFiles(Files):
    """A disk that needs no time to sync."""

    datasync = staticmethod(lambda _handle: None)

    def sync_directory(self, path):
        pass


class Writer:
    """Appends numbered records and remembers which were acknowledged."""

    def __init__(self, root, *, sync: bool) -> None:
        self.journal, self.told = Journal(root, ADDRESS, segment_bytes=600, files=QuickFiles()), {}
        self._sync, self._number = sync, 0

    def append(self) -> None:
        self._number += 1
        payload = f"record {self._number} ".encode() * 8
        self.told[self.journal.append(payload, sync=self._sync)] = payload

    def assert_all_is_there(self, root, where) -> None:
        reader._ends.clear()
        [found] = journals_of(root, ADDRESS)
        for entries in (found.read(1, 100), self.journal.read(1, 100)):
            assert [entry.seq for entry in entries] == list(range(1, max(self.told) + 1)), where
            records = {entry.seq: entry.payload for entry in entries if isinstance(entry, Record)}
            assert {seq: records.get(seq) for seq in self.told} == self.told, where


@pytest.mark.parametrize("sync", [True, False], ids=["synced", "not synced"])
@pytest.mark.parametrize("before", [0, 3, 5], ids=["the first record", "within a segment", "a new segment"])
def test_wherever_a_call_is_cut_off_what_was_acknowledged_before_and_after_is_there(tmp_path, sync, before) -> None:
    for at in itertools.count(1):
        writer = Writer(tmp_path / f"{at}", sync=sync)
        for _ in range(before):
            writer.append()
        cut = cut_off(writer.append, at=at, within=JOURNAL)
        for _ in range(5):
            writer.append()
        writer.assert_all_is_there(tmp_path / f"{at}", at)
        writer.journal.close()
        if not cut:
            break
    assert at > 10


@pytest.mark.parametrize("sync", [True, False], ids=["synced", "not synced"])
def test_so_is_it_when_the_call_after_it_is_cut_off_too(tmp_path, sync) -> None:
    for first, second in itertools.product(range(5, 60, 9), range(1, 200, 3)):
        root = tmp_path / f"{first}-{second}"
        writer = Writer(root, sync=sync)
        for _ in range(3):
            writer.append()
        cut_off(writer.append, at=first, within=JOURNAL)
        cut_off(writer.append, at=second, within=JOURNAL)
        for _ in range(3):
            writer.append()
        writer.assert_all_is_there(root, (first, second))
        writer.journal.close()


def test_a_segment_is_the_last_try_at_its_number_though_an_earlier_one_was_given_up(tmp_path, monkeypatch) -> None:
    """The later try counts: a new one must not take the name of one that went before it."""
    monkeypatch.setattr(settings, "JOURNAL_KEEP_SECONDS", -1.0)
    writer = Writer(tmp_path, sync=False)
    for _ in range(2):
        writer.append()
    for _ in range(2):
        writer.journal._leave()
        writer.journal._begin(3)
        expiry.expire(writer.journal.directory, 2, files=writer.journal._files)
    writer.journal._leave()
    writer.append()
    [found] = journals_of(tmp_path, ADDRESS)
    assert [entry.payload for entry in found.read(3, 10)] == [writer.told[3]]

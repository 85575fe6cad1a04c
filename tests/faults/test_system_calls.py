"""Each call that the journal makes of the system fails in its turn: callers hear one error, and nothing is lost."""

from __future__ import annotations

import errno
import os

import pytest

from friren.persistence import settings
from friren.persistence.journal import Address, Journal, JournalUnavailableError, Record, journals_of, reader
from friren.persistence.journal.files import Files

ADDRESS = Address(host="db.example", port="5432", name="trading")
# What pathlib and the journal itself call.
CALLS = ("open", "dup", "fsync", "fstat", "stat", "lseek", "read", "listdir", "mkdir", "unlink", "replace", "chmod")


class Turn:
    """Counts calls, and lets one of them fail; or that one and all that follow."""

    def __init__(self, code: int) -> None:
        self.code, self.left, self.count, self.lasting = code, -1, 0, False

    def __call__(self, really):
        def counted(*arguments, **options):
            self.count += 1
            self.left -= 1
            if self.left == 0 or (self.lasting and self.left < 0 <= self.left + self.count):
                raise OSError(self.code, os.strerror(self.code))
            return really(*arguments, **options)

        return counted

    def begin(self, at: int, *, lasting: bool) -> None:
        self.left, self.count, self.lasting = at, 0, lasting


def history(root, files, told: dict[int, bytes]) -> Journal:
    """A short life with everything in it: segments that end, syncs, what is drained given up, a look back."""
    journal = Journal(root, ADDRESS, segment_bytes=600, files=files)
    for number in range(12):
        payload = f"record {number} ".encode() * 10
        try:
            told[journal.append(payload, sync=number % 3 == 0)] = payload
        except JournalUnavailableError:
            continue
    return journal


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("code", [errno.EIO, errno.EMFILE])
def test_whichever_call_fails_the_caller_hears_one_error_and_nothing_told_is_lost(
    tmp_path, monkeypatch, code, lasting
) -> None:
    turn = Turn(code)
    monkeypatch.setattr(settings, "JOURNAL_KEEP_SECONDS", -1.0)
    files = Files()
    for name in ("write", "datasync", "truncate"):
        monkeypatch.setattr(files, name, turn(getattr(files, name)), raising=False)
    for name in CALLS:
        monkeypatch.setattr(os, name, turn(getattr(os, name)))
    turn.begin(0, lasting=False)
    history(tmp_path / "whole", files, {}).close()
    calls = turn.count
    assert calls > 60
    for at in range(1, calls + 1):
        root, told = tmp_path / f"{at}", {}
        turn.begin(at, lasting=lasting)
        journal = history(root, files, told)
        turn.begin(0, lasting=False)
        journal.append(b"after relief", sync=True)
        journal._refusal = "killed"
        journal._release()
        reader._ends.clear()
        [found] = journals_of(root, ADDRESS)
        records = {entry.seq: entry.payload for entry in found.read(1, 100) if isinstance(entry, Record)}
        assert {seq: records.get(seq) for seq in told} == told, f"call {at} of {calls}"

"""Power cuts, kills, full and failing disks in any order: what was told to be safe is."""

from __future__ import annotations

import errno
import random

import pytest

from friren.persistence.journal import Address, Journal, JournalUnavailableError, journals_of
from tests.faults import power_cuts
from tests.faults.disk import Disk

ADDRESS = Address(host="db.example", port="5432", name="trading")
HISTORIES = 200
SEED = 20261120


@pytest.fixture
def disk(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return Disk(home)


@pytest.fixture
def cut(tmp_path, disk):
    """What may be found after a power cut: fifty times, each by other chances."""

    def readers():
        for seed in range(50):
            target = tmp_path / f"after-{seed}"
            disk.after_power_cut(target, random.Random(seed))
            yield target

    return readers


def test_no_history_loses_what_was_told_to_be_safe() -> None:
    power_cuts.histories(HISTORIES, seed=SEED)


def test_what_was_not_synced_may_be_gone(disk, cut) -> None:
    """Else the disk of this laboratory shows nothing."""
    handle = disk.create(disk.root / "file")
    disk.write(handle, b"x" * 2000)
    left = [(target / "file").read_bytes() if (target / "file").exists() else None for target in cut()]
    assert None in left
    assert b"x" * 2000 in left
    assert any(found is not None and 0 < found.count(b"x") < 2000 for found in left)


def test_what_was_synced_is_there(disk, cut) -> None:
    handle = disk.create(disk.root / "file")
    disk.write(handle, b"x" * 2000)
    disk.datasync(handle)
    disk.sync_directory(disk.root)
    assert {(target / "file").read_bytes() for target in cut()} == {b"x" * 2000}


def test_the_first_record_of_a_new_home_survives(disk, cut) -> None:
    """Every name above it is synced, the journal's own folder too."""
    journal = Journal(disk.root / "new" / "home" / "journal", ADDRESS, files=disk)
    journal.append(b"first", sync=True)
    for target in cut():
        [found] = journals_of(target / "new" / "home" / "journal", ADDRESS)
        assert [entry.payload for entry in found.read(1, 10)] == [b"first"]


@pytest.mark.parametrize("call", ["write", "sync_directory"])
@pytest.mark.parametrize("also", ["unlink", ""])
def test_a_segment_that_could_not_be_begun_hides_no_record_of_the_one_before(disk, cut, call, also) -> None:
    journal = Journal(disk.root / "journal", ADDRESS, segment_bytes=600, files=disk)
    journal.append(b"x" * 500, sync=True)
    disk.refusing |= {call: errno.EIO, **({also: errno.EIO} if also else {})}
    told = []
    for payload in (b"y" * 500, b"z"):
        try:
            journal.append(payload, sync=True)
            told.append(payload)
        except JournalUnavailableError:
            pass
    assert b"z" in told
    for root in (disk.root, *cut()):
        [found] = journals_of(root / "journal", ADDRESS)
        assert [entry.payload for entry in found.read(1, 10)] == [b"x" * 500, *told]


def test_what_a_disk_lost_for_good_is_not_written_over_what_came_after_it(disk) -> None:
    """A copy that began with the lost records would end where the segment after them begins."""
    journal = Journal(disk.root / "journal", ADDRESS, segment_bytes=600, files=disk)
    journal.append(b"before", sync=False)
    disk.refusing |= {"datasync": errno.EIO, "create": errno.EIO}
    with pytest.raises(JournalUnavailableError):
        journal.append(b"refused", sync=True)
    journal.append(b"x" * 300, sync=False)
    disk.refusing |= {"datasync": errno.EIO}
    journal.append(b"y" * 300, sync=False)
    journal.append(b"last", sync=True)
    [found] = journals_of(disk.root / "journal", ADDRESS)
    assert [entry.payload for entry in found.read(1, 10)] == [b"before", b"refused", b"x" * 300, b"y" * 300, b"last"]

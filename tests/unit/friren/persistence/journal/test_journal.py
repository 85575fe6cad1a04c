"""What is appended is read back, in order, by this process and by the next."""

from __future__ import annotations

import os
import stat
import threading
import time

import pytest

from friren.persistence import settings
from friren.persistence.journal import (
    Address,
    Damage,
    Journal,
    JournalReader,
    JournalUnavailableError,
    Record,
    expiry,
    journals_of,
    journals_under,
    locking,
)

from .conftest import ADDRESS


def payloads(count: int, *, first: int = 1) -> list[bytes]:
    return [f'{{"n": {number}, "text": "{"x" * (number % 90)}"}}'.encode() for number in range(first, first + count)]


def append_all(journal: Journal, wanted: list[bytes], *, sync: bool = False) -> list[int]:
    return [journal.append(payload, sync=sync) for payload in wanted]


def read_all(source, *, limit: int = 7) -> list[Record | Damage]:
    found: list[Record | Damage] = []
    while part := source.read(_following(found), limit):
        assert len(part) <= limit
        found += part
    return found


def _following(found) -> int:
    if not found:
        return 1
    return found[-1].last_seq + 1 if isinstance(found[-1], Damage) else found[-1].seq + 1


def test_makes_nothing_on_disk_before_the_first_record(root) -> None:
    journal = Journal(root, ADDRESS)
    journal.close()
    assert not root.exists()
    assert journal.last_seq == 0


def test_numbers_records_without_gaps_and_reads_them_back(journal) -> None:
    wanted = payloads(300)
    assert append_all(journal, wanted) == list(range(1, 301))
    assert journal.last_seq == 300
    assert [(record.seq, record.payload) for record in read_all(journal)] == list(enumerate(wanted, 1))
    assert len(list(journal.directory.glob("*.seg"))) > 3


def test_reads_from_any_number(journal) -> None:
    wanted = payloads(200)
    append_all(journal, wanted)
    for first in (1, 2, 57, 199, 200):
        assert [item.payload for item in journal.read(first, 1000)] == wanted[first - 1 :]
    assert journal.read(201, 10) == []


def test_another_process_reads_the_same(journal) -> None:
    wanted = payloads(100)
    append_all(journal, wanted)
    [reader] = journals_of(journal.directory.parent.parent, ADDRESS)
    assert reader.producer == journal.producer
    assert reader.alive
    assert reader.last_seq == 100
    assert [item.payload for item in read_all(reader)] == wanted
    journal.close()
    assert not reader.alive
    assert reader.last_seq == 100


def test_a_reader_follows_a_growing_journal(journal) -> None:
    reader = JournalReader(journal.directory, ADDRESS)
    assert reader.last_seq == 0
    seen: list[bytes] = []
    for turn in range(40):
        wanted = payloads(11, first=turn * 11 + 1)
        append_all(journal, wanted)
        assert reader.last_seq == (turn + 1) * 11
        part = reader.read(len(seen) + 1, 1000)
        assert [item.payload for item in part] == wanted
        seen += wanted


def test_holds_empty_and_large_payloads(journal) -> None:
    wanted = [b"", b"x" * 50_000, b"y", b"z" * 5_000_000, b"\xf5rec" * 30]
    append_all(journal, wanted)
    assert [item.payload for item in read_all(journal)] == wanted


def test_reads_fewer_records_at_a_time_when_they_are_large(journal, monkeypatch) -> None:
    monkeypatch.setattr(settings, "DRAIN_BATCH_BYTES", 1000)
    wanted = [b"x" * 400] * 9 + [b"y" * 5000, b"z"]
    append_all(journal, wanted)
    assert [len(journal.read(first, 100)) for first in (1, 4, 9, 10, 11)] == [3, 3, 2, 1, 1]
    assert [item.payload for item in read_all(JournalReader(journal.directory, ADDRESS), limit=100)] == wanted


def test_only_its_owner_may_read_the_files(journal) -> None:
    journal.append(b"{}", sync=True)
    for path in [journal.directory, *journal.directory.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert stat.S_IMODE(journal.directory.parent.parent.stat().st_mode) == 0o700


def test_says_in_plain_text_whose_database_it_is(journal) -> None:
    journal.append(b"{}", sync=False)
    assert b'"name":"trading"' in (journal.directory.parent / "address.json").read_bytes()
    other = Address(host="db.example", port="5433", name="trading")
    root = journal.directory.parent.parent
    assert other.folder != ADDRESS.folder
    assert journals_of(root, other) == []
    assert [reader.address for reader in journals_under(root)] == [ADDRESS]


def test_a_lost_address_file_makes_the_address_unknown_and_nothing_else(journal) -> None:
    journal.append(b"{}", sync=False)
    (journal.directory.parent / "address.json").unlink()
    root = journal.directory.parent.parent
    [reader] = journals_under(root)
    assert reader.address.name == "?"
    assert [item.payload for item in reader.read(1, 10)] == [b"{}"]
    assert len(journals_of(root, ADDRESS)) == 1


def test_one_sync_serves_all_who_wait_for_one(journal, files, monkeypatch) -> None:
    really, all_wait = files.datasync, threading.Event()

    def slow(handle: int) -> None:
        assert all_wait.wait(60)
        really(handle)

    journal.append(b"{}", sync=True)  # a segment, which costs syncs of its own
    before = files.syncs
    monkeypatch.setattr(files, "datasync", slow)
    threads = [threading.Thread(target=journal.append, args=(b"{}",), kwargs={"sync": True}) for _ in range(8)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 60
    while journal.last_seq < 9:
        assert time.monotonic() < until
        time.sleep(0.001)
    all_wait.set()
    for thread in threads:
        thread.join()
    assert len(read_all(journal)) == 9
    # The one under way when they came, of which nobody knows what it has seen, and one for all.
    assert files.syncs - before <= 2


def test_numbers_are_unique_under_threads(journal) -> None:
    numbers: list[int] = []

    def work() -> None:
        numbers.extend(append_all(journal, payloads(500)))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 3001))
    assert [record.seq for record in read_all(journal, limit=1000)] == list(range(1, 3001))


def test_drained_segments_stay_as_a_second_copy_until_their_time_comes(journal, monkeypatch) -> None:
    append_all(journal, payloads(300))
    before = sorted(journal.directory.glob("*.seg"))
    journal.drained(200)
    assert sorted(journal.directory.glob("*.seg")) == before
    monkeypatch.setattr(settings, "JOURNAL_KEEP_SECONDS", -1.0)
    journal.drained(200)
    left = sorted(journal.directory.glob("*.seg"))
    assert 0 < len(left) < len(before)
    assert [item.seq for item in journal.read(201, 1000)] == list(range(201, 301))
    journal.drained(300)
    assert sorted(journal.directory.glob("*.seg")) == left[-1:]  # the one being written stays
    assert journal.append(b"more", sync=True) == 301


def test_a_writer_that_is_looked_at_in_the_moment_of_its_birth_holds_its_lock_all_the_same(journal, files) -> None:
    really = files.open_lock

    def looked_at(path):
        handle = really(path)
        looking = locking.hold(path)
        threading.Timer(0.005, os.close, (looking,)).start()
        return handle

    files.open_lock = looked_at
    journal.append(b"first", sync=False)
    assert JournalReader(journal.directory, ADDRESS).alive


def test_a_writer_whose_empty_folder_is_removed_in_the_moment_of_its_birth_makes_it_again(journal, files) -> None:
    really, turns = files.create, iter([True])

    def create(path):
        if path.suffix == ".seg" and next(turns, False):
            expiry.remove_if_empty(path.parent, lock="lock")
            assert not path.parent.exists()
        return really(path)

    files.create = create
    journal.append(b"first", sync=True)
    assert [item.payload for item in read_all(journal)] == [b"first"]
    assert JournalReader(journal.directory, ADDRESS).alive


def test_drained_segments_go_the_oldest_first(journal, files, monkeypatch) -> None:
    """Who is killed half way leaves the end, which says how many records there were."""
    append_all(journal, payloads(300))
    journal.close()
    monkeypatch.setattr(settings, "JOURNAL_KEEP_SECONDS", -1.0)
    before, removed = sorted(path.name for path in journal.directory.glob("*.seg")), []
    monkeypatch.setattr(files, "unlink", lambda path: (removed.append(path.name), path.unlink()))
    JournalReader(journal.directory, ADDRESS, files=files).drained(300)
    assert removed == before
    assert len(removed) > 2


def test_drained_segments_go_when_they_are_too_many(journal, monkeypatch) -> None:
    append_all(journal, payloads(300))
    before = len(list(journal.directory.glob("*.seg")))
    monkeypatch.setattr(settings, "JOURNAL_KEEP_BYTES", 10_000)
    journal.drained(300)
    assert len(list(journal.directory.glob("*.seg"))) == 3 < before  # two of them drained, and the current one


def test_an_old_journal_of_a_dead_writer_keeps_what_is_not_drained(journal, monkeypatch) -> None:
    append_all(journal, payloads(300))
    journal.close()
    monkeypatch.setattr(settings, "JOURNAL_KEEP_SECONDS", -1.0)
    reader = JournalReader(journal.directory, ADDRESS)
    reader.drained(299)
    assert [item.seq for item in reader.read(300, 10)] == [300]
    reader.drained(300)
    assert not journal.directory.exists()


def test_a_closed_journal_refuses(journal) -> None:
    journal.append(b"1", sync=False)
    journal.close()
    journal.close()
    with pytest.raises(JournalUnavailableError, match="closed"):
        journal.append(b"2", sync=False)
    assert [item.payload for item in read_all(journal)] == [b"1"]


def test_a_link_in_place_of_its_folder_is_refused(root, tmp_path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    root.mkdir()
    (root / ADDRESS.folder).symlink_to(elsewhere)
    journal = Journal(root, ADDRESS)
    with pytest.raises(JournalUnavailableError):
        journal.append(b"1", sync=False)
    assert not any(elsewhere.iterdir())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_cannot_append_and_keeps_no_lock(journal) -> None:
    journal.append(b"parent", sync=True)
    reader = JournalReader(journal.directory, ADDRESS)
    told, tell = os.pipe()
    go, let_go = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            journal.append(b"child", sync=True)
            os.write(tell, b"appended")
        except JournalUnavailableError:
            os.write(tell, b"refused")
        os.read(go, 1)
        os._exit(0)
    try:
        assert os.read(told, 100) == b"refused"
        assert journal.append(b"parent again", sync=True) == 2
        assert reader.alive
        journal.close()
        assert not reader.alive  # though the child is still running
        assert [item.payload for item in reader.read(1, 10)] == [b"parent", b"parent again"]
    finally:
        os.write(let_go, b"1")
        os.waitpid(child, 0)
        for handle in (told, tell, go, let_go):
            os.close(handle)

"""A disk that refuses: the caller is told, what was accepted stays, and work goes on after relief."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import sys
import textwrap
import threading

import pytest

from friren.persistence.journal import Journal, JournalReader, JournalUnavailableError, Record

from .conftest import ADDRESS
from .test_journal import append_all, payloads, read_all

CALLS = ["make_directory", "create", "sync_directory", "write"]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("code", [errno.EROFS, errno.ENOSPC, errno.EIO, errno.EMFILE])
def test_a_journal_that_cannot_begin_begins_later(journal, files, call, code) -> None:
    files.failing[call] = code
    for _ in range(3):
        with pytest.raises(JournalUnavailableError):
            journal.append(b"refused", sync=False)
    assert journal.last_seq == 0
    files.failing.clear()
    assert append_all(journal, payloads(3), sync=True) == [1, 2, 3]
    assert [item.payload for item in read_all(journal)] == payloads(3)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EFBIG])
def test_a_refused_record_leaves_no_trace(journal, files, code) -> None:
    append_all(journal, payloads(5))
    files.failing["write"] = code
    with pytest.raises(JournalUnavailableError) as caught:
        journal.append(b"refused", sync=True)
    assert caught.value.__cause__.errno == code
    files.failing.clear()
    assert journal.append(b"sixth", sync=True) == 6
    assert [item.payload for item in read_all(journal)] == [*payloads(5), b"sixth"]


@pytest.mark.parametrize("room", range(0, 60, 7))
@pytest.mark.parametrize("truncatable", [True, False])
def test_half_a_record_on_a_full_disk_is_taken_back(journal, files, room, truncatable) -> None:
    append_all(journal, payloads(5))
    files.room = room
    if not truncatable:
        files.failing["truncate"] = errno.EIO
    with pytest.raises(JournalUnavailableError):
        journal.append(b"x" * 100, sync=True)
    files.room = None
    files.failing.clear()
    assert journal.append(b"sixth", sync=True) == 6
    journal.close()
    found = read_all(JournalReader(journal.directory, ADDRESS))
    assert [item.payload for item in found] == [*payloads(5), b"sixth"]


def test_drained_segments_make_room_on_a_full_disk(journal, files, monkeypatch) -> None:
    append_all(journal, payloads(200))
    journal.drained(150)
    before = len(list(journal.directory.glob("*.seg")))
    unlinked = []

    def unlink(path):
        unlinked.append(path)
        files.room = None
        path.unlink()

    monkeypatch.setattr(files, "unlink", unlink)
    files.room = 10
    assert journal.append(b"x" * 100, sync=False) == 201
    assert unlinked
    assert len(list(journal.directory.glob("*.seg"))) < before
    assert [item.seq for item in journal.read(151, 1000)] == list(range(151, 202))


def test_what_a_failed_sync_may_have_lost_is_written_again_elsewhere(journal, files, monkeypatch, caplog) -> None:
    append_all(journal, payloads(4), sync=True)
    append_all(journal, payloads(3, first=5))
    synced = journal._size
    broken = journal.directory / journal._segment.file_name

    def fail_once(handle):
        monkeypatch.undo()
        # What the kernel gives up after such a failure: everything that was not synced.
        os.ftruncate(handle, synced)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(files, "datasync", fail_once)
    assert journal.append(b"eighth", sync=True) == 8
    assert "failed to sync" in caplog.text
    assert journal.append(b"ninth", sync=True) == 9
    # The whole of the old file behind its last good sync is gone, and nobody misses it.
    os.truncate(broken, journal_size_of_first(broken, 4))
    journal.close()
    found = read_all(JournalReader(journal.directory, ADDRESS))
    assert [item.payload for item in found] == [*payloads(7), b"eighth", b"ninth"]


def test_a_failed_sync_is_not_hidden_by_what_another_thread_does_meanwhile(journal, files) -> None:
    """The kernel tells a failure once: a second sync of that file would succeed, and save nothing."""
    entered, go = threading.Event(), threading.Event()
    wanted = [*payloads(3), b"waits", *payloads(200, first=5)]
    append_all(journal, wanted[:3])
    broken = journal.directory / journal._segment.file_name
    really, calls = files.datasync, itertools.count()

    def fails_once(handle) -> None:
        if next(calls):
            really(handle)
            return
        entered.set()
        go.wait(10)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    files.datasync = fails_once
    waiter = threading.Thread(target=journal.append, args=(b"waits",), kwargs={"sync": True})
    waiter.start()
    assert entered.wait(10)
    append_all(journal, wanted[4:])  # far more than a segment takes
    go.set()
    waiter.join(10)
    assert journal._synced.upto == len(wanted)
    broken.write_bytes(b"")  # what was in it was never synced
    assert [item.payload for item in read_all(JournalReader(journal.directory, ADDRESS))] == wanted
    assert append_all(journal, payloads(100)) == list(range(205, 305))
    assert len(list(journal.directory.glob("*.seg"))) > 2  # segments end again


def journal_size_of_first(path, count: int) -> int:
    """Return where the first `count` records of a segment end."""
    data = path.read_bytes()
    at = data.index(b"\xf5rec")
    for _ in range(count):
        at += 24 + int.from_bytes(data[at + 4 : at + 8], "little")
    return at


def test_nobody_is_told_synced_when_the_disk_never_did(journal, files) -> None:
    append_all(journal, payloads(2), sync=True)
    files.failing["datasync"] = errno.EIO
    for _ in range(3):
        with pytest.raises(JournalUnavailableError):
            journal.append(b"unsafe", sync=True)
    files.failing.clear()
    seq = journal.append(b"safe", sync=True)
    found = {item.seq: item.payload for item in read_all(journal) if isinstance(item, Record)}
    assert found[1], found[2] == payloads(2)
    assert found[seq] == b"safe"


def test_a_failed_sync_at_the_end_of_a_segment_is_rescued_too(journal, files) -> None:
    wanted = payloads(200)
    journal.append(wanted[0], sync=False)
    calls = iter([True, False])
    really = files.datasync

    def first_fails(handle):
        if next(calls, False):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        really(handle)

    files.datasync = first_fails
    append_all(journal, wanted[1:])
    assert [item.payload for item in read_all(journal)] == wanted


def test_a_file_size_limit_is_a_refusal_and_no_crash(tmp_path) -> None:
    """The real thing: the kernel refuses to let a file grow."""
    script = textwrap.dedent(
        """
        import pathlib, resource, sys
        from friren.persistence.journal import Address, Journal, JournalUnavailableError
        journal = Journal(pathlib.Path(sys.argv[1]), Address("h", "1", "n"), segment_bytes=1 << 20)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
        accepted = 0
        try:
            while True:
                accepted = journal.append(b"x" * 333, sync=True)
        except JournalUnavailableError as exc:
            assert exc.__cause__ is not None
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert journal.append(b"after relief", sync=True) == accepted + 1
        assert [item.seq for item in journal.read(1, 1000)] == list(range(1, accepted + 2))
        print(accepted)
        """
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 27


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no right to mount a small file system: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs is Linux's")
def test_a_full_file_system_refuses_and_recovers(small_disk) -> None:
    journal = Journal(small_disk / "journal", ADDRESS, segment_bytes=8192)
    with pytest.raises(JournalUnavailableError):
        append_all(journal, [b"x" * 700] * 1000, sync=True)
    accepted = journal.last_seq
    assert accepted > 20
    assert [item.seq for item in journal.read(1, 1000)] == list(range(1, accepted + 1))
    journal.drained(accepted // 2)  # frees segments the moment room is asked for
    assert journal.append(b"x" * 700, sync=True) == accepted + 1
    journal.close()


@pytest.mark.skipif(sys.platform != "linux", reason="remounting is Linux's")
def test_a_file_system_that_turns_read_only_refuses_and_recovers(small_disk) -> None:
    journal = Journal(small_disk / "journal", ADDRESS)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(JournalUnavailableError):
        journal.append(b"1", sync=False)
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    assert journal.append(b"1", sync=True) == 1
    journal.close()

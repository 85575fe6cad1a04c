"""Copies of WAL elsewhere: each file once, whole and proven; read where the archive has none; removed with its base."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from friren.archive_wal import keep
from friren.errors import BackupError, ConfigurationError
from friren.operations.backup import offsite
from friren.operations.backup.offsite import Folder, copy_backups
from friren.operations.backup.wal import Archive
from friren.operations.backup.wal_copies import copy_wal, prune_wal_copies
from tests.backups import put, some_physical

SYSTEM = 7_000_000_000_000_000_001
SIZE = 1 << 20


def name_of(number: int) -> str:
    return f"0000000100000000{number:08X}"


@pytest.fixture
def wal(tmp_path, settings) -> Path:
    """BACKUP_WAL_DIR, with three segments and a history in it."""
    settings.BACKUP_WAL_DIR = folder = tmp_path / "wal"
    for number in (2, 3, 4):
        archived(folder, number)
    (tmp_path / "history").write_text("1\t0/300000\tno reason\n")
    keep(tmp_path / "history", "00000002.history", to=folder, system=SYSTEM)
    return folder


def archived(folder: Path, number: int, text: bytes = b"a record") -> Path:
    header = struct.pack("=HHIQI4xQII", 0xD118, 2, 1, number * SIZE, 0, SYSTEM, SIZE, 8192)
    path = folder.with_name("segment")
    path.write_bytes((header + text).ljust(SIZE, b"\0"))
    return keep(path, name_of(number), to=folder, system=SYSTEM)


def archive(wal: Path) -> Archive:
    return Archive(wal, str(SYSTEM), offsite.places())


def test_every_file_is_copied_once_the_oldest_first(wal, place) -> None:
    assert [one.copied for one in copy_wal()] == [["00000002.history", *map(name_of, (2, 3, 4))]]
    assert [one.copied for one in copy_wal()] == [[]]

    archived(wal, 5)

    assert [one.copied for one in copy_wal()] == [[name_of(5)]]
    assert len(place.files("wal")) == 5
    assert place.ids() == []


def test_what_the_archive_has_lost_is_read_where_copies_lie(wal, place) -> None:
    own = archive(wal)
    before = {name: own.read(one, list) for name, one in own.kept().items()}
    copy_wal()
    shutil.rmtree(wal)

    found = archive(wal)
    kept = found.kept()

    assert {name: found.read(one, list) for name, one in kept.items()} == before
    assert not wal.exists()
    assert all(one.source is not None and place.name in str(one) for one in kept.values())


def test_of_what_is_here_no_copy_is_asked(wal, place) -> None:
    copy_wal()
    next(wal.rglob(f"{name_of(3)}-*")).unlink()

    assert {name for name, one in archive(wal).kept().items() if one.source is not None} == {name_of(3)}


def test_a_copy_that_was_damaged_is_told(wal, elsewhere) -> None:
    copy_wal()
    shutil.rmtree(wal)
    path = next(elsewhere.rglob(f"{name_of(3)}-*"))
    path.write_bytes(path.read_bytes()[:-1])

    found = archive(wal)
    with pytest.raises(BackupError, match=rf"{name_of(3)}.* is damaged"):
        found.read(found.kept()[name_of(3)], list)


def test_damage_here_does_not_become_damage_there(wal, place) -> None:
    path = next(wal.rglob(f"{name_of(3)}-*"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    (refused,) = copy_wal()

    assert f"{name_of(3)}" in refused.problem
    assert "is damaged" in refused.problem
    assert not any(name_of(3) in key for key in place.files("wal"))


def test_two_of_one_name_that_differ_are_told(wal, place) -> None:
    copy_wal()
    next(wal.rglob(f"{name_of(4)}-*")).unlink()
    archived(wal, 4, b"another record")

    with pytest.raises(BackupError, match="of one name and differ"):
        archive(wal).kept()


def test_a_place_that_is_away_is_told_and_the_others_get_theirs(wal, bucket, elsewhere, monkeypatch) -> None:
    monkeypatch.setenv("BACKUP_S3_URL", "s3://nobodys-bucket")

    there, away = copy_wal()

    assert (len(there.copied), there.problem) == (4, "")
    assert "NoSuchBucket" in away.problem
    found = archive(wal)
    assert len(found.kept()) == 4
    assert ["NoSuchBucket" in one for one in found.unasked] == [True]


def test_what_a_full_disk_has_left_is_swept_by_the_next_run(wal, elsewhere) -> None:
    copy_wal()
    path = next(elsewhere.rglob(f"{name_of(4)}-*"))
    path.rename(path.with_name(f".{path.name}.4711"))

    assert [one.copied for one in copy_wal()] == [[name_of(4)]]
    assert [one.name for one in path.parent.glob(".*")] == []
    assert path.exists()


def test_copies_go_with_the_oldest_base_that_needs_them_there_or_here(wal, place, shelf) -> None:
    earlier = some_physical(start_lsn="0/300028", segment_bytes=SIZE)
    base = put(shelf, kind="BASE", format="base", physical=earlier, beside={"backup_manifest": b"{}"})
    copy_wal()
    copy_backups(shelf)
    shutil.rmtree(base)
    later = some_physical(start_lsn="0/400028", segment_bytes=SIZE)

    assert [one.copied for one in prune_wal_copies([later])] == [[name_of(2)]]
    place.remove(base.name)

    assert [one.copied for one in prune_wal_copies([later])] == [[name_of(3)]]
    assert {key.rpartition("/")[2].partition("-")[0] for key in place.files("wal")} == {name_of(4), "00000002.history"}


def test_of_a_server_without_a_base_all_stays(wal, place) -> None:
    copy_wal()

    assert [one.copied for one in prune_wal_copies([some_physical(system_identifier="1")])] == [[]]
    assert len(place.files("wal")) == 4


def test_nowhere_to_copy_to_is_told(wal) -> None:
    with pytest.raises(ConfigurationError, match="BACKUP_EXTERNAL_DIR"):
        copy_wal()


def test_the_folder_of_a_place_lists_no_wal_as_a_backup(wal, elsewhere, shelf) -> None:
    put(shelf)
    copy_wal()
    copy_backups(shelf)

    (place,) = offsite.places()
    assert isinstance(place, Folder)
    assert len(place.ids()) == 1
    assert all(one.manifest is not None for one in place._shelf.stored())

"""Copies elsewhere: whole or not there, fetched only when proven. The bucket is a server on this machine."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from friren.errors import BackupError, ConfigurationError
from friren.operations.backup import offsite
from friren.operations.backup.manifest import MANIFEST, SUMS, check_sums
from friren.operations.backup.offsite import Elsewhere, Folder, copy_backups, fetch_backup, places, prune_copies
from friren.operations.backup.retention import Policy
from friren.operations.backup.shelf import Shelf, candidate_of
from tests.backups import BUCKET, MONDAY, put, some_physical


def forget(shelf: Shelf) -> None:
    """The machine with the backups burns down."""
    shutil.rmtree(shelf.directory)


def damage(place: Elsewhere, name: str, file: str, change: Callable[[bytes], bytes]) -> None:
    if isinstance(place, Folder):
        path = Path(place.name) / name / file
        path.write_bytes(change(path.read_bytes()))
    else:
        import boto3

        found = boto3.resource("s3").Object(BUCKET, f"desk/one/{name}/{file}")
        found.put(Body=change(found.get()["Body"].read()))


def test_every_backup_is_copied_once_and_comes_back_as_it_was(shelf, place) -> None:
    older, newer = put(shelf), put(shelf, at=MONDAY + dt.timedelta(days=1), dump=b"PGDMP" * 1000)
    sums = check_sums(newer).sha256

    assert [one.copied for one in copy_backups(shelf)] == [[newer.name, older.name]]
    assert [one.copied for one in copy_backups(shelf)] == [[]]
    assert place.ids() == [older.name, newer.name]
    forget(shelf)

    assert fetch_backup(shelf, "latest").name == newer.name
    assert check_sums(shelf.directory / newer.name).sha256 == sums
    assert fetch_backup(shelf, older.name) == shelf.directory / older.name
    assert len(shelf.stored()) == 2


def test_a_base_is_copied_with_what_the_next_one_builds_on_and_is_nobodys_latest(shelf, place) -> None:
    dump = put(shelf)
    base = put(shelf, at=MONDAY + dt.timedelta(days=1), kind="BASE", format="base", physical=some_physical(),
               beside={"backup_manifest": b"{}"})  # fmt: skip
    assert shelf.find("latest") == dump

    assert [one.copied for one in copy_backups(shelf)] == [[base.name, dump.name]]
    forget(shelf)

    assert fetch_backup(shelf, base.name) == base
    assert check_sums(base).physical is not None
    assert (base / "backup_manifest").read_bytes() == b"{}"
    assert fetch_backup(shelf, "latest") == dump


@pytest.mark.parametrize("file", ["friren.dump", MANIFEST, SUMS])
def test_a_copy_that_was_damaged_is_not_let_in(shelf, place, file) -> None:
    folder = put(shelf)
    copy_backups(shelf)
    forget(shelf)
    damage(place, folder.name, file, lambda data: data[:9] + bytes([data[9] ^ 1]) + data[10:])

    with pytest.raises(BackupError):
        fetch_backup(shelf, folder.name)
    assert shelf.stored() == []
    assert not list(shelf.directory.glob(".partial-*"))


def test_a_copy_that_broke_off_is_none_until_the_next_backup_finishes_it(shelf, bucket, monkeypatch) -> None:
    from boto3.exceptions import S3UploadFailedError

    folder = put(shelf)
    (place,) = places()
    really = place._client.upload_file

    def upload_file(path, *arguments, **options):
        if path.endswith(MANIFEST):
            raise S3UploadFailedError("connection was closed")
        return really(path, *arguments, **options)

    monkeypatch.setattr(place._client, "upload_file", upload_file)
    monkeypatch.setattr(offsite, "places", lambda: [place])
    (broken,) = copy_backups(shelf)
    monkeypatch.setattr(place._client, "upload_file", really)

    assert "connection was closed" in broken.problem
    assert place.ids() == []
    assert [one.key for one in bucket.objects.all()] == [f"desk/one/{folder.name}/friren.dump"]
    assert copy_backups(shelf)[0].copied == [folder.name]
    assert place.ids() == [folder.name]


def test_every_object_carries_its_checksum(shelf, bucket) -> None:
    put(shelf)
    copy_backups(shelf)

    objects = list(bucket.objects.all())
    assert len(objects) == 3
    for one in objects:
        assert bucket.meta.client.head_object(Bucket=BUCKET, Key=one.key, ChecksumMode="ENABLED")["ChecksumSHA256"]


def test_what_is_too_old_is_removed_elsewhere_when_it_is_not_here(shelf, place) -> None:
    old = [put(shelf, at=MONDAY - dt.timedelta(days=4000 + number), kind="WEEKLY") for number in range(2)]
    new = put(shelf, at=MONDAY, kind="MANUAL")
    copy_backups(shelf)
    shutil.rmtree(old[1])

    assert prune_copies(shelf, Policy(minimum=1))[0].copied == [old[1].name]
    assert place.ids() == [old[0].name, new.name]


def test_a_bucket_that_is_not_there_is_told_in_one_line(shelf, bucket, monkeypatch) -> None:
    monkeypatch.setenv("BACKUP_S3_URL", "s3://nobodys-bucket")
    put(shelf)

    (refused,) = copy_backups(shelf)

    assert "NoSuchBucket" in refused.problem
    assert "\n" not in refused.problem
    assert "s3cret" not in refused.problem


@pytest.mark.parametrize("url", ["friren-backups", "http://bucket", "s3://", "s3://UPPER/x"])
def test_an_address_that_is_none(bucket, monkeypatch, url) -> None:
    monkeypatch.setenv("BACKUP_S3_URL", url)

    with pytest.raises(ConfigurationError, match="write s3://bucket"):
        places()


def test_a_name_tells_retention_what_it_has_to_know(shelf) -> None:
    folder = put(shelf, at=MONDAY, kind="PRE_PHASE")

    assert (candidate_of(folder.name).kind, candidate_of(folder.name).at) == ("PRE_PHASE", MONDAY)
    with pytest.raises(BackupError):
        candidate_of("../20260105T020000Z-daily-3f9a1c")

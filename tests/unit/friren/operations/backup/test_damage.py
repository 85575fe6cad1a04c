"""Whatever happens to the files of a backup is found out before anything is restored from it."""

from __future__ import annotations

import hashlib
import random
import shutil

import msgspec
import pytest
from pyrage import x25519

from friren.errors import BackupError, ConfigurationError
from friren.operations.backup import restoring
from friren.operations.backup.manifest import MANIFEST, SUMS, check_sums
from friren.operations.backup.restoring import restore_backup
from friren.operations.backup.shelf import Shelf
from tests.backups import put

PLACES = 100


@pytest.fixture
def shelf(tmp_path) -> Shelf:
    return Shelf(tmp_path / "backups")


@pytest.fixture(autouse=True)
def untouched(monkeypatch) -> None:
    """No database may be so much as connected to."""

    def connect(**_parameters):
        pytest.fail("the database was touched")

    monkeypatch.setattr(restoring, "connect", connect)


def key_file(folder, identity: x25519.Identity):
    path = folder / "backup.key"
    path.write_text(f"{identity}\n")
    return path


@pytest.mark.parametrize("file", ["friren.dump", "friren.dump.age", MANIFEST, SUMS])
def test_one_bit_anywhere(shelf, tmp_path, file) -> None:
    identity = x25519.Identity.generate()
    folder = put(shelf, identity=identity if file.endswith(".age") else None)
    whole = (folder / file).read_bytes()
    chance = random.Random(file)
    for _ in range(PLACES):
        place = chance.randrange(len(whole) * 8)
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        (folder / file).write_bytes(damaged)

        with pytest.raises(BackupError):
            restore_backup(folder.name, directory=shelf.directory, key_file=key_file(tmp_path, identity))
    (folder / file).write_bytes(whole)
    check_sums(folder)


@pytest.mark.parametrize("file", ["friren.dump", "friren.dump.age", MANIFEST, SUMS])
@pytest.mark.parametrize("share", [0, 0.5, 0.999])
def test_a_cut(shelf, tmp_path, file, share) -> None:
    identity = x25519.Identity.generate()
    folder = put(shelf, identity=identity if file.endswith(".age") else None)
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(whole[: int(len(whole) * share)])

    with pytest.raises(BackupError):
        restore_backup(folder.name, directory=shelf.directory, key_file=key_file(tmp_path, identity))


@pytest.mark.parametrize("file", ["friren.dump", MANIFEST, SUMS])
def test_a_file_that_is_gone(shelf, file) -> None:
    folder = put(shelf)
    (folder / file).unlink()

    with pytest.raises(BackupError):
        restore_backup(str(folder), directory=shelf.directory)


@pytest.mark.parametrize("files", [["friren.dump"], [MANIFEST], [MANIFEST, SUMS], ["friren.dump", MANIFEST, SUMS]])
def test_files_of_another_backup(shelf, files) -> None:
    one, other = put(shelf), put(shelf, dump=b"PGDMP of another day")
    for file in files:
        shutil.copy(other / file, one / file)

    with pytest.raises(BackupError):
        restore_backup(one.name, directory=shelf.directory)


def test_another_key(shelf, tmp_path) -> None:
    folder = put(shelf, identity=x25519.Identity.generate())

    with pytest.raises(BackupError, match="cannot be decrypted"):
        restore_backup(folder.name, directory=shelf.directory, key_file=key_file(tmp_path, x25519.Identity.generate()))


def test_no_key(shelf, monkeypatch) -> None:
    monkeypatch.delenv("BACKUP_DECRYPTION_KEY_FILE", raising=False)
    folder = put(shelf, identity=x25519.Identity.generate())

    with pytest.raises(ConfigurationError, match="BACKUP_DECRYPTION_KEY_FILE"):
        restore_backup(folder.name, directory=shelf.directory)


@pytest.mark.parametrize("text", ["", "age1nothing secret here\n", "AGE-SECRET-KEY-1DAMAGED\n"])
def test_a_key_file_without_a_key(shelf, tmp_path, text) -> None:
    folder = put(shelf, identity=x25519.Identity.generate())
    (tmp_path / "backup.key").write_text(text)

    with pytest.raises(ConfigurationError, match="key"):
        restore_backup(folder.name, directory=shelf.directory, key_file=tmp_path / "backup.key")


def test_a_manifest_of_a_newer_friren_says_so(shelf) -> None:
    folder = put(shelf)
    newer = msgspec.json.decode((folder / MANIFEST).read_bytes()) | {"version": 2, "news": 1}
    written = msgspec.json.encode(newer)
    (folder / MANIFEST).write_bytes(written)
    (folder / SUMS).write_text(f"{hashlib.sha256(written).hexdigest()}  {MANIFEST}\n")

    with pytest.raises(BackupError, match="made by a newer Friren"):
        check_sums(folder)

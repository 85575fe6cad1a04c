"""Files are compared with the account that pg_basebackup gave of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from friren.errors import BackupError
from friren.operations.backup.proving import PG_MANIFEST, check_files

FILES = {"PG_VERSION": b"18\n", "base/1/1259": bytes(8192), "global/pg_control": b"control"}


def account(files: dict[str, bytes]) -> bytes:
    """As PostgreSQL writes it: its own sum is of all that stands before."""
    entries = [
        {"Path": name, "Size": len(content), "Checksum-Algorithm": "SHA256",
         "Checksum": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    ]  # fmt: skip
    head = json.dumps({"PostgreSQL-Backup-Manifest-Version": 2, "Files": entries, "WAL-Ranges": []})[:-1] + ",\n"
    return (head + f'"Manifest-Checksum": "{hashlib.sha256(head.encode()).hexdigest()}"}}\n').encode()


@pytest.fixture
def data(tmp_path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / PG_MANIFEST).write_bytes(account(FILES))
    return tmp_path


def test_what_is_as_it_was_handed_out_is_taken(data) -> None:
    (data / "pg_wal").mkdir()
    (data / "pg_wal" / "000000010000000000000002").write_bytes(b"judged by its own header")
    (data / "recovery.signal").touch()

    check_files(data)


def test_a_bit_is_named(data) -> None:
    content = bytearray(FILES["base/1/1259"])
    content[100] ^= 1
    (data / "base/1/1259").write_bytes(content)

    with pytest.raises(BackupError, match="base/1/1259"):
        check_files(data)


def test_a_file_that_is_missing_is_named(data) -> None:
    (data / "global/pg_control").unlink()

    with pytest.raises(BackupError, match="global/pg_control"):
        check_files(data)


def test_a_file_that_is_new_is_named(data) -> None:
    (data / "base/1/2000").write_bytes(b"")

    with pytest.raises(BackupError, match="base/1/2000"):
        check_files(data)


def test_an_account_that_was_changed_is_not_believed(data) -> None:
    text = (data / PG_MANIFEST).read_bytes()
    (data / PG_MANIFEST).write_bytes(text.replace(b"base/1/1259", b"base/1/1258"))

    with pytest.raises(BackupError, match="is damaged"):
        check_files(data)

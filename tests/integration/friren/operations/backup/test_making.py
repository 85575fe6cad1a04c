"""A backup: whole or not at all, of one snapshot, and without a secret where others can read it."""

from __future__ import annotations

import hashlib
import io
import json
import re
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pyrage
import pytest
from django.core.management import call_command
from django.db import connection, connections

from friren.errors import BackupError, ConfigurationError
from friren.operations.backup import making, programs
from friren.operations.backup.making import make_backup
from friren.operations.backup.manifest import check_sums
from friren.operations.backup.shelf import Shelf
from friren.operations.models import BackupRecord
from tests import postgres as harness
from tests.factories import SystemMetadataFactory

TRADES = "public.trading_engine_trade"


def the_program(name: str) -> str:
    with programs.connect() as session:
        return programs.find_programs(programs.server_of(session).major).program(name)


def run(name: str, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([the_program(name), *arguments], input=stdin, capture_output=True, check=False)


def command(name: str, *arguments: str) -> dict:
    call_command(name, *arguments, "--json", stdout=(stdout := io.StringIO()))
    return json.loads(stdout.getvalue())


def a_stand_in_for_pg_dump(folder: Path, monkeypatch, script: str) -> Path:
    """A program of the right version that runs `script`, with the real one as $REAL."""
    real = the_program("pg_dump")
    folder.mkdir()
    stand_in = folder / "pg_dump"
    version = f'[ "$1" = --version ] && exec "{real}" --version\n'
    stand_in.write_text(f'#!/bin/sh\nREAL="{real}"\n{version}{script}\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("BACKUP_POSTGRES_BIN", str(folder))
    return stand_in


def test_the_command_reports_what_it_made(shelf_folder, trades) -> None:
    report = command("backup", "--kind", "pre_phase", "--label", "1")

    path = Path(report["path"])
    assert path.parent.parent == shelf_folder
    assert report["id"] == path.parent.name
    assert "-pre_phase-1-" in report["id"]
    assert report["bytes"] == path.stat().st_size
    assert report["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert report["tables"][TRADES]["rows"] == 3
    assert report["verified"] is False
    assert command("backups")["backups"][0]["id"] == report["id"]
    record = BackupRecord.objects.get()
    assert (record.status, record.kind, record.sha256) == ("COMPLETED", "PRE_PHASE", report["sha256"])
    assert record.table_digests[TRADES] == [3, report["tables"][TRADES]["digest"]]


def test_a_backup_is_copied_to_another_disk(shelf_folder, trades, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("BACKUP_EXTERNAL_DIR", str(tmp_path / "another disk"))

    report = command("backup")

    assert report["copies"] == [{"place": str(tmp_path / "another disk"), "copied": [report["id"]], "problem": ""}]
    assert check_sums(tmp_path / "another disk" / report["id"]).sha256 == report["sha256"]
    assert command("backups", "--elsewhere")["elsewhere"] == {str(tmp_path / "another disk"): [report["id"]]}


def test_a_copy_that_fails_is_told_and_the_backup_stays(shelf_folder, trades, tmp_path, monkeypatch) -> None:
    (tmp_path / "a file").write_text("in the way")
    monkeypatch.setenv("BACKUP_EXTERNAL_DIR", str(tmp_path / "a file"))

    with pytest.raises(SystemExit, match="1"):
        call_command("backup", "--json", stdout=(stdout := io.StringIO()))

    report = json.loads(stdout.getvalue())
    assert "a file" in report["copies"][0]["problem"]
    assert check_sums(Path(report["path"]).parent).sha256 == report["sha256"]


def test_postgresql_reads_the_dump_without_friren(shelf_folder, trades) -> None:
    listing = run("pg_restore", "-l", command("backup")["path"]).stdout.decode()

    assert "TABLE DATA public trading_engine_trade" in listing


def test_a_plain_backup_is_sql(shelf_folder, trades) -> None:
    path = Path(command("backup", "--format", "plain")["path"])

    assert path.suffix == ".sql"
    assert "COPY public.trading_engine_trade" in path.read_text()


def test_nobody_else_can_read_it(shelf_folder, database) -> None:
    made = make_backup(kind="DAILY")

    modes = {stat.S_IMODE(path.stat().st_mode) for path in shelf_folder.rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (shelf_folder, made.path.parent)} == {0o700}


def test_an_encrypted_backup_needs_the_key(shelf_folder, trades, key) -> None:
    path = Path(command("backup", "--encrypt")["path"])

    assert path.name == "friren.dump.age"
    assert run("pg_restore", "-l", str(path)).returncode != 0
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(path.read_bytes(), [pyrage.x25519.Identity.generate()])
    decrypted = pyrage.decrypt(path.read_bytes(), [key])
    assert b"trading_engine_trade" in run("pg_restore", "-l", stdin=decrypted).stdout


def test_encryption_that_was_asked_for_is_never_left_out(shelf_folder, database) -> None:
    with pytest.raises(ConfigurationError, match="BACKUP_ENCRYPTION_KEY"):
        make_backup(kind="DAILY", encrypt=True)


@pytest.mark.parametrize("wrong", ["age1nonsense", "AGE-SECRET-KEY-1ABC"])
def test_a_key_that_is_none_is_refused_before_anything_is_written(shelf_folder, database, monkeypatch, wrong) -> None:
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", wrong)

    with pytest.raises(ConfigurationError, match="BACKUP_ENCRYPTION_KEY"):
        make_backup(kind="DAILY")
    assert not shelf_folder.exists()


def test_what_is_written_meanwhile_is_in_neither_the_dump_nor_the_digests(shelf_folder, trades, monkeypatch) -> None:
    really = making.write_dump

    def write_dump(*arguments, **options):
        SystemMetadataFactory(key="written while the dump begins")
        return really(*arguments, **options)

    monkeypatch.setattr(making, "write_dump", write_dump)
    before = make_backup(kind="DAILY")
    monkeypatch.undo()
    after = make_backup(kind="DAILY", directory=shelf_folder)

    def dumped(path: Path) -> bytes:
        return run("pg_restore", "-f", "-", "--data-only", "-t", "core_systemmetadata", str(path)).stdout

    rows = [made.manifest.contents.tables["public.core_systemmetadata"].rows for made in (before, after)]
    assert rows[1] == rows[0] + 1
    assert b"written while the dump begins" not in dumped(before.path)
    assert b"written while the dump begins" in dumped(after.path)


def test_a_digest_is_that_of_the_rows_in_any_order(shelf_folder, trades) -> None:
    digests = []
    for change in ("SELECT 1", "UPDATE core_user SET id = id", "UPDATE core_user SET first_name = 'Jo'"):
        with connections["default"].cursor() as cursor:
            cursor.execute(change)  # the second one moves every row to another place
        digests.append(make_backup(kind="DAILY").manifest.contents.tables["public.core_user"].digest)

    assert digests[0] == digests[1] != digests[2]


def test_a_dump_that_fails_half_way_leaves_nothing(shelf_folder, trades, tmp_path, monkeypatch) -> None:
    a_stand_in_for_pg_dump(
        tmp_path / "bin", monkeypatch, '"$REAL" "$@" | head -c 5000; echo "pg_dump: error: no luck" >&2; exit 1'
    )

    with pytest.raises(BackupError, match="exit code 1: pg_dump: error: no luck"):
        make_backup(kind="DAILY")
    assert [path.name for path in shelf_folder.iterdir()] == [".lock"]
    assert "no luck" in BackupRecord.objects.get(status="FAILED").message


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX")
@pytest.mark.parametrize("encrypted", [False, True])
def test_a_full_disk_leaves_nothing(shelf_folder, trades, request, encrypted) -> None:
    if encrypted:
        request.getfixturevalue("key")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(BackupError, match="File too large"):
            make_backup(kind="DAILY")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert Shelf(shelf_folder).stored() == []
    assert [path.name for path in shelf_folder.iterdir()] == [".lock"]


def test_the_password_is_in_no_command_line(shelf_folder, trades, tmp_path, monkeypatch) -> None:
    told = tmp_path / "told"
    a_stand_in_for_pg_dump(
        tmp_path / "bin", monkeypatch, f'echo "$@" >"{told}"; echo "env $PGPASSWORD" >>"{told}"; exec "$REAL" "$@"'
    )
    monkeypatch.setitem(connections["default"].settings_dict, "PASSWORD", "s3cret-of-the-role")

    make_backup(kind="DAILY")

    arguments, environment = told.read_text().splitlines()
    assert "--snapshot=" in arguments
    assert "s3cret" not in arguments
    assert environment == "env s3cret-of-the-role"


def test_says_which_package_has_the_programs() -> None:
    with pytest.raises(ConfigurationError, match="install postgresql-client-99"):
        programs.find_programs(99)


def test_the_programs_of_the_wheel_are_not_taken_where_they_would_have_to_encrypt() -> None:
    wheel = {folder for folder in programs._candidates(18, encrypted=False) if "pginstall" in str(folder)}

    assert wheel
    assert not wheel & set(programs._candidates(18, encrypted=True))


def test_a_role_with_the_documented_rights_makes_backups(shelf_folder, trades) -> None:
    page = (Path(harness.ROOT) / "docs" / "how-to" / "backup-and-recovery.md").read_text()
    (statements,) = re.findall(r"```sql\n(CREATE ROLE trading_backup.*?)```", page, re.DOTALL)
    own = connection.settings_dict
    with harness.admin_connection(own["NAME"]) as admin:
        admin.execute(statements)
        connections.close_all()
        user, own["USER"] = own["USER"], "trading_backup"
        try:
            made = make_backup(kind="DAILY")
        finally:
            connections.close_all()
            own["USER"] = user
            admin.execute("DROP OWNED BY trading_backup")
            admin.execute("DROP ROLE trading_backup")

    assert made.manifest.contents.tables[TRADES].rows == 3
    assert BackupRecord.objects.get().status == "COMPLETED"


def test_two_at_a_time_are_one_too_many(shelf_folder, database, monkeypatch) -> None:
    monkeypatch.setattr("friren.operations.backup.shelf.LOCK_SECONDS", 0.1)
    with Shelf(shelf_folder).locked(), pytest.raises(BackupError, match="another backup is being made"):
        make_backup(kind="DAILY")


def test_the_record_of_a_process_that_died_is_settled_by_the_next(shelf_folder, trades) -> None:
    whole = make_backup(kind="DAILY")
    BackupRecord.objects.update(status="RUNNING", sha256="", table_digests={})
    BackupRecord.objects.create(
        kind="DAILY", format="custom", path=str(shelf_folder / "gone" / "friren.dump"),
        started_at=whole.manifest.started_at,
    )  # fmt: skip
    (shelf_folder / ".partial-gone").mkdir()

    make_backup(kind="DAILY")

    found = dict(BackupRecord.objects.values_list("path", "status"))
    assert found[str(whole.path)] == "COMPLETED"
    assert found[str(shelf_folder / "gone" / "friren.dump")] == "FAILED"
    assert BackupRecord.objects.get(path=str(whole.path)).sha256 == check_sums(whole.path.parent).sha256
    assert not (shelf_folder / ".partial-gone").exists()

"""A backup is one once it was restored and found equal, and a restore never leaves half a database."""

from __future__ import annotations

import contextlib
import io
import json

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from friren.core.models import AuditLog
from friren.embedded.binaries import find_binaries
from friren.errors import BackupError, ConfigurationError
from friren.operations import audit, health
from friren.operations.backup import scratch, verifying
from friren.operations.backup.making import Made, make_backup
from friren.operations.backup.manifest import VERIFICATION
from friren.operations.backup.restoring import restore_backup
from friren.operations.backup.shelf import Shelf
from friren.operations.backup.verifying import verify_backup
from friren.operations.models import BackupRecord
from tests import postgres as harness
from tests.backups import put
from trading_engine.models import Trade

TRADES = "public.trading_engine_trade"


def command(name: str, *arguments: str) -> dict:
    stdout = io.StringIO()
    with contextlib.suppress(SystemExit):  # what it reports is looked at
        call_command(name, *arguments, "--json", stdout=stdout)
    return json.loads(stdout.getvalue())


@pytest.fixture
def made(shelf_folder, trades) -> Made:
    """A backup of the ordinary database."""
    return make_backup(kind="MANUAL")


def test_a_drill_names_everything_that_differs(shelf_folder, trades, monkeypatch) -> None:
    """The restored database is changed behind its back, as a faulty restore would."""
    really = verifying.fill

    def fill(*arguments, server, **options):
        really(*arguments, server=server, **options)
        with psycopg.connect(server.conninfo, autocommit=True) as session:
            session.execute("SET session_replication_role = replica")
            session.execute(
                "DELETE FROM trading_engine_trade WHERE id = (SELECT min(id::text)::uuid FROM trading_engine_trade)"
            )
            session.execute("UPDATE core_user SET first_name = 'Jo'")
            session.execute("SELECT setval('friren_recorded_seq', 999999)")
            session.execute("DELETE FROM django_migrations WHERE app = 'core' AND name = '0002_seed'")
            session.execute("ALTER TABLE persistence_journalcursor DROP CONSTRAINT ck_journalcursor_identity")
            session.execute("DROP TRIGGER pgtrigger_frozen_f5d3b ON operations_backuprecord")

    monkeypatch.setattr(verifying, "fill", fill)
    made = make_backup(kind="DAILY")

    report = command("verify_backup")

    assert report["verified"] is False
    assert f"table {TRADES} has 2 rows, not 3" in report["differences"]
    assert "table public.core_user has as many rows, of other content" in report["differences"]
    assert "migrations differ: core.0002_seed" in report["differences"]
    told = " ".join(report["differences"])
    assert "sequence public.friren_recorded_seq stands at 999999" in told
    assert "constraints: public.persistence_journalcursor ck_journalcursor_identity is missing" in told
    assert "triggers: public.operations_backuprecord pgtrigger_frozen_f5d3b is missing" in told
    record = BackupRecord.objects.get()
    assert (record.status, record.verified_at) == ("FAILED", None)
    assert not (made.path.parent / VERIFICATION).exists()
    assert not health.examine(["backups"]).ok


def test_a_restore_fills_an_empty_database_and_replaces_another_only_by_force(
    shelf_folder, trades, key, made, empty_database
) -> None:
    report = command("restore", made.manifest.id)

    assert report["kept"] == ""
    assert report["database"] == empty_database
    assert {trade.id for trade in Trade.objects.all()} == {trade.id for trade in trades}
    told = AuditLog.objects.get(action="RESTORE")
    assert told.after["backup"] == made.manifest.id
    assert BackupRecord.objects.get().status == "COMPLETED"

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE later (id int)")
        cursor.execute(f"ALTER DATABASE {empty_database} SET work_mem = '8MB'")
        cursor.execute("SELECT to_jsonb(d)::text FROM pg_database d WHERE datname = current_database()")
        before = json.loads(cursor.fetchone()[0])
    with pytest.raises(CommandError, match="is not empty: --force"):
        call_command("restore", made.manifest.id)
    assert "later" in connection.introspection.table_names()

    report = command("restore", made.manifest.id, "--force")

    assert report["kept"].startswith(f"{empty_database}_before_")
    assert any("ALTER DATABASE" in what for what in report["skipped"])
    assert "later" not in connection.introspection.table_names()
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(d)::text FROM pg_database d WHERE datname = current_database()")
        after = json.loads(cursor.fetchone()[0])
    for column in ("datdba", "encoding", "datlocprovider", "datcollate", "datctype", "datlocale", "daticulocale"):
        assert after.get(column) == before.get(column), column
    assert Trade.objects.count() == 3
    with harness.admin_connection(report["kept"]) as kept:
        assert kept.execute("SELECT count(*) FROM later").fetchone() == (0,)


def test_what_cannot_be_restored_leaves_the_database_as_it_was(shelf_folder, empty_database) -> None:
    folder = put(Shelf(shelf_folder), dump=b"SELECT 1; CREATE TABLE half (id int); SELECT nonsense;",
                 format="plain", file="friren.sql", server_version="15.1")  # fmt: skip

    with pytest.raises(BackupError, match='column "nonsense" does not exist'):
        restore_backup(folder.name)
    assert connection.introspection.table_names() == []

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE mine (id int)")
    with pytest.raises(BackupError, match="nonsense"):
        restore_backup(folder.name, force=True)
    assert connection.introspection.table_names() == ["mine"]
    with harness.admin_connection() as admin:
        names = admin.execute("SELECT datname FROM pg_database WHERE datname LIKE 'restored_here%'").fetchall()
    assert names == [("restored_here",)]


def test_a_backup_of_a_newer_postgresql_is_refused(shelf_folder, empty_database) -> None:
    folder = put(Shelf(shelf_folder), server_version="99.1")

    with pytest.raises(BackupError, match="same major version or a newer one"):
        restore_backup(folder.name)
    with pytest.raises(ConfigurationError, match="install postgresql-99"):
        verify_backup(folder.name)
    assert connection.introspection.table_names() == []


def test_a_backup_goes_to_the_newer_embedded_postgresql(made, monkeypatch) -> None:
    newest = find_binaries(None, identity=None)
    if made.manifest.major >= newest.major:
        pytest.skip(f"the server is no older than the embedded PostgreSQL {newest.version}")
    monkeypatch.setattr(scratch, "_programs", lambda _major: newest.directory)

    verified = verify_backup(made.manifest.id)

    assert verified.server_version == newest.version
    assert verified.differences == []


@pytest.fixture
def sealed(shelf_folder, trades, tmp_path, monkeypatch) -> Made:
    """A backup of the ordinary database, whose facts are sealed."""
    monkeypatch.setattr(settings, "FRIREN_AUDIT_HOME", tmp_path / "audit")
    audit.seal()
    return make_backup(kind="MANUAL")


def test_a_restored_database_is_held_to_the_head_in_its_manifest(sealed, empty_database) -> None:
    command("restore", sealed.manifest.id)

    assert command("verify_audit", "--expect", sealed.manifest.audit_head)["ok"] is True
    with harness.admin_connection(empty_database) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute("DELETE FROM operations_auditblock WHERE seq = (SELECT max(seq) FROM operations_auditblock)")
    found = command("verify_audit", "--expect", sealed.manifest.audit_head)
    assert found["first_bad"]["what"] == "is gone: it was expected"


def test_a_database_without_seals_or_older_than_they_are_has_no_head(made) -> None:
    assert made.manifest.audit_head == ""
    with harness.admin_connection(settings.DATABASES["default"]["NAME"]) as admin:
        admin.execute("ALTER TABLE operations_auditblock RENAME TO elsewhere")
        try:
            assert audit.head_in(admin) == ""
        finally:
            admin.execute("ALTER TABLE elsewhere RENAME TO operations_auditblock")

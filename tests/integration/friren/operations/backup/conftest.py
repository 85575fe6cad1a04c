"""A folder of backups of each test's own, with something in the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, connections
from pyrage import x25519

from tests import postgres as harness
from tests.factories import TradeFactory


@pytest.fixture
def shelf_folder(tmp_path, monkeypatch) -> Path:
    """BACKUP_DIR."""
    folder = tmp_path / "backups"
    monkeypatch.setenv("BACKUP_DIR", str(folder))
    return folder


@pytest.fixture
def trades(database) -> list:
    """Three stored trades."""
    return TradeFactory.create_batch(3)


@pytest.fixture
def key(tmp_path, monkeypatch) -> x25519.Identity:
    """An age key that backups are encrypted for; its file is named where it is needed."""
    identity = x25519.Identity.generate()
    monkeypatch.setenv("BACKUP_ENCRYPTION_KEY", str(identity.to_public()))
    file = tmp_path / "backup.key"
    file.write_text(f"# created for a test\n{identity}\n")
    monkeypatch.setenv("BACKUP_DECRYPTION_KEY_FILE", str(file))
    return identity


@pytest.fixture
def empty_database(database) -> Iterator[str]:
    """An empty database that is configured in place of the ordinary one."""
    own, name = settings.DATABASES["default"]["NAME"], "restored_here"
    with harness.admin_connection() as admin:
        admin.execute(f"CREATE DATABASE {name}")
    connections.close_all()
    connection.settings_dict["NAME"] = name
    yield name
    connections.close_all()
    connection.settings_dict["NAME"] = own
    with harness.admin_connection() as admin:
        for (left,) in admin.execute("SELECT datname FROM pg_database WHERE datname LIKE 'restored_here%'").fetchall():
            admin.execute(f'DROP DATABASE "{left}" WITH (FORCE)')


@pytest.fixture
def guarded(database) -> Iterator[None]:
    """A table with a policy and a grant for a role that no other server has."""
    with harness.admin_connection(settings.DATABASES["default"]["NAME"]) as admin:
        admin.execute("CREATE ROLE test_reader")
        admin.execute("CREATE TABLE guarded (id int PRIMARY KEY, name text CHECK (name IN ('a', 'b')))")
        admin.execute("INSERT INTO guarded VALUES (1, 'a')")
        admin.execute("ALTER TABLE guarded ENABLE ROW LEVEL SECURITY")
        admin.execute("CREATE POLICY readers ON guarded FOR SELECT TO test_reader USING (id > 0)")
        admin.execute("GRANT SELECT ON guarded TO test_reader")
        yield
        admin.execute("DROP TABLE guarded")
        admin.execute("DROP ROLE test_reader")

"""A folder of backups of each test's own, with something in the database."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyrage import x25519

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

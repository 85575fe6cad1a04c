"""Where copies of backups lie: another folder, and a bucket on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from friren.operations.backup.offsite import Elsewhere, places
from friren.operations.backup.shelf import Shelf


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Path:
    """An empty folder, BACKUP_EXTERNAL_DIR."""
    folder = tmp_path / "another disk"
    monkeypatch.setenv("BACKUP_EXTERNAL_DIR", str(folder))
    return folder


@pytest.fixture(params=["folder", "bucket"])
def place(request) -> Elsewhere:
    """Either of them."""
    request.getfixturevalue("elsewhere" if request.param == "folder" else "bucket")
    (found,) = places()
    return found


@pytest.fixture
def shelf(tmp_path) -> Shelf:
    return Shelf(tmp_path / "backups")

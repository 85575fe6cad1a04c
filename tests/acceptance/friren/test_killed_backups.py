"""kill -9 at every step of backup, removal and restore: nothing is ever half there, and the next one clears up."""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, connections
from django.utils import timezone

from friren.operations.backup.catalog import USER_OBJECTS
from friren.operations.backup.making import make_backup
from friren.operations.backup.manifest import check_sums
from friren.operations.backup.pruning import prune_backups
from friren.operations.backup.restoring import restore_backup
from friren.operations.backup.shelf import Shelf
from friren.operations.models import BackupRecord
from tests import postgres as harness
from tests.backups import put
from tests.killed import killed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="fork and SIGKILL are POSIX")

_BACKUP = "friren.operations.backup"
_FILES = "friren.persistence.journal.files:Files"
# Function, moment, which call, and whether the backup is there afterwards.
MAKING = [
    (f"{_BACKUP}.records:begin", "after", 1, False),
    (f"{_BACKUP}.making:read_contents", "after", 1, False),
    (f"{_BACKUP}.dumping:HashingFile.write", "after", 2, False),
    (f"{_BACKUP}.making:write_dump", "after", 1, False),
    (f"{_FILES}.write_whole", "after", 1, False),
    (f"{_FILES}.write_whole", "after", 2, False),
    (f"{_FILES}.rename", "before", 3, False),
    (f"{_FILES}.rename", "after", 3, True),
    (f"{_BACKUP}.records:complete", "after", 2, True),  # the first is that of the one before
]
REMOVING = [
    (f"{_FILES}.rename", "before", 1),
    (f"{_FILES}.rename", "after", 1),
    ("shutil:rmtree", "before", 1),
    ("os:unlink", "after", 1),
    ("shutil:rmtree", "after", 1),
    (f"{_BACKUP}.records:prune", "after", 1),
]


@pytest.fixture
def folder(tmp_path, database, monkeypatch) -> Path:
    monkeypatch.setenv("BACKUP_DIR", str(tmp_path / "backups"))
    return tmp_path / "backups"


def test_a_backup_that_is_killed_is_there_whole_or_not_at_all(folder, monkeypatch) -> None:
    monkeypatch.setattr("friren.operations.backup.dumping.CHUNK_BYTES", 50_000)  # a small dump has many parts too
    shelf = Shelf(folder)
    there = 0
    for place, moment, call, published in MAKING:
        killed(lambda: make_backup(kind="DAILY"), place, moment, call)
        there += published
        stored = shelf.stored()
        assert len(stored) == there, place
        for one in stored:
            check_sums(one.folder)

    last = make_backup(kind="DAILY")

    names = {path.name for path in folder.iterdir()}
    assert names == {".lock", last.manifest.id} | {one.folder.name for one in stored}
    states = list(BackupRecord.objects.values_list("status", flat=True))
    assert sorted(states) == ["COMPLETED"] * (there + 1) + ["FAILED"] * (len(MAKING) - there)


def test_a_removal_that_is_killed_leaves_the_others_and_is_finished_by_the_next(folder) -> None:
    shelf = Shelf(folder)
    now = timezone.now()
    for number in range(3):
        put(shelf, at=now - dt.timedelta(days=number), kind="MANUAL")
    for place, moment, call in REMOVING:
        old = put(shelf, at=now - dt.timedelta(days=400), kind="DAILY")
        BackupRecord.objects.create(kind="DAILY", format="custom", path=str(old / "friren.dump"), status="COMPLETED",
                                    started_at=now)  # fmt: skip

        killed(prune_backups, place, moment, call)

        for one in shelf.stored():
            check_sums(one.folder)
        prune_backups()
        assert sorted(path.name for path in folder.iterdir() if path.name != ".lock") == sorted(
            one.folder.name for one in shelf.stored()
        )
        assert len(shelf.stored()) == 3
        assert set(BackupRecord.objects.values_list("status", flat=True)) == {"PRUNED"}


RESTORING = [
    (f"{_BACKUP}.restoring:_swap", "before"),
    (f"{_BACKUP}.restoring:_swap", "after"),
]


@pytest.fixture
def another_database(database) -> Iterator[str]:
    """An empty database that is configured in place of the ordinary one."""
    own, name = connection.settings_dict["NAME"], "killed_here"
    with harness.admin_connection() as admin:
        admin.execute(f"CREATE DATABASE {name}")
    yield name
    connections.close_all()
    connection.settings_dict["NAME"] = own
    for left in databases(name):
        harness.drop_database(left)


def databases(name: str) -> list[str]:
    with harness.admin_connection() as admin:
        return [left for (left,) in admin.execute("SELECT datname FROM pg_database WHERE datname ^@ %s", [name])]


@pytest.mark.parametrize("form", ["custom", "plain"])
def test_a_restore_that_is_killed_leaves_an_empty_database_empty(folder, another_database, form) -> None:
    made = make_backup(kind="MANUAL", form=form)
    connection.settings_dict["NAME"] = another_database

    killed(lambda: restore_backup(made.manifest.id), "shutil:copyfileobj", "half", 1)
    with harness.admin_connection(another_database) as admin:
        deadline = time.monotonic() + 60
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        while admin.execute(others).fetchone() != (0,):
            assert time.monotonic() < deadline, "the program that restores does not notice"
            time.sleep(0.02)
        assert admin.execute(USER_OBJECTS).fetchone() == (0,)

    assert restore_backup(made.manifest.id).kept == ""


def test_a_replacement_that_is_killed_is_done_or_was_never_begun(folder, another_database) -> None:
    made = make_backup(kind="MANUAL")
    connection.settings_dict["NAME"] = another_database
    for place, moment in RESTORING:
        with harness.admin_connection(another_database) as admin:
            admin.execute("CREATE TABLE IF NOT EXISTS mine (id int)")

        killed(lambda: restore_backup(made.manifest.id, force=True), place, moment, 1)

        tables = connection.introspection.table_names()
        replaced = (place, moment) == RESTORING[-1]
        assert ("mine" in tables, "core_user" in tables) == (not replaced, replaced), place
        connections.close_all()

    kept = restore_backup(made.manifest.id, force=True).kept
    names = databases(another_database)
    assert kept in names
    assert len([name for name in names if "_before_" in name]) == 2
    assert not [name for name in names if "_restored_" in name]

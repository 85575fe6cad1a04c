"""Backups that are no longer kept go, on disk and in the log."""

from __future__ import annotations

import datetime as dt
import io
import json

import pytest
from django.core.management import call_command
from django.utils import timezone

from friren.operations.backup.manifest import MANIFEST
from friren.operations.backup.pruning import prune_backups
from friren.operations.backup.retention import Policy
from friren.operations.backup.shelf import Shelf
from friren.operations.models import BackupRecord
from tests.backups import put

DAY = dt.timedelta(days=1)


@pytest.fixture
def shelf(shelf_folder, database) -> Shelf:
    """Three new weekly backups, and one of every kind that is too old."""
    shelf = Shelf(shelf_folder)
    now = timezone.now()
    for number in range(3):
        put(shelf, at=now - number * DAY, kind="WEEKLY")
    for kind in ("DAILY", "WEEKLY", "MANUAL"):
        put(shelf, at=now - 400 * DAY, kind=kind)
    return shelf


def command(*arguments: str) -> dict:
    call_command("prune_backups", *arguments, "--json", stdout=(stdout := io.StringIO()))
    return json.loads(stdout.getvalue())


def kinds(names) -> list[str]:
    return sorted(name.split("-")[1] for name in names)


def test_removes_what_is_too_old(shelf) -> None:
    asked = command("--dry-run")
    assert len(shelf.stored()) == 6

    report = command()

    assert kinds(report["removed"]) == ["daily", "weekly"]
    assert report["removed"] == asked["removed"]
    assert kinds(one.folder.name for one in shelf.stored()) == ["manual", "weekly", "weekly", "weekly"]
    assert command()["removed"] == []


def test_the_log_follows_the_disk(shelf) -> None:
    old = [one for one in shelf.stored() if one.folder.name.split("-")[1] in {"daily", "manual"}]
    for one in old:
        BackupRecord.objects.create(kind="DAILY", format="custom", path=str(one.folder / "friren.dump"),
                                    status="COMPLETED", started_at=timezone.now())  # fmt: skip
    daily = next(one.folder for one in old if "daily" in one.folder.name)

    command()

    states = {record.path: record.status for record in BackupRecord.objects.all()}
    assert states.pop(str(daily / "friren.dump")) == "PRUNED"
    assert set(states.values()) == {"COMPLETED"}

    # What somebody has removed by hand is gone too, and what comes back is there again.
    aside = shelf.directory / ".aside"
    manual = next(one.folder for one in shelf.stored() if "manual" in one.folder.name)
    manual.rename(aside)
    command()
    assert BackupRecord.objects.get(path=str(manual / "friren.dump")).status == "PRUNED"
    aside.rename(manual)
    command()
    assert BackupRecord.objects.get(path=str(manual / "friren.dump")).status == "COMPLETED"


def test_a_damaged_one_counts_for_nothing_and_is_left_to_a_person(shelf_folder, database) -> None:
    shelf = Shelf(shelf_folder)
    folders = [put(shelf, at=timezone.now() - (400 + number) * DAY, kind="WEEKLY") for number in range(4)]
    (folders[0] / MANIFEST).write_bytes(b"{}")

    done = prune_backups(policy=Policy(minimum=3))

    assert done.plan.remove == []
    assert done.damaged == [folders[0].name]
    assert all(folder.exists() for folder in folders)


def test_one_that_was_refuted_does_not_keep_the_minimum(shelf_folder, database) -> None:
    shelf = Shelf(shelf_folder)
    good, bad = (put(shelf, at=timezone.now() - age * DAY, kind="WEEKLY") for age in (400, 300))
    BackupRecord.objects.create(kind="WEEKLY", format="custom", path=str(bad / "friren.dump"), status="FAILED",
                                started_at=timezone.now())  # fmt: skip

    done = prune_backups(policy=Policy(minimum=1))

    assert done.plan.remove == [bad.name]
    assert good.exists()

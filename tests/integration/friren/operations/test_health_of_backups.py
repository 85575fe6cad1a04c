"""Health misses a backup that is due, and a drill that is."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from friren.operations.health.backups import check_backups
from tests.factories import BackupRecordFactory

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def an_old_database(database):
    applied = MigrationRecorder.Migration.objects
    first = applied.order_by("id").first()
    was = first.applied
    applied.filter(id=first.id).update(applied=timezone.now() - 48 * HOUR)
    yield
    applied.filter(id=first.id).update(applied=was)


def backup(age: dt.timedelta, *, drill: dt.timedelta | None = None, **values):
    now = timezone.now()
    state = {"status": "COMPLETED", "verified_at": None} if drill is None else {"verified_at": now - drill}
    return BackupRecordFactory(**({"started_at": now - age} | state | values))


def test_a_new_database_has_time(database) -> None:
    finding = check_backups()

    assert finding.ok
    assert finding.message == "none yet: `manage.py backup` makes one"


def test_an_old_database_without_one_is_red(an_old_database) -> None:
    assert check_backups().message == "no backup was made for 48 hours, at most 26 hours are allowed"


def test_a_fresh_backup_is_green(an_old_database) -> None:
    backup(2 * HOUR, drill=HOUR)

    assert check_backups().ok


def test_a_late_backup_is_red(database) -> None:
    backup(27 * HOUR, drill=HOUR)

    assert "no backup was made for 27 hours" in check_backups().message


def test_a_late_drill_is_red(database) -> None:
    backup(9 * 24 * HOUR)
    backup(HOUR)

    finding = check_backups()
    assert not finding.ok
    assert finding.message == "no backup was restored and compared for 9 days, at most 8 days are allowed"


def test_a_backup_that_failed_is_red_until_one_succeeds(database) -> None:
    backup(5 * HOUR, drill=HOUR)
    backup(3 * HOUR, status="FAILED", message="no space left")

    assert check_backups().message == "the last backup failed: no space left"
    backup(2 * HOUR)
    assert check_backups().ok

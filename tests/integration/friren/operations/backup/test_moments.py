"""The whole server as it was at a moment; on the embedded PostgreSQL and on 15."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command

from friren.errors import BackupError
from friren.operations.backup.moments import Target
from friren.operations.backup.offsite import copy_backups
from friren.operations.backup.rewinding import restore_moment
from friren.operations.backup.shelf import Shelf
from tests.archived import TABLE, archiving_server, connected
from tests.killed import ALL_KILLS
from tests.recovery.damage import damage
from tests.recovery.ground import World, make_world, stored
from tests.recovery.kills import MAKING, REMOVING, RESTORING, kill_making, kill_removing, kill_restoring
from tests.recovery.moments import restore_moments
from tests.recovery.swaps import swaps

SEED = 7


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker) -> Iterator[World]:
    with django_db_blocker.unblock(), archiving_server() as archiving:
        with connected(archiving):
            made = make_world(archiving, moments=3, seed=SEED, seconds=1.0)
        yield made


@pytest.fixture(autouse=True)
def _here(world) -> Iterator[None]:
    with connected(world.archiving):
        yield


def command(name: str, *arguments: str) -> dict:
    call_command(name, *arguments, "--json", stdout=(stdout := io.StringIO()))
    return json.loads(stdout.getvalue())


def test_moments_are_restored_to_the_last_row(world) -> None:
    wrong, _seconds = restore_moments(world, 2, SEED)

    assert wrong == []


def test_the_latest_is_all_that_was_archived(world) -> None:
    shutil.rmtree(world.target, ignore_errors=True)

    report = command("restore", "--to-latest", "--into", str(world.target))

    assert report["tables"][TABLE]["rows"] >= world.moments[-1].rows
    assert (world.target / "PG_VERSION").exists()
    assert not (world.target / "recovery.signal").exists()
    assert report["in_place"] is False
    assert report["timeline"] > 1
    with pytest.raises(CommandError, match="is not empty: --force"):
        command("restore", "--to-latest", "--into", str(world.target))


def test_a_machine_that_is_lost_comes_back_from_the_bucket_alone(world, bucket, monkeypatch, settings) -> None:
    command("copy_wal")
    copies = copy_backups(Shelf(world.archiving.backups))
    assert [one.problem for one in copies] == [""]
    moment = world.moments[0]
    new = world.archiving.folder / "new machine"
    monkeypatch.setenv("BACKUP_DIR", str(new / "backups"))
    settings.BACKUP_WAL_DIR = new / "wal"

    done = world.restore(Target(at=moment.at))

    assert stored(done) == (moment.rows, moment.digest)
    # No WAL is kept here but the history that it began.
    assert [path.name[8:16] for path in (new / "wal").rglob("*.gz*")] == [".history"]

    latest = world.restore(Target())
    assert stored(latest)[0] >= world.moments[-1].rows
    shutil.rmtree(new)


def test_the_latest_is_not_guessed_while_a_place_cannot_tell_what_it_has(world, bucket, monkeypatch) -> None:
    monkeypatch.setenv("BACKUP_S3_URL", "s3://nobodys-bucket")

    with world.guarded() as touched, pytest.raises(BackupError, match="nobody knows what is the latest"):
        restore_moment(Target(), into=world.target, force=True)

    assert touched == []
    moment = world.moments[0]
    assert stored(world.restore(Target(name=moment.name))) == (moment.rows, moment.digest)


def test_damage_is_found_before_the_target_is_touched(world) -> None:
    wrong, tried = damage(world, 6, SEED)

    assert wrong == []
    assert len(tried) >= 5


def test_wal_that_is_not_what_it_should_be_is_found_before_the_target_is_touched(world) -> None:
    assert swaps(world) == []


def some(places: list, *wanted: int) -> list:
    """A few steps; `python -m tests.recovery` takes all."""
    return places if ALL_KILLS else [places[number] for number in wanted]


@pytest.mark.skipif(sys.platform == "win32", reason="fork and SIGKILL are POSIX")
def test_a_process_that_is_killed_leaves_nothing_half_there(world) -> None:
    """Last of all: it removes what the others restore from."""
    assert kill_restoring(world, some(RESTORING, 5)) == []
    assert kill_making(world, some(MAKING, 2, 7)) == []
    assert kill_removing(world, some(REMOVING, 7)) == []

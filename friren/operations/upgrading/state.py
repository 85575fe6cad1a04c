"""
How far an upgrade has come, on this machine's disk: the database may be half migrated, or about to be replaced.

One file below FRIREN_HOME, written whole before each step and removed when all is done. Whoever is killed leaves it,
and the next `manage.py upgrade` goes on from there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

from friren.errors import ConfigurationError, UpgradeError
from friren.locking import exclusive
from friren.operations.backup.settings import LOCK_SECONDS
from friren.persistence.journal import Address
from friren.persistence.journal.files import FILES

__all__ = [
    "BACKING_UP", "CHECKING", "LETTING_IN", "MIGRATING", "RESTORING", "VERIFYING", "State", "address", "forget",
    "locked", "read", "write",
]  # fmt: skip

# The steps, in order; in each of them a process may have been killed.
BACKING_UP: Final = "backup"  # the fence may be up; nothing was changed
VERIFYING: Final = "verify_backup"  # the backup is there
MIGRATING: Final = "migrate"  # the backup was restored and compared; from here on the database changes
CHECKING: Final = "health"  # every migration was applied
LETTING_IN: Final = "open"  # all is well; the fence may be down
RESTORING: Final = "restore"  # something failed; the database is about to be what it was


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    An upgrade that was begun.

    Attributes:
        database: host, port and name of the database.
        step: what is being done, or was when the process was killed.
        began_at: with its offset.
        missing: migrations that it is about, as `app.name`.
        red: checks of health that failed before it began: nothing of what they say comes from the upgrade.
        backup: id of the backup; "" before it is made.
        failure: why the backup is restored; "" while it is not.
    """

    database: str
    step: str
    began_at: dt.datetime
    missing: list[str]
    red: list[str]
    backup: str = ""
    failure: str = ""


@contextmanager
def locked() -> Iterator[None]:
    """
    Hold the folder of upgrades: one at a time.

    Raises:
        UpgradeError: another process upgrades, or the disk refuses.
    """
    folder = _path().parent
    try:
        FILES.make_directory(folder)
        with exclusive(folder / "lock", timeout=LOCK_SECONDS):
            yield
    except ConfigurationError as exc:
        if exc.__cause__ is None and str(folder / "lock") in str(exc):
            raise UpgradeError("another process is upgrading this database: let it end") from exc
        raise
    except OSError as exc:
        raise UpgradeError(f"{exc.filename or folder}: {exc.strerror}") from exc


def read() -> State | None:
    """
    Return the upgrade that was begun and not ended; None if there is none.

    Raises:
        UpgradeError: it is of another database, or the file is none of ours.
    """
    try:
        found = msgspec.json.decode(_path().read_bytes(), type=State)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as exc:
        raise UpgradeError(f"{_path()} cannot be read ({exc}): was it written by another Friren?") from exc
    if found.database != address():
        raise UpgradeError(
            f"an upgrade of {found.database} was begun and not ended, and this is {address()}: "
            f"let DATABASE_URL name that one, or remove {_path()} if it is gone"
        )
    return found


def write(state: State) -> State:
    """Keep how far an upgrade has come, synced, and return it."""
    FILES.write_whole(_path(), msgspec.json.format(msgspec.json.encode(state), indent=1))
    return state


def forget() -> None:
    """Let an upgrade be over."""
    FILES.unlink(_path())
    FILES.sync_directory(_path().parent)


def address() -> str:
    """Return host, port and name of the database that is configured."""
    return str(Address.of(connections.settings[DEFAULT_DB_ALIAS]))


def _path() -> Path:
    return Path(settings.FRIREN_HOME) / "upgrade" / "state.json"

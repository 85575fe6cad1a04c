"""
The upgrade itself: check, keep writers out, back up, prove the backup, migrate, ask for health, let writers in.

Whatever fails before the first migration changes nothing. What fails after it is undone by restoring the backup, in
which the database is what it was to the last digit, for nobody could write since. A process that is killed leaves its
state on the disk: the next `manage.py upgrade` goes on where it was, and `--rollback` restores.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec
from django.conf import settings as django_settings
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.utils import timezone

from friren import embedded
from friren.core.choices import AuditAction
from friren.embedded.archiving import start_own
from friren.errors import BackupError, FrirenError, UpgradeError
from friren.operations import grants, health, schema
from friren.operations.backup import settings as backups
from friren.operations.backup.encryption import read_identities
from friren.operations.backup.making import make_backup
from friren.operations.backup.restoring import restore_backup
from friren.operations.backup.verifying import verify_backup
from friren.operations.connectivity import explain
from friren.operations.upgrading import fence, state
from friren.operations.upgrading.state import (
    BACKING_UP,
    CHECKING,
    LETTING_IN,
    MIGRATING,
    RESTORING,
    VERIFYING,
    State,
    forget,
    write,
)
from friren.persistence.audit import record_operation

__all__ = ["UpgradeStep", "plan_upgrade", "roll_back", "upgrade"]

log = logging.getLogger(__name__)

# What no migration can break, and what breaks by itself: told, and no reason to restore.
SURROUNDINGS: Final = frozenset({"backups", "disk", "pool", "server", "write_path"})
# What an upgrade is for: red before it, and not after it.
MENDED: Final = frozenset({"migrations", "tables"})
_SHOWN_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class UpgradeStep:
    """
    One step and how it ended.

    Attributes:
        outcome: "done", "unchanged", "failed" or "planned".
        seconds: that it took.
    """

    step: str
    outcome: str
    detail: str = ""
    seconds: float = 0.0


Steps = Iterator[UpgradeStep]


def plan_upgrade() -> Steps:
    """
    Yield what `upgrade` would do. Changes nothing.

    Raises:
        UpgradeError: as `upgrade`.
    """
    begun = state.read()
    if begun is not None:
        detail = (
            f"an upgrade was begun at {begun.began_at:%Y-%m-%d %H:%M} UTC and stopped in {begun.step}: it goes on there"
        )
        yield UpgradeStep("check", "planned", detail)
        return
    missing = _missing()
    if not missing:
        yield UpgradeStep("check", "unchanged", "nothing to do: every migration is applied")
        return
    yield UpgradeStep("fence", "planned", "writers are kept out; bots journal meanwhile")
    yield UpgradeStep(BACKING_UP, "planned", f"into {backups.directory()}")
    yield UpgradeStep(VERIFYING, "planned", "it is restored into a scratch server and compared")
    yield UpgradeStep(MIGRATING, "planned", ", ".join(missing))
    yield UpgradeStep(CHECKING, "planned", "a check that turns red restores the backup")


def upgrade() -> Steps:
    """
    Do what is missing, step by step, or go on with an upgrade that was killed.

    Raises:
        UpgradeError: the database is newer than the code, or empty, or cannot be kept still; or it could not be
            restored after a failure. The message says in which state it is.
    """
    with state.locked():
        begun = state.read()
        if begun is None:
            _start_embedded()
            missing = _missing()
            if not missing:
                yield UpgradeStep("check", "unchanged", "nothing to do: every migration is applied")
                return
            begun = _begin(missing)
            yield UpgradeStep("check", "done", f"{len(missing)} migrations to apply: {_some(missing)}")
        else:
            _start_embedded()
            yield UpgradeStep("check", "done", f"goes on with {begun.step}, where an upgrade stopped")
        with fence.through():
            yield from _go_on(begun)


def roll_back() -> Steps:
    """
    Undo an upgrade that was killed: restore its backup, where anything was changed.

    Raises:
        UpgradeError: there is none, or it has ended well.
    """
    with state.locked():
        begun = state.read()
        if begun is None:
            raise UpgradeError("there is no upgrade to roll back: none was begun, or it has ended")
        if begun.step == LETTING_IN:
            raise UpgradeError("the upgrade has ended well, and writers may be in: `manage.py upgrade` ends it")
        _start_embedded()
        with fence.through():
            if begun.step in (BACKING_UP, VERIFYING):
                fence.lower()
                forget()
                yield UpgradeStep("rollback", "done", "nothing was changed yet")
            else:
                yield from _restore(begun, begun.failure or "it was asked for")


def _missing() -> list[str]:
    unknown = schema.unknown()
    if unknown:
        raise UpgradeError(
            f"the database is newer than this code, which does not know {_some(unknown)}: "
            "install the Friren that it was last used with"
        )
    missing = schema.unapplied()
    if missing and not schema.has_history():
        raise UpgradeError("there is nothing to upgrade: `manage.py setup_database` makes the tables")
    return missing


def _begin(missing: list[str]) -> State:
    if fence.is_up():
        name = connections[DEFAULT_DB_ALIAS].settings_dict["NAME"]
        raise UpgradeError(
            "sessions of this database begin read-only, and no upgrade of this machine has done that: end the one that "
            f'has, or ALTER DATABASE "{name}" RESET default_transaction_read_only'
        )
    if backups.encryption_keys():
        read_identities(backups.decryption_key_file())  # or the backup could be neither proven nor restored
    red = sorted(_red())
    return write(State(state.address(), BACKING_UP, timezone.now(), missing, red))


def _go_on(begun: State) -> Steps:
    if begun.step == RESTORING:
        yield from _restore(begun, begun.failure)
        return
    if begun.step == LETTING_IN:
        yield from _let_in(begun)
        return
    up = fence.is_up()
    if begun.step in (BACKING_UP, VERIFYING):
        begun = yield from _secure(begun, up=up)
    elif not up:
        raise UpgradeError(
            f"since the backup {begun.backup} somebody has let writers in: restoring it would lose what they stored. "
            "Finish by hand with `manage.py migrate` and `health`, then remove the folder `upgrade` in FRIREN_HOME"
        )
    try:
        if begun.step == MIGRATING:
            began = time.monotonic()
            schema.migrate()
            yield _done(MIGRATING, began, f"{len(begun.missing)} applied")
            begun = write(msgspec.structs.replace(begun, step=CHECKING))
        began = time.monotonic()
        _refuse_red(begun)
        yield _done(CHECKING, began, "no check is red that was not before")
    except Exception as exc:  # noqa: BLE001 - whatever a migration raises, the backup is restored
        connections.close_all()
        reason = explain(exc)
        log.error("the upgrade failed in %s: %s", begun.step, reason)  # noqa: TRY400 - one line is enough
        yield UpgradeStep(begun.step, "failed", reason)
        yield from _restore(begun, reason)
        return
    yield from _let_in(write(msgspec.structs.replace(begun, step=LETTING_IN)))


def _secure(begun: State, *, up: bool) -> Generator[UpgradeStep, None, State]:
    """Keep writers out, make a backup and prove it; return the state in which the database may be changed."""
    try:
        if begun.step == BACKING_UP or not up:
            yield _timed("fence", fence.pull_up, "writers are kept out, bots journal")
            began = time.monotonic()
            made = make_backup(kind="PRE_PHASE", label="upgrade")
            yield _done(BACKING_UP, began, made.manifest.id)
            begun = write(msgspec.structs.replace(begun, step=VERIFYING, backup=made.manifest.id))
        began = time.monotonic()
        verified = verify_backup(begun.backup)
        if verified.differences:
            raise BackupError(f"the backup {begun.backup} differs when it is restored: {_some(verified.differences)}")  # noqa: TRY301 - handled as one that cannot be restored
        yield _done(VERIFYING, began, f"equal in {len(verified.manifest.contents.tables)} tables")
    except Exception as exc:
        connections.close_all()
        fence.lower()
        forget()
        raise UpgradeError(f"nothing was changed: {explain(exc)}") from exc
    return write(msgspec.structs.replace(begun, step=MIGRATING))


def _let_in(begun: State) -> Steps:
    with transaction.atomic():
        record_operation(
            AuditAction.CONFIG_CHANGE, source="upgrade", model_label="database",
            object_pk=str(connections[DEFAULT_DB_ALIAS].settings_dict["NAME"]),
            after={"migrations": begun.missing, "backup": begun.backup}, using=DEFAULT_DB_ALIAS,
        )  # fmt: skip
    yield _timed("open", fence.lower, "writers are let in again")
    forget()


def _restore(begun: State, reason: str) -> Steps:
    begun = write(msgspec.structs.replace(begun, step=RESTORING, failure=reason))
    began = time.monotonic()
    detail = "the database is what it was"
    if fence.is_up():
        try:
            kept = restore_backup(begun.backup, force=True).kept
        except FrirenError as exc:
            raise UpgradeError(
                f"the upgrade failed ({reason}), and the backup {begun.backup} could not be restored: {exc}. Writers "
                "are kept out, bots journal. Mend that, then run `manage.py upgrade --rollback`"
            ) from exc
        detail += f"; what was made of it is kept as {kept}: drop that when nobody wants to look at it"
    # Else a process that was killed has restored it: the database in its place has no fence.
    connections.close_all()
    grants.renew()
    forget()
    yield _done(RESTORING, began, detail)


def _refuse_red(begun: State) -> None:
    found = health.examine()
    red = _red(found) - (frozenset(begun.red) - MENDED) - SURROUNDINGS
    if red:
        told = "; ".join(f"{name}: {found.checks[name][0].message}" for name in sorted(red))
        raise UpgradeError(f"after the migration health is red: {told}")


def _red(found: health.Report | None = None) -> frozenset[str]:
    checks = (found or health.examine()).checks
    return frozenset(name for name, (finding, _seconds) in checks.items() if not finding.ok)


def _timed(step: str, work: Callable[[], object], detail: str) -> UpgradeStep:
    began = time.monotonic()
    work()
    return _done(step, began, detail)


def _done(step: str, began: float, detail: str) -> UpgradeStep:
    return UpgradeStep(step, "done", detail, round(time.monotonic() - began, 3))


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN_MAX
    return ", ".join(names[:_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")


def _start_embedded() -> None:
    if getattr(django_settings, "FRIREN_EMBEDDED", False):
        start_own(embedded.locate(django_settings.FRIREN_HOME, binaries=django_settings.FRIREN_EMBEDDED_BIN))

"""Draining the journals of this machine on purpose, those written for another database too."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections, transaction

from friren.core.choices import AuditAction
from friren.errors import ConfigurationError, shown
from friren.persistence.adoption import drain_together
from friren.persistence.audit import record_operation
from friren.persistence.drain import Drained
from friren.persistence.journal import Address, JournalReader, journals_of, journals_under
from friren.persistence.journal.files import FILES
from friren.persistence.models import JournalCursor

__all__ = ["elsewhere", "journal_root", "replay"]


def journal_root() -> Path:
    """Return where the journals of this installation lie."""
    return Path(settings.FRIREN_HOME) / "journal"


def replay(*, adopt: str | None = None, using: str = "default", timeout: float | None = None) -> Drained:
    """
    Drain every journal of this machine that was written for the database configured now.

    Args:
        adopt: id of a producer, or of the folder of a database: its journals, written for another database, are
            made this one's first. Whoever configures that other database again will not find them there.
        timeout: seconds after which the rest is left for another time.

    Raises:
        ConfigurationError: nothing has that id, or its writer is running.
        DatabaseError: the database is in trouble; what was moved so far is moved.
    """
    root, here = journal_root(), Address.of(connections.settings[using])
    if adopt is not None:
        found = _found(root, adopt)
        _note(found, here, using)
        for reader in found:
            _move_here(reader, root, here)
    return drain_together(journals_of(root, here), using=using, timeout=timeout)


def elsewhere(using: str = "default") -> list[dict[str, Any]]:
    """Return what lies on this machine for other databases: id, address, folder and number of the last record."""
    here = Address.of(connections.settings[using])
    return [
        {"id": reader.producer, "address": str(reader.address), "folder": reader.directory.parent.name,
         "last_seq": reader.last_seq}
        for reader in journals_under(journal_root())
        if reader.directory.parent.name != here.folder
    ]  # fmt: skip


def _found(root: Path, wanted: str) -> list[JournalReader]:
    found = [
        reader
        for reader in journals_under(root)
        if wanted.lower() in {str(reader.producer), reader.producer.hex, reader.directory.parent.name}
    ]
    if not found:
        raise ConfigurationError(f"no journal below {root} has the id {shown(wanted)}")
    if alive := [str(reader.producer) for reader in found if reader.alive]:
        raise ConfigurationError(f"the writer of {', '.join(alive)} is running: stop it first")
    return found


def _note(readers: Sequence[JournalReader], here: Address, using: str) -> None:
    """Write that journals are made this database's. Before they are: none is moved without an entry."""
    with transaction.atomic(using=using):
        for reader in readers:
            record_operation(
                AuditAction.FLUSH, source="replay", model_label=JournalCursor._meta.label,
                object_pk=str(reader.producer), before={"address": str(reader.address)}, after={"address": str(here)},
                using=using,
            )  # fmt: skip


def _move_here(reader: JournalReader, root: Path, here: Address) -> None:
    """Make a journal this database's by moving its folder, in one step: a crash leaves it on one side or the other."""
    folder = root / here.folder
    target = folder / reader.directory.name
    if reader.directory == target:
        return
    try:
        FILES.make_directory(folder)
        reader.directory.rename(target)
        FILES.sync_directory(folder)
        with contextlib.suppress(OSError):
            FILES.sync_directory(reader.directory.parent)
    except OSError as exc:
        raise ConfigurationError(f"{reader.directory} cannot be moved to {target}: {exc.strerror}") from exc

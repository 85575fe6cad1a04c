"""Make a backup: one snapshot, dumped and measured, published whole."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg
from django.db import Error as DatabaseError
from django.utils import timezone

import friren
from friren.errors import BackupError, ConfigurationError, shown
from friren.operations.audit import head_in
from friren.operations.backup import records, settings
from friren.operations.backup.contents import Contents, read_contents, sequence_values
from friren.operations.backup.dumping import CUSTOM, FORMATS, Written, write_dump
from friren.operations.backup.encryption import check_keys
from friren.operations.backup.manifest import Manifest
from friren.operations.backup.programs import Server, connect, find_programs, server_of
from friren.operations.backup.shelf import Shelf, new_name
from friren.operations.connectivity import one_line

__all__ = ["Made", "Plan", "carry_out", "make_backup", "manifest_of", "plan_backup"]

_LABEL: Final = re.compile(r"[A-Za-z0-9_.]{1,40}")


@dataclass(frozen=True, slots=True)
class Made:
    """A backup, and the path of its dump."""

    manifest: Manifest
    path: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be made."""

    name: str
    kind: str
    label: str
    form: str
    file: str
    recipients: list[str]
    at: dt.datetime


def make_backup(
    *, kind: str, label: str = "", form: str = CUSTOM, encrypt: bool = False, directory: Path | None = None
) -> Made:
    """
    Dump the database into a folder of its own below the folder of backups.

    Rows, digests and definitions are read in the very snapshot that pg_dump reads, so that a restored database can
    be compared with them. Writers are not held up; an ALTER TABLE is, until the dump is done.

    Args:
        kind: a BackupKind.
        label: letters, digits, `_` and `.` for people, part of the name.
        form: "custom" or "plain".
        encrypt: refuse to make one that is not encrypted. BACKUP_ENCRYPTION_KEY alone encrypts too.
        directory: where; BACKUP_DIR by default.

    Raises:
        BackupError: it could not be made; nothing of it is left.
        ConfigurationError: a key or the programs are missing.
    """
    plan = plan_backup(kind=kind, label=label, form=form, file=FORMATS[form], encrypt=encrypt)
    shelf = Shelf(directory or settings.directory())
    return carry_out(plan, shelf, lambda partial: _write(partial, plan))


def carry_out(plan: Plan, shelf: Shelf, write: Callable[[Path], Manifest]) -> Made:
    """
    Make what is planned: `write` into a hidden folder, publish it, note it.

    Raises:
        BackupError: it could not be made; nothing of it is left.
    """
    path = shelf.directory / plan.name / plan.file
    with shelf.locked(), shelf.told():
        records.settle(shelf)
        records.begin(path, kind=plan.kind, form=plan.form, encrypted=bool(plan.recipients), at=plan.at)
        partial = shelf.begin(plan.name)
        try:
            manifest = write(partial)
            shelf.publish(partial, manifest)
        except BaseException as exc:
            shelf.abandon(partial)
            with suppress(DatabaseError):
                records.fail(path, one_line(exc))
            if isinstance(exc, psycopg.Error):
                raise BackupError(f"the database could not be read: {one_line(exc)}") from exc
            raise
        records.complete(path, manifest)
    return Made(manifest, path)


def plan_backup(*, kind: str, label: str, form: str, file: str, encrypt: bool) -> Plan:
    """
    Return what is to be made, of which `file` will be the dump.

    Raises:
        BackupError: the label is none.
        ConfigurationError: a key is wrong, or missing.
    """
    if label and not _LABEL.fullmatch(label):
        raise BackupError(f"label={shown(label)}: write letters, digits, _ and . (40 at most)")
    recipients = settings.encryption_keys()
    check_keys(recipients)
    if encrypt and not recipients:
        raise ConfigurationError("--encrypt needs BACKUP_ENCRYPTION_KEY: the age public key (age1…) to encrypt for")
    at = timezone.now()
    name = file + (".age" if recipients else "")
    return Plan(new_name(at, kind, label), kind, label, form, name, recipients, at)


def _write(partial: Path, plan: Plan) -> Manifest:
    with _snapshot() as (session, server, snapshot):
        programs = find_programs(server.major, encrypted=server.encrypted)
        contents = read_contents(session)
        audit_head = head_in(session)
        keys = check_keys(plan.recipients)
        path = partial / plan.file
        written = write_dump(path, server=server, programs=programs, snapshot=snapshot, form=plan.form, keys=keys)
        contents = _with_later_sequences(contents, sequence_values(session))
    return manifest_of(
        plan, written, server=server, program_version=programs.version, contents=contents, audit_head=audit_head
    )


def manifest_of(
    plan: Plan, written: Written, *, server: Server, program_version: str, contents: Contents, **more: Any
) -> Manifest:
    """Return the manifest of what was planned, written and finished just now; `more` is of its own kind of backup."""
    finished = timezone.now()
    return Manifest(
        id=plan.name,
        kind=plan.kind,
        label=plan.label,
        format=plan.form,
        file=plan.file,
        bytes=written.bytes,
        sha256=written.sha256,
        recipients=plan.recipients,
        started_at=plan.at,
        finished_at=finished,
        seconds=round((finished - plan.at).total_seconds(), 3),
        database=server.database,
        server_version=server.version,
        program_version=program_version,
        friren_version=friren.__version__,
        contents=contents,
        **more,
    )


@contextmanager
def _snapshot() -> Iterator[tuple[psycopg.Connection[Any], Server, str]]:
    """Hold a snapshot open, and yield the session that sees it, the server and the snapshot's name."""
    with connect() as session:
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        session.execute("SET LOCAL row_security = off")  # rows that a policy hides are an error, not a silence
        (snapshot,) = session.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
        yield session, server_of(session), snapshot


def _with_later_sequences(contents: Contents, later: dict[str, int]) -> Contents:
    spans = {name: (low, later.get(name, low)) for name, (low, _high) in contents.sequences.items()}
    return msgspec.structs.replace(contents, sequences=spans)

"""The drill: restore a backup into a scratch server and compare it with what was dumped."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from django.db import Error as DatabaseError
from django.utils import timezone
from psycopg import sql

from friren.errors import BackupError
from friren.operations.backup import records, settings
from friren.operations.backup.contents import Contents, differences, read_contents
from friren.operations.backup.drilling import drill_chain
from friren.operations.backup.dumping import CUSTOM
from friren.operations.backup.encryption import read_identities
from friren.operations.backup.filling import fill
from friren.operations.backup.manifest import Manifest, Verification, check_sums
from friren.operations.backup.offsite import fetch_backup
from friren.operations.backup.scratch import scratch_server
from friren.operations.backup.shelf import Shelf
from friren.operations.connectivity import one_line

__all__ = ["Verified", "compare", "verify_backup"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verified:
    """
    What a drill came to.

    Attributes:
        differences: in words; none means that the restored database equals the one that was dumped.
        skipped: what is in the database and was not compared.
        noted: whether the database took the result into its log.
    """

    manifest: Manifest
    path: Path
    differences: list[str]
    skipped: list[str]
    server_version: str
    seconds: float
    noted: bool


def verify_backup(what: str, *, directory: Path | None = None, key_file: Path | None = None) -> Verified:
    """
    Restore a backup into a scratch server, and compare rows and digest of every table, sequences, migrations and
    definitions with those of the dump's own snapshot. Only what is equal in all of them is VERIFIED. Of a whole server
    every file is compared with what the server handed out, and every row is read.

    Args:
        what: id, folder, file or "latest"; one that is not here is fetched from where copies lie.
        key_file: the age private key; BACKUP_DECRYPTION_KEY_FILE by default.

    Raises:
        BackupError: the backup is damaged, or cannot be restored.
        ConfigurationError: a key or the programs are missing.
    """
    began = time.monotonic()
    shelf = Shelf(directory or settings.directory())
    folder = fetch_backup(shelf, what)
    manifest = check_sums(folder)
    path = folder / manifest.file
    if manifest.physical is not None:
        return _verify_server(shelf, path, manifest, key_file, began)
    identities = read_identities(key_file or settings.decryption_key_file()) if manifest.recipients else []
    grants = manifest.format == CUSTOM
    with scratch_server(manifest.major) as scratch:
        with scratch.connect() as session:
            _make_roles(session, manifest.contents)
        try:
            fill(path, manifest, server=scratch.server, programs=scratch.binaries, identities=identities, grants=grants)
        except BackupError as exc:
            _note_failure(path, str(exc))
            raise
        with scratch.connect() as session:
            found, skipped = compare(manifest, session, grants=grants)
        version = scratch.server.version
    seconds = round(time.monotonic() - began, 3)
    if found:
        noted = _note_failure(path, "; ".join(found))
    else:
        tables = manifest.contents.tables
        rows = sum(table.rows for table in tables.values())
        proof = Verification(timezone.now(), manifest.sha256, version, len(tables), rows, seconds, skipped)
        noted = _note_success(shelf, path, manifest, proof)
    return Verified(manifest, path, found, skipped, version, seconds, noted)


def _verify_server(shelf: Shelf, path: Path, manifest: Manifest, key_file: Path | None, began: float) -> Verified:
    """Prove a backup of the whole server: its files by pg_verifybackup, its rows by reading all of them."""
    try:
        contents, version = drill_chain(
            shelf, manifest, lambda: read_identities(key_file or settings.decryption_key_file())
        )
    except BackupError as exc:
        _note_failure(path, str(exc))
        raise
    seconds = round(time.monotonic() - began, 3)
    rows, skipped = sum(table.rows for table in contents.tables.values()), manifest.contents.skipped
    proof = Verification(timezone.now(), manifest.sha256, version, len(contents.tables), rows, seconds, skipped)
    noted = _note_success(shelf, path, manifest, proof)
    return Verified(manifest, path, [], skipped, version, seconds, noted)


def compare(manifest: Manifest, session: psycopg.Connection[Any], *, grants: bool) -> tuple[list[str], list[str]]:
    """Return how a restored database differs from the one that was dumped, and what was not compared."""
    with session.transaction():
        restored = read_contents(session)
    skipped = [*manifest.contents.skipped, *([] if grants else ["owners and privileges: not restored"])]
    return differences(manifest.contents, restored, grants=grants), skipped


def _make_roles(session: psycopg.Connection[Any], contents: Contents) -> None:
    """Make the roles that the dump names: without them nothing can be owned by or granted to them."""
    there = {name for (name,) in session.execute("SELECT rolname FROM pg_roles")}
    for name in contents.roles:
        if name not in there:
            session.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name)))


def _note_success(shelf: Shelf, path: Path, manifest: Manifest, verification: Verification) -> bool:
    with shelf.told():
        shelf.mark_verified(path.parent, verification)
    message = (
        f"equal in {verification.tables} tables with {verification.rows} rows, restored into "
        f"PostgreSQL {verification.server_version} in {verification.seconds:.1f} s"
    )
    try:
        records.verify(path, manifest, at=verification.verified_at, message=message)
    except DatabaseError as exc:
        log.warning("verified, but the database did not take it into its log: %s", one_line(exc))
        return False
    return True


def _note_failure(path: Path, message: str) -> bool:
    try:
        records.refute(path, message)
    except DatabaseError as exc:
        log.warning("the database did not take the failed verification into its log: %s", one_line(exc))
        return False
    return True

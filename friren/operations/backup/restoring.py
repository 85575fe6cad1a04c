"""
Restore a backup into the database that is configured.

Everything about the backup is proven before the database is touched. An empty database is filled in one transaction.
One that is not empty stays as it is until the restored one stands beside it, compared; then both change names in one
transaction, and the old one is kept under another.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from django.conf import settings as django_settings
from django.db import Error as DatabaseError
from django.db import connections
from django.utils import timezone
from psycopg import sql
from pyrage import x25519

from friren import embedded
from friren.embedded.archiving import start_own
from friren.errors import BackupError
from friren.operations.backup import records, settings
from friren.operations.backup.catalog import USER_OBJECTS
from friren.operations.backup.dumping import CUSTOM
from friren.operations.backup.encryption import decrypt, read_identities
from friren.operations.backup.filling import Nowhere, fill
from friren.operations.backup.manifest import Manifest, check_sums
from friren.operations.backup.offsite import fetch_backup
from friren.operations.backup.programs import Server, connect, find_programs, server_of
from friren.operations.backup.shelf import Shelf
from friren.operations.backup.verifying import compare
from friren.operations.connectivity import one_line
from friren.operations.provisioning import MAINTENANCE_DATABASE

__all__ = ["Restored", "restore_backup"]

# Clients that reconnect at once can slip in between; each attempt ends their sessions again.
_SWAP_ATTEMPTS: Final = 20
_SWAP_PAUSE_SECONDS: Final = 0.1
# The words in the names of a database that is being restored, and of the one that it replaced.
_BESIDE: Final = "restored"
_ASIDE: Final = "before"
# The providers of a database's locale, by their letter in the catalog, with the option that names the locale.
_PROVIDERS: Final = {"c": ("libc", ""), "i": ("icu", "ICU_LOCALE"), "b": ("builtin", "BUILTIN_LOCALE")}
# What PostgreSQL allows a name.
_NAME_BYTES_MAX: Final = 63


@dataclass(frozen=True, slots=True)
class Restored:
    """
    What was restored.

    Attributes:
        kept: name of the database that was there before; "" when it was empty.
        skipped: what was not restored or not compared.
    """

    manifest: Manifest
    path: Path
    database: str
    kept: str
    skipped: list[str]
    seconds: float


def restore_backup(
    what: str, *, force: bool = False, directory: Path | None = None, key_file: Path | None = None
) -> Restored:
    """
    Restore a backup into the configured database, and compare it with what was dumped.

    Args:
        what: id, folder, file or "latest"; one that is not here is fetched from where copies lie.
        force: whether a database that is not empty is replaced; it is kept under another name.

    Raises:
        BackupError: the backup is damaged, the database is not empty, or it could not be restored; the database
            is as it was. Only one that was empty, and differs once it is filled, is left to be looked at.
        ConfigurationError: a key or the programs are missing.
    """
    began = time.monotonic()
    folder = fetch_backup(Shelf(directory or settings.directory()), what)
    manifest = check_sums(folder)
    if manifest.physical is not None:
        raise BackupError(f"{manifest.id} is of the whole server: restore it with --to-latest, --to-time or --to-name")
    path = folder / manifest.file
    identities = read_identities(key_file or settings.decryption_key_file()) if manifest.recipients else []
    if identities:
        with path.open("rb") as file:
            decrypt(file, Nowhere(), identities)
    if getattr(django_settings, "FRIREN_EMBEDDED", False):
        start_own(embedded.locate(django_settings.FRIREN_HOME, binaries=django_settings.FRIREN_EMBEDDED_BIN))
    connections.close_all()  # of this thread: a database that is in use cannot be renamed
    with connect() as session:
        server = server_of(session)
        if server.major < manifest.major:
            raise BackupError(
                f"the backup is of PostgreSQL {manifest.server_version} and this server is {server.version}: "
                "a dump goes to the same major version or a newer one"
            )
        empty = session.execute(USER_OBJECTS).fetchone() == (0,)
        there = {name for (name,) in session.execute("SELECT rolname FROM pg_roles")}
    missing = [name for name in manifest.contents.roles if name not in there]
    grants = manifest.format == CUSTOM and not missing
    if empty:
        skipped = _fill_and_compare(path, manifest, server, identities, grants=grants)
        kept = ""
    elif force:
        kept, skipped = _replace(path, manifest, server, identities, grants=grants)
    else:
        raise BackupError(
            f"the database {server.database} is not empty: --force puts it aside under another name and restores"
        )
    if missing:
        skipped.append(f"roles that this server does not have: {', '.join(missing)}")
    connections.close_all()  # what was opened meanwhile may know another schema
    try:
        records.restored(path, manifest, kept=kept)
    except DatabaseError as exc:
        skipped.append(f"the entry in the audit log: {one_line(exc)}")
    return Restored(manifest, path, server.database, kept, skipped, round(time.monotonic() - began, 3))


def _fill_and_compare(
    path: Path, manifest: Manifest, server: Server, identities: Sequence[x25519.Identity], *, grants: bool
) -> list[str]:
    programs = find_programs(server.major, encrypted=server.encrypted, program="pg_restore")
    fill(path, manifest, server=server, programs=programs, identities=identities, grants=grants)
    with connect(dbname=server.database) as session:
        found, skipped = compare(manifest, session, grants=grants)
    if found:
        raise BackupError(f"restored into {server.database}, but it differs from what was dumped: {'; '.join(found)}")
    return skipped


def _replace(
    path: Path, manifest: Manifest, server: Server, identities: Sequence[x25519.Identity], *, grants: bool
) -> tuple[str, list[str]]:
    """Restore beside the database, compare, and let the two change names."""
    at = timezone.now()
    beside, kept = (_named(server.database, word, at) for word in (_BESIDE, _ASIDE))
    with connect(dbname=MAINTENANCE_DATABASE) as session:
        _clear_away(session, server.database)
        made, lost = _like(session, server.database, beside)
        try:
            session.execute(made)
        except psycopg.Error as exc:
            raise BackupError(
                f"a database to restore into cannot be made beside {server.database}: {one_line(exc)}. "
                "Give the role CREATEDB, or restore into an empty database"
            ) from exc
        try:
            with connect(dbname=beside) as other:
                there = server_of(other)
            skipped = _fill_and_compare(path, manifest, there, identities, grants=grants)
            _swap(session, server.database, beside, kept)
        except BaseException:
            session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(beside)))
            raise
    return kept, skipped + lost


def _like(session: psycopg.Connection[Any], name: str, beside: str) -> tuple[sql.Composed, list[str]]:
    """Return the statement that makes an empty database in the locale of another, and what it has that is left out."""
    # As JSON: the columns of a locale have other names in other versions of PostgreSQL.
    row = session.execute(
        "SELECT pg_get_userbyid(datdba), to_jsonb(d)::text, "
        "EXISTS (SELECT FROM pg_db_role_setting WHERE setdatabase = d.oid) FROM pg_database d WHERE datname = %s",
        [name],
    ).fetchone()
    assert row is not None  # it was connected to
    owner, text, settings_of_its_own = row
    found = json.loads(text)
    provider, option = _PROVIDERS[found["datlocprovider"]]
    locale = found.get("datlocale") or found.get("daticulocale")
    made = sql.SQL(
        "CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {} LOCALE_PROVIDER {}"
    ).format(
        sql.Identifier(beside),
        sql.Identifier(owner),
        sql.Literal(found["encoding"]),
        sql.Literal(found["datcollate"]),
        sql.Literal(found["datctype"]),
        sql.Literal(provider),
    )
    if option:
        made += sql.SQL(f" {option} {{}}").format(sql.Literal(locale))
    left_out = {
        "settings of the database (ALTER DATABASE … SET)": settings_of_its_own,
        "privileges on the database (GRANT … ON DATABASE)": found["datacl"] is not None,
    }
    return made, [what for what, there in left_out.items() if there]


def _clear_away(session: psycopg.Connection[Any], name: str) -> None:
    """Drop what a restore that was killed has left beside a database; a lock tells that no other one is at work."""
    lock = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
    if session.execute(lock, [f"friren: restore of {name}"]).fetchone() != (True,):
        raise BackupError(f"the database {name} is being restored by another process")
    left = _named(name, _BESIDE, None)
    found = session.execute("SELECT datname FROM pg_database WHERE datname ^@ %s", [left]).fetchall()
    for (beside,) in found:
        session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(beside)))


def _swap(session: psycopg.Connection[Any], name: str, beside: str, kept: str) -> None:
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    for attempt in range(1, _SWAP_ATTEMPTS + 1):
        try:
            with session.transaction():
                # Autovacuum workers are nobody's: only a superuser may end them, and the renaming does so by itself.
                session.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = ANY (%s) AND usesysid IS NOT NULL",
                    [[name, beside]],
                )
                session.execute(rename.format(sql.Identifier(name), sql.Identifier(kept)))
                session.execute(rename.format(sql.Identifier(beside), sql.Identifier(name)))
            return
        except psycopg.errors.ObjectInUse as exc:
            if attempt == _SWAP_ATTEMPTS:
                raise BackupError(f"the database {name} is in use: stop what is connected to it") from exc
            time.sleep(_SWAP_PAUSE_SECONDS)
        except psycopg.Error as exc:
            raise BackupError(f"the database {name} cannot be put aside: {one_line(exc)}") from exc


def _named(database: str, word: str, at: dt.datetime | None) -> str:
    """Return a name for a database beside `database`, or what all those of `word` begin with."""
    stamp = "" if at is None else f"{at:%Y%m%d_%H%M%S}"
    room = _NAME_BYTES_MAX - len(f"_{word}_20260105_020000")
    return f"{database.encode()[:room].decode('utf-8', 'ignore')}_{word}_{stamp}"

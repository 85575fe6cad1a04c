"""Tables out of the database into a folder of files with a manifest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, connections

import friren
from friren.accounts import AccountHandle
from friren.core.choices import AuditAction
from friren.core.models import Account
from friren.errors import ConfigurationError
from friren.operations.archive.cold.parquet import check_installed
from friren.persistence.audit import record_operation
from friren.persistence.handlers import one_commit
from trading_engine.data.transfer.formats import SUFFIXES, write_table
from trading_engine.data.transfer.manifests import ExportedTable, Manifest, sha256_of, write_manifest
from trading_engine.data.transfer.reading import References, rows_of_table, snapshot
from trading_engine.data.transfer.shapes import Shaped, shape_named
from trading_engine.data.transfer.tables import Table, exported_tables
from trading_engine.data.transfer.values import Digest

__all__ = ["export_shape", "export_tables", "table_digest"]

_LATEST: Final = "SELECT DISTINCT ON (app) app, name FROM django_migrations ORDER BY app, id DESC"


def export_tables(
    folder: Path,
    *,
    form: str,
    account: AccountHandle | None = None,
    tables: Sequence[str] = (),
    progress: Callable[[str, int], None] = lambda _table, _rows: None,
    using: str = DEFAULT_DB_ALIAS,
) -> Manifest:
    """
    Write tables to files, all as they stood at one moment. Memory does not grow with them.

    Args:
        folder: made if need be; one that has something in it is refused.
        form: one of `transfer.formats.FORMATS`.
        account: whose rows, with those of nobody; everybody's unless given.
        tables: names of models; all unless given.
        progress: told each table when it is written.

    Raises:
        ConfigurationError: the folder is not empty, a table is unknown, or pyarrow is not installed.
        OSError: the disk refuses; a folder without a manifest is no export.
    """
    chosen = exported_tables(tuple(tables))
    if form == "parquet":
        check_installed("--format parquet")
    _make_room(folder)
    key = None if account is None else account.id
    found = []
    with snapshot(using):
        moment, migrations = _moment(using), _migrations(using)
        references = References(using)
        for table in chosen:
            digest = Digest(table.columns)
            path = folder / f"{table.name}{SUFFIXES[form]}"
            rows = rows_of_table(table, account=key, references=references, using=using)
            write_table(path, form, table.columns, _counted(rows, digest))
            size = path.stat().st_size
            found.append(ExportedTable(table.name, path.name, digest.rows, size, sha256_of(path), digest.text))
            progress(table.name, digest.rows)
    manifest = Manifest(
        friren.__version__, form, account.name if account else "", str(key or ""), moment, migrations, found
    )
    _audit(account, {"tables": len(found), "rows": sum(one.rows for one in found), "format": form}, using)
    write_manifest(folder, manifest)
    return manifest


def export_shape(
    folder: Path, *, shape: str, account: AccountHandle | None, using: str = DEFAULT_DB_ALIAS
) -> list[Shaped]:
    """
    Write files in the shape of another system into a folder of their own.

    Args:
        shape: one of `transfer.shapes.shapes()`.

    Raises:
        ConfigurationError: the folder is not empty, or the shape wants an account.
        OSError: the disk refuses.
    """
    _make_room(folder)
    files = shape_named(shape)(folder, account)
    _audit(account, {"shape": shape, "rows": sum(one.records for one in files)}, using)
    return files


def _make_room(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ConfigurationError(f"{folder} has something in it: an export wants a folder of its own")


def _audit(account: AccountHandle | None, told: Mapping[str, Any], using: str) -> None:
    key = None if account is None else account.id
    with one_commit(using):
        # The rows of an account, or of all of them.
        record_operation(
            AuditAction.EXPORT, source="export_data", model_label=Account._meta.label, object_pk=str(key or ""),
            after=told, account=key, using=using,
        )  # fmt: skip


def table_digest(table: Table, *, account: Any, using: str) -> Digest:
    """Return the digest of a table as it stands, within a `snapshot`."""
    digest = Digest(table.columns)
    for row in rows_of_table(table, account=account, references=References(using), using=using):
        digest.add(row)
    return digest


def _counted(rows: Iterator[Mapping[str, Any]], digest: Digest) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        digest.add(row)
        yield row


def _moment(using: str) -> dt.datetime:
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT now()")
        moment: dt.datetime = cursor.fetchone()[0]
        return moment


def _migrations(using: str) -> dict[str, str]:
    with connections[using].cursor() as cursor:
        cursor.execute(_LATEST)
        return dict(cursor.fetchall())

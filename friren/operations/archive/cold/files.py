"""Whole months out of the archive into Parquet, and back; what was written is read again before rows are dropped."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.utils import timezone

import friren
from friren.errors import ArchiveError
from friren.operations.archive import runs
from friren.operations.archive.ages import month_after, month_of
from friren.operations.archive.bundles import free_of
from friren.operations.archive.cold.cleaning import discard, room, settle, sweep
from friren.operations.archive.cold.keys import forget_cold, keep_cold
from friren.operations.archive.cold.manifests import Manifest, encoded, fetch, manifest_name, manifests_of, new_name
from friren.operations.archive.cold.parquet import check_installed, read_rows, selected, write_rows
from friren.operations.archive.cold.places import Place, open_place, sha256_of
from friren.operations.archive.door import close_archive, held, opened, raise_horizon, set_text_form
from friren.operations.archive.moving import Batch, digest_sql
from friren.operations.archive.policies import ArchivePolicy
from friren.operations.archive.settings import COLD_ROWS
from friren.operations.archive.shapes import columns_of, make_shape
from friren.operations.choices import ArchiveDirection, ArchiveTarget
from friren.operations.connectivity import one_line
from friren.operations.models import ArchiveRun
from friren.persistence.archived import ARCHIVE_SCHEMA, archive_of

__all__ = ["Cold", "cool", "warm"]

# What a file's rows are read into again; of this session only.
STAGE: Final = "friren_cold_stage"


@dataclass(frozen=True, slots=True)
class Cold:
    """A month of a table in a file."""

    table: str
    month: str
    rows: int
    file: str
    bytes: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class _Work:
    """What all steps of one call have in common: a table, where its months lie, and room for a file."""

    policy: ArchivePolicy
    place: Place
    scratch: Path
    using: str

    @property
    def archived(self) -> str:
        """The archive of the table, quoted."""
        return f"{self.name(ARCHIVE_SCHEMA)}.{self.name(self.policy.table)}"

    def name(self, name: str) -> str:
        """Return a name of the database, quoted."""
        return str(connections[self.using].ops.quote_name(name))

    def within(self, run: ArchiveRun) -> tuple[str, dict[str, Any]]:
        """Return the condition on the rows `t` of a run, and its parameters."""
        column = self.name(self.policy.time_column)
        where = [f"t.{column} >= %(since)s", f"t.{column} < %(until)s", *free_of(self.policy, self.using)]
        return " AND ".join(where), {"since": run.since_at, "until": run.cutoff_at}


def cool(
    policy: ArchivePolicy, where: str, until: dt.datetime, *, dry_run: bool = False, using: str = DEFAULT_DB_ALIAS
) -> list[Cold]:
    """
    Write the months of a table's archive that were over at `until` to files, and drop their rows there.

    Args:
        where: a folder, or s3://bucket/prefix.

    Raises:
        ArchiveError: the place refuses, or what is read back is not what was written; the rows stay in the archive.
        ConfigurationError: pyarrow (or boto3) is not installed.
    """
    check_installed()
    place = open_place(where)
    if not policy.cold:
        raise ArchiveError(f"{policy.name} stays in the archive: it is not written to files")
    if archive_of(policy.table, using) is None:
        return []
    if dry_run:
        months = _months(policy, month_of(until), using)
        return [Cold(policy.table, f"{month:%Y-%m}", rows, "") for month, rows in months]
    with held(policy, using), room(policy, using) as scratch:
        settle(policy, using)
        sweep(policy, place, using)
        months = _months(policy, month_of(until), using)
        work = _Work(policy, place, scratch, using)
        return [_cool_month(work, month) for month, _rows in months]


def warm(
    policy: ArchivePolicy,
    where: str,
    *,
    since: dt.datetime | None,
    until: dt.datetime,
    dry_run: bool = False,
    using: str = DEFAULT_DB_ALIAS,
) -> list[Cold]:
    """
    Bring the months of a table that overlap `since` to `until` back from files to its archive, and remove the files.

    Raises:
        ArchiveError: a file is gone, damaged, or not of the table's shape; nothing of it was brought back.
        ConfigurationError: pyarrow (or boto3) is not installed.
    """
    check_installed()
    place = open_place(where)
    with held(policy, using), room(policy, using) as scratch:
        if not dry_run:
            settle(policy, using)
            sweep(policy, place, using)
        found = manifests_of(place, policy.table, scratch)
        wanted = [one for one in found if _overlaps(one, since, until)]
        if dry_run:
            return [Cold(policy.table, one.month, one.rows, f"{place.name}/{one.file}") for one in wanted]
        work = _Work(policy, place, scratch, using)
        return [_warm_file(work, one) for one in wanted]


def _months(policy: ArchivePolicy, until: dt.datetime, using: str) -> list[tuple[dt.datetime, int]]:
    column = connections[using].ops.quote_name(policy.time_column)
    with connections[using].cursor() as cursor:
        cursor.execute(
            f"SELECT date_trunc('month', t.{column}, 'UTC'), count(*) FROM {archive_of(policy.table, using)} t "
            f"WHERE {' AND '.join([f't.{column} < %s', *free_of(policy, using)])} GROUP BY 1 ORDER BY 1",
            [until],
        )
        return [(month.astimezone(dt.UTC), rows) for month, rows in cursor.fetchall()]


def _cool_month(work: _Work, month: dt.datetime) -> Cold:
    policy, place, using = work.policy, work.place, work.using
    file = new_name(policy.table, f"{month:%Y-%m}")
    with transaction.atomic(using=using, durable=True):
        run = runs.begin(
            policy, ArchiveDirection.ARCHIVE, target=ArchiveTarget.PARQUET, since=month, until=month_after(month),
            path=f"{place.name}/{file}", using=using,
        )  # fmt: skip
    try:
        manifest = _written(work, run, file)
        _compare(work, manifest)
        _drop(work, run, manifest)
    except Exception as exc:
        # Not yet dropped, or taken back: the rows are in the archive, and the file is nobody's.
        runs.fail(run, one_line(exc))
        with contextlib.suppress(ArchiveError):  # what is wrong with the place is told already
            discard(place, file)
        raise
    return Cold(policy.table, manifest.month, manifest.rows, f"{place.name}/{file}", manifest.bytes, manifest.sha256)


def _written(work: _Work, run: ArchiveRun, file: str) -> Manifest:
    policy, place, scratch, using, archived = work.policy, work.place, work.scratch, work.using, work.archived
    columns = {name: column.type for name, column in columns_of(archived, using).items()}
    local = scratch / "written.parquet"
    rows = write_rows(local, columns | dict.fromkeys(policy.products, "numeric(38,18)"), _rows(work, run, columns))
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        set_text_form(cursor)
        count, digest = _digest(cursor, work, archived, columns, work.within(run))
    if count != rows:
        raise ArchiveError(f"{archived}: {count} rows of {file}, and {rows} were written; nothing was dropped")
    place.put(local, file)
    manifest = Manifest(
        file=file, table=policy.table, month=f"{run.since_at:%Y-%m}", time_column=policy.time_column, columns=columns,
        products=dict(policy.products), rows=rows, digest=digest, bytes=local.stat().st_size, sha256=sha256_of(local),
        written_at=timezone.now().isoformat(), friren=friren.__version__,
    )  # fmt: skip
    (scratch / "manifest.json").write_bytes(encoded(manifest))
    place.put(scratch / "manifest.json", manifest_name(file))
    return manifest


def _rows(work: _Work, run: ArchiveRun, columns: Mapping[str, str]) -> Iterator[Sequence[Any]]:
    listed = [selected(work.name(name), kind) for name, kind in columns.items()]
    # A product that has no room is left empty, rather than the month unwritten.
    listed += [
        f"CASE WHEN abs({product}) < 1e20 THEN round({product}, 18) END"
        for product in (text.replace("%", "%%") for text in work.policy.products.values())
    ]
    where, parameters = work.within(run)
    order = f"{work.name(work.policy.time_column)}, id"
    with transaction.atomic(using=work.using), connections[work.using].chunked_cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(listed)} FROM {work.archived} t WHERE {where} ORDER BY {order}", parameters)
        while some := cursor.fetchmany(COLD_ROWS):
            yield from some


def _compare(work: _Work, manifest: Manifest) -> None:
    """Read a file again from where it lies, and hold it to the digest of the rows that it was made of."""
    _stage(work, manifest)
    with connections[work.using].cursor() as cursor:
        cursor.execute(f"DROP TABLE {STAGE}")


def _stage(work: _Work, manifest: Manifest) -> None:
    local = work.scratch / "read.parquet"
    fetch(work.place, manifest, local)
    listed = ", ".join(map(work.name, manifest.columns))
    connection: Any = connections[work.using]
    with transaction.atomic(using=work.using, durable=True), connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {STAGE}")
        cursor.execute(f"CREATE TEMPORARY TABLE {STAGE} AS SELECT {listed} FROM {work.archived} WITH NO DATA")
        with connection.wrap_database_errors, cursor.copy(f"COPY {STAGE} ({listed}) FROM STDIN") as copy:
            for row in read_rows(local, list(manifest.columns)):
                copy.write_row(row)
        set_text_form(cursor)
        count, digest = _digest(cursor, work, STAGE, manifest.columns, ("true", {}))
        if (count, digest) != (manifest.rows, manifest.digest):
            raise ArchiveError(f"{work.place.name}/{manifest.file} gives other rows than were written; none was moved")


def _drop(work: _Work, run: ArchiveRun, manifest: Manifest) -> None:
    policy, using, archived = work.policy, work.using, work.archived
    columns = list(map(work.name, manifest.columns))
    where, parameters = work.within(run)
    with opened(policy, using=using) as cursor:
        keep_cold(cursor, archived, where, parameters, run)
        cursor.execute(
            f"WITH gone AS (DELETE FROM {archived} t WHERE {where} RETURNING t.*) "
            f"SELECT count(*), {digest_sql('g', columns)}::text, min(recorded_seq), max(recorded_seq) FROM gone g",
            parameters,
        )
        rows, digest, first_seq, last_seq = cursor.fetchone()
        if (rows, digest) != (manifest.rows, manifest.digest):
            raise ArchiveError(f"{archived} changed while {manifest.file} was written; nothing was dropped")
        runs.record(run, Batch(rows, first_seq, last_seq, int(digest)))
        runs.complete(policy, run, using)


def _warm_file(work: _Work, manifest: Manifest) -> Cold:
    policy, place, using, archived = work.policy, work.place, work.using, work.archived
    with transaction.atomic(using=using, durable=True):
        make_shape(policy, using)
        close_archive(policy, using)
    now = {name: column.type for name, column in columns_of(archived, using).items()}
    if other := [name for name, kind in manifest.columns.items() if now.get(name) != kind]:
        raise ArchiveError(
            f"{place.name}/{manifest.file} has {other[0]} as {manifest.columns[other[0]]}, and {archived} has "
            f"{now.get(other[0], 'none')}: bring it back with the version that wrote it, {manifest.friren}"
        )
    since = dt.datetime.fromisoformat(f"{manifest.month}-01").replace(tzinfo=dt.UTC)
    raise_horizon(policy, month_after(since), using)
    _stage(work, manifest)
    listed = ", ".join(map(work.name, manifest.columns))
    with opened(policy, using=using) as cursor:
        run = runs.begin(
            policy, ArchiveDirection.UNARCHIVE, target=ArchiveTarget.PARQUET, since=since, until=month_after(since),
            path=f"{place.name}/{manifest.file}", using=using,
        )  # fmt: skip
        cursor.execute(f"INSERT INTO {archived} ({listed}) SELECT {listed} FROM {STAGE}")
        forget_cold(cursor, STAGE)
        cursor.execute(f"SELECT min(recorded_seq), max(recorded_seq) FROM {STAGE}")
        first_seq, last_seq = cursor.fetchone()
        runs.record(run, Batch(manifest.rows, first_seq, last_seq, int(manifest.digest)))
        runs.complete(policy, run, using)
        cursor.execute(f"DROP TABLE {STAGE}")
    # Killed here, the file is one whose rows came back, and the next run removes it.
    place.remove(manifest_name(manifest.file))
    place.remove(manifest.file)
    return Cold(policy.table, manifest.month, manifest.rows, f"{place.name}/{manifest.file}")


def _overlaps(manifest: Manifest, since: dt.datetime | None, until: dt.datetime) -> bool:
    begins = dt.datetime.fromisoformat(f"{manifest.month}-01").replace(tzinfo=dt.UTC)
    return begins < until and (since is None or month_after(begins) > since)


def _digest(
    cursor: Any, work: _Work, table: str, columns: Mapping[str, str], where: tuple[str, Mapping[str, Any]]
) -> tuple[int, str]:
    condition, parameters = where
    listed = list(map(work.name, columns))
    cursor.execute(f"SELECT count(*), {digest_sql('t', listed)}::text FROM {table} t WHERE {condition}", parameters)
    rows, digest = cursor.fetchone()
    return int(rows), str(digest)

"""Whole months out of the archive into Parquet, and back; what was written is read again before rows are dropped."""

from __future__ import annotations

import contextlib
import datetime as dt

from django.db import DEFAULT_DB_ALIAS, transaction

from friren.errors import ArchiveError
from friren.operations.archive import runs
from friren.operations.archive.ages import month_after, month_of
from friren.operations.archive.cold.cleaning import discard, room, settle, sweep
from friren.operations.archive.cold.keys import forget_cold, keep_cold
from friren.operations.archive.cold.manifests import Manifest, manifest_name, manifests_of, new_name
from friren.operations.archive.cold.parquet import check_installed
from friren.operations.archive.cold.places import open_place
from friren.operations.archive.cold.writing import STAGE, Cold, Work, compare, months_of, stage, written
from friren.operations.archive.door import close_archive, held, opened, raise_horizon
from friren.operations.archive.moving import Batch, digest_sql
from friren.operations.archive.policies import ArchivePolicy
from friren.operations.archive.shapes import columns_of, make_shape
from friren.operations.choices import ArchiveDirection, ArchiveTarget
from friren.operations.connectivity import one_line
from friren.operations.models import ArchiveRun
from friren.persistence.archived import archive_of

__all__ = ["cool", "warm"]


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
        months = months_of(policy, month_of(until), using)
        return [Cold(policy.table, f"{month:%Y-%m}", rows, "") for month, rows in months]
    with held(policy, using), room(policy, using) as scratch:
        settle(policy, using)
        sweep(policy, place, using)
        months = months_of(policy, month_of(until), using)
        work = Work(policy, place, scratch, using)
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
        work = Work(policy, place, scratch, using)
        return [_warm_file(work, one) for one in wanted]


def _cool_month(work: Work, month: dt.datetime) -> Cold:
    policy, place, using = work.policy, work.place, work.using
    file = new_name(policy.table, f"{month:%Y-%m}")
    with transaction.atomic(using=using, durable=True):
        run = runs.begin(
            policy, ArchiveDirection.ARCHIVE, target=ArchiveTarget.PARQUET, since=month, until=month_after(month),
            path=f"{place.name}/{file}", using=using,
        )  # fmt: skip
    try:
        manifest = written(work, run, file)
        compare(work, manifest)
        _drop(work, run, manifest)
    except Exception as exc:
        # Not yet dropped, or taken back: the rows are in the archive, and the file is nobody's.
        runs.fail(run, one_line(exc))
        with contextlib.suppress(ArchiveError):  # what is wrong with the place is told already
            discard(place, file)
        raise
    return Cold(policy.table, manifest.month, manifest.rows, f"{place.name}/{file}", manifest.bytes, manifest.sha256)


def _drop(work: Work, run: ArchiveRun, manifest: Manifest) -> None:
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


def _warm_file(work: Work, manifest: Manifest) -> Cold:
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
    stage(work, manifest)
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

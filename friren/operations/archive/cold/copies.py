"""
Copies of archived money as Parquet: for those who add it up elsewhere. Its rows stay in the archive.

A file is named by what is in it, so a month that has not changed since is not written again; one that has is replaced.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Mapping

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from friren.errors import ArchiveError
from friren.operations.archive.ages import month_after, month_of
from friren.operations.archive.bundles import Bundle
from friren.operations.archive.cold.cleaning import discard, room
from friren.operations.archive.cold.manifests import Manifest, manifest_name, manifests_of
from friren.operations.archive.cold.parquet import check_installed
from friren.operations.archive.cold.places import open_place
from friren.operations.archive.cold.writing import Cold, Stretch, Work, compare, months_of, written
from friren.operations.archive.door import held, set_text_form
from friren.operations.archive.moving import digest_sql
from friren.operations.archive.policies import ArchivePolicy
from friren.operations.archive.shapes import columns_of
from friren.persistence.archived import archive_of

__all__ = ["copy_bundle"]


def copy_bundle(
    bundle: Bundle, where: str, until: dt.datetime, *, dry_run: bool = False, using: str = DEFAULT_DB_ALIAS
) -> list[Cold]:
    """
    Copy the months of a bundle's archive that were over at `until` to files, and remove copies that hold no longer.

    Args:
        where: a folder, or s3://bucket/prefix.

    Raises:
        ArchiveError: the place refuses, or what is read back is not what was written.
        ConfigurationError: pyarrow (or boto3) is not installed.
    """
    check_installed()
    found: list[Cold] = []
    for policy in bundle.members:
        if policy.bundle and policy.time and archive_of(policy.table, using) is not None:
            found += _copied(policy, where, month_of(until), dry_run=dry_run, using=using)
    return found


def _copied(policy: ArchivePolicy, where: str, until: dt.datetime, *, dry_run: bool, using: str) -> list[Cold]:
    place = open_place(where)
    if dry_run:
        return [
            Cold(policy.table, f"{month:%Y-%m}", rows, "", copy=True) for month, rows in months_of(policy, until, using)
        ]
    with held(policy, using), room(policy, using) as scratch:
        work = Work(policy, place, scratch, using)
        there = {one.file: one for one in manifests_of(place, policy.table, scratch)}
        manifests = [_copy(work, month, there) for month, _rows in months_of(policy, until, using)]
        kept = {name for one in manifests for name in (one.file, manifest_name(one.file))}
        # What a killed run has left without its manifest, too: who reads a folder reads all that is in it.
        for name in sorted(set(place.names(f"{policy.table}/")) - kept):
            place.remove(name)
    return [
        Cold(policy.table, one.month, one.rows, f"{place.name}/{one.file}", one.bytes, one.sha256, copy=True)
        for one in manifests
    ]


def _copy(work: Work, month: dt.datetime, there: Mapping[str, Manifest]) -> Manifest:
    stretch = Stretch(month, month_after(month))
    file = f"{work.policy.table}/month={month:%Y-%m}/{_content(work, stretch)}.parquet"
    if (known := there.get(file)) is not None:
        return known
    work.place.remove(file)  # of a killed run
    try:
        manifest = written(work, stretch, file)
        compare(work, manifest)
    except ArchiveError:
        # Its manifest would vouch for it; what is wrong with the place is told already.
        with contextlib.suppress(ArchiveError):
            discard(work.place, file)
        raise
    return manifest


def _content(work: Work, stretch: Stretch) -> str:
    """Return what names the content of a month: how many rows, and the sum of their digests."""
    listed = [work.name(name) for name in columns_of(work.archived, work.using)]
    where, parameters = work.within(stretch)
    with transaction.atomic(using=work.using), connections[work.using].cursor() as cursor:
        set_text_form(cursor)
        cursor.execute(f"SELECT count(*), {digest_sql('t', listed)} FROM {work.archived} t WHERE {where}", parameters)
        rows, digest = cursor.fetchone()
    return f"{rows}-{int(digest) % 2**64:016x}"

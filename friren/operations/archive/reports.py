"""What the commands do and tell: tables first, files after them, or the other way round."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS

from friren.operations.archive.bundles import chosen_bundles
from friren.operations.archive.cold.copies import copy_bundle
from friren.operations.archive.cold.files import cool, warm
from friren.operations.archive.cold.parquet import check_installed
from friren.operations.archive.cold.writing import Cold
from friren.operations.archive.policies import chosen
from friren.operations.archive.service import Moved, archive, unarchive

__all__ = ["archive_all", "of_archive", "show_lines", "unarchive_all"]


def archive_all(
    models: Sequence[str],
    *,
    now: dt.datetime,
    older_than: dt.datetime | None,
    cold: str | None,
    dry_run: bool,
    using: str = DEFAULT_DB_ALIAS,
) -> tuple[list[Moved], list[Cold]]:
    """Archive rows, and write the months of the archive that are as old to files: as `archive` and `cool` have it."""
    if cold is not None:
        check_installed()
    moved = archive(models, now=now, older_than=older_than, dry_run=dry_run, using=using)
    files: list[Cold] = []
    if cold is not None:
        until = {one.table: one.until for one in moved}
        for policy in chosen(models):
            if policy.table in until and (policy.cold or models):
                files += cool(policy, cold, until[policy.table], dry_run=dry_run, using=using)
        for bundle in chosen_bundles(models):
            if bundle.members[0].table in until:
                files += copy_bundle(bundle, cold, until[bundle.members[0].table], dry_run=dry_run, using=using)
    return moved, files


def unarchive_all(
    models: Sequence[str],
    *,
    since: dt.datetime | None,
    until: dt.datetime,
    cold: str | None,
    dry_run: bool,
    using: str = DEFAULT_DB_ALIAS,
) -> tuple[list[Moved], list[Cold]]:
    """Bring months back from files, and rows from the archive. As `warm` and `unarchive` have it."""
    files: list[Cold] = []
    if cold is not None:
        for policy in (policy for policy in chosen(models) if policy.cold):
            files += warm(policy, cold, since=since, until=until, dry_run=dry_run, using=using)
    return unarchive(models, since=since, until=until, dry_run=dry_run, using=using), files


def of_archive(moved: Sequence[Moved], files: Sequence[Cold], *, dry_run: bool) -> Mapping[str, Any]:
    """Return the report of a command."""
    return {
        "moved": sum(one.rows for one in moved),
        "per_table": {
            one.table: {
                "moved": one.rows, "kept": one.kept, "until": one.until, "run": one.run, "digest": str(one.digest),
            }
            for one in moved
        },
        "files": [dataclasses.asdict(one) for one in files],
        # What left is held to what arrived, row by row, before it is committed.
        "verified": not dry_run,
        "dry_run": dry_run,
    }  # fmt: skip


def show_lines(report: Mapping[str, Any], *, verb: str) -> Iterator[str]:
    """Yield what people read."""
    done = f"would be {verb}" if report["dry_run"] else verb
    for table, told in report["per_table"].items():
        kept = f", {told['kept']} as old stay" if told["kept"] else ""
        run = f" by run {told['run']}" if told["run"] else ""
        yield f"{table}: {told['moved']} rows before {told['until']:%Y-%m-%d %H:%M} {done}{run}{kept}"
    for table in dict.fromkeys(one["table"] for one in report["files"]):
        files = [one for one in report["files"] if one["table"] == table]
        rows = sum(one["rows"] for one in files)
        months = f"{files[0]['month']} to {files[-1]['month']}"
        what = done.replace(verb, "copied") if files[0]["copy"] else done
        yield f"{table}: {len(files)} files, {months}, with {rows} rows {what}"
    if not report["per_table"]:
        yield "nothing has an age of its own: give --older-than"

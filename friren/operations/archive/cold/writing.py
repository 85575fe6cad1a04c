"""A month of a table's archive in a file: written, and read again to be held to the rows that it was made of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.db import connections, transaction
from django.utils import timezone

import friren
from friren.errors import ArchiveError
from friren.operations.archive.bundles import free_of
from friren.operations.archive.cold.manifests import Manifest, encoded, fetch, manifest_name
from friren.operations.archive.cold.parquet import read_rows, selected, write_rows
from friren.operations.archive.cold.places import Place, sha256_of
from friren.operations.archive.door import set_text_form
from friren.operations.archive.moving import digest_sql
from friren.operations.archive.policies import ArchivePolicy
from friren.operations.archive.settings import COLD_ROWS
from friren.operations.archive.shapes import columns_of
from friren.operations.models import ArchiveRun
from friren.persistence.archived import ARCHIVE_SCHEMA, archive_of

__all__ = ["STAGE", "Cold", "Stretch", "Work", "compare", "months_of", "stage", "written"]

# What a file's rows are read into again; of this session only.
STAGE: Final = "friren_cold_stage"


@dataclass(frozen=True, slots=True)
class Cold:
    """A month of a table in a file; `copy`: the rows are in the archive still."""

    table: str
    month: str
    rows: int
    file: str
    bytes: int = 0
    sha256: str = ""
    copy: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """A month that is copied, named as an ArchiveRun names the one that it moves."""

    since_at: dt.datetime
    cutoff_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Work:
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

    def within(self, run: Stretch | ArchiveRun) -> tuple[str, dict[str, Any]]:
        """Return the condition on the rows `t` of a run, and its parameters."""
        column = self.name(self.policy.time_column)
        where = [f"t.{column} >= %(since)s", f"t.{column} < %(until)s", *_movable(self.policy, self.using)]
        return " AND ".join(where), {"since": run.since_at, "until": run.cutoff_at}


def _movable(policy: ArchivePolicy, using: str) -> list[str]:
    """Return the conditions on which a row `t` leaves the archive; of money only a copy is made, of every row."""
    return [] if policy.bundle else free_of(policy, using)


def months_of(policy: ArchivePolicy, until: dt.datetime, using: str) -> list[tuple[dt.datetime, int]]:
    """Return the months before `until` of which rows lie in a table's archive, and how many, in order."""
    column = connections[using].ops.quote_name(policy.time_column)
    with connections[using].cursor() as cursor:
        cursor.execute(
            f"SELECT date_trunc('month', t.{column}, 'UTC'), count(*) FROM {archive_of(policy.table, using)} t "
            f"WHERE {' AND '.join([f't.{column} < %s', *_movable(policy, using)])} GROUP BY 1 ORDER BY 1",
            [until],
        )
        return [(month.astimezone(dt.UTC), rows) for month, rows in cursor.fetchall()]


def written(work: Work, run: Stretch | ArchiveRun, file: str) -> Manifest:
    """Write the rows of a stretch to a file of the work's place, and its manifest. Errors as for `cool`."""
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


def _rows(work: Work, run: Stretch | ArchiveRun, columns: Mapping[str, str]) -> Iterator[Sequence[Any]]:
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


def compare(work: Work, manifest: Manifest) -> None:
    """Read a file again from where it lies, and hold it to the digest of the rows that it was made of."""
    stage(work, manifest)
    with connections[work.using].cursor() as cursor:
        cursor.execute(f"DROP TABLE {STAGE}")


def stage(work: Work, manifest: Manifest) -> None:
    """Read a file into STAGE, a table of this session. Raises ArchiveError where it gives other rows than before."""
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


def _digest(
    cursor: Any, work: Work, table: str, columns: Mapping[str, str], where: tuple[str, Mapping[str, Any]]
) -> tuple[int, str]:
    condition, parameters = where
    listed = list(map(work.name, columns))
    cursor.execute(f"SELECT count(*), {digest_sql('t', listed)}::text FROM {table} t WHERE {condition}", parameters)
    rows, digest = cursor.fetchone()
    return int(rows), str(digest)

"""Archive old rows, and bring them back. What a killed run has left is put in order by the next one of its table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace

from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections, transaction

from friren.core.models import SeriesModel
from friren.core.partitions import ensure_months
from friren.errors import ArchiveError
from friren.operations.archive import runs
from friren.operations.archive.bundled import count_bundle, move_bundle
from friren.operations.archive.bundles import Bundle, Span, bundle_of, chosen_bundles
from friren.operations.archive.cold.cleaning import settle
from friren.operations.archive.door import close_archive, held, opened, raise_horizon
from friren.operations.archive.moving import Move, Way, back, count, is_referred, movable, move, stretches
from friren.operations.archive.policies import ArchivePolicy, chosen, named_policy
from friren.operations.archive.settings import RETRIES_MAX
from friren.operations.archive.shapes import check_columns, make_shape
from friren.operations.choices import ArchiveDirection, ArchiveTarget
from friren.operations.connectivity import one_line
from friren.operations.models import ArchiveRun

__all__ = ["Moved", "archive", "unarchive", "unarchive_run"]


@dataclass(frozen=True, slots=True)
class Moved:
    """
    What became of one table.

    Attributes:
        rows: that were moved, or would be.
        until: rows older than this.
        kept: as old, and still in the table: others refer to them, or they may not go yet.
        run: the number of its ArchiveRun; None when nothing was moved.
    """

    table: str
    rows: int
    until: dt.datetime
    kept: int = 0
    run: int | None = None
    digest: int = 0


def archive(
    models: Iterable[str] = (),
    *,
    now: dt.datetime,
    older_than: dt.datetime | None = None,
    dry_run: bool = False,
    using: str = DEFAULT_DB_ALIAS,
) -> list[Moved]:
    """
    Move old rows to the archive.

    Args:
        models: which; all that may be archived unless named.
        now: what ages are counted from, aware.
        older_than: a moment in place of the ages that the settings have.
        dry_run: only count.

    Raises:
        ArchiveError: a model is not archived, its archive cannot follow its table, or another run is at it.
        DatabaseError: the database is in trouble; each row is where it was, or where it was to go.
    """
    models = list(models)
    done = _bundles_archived(models, now, older_than, dry_run=dry_run, using=using)
    for policy in chosen(models):
        until = now - dt.timedelta(days=policy.days) if older_than is None else older_than
        if older_than is None and not policy.days:
            continue
        done.append(_counted(policy, until, using) if dry_run else _archived(policy, until, using))
    return done


def unarchive(
    models: Iterable[str],
    *,
    until: dt.datetime,
    since: dt.datetime | None = None,
    dry_run: bool = False,
    using: str = DEFAULT_DB_ALIAS,
) -> list[Moved]:
    """
    Move rows back from the archive to their tables, those of `since` on and before `until`. Errors as for `archive`.

    Rows that others refer to come back first, so those that refer to them find them.
    """
    models = list(models)
    done = []
    for bundle in chosen_bundles(models):
        done += _bundle_moved(bundle, Span(until, since), using, dry_run=dry_run, back=True)
    return done + [
        _brought_back(policy, until, since=since, dry_run=dry_run, using=using) for policy in reversed(chosen(models))
    ]


def unarchive_run(number: int, *, dry_run: bool = False, using: str = DEFAULT_DB_ALIAS) -> list[Moved]:
    """
    Bring back what lies in the archive within the bounds of a run: its times and its numbers.

    Raises:
        ArchiveError: there is no such run, or it brought rows back itself, or its rows are in a file by now.
    """
    run = ArchiveRun.objects.using(using).filter(pk=number).first()
    if run is None:
        raise ArchiveError(f"--run {number}: there is no such run; the admin lists them under Archive runs")
    if run.direction != ArchiveDirection.ARCHIVE or run.target != ArchiveTarget.TABLE:
        raise ArchiveError(f"--run {number}: {run} did not move rows to the archive")
    policy = named_policy(run.table_name)
    if (bundle := bundle_of(policy)) is not None:
        return _bundle_moved(bundle, Span(run.cutoff_at, run.since_at), using, dry_run=dry_run, back=True)
    bounds = {"first_seq": run.first_seq, "last_seq": run.last_seq}
    return [_brought_back(policy, run.cutoff_at, since=run.since_at, dry_run=dry_run, using=using, **bounds)]


def _bundles_archived(
    models: list[str], now: dt.datetime, older_than: dt.datetime | None, *, dry_run: bool, using: str
) -> list[Moved]:
    done = []
    # They come first: what they take along is then not kept for their sake.
    for bundle in chosen_bundles(models):
        if older_than is not None or bundle.days:
            until = now - dt.timedelta(days=bundle.days) if older_than is None else older_than
            done += _bundle_moved(bundle, Span(until), using, dry_run=dry_run, back=False)
    return done


def _bundle_moved(bundle: Bundle, span: Span, using: str, *, dry_run: bool, back: bool) -> list[Moved]:
    """Move the knots of a bundle, or count them; tell what became of its tables, and of others of which rows went."""
    if dry_run:
        told = {
            table: Moved(table, rows, span.until)
            for table, rows in count_bundle(bundle, span, using, back=back).items()
        }
    else:
        done = move_bundle(bundle, span, using, back=back)
        told = {policy.table: _told(policy, span.until, done.get(policy.table)) for policy in bundle.members}
    shown = [(policy, told[policy.table]) for policy in bundle.members if policy.bundle or told[policy.table].rows]
    if back:
        return [one for _policy, one in shown]
    # What was only counted is still there; a table without a time has no rows of an age.
    kept = [max(0, _as_old(policy, span.until, using) - (one.rows if dry_run else 0)) for policy, one in shown]
    return [replace(one, kept=number) for (_policy, one), number in zip(shown, kept, strict=True)]


def _as_old(policy: ArchivePolicy, until: dt.datetime, using: str) -> int:
    """Return how many rows of a table are older than `until`; 0 where they have no time of their own."""
    return (
        _kept(policy, Way(connections[using].ops.quote_name(policy.table), "", ""), until, using) if policy.time else 0
    )


def _counted(policy: ArchivePolicy, until: dt.datetime, using: str) -> Moved:
    way = movable(policy, using)
    rows = count(Move(policy, way, (), until), using)
    return Moved(policy.table, rows, until, kept=_kept(policy, way, until, using) - rows)


def _kept(policy: ArchivePolicy, way: Way, until: dt.datetime, using: str) -> int:
    return count(Move(policy, Way(way.source, "", ""), (), until), using)


def _archived(policy: ArchivePolicy, until: dt.datetime, using: str) -> Moved:
    with held(policy, using):
        settle(policy, using)
        way = movable(policy, using)
        run = None
        if count(Move(policy, way, (), until), using):
            with transaction.atomic(using=using, durable=True):
                columns = make_shape(policy, using)
                close_archive(policy, using)
            raise_horizon(policy, until, using)
            run = _all(Move(policy, way, columns, until), ArchiveDirection.ARCHIVE, using)
        return _told(policy, until, run, kept=_kept(policy, way, until, using))


def _told(policy: ArchivePolicy, until: dt.datetime, run: ArchiveRun | None, *, kept: int = 0) -> Moved:
    if run is None:
        return Moved(policy.table, 0, until, kept=kept)
    return Moved(policy.table, run.rows_copied, until, kept=kept, run=run.pk, digest=int(run.rows_digest))


def _brought_back(
    policy: ArchivePolicy,
    until: dt.datetime,
    *,
    since: dt.datetime | None,
    dry_run: bool,
    using: str,
    first_seq: int | None = None,
    last_seq: int | None = None,
) -> Moved:
    way = back(policy, using)
    one = Move(policy, way or Way("", "", ""), (), until, since, first_seq, last_seq)
    if way is None:
        return Moved(policy.table, 0, until)
    if dry_run:
        return Moved(policy.table, count(one, using), until)
    with held(policy, using):
        settle(policy, using)
        if not count(one, using):
            return Moved(policy.table, 0, until)
        with transaction.atomic(using=using, durable=True):
            columns = make_shape(policy, using)
        _make_months(one, using)
        moving = Move(policy, way, columns, until, since, first_seq, last_seq)
        return _told(policy, until, _all(moving, ArchiveDirection.UNARCHIVE, using))


def _all(one: Move, direction: ArchiveDirection, using: str) -> ArchiveRun | None:
    """Move stretch by stretch; return the run, None when nothing was moved."""
    run: ArchiveRun | None = None
    for stretch in stretches(one, using):
        run = _patiently(one, stretch, run, direction, using)
    if run is not None:
        with transaction.atomic(using=using, durable=True):
            runs.complete(one.policy, run, using)
    return run


def _one(
    one: Move, stretch: tuple[str, int, int], run: ArchiveRun | None, direction: ArchiveDirection, using: str
) -> ArchiveRun | None:
    with opened(one.policy, using=using) as cursor:
        batch = move(one, stretch, cursor, using)
        if not batch.rows:
            return run
        check_columns(one.policy, one.columns, using)
        if run is None:
            run = runs.begin(one.policy, direction, until=one.until, since=one.since, using=using)
        else:
            run = ArchiveRun.objects.using(using).get(pk=run.pk)  # what a batch that failed has added is forgotten
        runs.record(run, batch)
    return run


def _patiently(
    one: Move, stretch: tuple[str, int, int], run: ArchiveRun | None, direction: ArchiveDirection, using: str
) -> ArchiveRun | None:
    """Move a stretch, again when somebody has just come to refer to one of its rows; say so when it cannot be done."""
    for attempt in range(1, RETRIES_MAX + 1):
        try:
            return _one(one, stretch, run, direction, using)
        except IntegrityError as exc:
            if is_referred(exc) and direction == ArchiveDirection.ARCHIVE and attempt < RETRIES_MAX:
                continue
            raise _failed(run, f"{one.policy.table}: the database refuses to move a row: {one_line(exc)}") from exc
        except ArchiveError as exc:
            raise _failed(run, str(exc)) from exc
    return run


def _failed(run: ArchiveRun | None, why: str) -> ArchiveError:
    """Note that a run failed, if it has begun, and return the error that says so."""
    if run is not None:
        runs.fail(run, why)
    return ArchiveError(why)


def _make_months(one: Move, using: str) -> None:
    """Make the months that rows come back to, where the table is a series: else they would lie outside of every one."""
    if not issubclass(one.policy.model, SeriesModel):
        return
    where, parameters = one.where(using)
    column = connections[using].ops.quote_name(one.policy.time_column)
    with connections[using].cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT date_trunc('month', t.{column}, 'UTC')::date FROM {one.way.source} t WHERE {where}",
            parameters,
        )
        ensure_months(one.policy.table, [month for (month,) in cursor.fetchall()], using=using)

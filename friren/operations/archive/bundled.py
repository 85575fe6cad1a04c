"""
Archive the knots of rows of a bundle, and bring them back: whole knots, one page of them in each transaction.

Killed at whatever moment, the server has moved all tables' rows of a page or none of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, OperationalError, connections, transaction

from friren.core.models import FactModel
from friren.errors import ArchiveError
from friren.operations.archive import runs
from friren.operations.archive.bundles import Bundle, Picked, Span
from friren.operations.archive.cold.cleaning import settle
from friren.operations.archive.door import close_archive, held, opened, raise_horizon
from friren.operations.archive.moving import MovedMeanwhileError, Way, is_referred, move_ids
from friren.operations.archive.policies import ArchivePolicy
from friren.operations.archive.settings import RETRIES_MAX
from friren.operations.archive.shapes import check_columns, make_shape
from friren.operations.choices import ArchiveDirection
from friren.operations.connectivity import one_line
from friren.operations.models import ArchiveRun
from friren.persistence.archived import ARCHIVE_SCHEMA, archive_of

__all__ = ["count_bundle", "move_bundle"]

DEADLOCK: Final = "40P01"


def count_bundle(bundle: Bundle, span: Span, using: str, *, back: bool) -> Mapping[str, int]:
    """Return how many rows of each table would go now; nothing is locked."""
    # A knot that two pages begin is one.
    found: dict[str, set[Any]] = {one.table: set() for one in bundle.members}
    for owner, page in _pages(bundle, span, using, back=back):
        for table, ids in _picked(bundle, owner, page, span, using, back=back).items():
            found[table].update(ids)
    return {table: len(ids) for table, ids in found.items()}


def move_bundle(bundle: Bundle, span: Span, using: str, *, back: bool) -> Mapping[str, ArchiveRun]:
    """
    Move the knots of a bundle to the archive, or back; return the run of each table of which rows were moved.

    Raises:
        ArchiveError: an archive cannot follow its table, another run is at it, or the database refuses to move a row.
        DatabaseError: the database is in trouble; each knot is where it was, or where it was to go.
    """
    direction = ArchiveDirection.UNARCHIVE if back else ArchiveDirection.ARCHIVE
    with contextlib.ExitStack() as stack:
        for policy in bundle.members:
            stack.enter_context(held(policy, using))
            settle(policy, using)
        work: _Work | None = None
        for owner, page in _pages(bundle, span, using, back=back):
            if work is None:
                if not any(_picked(bundle, owner, page, span, using, back=back).values()):
                    continue
                work = _Work(bundle, span, using, direction, _prepared(bundle, span, using, back=back))
            work.patiently(owner, page)
        if work is None:
            return {}
        with transaction.atomic(using=using, durable=True):
            for table, run in work.runs.items():
                runs.complete(bundle.member(table), run, using)
        return work.runs


def _pages(bundle: Bundle, span: Span, using: str, *, back: bool) -> Iterator[tuple[UUID, Any]]:
    if back and not any(archive_of(policy.table, using) for policy in bundle.members if policy.bundle):
        return
    for owner in bundle.keeper.owners(using):
        for page in bundle.keeper.pages(owner, span, using, back=back):
            yield owner, page


def _picked(bundle: Bundle, owner: UUID, page: Any, span: Span, using: str, *, back: bool) -> Picked:
    if back:
        return bundle.keeper.returning(owner, page, using)
    return bundle.keeper.leaving(owner, page, span, using)


def _prepared(bundle: Bundle, span: Span, using: str, *, back: bool) -> dict[str, list[str]]:
    """Make the archives of all tables, or let them follow; return the columns of each."""
    columns = {}
    for policy in bundle.members:
        with transaction.atomic(using=using, durable=True):
            columns[policy.table] = make_shape(policy, using)
            close_archive(policy, using)
        if not back and issubclass(policy.model, FactModel):  # what is worked out is not told again
            raise_horizon(policy, span.until, using)
    return columns


@dataclass(slots=True)
class _Work:
    """What all pages of one call have in common."""

    bundle: Bundle
    span: Span
    using: str
    direction: ArchiveDirection
    columns: Mapping[str, list[str]]
    runs: dict[str, ArchiveRun] = field(default_factory=dict)

    def patiently(self, owner: UUID, page: Any) -> None:
        """Move the knots of a page, again when somebody has come between; say so when it cannot be done."""
        for attempt in range(1, RETRIES_MAX + 1):
            try:
                self.runs = self._one(owner, page)
            except (IntegrityError, MovedMeanwhileError) as exc:
                if attempt < RETRIES_MAX and (isinstance(exc, MovedMeanwhileError) or is_referred(exc)):
                    continue
                raise self._failed(f"{self.bundle.name}: the database refuses to move a row: {one_line(exc)}") from exc
            except OperationalError as exc:
                if attempt < RETRIES_MAX and getattr(exc.__cause__, "sqlstate", "") == DEADLOCK:
                    continue
                raise
            except ArchiveError as exc:
                raise self._failed(str(exc)) from exc
            return

    def _one(self, owner: UUID, page: Any) -> dict[str, ArchiveRun]:
        back = self.direction == ArchiveDirection.UNARCHIVE
        done = dict(self.runs)
        with opened(*self.bundle.members, using=self.using) as cursor:
            # The rows of a page are few, but of a long history that hangs together all are walked through.
            cursor.execute("SET LOCAL statement_timeout = 0")
            if not self.bundle.keeper.hold(owner, self.using) and not back:
                return done
            picked = _picked(self.bundle, owner, page, self.span, self.using, back=back)
            # The rows refer to one another all round: the foreign keys are looked at when all of them have gone.
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
            for table, ids in picked.items():
                if ids:
                    done[table] = self._moved(self.bundle.member(table), ids, cursor)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        return done

    def _moved(self, policy: ArchivePolicy, ids: Any, cursor: Any) -> ArchiveRun:
        name = connections[self.using].ops.quote_name
        live, archived = name(policy.table), f"{name(ARCHIVE_SCHEMA)}.{name(policy.table)}"
        back = self.direction == ArchiveDirection.UNARCHIVE
        way = Way(archived, live, "") if back else Way(live, archived, "")
        batch = move_ids(policy, way, self.columns[policy.table], ids, cursor)
        check_columns(policy, self.columns[policy.table], self.using)
        before = self.runs.get(policy.table)
        if before is None:
            run = runs.begin(policy, self.direction, until=self.span.until, since=self.span.since, using=self.using)
        else:
            # What a page that failed has added is forgotten.
            run = ArchiveRun.objects.using(self.using).get(pk=before.pk)
        runs.record(run, batch)
        return run

    def _failed(self, why: str) -> ArchiveError:
        for run in self.runs.values():
            runs.fail(run, why)
        return ArchiveError(why)

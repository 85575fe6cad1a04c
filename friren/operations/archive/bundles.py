"""
Tables whose rows refer to one another all round: their rows go together, a knot of rows in one transaction.

Which rows make a knot, and whether it may go, says the floor that has the tables:

    register_archive(Trade, bundle="books", time="executed_at", days=0, cold=False)      # in AppConfig.ready()
    register_bundle(Bundle("books", keeper=BookArchive(), days=0, companions=(Signal,)))
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

from django.db import connections, models

from friren.operations.archive.policies import ArchivePolicy, all_policies, named_policy
from friren.persistence.archived import archive_of

__all__ = ["Bundle", "Keeper", "Picked", "Span", "bundle_of", "bundles", "chosen_bundles", "free_of", "register_bundle"]

# Table → ids of the rows of it that go.
Picked = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Span:
    """Times before `until`, and from `since` on where that is given; aware."""

    until: dt.datetime
    since: dt.datetime | None = None


class Keeper(Protocol):
    """Who knows the knots of rows of a bundle."""

    def owners(self, using: str) -> Sequence[UUID]:
        """Return whose rows they are; a knot has one owner."""

    def hold(self, owner: UUID, using: str) -> bool:
        """Lock what an owner has until the caller's transaction ends; False when nothing of it may leave as it is."""

    def pages(self, owner: UUID, span: Span, using: str, *, back: bool) -> Iterator[Any]:
        """Yield rows to begin at, a page of them at a time; `back`: in the archive."""

    def leaving(self, owner: UUID, page: Any, span: Span, using: str) -> Picked:
        """Return the rows of the knots that a page belongs to, so far as a whole knot may go."""

    def returning(self, owner: UUID, page: Any, using: str) -> Picked:
        """Return the rows in the archive of the knots that a page belongs to, and those there that they refer to."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """
    Tables whose rows go together: those whose policy names the bundle, and its companions.

    Attributes:
        keeper: who knows the knots of rows.
        days: from which age on they go when nothing else is asked for; 0: only when it is.
        companions: tables whose rows also go by themselves; which of them belong to a knot goes with it.
    """

    name: str
    keeper: Keeper
    days: int
    companions: tuple[type[models.Model], ...] = ()

    @property
    def members(self) -> list[ArchivePolicy]:
        """The policies of its tables, by table: in this order all who move rows of them take their locks."""
        return [one for one in all_policies() if one.bundle == self.name or one.model in self.companions]

    def member(self, table: str) -> ArchivePolicy:
        """Return the policy of one of its tables."""
        return next(one for one in self.members if one.table == table)


_bundles: Final[dict[str, Bundle]] = {}


def register_bundle(bundle: Bundle) -> None:
    """Let the rows of a bundle be archived."""
    _bundles[bundle.name] = bundle


def bundles() -> list[Bundle]:
    """Return all that are registered."""
    return list(_bundles.values())


def bundle_of(policy: ArchivePolicy) -> Bundle | None:
    """Return the bundle with which rows of a table go; None for a table that goes by itself."""
    return _bundles.get(policy.bundle)


def chosen_bundles(names: Iterable[str]) -> list[Bundle]:
    """Return the bundles of which a table is named, or all. Errors as for `named_policy`."""
    wanted = {named_policy(name).bundle for name in names}
    return [bundle for bundle in bundles() if not wanted or bundle.name in wanted]


def free_of(policy: ArchivePolicy, using: str) -> list[str]:
    """
    Return conditions on a row `t` in the archive: it is tied to no knot there, with which alone it may move.

    A row that refers to one of a knot could not come back without it, and one that a knot refers to is missed when
    the knot comes back.
    """
    conditions = []
    for member in (one for bundle in bundles() for one in bundle.members if one.bundle and one != policy):
        archived = archive_of(member.table, using)
        if archived is None:
            continue
        ties = [(column, "id") for column in _keys(policy.model, member.model, using)]
        ties += [("id", column) for column in _keys(member.model, policy.model, using)]
        conditions += [f"NOT EXISTS (SELECT FROM {archived} r WHERE r.{theirs} = t.{own})" for own, theirs in ties]
    return conditions


def _keys(model: type[models.Model], target: type[models.Model], using: str) -> list[str]:
    name = connections[using].ops.quote_name
    return [
        name(str(one.column))
        for one in model._meta.concrete_fields
        if isinstance(one, models.ForeignKey) and one.related_model is target
    ]

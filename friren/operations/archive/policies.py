"""Which tables may be archived, from which age on, and which never."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import models

from friren.errors import ArchiveError

__all__ = [
    "EXTERNAL_COLUMNS", "ArchivePolicy", "all_policies", "chosen", "named_policy", "policies", "register_archive",
    "register_kept",
]  # fmt: skip

# By which a fact of another system is told again: fields, and their columns.
EXTERNAL_KEY: Final = ("account", "venue", "external_id")
EXTERNAL_COLUMNS: Final = ("account_id", "venue", "external_id")


@dataclass(frozen=True, slots=True)
class ArchivePolicy:
    """
    How rows of a table are archived.

    Attributes:
        time: the field that says how old a row is.
        days: from which age on they go when nothing else is asked for; 0: only when it is.
        movable: SQL over the columns of a row `t` that must hold, or it stays; "" for all. Rows that others refer to
            stay in any case.
        products: SQL over the columns of a row, by the name it has in Parquet. decimal(38,18) times decimal(38,18)
            overflows where those files are read, so what is worth multiplying is multiplied here.
        cold: whether months of it may go on into files.
        indexed: columns by which rows of the archive are found, beside `id` and the time.
        bundle: the bundle without which rows do not go, see `bundles`; "" for a table that goes by itself.
    """

    model: type[models.Model]
    time: str
    days: int
    movable: str = ""
    products: Mapping[str, str] = field(default_factory=dict)
    cold: bool = True
    indexed: tuple[str, ...] = ()
    bundle: str = ""

    @property
    def table(self) -> str:
        """The table, unquoted."""
        return self.model._meta.db_table

    @property
    def name(self) -> str:
        """The model as people write it."""
        return self.model._meta.object_name or ""

    @property
    def external(self) -> str:
        """The constraint by which the key of another system is one row's alone; "" where there is none."""
        found = (
            one.name
            for one in self.model._meta.constraints
            if isinstance(one, models.UniqueConstraint) and one.fields == EXTERNAL_KEY
        )
        return next(found, "")

    @property
    def time_column(self) -> str:
        """The column of `time`; "" for a table whose rows have the age of what they refer to."""
        if not self.time:
            return ""
        found: Any = self.model._meta.get_field(self.time)
        return str(found.column)


_policies: dict[type[models.Model], ArchivePolicy] = {}
_kept: dict[type[models.Model], str] = {}


def register_archive(
    model: type[models.Model],
    *,
    time: str,
    days: int,
    movable: str = "",
    products: Mapping[str, str] | None = None,
    cold: bool = True,
    indexed: Iterable[str] = (),
    bundle: str = "",
) -> None:
    """Let old rows of `model` be archived; arguments as `ArchivePolicy` has them. Its key is `id`, a UUID."""
    _policies[model] = ArchivePolicy(model, time, days, movable, products or {}, cold, tuple(indexed), bundle)


def register_kept(model: type[models.Model], why: str) -> None:
    """Say why rows of `model` are never archived, to whoever asks for it."""
    _kept[model] = why


def all_policies() -> list[ArchivePolicy]:
    """Return all that are registered, those of bundles too, by table."""
    return sorted(_policies.values(), key=lambda policy: policy.table)


def policies() -> list[ArchivePolicy]:
    """Return those of tables that go by themselves; what refers to others comes before them, so that both may go."""
    left = {policy.model: policy for policy in all_policies() if not policy.bundle}
    ordered: list[ArchivePolicy] = []
    while left:
        referred = {target for model in left for target in _targets(model) if target is not model}
        # In a circle nobody is first; then what refers to others stays until they let it go.
        free = [model for model in left if model not in referred] or list(left)
        ordered += [left.pop(model) for model in free]
    return ordered


def named_policy(name: str) -> ArchivePolicy:
    """
    Return the policy of a model named as `Signal`, `trading_engine.Signal` or by its table, in any case.

    Raises:
        ArchiveError: there is none.
    """
    wanted = name.casefold()
    for model, policy in _policies.items():
        if wanted in _names(model):
            return policy
    for model, why in _kept.items():
        if wanted in _names(model):
            raise ArchiveError(f"{model._meta.object_name} is not archived: {why}")
    known = ", ".join(sorted(policy.name for policy in _policies.values()))
    raise ArchiveError(f"--model {name}: nothing of that name is archived; there are {known}")


def chosen(names: Iterable[str]) -> list[ArchivePolicy]:
    """Return those of `policies` that are named, or all, in their order. Errors as for `named_policy`."""
    wanted = {named_policy(name).table for name in names}
    return [policy for policy in policies() if not wanted or policy.table in wanted]


def _names(model: type[models.Model]) -> set[str]:
    return {str(name).casefold() for name in (model._meta.object_name, model._meta.label, model._meta.db_table)}


def _targets(model: type[models.Model]) -> Iterator[type[models.Model]]:
    for one in model._meta.concrete_fields:
        if isinstance(one, models.ForeignKey) and getattr(one, "db_constraint", True):
            yield one.related_model

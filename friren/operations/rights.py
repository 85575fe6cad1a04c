"""
Which kind of role may do what with which table: one grid, by which rights are given and `--verify` compares.

Every table is a model's, so a table that a migration adds has its place here without being named. A right holds for
columns where that says more: facts can be filled in but not numbered, and only what moves in them can be updated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.apps import apps
from django.db import models
from django.db.migrations.recorder import MigrationRecorder
from pgtrigger import Protect, ReadOnly

from friren.core.models import FactModel, SeriesModel, User

__all__ = [
    "APP_RO", "APP_WEB", "APP_WRITER", "BACKUP", "FUNCTIONS", "MONITOR", "PROFILES", "Rights", "rights_of", "tables",
]  # fmt: skip

APP_WRITER: Final = "app_writer"
APP_WEB: Final = "app_web"
APP_RO: Final = "app_ro"
BACKUP: Final = "backup"
MONITOR: Final = "monitor"
PROFILES: Final = (APP_WRITER, APP_WEB, APP_RO, BACKUP, MONITOR)

# Verb → columns; none stands for the whole table.
Rights = Mapping[str, tuple[str, ...]]

# Functions that work with their owner's rights, and that a bot is meant to call.
FUNCTIONS: Final = ("friren_create_month(text, date)",)
# Filled by the database alone.
NUMBERED: Final = frozenset({"recorded_seq", "created_at"})
# What bots read of tables that are not theirs to fill: Django's own and operations', and who owns an account.
READ_ONLY_APPS: Final = frozenset({"operations", "jobs", "migrations"})
# Hashes of passwords, and keys of sessions that are open: whoever reads them can sign in as somebody else.
SECRET_COLUMNS: Final = {"core.User": frozenset({"password"})}
# What the admin does beyond what a bot does. Sessions end and groups go; people are deactivated, never deleted.
_WEB: Final[Mapping[str, Rights]] = {
    "admin.LogEntry": {"SELECT": (), "INSERT": ()},
    "auth.Group": {"SELECT": (), "INSERT": (), "UPDATE": (), "DELETE": ()},
    "auth.Group_permissions": {"SELECT": (), "INSERT": (), "DELETE": ()},
    "auth.Permission": {"SELECT": ()},
    "contenttypes.ContentType": {"SELECT": ()},
    "core.User": {"SELECT": (), "INSERT": (), "UPDATE": ()},
    "core.User_groups": {"SELECT": (), "INSERT": (), "DELETE": ()},
    "core.User_user_permissions": {"SELECT": (), "INSERT": (), "DELETE": ()},
    "sessions.Session": {"SELECT": (), "INSERT": (), "UPDATE": (), "DELETE": ()},
}
# What those write who otherwise only read.
_NOTES: Final[Mapping[str, Mapping[str, Rights]]] = {
    BACKUP: {"operations.BackupRecord": {"SELECT": (), "INSERT": (), "UPDATE": ()}},
    MONITOR: {"operations.MetricSample": {"SELECT": (), "INSERT": (), "DELETE": ()}},
}

Model = type[models.Model]


def tables() -> list[Model]:
    """Return the models whose tables the grid knows, by the name of the table: ours, Django's, and the migrations'."""
    known = {"core", "persistence", "operations", "jobs", *_upper_apps(), *(label.partition(".")[0] for label in _WEB)}
    found = [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label in known and model._meta.managed and not model._meta.proxy
    ]
    return sorted([*found, MigrationRecorder.Migration], key=lambda model: model._meta.db_table)


def rights_of(profile: str, model: Model) -> Rights:
    """Return what a role of a profile may do with the table of a model; nothing where that is empty."""
    if profile == APP_WRITER:
        return dict(_writer(model))
    if profile == APP_WEB:
        return _web(model)
    noted = _NOTES.get(profile, {}).get(model._meta.label, {})
    if profile == BACKUP:
        # It reads everything as a member of pg_read_all_data.
        return noted
    if not _own(model):
        return {}
    return noted or {"SELECT": _shown(model)}


def columns_of(model: Model) -> tuple[str, ...]:
    """Return the columns of a table, in order."""
    return tuple(str(field.column) for field in model._meta.concrete_fields)


def _shown(model: Model) -> tuple[str, ...]:
    hidden = SECRET_COLUMNS.get(model._meta.label, frozenset())
    return tuple(name for name in columns_of(model) if name not in hidden) if hidden else ()


def _upper_apps() -> set[str]:
    """Return the apps whose tables hold facts: those that are Friren's own, whatever they are called."""
    return {model._meta.app_label for model in apps.get_models() if issubclass(model, FactModel | SeriesModel)}


def _own(model: Model) -> bool:
    return model._meta.app_label in {"core", "persistence", "operations", "jobs", "migrations", *_upper_apps()}


def _web(model: Model) -> Rights:
    if found := _WEB.get(model._meta.label):
        return found
    if _kept_by_people(model) is not None:
        return {"SELECT": (), "INSERT": (), "UPDATE": (), "DELETE": ()}
    rights = dict(_writer(model))
    if rights.get("UPDATE") and not issubclass(model, FactModel | SeriesModel) and not _append_only(model):
        rights["UPDATE"] = ()  # Django writes every column of a row; triggers keep those that are frozen
    return rights


def _writer(model: Model) -> Iterator[tuple[str, tuple[str, ...]]]:
    if not _own(model):
        return
    yield "SELECT", _shown(model)
    columns = columns_of(model)
    if (moving := _kept_by_people(model)) is not None:
        if moving:
            yield "UPDATE", moving
    elif issubclass(model, FactModel | SeriesModel):
        own = tuple(name for name in columns if name not in NUMBERED)
        yield "INSERT", own
        moving = tuple(str(model._meta.get_field(name).column) for name in model.lifecycle)  # type: ignore[union-attr]  # no relation backwards
        if issubclass(model, SeriesModel) and model.revised:
            moving = tuple(name for name in own if name != "id")
        if moving:
            yield "UPDATE", moving
    elif model._meta.app_label in READ_ONLY_APPS or model is User or model._meta.auto_created:
        return
    elif _append_only(model):
        yield "INSERT", ()
    else:
        yield "INSERT", ()
        frozen = {
            name for trigger in _triggers(model) if isinstance(trigger, ReadOnly) for name in trigger.fields or ()
        }
        thawed = tuple(str(field.column) for field in model._meta.concrete_fields if field.name not in frozen)
        yield "UPDATE", thawed if frozen else ()
        if not frozen:
            yield "DELETE", ()


def _kept_by_people(model: Model) -> tuple[str, ...] | None:
    """Return the columns that bots change of a table that people keep: its model says `changed_by_bots`; else None."""
    named = getattr(model, "changed_by_bots", None)
    return None if named is None else tuple(str(model._meta.get_field(name).column) for name in named)  # type: ignore[union-attr]  # no relation backwards


def _append_only(model: Model) -> bool:
    return any(isinstance(trigger, Protect) and not isinstance(trigger, ReadOnly) for trigger in _triggers(model))


def _triggers(model: Model) -> list[Any]:
    return list(getattr(model._meta, "triggers", ()))

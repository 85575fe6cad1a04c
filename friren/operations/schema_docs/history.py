"""What the migrations on disk tell: which tables are partitioned, which functions there are, what came when."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from django.apps import AppConfig, apps
from django.db import migrations
from django.db.migrations.loader import MigrationLoader

import friren
from friren.core.partitions import CreatePartitionedModel

__all__ = ["History", "Step", "own_apps", "read_history"]

_MADE: Final = re.compile(
    r"CREATE (?:OR REPLACE )?(FUNCTION|SEQUENCE|SCHEMA)\s+(?:IF NOT EXISTS\s+)?([\w.]+(?:\([^)]*\))?)"
)


class Step(msgspec.Struct, frozen=True):
    """One migration, and what it does in words."""

    name: str
    does: tuple[str, ...]


class History(msgspec.Struct, frozen=True):
    """
    What migrations tell of an app.

    Attributes:
        partitioned: the column by whose month a table is partitioned, by the model's name in lower case.
        made: (kind, name) of functions, sequences and schemas.
        steps: in order.
    """

    partitioned: dict[str, str]
    made: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]


def own_apps() -> list[AppConfig]:
    """Return the apps that come with Friren, lowest floor first: those whose package lies beside this one."""
    ours = Path(friren.__file__).parent.parent
    return [app for app in apps.get_app_configs() if _package(app).parent == ours]


def read_history(label: str) -> History:
    """Return what the migrations of an app tell; they are read from disk, and no database is asked."""
    found = MigrationLoader(None, ignore_no_migrations=True).disk_migrations or {}
    ordered = [migration for (app, _name), migration in sorted(found.items()) if app == label]
    operations = [operation for migration in ordered for operation in migration.operations]
    return History(
        partitioned={
            one.name.lower(): one.partition_key for one in operations if isinstance(one, CreatePartitionedModel)
        },
        made=tuple(made for one in operations if isinstance(one, migrations.RunSQL) for made in _made(one)),
        steps=tuple(Step(one.name, tuple(_does(one))) for one in ordered),
    )


def _package(app: AppConfig) -> Path:
    file = sys.modules[app.name.partition(".")[0]].__file__
    return Path(file or "").parent


def _made(operation: migrations.RunSQL) -> Iterator[tuple[str, str]]:
    told: Any = operation.sql
    for text in [told] if isinstance(told, str) else [one if isinstance(one, str) else one[0] for one in told]:
        yield from ((kind.lower(), " ".join(name.split())) for kind, name in _MADE.findall(text))


def _does(migration: migrations.Migration) -> Iterator[str]:
    made = [one.name for one in migration.operations if isinstance(one, migrations.CreateModel)]
    if made:
        yield f"makes {', '.join(made)}"
    for one in migration.operations:
        # What belongs to a table that is new says nothing more; a trigger is told with its table.
        if getattr(one, "model_name", "").lower() in map(str.lower, made) or isinstance(one, migrations.CreateModel):
            continue
        if isinstance(one, migrations.RunSQL):
            yield from (f"makes the {kind} {name.partition('(')[0]}" for kind, name in _made(one))
        elif isinstance(one, migrations.RunPython):
            yield "fills in rows"
        else:
            told = one.describe()
            yield told[:1].lower() + told[1:]

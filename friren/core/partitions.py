"""
Tables partitioned by month: how they are made, and how months are made ahead.

`makemigrations` writes a plain CreateModel for a SeriesModel; its migration is then edited to
CreatePartitionedModel, and a test asserts that the table is partitioned in the database.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connections, migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

__all__ = ["CreatePartitionedModel", "ensure_months"]


class CreatePartitionedModel(migrations.CreateModel):
    """CreateModel for a table partitioned by range of `partition_key`, with a default partition."""

    def __init__(  # noqa: PLR0917 - Django writes down and rebuilds what has a name and no star before it
        self,
        name: str,
        fields: list[tuple[str, models.Field[Any, Any]]],
        options: dict[str, Any] | None = None,
        bases: Sequence[type[models.Model] | str] | None = None,
        managers: Sequence[tuple[str, models.Manager[Any]]] | None = None,
        partition_key: str = "",
    ) -> None:
        self.partition_key = partition_key
        super().__init__(name, fields, options, bases, managers)

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        name, args, kwargs = super().deconstruct()
        return name, args, {**kwargs, "partition_key": self.partition_key}

    def reduce(self, operation: Operation, app_label: str) -> bool | list[Operation]:
        reduced = super().reduce(operation, app_label)
        return [self._partitioned(one) for one in reduced] if isinstance(reduced, list) else reduced

    def _partitioned(self, operation: Operation) -> Operation:
        # Django makes one CreateModel of this and what follows it, and that would be an ordinary table.
        if type(operation) is not migrations.CreateModel:
            return operation
        _name, _args, kwargs = operation.deconstruct()
        return type(self)(**kwargs, partition_key=self.partition_key)

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, _from_state: ProjectState, to_state: ProjectState
    ) -> None:
        model = to_state.apps.get_model(app_label, self.name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        create_partitioned(schema_editor, model, self.partition_key)


def create_partitioned(schema_editor: Any, model: type[models.Model], partition_key: str) -> None:
    """Create the table of `model`, its default partition, its indexes and its triggers."""
    quote = schema_editor.quote_name
    columns = {field.name: str(field.column) for field in model._meta.concrete_fields}
    key, primary = quote(columns[partition_key]), quote(columns[model._meta.pk.name])
    sql, params = schema_editor.table_sql(model)
    # PostgreSQL wants the partition key in every unique key, the primary key included.
    sql = sql.replace(" PRIMARY KEY", "", 1).rstrip()
    if not sql.endswith(")"):
        raise ValueError(f"unexpected CREATE TABLE for {model._meta.label}: {sql}")
    sql = f"{sql[:-1]}, PRIMARY KEY ({primary}, {key})) PARTITION BY RANGE ({key})"
    # None and not (): the statement holds literal percent signs nowhere, but parameters would be parsed for.
    schema_editor.execute(sql, params or None)
    table = model._meta.db_table
    schema_editor.execute(f"CREATE TABLE {quote(table + '_default')} PARTITION OF {quote(table)} DEFAULT")
    schema_editor.deferred_sql.extend(schema_editor._model_indexes_sql(model))  # noqa: SLF001 - what CreateModel itself calls
    for trigger in getattr(model._meta, "triggers", []):
        # None for the same reason: the text is whole.
        schema_editor.execute(trigger.install_sql, params=None)


def ensure_months(table: str, months: Iterable[dt.date], *, using: str = "default") -> int:
    """
    Create the partitions of `table` for the months of the given days, where they are missing.

    Rows of a month that already lie in the default partition stay there and keep that month from being made.

    Returns:
        How many partitions were created.
    """
    firsts = sorted({day.replace(day=1) for day in months})
    if not firsts:
        return 0
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE friren_create_month(%s, month)) FROM unnest(%s::date[]) AS month",
            [table, firsts],
        )
        return int(cursor.fetchone()[0])

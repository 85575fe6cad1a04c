"""Migrations match the models, and lead back to nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from friren.operations import schema
from friren.persistence import engines
from tests import postgres as harness


@pytest.fixture
def migrated_database() -> Iterator[str]:
    """A database of the test's own, which Django's default connection points at meanwhile."""
    engines.close_all()  # a thread that looked for work there would hold a lock, and the migrations want them all
    own = connection.settings_dict["NAME"]
    name = f"{own}_migrations"
    harness.copy_template(name)
    connection.close()
    connection.settings_dict["NAME"] = name
    yield name
    connection.close()
    connection.settings_dict["NAME"] = own
    harness.drop_database(name)


def test_no_model_changed_without_a_migration() -> None:
    try:
        call_command("makemigrations", "--check", "--dry-run", verbosity=1)
    except SystemExit:
        pytest.fail("a model has changed: run `manage.py makemigrations` and commit what it writes")


def test_lead_back_to_nothing_and_forth_again(migrated_database) -> None:
    tables = set(connection.introspection.table_names())
    executor = MigrationExecutor(connection)
    with schema.migration_session():
        # In one go: `migrate APP zero` for each app would build the history of all of them each time.
        executor.migrate([(app, None) for app in sorted(executor.loader.migrated_apps)])
    left = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace "
            "UNION ALL SELECT sequencename FROM pg_sequences WHERE sequencename LIKE 'friren%'"
        )
        functions_and_sequences = cursor.fetchall()
    schema.migrate()

    assert not functions_and_sequences
    assert left == {"django_migrations"}
    assert set(connection.introspection.table_names()) == tables
    assert schema.unapplied() == []

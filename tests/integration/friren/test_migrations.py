"""Migrations match the models, and lead back to nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection

from friren.operations import schema
from tests import postgres as harness


@pytest.fixture
def empty_database() -> Iterator[str]:
    """A database of the test's own, which Django's default connection points at meanwhile."""
    own = connection.settings_dict["NAME"]
    name = f"{own}_migrations"
    with harness.admin_connection() as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
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


def test_lead_forth_and_back_and_forth(empty_database) -> None:
    schema.migrate()
    tables = set(connection.introspection.table_names())
    for app in ("portfolio_manager", "trading_engine", "admin", "core"):
        call_command("migrate", app, "zero", verbosity=0)
    left = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace "
            "UNION ALL SELECT sequencename FROM pg_sequences WHERE sequencename LIKE 'friren%'"
        )
        functions_and_sequences = cursor.fetchall()
    schema.migrate()

    assert not functions_and_sequences
    assert not {table for table in left if table.startswith(("core_", "trading_engine_", "portfolio_manager_"))}
    assert set(connection.introspection.table_names()) == tables
    assert schema.unapplied() == []

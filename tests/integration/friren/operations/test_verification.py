"""Each of the eight questions of `setup_database --verify` can be answered FAIL, in a line that says what to do."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Iterator

import pytest
from django.db import connection, connections

from friren.operations.verification import verify
from tests import postgres as harness

NAME = "verified_here"


@pytest.fixture
def other_database(database) -> Iterator[str]:
    """A copy that may be spoiled."""
    own = connection.settings_dict["NAME"]
    harness.copy_template(NAME)
    connections.close_all()
    connection.settings_dict["NAME"] = NAME
    yield NAME
    connections.close_all()
    connection.settings_dict["NAME"] = own
    harness.drop_database(NAME)


def answers() -> dict[str, str]:
    """What is FAIL, by question."""
    connections.close_all()
    return {step.step: step.detail for step in verify() if step.outcome == "FAIL"}


def test_a_database_that_is_ready_answers_all_eight_well(database) -> None:
    assert [(step.step, step.outcome) for step in verify()] == [
        (name, "PASS") for name in ("packages", "server", "login", "database", "programs", "rights", "tables", "python")
    ]


@pytest.mark.parametrize(
    ("spoil", "question", "told"),
    [
        (f"ALTER DATABASE {NAME} SET timezone = 'Asia/Tokyo'", "database", "SET timezone = 'UTC'"),
        (f"UPDATE pg_database SET datcollversion = '0' WHERE datname = '{NAME}'", "database", "REFRESH COLLATION"),
        ("DELETE FROM django_migrations WHERE app = 'sessions'", "tables", "run `manage.py migrate`"),
        ("ALTER TABLE core_systemmetadata ADD COLUMN odd int", "tables", "core_systemmetadata.odd belongs to no model"),
        ("DELETE FROM core_user WHERE username = 'system'", "tables", "run `manage.py setup_database`"),
        (f"ALTER DATABASE {NAME} SET default_transaction_read_only = on", "python", "`manage.py upgrade`"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_database_is_told_with_what_to_do(other_database, spoil, question, told) -> None:
    with harness.admin_connection(NAME) as admin:
        admin.execute(spoil)

    found = answers()

    assert list(found) == [question]
    assert told in found[question]


def test_another_encoding_is_no_database_for_us(other_database) -> None:
    harness.drop_database(NAME)
    with harness.admin_connection() as admin:
        admin.execute(f"CREATE DATABASE {NAME} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    with harness.admin_connection(NAME) as admin:
        admin.execute("DROP EXTENSION plpgsql")

    found = answers()["database"]

    assert "its encoding is SQL_ASCII: make it anew with ENCODING 'UTF8'" in found
    assert "CREATE EXTENSION plpgsql" in found


def test_packages_that_are_missing_or_old_are_named(database, monkeypatch) -> None:
    asked = ["django<6,>=99.1", "no-such-package>=1", "psycopg[binary]>=3.2", 'boto3>=99; extra == "s3"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda _name: asked)

    found = answers()["packages"]

    assert "django" in found
    assert "is older than 99.1; no-such-package is not installed: run `python3 -m uv sync`" in found
    assert "psycopg" not in found
    assert "boto3" not in found


def test_programs_that_are_missing_are_named_with_their_package(database, monkeypatch, tmp_path) -> None:
    """On a machine without any PostgreSQL."""
    monkeypatch.setattr("friren.operations.backup.programs.wheel_directories", list)
    monkeypatch.setattr("friren.operations.backup.programs._FOLDERS", ())
    monkeypatch.setattr(shutil, "which", lambda *_arguments: None)

    assert "install postgresql-client-" in answers()["programs"]

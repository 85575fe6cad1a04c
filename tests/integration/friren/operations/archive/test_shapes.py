"""The archive follows what migrations do to its tables, or says what a person has to do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import models

from friren.errors import ArchiveError
from friren.operations import health
from friren.operations.archive import service
from friren.operations.archive.policies import named_policy
from friren.operations.archive.service import archive, unarchive
from friren.operations.archive.shapes import columns_of
from tests import postgres as harness
from tests.integration.friren.operations.archive.conftest import LATER, archived, fill, live
from trading_engine.models import SentimentData

TABLE = "trading_engine_sentimentdata"


@pytest.fixture
def altered(database) -> Iterator:
    """Alter the table as a migration would; back afterwards."""
    undo: list[str] = []
    name = settings.DATABASES["default"]["NAME"]

    def alter(statement: str, back: str) -> None:
        with harness.admin_connection(name) as admin:
            admin.execute(f"ALTER TABLE {TABLE} {statement}")
        undo.append(f"ALTER TABLE {TABLE} {back}")

    yield alter
    with harness.admin_connection(name) as admin:
        for statement in reversed(undo):
            admin.execute(statement)


@pytest.fixture(autouse=True)
def _archived(_no_archive_afterwards) -> None:
    fill(named_policy("SentimentData"), 2)
    go()


def go() -> int:
    return archive(["SentimentData"], now=LATER, older_than=LATER)[0].rows


def test_it_has_the_columns_of_its_table_in_their_order() -> None:
    assert list(columns_of(f"archive.{TABLE}", "default").items()) == list(columns_of(TABLE, "default").items())


def test_a_column_that_is_added_is_added_to_the_archive(altered) -> None:
    altered("ADD COLUMN language varchar(8) NULL", "DROP COLUMN language")
    fill(named_policy("SentimentData"), 2)

    assert go() == 2
    assert "language" in columns_of(f"archive.{TABLE}", "default")
    assert unarchive(["SentimentData"], until=LATER)[0].rows == 4


def test_a_column_that_is_added_while_rows_go_is_not_lost(altered, monkeypatch) -> None:
    fill(named_policy("SentimentData"), 1)
    really = service.raise_horizon

    def meanwhile(*arguments) -> None:
        really(*arguments)
        altered("ADD COLUMN language varchar(8) NULL DEFAULT 'en'", "DROP COLUMN language")

    with monkeypatch.context() as patched:
        patched.setattr(service, "raise_horizon", meanwhile)
        with pytest.raises(ArchiveError, match="was migrated meanwhile: do it again"):
            go()

    assert [row.endswith(",en)") for row in live("SentimentData")] == [True]
    assert go() == 1
    assert sorted(row.endswith(",en)") for row in archived("SentimentData")) == [False, False, True]


def test_a_required_column_gets_the_default_of_its_field(altered, monkeypatch) -> None:
    altered("ADD COLUMN language varchar(8) NOT NULL DEFAULT 'en'", "DROP COLUMN language")
    altered("ALTER COLUMN language DROP DEFAULT", "ALTER COLUMN language SET DEFAULT 'en'")
    field = models.CharField(max_length=8, default="en")
    field.set_attributes_from_name("language")
    meta = SentimentData._meta
    monkeypatch.setitem(meta.__dict__, "concrete_fields", (*meta.concrete_fields, field))

    unarchive(["SentimentData"], until=LATER)

    assert len(live("SentimentData")) == 2
    assert all(row.endswith(",en)") for row in live("SentimentData"))


def test_a_required_column_without_a_default_is_a_persons(altered) -> None:
    altered("ADD COLUMN rank integer NOT NULL DEFAULT 0", "DROP COLUMN rank")
    fill_refused = pytest.raises(ArchiveError, match=f"archive.{TABLE} lacks rank, which may not be null")

    with fill_refused:
        unarchive(["SentimentData"], until=LATER)

    assert len(archived("SentimentData")) == 2
    report = health.examine(["archive"]).checks["archive"][0]
    assert not report.ok
    assert "lacks rank" in report.message


def test_another_type_is_a_persons_and_the_line_says_what_to_do(altered) -> None:
    altered("ALTER COLUMN news_source TYPE varchar(300)", "ALTER COLUMN news_source TYPE varchar(255)")

    with pytest.raises(ArchiveError, match=r"ALTER COLUMN news_source TYPE character varying\(300\)"):
        unarchive(["SentimentData"], until=LATER)


def test_a_new_name_is_a_persons(altered) -> None:
    altered("RENAME COLUMN model_id TO judge", "RENAME COLUMN judge TO model_id")

    with pytest.raises(ArchiveError, match="has model_id where the table has judge: rename it there too"):
        unarchive(["SentimentData"], until=LATER)


def test_a_column_that_is_dropped_stays_in_the_archive(altered) -> None:
    altered("ADD COLUMN rank integer NOT NULL DEFAULT 7", "DROP COLUMN IF EXISTS rank")
    with harness.admin_connection(settings.DATABASES["default"]["NAME"]) as admin:
        admin.execute(f"ALTER TABLE archive.{TABLE} ADD COLUMN rank integer NOT NULL DEFAULT 7")
    altered("DROP COLUMN rank", "ALTER COLUMN headline SET NOT NULL")
    fill(named_policy("SentimentData"), 1)

    assert go() == 1
    assert unarchive(["SentimentData"], until=LATER)[0].rows == 3
    assert "rank" in columns_of(f"archive.{TABLE}", "default")


def test_rules_follow(altered) -> None:
    altered("ADD CONSTRAINT ck_short CHECK (length(headline) < 1000)", "DROP CONSTRAINT ck_short")
    fill(named_policy("SentimentData"), 1)
    go()

    with harness.admin_connection(settings.DATABASES["default"]["NAME"]) as admin:
        found = admin.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(%s) AND contype = 'c'", [f"archive.{TABLE}"]
        ).fetchall()
    assert ("ck_short",) in found


def test_health_is_content_with_an_archive_that_fits() -> None:
    assert health.examine(["archive"]).ok

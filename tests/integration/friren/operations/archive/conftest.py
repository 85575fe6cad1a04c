"""Tables with old rows in them, and no archive afterwards."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from django.db import connection

from friren.operations.archive.policies import ArchivePolicy, named_policy, policies
from portfolio_manager.models import TradeIdea
from tests import postgres as harness
from tests.factories import MONDAY, ModelPredictionFactory, PriceFactory, SentimentDataFactory, SignalFactory, factories

# What every row of the factories is older than.
LATER = MONDAY + dt.timedelta(days=4_000)


@pytest.fixture(autouse=True)
def _no_archive_afterwards(database, tmp_path, settings) -> Iterator[None]:
    settings.FRIREN_AUDIT_HOME = tmp_path / "audit"
    yield
    with harness.admin_connection(settings.DATABASES["default"]["NAME"]) as admin:
        admin.execute("SET client_min_messages = warning")
        admin.execute("DROP SCHEMA IF EXISTS archive CASCADE")


def fill(policy: ArchivePolicy, count: int = 3) -> list:
    """Rows of a table that may all be archived."""
    if policy.name == "ModelPrediction":
        return ModelPredictionFactory.create_batch(count, resolved_at=MONDAY, actual={"direction": "up"})
    rows = factories()[policy.model].create_batch(count)
    if policy.name in {"TradeIdea", "DecisionHistory", "IdeaOutcome"}:
        TradeIdea.objects.update(status="rejected")
    return rows


def rows_of(table: str) -> list[str]:
    """The rows of a table as text, whatever their order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [table])
        if not cursor.fetchone()[0]:
            return []
        cursor.execute(f"SELECT t::text FROM {table} t ORDER BY 1")
        return [row for (row,) in cursor.fetchall()]


def archived(name: str) -> list[str]:
    return rows_of(f"archive.{named_policy(name).table}")


def live(name: str) -> list[str]:
    return rows_of(named_policy(name).table)


def names(*, cold: bool = False) -> list[str]:
    return [policy.name for policy in policies() if policy.cold or not cold]


__all__ = [
    "LATER",
    "PriceFactory",
    "SentimentDataFactory",
    "SignalFactory",
    "archived",
    "fill",
    "live",
    "names",
    "rows_of",
]

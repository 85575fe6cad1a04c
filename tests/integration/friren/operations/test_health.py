"""The registry of health checks."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection

from friren.errors import ConfigurationError
from friren.operations import health
from friren.operations.health import registry


@pytest.fixture
def checks(monkeypatch) -> dict:
    monkeypatch.setattr(registry, "_checks", dict(registry._checks))
    return registry._checks


def test_runs_what_upper_floors_register(checks) -> None:
    health.register("books", lambda: health.Finding(ok=True, message="balanced", details={"accounts": 3}))

    report = health.examine()

    assert report.ok
    assert {"books", "connectivity", "migrations"} <= set(report.checks)
    assert report.checks["books"][0].details == {"accounts": 3}


def test_one_bad_finding_makes_it_red(checks) -> None:
    health.register("books", lambda: health.Finding(ok=False, message="off by 0.01"))

    assert not health.examine().ok
    with pytest.raises(SystemExit, match="1"):
        call_command("health")


@pytest.mark.parametrize("error", [ConfigurationError("no books"), DatabaseError("no books")])
def test_a_check_that_cannot_be_done_is_a_failed_one(checks, error) -> None:
    def fail() -> health.Finding:
        raise error

    health.register("books", fail)

    assert health.examine(["books"]).checks["books"][0] == health.Finding(ok=False, message="no books")


def test_names_the_server(checks) -> None:
    finding, _seconds = health.examine(["connectivity"]).checks["connectivity"]

    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        assert finding.details["server_version"] == cursor.fetchone()[0]


def test_a_server_that_is_too_old_is_red(checks, monkeypatch) -> None:
    from friren.operations.health import ground

    monkeypatch.setattr(ground, "SERVER_MAJOR_MIN", 99)

    assert "is too old: 99 is needed" in health.examine(["connectivity"]).checks["connectivity"][0].message

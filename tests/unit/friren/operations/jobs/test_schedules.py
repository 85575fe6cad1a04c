"""Schedules: what they run is a command that exists, and their cron lines mean what people take them to mean."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import pytest
from django.core.management import get_commands, load_command_class

from friren.errors import ConfigurationError
from friren.operations.jobs import Schedule, cron, queue_tables, register, registered, registry

NOON = dt.datetime(2024, 1, 8, 12, tzinfo=dt.UTC)  # a Monday


def schedule(line: str) -> Schedule:
    return Schedule("x", ("health",), line, "SCHEDULE_X", "x")


@pytest.mark.parametrize("one", registered().values(), ids=lambda one: one.name)
def test_each_runs_a_command_that_exists_with_options_that_it_has(one) -> None:
    name, *arguments = one.command
    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)

    assert parser.parse_args([*arguments, "--json"])
    assert one.variable == f"SCHEDULE_{one.name.upper()}"
    assert not one.cron or cron.following(one, NOON)


def test_two_backups_are_never_made_at_once() -> None:
    assert {one.lock for one in registered().values() if "backup" in one.command[0]} == {"backups"}


@pytest.mark.parametrize(
    ("line", "following"),
    [
        ("0 2 * * *", dt.datetime(2024, 1, 9, 2, tzinfo=dt.UTC)),
        ("*/15 * * * *", dt.datetime(2024, 1, 8, 12, 15, tzinfo=dt.UTC)),
        ("0 3 * * 0", dt.datetime(2024, 1, 14, 3, tzinfo=dt.UTC)),
        ("30 4 1 * *", dt.datetime(2024, 2, 1, 4, 30, tzinfo=dt.UTC)),
        ("0 12 * * MON-FRI", dt.datetime(2024, 1, 9, 12, tzinfo=dt.UTC)),
        ("* * * * * 30", dt.datetime(2024, 1, 8, 12, 0, 30, tzinfo=dt.UTC)),
    ],
)
def test_cron_lines_are_in_utc(line, following) -> None:
    cron.check(schedule(line))

    assert cron.following(schedule(line), NOON) == following


@pytest.mark.parametrize(
    "line", ["", "0 2 * *", "60 2 * * *", "@daily", "R R * * *", "H 2 * * *", "0 2 * * FOO", "0 2 30 2 *"]
)
def test_what_is_no_cron_line_is_refused_by_the_name_of_its_variable(line) -> None:
    with pytest.raises(ConfigurationError, match="SCHEDULE_X="):
        cron.check(schedule(line))


@pytest.mark.parametrize(("told", "kept"), [("off", ""), (" OFF ", ""), ("0  2 * *  *", "0 2 * * *")])
def test_off_is_off(told, kept, monkeypatch) -> None:
    monkeypatch.setattr(registry, "_schedules", {})
    register("x", "health", cron=told, variable="SCHEDULE_X")

    assert registered()["x"].cron == kept
    assert bool(cron.following(registered()["x"], NOON)) is bool(kept)


def test_the_queues_tables_are_those_of_the_installed_procrastinate() -> None:
    assert queue_tables.unknown() == [], "write a migration that applies what is new, and name the newest"
    assert queue_tables._files()[-1] == queue_tables.NEWEST


def test_nothing_but_the_worker_loads_the_queue() -> None:
    code = (
        "import sys, django; django.setup(); from friren.operations import health; "
        "import friren.operations.management.commands.worker, friren.operations.management.commands.health; "
        "from django.db.migrations.loader import MigrationLoader; MigrationLoader(None); "
        "print(sorted({'procrastinate', 'croniter', 'dateutil'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"

"""The worker, in processes of its own: each moment once, whoever dies, and what real commands come to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from friren.operations import health
from friren.operations.jobs import registered
from friren.operations.jobs.models import ScheduledRun
from friren.operations.models import BackupRecord
from tests.clockwork import DONE, EACH_YEAR, Workers, account
from tests.postgres import ROOT, admin_connection

pytestmark = pytest.mark.usefixtures("database")
SECONDS_MAX = 60


def environment(home: Path, **changes: str) -> dict[str, str]:
    return {**os.environ, "FRIREN_HOME": str(home), **changes}


def only(**crons: str) -> dict[str, str]:
    """All other schedules are off."""
    return {one.variable: crons.get(name, "off") for name, one in registered().items()}


def until(true: Callable[[], object], said: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not true():
        assert time.monotonic() < deadline, said()
        time.sleep(0.05)


def manage(*arguments: str, home: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env=environment(home, **changes), cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@pytest.fixture
def session() -> Iterator[psycopg.Connection]:
    with admin_connection(connection.settings_dict["NAME"]) as found:
        found.execute(DONE)
        yield found
        found.execute("DROP TABLE clockwork_done")


@pytest.fixture
def crew(tmp_path, session) -> Iterator[Callable[..., Workers]]:
    made: list[Workers] = []

    def make(**told: float) -> Workers:
        made.append(Workers(tmp_path, environment(tmp_path), **told))
        return made[-1]

    yield make
    for workers in made:
        for process in list(workers.running):
            workers.kill(process)


def test_two_workers_run_each_moment_of_each_schedule_once(crew, session) -> None:
    workers = crew(schedules=10, seconds_of_a_run=0.0)
    both = [workers.begin(), workers.begin()]
    until(lambda: session.execute("SELECT count(*) > 60, count(DISTINCT pid) = 2 FROM clockwork_done").fetchone()
          == (True, True), workers.said)  # fmt: skip

    assert workers.end() == [0, 0], workers.said()
    found = account(session.execute)
    assert found["done"] == found["runs"] > 60
    assert found["statuses"] == {"SUCCEEDED": found["runs"]}
    assert (found["twice"], found["begun_again"], found["moments_left_out"]) == ({}, 0, 0), both


def test_what_a_killed_worker_was_at_is_done_again_once(crew, session) -> None:
    workers = crew(schedules=1, seconds_of_a_run=SECONDS_MAX, cron=EACH_YEAR)
    first = workers.begin()
    until(lambda: ScheduledRun.objects.filter(status="RUNNING").exists(), workers.said)
    run = ScheduledRun.objects.get()

    def begun(times: int) -> None:
        """Wait until so many commands, each in a process of its own, have told that they began."""
        asked = "SELECT count(*), count(DISTINCT pid) FROM clockwork_done"
        until(lambda: session.execute(asked).fetchone() == (times, times), workers.said)

    begun(1)
    workers.kill(first)
    second = workers.begin()
    until(lambda: ScheduledRun.objects.filter(pk=run.pk, attempts=2, status="RUNNING").exists(), workers.said)
    begun(2)

    workers.kill(second)
    workers.begin()
    until(lambda: ScheduledRun.objects.filter(pk=run.pk, status="FAILED").exists(), workers.said)
    run.refresh_from_db()
    assert run.message == "the worker that ran it is gone, and it was begun before"


def test_told_to_end_a_worker_gives_its_command_time_and_then_puts_it_back(tmp_path, session) -> None:
    """A seal waits for transactions that are running, here for one of the test's own."""
    told = environment(tmp_path, FRIREN_WORKER_GRACE="0.5", **only(seal_audit="0 0 * * *"))
    with admin_connection(connection.settings_dict["NAME"]) as other:
        other.execute("BEGIN")
        other.execute("SELECT pg_current_xact_id()")
        log = (tmp_path / "log").open("w+b")
        worker = subprocess.Popen([sys.executable, "manage.py", "worker"], env=told, cwd=ROOT, stdout=log, stderr=log)
        try:
            until(lambda: ScheduledRun.objects.filter(status="RUNNING").exists(), (tmp_path / "log").read_text)
            (child,) = children(worker.pid)
            until(lambda: b"seal_audit" in Path(f"/proc/{child}/cmdline").read_bytes())
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(SECONDS_MAX) == 0
        finally:
            worker.kill()
            worker.wait()
            log.close()
        other.execute("ROLLBACK")

    run = ScheduledRun.objects.get()
    assert (run.status, run.message) == ("INTERRUPTED", "the worker was told to end")
    queued = session.execute("SELECT status::text FROM procrastinate_jobs WHERE task_name = 'friren.seal_audit'")
    assert queued.fetchall() == [("todo",)]
    done = manage("worker", "--once", "--json", home=tmp_path, **only(seal_audit="0 0 * * *"))
    run.refresh_from_db()
    assert (run.status, run.attempts) == ("SUCCEEDED", 2), done.stderr
    assert json.loads(done.stdout) == {"runs": 1, "failed": 0}


def test_a_command_ends_when_its_worker_is_killed(tmp_path) -> None:
    with admin_connection(connection.settings_dict["NAME"]) as other:
        other.execute("BEGIN")
        other.execute("SELECT pg_current_xact_id()")
        with subprocess.Popen(
            [sys.executable, "manage.py", "worker"],
            env=environment(tmp_path, **only(seal_audit="0 0 * * *")), cwd=ROOT,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as worker:  # fmt: skip
            until(lambda: ScheduledRun.objects.filter(status="RUNNING").exists())
            until(lambda: children(worker.pid))
            (child,) = children(worker.pid)
            worker.kill()
        until(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2])


def test_real_commands_do_their_work_and_what_fails_is_told(tmp_path) -> None:
    """An incremental backup needs one of the whole server, which there is not."""
    crons = only(backup_daily="0 2 * * *", backup_incremental="0 3 * * *", seal_audit="5 * * * *")
    done = manage("worker", "--once", "--json", home=tmp_path, **crons)

    assert (done.returncode, json.loads(done.stdout)) == (1, {"runs": 3, "failed": 1}), done.stderr
    assert "Traceback" not in done.stderr
    assert BackupRecord.objects.filter(kind="DAILY", status="COMPLETED").count() == 1
    failed = ScheduledRun.objects.get(status="FAILED")
    assert (failed.schedule, failed.message[:7]) == ("backup_incremental", "error: ")
    told = health.examine(["schedules"]).checks["schedules"][0]
    # In the settings of this process it is off.
    assert told.ok
    assert set(told.details["last_success"]) == {"backup_daily", "seal_audit"}


def children(pid: int) -> list[int]:
    return [int(one) for path in Path(f"/proc/{pid}/task").glob("*/children") for one in path.read_text().split()]

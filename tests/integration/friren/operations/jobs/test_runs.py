"""The log of runs decides what is run: a moment once, in order, and again only where a worker ended over it."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from friren.operations import health
from friren.operations.jobs import Schedule, registered, runs
from friren.operations.jobs.choices import ScheduledStatus
from friren.operations.jobs.models import ScheduledRun
from tests.factories import ScheduledRunFactory

pytestmark = pytest.mark.usefixtures("database")

NOON = dt.datetime(2024, 1, 8, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
SEAL = Schedule("seal_audit", ("seal_audit",), "5 * * * *", "SCHEDULE_SEAL_AUDIT", "audit")


def begin(due_at: dt.datetime = NOON, job: int = 1) -> ScheduledRun | None:
    return runs.begin(SEAL, due_at=due_at, queue_job=job, next_due_at=due_at + HOUR)


def test_a_moment_is_run_once() -> None:
    first = begin()
    assert first is not None
    assert begin(job=2) is None, "while it is running"
    runs.end(first, ScheduledStatus.SUCCEEDED)

    assert begin() is None
    assert begin(job=2) is None


def test_a_moment_before_one_that_was_run_is_not_made_up_for() -> None:
    """The queue remembers the last moment alone: a worker that slept over an hour has it handed out again."""
    assert begin(NOON + HOUR) is not None

    assert begin(NOON, job=2) is None


def test_what_was_interrupted_is_run_again_by_the_same_job() -> None:
    first = begin()
    runs.end(first, ScheduledStatus.INTERRUPTED, "the worker was told to end")
    assert begin(job=2) is None
    again = begin()

    assert (again.pk, again.attempts, again.status, again.finished_at) == (first.pk, 2, "RUNNING", None)


def test_a_lost_worker_that_comes_back_does_not_end_the_run_of_the_next_one() -> None:
    first = begin()
    runs.lose(1, again=True)
    assert ScheduledRun.objects.get().status == "INTERRUPTED"
    again = begin()
    runs.end(first, ScheduledStatus.FAILED, "too late")

    assert ScheduledRun.objects.get().status == "RUNNING"
    runs.end(again, ScheduledStatus.SUCCEEDED)
    assert ScheduledRun.objects.get().status == "SUCCEEDED"


def test_old_runs_are_forgotten_but_for_the_last_success_and_what_followed() -> None:
    now = timezone.now()
    for days, status in ((200, "SUCCEEDED"), (150, "SUCCEEDED"), (120, "FAILED"), (1, "FAILED")):
        ScheduledRunFactory(due_at=now - dt.timedelta(days=days), status=status)
    runs.forget_old()

    left = ScheduledRun.objects.order_by("due_at").values_list("status", flat=True)
    assert list(left) == ["SUCCEEDED", "FAILED", "FAILED"]


class TestHealth:
    def told(self) -> health.Finding:
        return health.examine(["schedules"]).checks["schedules"][0]

    def test_asks_nothing_of_who_runs_no_worker(self) -> None:
        assert self.told() == health.Finding(
            ok=True, message="no worker has run yet: see `manage.py worker`",
            details={"last_success": {}, "troubles": []},
        )  # fmt: skip

    def test_is_green_for_what_is_run_in_time(self) -> None:
        now = timezone.now()
        ScheduledRunFactory(due_at=now - HOUR, next_due_at=now + HOUR)

        assert self.told().ok
        assert set(self.told().details["last_success"]) == {"backup_daily"}

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"status": "FAILED", "message": "the disk is full"}, "the disk is full"),
            ({"next_due_at": timezone.now() - 3 * HOUR}, "backup_daily is 3 hours late"),
            ({"status": "RUNNING", "finished_at": None, "started_at": timezone.now() - 13 * HOUR}, "for 13 hours"),
        ],
    )
    def test_is_red_for_what_failed_is_late_or_does_not_end(self, changes, message) -> None:
        now = timezone.now()
        ScheduledRunFactory(**{"due_at": now - 14 * HOUR, "next_due_at": now + HOUR} | changes)

        assert not self.told().ok
        assert message in self.told().message

    def test_does_not_fail_for_having_failed(self) -> None:
        """The schedule `health` fails when any check does: it would never be green again."""
        now = timezone.now()
        ScheduledRunFactory(schedule="health", due_at=now - HOUR, next_due_at=now + HOUR, status="FAILED")

        assert self.told().ok
        assert not registered()["health"].judged

    def test_forgets_what_was_turned_off(self, monkeypatch) -> None:
        ScheduledRunFactory(status="FAILED", schedule="gone")

        assert self.told().ok
